"""What it costs to tell of each step, beside the step itself.

Run `python benchmarks/overhead.py`. *Step* is the median of a run of `resnet_s` on 400 drawn pets,
batches of 32. *Telling* is what the framework's process does for a step beside training: clocks,
the record, JSON, the pipe. *Taking in* is what the other process does: parsing, the run's record,
the bar on a terminal. Both are means over 20,000 steps.
"""

from __future__ import annotations

import io
import json
import statistics
import time

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

STEPS = 20_000


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def telling() -> tuple[float, list[str]]:
    """Seconds that a step's telling takes, and the lines that were sent."""
    made = architecture("resnet_s", Head(), 2)
    split = Split(np.zeros((32, 64, 64, 3), np.uint8), np.zeros(32, np.int64))
    phase = ftkit.Phase(1, FreezePlan(depth=5), 1e-3)
    stream = io.StringIO()
    send = Outbox(stream).send
    batch = Batch(split.images, split.labels, np.zeros((32, 0)))
    dataset = Dataset("none", ("a", "b"), split, split)
    with Recorder(made, dataset, ftkit.Recipe(), (phase,)) as recorder:
        send(event_to_dict(recorder.start_phase(phase, resolve(phase.freeze, made))))
        started = time.perf_counter()
        for _ in range(STEPS):
            recorder.start_step()
            send(event_to_dict(recorder.step(batch, 0.69314718, 16, 1e-3)))
        seconds = (time.perf_counter() - started) / STEPS
        send(event_to_dict(recorder.end_epoch(0.0, 0.0)))
    return seconds, stream.getvalue().splitlines()


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
    told, lines = telling()
    taken = taking_in(lines)
    print("| run | step, ms | telling, µs | share | taking in, µs |\n|---|---|---|---|---|")
    for strategy in ("feature-extraction", "fine-tuning"):
        recipe = ftkit.Recipe(strategies=(strategy,), epochs=5, device="cpu")
        for backend in BACKENDS:
            (run,) = ftkit.run(recipe, backend).runs
            step = statistics.median(item.seconds for item in run.steps)
            print(
                f"| {run.name} | {step * 1e3:.2f} | {told * 1e6:.1f} | {told / step:.2%} "
                f"| {taken * 1e6:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
