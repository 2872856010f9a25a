"""The results of a comparison as a table: as records and as plain text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.report import formats

# Plain characters, so that the text survives any terminal, log file and issue tracker.
_PLAIN = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_DEFAULT_WIDTH = 100

_FORMATS: dict[str, Callable[[Run], str]] = {
    "framework": lambda run: formats.framework(run.backend),
    "strategy": lambda run: run.strategy,
    "trainable": lambda run: formats.count(run.trainable_parameters),
    "trains": lambda run: formats.short_count(run.trainable_parameters),
    "total": lambda run: formats.count(run.total_parameters),
    "val acc.": lambda run: formats.percent(run.val_accuracy),
    "val loss": lambda run: formats.loss(run.val_loss),
    "seconds": lambda run: f"{run.seconds:,.1f}",
    "images/s": lambda run: formats.rate(run.images_per_second),
    "peak MB": lambda run: f"{run.end.peak_memory_mb:,.0f}" if run.end else formats.MISSING,
}
_NAMES = ("framework", "strategy")
_COUNTS = ("trainable", "trains", "total")
_MEASURED = ("val acc.", "val loss", "seconds", "images/s", "peak MB")
# From the widest to the narrowest: what is dropped first is what is missed least.
_LAYOUTS: tuple[tuple[str, ...], ...] = (
    (*_NAMES, "trainable", "total", *_MEASURED),
    (*_NAMES, "trainable", *_MEASURED),
    (*_NAMES, "trains", *_MEASURED),
    (*_NAMES, "trains", "val acc.", "val loss", "seconds"),
    (*_NAMES, "val acc.", "val loss"),
)


def by_strategy(comparison: Comparison) -> list[Run]:
    """The runs with those of one strategy side by side, in the order that they first ran in."""
    order = list(dict.fromkeys(run.strategy for run in comparison.runs))
    return sorted(comparison.runs, key=lambda run: order.index(run.strategy))


def rows(comparison: Comparison) -> list[dict[str, object]]:
    """One record per run, numbers as they are; None where a run did not get that far.

    Memory is in units of 2**20 bytes.
    """
    return [
        {
            "framework": run.backend,
            "strategy": run.strategy,
            "trainable": run.trainable_parameters,
            "total": run.total_parameters,
            "val accuracy": run.val_accuracy,
            "val loss": run.val_loss,
            "seconds": run.seconds,
            "images/s": run.images_per_second,
            "peak memory MB": run.end.peak_memory_mb if run.end else None,
            "status": run.status,
            "error": run.error,
        }
        for run in by_strategy(comparison)
    ]


def text_table(comparison: Comparison, width: int | None = None) -> str:
    """The table as plain text without colour codes, with the reasons for what is missing below.

    Args:
        comparison: What to show.
        width: Columns to keep within, 100 by default. Columns of the table are left out before a
            name or number is cut; a width below 50 is exceeded.
    """
    width = _DEFAULT_WIDTH if width is None else width
    table = _fitting(comparison, width)
    lines = plain_lines(table, max(width, _natural_width(table)))
    for reason in notes(comparison):
        lines += ["", *_wrapped(reason, width)]
    return "\n".join(lines) + "\n"


def plain_table(title: str | None = None, gap: int = 2) -> Table:
    """An empty table in plain characters.

    Args:
        title: What stands above it.
        gap: Spaces between columns.
    """
    return Table(
        box=_PLAIN,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap, 0, 0),
        title=title,
        title_justify="left",
        title_style="none",
    )


def plain_lines(table: Table, width: int) -> list[str]:
    """A table's lines as plain text, whatever the terminal or notebook around them is.

    Args:
        table: The table.
        width: Columns to keep within.
    """
    console = _plain_console(width)
    console.print(table)
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().strip("\n").splitlines()]


def notes(comparison: Comparison) -> list[str]:
    """What has to be said about the numbers, or about those that are missing."""
    said = [note(run) for run in comparison.runs]
    said.extend(comparison.notes)
    if comparison.interrupted:
        said.append("The comparison was ended early; what it did not reach is missing.")
    return [reason for reason in said if reason]


def note(run: Run) -> str:
    """Why a run has no numbers, or why they are not to be trusted, in a sentence; or nothing."""
    name = f"{formats.framework(run.backend)} {run.label}"
    made = formats.times(len(run.steps), "step")
    if run.status == "failed":
        reason = (run.error or "no reason was given").strip().rstrip(".")
        after = f" after {made}" if run.steps else ""
        return f"{name} failed{after}: {reason}."
    if run.status in ("stopped", "running"):
        said = "was stopped on request after" if run.status == "stopped" else "is running, after"
        reached = run.epochs[-1] if run.epochs else None
        whole = (
            f" Validation accuracy after epoch {reached.epoch + 1}: "
            f"{formats.percent(reached.val_accuracy)}."
            if reached
            else ""
        )
        return f"{name} {said} {made}.{whole}"
    bad = [step.step for step in run.steps if not math.isfinite(step.loss)]
    if bad:
        return f"{name}: the training loss is not a finite number from step {bad[0] + 1} on."
    return ""


def _fitting(comparison: Comparison, width: int) -> Table:
    """The table in the widest layout that keeps within the width."""
    for layout in _LAYOUTS:
        table = _table(by_strategy(comparison), layout)
        if _natural_width(table) <= width:
            break
    return table


def _table(runs: Sequence[Run], layout: Sequence[str]) -> Table:
    table = plain_table(gap=1)
    for column in layout:
        left = column in _NAMES
        table.add_column(Text(column), justify="left" if left else "right", no_wrap=True)
    for run in runs:
        table.add_row(*(_cell(run, column) for column in layout))
    return table


def _cell(run: Run, column: str) -> Text:
    if run.status == "done" or column in _NAMES or column in _COUNTS:
        return Text(_FORMATS[column](run))
    if column == "val acc.":
        return Text(run.status)
    return Text(formats.MISSING)


def _natural_width(table: Table) -> int:
    console = _plain_console(10_000)
    return console.measure(table).maximum


def _plain_console(width: int) -> Console:
    """A console that writes plain text, whatever the terminal or notebook around it is."""
    return Console(
        file=StringIO(),
        width=width,
        height=100,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
        highlight=False,
    )


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 40), subsequent_indent="  ", break_long_words=False)
