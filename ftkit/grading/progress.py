"""Shows how far grading has come: one line that moves on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from ftkit.grading.grade import Progress


class Pace:
    """How fast it goes, by what was graded now: what was there already took no time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins to count."""
        self._clock, self._began, self._graded = clock, clock(), 0

    def told(self, progress: Progress) -> str:
        """Rate and time left, after one more submission."""
        self._graded += not progress.resumed
        left = progress.total - progress.done
        if not left:
            return f"{clock_time(self._clock() - self._began)} in all"
        if not self._graded:
            return "as before"
        each = (self._clock() - self._began) / self._graded
        return f"{60 / max(each, 1e-3):.0f} a minute, {clock_time(left * each)} left"


class Line:
    """The line on a terminal."""

    def __init__(self, bars: Bars) -> None:
        self._bars, self._pace = bars, Pace()
        self._task: TaskID = bars.add_task("", total=None, told="starting", who="")

    def __call__(self, progress: Progress) -> None:
        """Takes in that a submission has ended."""
        self._bars.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            description=f"{progress.done}/{progress.total}",
            told=self._pace.told(progress),
            who=escape(progress.student[:30]),
        )


class Lines:
    """A line per submission."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, progress: Progress) -> None:
        """Takes in that a submission has ended."""
        verdicts = ", ".join(f"{r.question} {r.verdict}" for r in progress.results)
        again = " (as before)" if progress.resumed else ""
        told = f"[{progress.done}/{progress.total}] {progress.student}: {verdicts}{again}"
        print(told, file=self._stream, flush=True)


@contextmanager
def shown(stream: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """What to call as each submission ends.

    Args:
        stream: Where to show it; standard output if None.
    """
    stream = stream or sys.stdout
    if not stream.isatty():
        yield Lines(stream)
        return
    columns = ("{task.description}", "{task.fields[told]}", "[dim]{task.fields[who]}")
    texts = [TextColumn(column) for column in columns]
    bar = BarColumn(bar_width=20)
    with Bars(bar, *texts, console=Console(file=stream)) as bars:
        yield Line(bars)


def clock_time(seconds: float) -> str:
    """Such as 0:07, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
