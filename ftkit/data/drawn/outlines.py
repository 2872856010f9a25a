"""Outlines as signed distance functions: negative inside, zero on the edge, positive outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Outline:
    """A closed curve in local coordinates, y downwards.

    Attributes:
        distance: Maps u and v, float32 of one shape, to the signed distance, same shape.
        box: Left, top, right and bottom of a rectangle that the inside does not leave.
    """

    distance: Callable[[Array, Array], Array]
    box: Box


def circle(radius: float) -> Outline:
    """A disc around the origin."""
    box = (-radius, -radius, radius, radius)
    return Outline(lambda u, v: np.sqrt(u * u + v * v) - np.float32(radius), box)


def ring(radius: float, width: float) -> Outline:
    """A band of half-width ``width`` along a circle."""

    def distance(u: Array, v: Array) -> Array:
        result: Array = np.abs(np.sqrt(u * u + v * v) - np.float32(radius)) - np.float32(width)
        return result

    end = radius + width
    return Outline(distance, (-end, -end, end, end))


def ellipse(wide: float, high: float) -> Outline:
    """An ellipse of half-axes ``wide`` and ``high``; its distance is exact on the edge only."""
    a, b = np.float32(1 / wide), np.float32(1 / high)

    def distance(u: Array, v: Array) -> Array:
        p, q = u * a, v * b
        near = np.sqrt(p * p + q * q)
        p *= a
        q *= b
        slope = np.sqrt(p * p + q * q) + np.float32(1e-6)
        result: Array = near * (near - np.float32(1)) / slope
        return result

    return Outline(distance, (-wide, -high, wide, high))


def half_plane() -> Outline:
    """Everything below the line v = 0."""
    return Outline(lambda u, v: -v, (-8.0, 0.0, 8.0, 8.0))


def polygon(points: Sequence[Point], rounding: float = 0.0) -> Outline:
    """A simple polygon, grown by ``rounding`` with round corners.

    Args:
        points: Corners in order, either way round.
        rounding: Radius of the corners.
    """
    start = np.asarray(points, np.float32)
    segments = _Segments(start, np.roll(start, -1, axis=0))

    def distance(u: Array, v: Array) -> Array:
        away = np.sqrt(segments.squared(u, v))
        np.negative(away, out=away, where=segments.inside(u, v))
        away -= np.float32(rounding)
        return away

    return Outline(distance, _box(points, rounding))


def strokes(lines: Sequence[Sequence[Point]], width: float) -> Outline:
    """Open lines of half-width ``width`` with round ends.

    Args:
        lines: Each a sequence of at least two points.
        width: Half the lines' width.
    """
    start = np.asarray([p for line in lines for p in line[:-1]], np.float32)
    end = np.asarray([p for line in lines for p in line[1:]], np.float32)
    segments = _Segments(start, end)
    box = _box([p for line in lines for p in line], width)
    return Outline(lambda u, v: np.sqrt(segments.squared(u, v)) - np.float32(width), box)


def bend(start: Point, pull: Point, end: Point, pieces: int = 5) -> list[Point]:
    """Points along a quadratic Bezier curve, for ``strokes``."""
    steps = [i / pieces for i in range(pieces + 1)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * pull[0] + t * t * end[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * pull[1] + t * t * end[1],
        )
        for t in steps
    ]


def shift(outline: Outline, at: Point, turn: float = 0.0) -> Outline:
    """The outline turned clockwise by ``turn`` radians, then moved to ``at``."""
    cos, sin = math.cos(turn), math.sin(turn)

    def distance(u: Array, v: Array) -> Array:
        p, q = u - np.float32(at[0]), v - np.float32(at[1])
        if turn == 0.0:
            return outline.distance(p, q)
        c, s = np.float32(cos), np.float32(sin)
        return outline.distance(p * c + q * s, q * c - p * s)

    left, top, right, bottom = outline.box
    corners = [(p, q) for p in (left, right) for q in (top, bottom)]
    moved = [(at[0] + p * cos - q * sin, at[1] + p * sin + q * cos) for p, q in corners]
    return Outline(distance, _box(moved, 0.0))


def union(*parts: Outline) -> Outline:
    """What lies in any part."""

    def distance(u: Array, v: Array) -> Array:
        result = parts[0].distance(u, v)
        for part in parts[1:]:
            np.minimum(result, part.distance(u, v), out=result)
        return result

    return Outline(distance, _around(parts, 0.0))


def merge(first: Outline, second: Outline, radius: float) -> Outline:
    """The union with its inner corners filled smoothly over about ``radius``."""
    k = np.float32(radius)

    def distance(u: Array, v: Array) -> Array:
        a, b = first.distance(u, v), second.distance(u, v)
        gap = np.maximum(k - np.abs(a - b), 0) / k
        result: Array = np.minimum(a, b) - gap * gap * k * np.float32(0.25)
        return result

    return Outline(distance, _around((first, second), radius * 0.25))


def minus(first: Outline, second: Outline) -> Outline:
    """What lies in the first and not in the second."""
    return Outline(lambda u, v: np.maximum(first.distance(u, v), -second.distance(u, v)), first.box)


def both(first: Outline, second: Outline) -> Outline:
    """What lies in the first and in the second."""
    return Outline(lambda u, v: np.maximum(first.distance(u, v), second.distance(u, v)), first.box)


def grow(outline: Outline, by: float) -> Outline:
    """The outline moved outwards everywhere."""
    return Outline(
        lambda u, v: outline.distance(u, v) - np.float32(by), _around([outline], 1.5 * by)
    )


def _box(points: Sequence[Point], margin: float) -> Box:
    """The rectangle around points, with a margin."""
    across, down = [float(p[0]) for p in points], [float(p[1]) for p in points]
    return min(across) - margin, min(down) - margin, max(across) + margin, max(down) + margin


def _around(parts: Sequence[Outline], margin: float) -> Box:
    """The rectangle around outlines, with a margin."""
    boxes = [part.box for part in parts]
    return _box([b[:2] for b in boxes] + [b[2:] for b in boxes], margin)


class _Segments:
    """Line segments from ``start`` to ``end``, float32 of shape ``(n, 2)`` each."""

    def __init__(self, start: Array, end: Array) -> None:
        along = end - start
        slope = along / ((along * along).sum(axis=1, keepdims=True) + np.float32(1e-12))
        self.rows = list(np.concatenate([start, along, slope], axis=1))

    def squared(self, u: Array, v: Array) -> Array:
        """Squared distance to the nearest segment."""
        nearest: Array = np.full(u.shape, 1e9, np.float32)
        for ax, ay, ex, ey, sx, sy in self.rows:
            p, q = u - ax, v - ay
            t = p * sx
            t += q * sy
            np.maximum(t, 0, out=t)
            np.minimum(t, 1, out=t)
            p -= t * ex
            t *= ey
            q -= t
            p *= p
            q *= q
            p += q
            np.minimum(nearest, p, out=nearest)
        return nearest

    def inside(self, u: Array, v: Array) -> NDArray[np.bool_]:
        """Whether the segments, as one closed line, go round: a ray leftwards crosses them."""
        crossings = np.zeros(u.shape, np.bool_)
        for ax, ay, ex, ey, _, _ in self.rows:
            if ey != 0:
                upper, lower = min(ay, ay + ey), max(ay, ay + ey)
                right = (u - ax) > (v - ay) * (ex / ey)
                right &= v >= upper
                right &= v < lower
                crossings ^= right
        return crossings
