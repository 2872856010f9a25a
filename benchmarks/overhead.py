"""What it costs to tell of each step, beside the step itself.

Run `python benchmarks/overhead.py`. *Step* is the median of a run of `resnet_s` on 400 drawn pets,
batches of 32. *Telling* is the CPU time that the framework's process takes for a step beside
training: clocks, the record, JSON, the pipe, in bunches as steps of that length make them. *Taking
in* is what the other process does, while the framework goes on: parsing, the run's record, the bar
on a terminal. Both are means over 2,000 steps.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

import ftkit
from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backends.recording import Recorder
from ftkit.data.batches import Batch
from ftkit.data.dataset import Dataset, Split
from ftkit.engine.worker import Outbox
from ftkit.environments import BACKENDS
from ftkit.freezing import FreezePlan, resolve
from ftkit.history import PhaseStart, Run, event_from_dict, event_to_dict
from ftkit.progress import progress

STEPS = 2_000
COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def telling(step_seconds: float) -> tuple[float, list[str]]:
    """CPU seconds that a step's telling takes, pipe included, and the lines that were sent.

    Args:
        step_seconds: How long a step takes: it decides how many are sent together.
    """
    made = architecture("resnet_s", Head(), 2)
    split = Split(np.zeros((32, 64, 64, 3), np.uint8), np.zeros(32, np.int64))
    phase = ftkit.Phase(1, FreezePlan(depth=5), 1e-3)
    batch = Batch(split.images, split.labels, np.zeros((32, 0)))
    dataset = Dataset("none", ("a", "b"), split, split)
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen([sys.executable, "-c", COPY], stdin=subprocess.PIPE, stdout=told) as other,
        Recorder(made, dataset, ftkit.Recipe(), (phase,)) as recorder,
    ):
        assert other.stdin is not None
        stream = io.TextIOWrapper(other.stdin, encoding="utf-8")
        send = Outbox(stream).send
        send(event_to_dict(recorder.start_phase(phase, resolve(phase.freeze, made))))

        def tell() -> None:
            recorder.start_step()
            send(event_to_dict(recorder.step(batch, 0.69314718, 16, 1e-3)))

        taken = [cpu_seconds(work, step_seconds) for work in (tell, lambda: None)]
        send(event_to_dict(recorder.end_epoch(0.0, 0.0)))
        stream.close()
        other.wait()
        told.seek(0)
        lines = told.read().decode().splitlines()
    return (taken[0] - taken[1]) / STEPS, lines


def cpu_seconds(work: Callable[[], None], pause: float) -> float:
    """CPU seconds of this process while it works and waits in turn."""
    started = time.process_time()
    for _ in range(STEPS):
        work()
        time.sleep(pause)
    return time.process_time() - started


def taking_in(lines: list[str]) -> float:
    """Seconds that taking in a step's line takes."""
    run = Run("pytorch", "feature-extraction")
    with progress(Terminal()) as show:
        started = time.perf_counter()
        for line in lines:
            for message in json.loads(line):
                event = event_from_dict(message)
                run.add(event)
                if isinstance(event, PhaseStart) or run.steps:
                    show(run, event)
        return (time.perf_counter() - started) / STEPS


def main() -> None:
    """Measures and prints a Markdown table."""
    print("| run | step, ms | telling, µs | share | taking in, µs | share |")
    print("|---|---|---|---|---|---|")
    for strategy in ("feature-extraction", "fine-tuning"):
        recipe = ftkit.Recipe(strategies=(strategy,), epochs=5, device="cpu")
        for backend in BACKENDS:
            (run,) = ftkit.run(recipe, backend).runs
            step = statistics.median(item.seconds for item in run.steps)
            told, lines = telling(step)
            taken = taking_in(lines)
            print(
                f"| {run.name} | {step * 1e3:.2f} | {told * 1e6:.1f} | {told / step:.2%} "
                f"| {taken * 1e6:.1f} | {taken / step:.2%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
