"""Backbones in one picture: accuracy against time and against size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ftkit.history import Run
from ftkit.report import formats
from ftkit.report.ink import LIGHT, axes_in
from ftkit.report.plots import Picture

# From Okabe and Ito's palette; the marks differ too.
_HUES = ("#0072b2", "#c65d00", "#00785a", "#a3447f", "#5b6675")
_MARKS = "os^DP"


@dataclass
class Entry:
    """A backbone in the race.

    Attributes:
        backbone: Its name.
        parameters: Its weights, head included.
        multiplications: Multiply-adds for a picture.
        runs: One per framework, as far as they have begun.
    """

    backbone: str
    parameters: int
    multiplications: int
    runs: list[Run] = field(default_factory=list)


def climb(run: Run) -> list[tuple[float, float]]:
    """Seconds since the run began, and validation accuracy, at the end of each epoch.

    What a phase computes once, before its first epoch, takes its seconds too.
    """
    ends = accumulate(epoch.seconds for epoch in run.epochs)
    return [
        (
            end + sum(kept.seconds for kept in run.kept if kept.phase <= epoch.phase),
            epoch.val_accuracy,
        )
        for end, epoch in zip(ends, run.epochs)
    ]


def race(entries: Sequence[Entry]) -> Figure:
    """Accuracy against time, a line per backbone and framework, and against parameters."""
    figure = Picture(figsize=(9, 3.8), layout="constrained")
    figure.set_facecolor(LIGHT.paper)
    time, size = figure.subplots(1, 2, sharey=True)
    for axes, title in ((time, "Accuracy against time"), (size, "Accuracy against size")):
        axes_in(axes, LIGHT)
        axes.set_title(title, loc="left", color=LIGHT.text, fontsize=11)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    for place, entry in enumerate(entries):
        for run in entry.runs:
            found = [point for point in climb(run) if math.isfinite(point[1])]
            if found:
                label = f"{entry.backbone}, {formats.framework(run.backend)}"
                time.plot(*zip(*found), label=label, **_style(place, run))
                around = {"markersize": 6 if run.backend == "pytorch" else 11}
                style = {**_style(place, run), **around, "linestyle": "none"}
                size.plot([entry.parameters], [found[-1][1]], **style)
        _name(size, entry)
    time.set_xlabel("seconds, evaluation included")
    time.set_xlim(left=0)
    _sizes(size, entries)
    if time.get_lines():
        figure.legend(
            loc="outside lower center", ncols=3, frameon=False, fontsize=8, labelcolor=LIGHT.text
        )
    return figure


def _name(axes: Axes, entry: Entry) -> None:
    """The backbone's name below its lowest mark."""
    known = [climb(run)[-1][1] for run in entry.runs if run.epochs]
    if known:
        place = (entry.parameters, min(known))
        axes.annotate(
            entry.backbone,
            place,
            (0, -17),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=LIGHT.text,
        )


def _sizes(axes: Axes, entries: Sequence[Entry]) -> None:
    axes.set_xlabel("parameters")
    axes.set_xlim(0, 1.15 * max(entry.parameters for entry in entries))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / 1e6:g}M"))


def _style(place: int, run: Run) -> dict[str, Any]:
    """A backbone has its colour and mark; PyTorch's is filled, TensorFlow's hollow and dashed."""
    hue = _HUES[place % len(_HUES)]
    first = run.backend == "pytorch"
    return {
        "color": hue,
        "marker": _MARKS[place % len(_MARKS)],
        "markersize": 6,
        "markerfacecolor": hue if first else "none",
        "linestyle": "-" if first else (0, (4, 2)),
        "linewidth": 1.8,
    }
