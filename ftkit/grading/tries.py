"""How often a learner has tried each question: hints grow with it, progress is read from it."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from ftkit.grading.pages.writing import write

_LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Try:
    """What is kept of a question."""

    tries: int = 0
    """Different answers that did not pass."""
    answer: str = ""
    """A name for the last answer."""
    verdict: str = "not attempted"
    points: float = 0.0
    """The most that any try earned."""
    max_points: float = 0.0


def path() -> Path:
    """Where it is kept: ``FTKIT_STATE``, or the system's folder for such things."""
    folder = os.environ.get("FTKIT_STATE") or platformdirs.user_state_path("ftkit")
    return Path(folder) / "tries.json"


def load() -> dict[str, Try]:
    """All questions by full name, such as ``demo.q1``; none if the file cannot be read."""
    try:
        kept = json.loads(path().read_text(encoding="utf-8"))
        return {str(name): Try(**entry) for name, entry in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def record(name: str, source: str, verdict: str, points: float, max_points: float) -> Try:
    """Keeps a try, beside those of checks that run elsewhere, and gives what is now known.

    Where nothing can be written, nothing is kept: a check is worth having all the same.
    """
    seen = (source, verdict, points, max_points)
    with suppress(OSError):  # filelock's Timeout is one
        path().parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path().with_name(f"{path().name}.lock"), timeout=_LOCK_SECONDS):
            kept = load()
            kept[name] = _after(kept.get(name, Try()), *seen)
            entries: dict[str, Any] = {key: asdict(entry) for key, entry in kept.items()}
            write(path(), json.dumps(entries, indent=1, sort_keys=True))
            return kept[name]
    return _after(load().get(name, Try()), *seen)


def _after(before: Try, source: str, verdict: str, points: float, max_points: float) -> Try:
    """What is known of a question after another try."""
    answer = hashlib.sha256(source.encode()).hexdigest()[:16] if source else before.answer
    failed = verdict not in ("passed", "not attempted", "grader fault")
    stays = before.verdict == "passed" or (before.tries and verdict == "not attempted")
    return Try(
        tries=before.tries + (failed and answer != before.answer),
        answer=answer,
        verdict=before.verdict if stays else verdict,
        points=max(points, before.points),
        max_points=max_points,
    )
