"""The three drawn tasks, and how their pictures are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ftkit.data.drawn.pets import PETS, draw_pet
from ftkit.data.drawn.shapes import NEW_SHAPES, SOURCE_SHAPES, draw_shape
from ftkit.data.drawn.textures import TEXTURES
from ftkit.errors import FtkitError, unknown_name

SMALLEST = 16
"""Smallest picture in pixels; below it, a shape's parts vanish."""


@dataclass(frozen=True)
class DrawnTask:
    """A classification task whose pictures are drawn on demand.

    Attributes:
        name: How the task is called for.
        title: What it shows, for people.
        class_names: One name per label, in label order.
        train: Default number of training pictures.
        val: Default number of validation pictures.
        number: Goes into the random seed; never changes.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    train: int
    val: int
    number: int


TASKS: Mapping[str, DrawnTask] = MappingProxyType(
    {
        "shapes": DrawnTask(
            name="shapes",
            title="Twelve shapes in six textures",
            class_names=tuple(f"{shape}, {kind}" for shape in SOURCE_SHAPES for kind in TEXTURES),
            train=28_800,
            val=2_880,
            number=1,
        ),
        "new-shapes": DrawnTask(
            name="new-shapes",
            title="Six other shapes in any texture",
            class_names=tuple(NEW_SHAPES),
            train=600,
            val=600,
            number=2,
        ),
        "drawn-pets": DrawnTask(
            name="drawn-pets",
            title="Drawn cats and dogs",
            class_names=PETS,
            train=400,
            val=400,
            number=3,
        ),
    }
)
"""Every drawn task by name."""


def draw(
    task: str, count: int, size: int = 64, seed: int = 0, start: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures ``start`` to ``start + count - 1`` of a task's endless series.

    A picture depends on the task, the seed and its number alone, so a smaller set is the beginning
    of a larger one. The classes take turns: picture ``i`` has label ``i % classes``. Drawn at
    another size, a picture shows the same thing, up to its pixel noise.

    Args:
        task: A key of ``TASKS``.
        count: Number of pictures, at least 1.
        size: Height and width in pixels, at least 16.
        seed: Which series, at least 0.
        start: Number of the first picture, at least 0.

    Returns:
        Pictures, uint8, shape ``(count, size, size, 3)``, RGB; labels, int64, shape ``(count,)``.

    Raises:
        FtkitError: If there is no such task or a number is too small.
    """
    if task not in TASKS:
        raise unknown_name("drawn task", task, TASKS)
    for name, value, least in (
        ("count", count, 1),
        ("size", size, SMALLEST),
        ("seed", seed, 0),
        ("start", start, 0),
    ):
        if value < least:
            raise FtkitError(
                f"Expected {name} to be at least {least} to draw {task!r}; got {value}. "
                f"Pass {name}={least} or more."
            )
    record = TASKS[task]
    labels = np.arange(start, start + count, dtype=np.int64) % len(record.class_names)
    images = np.empty((count, size, size, 3), np.uint8)
    for i, label in enumerate(labels.tolist()):
        rng = np.random.default_rng([record.number, seed, start + i])
        images[i] = _picture(task, label, size, rng)
    return images, labels


def _picture(task: str, label: int, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture of a class: uint8, shape ``(size, size, 3)``."""
    kinds = tuple(TEXTURES)
    if task == "shapes":
        shape, texture = divmod(label, len(kinds))
        return draw_shape(rng, size, tuple(SOURCE_SHAPES.values())[shape], kinds[texture])
    if task == "new-shapes":
        texture = int(rng.integers(len(kinds)))
        return draw_shape(rng, size, tuple(NEW_SHAPES.values())[label], kinds[texture])
    return draw_pet(rng, size, PETS[label])
