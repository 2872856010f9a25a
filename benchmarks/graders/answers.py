"""What a single answer costs: a process for it, confined or not, with its framework or without."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ftkit.grading import build, desk
from ftkit.grading.master import Exercise, Limits
from ftkit.grading.workers import Zygote

_NOTHING: dict[str, Any] = {"do": "run", "before": [], "answer": "x = 1", "exports": ["x"]}
_LIMITS = Limits(seconds=120, call_seconds=60)


def confined(level: str, folder: Path, count: int) -> dict[str, float]:
    """Milliseconds to start the process that others are forked from, and for each of those.

    Args:
        level: How answers are confined.
        folder: Where to make an empty one.
        count: How many answers.
    """
    scratch = Path(tempfile.mkdtemp(dir=folder))
    began = time.perf_counter()
    with Zygote(level, scratch, ("numpy",)) as zygote:
        started = time.perf_counter()
        for _ in range(count):
            worker = zygote.worker(_LIMITS)
            worker.ask(_NOTHING)
            worker.end()
        ended = time.perf_counter()
    return {"start_ms": 1e3 * (started - began), "answer_ms": 1e3 * (ended - started) / count}


def trained(
    exercise: Exercise, framework: str, level: str, folder: Path, preloaded: bool, count: int
) -> dict[str, float]:
    """Seconds to start, and for an answer to the demo's second question, which trains a head.

    Args:
        exercise: The demo.
        framework: Which framework's answer.
        level: How answers are confined.
        folder: Where to make an empty one.
        preloaded: Whether the framework is in memory when the answer begins.
        count: How many answers.
    """
    question = next(q for q in exercise.questions(framework) if q.id == "q2")
    cells = build.solution(exercise, framework)["cells"]
    source = next(cell["source"] for cell in cells if cell["id"] == "q2")
    setup = [c.source for c in exercise.of(framework) if c.kind == "setup"]
    run = {"do": "run", "before": setup, "answer": source, "exports": list(question.exports)}
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    arguments = [x, (x[:, 0] > 0).astype(np.int64), 2]
    call = {"do": "call", "name": question.exports[0], "args": arguments, "kwargs": {}}
    modules = desk.preload(exercise, framework) if preloaded else ("numpy",)
    scratch = Path(tempfile.mkdtemp(dir=folder))
    began = time.perf_counter()
    with Zygote(level, scratch, modules) as zygote:
        started = time.perf_counter()
        for _ in range(count):
            worker = zygote.worker(_LIMITS)
            for request in (run, call):
                if "ok" not in worker.ask(request):
                    raise AssertionError("The demo's own solution failed.")
            worker.end()
        ended = time.perf_counter()
    return {"start": started - began, "answer": (ended - started) / count}
