"""What the page of the prediction browser shows, computed from records."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftkit.architecture import Architecture
from ftkit.data.dataset import Dataset
from ftkit.engine.comparison import Comparison
from ftkit.engine.explain import check_weights
from ftkit.errors import FtkitError
from ftkit.history import Run
from ftkit.report import formats, heat
from ftkit.report.calibration import calibration_error
from ftkit.report.confusion import WRITTEN_OUT, most_confused
from ftkit.report.mistakes import Heat
from ftkit.report.predictions import FILTERS, Predictions, readable_strategies
from ftkit.report.samples import finished

READABLE = 4
"""Rows and columns, at least, of the map that is shown at first."""


def view_of(results: Comparison, predictions: Predictions, network: Architecture) -> dict[str, Any]:
    """What a page shows of a strategy, whichever pictures are chosen."""
    dataset = results.dataset
    many = len(dataset.class_names) > WRITTEN_OUT
    return {
        "data": dataset.name,
        "classes": list(dataset.class_names),
        "strategies": readable_strategies(results),
        "filters": [
            {"name": name, "about": about, "pictures": predictions.count(name)}
            for name, about in FILTERS.items()
            if name != "disagree" or len(predictions.backends) > 1
        ],
        "frameworks": [
            {
                "backend": backend,
                "accuracy": float(predictions.right[row].mean()),
                "matrix": None if many else predictions.matrix(backend).tolist(),
                "pairs": pairs_of(predictions, backend) if many else [],
                "error": calibration_error(predictions.bins(backend)),
                "bins": [asdict(item) for item in predictions.bins(backend)],
            }
            for row, backend in enumerate(predictions.backends)
        ],
        "blocks": [
            {"name": name, "size": "{} × {}".format(*size)}
            for name, size in map_sizes(network, dataset.image_size).items()
        ],
        "no_weights": no_weights(finished(results, predictions.strategy)),
        "scale": heat.scale(),
    }


def map_sizes(network: Architecture, image_size: int) -> dict[str, tuple[int, int]]:
    """Height and width of the output of each block that ends in a map."""
    last = dict(zip((item.block for item in network.operations), network.sizes(image_size)))
    return {name: last[name] for name in network.map_blocks}


def readable_block(network: Architecture, image_size: int) -> str:
    """The last block whose map tells more than in which quarter; else the last with a map."""
    sizes = map_sizes(network, image_size)
    large = [name for name, size in sizes.items() if min(size) >= READABLE]
    return large[-1] if large else list(sizes)[-1]


def pairs_of(predictions: Predictions, backend: str) -> list[dict[str, Any]]:
    """The classes that a framework mistook most often, each pair with its cell."""
    names = predictions.class_names
    return [
        {
            "truth": names.index(item.truth),
            "predicted": names.index(item.predicted),
            "pictures": item.pictures,
            "of": item.of,
        }
        for item in most_confused(predictions.matrix(backend), names)
    ]


def no_weights(runs: list[Run]) -> str:
    """Why it cannot be shown where the networks look; empty if it can."""
    try:
        for run in runs:
            check_weights(run)
    except FtkitError as error:
        return str(error)
    return ""


def cards(
    predictions: Predictions, dataset: Dataset, numbers: list[int], heats: Heat
) -> list[dict[str, Any]]:
    """Pictures with all that stands beside them.

    Args:
        predictions: What was made of them.
        dataset: Where they are.
        numbers: Which.
        heats: Where each framework looks, by its name and the picture's number, as far as known.
    """
    return [
        {
            "number": number,
            "truth": predictions.class_names[predictions.labels[number]],
            "picture": heat.png(heat.small(dataset.val.images[number])),
            "guesses": [
                {
                    "backend": backend,
                    "predicted": predictions.class_names[predictions.predicted[row, number]],
                    "confidence": formats.percent(float(predictions.confidence[row, number])),
                    "right": bool(predictions.right[row, number]),
                    "look": _look_of(dataset.val.images[number], heats.get((backend, number))),
                }
                for row, backend in enumerate(predictions.backends)
            ],
        }
        for number in numbers
    ]


def _look_of(image: NDArray[np.uint8], values: NDArray[np.float32] | None) -> dict[str, str] | None:
    if values is None:
        return None
    return {"picture": heat.png(heat.overlaid(image, values)), "place": heat.place(values)}
