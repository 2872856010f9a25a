"""Shows a comparison as it runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ftkit.history import Epoch, Event, PhaseStart, Run, RunEnd, RunFailed, Step


class Bars:
    """One bar per run, with its loss and the time left."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<30}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(file=stream),
        )
        self._tasks: dict[int, TaskID] = {}
        self._notes: dict[int, str] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, run: Run, event: Event) -> None:
        """Takes in one event."""
        key = id(run)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(run.name, total=None, note="")
        task = self._tasks[key]
        if isinstance(event, PhaseStart):
            done = len(run.steps)
            self._progress.update(task, total=done + event.steps)
        elif isinstance(event, Step):
            self._progress.update(task, advance=1, note=f"loss {event.loss:.3f}")
        elif isinstance(event, Epoch):
            self._progress.update(task, note=f"val. accuracy {event.val_accuracy:.3f}")
        elif isinstance(event, RunEnd):
            note = f"val. accuracy {run.val_accuracy:.3f}" if run.val_accuracy is not None else ""
            self._progress.update(task, note=note)
        elif isinstance(event, RunFailed):
            self._progress.update(task, note=f"[red]failed:[/red] {event.reason}")
            self._progress.stop_task(task)


class Lines:
    """One line per epoch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()

    def __call__(self, run: Run, event: Event) -> None:
        """Takes in one event."""
        if isinstance(event, Epoch):
            self._say(
                f"{run.name}: epoch {event.epoch + 1}, training loss {event.train_loss:.4f}, "
                f"validation loss {event.val_loss:.4f}, accuracy {event.val_accuracy:.3f}, "
                f"{event.seconds:.1f} s"
            )
        elif isinstance(event, RunFailed):
            self._say(f"{run.name}: failed, {event.reason}")

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def progress(stream: TextIO | None = None) -> Bars | Lines:
    """Bars where the stream (standard error if None) is a terminal, lines elsewhere."""
    stream = stream or sys.stderr
    return Bars(stream) if stream.isatty() else Lines(stream)
