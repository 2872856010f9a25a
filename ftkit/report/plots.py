"""Curves of a comparison: both frameworks in one panel, and what lies between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from ftkit.engine.comparison import Comparison, Match
from ftkit.history import Run
from ftkit.report import formats
from ftkit.report.ink import DARK, LIGHT, Ink, axes_in, legend_in

_STEEP = 20.0
"""Losses above this are drawn on a logarithmic axis, so that the small ones stay visible."""


@dataclass(frozen=True)
class _Limits:
    """What the panels of a row share, so that strategies can be compared by eye."""

    loss: float
    accuracy: float
    difference: tuple[int, int]


class Picture(Figure):
    """A figure that a notebook shows by itself, whether pyplot was set up there or not."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=110)
        return file.getvalue()


def curves(
    comparison: Comparison, strategies: Sequence[str] | None = None, dark: bool = False
) -> Figure:
    """Training loss, difference of the losses, and validation accuracy; a column per strategy.

    The row of differences is left out where no strategy ran in two frameworks.

    Args:
        comparison: What to draw.
        strategies: Which columns; all by default. Axes are the same whichever are drawn.
        dark: Whether to draw for a dark page.
    """
    ink = DARK if dark else LIGHT
    everything = list(dict.fromkeys(run.strategy for run in comparison.runs))
    chosen = everything if strategies is None else list(strategies)
    gaps = {strategy: _differences(_runs(comparison, strategy)) for strategy in everything}
    limits = _limits(comparison, gaps)
    paired = any(gap is not None for gap in gaps.values())
    heights = (3, 1.9, 2.1) if paired else (3, 2.1)
    columns = max(len(chosen), 1)
    width = 5.6 if columns == 1 else 3.7 * columns
    figure = Picture(figsize=(width, 6.6 if paired else 5.0), layout="constrained")
    figure.set_facecolor(ink.paper)
    grid = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    for column, strategy in enumerate(chosen):
        runs = _runs(comparison, strategy)
        for axes in grid[:, column]:
            axes_in(axes, ink)
        _draw_losses(grid[0, column], strategy, runs, limits, ink)
        if paired:
            match = next((item for item in comparison.match if item.strategy == strategy), None)
            _draw_differences(grid[1, column], gaps.get(strategy), match, runs, limits, ink)
        _draw_accuracies(grid[-1, column], runs, limits, ink)
        if column == 0:
            grid[0, 0].set_ylabel("training loss")
            grid[-1, 0].set_ylabel("validation accuracy")
            if paired:
                grid[1, 0].set_ylabel("|difference|\nof the losses")
    return figure


def _runs(comparison: Comparison, strategy: str) -> list[Run]:
    return [run for run in comparison.runs if run.strategy == strategy]


def _differences(runs: Sequence[Run]) -> NDArray[np.float64] | None:
    """Absolute difference of the loss at each step that both made; None without two runs."""
    if len(runs) < 2 or not (runs[0].steps and runs[1].steps):
        return None
    steps = min(len(runs[0].steps), len(runs[1].steps))
    first, second = (_finite(run.step_losses[:steps]) for run in runs[:2])
    return np.abs(first - second)


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    """The values with a gap where one is infinite or no number."""
    array = np.asarray(values, np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _limits(comparison: Comparison, gaps: dict[str, NDArray[np.float64] | None]) -> _Limits:
    losses = _finite([value for run in comparison.runs for value in run.step_losses])
    losses = losses[np.isfinite(losses)]
    shares = [epoch.val_accuracy for run in comparison.runs for epoch in run.epochs]
    shown = [value for gap in gaps.values() if gap is not None for value in gap if value > 0]
    for match in comparison.match:
        shown += [value for value in (match.bound, match.noise_floor) if value]
    shown = [value for value in shown if math.isfinite(value)] or [1e-9, 1e-5]
    low, high = math.floor(math.log10(min(shown))), math.ceil(math.log10(max(shown)))
    worst = min((share for share in shares if math.isfinite(share)), default=0.0)
    return _Limits(
        loss=float(losses.max()) if losses.size else 1.0,
        accuracy=max(0.0, math.floor((worst - 0.02) * 10) / 10),
        difference=(low, max(high, low + 2)),
    )


def _draw_losses(axes: Axes, strategy: str, runs: Sequence[Run], limits: _Limits, ink: Ink) -> None:
    axes.set_title(strategy, loc="left", color=ink.text, fontsize=12, fontweight="bold")
    most = max((len(run.steps) for run in runs), default=0)
    _step_axis(axes, most)
    if limits.loss > _STEEP:
        _decades(axes, 0, math.ceil(math.log10(limits.loss)))
        axes.set_ylim(0, limits.loss * 2)
    else:
        axes.set_ylim(0, limits.loss * 1.08 or 1)
    for index, run in enumerate(runs):
        values = _finite(run.step_losses)
        label = formats.framework(run.backend)
        if run.status != "done":
            label += f" ({run.status})"
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, label=label, **ink.line(_place(run, index), len(values) == 1))
        bad = np.flatnonzero(np.isnan(values))
        if bad.size:
            said = f"{formats.framework(run.backend)}: no finite loss from step {bad[0] + 1}"
            _say(axes, said, 0.05 + 0.1 * index, ink)
    _mark_phases(axes, runs, ink, "step")
    if any(run.steps for run in runs):
        legend_in(axes, ink)
    else:
        _say(axes, "no step was made", 0.5, ink)


def _draw_differences(
    axes: Axes,
    gap: NDArray[np.float64] | None,
    match: Match | None,
    runs: Sequence[Run],
    limits: _Limits,
    ink: Ink,
) -> None:
    low, high = limits.difference
    _decades(axes, low, high)
    axes.set_ylim(-(10.0**low) * 0.12, 10.0 ** (high + 0.3))
    _step_axis(axes, max((len(run.steps) for run in runs), default=0))
    if gap is None:
        _say(axes, "no two runs to compare", 0.5, ink)
        return
    steps = np.arange(1, len(gap) + 1)
    style = ink.line(2, single=len(gap) <= 60)
    axes.plot(steps, gap, label="difference", **style)
    if match is not None and match.steps:
        ends = (0.5, match.steps + 0.5)
        axes.axvspan(*ends, color=ink.shadow, linewidth=0, zorder=0)
        if match.holds is not None and 0 < match.bound < math.inf:
            bound = (match.bound, match.bound)
            axes.plot(ends, bound, color=ink.limit, linewidth=1.6, label="bound")
        if match.noise_floor:
            floor = (match.noise_floor, match.noise_floor)
            axes.plot(ends, floor, color=ink.faint, dashes=(1, 1.5), label="noise floor")
    known = gap[np.isfinite(gap)]
    if not known.size:
        _say(axes, "no finite loss to compare", 0.5, ink)
    elif not known.any():
        _say(axes, "exactly the same at every step", 0.5, ink)
    legend_in(axes, ink, columns=3)


def _draw_accuracies(axes: Axes, runs: Sequence[Run], limits: _Limits, ink: Ink) -> None:
    most = max((len(run.epochs) for run in runs), default=0)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, max(most, 1) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_ylim(limits.accuracy, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for index, run in enumerate(runs):
        values = _finite([epoch.val_accuracy for epoch in run.epochs])
        style = ink.line(_place(run, index), single=True)
        axes.plot(np.arange(1, len(values) + 1), values, **style)
    _mark_phases(axes, runs, ink, "epoch")
    if not most:
        _say(axes, "no epoch was finished", 0.5, ink)


def _mark_phases(axes: Axes, runs: Sequence[Run], ink: Ink, unit: str) -> None:
    """A line where a new phase begins, taken from the run that got furthest."""
    histories: list[list[Any]] = [getattr(run, f"{unit}s") for run in runs]
    records = max(histories, key=len, default=[])
    for index, record in enumerate(records):
        if index and record.phase != records[index - 1].phase:
            axes.axvline(index + 0.5, color=ink.faint, linewidth=1, dashes=(2, 2), zorder=1)
            said = f" phase {record.phase + 1}"
            place = axes.get_xaxis_transform()
            axes.text(index + 0.5, 0.02, said, transform=place, color=ink.faint, fontsize=8)


def _place(run: Run, index: int) -> int:
    """Which line a run has: a framework's colour is its own, whichever others ran."""
    return {"pytorch": 0, "tensorflow": 1}.get(run.backend, min(index, 1))


def _step_axis(axes: Axes, steps: int) -> None:
    axes.set_xlabel("step")
    margin = max(steps * 0.02, 0.5)
    axes.set_xlim(1 - margin, max(steps, 1) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _say(axes: Axes, text: str, height: float, ink: Ink) -> None:
    place = axes.transAxes
    axes.text(0.5, height, text, transform=place, ha="center", color=ink.faint, fontsize=9)


def _decades(axes: Axes, low: int, high: int) -> None:
    """A vertical axis of decades that holds 0 as well, at its foot."""
    axes.set_yscale("symlog", linthresh=10.0**low, linscale=0.8)
    powers = range(low, high + 1, max(1, math.ceil((high - low) / 4)))
    labels = ["0", *(f"$10^{{{power}}}$" for power in powers)]
    axes.set_yticks([0, *(10.0**power for power in powers)], labels)
    axes.yaxis.set_minor_locator(NullLocator())
