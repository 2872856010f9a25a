"""Labelled pictures as plain arrays: what every data source returns and every backend takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ftkit.errors import FtkitError


@dataclass(frozen=True)
class Split:
    """One part of a dataset.

    Attributes:
        images: uint8, shape ``(n, height, width, 3)``, RGB.
        labels: int64, shape ``(n,)``, indices into the dataset's class names.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape, kind = self.images.shape, self.images.dtype
        if kind != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise FtkitError(
                "Expected pictures as uint8 of shape (n, height, width, 3); "
                f"got {kind} of shape {shape}. Convert them to RGB bytes first."
            )
        if self.labels.shape != shape[:1] or self.labels.dtype != np.int64:
            raise FtkitError(
                f"Expected one int64 label per picture, shape {shape[:1]}; "
                f"got {self.labels.dtype} of shape {self.labels.shape}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def values(self) -> NDArray[np.uint8]:
        """What a whole network takes: the pictures."""
        return self.images

    @property
    def depth(self) -> int:
        """How many blocks these have been through: none."""
        return 0


@dataclass(frozen=True)
class Dataset:
    """Pictures to train on, pictures to judge by, and what the labels mean.

    Attributes:
        name: The name or folder that the pictures came from.
        class_names: One name per label, in label order.
        train: What the network learns from.
        val: What it is measured on.
        skipped: Files that could not be read, each as ``path: reason``.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    val: Split
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part, split in (("train", self.train), ("val", self.val)):
            if len(split) == 0:
                raise FtkitError(f"The {part} part of {self.name!r} holds no picture.")
            if split.labels.min() < 0 or split.labels.max() >= len(self.class_names):
                raise FtkitError(
                    f"The labels of the {part} part of {self.name!r} must lie in 0.."
                    f"{len(self.class_names) - 1}; got {split.labels.min()}..{split.labels.max()}."
                )
        if self.train.images.shape[1:] != self.val.images.shape[1:]:
            raise FtkitError(
                "Expected training and validation pictures of one size; got "
                f"{self.train.images.shape[1:3]} and {self.val.images.shape[1:3]}."
            )

    @property
    def image_size(self) -> int:
        """Height (and width) of the pictures in pixels."""
        return int(self.train.images.shape[1])

    def subset(self, train_size: int, seed: int) -> Dataset:
        """The same dataset with fewer training pictures, every class kept in proportion.

        Args:
            train_size: How many training pictures to keep, at least one per class.
            seed: Decides which.

        Raises:
            FtkitError: If there are fewer pictures than asked for, or fewer asked for than classes.
        """
        chosen = stratified(self.train.labels, len(self.class_names), train_size, seed)
        part = Split(self.train.images[chosen], self.train.labels[chosen])
        return replace(self, train=part)


def stratified(labels: NDArray[np.int64], classes: int, size: int, seed: int) -> NDArray[np.int64]:
    """Indices of a random subset that keeps the classes' shares.

    Shares are rounded by largest remainder, and no class that has pictures is left without one.

    Args:
        labels: int64, shape ``(n,)``.
        classes: Number of classes.
        size: Number of indices wanted, between one per class that has pictures and ``n``.
        seed: Decides which.

    Returns:
        int64, shape ``(size,)``, ascending.

    Raises:
        FtkitError: If ``size`` is out of that range.
    """
    counts = np.bincount(labels, minlength=classes)
    filled = int((counts > 0).sum())
    if not filled <= size <= len(labels):
        raise FtkitError(
            f"--train-size must lie between {filled} (one picture per class) and "
            f"{len(labels)} (all there are); got {size}."
        )
    ideal = counts * (size / len(labels))
    take = np.minimum(np.maximum(np.floor(ideal).astype(int), 1), counts)
    for _ in range(abs(size - int(take.sum()))):
        if take.sum() < size:
            take[np.argmax(np.where(take < counts, ideal - take, -np.inf))] += 1
        else:
            take[np.argmax(np.where(take > 1, take - ideal, -np.inf))] -= 1
    rng = np.random.default_rng([seed, 11])
    chosen = [rng.permutation(np.flatnonzero(labels == cls))[:n] for cls, n in enumerate(take)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
