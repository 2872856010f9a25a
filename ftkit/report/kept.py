"""What was computed once, and what was not, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ftkit.history import STOPPED, Kept, Run
from ftkit.report import formats
from ftkit.report.table import plain_lines, plain_table

_COLUMNS = (
    "strategy",
    "framework",
    "phase",
    "frozen output of",
    "views",
    "size",
    "kept in",
    "cost",
)


def kept_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """What each phase found computed once: the cells of a table, in the order of its columns."""
    return [
        (
            run.strategy,
            formats.framework(run.backend),
            str(item.phase + 1),
            item.boundary,
            str(item.views) + ("" if item.exact else ", fixed"),
            formats.size(item.bytes),
            item.place,
            "was there" if item.reused else f"{item.seconds:,.1f} s",
        )
        for run in runs
        for item in run.kept
        if item.boundary
    ]


def kept_columns() -> tuple[str, ...]:
    """The titles of the table's columns."""
    return _COLUMNS


def reasons(runs: Sequence[Run]) -> list[str]:
    """Why phases that freeze something computed it again in every epoch, in sentences."""
    frozen = [(run, item) for run in runs for item in run.kept if _frozen(run, item)]
    said = []
    for reason in dict.fromkeys(item.reason for _, item in frozen):
        if reason in ("", STOPPED):
            continue
        names = []
        for strategy in dict.fromkeys(run.strategy for run, _ in frozen):
            mine = [(run, item) for run, item in frozen if run.strategy == strategy]
            where = [
                f"{formats.framework(run.backend)}, phase {item.phase + 1}"
                for run, item in mine
                if item.reason == reason
            ]
            if len(where) == len(mine):
                names.append(strategy)
            elif where:
                names.append(f"{strategy} ({'; '.join(dict.fromkeys(where))})")
        said.append(f"Computed again in every epoch in {formats.listed(names)}: {reason}.")
    return said


def kept_lines(runs: Sequence[Run], width: int) -> list[str]:
    """The table as plain text; no line where nothing was kept."""
    rows = kept_rows(runs)
    if not rows:
        return []
    table = plain_table("What is frozen was computed once")
    for title in _COLUMNS:
        right = title in ("phase", "views", "size", "cost")
        table.add_column(title, justify="right" if right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return plain_lines(table, width)


def _frozen(run: Run, item: Kept) -> bool:
    return run.phases[item.phase].freeze_depth > 0 if item.phase < len(run.phases) else False
