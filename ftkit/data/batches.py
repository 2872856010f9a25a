"""The batches of an epoch: the same pictures, in the same order, with the same augmentation.

Everything random about training is drawn here with NumPy, so that every framework sees the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ftkit.data.dataset import Split
from ftkit.recipe import Recipe

SHUFFLE_BUFFER = 1024
_NUMBERS = 32 * 224 * 224 * 3  # in a batch that is only looked at; 20 pictures took 3% longer each
_MAPS = 128  # in such a batch: more are hardly faster, and no stop is heard meanwhile
_ORDER, _AUGMENT, _DROPOUT = 2, 3, 4  # each with the epoch: streams of their own
_VIEWS = 5  # with the view's number


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        inputs: Pictures, uint8, shape ``(n, height, width, 3)``, RGB, augmented; or what the
            frozen part of a network makes of them, ``(n, height, width, channels)`` or
            ``(n, units)`` in the network's type. A NumPy array, or a tensor on the device.
        labels: int64, shape ``(n,)``.
        keep: float64, shape ``(n, columns)``: what the layers that drop multiply by, 0 or
            1 / (1 - rate), the columns of one after those of another.
    """

    inputs: Any
    labels: NDArray[np.int64]
    keep: NDArray[np.float64]


class Rows(Protocol):
    """Numbers in rows, one row for each view of each picture, wherever they are kept."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""

    def __getitem__(self, rows: Any) -> Any:
        """A copy of the rows of a slice, or of the numbers in an array.

        A NumPy array, or, of rows that a backend holds on a device, a tensor of its own.
        """


@dataclass(frozen=True)
class Views:
    """The augmented versions of each training picture that are computed ahead.

    Attributes:
        count: How many of each picture.
        exact: Whether they are all that there are, so that training sees just what it would see
            without them.
    """

    count: int
    exact: bool


PLAIN = Views(1, exact=True)
"""Each picture as it is."""


@dataclass(frozen=True)
class Activations:
    """What the first blocks of a network make of a split, in the place of its pictures.

    Attributes:
        values: View ``v`` of picture ``i`` of ``n`` is row ``v n + i``.
        labels: int64, shape ``(n,)``.
        depth: How many blocks they have been through.
        views: The views of each picture.
    """

    values: Rows
    labels: NDArray[np.int64]
    depth: int
    views: Views = PLAIN

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, chosen: NDArray[np.int64], epoch: int, rng: np.random.Generator) -> Any:
        """The rows of the chosen pictures.

        Args:
            chosen: Which pictures.
            epoch: Views that are not exact take turns, one an epoch.
            rng: Decides whether a picture is flipped, as in :func:`augmented`.
        """
        if self.views.count == 1:
            return self.values[chosen]
        if self.views.exact:
            view = (rng.random(len(chosen)) < 0.5).astype(np.int64)
        else:
            view = np.full(len(chosen), epoch % self.views.count)
        return self.values[view * len(self) + chosen]


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """How many batches hold all pictures, the last one perhaps smaller."""
    return -(-pictures // batch_size)


def smallest_batch(pictures: int, batch_size: int) -> int:
    """Pictures in the last, smallest batch of an epoch."""
    return (pictures - 1) % batch_size + 1


def epoch_batches(
    source: Split | Activations,
    recipe: Recipe,
    epoch: int,
    drop_rates: tuple[float, ...] = (),
    buffered: bool = False,
) -> Iterator[Batch]:
    """The batches of one epoch.

    Args:
        source: The training pictures, or what stands in their place.
        recipe: Batch size, seed and augmentation.
        epoch: Index of the epoch within the run; each has its own order.
        drop_rates: How often each column of a batch's mask is 0
            (``Architecture.drop_rates``).
        buffered: Shuffle within a buffer of :data:`SHUFFLE_BUFFER`, as Keras does with a
            generator, instead of all pictures at once.

    Where the recipe asks for fixed views they take turns, one an epoch, computed ahead or not.
    """
    count = len(source)
    shuffler = np.random.default_rng([recipe.seed, _ORDER, epoch])
    order = _buffered_order(count, shuffler) if buffered else shuffler.permutation(count)
    augmenter = np.random.default_rng([recipe.seed, _AUGMENT, epoch])
    dropper = np.random.default_rng([recipe.seed, _DROPOUT, epoch])
    rates = np.asarray(drop_rates)
    for start in range(0, count, recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        keep = (dropper.random((len(chosen), len(rates))) >= rates) / (1 - rates)
        if isinstance(source, Activations):
            inputs = source.batch(chosen, epoch, augmenter)
        elif recipe.views:
            inputs = _fixed_view(source, recipe, epoch % recipe.views, chosen)
        else:
            inputs = augmented(source.images[chosen], recipe.augment, augmenter)
        yield Batch(inputs, source.labels[chosen], keep)


def views_ahead(recipe: Recipe) -> Views | None:
    """The views that can be computed ahead; None where each epoch draws new ones.

    There are two ways to flip a picture. Of random crops there are too many: a recipe may ask for
    a fixed number of them.
    """
    if recipe.augment == "none":
        return PLAIN
    if recipe.augment == "flip":
        return Views(2, exact=True)
    return Views(recipe.views, exact=False) if recipe.views else None


def view(split: Split, recipe: Recipe, views: Views, number: int, rows: slice) -> NDArray[np.uint8]:
    """Some pictures as one of their views shows them.

    Args:
        split: The training pictures.
        recipe: Augmentation and seed.
        views: What :func:`views_ahead` gave.
        number: Which view, from 0.
        rows: Which pictures.
    """
    if not views.exact:
        return _fixed_view(split, recipe, number, rows)
    images = split.images[rows]
    return images[:, :, ::-1] if number else images


def _fixed_view(
    split: Split, recipe: Recipe, number: int, rows: slice | NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Some pictures as a fixed view shows them."""
    rng = np.random.default_rng([recipe.seed, _VIEWS, number])
    flip, offsets = _drawn(len(split), split.images.shape[1], recipe.augment, rng)
    return _applied(split.images[rows], flip[rows], offsets[rows])


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
    return _applied(images, *_drawn(len(images), images.shape[1], augment, rng))


def _drawn(
    count: int, height: int, augment: str, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which pictures are flipped, and where the crops begin; no column without crops."""
    flip = rng.random(count) < 0.5
    if augment == "flip":
        return flip, np.zeros((count, 0), np.int64)
    return flip, rng.integers(0, 2 * _border(height) + 1, (count, 2))


def _border(height: int) -> int:
    return max(1, height // 8)


def _applied(
    images: NDArray[np.uint8], flip: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> NDArray[np.uint8]:
    images = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
    if not offsets.shape[1]:
        return images
    height, width = images.shape[1:3]
    pad = _border(height)
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


class StopAsked(Exception):
    """Somebody wants what is going on to end."""


@dataclass(frozen=True)
class _Interruptible:
    """Rows that can be taken until a stop is asked for.

    Attributes:
        values: The rows.
        should_stop: Asked each time; True raises :class:`StopAsked`.
    """

    values: NDArray[Any] | Rows
    should_stop: Callable[[], bool]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def __getitem__(self, rows: Any) -> Any:
        if self.should_stop():
            raise StopAsked
        found = self.values[rows]
        return np.array(found) if isinstance(self.values, np.ndarray) else found


def interruptible(source: Split | Activations, should_stop: Callable[[], bool]) -> Activations:
    """The same, for an evaluation that is to end as soon as somebody asks for it.

    Args:
        source: Pictures, or what stands in their place.
        should_stop: Asked before each batch that is looked at; True raises :class:`StopAsked`.
    """
    return Activations(_Interruptible(source.values, should_stop), source.labels, source.depth)


def evaluation_rows(shape: tuple[int, ...]) -> Iterator[slice]:
    """What is looked at together: 32 pictures of 224 × 224, and 128 at most.

    Args:
        shape: Pictures, or what was computed from them, rows first.
    """
    most = _MAPS if len(shape) > 2 else shape[0]  # of vectors, as many as there are
    size = max(1, min(most, _NUMBERS // math.prod(shape[1:])))
    for start in range(0, shape[0], size):
        yield slice(start, min(start + size, shape[0]))


def evaluation_batches(values: NDArray[Any] | Rows) -> Iterator[Any]:
    """Pictures, or what was computed from them, in order and by :func:`evaluation_rows`."""
    for rows in evaluation_rows(values.shape):
        # A file's own bytes cannot be handed on; what is no array is a copy already.
        yield np.array(values[rows]) if isinstance(values, np.ndarray) else values[rows]
