"""Colours of the drawn pictures: a picture-book palette and how to choose from it."""

from __future__ import annotations

import numpy as np

from ftkit.data.drawn.canvas import Colour


def rgb(code: str) -> Colour:
    """The colour of a hexadecimal code such as ``"ff8800"``, 0..1."""
    return int(code[:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255


PALETTE: tuple[Colour, ...] = tuple(
    rgb(code)
    for code in [
        "e4572e",
        "f4a259",
        "f6d55c",
        "ffe8b8",
        "8cb369",
        "3f7d58",
        "1f5a4c",
        "76c7b7",
        "3caea3",
        "2e86ab",
        "20639b",
        "173f5f",
        "a6cfe2",
        "6c5b9e",
        "9d79bc",
        "d7b9e0",
        "c8553d",
        "e88d8d",
        "f7b9c4",
        "b5446e",
        "7b2d43",
        "8d5b4c",
        "c9a27e",
        "f5efe6",
        "5b6770",
        "aab4b8",
        "2b2d42",
        "4a3b32",
    ]
)
"""Twenty-eight colours from poppy red to bark brown."""


def vary(rng: np.random.Generator, colour: Colour, sigma: float = 0.04) -> Colour:
    """The colour with its brightness and its hue moved a little."""
    r, g, b = (rng.normal(0.0, sigma, 3) + rng.normal(0.0, sigma) + colour).clip(0.02, 0.98)
    return float(r), float(g), float(b)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first."""
    a, b = first, second
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
    )


def difference(first: Colour, second: Colour) -> float:
    """How far apart two colours look: weighted RGB distance, 0..1."""
    r, g, b = (p - q for p, q in zip(first, second, strict=True))
    return float((0.3 * r * r + 0.55 * g * g + 0.15 * b * b) ** 0.5)


def choose(rng: np.random.Generator, avoid: tuple[Colour, ...], apart: float) -> Colour:
    """A palette colour, varied, that differs from all of ``avoid`` by at least ``apart``.

    Where six tries find none, the best of them is taken.
    """
    best, best_gap = PALETTE[0], -1.0
    for pick in rng.integers(len(PALETTE), size=6):
        candidate = vary(rng, PALETTE[int(pick)])
        gap = min((difference(candidate, other) for other in avoid), default=1.0)
        if gap >= apart:
            return candidate
        if gap > best_gap:
            best, best_gap = candidate, gap
    return best
