"""Textured shapes: the source task's twelve, and six that the source task never shows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ftkit.data.drawn.canvas import Canvas, Frame
from ftkit.data.drawn.colours import choose, mix, vary
from ftkit.data.drawn.outlines import (
    Outline,
    Point,
    both,
    circle,
    ellipse,
    grow,
    half_plane,
    minus,
    polygon,
    ring,
    shift,
    strokes,
    union,
)
from ftkit.data.drawn.textures import TEXTURES, WHOLE


def _corners(count: int, radius: float, inner: float | None = None) -> list[Point]:
    """Corners of a regular polygon, or of a star where ``inner`` is given; the first points up."""
    total = count if inner is None else 2 * count
    radii = [radius if inner is None or i % 2 == 0 else inner for i in range(total)]
    turns = [2 * math.pi * i / total for i in range(total)]
    return [(r * math.sin(t), -r * math.cos(t)) for r, t in zip(radii, turns, strict=True)]


def _mirrored(right: list[Point]) -> list[Point]:
    """A polygon that is symmetric left to right, from its right half."""
    return right + [(-x, y) for x, y in reversed(right)]


def _cross() -> list[Point]:
    arm, end = 0.28, 0.95
    return _mirrored([(arm, -end), (arm, -arm), (end, -arm), (end, arm), (arm, arm), (arm, end)])


def _heart() -> Outline:
    side, lift = 0.86, -0.12
    lobe = circle(side / 2)
    step = side / math.sqrt(8)
    tip = lift + side * math.sqrt(2) / 2
    corner = side / math.sqrt(2)
    point = polygon([(0, lift - corner), (corner, lift), (0, tip), (-corner, lift)])
    return union(shift(lobe, (-step, lift - step)), shift(lobe, (step, lift - step)), point)


def _drop() -> Outline:
    radius, middle, apex = 0.6, 0.38, -1.0
    reach = middle - apex
    touch_y = middle - radius * radius / reach
    touch_x = radius * math.sqrt(1 - (radius / reach) ** 2)
    tip = polygon([(0, apex), (touch_x, touch_y), (-touch_x, touch_y)])
    return union(shift(circle(radius), (0, middle)), tip)


def _flower() -> Outline:
    petals = [shift(circle(0.36), at) for at in _corners(5, 0.62)]
    return union(circle(0.42), *petals)


def _key() -> Outline:
    bar = [(-0.13, -0.2), (0.13, -0.2), (0.13, 0.32), (0.5, 0.32), (0.5, 0.54)]
    bar += [(0.13, 0.54), (0.13, 0.74), (0.5, 0.74), (0.5, 0.98), (-0.13, 0.98)]
    return union(shift(ring(0.35, 0.15), (0, -0.5)), polygon(bar))


SOURCE_SHAPES: dict[str, Outline] = {
    "circle": circle(0.8),
    "square": polygon([(-0.72, -0.72), (0.72, -0.72), (0.72, 0.72), (-0.72, 0.72)]),
    "triangle": polygon(_corners(3, 1.0)),
    "pentagon": polygon(_corners(5, 0.9)),
    "star": polygon(_corners(5, 1.05, 0.44)),
    "cross": polygon(_cross()),
    "ring": ring(0.66, 0.2),
    "crescent": minus(circle(0.92), shift(circle(0.78), (0.48, 0))),
    "heart": _heart(),
    "drop": _drop(),
    "arrow": polygon(_mirrored([(0, -1), (0.72, -0.15), (0.26, -0.15), (0.26, 0.95)])),
    "hourglass": polygon(_mirrored([(0.7, -0.88), (0.1, 0), (0.7, 0.88)])),
}
"""Outlines of the source task, of radius about 1."""

NEW_SHAPES: dict[str, Outline] = {
    "half-circle": shift(both(circle(0.98), half_plane()), (0, -0.42)),
    "kite": polygon([(0, -0.8), (0.62, -0.2), (0, 1.05), (-0.62, -0.2)]),
    "flower": _flower(),
    "key": _key(),
    "lightning bolt": polygon(
        [(0.28, -1), (-0.55, 0.16), (-0.06, 0.16), (-0.3, 1), (0.56, -0.24), (0.08, -0.24)]
    ),
    "letter L": polygon(
        [(-0.6, -0.95), (-0.12, -0.95), (-0.12, 0.47), (0.66, 0.47), (0.66, 0.95), (-0.6, 0.95)]
    ),
}
"""Outlines of the new task, of radius about 1."""


def draw_shape(
    rng: np.random.Generator, size: int, outline: Outline, texture: str
) -> NDArray[np.uint8]:
    """One textured shape somewhere on a cluttered background.

    Args:
        rng: Decides everything but the shape and the texture's kind.
        size: Height and width in pixels.
        outline: The shape.
        texture: A key of ``TEXTURES``.

    Returns:
        uint8, shape ``(size, size, 3)``.
    """
    canvas = Canvas(size, blur=max(0.0, rng.normal(0.01, 0.025)))
    ground = choose(rng, (), 0.0)
    fill = choose(rng, (ground,), 0.24)
    second = choose(rng, (ground, fill), 0.22)
    _background(canvas, rng, ground)

    radius = rng.uniform(0.4, 0.78)
    room = 1.0 - 0.8 * radius
    x, y = rng.uniform(-room, room, 2)
    turn, stretch = rng.uniform(0, 2 * math.pi), math.exp(rng.normal(0, 0.1))
    frame = Frame().place((x, y), turn, radius / math.sqrt(stretch), stretch, rng.random() < 0.5)
    if rng.random() < 0.4:
        dx, dy = rng.normal(0, 0.05, 2)
        shadow = Frame(x + dx, y + dy, frame.xx, frame.xy, frame.yx, frame.yy)
        canvas.fill(outline, shadow, (0.05, 0.05, 0.1), opacity=0.35, soft=0.15)
    if rng.random() < 0.25:
        line = choose(rng, (fill, ground), 0.2)
        canvas.fill(grow(outline, 0.07), frame, line)
    field = TEXTURES[texture](rng, (x, y, radius))
    canvas.fill(outline, frame, fill, second, field)

    if rng.random() < 0.25:
        _speck(canvas, rng, 0.12)
    light = rng.normal(0, 0.12, 2)
    cast = rng.normal(1, 0.05, 3)
    canvas.light(
        rng.uniform(0.78, 1.15),
        (light[0], light[1]),
        (float(cast[0]), float(cast[1]), float(cast[2])),
    )
    canvas.grain(rng, rng.uniform(0, 0.04))
    return canvas.pixels()


def _background(
    canvas: Canvas, rng: np.random.Generator, ground: tuple[float, float, float]
) -> None:
    """A weak texture in two near colours, and up to four small things lying about."""
    other = choose(rng, (), 0.0)
    kind = list(TEXTURES)[rng.integers(len(TEXTURES))]
    canvas.wash(ground, mix(ground, other, rng.uniform(0.1, 0.35)), TEXTURES[kind](rng, WHOLE))
    for _ in range(rng.integers(5)):
        _speck(canvas, rng, 0.2)


def _speck(canvas: Canvas, rng: np.random.Generator, largest: float) -> None:
    """A small blob or line that belongs to no class."""
    long, high = rng.uniform(0.06, largest), rng.uniform(0.05, largest)
    kinds = (ellipse(long, high), strokes([[(-2 * long, 0.0), (2 * long, 0.0)]], 0.03))
    frame = Frame().place(tuple(rng.uniform(-1, 1, 2)), rng.uniform(0, math.pi))
    canvas.fill(kinds[rng.integers(2)], frame, vary(rng, choose(rng, (), 0.0)))
