"""What ftkit wants to reach, and whether it does."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from systems.jobs import CACHED_DEPTH, EVERYTHING_FROZEN, SYSTEMS
from systems.results import Results

Row = tuple[str, str]
"""System and case."""
_FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}


@dataclass(frozen=True)
class Bar:
    """A figure that is to be at most, or at least, so large.

    Attributes:
        figure: What it is, in words.
        job: Whose runs tell it.
        row: The row that is judged, or that others are divided by.
        against: The rows that it is divided by; the smallest counts. None judges the row alone.
        bound: The bar.
        most: Whether the bar is the most that is allowed, and not the least.
        value: What of a run: seconds, or the worker's peak memory.
    """

    figure: str
    job: str
    row: Row
    against: tuple[Row, ...]
    bound: float
    most: bool
    value: str = "wall_seconds"

    def measured(self, results: Results) -> float | None:
        """The figure; None if a run that it needs is missing."""
        over = _median(results, self.job, self.row, self.value)
        if over is None or not self.against:
            return over
        under = [_median(results, self.job, row, self.value) for row in self.against]
        found = [value for value in under if value is not None]
        return over / min(found) if found else None


def bars() -> list[Bar]:
    """Every bar."""
    ours = {"pytorch": ("ours-pytorch", ""), "tensorflow": ("ours-tensorflow", "")}
    extraction = "feature-extraction"
    found = []
    for backend, row in ours.items():
        passes = tuple(
            (name, "")
            for name, system in SYSTEMS.items()
            if (system.family, system.backend) == ("bare", backend)
        )
        figure = f"feature extraction, {_FRAMEWORKS[backend]}: ftkit ÷ the fastest bare pass"
        found.append(Bar(figure, extraction, row, passes, 1.15, True))
    for name in ("plain", "fastai", "lightning", "lightning-no-grad"):
        figure = f"feature extraction: {SYSTEMS[name].label} ÷ ftkit"
        found.append(Bar(figure, extraction, (name, ""), (ours["pytorch"],), 10, False))
    figure = "feature extraction: Keras compile/fit ÷ ftkit"
    found.append(Bar(figure, extraction, ("keras", ""), (ours["tensorflow"],), 8, False))
    figure = "sweep: plain PyTorch loop ÷ ftkit"
    found.append(Bar(figure, "sweep", ("plain", ""), (ours["pytorch"],), 1.6, False))
    tuning = "fine-tuning"
    for name, backend, bound in (("plain", "pytorch", 1.3), ("keras", "tensorflow", 1.0)):
        figure = f"fine-tuning: {SYSTEMS[name].label} ÷ ftkit"
        found.append(Bar(figure, tuning, (name, ""), (ours[backend],), bound, False))
    figure = "fine-tuning: plain PyTorch loop ÷ ftkit, `--precision auto`"
    auto = ("ours-pytorch", "precision auto")
    found.append(Bar(figure, tuning, ("plain", ""), (auto,), 2, False))
    for backend, row in ours.items():
        figure = f"the slider's question, {_FRAMEWORKS[backend]}, seconds"
        found.append(Bar(figure, "slider", row, (), 2, True))
    for backend, (system, _) in ours.items():
        for depth in (EVERYTHING_FROZEN, CACHED_DEPTH):
            disk, none = (
                (system, f"depth {depth}, {way}") for way in ("cache on disk", "no cache")
            )
            figure = f"peak memory, {_FRAMEWORKS[backend]}, depth {depth}: on disk ÷ no cache"
            found.append(Bar(figure, "memory", disk, (none,), 1.2, True, "peak_children_mb"))
    return found


def bars_table(results: Results) -> str:
    """A Markdown table of every bar that has been measured."""
    lines = ["| figure | bar | measured | |", "|---|---|---|---|"]
    for bar in bars():
        value = bar.measured(results)
        if value is None:
            continue
        met = value <= bar.bound if bar.most else value >= bar.bound
        bound = f"{'≤' if bar.most else '≥'} {bar.bound:g}"
        lines.append(f"| {bar.figure} | {bound} | {value:.2f} | {'' if met else 'missed'} |")
    return "\n".join(lines)


def _median(results: Results, job: str, row: Row, value: str) -> float | None:
    runs: list[dict[str, Any]] = results.of_row(job, row)
    return statistics.median(run[value] for run in runs) if runs else None
