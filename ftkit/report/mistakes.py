"""One figure of a strategy's predictions: its surest mistakes, its confusion, its calibration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ftkit.data.dataset import Dataset
from ftkit.report import formats
from ftkit.report.calibration import calibration_error
from ftkit.report.confusion import WRITTEN_OUT
from ftkit.report.heat import overlaid
from ftkit.report.ink import LIGHT, axes_in
from ftkit.report.plots import Picture
from ftkit.report.predictions import Predictions, guesses

SHOWN = 8
"""Mistakes in the figure."""
_LETTERS = 6  # of a class's name over a picture

Heat = Mapping[tuple[str, int], NDArray[np.float32]]


def surest(predictions: Predictions) -> list[int]:
    """The numbers of the pictures in the figure: the mistakes that were made most surely."""
    return [int(number) for number in predictions.chosen("wrong")[:SHOWN]]


def figure_of(predictions: Predictions, dataset: Dataset, heat: Heat | None = None) -> Picture:
    """The surest mistakes over confusion matrices and a reliability diagram.

    Args:
        predictions: What to draw.
        dataset: Where the pictures are.
        heat: Where each framework looks, by its name and the picture's number; a picture without
            is shown without.
    """
    numbers = surest(predictions)
    looks = [
        backend
        for backend in predictions.backends
        if any((backend, number) in (heat or {}) for number in numbers)
    ]
    high = (2.1 + 1.2 * len(looks)) if numbers else 0.4
    figure = Picture(figsize=(10.5, high + 3.4), layout="constrained")
    figure.set_facecolor(LIGHT.paper)
    cells = figure.add_gridspec(2, 1, height_ratios=(high, 3.4))
    above, below = (figure.add_subfigure(cells[place]) for place in (0, 1))
    _draw_mistakes(above, predictions, dataset, numbers, looks, heat or {})
    columns = len(predictions.backends) + 1
    row = below.subplots(1, columns, width_ratios=[1] * (columns - 1) + [1.25])
    for axes, backend in zip(row, predictions.backends):
        _draw_matrix(axes, predictions, backend)
    _draw_calibration(row[-1], predictions)
    return figure


def summary_of(predictions: Predictions, dataset: Dataset) -> str:
    """The same in words."""
    lines = [
        f"{predictions.strategy} on {dataset.name}: "
        f"{formats.times(len(predictions.labels), 'validation picture')}."
    ]
    for row, backend in enumerate(predictions.backends):
        right = predictions.right[row]
        error = formats.percent(calibration_error(predictions.bins(backend)))
        lines.append(
            f"{formats.framework(backend)}: {formats.count(int(right.sum()))} right "
            f"({formats.percent(float(right.mean()))}), expected calibration error {error}."
        )
    if len(predictions.backends) > 1:
        apart = formats.times(predictions.count("disagree"), "picture")
        lines.append(f"The frameworks take {apart} for different classes.")
    mistakes = surest(predictions)
    lines += ["The surest mistakes:"] if mistakes else ["No mistake."]
    for number in mistakes:
        truth = predictions.class_names[predictions.labels[number]]
        lines.append(f"  {number}, {truth}: {', '.join(guesses(predictions, number))}")
    return "\n".join(lines)


def _draw_mistakes(
    above: SubFigure,
    predictions: Predictions,
    dataset: Dataset,
    numbers: list[int],
    looks: list[str],
    heat: Heat,
) -> None:
    title = "the surest mistakes" if numbers else "no mistake"
    above.suptitle(LIGHT.drawable(f"{predictions.strategy}: {title}"), fontsize=11)
    if not numbers:
        return
    grid = above.subplots(1 + len(looks), SHOWN, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for column, number in enumerate(numbers):
        image = dataset.val.images[number]
        grid[0, column].imshow(image)
        truth = predictions.class_names[predictions.labels[number]]
        lines = map(LIGHT.drawable, [truth, *guesses(predictions, number, _LETTERS)])
        grid[0, column].set_title("\n".join(lines), fontsize=7)
        for line, backend in enumerate(looks, 1):
            if (backend, number) in heat:
                grid[line, column].imshow(overlaid(image, heat[backend, number]))
                grid[line, column].set_title(formats.framework(backend), fontsize=7)


def _draw_matrix(axes: Axes, predictions: Predictions, backend: str) -> None:
    matrix = predictions.matrix(backend)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_title(formats.framework(backend), fontsize=10)
    axes.set_xlabel("taken for", fontsize=9)
    axes.set_ylabel("truth", fontsize=9)
    if len(matrix) > WRITTEN_OUT:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    names = [LIGHT.drawable(name) for name in predictions.class_names]
    places = range(len(names))
    many = len(names) > 3
    axes.set_xticks(places, names, fontsize=8, rotation=45 * many, ha="right" if many else "center")
    axes.set_yticks(places, names, fontsize=8)
    for row in places:
        for column in places:
            ink = LIGHT.paper if share[row, column] > 0.5 else LIGHT.text
            number = formats.count(int(matrix[row, column]))
            axes.text(column, row, number, ha="center", va="center", color=ink, fontsize=9)


def _draw_calibration(axes: Axes, predictions: Predictions) -> None:
    axes_in(axes, LIGHT)
    axes.plot([0, 1], [0, 1], color=LIGHT.faint, linestyle=":", linewidth=1.2)
    for row, backend in enumerate(predictions.backends):
        bins = predictions.bins(backend)
        error = formats.percent(calibration_error(bins))
        axes.plot(
            [item.confidence for item in bins],
            [item.accuracy for item in bins],
            label=f"{formats.framework(backend)}, error {error}",
            **LIGHT.line(row, single=True),
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("confidence")
    axes.set_ylabel("share that is right")
    axes.set_title("Calibration", fontsize=10)
    axes.legend(loc="lower right", frameon=False, fontsize=8, labelcolor=LIGHT.text)
