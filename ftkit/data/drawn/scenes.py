"""Places and things around the drawn pets. None of them knows which animal is in the picture."""

from __future__ import annotations

import numpy as np

from ftkit.data.drawn.canvas import Canvas, Colour, Frame
from ftkit.data.drawn.colours import choose, mix, rgb, vary
from ftkit.data.drawn.outlines import (
    Array,
    bend,
    circle,
    ellipse,
    half_plane,
    polygon,
    shift,
    strokes,
    union,
)
from ftkit.data.drawn.textures import TEXTURES, WHOLE, shaded

_PAGE = Frame()
_WHITE: Colour = (1.0, 1.0, 1.0)


def draw_scene(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cover the canvas with one of five places, and put up to two things at its foot."""
    place = (_room, _meadow, _paper, _pattern, _lights)[rng.integers(5)]
    place(canvas, rng)
    for _ in range(rng.integers(3)):
        x = rng.choice((-1, 1)) * rng.uniform(0.45, 1.0)
        draw_thing(canvas, rng, (x, rng.uniform(0.35, 0.85)), rng.uniform(0.2, 0.36))


def draw_thing(
    canvas: Canvas, rng: np.random.Generator, at: tuple[float, float], scale: float
) -> None:
    """A ball, a box, a potted plant or a tuft of grass.

    Args:
        canvas: What to paint on.
        rng: Decides which, and its colours.
        at: Its middle, in canvas units.
        scale: About half its height, in canvas units.
    """
    frame = _PAGE.place(at, rng.normal(0, 0.1), scale)
    colour = choose(rng, (), 0.0)
    other = choose(rng, (colour,), 0.2)
    dark = mix(colour, (0.1, 0.05, 0.1), 0.35)
    kind = rng.integers(4)
    if kind == 0:
        kinds = list(TEXTURES)
        field = TEXTURES[kinds[rng.integers(len(kinds))]](rng, (*at, scale))
        canvas.fill(circle(0.9), frame, colour, other, field)
        canvas.fill(ellipse(0.25, 0.16), frame.place((-0.35, -0.45), -0.6), _WHITE, opacity=0.5)
    elif kind == 1:
        side = polygon([(-0.9, -0.7), (0.9, -0.7), (0.9, 0.9), (-0.9, 0.9)])
        canvas.fill(side, frame, colour, dark, rim=0.07)
        lid = polygon([(-1.0, -0.9), (1.0, -0.9), (1.0, -0.55), (-1.0, -0.55)])
        canvas.fill(lid, frame, other, dark, rim=0.07)
    elif kind == 2:
        green = vary(rng, rgb("4f9d5d"))
        for turn in (-0.75, 0.75, -0.3, 0.3):
            leaf = ellipse(0.19, 0.75)
            canvas.fill(
                leaf, frame.place((1.1 * turn, -0.55), turn), green, mix(green, dark, 0.4), rim=0.05
            )
        pot = polygon([(-0.6, 0.0), (0.6, 0.0), (0.42, 0.95), (-0.42, 0.95)])
        canvas.fill(pot, frame, colour, dark, rim=0.07)
    else:
        green = vary(rng, rgb("5fa84a"), 0.06)
        tips = rng.normal(0, 0.12, 7)
        blades = [
            bend((x, 1.0), (x, -0.1), (1.7 * x + float(tip), -0.8 + abs(x)), 3)
            for x, tip in zip(np.linspace(-0.5, 0.5, 7).tolist(), tips, strict=True)
        ]
        canvas.fill(strokes(blades, 0.07), frame, green)


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    """A papered wall with a window or a picture, a skirting board and a floor."""
    wall = choose(rng, (), 0.0)
    paper = TEXTURES[("plain", "striped", "dotted", "checked")[rng.integers(4)]](rng, WHOLE)
    canvas.wash(wall, mix(wall, _WHITE, 0.2), paper)
    x, y = rng.choice((-1, 1)) * rng.uniform(0.3, 0.7), rng.uniform(-0.6, -0.3)
    half = rng.uniform(0.28, 0.42)
    pane = polygon([(-half, -half), (half, -half), (half, half), (-half, half)])
    wood = vary(rng, rgb(("f5efe6", "8d5b4c", "c9a27e")[rng.integers(3)]))
    hung = _PAGE.place((x, y))
    canvas.fill(pane, hung, choose(rng, (wood,), 0.2), wood, rim=0.06)
    if rng.random() < 0.5:
        canvas.fill(strokes([[(-half, 0), (half, 0)], [(0, -half), (0, half)]], 0.02), hung, wood)
    else:
        canvas.fill(circle(half * 0.4), hung, choose(rng, (wood,), 0.1))
    floor = choose(rng, (wall,), 0.15)
    base = _PAGE.place((0, rng.uniform(0.4, 0.75)), rng.normal(0, 0.03))
    canvas.fill(half_plane(), base.place((0, -0.08)), wood)
    boards = TEXTURES[("plain", "checked", "striped")[rng.integers(3)]](rng, WHOLE)
    canvas.fill(half_plane(), base, floor, mix(floor, (0.2, 0.1, 0.1), 0.2), boards)


def _meadow(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sky, clouds, a hill and grass with flowers; sometimes at dusk."""
    dusk = rng.random() < 0.3
    high, low = ("46426e", "f4a27b") if dusk else ("6fb7e0", "e3f3fa")
    canvas.wash(vary(rng, rgb(high)), vary(rng, rgb(low)), _downwards)
    for x, y in rng.uniform((-1, -0.95), (1, -0.3), (int(rng.integers(1, 4)), 2)):
        cloud = union(
            ellipse(0.3, 0.1),
            shift(circle(0.14), (-0.08, -0.08)),
            shift(circle(0.1), (0.12, -0.05)),
        )
        canvas.fill(
            cloud,
            _PAGE.place((float(x), float(y)), 0, rng.uniform(0.7, 1.3)),
            _WHITE,
            opacity=0.4 if dusk else 0.85,
        )
    green = vary(rng, rgb(("8cb369", "6aa84f", "a3b85b")[rng.integers(3)]))
    hill = circle(1.2)
    canvas.fill(hill, _PAGE.place((rng.uniform(-0.9, 0.9), 1.3)), mix(green, rgb("3f7d58"), 0.5))
    canvas.fill(half_plane(), _PAGE.place((0, rng.uniform(0.3, 0.6)), rng.normal(0, 0.08)), green)
    petal = choose(rng, (green,), 0.2)
    for x, y in rng.uniform((-1, 0.5), (1, 1), (int(rng.integers(2, 7)), 2)):
        spot = _PAGE.place((float(x), float(y)))
        canvas.fill(circle(0.055), spot, petal)
        canvas.fill(circle(0.022), spot, rgb("f6d55c"))


def _paper(canvas: Canvas, rng: np.random.Generator) -> None:
    """One colour, lighter on one side."""
    colour = choose(rng, (), 0.0)
    canvas.wash(colour, mix(colour, _WHITE, rng.uniform(0.1, 0.45)), shaded(rng, WHOLE))


def _pattern(canvas: Canvas, rng: np.random.Generator) -> None:
    """A textile in two near colours."""
    colour = choose(rng, (), 0.0)
    kind = ("striped", "dotted", "checked", "mottled")[rng.integers(4)]
    second = mix(colour, choose(rng, (), 0.0), rng.uniform(0.2, 0.5))
    canvas.wash(colour, second, TEXTURES[kind](rng, WHOLE))


def _lights(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lights out of focus in front of a deep gradient."""
    colour = mix(choose(rng, (), 0.0), rgb("1b1f3a"), rng.uniform(0.2, 0.7))
    canvas.wash(colour, mix(colour, choose(rng, (), 0.0), 0.5), shaded(rng, WHOLE))
    for x, y in rng.uniform(-1, 1, (int(rng.integers(6, 12)), 2)):
        glow = mix(choose(rng, (), 0.0), rgb("ffe8b8"), 0.4)
        canvas.fill(
            circle(rng.uniform(0.1, 0.26)),
            _PAGE.place((float(x), float(y))),
            glow,
            opacity=rng.uniform(0.2, 0.5),
            soft=0.04,
        )


def _downwards(x: Array, y: Array, edge: float) -> Array:
    """A field that grows from 0 at the top to 1 below the middle."""
    result: Array = np.clip(y * np.float32(0.6) + np.float32(0.6) + x * np.float32(0), 0, 1)
    return result
