"""Textures: fields that say how much of a second colour each point of the canvas takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ftkit.data.drawn.canvas import Field
from ftkit.data.drawn.outlines import Array

Place = tuple[float, float, float]
"""Centre and radius of what the texture covers, in canvas units."""

WHOLE: Place = (0.0, 0.0, 1.2)


def plain(rng: np.random.Generator, place: Place) -> Field:
    """The first colour everywhere."""
    return lambda x, y, edge: np.zeros((y.shape[0], x.shape[1]), np.float32)


def striped(rng: np.random.Generator, place: Place) -> Field:
    """Straight parallel stripes."""
    turn, period = rng.uniform(0, math.pi), rng.uniform(0.17, 0.34)
    phase, bias = rng.uniform(0, 2 * math.pi), rng.uniform(-0.35, 0.35)
    k = 2 * math.pi / period

    def field(x: Array, y: Array, edge: float) -> Array:
        wave = np.sin(_along(x, y, turn, k, phase))
        return _step(wave - np.float32(bias), k * edge)

    return field


def dotted(rng: np.random.Generator, place: Place) -> Field:
    """Discs on a square lattice."""
    turn, period = rng.uniform(0, math.pi), rng.uniform(0.24, 0.4)
    radius = period * rng.uniform(0.24, 0.36)
    first, second = rng.uniform(0, 1, 2)

    def field(x: Array, y: Array, edge: float) -> Array:
        p = _along(x, y, turn, 1 / period, first)
        q = _along(x, y, turn + math.pi / 2, 1 / period, second)
        p -= np.rint(p)
        q -= np.rint(q)
        return _step(np.float32(radius / period) - np.sqrt(p * p + q * q), edge / period)

    return field


def checked(rng: np.random.Generator, place: Place) -> Field:
    """A chessboard."""
    turn, period = rng.uniform(0, math.pi), rng.uniform(0.3, 0.5)
    first, second = rng.uniform(0, 2 * math.pi, 2)
    k = 2 * math.pi / period

    def field(x: Array, y: Array, edge: float) -> Array:
        wave = np.sin(_along(x, y, turn, k, first))
        wave *= np.sin(_along(x, y, turn + math.pi / 2, k, second))
        return _step(wave, k * edge * 0.7)

    return field


def shaded(rng: np.random.Generator, place: Place) -> Field:
    """A gradient from one side to the other."""
    turn = rng.uniform(0, 2 * math.pi)
    k = 1 / (2 * place[2] * rng.uniform(0.6, 0.85))
    offset = 0.5 - k * (place[0] * math.cos(turn) + place[1] * math.sin(turn))
    return lambda x, y, edge: np.clip(_along(x, y, turn, k, offset), 0, 1)


def mottled(rng: np.random.Generator, place: Place) -> Field:
    """Irregular patches: the positive part of a sum of waves in several directions."""
    turns = rng.uniform(0, math.pi) + np.arange(4) * (math.pi / 4) + rng.normal(0, 0.2, 4)
    waves = 2 * math.pi / rng.uniform(0.2, 0.48, 4)
    phases, bias = rng.uniform(0, 2 * math.pi, 4), rng.uniform(-0.3, 0.5)
    k = float(waves.mean())

    def field(x: Array, y: Array, edge: float) -> Array:
        total = np.full((y.shape[0], x.shape[1]), -bias, np.float32)
        for turn, wave, phase in zip(turns, waves, phases, strict=True):
            total += np.sin(_along(x, y, float(turn), float(wave), float(phase)))
        return _step(total, k * edge * 1.5)

    return field


TEXTURES: dict[str, Callable[[np.random.Generator, Place], Field]] = {
    "plain": plain,
    "striped": striped,
    "dotted": dotted,
    "checked": checked,
    "shaded": shaded,
    "mottled": mottled,
}


def _along(x: Array, y: Array, turn: float, scale: float, offset: float) -> Array:
    """Scaled coordinate along a direction, plus an offset: shape ``(h, w)``."""
    across = x * np.float32(scale * math.cos(turn)) + np.float32(offset)
    result: Array = across + y * np.float32(scale * math.sin(turn))
    return result


def _step(value: Array, width: float) -> Array:
    """Zero below 0 and one above, with a linear ramp of the given width between."""
    ramp: Array = value * np.float32(1 / width) + np.float32(0.5)
    np.clip(ramp, 0, 1, out=ramp)
    return ramp
