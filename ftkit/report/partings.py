"""What a framework difference is worth: the curves with it, without it, and what lies between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ftkit.engine.compare import COMPARED_STEPS, loss_differences
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.report import formats
from ftkit.report.ink import LIGHT, axes_in, legend_in
from ftkit.report.plots import Picture

LEAST = 1e-17
"""Where a difference of exactly 0 is drawn on a logarithmic axis."""
_MATCHED: dict[str, Any] = {"color": LIGHT.faint, "alpha": 0.55, "linewidth": 1.2}


@dataclass
class Trial:
    """One difference switched on, beside the same recipe with nothing switched on.

    Attributes:
        difference: Its name.
        recipe: What was run, with the difference switched on.
        matched: The runs without it, one per framework.
        switched: The runs with it.
    """

    difference: str
    recipe: Recipe
    matched: list[Run]
    switched: list[Run]

    @property
    def name(self) -> str:
        """The difference; with the precision, where that is not float64."""
        precision = self.recipe.precision
        return self.difference if precision == "fp64" else f"{self.difference}, {precision}"


def gaps(runs: Sequence[Run]) -> list[float]:
    """Absolute difference of the two runs' losses at each step that both made."""
    if len(runs) != 2:
        return []
    steps = min(len(run.steps) for run in runs)
    return [float(value) for value in loss_differences(runs[0], runs[1], steps)]


def largest(runs: Sequence[Run]) -> float | None:
    """The largest difference at any of the first 40 steps; None without a step of both."""
    return max(gaps(runs)[:COMPARED_STEPS], default=None)


def partings(trials: Sequence[Trial]) -> Figure:
    """The last trial's losses and what lies between them, and what every trial came to.

    Args:
        trials: At least one.
    """
    columns = 3 if len(trials) > 1 else 2
    figure = Picture(figsize=(4.2 * columns, 3.6), layout="constrained")
    figure.set_facecolor(LIGHT.paper)
    axes = figure.subplots(1, columns)
    for one in axes:
        axes_in(one, LIGHT)
    _losses(axes[0], trials[-1])
    _between(axes[1], trials[-1])
    if len(trials) > 1:
        _ranking(axes[2], trials)
    return figure


def _losses(axes: Axes, trial: Trial) -> None:
    axes.set_title(f"Training loss with {trial.name}", loc="left", color=LIGHT.text, fontsize=11)
    for place, run in enumerate(trial.switched):
        values = _finite(run.step_losses)
        label = formats.framework(run.backend)
        axes.plot(_steps(values), values, label=label, **LIGHT.line(place, len(values) == 1))
    values = _finite(trial.matched[0].step_losses)
    axes.plot(_steps(values), values, label="matched, both", zorder=1, **_MATCHED)
    axes.set_xlabel("step")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend
    legend_in(axes, LIGHT)


def _between(axes: Axes, trial: Trial) -> None:
    axes.set_title("Difference of the losses", loc="left", color=LIGHT.text, fontsize=11)
    found = _shown(gaps(trial.switched))
    still = _shown(gaps(trial.matched))
    axes.set_yscale("log")
    style = LIGHT.line(2, single=len(found) <= 60)
    axes.plot(_steps(found), found, label="switched on", **style)
    axes.plot(_steps(still), still, label="matched", **_MATCHED)
    axes.set_xlabel("step")
    axes.legend(loc="center right", frameon=False, fontsize=9, labelcolor=LIGHT.text)


def _ranking(axes: Axes, trials: Sequence[Trial]) -> None:
    axes.set_title(f"Largest in {COMPARED_STEPS} steps", loc="left", color=LIGHT.text, fontsize=11)
    axes.set_xscale("log")
    for place, trial in enumerate(reversed(trials)):
        for runs, color, marker in (
            (trial.switched, LIGHT.lines[2], "o"),
            (trial.matched, LIGHT.faint, "|"),
        ):
            value = largest(runs)
            if value is not None and math.isfinite(value):
                at = [max(value, LEAST)]
                axes.plot(at, [place], color=color, marker=marker, markersize=7, linestyle="none")
    axes.set_yticks(range(len(trials)), [trial.name for trial in reversed(trials)], fontsize=8)
    axes.set_ylim(-0.6, len(trials) - 0.4)
    axes.set_xlabel("dot: switched on, bar: matched")


def _finite(values: Sequence[float]) -> list[float]:
    return [value if math.isfinite(value) else math.nan for value in values]


def _shown(values: Sequence[float]) -> list[float]:
    return [max(value, LEAST) for value in _finite(values)]


def _steps(values: Sequence[float]) -> range:
    return range(1, len(values) + 1)
