"""What cats and dogs have in common: coats, eyes' and noses' colours, pose, and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ftkit.data.drawn.canvas import Canvas, Colour, Frame
from ftkit.data.drawn.colours import choose, mix, rgb, vary
from ftkit.data.drawn.outlines import (
    Array,
    Outline,
    bend,
    circle,
    ellipse,
    half_plane,
    merge,
    polygon,
    shift,
    strokes,
    union,
)

INK: Colour = rgb("2a2024")
WHITE: Colour = (1.0, 1.0, 1.0)

_COATS = tuple(
    (rgb(base), rgb(second))
    for base, second in (
        ("e8964a", "fff1dc"),
        ("c8743a", "f7dfc0"),
        ("f2d9ac", "fffaf0"),
        ("d9b27c", "f6e8d0"),
        ("9a6a46", "ecd3b0"),
        ("6b4a3a", "d9b48f"),
        ("8d8f96", "f2f2f2"),
        ("6f7d8c", "dfe6ea"),
        ("4a4a55", "f4f1ec"),
        ("3a3236", "b98a5e"),
        ("f4f0e8", "caa27c"),
        ("f1ece6", "77706e"),
    )
)
_IRIS = tuple(rgb(code) for code in ["7fae4b", "d8a32f", "5b9fc9", "8a5a2e", "4f8f7a", "b5772c"])
_NOSE = tuple(rgb(code) for code in ["2f2528", "4a3030", "c96f74", "7a4a44"])


@dataclass(frozen=True)
class Coat:
    """The colours and the pose of one animal.

    Attributes:
        base: The fur.
        second: Chest, blaze and patches.
        dark: Stripes and the rim of the base.
        muzzle: The fur around the mouth.
        inner: The inside of the ears.
        iris: The eyes.
        nose: The nose.
        yaw: How far the face looks to one side, in head units.
        pattern: The fur's markings.
        asleep: Whether the eyes are closed.
    """

    base: Colour
    second: Colour
    dark: Colour
    muzzle: Colour
    inner: Colour
    iris: Colour
    nose: Colour
    yaw: float
    pattern: str
    asleep: bool


def draw_coat(rng: np.random.Generator) -> Coat:
    """A random animal of either species."""
    first, other = _COATS[rng.integers(len(_COATS))]
    base, second = vary(rng, first, 0.025), vary(rng, other, 0.02)
    dark = mix(base, INK, 0.5 if sum(base) > 1.0 else 0.75)
    return Coat(
        base=base,
        second=second,
        dark=dark,
        muzzle=second if rng.random() < 0.65 else mix(base, WHITE, 0.22),
        inner=mix(rgb("f0a9a7"), base, rng.uniform(0.1, 0.6)),
        iris=vary(rng, _IRIS[rng.integers(len(_IRIS))]),
        nose=vary(rng, _NOSE[rng.integers(len(_NOSE))], 0.02),
        yaw=float(rng.normal(0, 0.12) + (rng.choice((-0.3, 0.3)) if rng.random() < 0.1 else 0)),
        pattern=("none", "stripes", "patch", "blaze", "spots", "mask", "halves")[rng.integers(7)],
        asleep=bool(rng.random() < 0.08),
    )


def draw_body(canvas: Canvas, rng: np.random.Generator, head: Frame, coat: Coat) -> None:
    """Shoulders and chest below the head, with a collar, a scarf or neither."""
    body = head.place((rng.normal(0, 0.12), 1.5), rng.normal(0, 0.08))
    trunk = merge(shift(ellipse(0.88, 1.0), (0, 0.15)), shift(ellipse(0.5, 0.6), (0, -0.6)), 0.4)
    canvas.fill(trunk, body, coat.base, coat.dark, rim=0.045)
    chest = rng.random() < 0.6
    if chest:
        canvas.fill(ellipse(0.42, 0.6), body.place((0, -0.05)), coat.second, soft=0.04)
    for side in (-1, 1):
        paw = body.place((0.3 * side, 1.02))
        canvas.fill(
            ellipse(0.28, 0.22), paw, coat.second if chest else coat.base, coat.dark, rim=0.045
        )
    wears = rng.random()
    cloth = choose(rng, (coat.base,), 0.2)
    trim = choose(rng, (cloth,), 0.2)
    if wears < 0.45:
        band = strokes([bend((-0.45, -0.66), (0, -0.3), (0.45, -0.66), 5)], 0.085)
        canvas.fill(band, body, cloth, mix(cloth, INK, 0.4), rim=0.03)
        canvas.fill(circle(0.13), body.place((0, -0.34)), trim, mix(trim, INK, 0.5), rim=0.035)
    elif wears < 0.65:
        scarf = polygon([(-0.55, -0.75), (0.55, -0.75), (0.0, 0.12)], 0.05)
        canvas.fill(scarf, body, cloth, mix(cloth, INK, 0.4), rim=0.035)
        for spot in ((-0.2, -0.45), (0.2, -0.45), (0.0, -0.18)):
            canvas.fill(circle(0.07), body.place(spot), trim)


def draw_markings(
    canvas: Canvas, rng: np.random.Generator, face: Frame, coat: Coat, within: Array
) -> None:
    """The coat's pattern, painted inside the head's coverage ``within``."""
    side = float(rng.choice((-1, 1)))
    outline: Outline | None = None
    colour, soft = coat.second, 0.02
    if coat.pattern == "stripes":
        colour = coat.dark
        lines = [[(x, -1.0), (0.7 * x, -0.48 - 0.1 * abs(x))] for x in (-0.32, 0.0, 0.32)]
        lines += [[(s * 1.05, y), (s * 0.68, y + 0.04)] for s in (-1, 1) for y in (0.0, 0.25)]
        outline = strokes(lines, rng.uniform(0.05, 0.08))
    elif coat.pattern == "patch":
        outline, colour = shift(ellipse(0.36, 0.46), (0.4 * side, -0.15), 0.4 * side), coat.dark
    elif coat.pattern == "blaze":
        outline = polygon([(-0.1, -1.0), (0.1, -1.0), (0.26, 0.5), (-0.26, 0.5)], 0.05)
    elif coat.pattern == "spots":
        colour = coat.dark if rng.random() < 0.5 else coat.second
        places = rng.uniform(-0.8, 0.8, (6, 2)).tolist()
        outline = union(
            *(
                shift(circle(r), (x, y))
                for (x, y), r in zip(places, rng.uniform(0.07, 0.16, 6).tolist(), strict=True)
            )
        )
    elif coat.pattern == "mask":
        outline, soft = shift(ellipse(0.8, 0.7), (0, 0.45)), 0.1
        colour = mix(coat.base, coat.dark if rng.random() < 0.5 else coat.second, 0.8)
    elif coat.pattern == "halves":
        outline = shift(half_plane(), (0.05 * side, 0.0), 0.15 + side * np.pi / 2)
    if outline is not None:
        canvas.fill(outline, face, colour, soft=soft, within=within)
