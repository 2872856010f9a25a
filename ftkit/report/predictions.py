"""What each framework made of every validation picture, and which pictures to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftkit.engine.comparison import Comparison
from ftkit.errors import FtkitError, unknown_name
from ftkit.report import formats
from ftkit.report.calibration import Bin, reliability
from ftkit.report.confusion import confusion_matrix
from ftkit.report.samples import best_strategy, finished

UNCERTAIN = 0.2
"""A prediction is uncertain if the second class is less than this behind the first."""

FILTERS = {
    "all": "every picture, in their order",
    "right": "every framework is right; the surest first",
    "wrong": "a framework is wrong; the surest mistakes first",
    "uncertain": f"in a framework the first two classes are less than {UNCERTAIN:.0%} apart; "
    "the closest first",
    "disagree": "the frameworks take it for different classes; the surest first",
}


@dataclass(frozen=True)
class Cell:
    """A place in a framework's confusion matrix.

    Attributes:
        backend: The framework.
        truth: Label of the class that the pictures show.
        predicted: Label of the class that they were taken for.
    """

    backend: str
    truth: int
    predicted: int


@dataclass(frozen=True)
class Predictions:
    """One strategy's predictions for the validation pictures, in each framework.

    Attributes:
        strategy: The recipe's name for it.
        backends: The frameworks that predicted every picture.
        class_names: What the labels mean.
        labels: The truth, int64, shape ``(n,)``.
        predicted: int64, shape ``(backends, n)``.
        confidence: The probability of the predicted class, shape ``(backends, n)``.
        margin: By how much the second class is behind the first, shape ``(backends, n)``.
    """

    strategy: str
    backends: tuple[str, ...]
    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    margin: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each prediction is the truth, shape ``(backends, n)``."""
        right: NDArray[np.bool_] = np.equal(self.predicted, self.labels)
        return right

    def matrix(self, backend: str) -> NDArray[np.int64]:
        """A framework's confusion matrix: true labels down, predicted ones across."""
        predicted = self.predicted[self.backends.index(backend)]
        return confusion_matrix(self.labels, predicted.tolist(), len(self.class_names))

    def bins(self, backend: str) -> list[Bin]:
        """A framework's reliability diagram."""
        row = self.backends.index(backend)
        return reliability(self.confidence[row], self.right[row])

    def chosen(self, which: str = "all", cell: Cell | None = None) -> NDArray[np.int64]:
        """Numbers of the pictures to show, in the order of :data:`FILTERS`.

        Args:
            which: A filter's name.
            cell: Only those in this cell.

        Raises:
            FtkitError: If there is no such filter.
        """
        if which not in FILTERS:
            raise unknown_name("filter", which, FILTERS)
        wrong = np.logical_not(self.right)
        confidence = np.nan_to_num(self.confidence)
        chosen = np.ones(len(self.labels), np.bool_)
        rank = -confidence.mean(0)
        if which == "all":
            rank = np.zeros(len(self.labels))
        elif which == "right":
            chosen = np.all(self.right, axis=0)
        elif which == "wrong":
            chosen, rank = np.any(wrong, axis=0), -np.where(wrong, confidence, 0).max(0)
        elif which == "uncertain":
            margin = np.nan_to_num(self.margin)
            chosen, rank = np.any(margin < UNCERTAIN, axis=0), margin.min(0)
        else:
            chosen = np.any(np.not_equal(self.predicted, self.predicted[0]), axis=0)
        if cell is not None:
            predicted = self.predicted[self.backends.index(cell.backend)]
            chosen = chosen & (self.labels == cell.truth) & (predicted == cell.predicted)
        order = np.argsort(rank, kind="stable")
        return order[chosen[order]]

    def count(self, which: str) -> int:
        """How many pictures a filter finds."""
        return len(self.chosen(which))


def predictions_of(comparison: Comparison, strategy: str | None = None) -> Predictions:
    """A strategy's predictions.

    Args:
        comparison: Where they come from.
        strategy: Whose; None takes the most accurate that most frameworks finished.

    Raises:
        FtkitError: If no run of that strategy predicted every validation picture.
    """
    names = readable_strategies(comparison)
    if not names:
        raise FtkitError(
            "Expected results with predictions for the validation pictures; no run came to its "
            "end. Run the recipe again."
        )
    chosen = strategy or best_strategy(comparison) or names[0]
    if chosen not in names:
        raise unknown_name("strategy with predictions", chosen, names)
    runs = finished(comparison, chosen)
    rows = [run.end.val_probabilities for run in runs if run.end]
    odds = np.asarray(rows, np.float64)  # no numbers where a run diverged
    ranked = np.sort(odds, axis=2)
    return Predictions(
        strategy=chosen,
        backends=tuple(run.backend for run in runs),
        class_names=comparison.dataset.class_names,
        labels=comparison.dataset.val.labels,
        predicted=np.argmax(np.nan_to_num(odds), axis=2).astype(np.int64),
        confidence=ranked[..., -1],
        margin=ranked[..., -1] - ranked[..., -2] if odds.shape[2] > 1 else ranked[..., -1],
    )


def readable_strategies(comparison: Comparison) -> list[str]:
    """The strategies of which a run predicted every validation picture."""
    names = dict.fromkeys(run.strategy for run in comparison.runs)
    return [name for name in names if finished(comparison, name)]


def guesses(predictions: Predictions, number: int, letters: int | None = None) -> list[str]:
    """What each framework took a picture for: ``"PyTorch: dog 98.0%"``.

    Args:
        predictions: Where it stands.
        number: The picture's.
        letters: How many a class's name has at most; the rest is cut off.
    """
    return [
        f"{formats.framework(backend)}: "
        f"{predictions.class_names[predictions.predicted[row, number]][:letters]} "
        f"{formats.percent(float(predictions.confidence[row, number]))}"
        for row, backend in enumerate(predictions.backends)
    ]
