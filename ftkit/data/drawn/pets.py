"""Drawn heads of cats and dogs: the same coats, places and poses, told apart by anatomy alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ftkit.data.drawn.canvas import Canvas, Frame
from ftkit.data.drawn.coats import INK, WHITE, Coat, draw_body, draw_coat, draw_markings
from ftkit.data.drawn.colours import mix, rgb
from ftkit.data.drawn.outlines import (
    bend,
    both,
    circle,
    ellipse,
    merge,
    polygon,
    shift,
    strokes,
    union,
)
from ftkit.data.drawn.scenes import draw_scene, draw_thing

PETS = ("cat", "dog")
_TONGUE = rgb("e8737f")


def draw_pet(rng: np.random.Generator, size: int, species: str) -> NDArray[np.uint8]:
    """One head with its shoulders, somewhere in a scene.

    Args:
        rng: Decides everything but the species.
        size: Height and width in pixels.
        species: ``"cat"`` or ``"dog"``.

    Returns:
        uint8, shape ``(size, size, 3)``.
    """
    canvas = Canvas(size, blur=max(0.0, rng.normal(0.0, 0.015)))
    draw_scene(canvas, rng)
    coat = draw_coat(rng)
    at = (rng.normal(0, 0.2), rng.normal(-0.08, 0.14))
    head = Frame().place(
        at,
        rng.normal(0, 0.2),
        rng.uniform(0.4, 0.62),
        math.exp(rng.normal(0, 0.06)),
        flip=bool(rng.random() < 0.5),
    )
    draw_body(canvas, rng, head, coat)
    if species == "cat":
        _cat(canvas, rng, head, coat)
    else:
        _dog(canvas, rng, head, coat)
    if rng.random() < 0.12:
        x, y = head.point(rng.choice((-1, 1)) * rng.uniform(0.3, 1.0), rng.uniform(0.4, 1.1))
        draw_thing(canvas, rng, (x, y), rng.uniform(0.25, 0.4))
    dim = rng.random() < 0.08
    light = rng.normal(0, 0.1, 2)
    warm = rng.normal(0, 0.04)
    canvas.light(
        rng.uniform(0.4, 0.6) if dim else rng.uniform(0.85, 1.1),
        (light[0], light[1]),
        (1 + warm, 1.0, 1 - warm + (0.15 if dim else 0.0)),
    )
    canvas.grain(rng, rng.uniform(0.0, 0.02))
    return canvas.pixels()


def _cat(canvas: Canvas, rng: np.random.Generator, head: Frame, coat: Coat) -> None:
    """Pointed ears, almond eyes, two small puffs under a small nose, and whiskers."""
    folded = rng.random() < 0.09
    lean, tall = rng.uniform(0.1, 0.5), rng.uniform(0.7, 1.0)
    ears = [head.place((s * 0.58, -0.45), s * (lean + rng.normal(0, 0.08))) for s in (-1, 1)]
    if not folded:
        ear = polygon([(-0.36, 0.15), (0.0, -tall), (0.36, 0.15)], 0.06)
        for frame in ears:
            canvas.fill(ear, frame, coat.base, coat.dark, rim=0.05)
            canvas.fill(ear, frame.place((0, 0.0), 0, 0.58), coat.inner)
    skull = merge(
        ellipse(0.86, 0.74), shift(ellipse(rng.uniform(0.92, 1.02), 0.48), (0, 0.22)), 0.25
    )
    canvas.fill(skull, head, coat.base, coat.dark, rim=0.045)
    face = _face(head, coat)
    draw_markings(canvas, rng, face, coat, canvas.cover(skull, head))
    if folded:
        flap = polygon([(-0.34, -0.2), (0.34, -0.2), (0.06, 0.28)], 0.07)
        for frame in ears:
            canvas.fill(flap, frame, mix(coat.base, coat.dark, 0.15), coat.dark, rim=0.05)
    _eyes(canvas, rng, face, coat, (0.4, -0.06), almond=True, slit=rng.random() < 0.75)
    puffs = union(shift(ellipse(0.26, 0.2), (-0.19, 0.38)), shift(ellipse(0.26, 0.2), (0.19, 0.38)))
    chin = shift(ellipse(0.2, 0.16), (0, 0.52))
    canvas.fill(union(puffs, chin), face, coat.muzzle, soft=0.015)
    mouth = [bend((0.0, 0.34), (0.02, 0.5), (s * 0.26, 0.47), 4) for s in (-1, 1)]
    if rng.random() < 0.15:
        canvas.fill(ellipse(0.09, 0.12), face.place((0, 0.55)), _TONGUE)
    canvas.fill(strokes([[(0.0, 0.22), (0.0, 0.36)], *mouth], 0.022), face, INK, opacity=0.85)
    canvas.fill(polygon([(-0.1, 0.16), (0.1, 0.16), (0.0, 0.26)], 0.04), face, coat.nose)
    _whiskers(canvas, rng, face, 0.75 if rng.random() < 0.8 else 0.2)


def _dog(canvas: Canvas, rng: np.random.Generator, head: Frame, coat: Coat) -> None:
    """Hanging ears, round eyes, and a long muzzle with a large nose."""
    pricked = rng.random() < 0.14
    shade = (coat.base, coat.dark, coat.second)[rng.integers(3)]
    ear_colour = mix(shade, coat.base, 0.3)
    rim = mix(ear_colour, INK, 0.45)
    spread, long = rng.uniform(0.05, 0.5), rng.uniform(0.5, 0.72)
    turns = [s * (rng.normal(0, 0.08) + (0.42 if pricked else -spread)) for s in (-1, 1)]
    ears = [head.place((s * 0.62, -0.5), t) for s, t in zip((-1, 1), turns, strict=True)]
    if pricked:
        ear = polygon([(-0.2, 0.1), (-0.06, -0.5), (0.06, -0.5), (0.2, 0.1)], 0.17)
        for frame in ears:
            canvas.fill(ear, frame, ear_colour, rim, rim=0.05)
            canvas.fill(ear, frame.place((0, 0.0), 0, 0.58), coat.inner)
    jaw = shift(ellipse(rng.uniform(0.54, 0.68), 0.56), (0, 0.42))
    skull = merge(shift(ellipse(0.82, 0.74), (0, -0.12)), jaw, 0.3)
    canvas.fill(skull, head, coat.base, coat.dark, rim=0.045)
    face = _face(head, coat)
    draw_markings(canvas, rng, face, coat, canvas.cover(skull, head))
    if not pricked:
        ear = merge(
            shift(ellipse(0.2, 0.3), (0, 0.1)), shift(ellipse(0.29, long - 0.1), (0, long)), 0.2
        )
        for frame in ears:
            canvas.fill(ear, frame.place((0, -0.08)), ear_colour, rim, rim=0.05)
    _eyes(canvas, rng, face, coat, (0.34, -0.14), almond=False, slit=False)
    canvas.fill(ellipse(0.42, 0.4), face.place((0, 0.42)), coat.muzzle, soft=0.015)
    if rng.random() < 0.4:
        tongue = ellipse(0.14, 0.24)
        canvas.fill(tongue, face.place((0, 0.76)), _TONGUE, mix(_TONGUE, INK, 0.3), rim=0.035)
    mouth = [bend((0.0, 0.56), (s * 0.12, 0.72), (s * 0.32, 0.56), 4) for s in (-1, 1)]
    canvas.fill(strokes([[(0.0, 0.3), (0.0, 0.56)], *mouth], 0.025), face, INK, opacity=0.85)
    canvas.fill(ellipse(0.2, 0.145), face.place((0, 0.2)), coat.nose)
    canvas.fill(ellipse(0.07, 0.03), face.place((-0.05, 0.13)), WHITE, opacity=0.55)
    if rng.random() < 0.4:
        dots = [
            shift(circle(0.025), (s * x, y))
            for s in (-1, 1)
            for x, y in ((0.2, 0.42), (0.28, 0.36), (0.3, 0.47))
        ]
        canvas.fill(union(*dots), face, INK, opacity=0.7)
    if rng.random() < 0.15:
        _whiskers(canvas, rng, face, 0.3)


def _face(head: Frame, coat: Coat) -> Frame:
    """Where the features sit when the head looks aside."""
    return head.place((0.8 * coat.yaw, 0.0), 0.0, 1.0, 1.0 - 0.5 * abs(coat.yaw))


def _eyes(
    canvas: Canvas,
    rng: np.random.Generator,
    face: Frame,
    coat: Coat,
    at: tuple[float, float],
    *,
    almond: bool,
    slit: bool,
) -> None:
    """Two eyes, mirrored about the nose, closed where the animal is asleep.

    Args:
        canvas: What to paint on.
        rng: Decides their size and where they look.
        face: Coordinates of the face.
        coat: Gives the iris its colour.
        at: The middle of one eye, in the face's coordinates.
        almond: Slanting almonds rather than discs.
        slit: An upright pupil rather than a round one.
    """
    gaze = rng.normal(0, 0.025)
    wide = rng.uniform(0.9, 1.1)
    lens = both(shift(circle(0.27), (0, 0.11)), shift(circle(0.27), (0, -0.11)))
    ball = lens if almond else circle(0.18)
    for side in (-1, 1):
        eye = face.place((side * at[0], at[1]), side * -0.25 if almond else 0.0, wide)
        if coat.asleep:
            lid = strokes([bend((-0.17, 0.0), (0.0, 0.16), (0.17, 0.0), 4)], 0.03)
            canvas.fill(lid, eye, INK)
            continue
        canvas.fill(ball, eye, coat.iris, INK, rim=0.04)
        if slit:
            canvas.fill(ellipse(0.05, 0.135), eye.place((gaze, 0)), INK)
        else:
            canvas.fill(circle(0.1), eye.place((gaze, 0)), INK)
        canvas.fill(circle(0.04), eye.place((gaze - 0.05, -0.06)), WHITE)


def _whiskers(canvas: Canvas, rng: np.random.Generator, face: Frame, opacity: float) -> None:
    """Three on each side."""
    colour = WHITE if rng.random() < 0.6 else INK
    droop = rng.normal(0, 0.08)
    for side in (-1, 1):
        lines = [
            bend(
                (side * 0.28, 0.36 + 0.06 * i),
                (side * 0.7, 0.3 + 0.1 * i),
                (side * 1.2, 0.36 + 0.18 * i + droop),
                3,
            )
            for i in (-1, 0, 1)
        ]
        canvas.fill(strokes(lines, 0.01), face, colour, opacity=opacity)
