"""Shows a comparison as it runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ftkit.engine.compare import OnEvent
from ftkit.history import Computing, Epoch, Event, Kept, PhaseStart, Run, RunEnd, RunFailed, Step

MOVE_SECONDS = 0.05  # between two moves of a bar: steps may come in thousands


class Bars:
    """One bar per run, with its loss and the time left."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: list[tuple[Run, TaskID]] = []
        self._moved = 0.0

    def __call__(self, run: Run, event: Event) -> None:
        """Takes in one event."""
        if not self._tasks or self._tasks[-1][0] is not run:
            self._tasks.append((run, self._bars.add_task(run.name, total=None, note="")))
        task = self._tasks[-1][1]
        if isinstance(event, PhaseStart):
            self._bars.update(task, total=event.run_steps)
        elif isinstance(event, Computing):
            share = f"{event.done:,}/{event.total:,}"
            self._bars.update(task, note=f"computing what is frozen, {share}")
        elif isinstance(event, Step):
            now = time.monotonic()
            if now - self._moved >= MOVE_SECONDS:
                self._bars.update(task, completed=len(run.steps), note=f"loss {event.loss:.3f}")
                self._moved = now
        elif isinstance(event, Epoch):
            told = f"val. accuracy {event.val_accuracy:.3f}"
            self._bars.update(task, completed=len(run.steps), note=told)
        elif isinstance(event, RunEnd):  # it may have been stopped
            self._bars.update(task, completed=len(run.steps), total=len(run.steps))
            self._bars.stop_task(task)
        elif isinstance(event, RunFailed):
            self._bars.update(task, note=f"[red]failed:[/red] {escape(event.reason)}")
            self._bars.stop_task(task)


class Lines:
    """One line per epoch, and one for what is computed once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, run: Run, event: Event) -> None:
        """Takes in one event."""
        if isinstance(event, Kept) and event.boundary and not event.reused:
            self._say(f"{run.name}: computed once up to {event.boundary}, {event.seconds:.1f} s")
        elif isinstance(event, Epoch):
            self._say(
                f"{run.name}: epoch {event.epoch + 1}, training loss {event.train_loss:.4f}, "
                f"validation loss {event.val_loss:.4f}, accuracy {event.val_accuracy:.3f}, "
                f"{event.seconds:.1f} s"
            )
        elif isinstance(event, RunFailed):
            self._say(f"{run.name}: failed, {event.reason}")

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


@contextmanager
def progress(stream: TextIO | None = None) -> Iterator[OnEvent]:
    """Shows what it is called with: bars if the stream is a terminal, lines elsewhere.

    Args:
        stream: Where to; standard error if None.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield Lines(stream)
        return
    with Progress(
        TextColumn("{task.description:<30}"),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(file=stream),
    ) as bars:
        yield Bars(bars)
