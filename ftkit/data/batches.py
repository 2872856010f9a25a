"""The batches of an epoch: the same pictures, in the same order, with the same augmentation.

Everything random about training is drawn here with NumPy, so that every framework sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftkit.data.dataset import Split
from ftkit.recipe import Recipe

SHUFFLE_BUFFER = 1024
_ORDER, _AUGMENT, _DROPOUT = 2, 3, 4  # each with the epoch: streams of their own


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        images: uint8, shape ``(n, height, width, 3)``, RGB, augmented.
        labels: int64, shape ``(n,)``.
        keep: float64, shape ``(n, columns)``: what the layers that drop multiply by, 0 or
            1 / (1 - rate), the columns of one after those of another.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    keep: NDArray[np.float64]


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """How many batches hold all pictures, the last one perhaps smaller."""
    return -(-pictures // batch_size)


def smallest_batch(pictures: int, batch_size: int) -> int:
    """Pictures in the last, smallest batch of an epoch."""
    return (pictures - 1) % batch_size + 1


def epoch_batches(
    split: Split,
    recipe: Recipe,
    epoch: int,
    drop_rates: tuple[float, ...] = (),
    buffered: bool = False,
) -> Iterator[Batch]:
    """The batches of one epoch.

    Args:
        split: The training pictures.
        recipe: Batch size, seed and augmentation.
        epoch: Index of the epoch within the run; each has its own order.
        drop_rates: How often each column of a batch's mask is 0
            (``Architecture.drop_rates``).
        buffered: Shuffle within a buffer of :data:`SHUFFLE_BUFFER`, as Keras does with a
            generator, instead of all pictures at once.
    """
    count = len(split)
    shuffler = np.random.default_rng([recipe.seed, _ORDER, epoch])
    order = _buffered_order(count, shuffler) if buffered else shuffler.permutation(count)
    augmenter = np.random.default_rng([recipe.seed, _AUGMENT, epoch])
    dropper = np.random.default_rng([recipe.seed, _DROPOUT, epoch])
    rates = np.asarray(drop_rates)
    for start in range(0, count, recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        keep = (dropper.random((len(chosen), len(rates))) >= rates) / (1 - rates)
        images = augmented(split.images[chosen], recipe.augment, augmenter)
        yield Batch(images, split.labels[chosen], keep)


def augmented(
    images: NDArray[np.uint8], augment: str, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Pictures flipped left to right with probability 1/2, and shifted by up to an eighth.

    Args:
        images: uint8, shape ``(n, height, width, 3)``.
        augment: ``"none"``, ``"flip"`` or ``"flip-crop"``. The crop pads an eighth of the side
            by reflection and cuts the picture's own size at a random place.
        rng: Decides; it is advanced.

    Returns:
        uint8, the same shape.
    """
    if augment == "none":
        return images
    flip = rng.random(len(images)) < 0.5
    images = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
    if augment == "flip":
        return images
    height, width = images.shape[1:3]
    pad = max(1, height // 8)
    offsets = rng.integers(0, 2 * pad + 1, (len(images), 2))
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    cut = [
        picture[top : top + height, left : left + width]
        for picture, (top, left) in zip(padded, offsets)
    ]
    return np.stack(cut)


def _buffered_order(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The order that drawing at random from a buffer of the next pictures gives."""
    buffer = list(range(min(SHUFFLE_BUFFER, count)))
    order = []
    for upcoming in range(len(buffer), count):
        place = int(rng.integers(len(buffer)))
        order.append(buffer[place])
        buffer[place] = upcoming
    order.extend(rng.permutation(buffer).tolist())
    return np.asarray(order, dtype=np.int64)


def evaluation_batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Pictures in order, in batches of about a million pixels: 256 of 64 × 64, 20 of 224 × 224."""
    size = max(1, 2**20 // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), size):
        yield np.array(images[start : start + size])
