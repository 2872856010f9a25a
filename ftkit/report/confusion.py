"""Confusion matrices: what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WRITTEN_OUT = 12
"""Classes, at most, whose matrix is shown; of more, the pairs that are mistaken most."""


@dataclass(frozen=True)
class Confused:
    """Two classes of which one was taken for the other.

    Attributes:
        truth: The class that the pictures show.
        predicted: The class that they were taken for.
        pictures: How often that happened.
        of: How many pictures show ``truth``.
    """

    truth: str
    predicted: str
    pictures: int
    of: int


def confusion_matrix(
    truth: Sequence[int] | NDArray[np.int64], predicted: Sequence[int], classes: int
) -> NDArray[np.int64]:
    """Counts of pictures by true label (row) and predicted label (column).

    Returns:
        int64, shape ``(classes, classes)``; the diagonal holds what was right.
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (np.asarray(truth, np.int64), np.asarray(predicted, np.int64)), 1)
    return matrix


def most_confused(
    matrix: NDArray[np.int64], class_names: Sequence[str], limit: int = 10
) -> list[Confused]:
    """The pairs of classes that were mistaken most often, the worst first."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    found = []
    for row, column in np.transpose(np.unravel_index(order, matrix.shape)):
        if mistakes[row, column]:
            of = int(matrix[row].sum())
            pictures = int(mistakes[row, column])
            found.append(Confused(class_names[row], class_names[column], pictures, of))
    return found
