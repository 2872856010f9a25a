"""Calibration: whether a network is right as often as it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies between two bounds.

    Attributes:
        low: Confidence is above this.
        high: And at most this.
        pictures: How many there are.
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
    """

    low: float
    high: float
    pictures: int
    confidence: float
    accuracy: float


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS
) -> list[Bin]:
    """A reliability diagram's points: bins of equal width, without those that hold no picture.

    Args:
        confidence: The probability given to each predicted class; what is no number is left out.
        right: Whether each prediction is the truth.
        bins: How many bins there are between 0 and 1.
    """
    place = np.clip(np.ceil(np.nan_to_num(confidence) * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        chosen = (place == number) & np.isfinite(confidence)
        if chosen.any():
            means = float(confidence[chosen].mean()), float(right[chosen].mean())
            found.append(Bin(number / bins, (number + 1) / bins, int(chosen.sum()), *means))
    return found


def calibration_error(found: Sequence[Bin]) -> float | None:
    """The expected calibration error: mean of |accuracy - confidence| over all pictures' bins.

    Guo et al. 2017, arXiv:1706.04599, equation 5: each bin counts by its pictures.

    Returns:
        Between 0 and 1; None without a picture.
    """
    pictures = sum(item.pictures for item in found)
    if not pictures:
        return None
    return sum(item.pictures * abs(item.accuracy - item.confidence) for item in found) / pictures
