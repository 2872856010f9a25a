"""Sample predictions: the few validation pictures that tell the most about two runs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.report import formats

_WIDEST = 160
_LOSSLESS = 96


@dataclass(frozen=True)
class Guess:
    """What one framework took a picture for.

    Attributes:
        framework: Its name for people.
        predicted: The class's name.
        confidence: The probability that it gave to that class.
        right: Whether that is the truth.
    """

    framework: str
    predicted: str
    confidence: str
    right: bool


@dataclass(frozen=True)
class Sample:
    """One picture with its truth and what was said of it.

    Attributes:
        number: Its place among the validation pictures, from 0.
        why: Why it was chosen.
        truth: The class's name.
        picture: The picture as a data URI.
        guesses: One per framework.
    """

    number: int
    why: str
    truth: str
    picture: str
    guesses: tuple[Guess, ...]


def finished(comparison: Comparison, strategy: str) -> list[Run]:
    """The strategy's runs that predicted every validation picture."""
    pictures = len(comparison.dataset.val)
    return [
        run
        for run in comparison.runs
        if run.strategy == strategy and len(run.val_predictions) == pictures
    ]


def best_strategy(comparison: Comparison) -> str | None:
    """The strategy that most frameworks finished, and of these the most accurate; None if none."""
    best: tuple[int, float] = (0, 0.0)
    chosen = None
    for strategy in dict.fromkeys(run.strategy for run in comparison.runs):
        runs = finished(comparison, strategy)
        right = [np.equal(run.val_predictions, comparison.dataset.val.labels) for run in runs]
        found = (len(runs), float(np.mean(right)) if runs else 0.0)
        if runs and found > best:
            best, chosen = found, strategy
    return chosen


def samples(comparison: Comparison, strategy: str, limit: int = 12) -> list[Sample]:
    """Telling pictures: disputed, wrong with confidence, hardly right, and right with confidence.

    Args:
        comparison: Where the pictures and predictions come from.
        strategy: Whose predictions.
        limit: How many pictures at most.
    """
    runs = finished(comparison, strategy)
    if not runs:
        return []
    dataset = comparison.dataset
    labels = dataset.val.labels
    predicted = np.array([run.val_predictions for run in runs])
    odds = np.array([run.end.val_probabilities for run in runs if run.end], np.float64)
    confidence = np.take_along_axis(odds, predicted[..., None], axis=2)[..., 0]
    found = []
    for number, why in choose(predicted, confidence, labels, limit):
        guesses = tuple(
            Guess(
                formats.framework(run.backend),
                dataset.class_names[predicted[index, number]],
                formats.percent(float(confidence[index, number])),
                bool(predicted[index, number] == labels[number]),
            )
            for index, run in enumerate(runs)
        )
        picture = data_uri(dataset.val.images[number])
        truth = dataset.class_names[labels[number]]
        found.append(Sample(number, why, truth, picture, guesses))
    return found


def choose(
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    labels: NDArray[np.int64],
    limit: int,
) -> list[tuple[int, str]]:
    """Which pictures to show, and why.

    Args:
        predicted: Labels, shape ``(runs, n)``.
        confidence: Probability of the predicted label, shape ``(runs, n)``.
        labels: True labels, shape ``(n,)``.
        limit: How many at most.

    Returns:
        Numbers of pictures with the reason, none twice; each kind has up to a quarter of the
        places, and what is left goes to the pictures that are right with the highest confidence.
    """
    sure = np.nan_to_num(confidence).mean(axis=0)
    agree = (predicted == predicted[0]).all(axis=0)
    right = (predicted == labels).all(axis=0)
    surest_first = np.argsort(-sure, kind="stable")
    kinds: tuple[tuple[str, Iterable[int]], ...] = (
        ("The frameworks disagree", (i for i in surest_first if not agree[i])),
        ("Wrong, and sure of it", (i for i in surest_first if agree[i] and not right[i])),
        ("Right, but hardly", (i for i in surest_first[::-1] if right[i])),
        ("Right, and sure of it", _in_turns(surest_first[right[surest_first]], labels)),
    )
    chosen: dict[int, str] = {}
    for place, (why, numbers) in enumerate(kinds):
        room = limit - len(chosen) if place == len(kinds) - 1 else max(1, limit // 4)
        fresh = [int(number) for number in numbers if int(number) not in chosen]
        chosen |= dict.fromkeys(fresh[:room], why)
    return list(chosen.items())[:limit]


def _in_turns(numbers: Sequence[int] | NDArray[np.int64], labels: NDArray[np.int64]) -> list[int]:
    """The numbers in their order, but a class's second only after every class's first."""
    seen: dict[int, int] = {}
    ranked = []
    for number in numbers:
        label = int(labels[number])
        ranked.append((seen.get(label, 0), int(number)))
        seen[label] = seen.get(label, 0) + 1
    return [number for _, number in sorted(ranked, key=lambda item: item[0])]


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture as a data URI: PNG while it is small, a smaller JPEG otherwise."""
    picture = Image.fromarray(image)
    buffer = BytesIO()
    if max(picture.size) <= _LOSSLESS:
        picture.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        picture.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
        picture.save(buffer, "JPEG", quality=88)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
