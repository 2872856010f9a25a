"""A canvas that outlines are painted on with antialiased edges, and frames that place them.

The canvas spans -1..1 in x (rightwards) and in y (downwards) whatever its size in pixels, so the
same drawing works at every size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ftkit.data.drawn.outlines import Array, Outline

Colour = tuple[float, float, float]
Field = Callable[[Array, Array, float], Array]
"""Maps x ``(1, w)``, y ``(h, 1)`` and the edge width to values of shape ``(h, w)``, 0..1."""


@dataclass(frozen=True)
class Frame:
    """Local coordinates: ``canvas = (x, y) + [[xx, xy], [yx, yy]] @ local``."""

    x: float = 0.0
    y: float = 0.0
    xx: float = 1.0
    xy: float = 0.0
    yx: float = 0.0
    yy: float = 1.0

    def place(
        self,
        at: tuple[float, float] = (0.0, 0.0),
        turn: float = 0.0,
        scale: float = 1.0,
        stretch: float = 1.0,
        flip: bool = False,
    ) -> Frame:
        """A frame inside this one.

        Args:
            at: Where its origin lies, in this frame's coordinates.
            turn: Clockwise rotation in radians.
            scale: Size of its unit in this frame's units.
            stretch: Further scale along its own first axis only.
            flip: Mirror left and right.
        """
        wide = scale * stretch * (-1.0 if flip else 1.0)
        cos, sin = math.cos(turn), math.sin(turn)
        x, y = self.point(*at)
        return Frame(
            x,
            y,
            (self.xx * cos + self.xy * sin) * wide,
            (self.xy * cos - self.xx * sin) * scale,
            (self.yx * cos + self.yy * sin) * wide,
            (self.yy * cos - self.yx * sin) * scale,
        )

    def point(self, u: float, v: float) -> tuple[float, float]:
        """Where a local point lies on the canvas."""
        return self.x + self.xx * u + self.xy * v, self.y + self.yx * u + self.yy * v

    @property
    def area(self) -> float:
        """Signed area of the unit square on the canvas."""
        return self.xx * self.yy - self.xy * self.yx

    @property
    def scale(self) -> float:
        """Length of the local unit on the canvas, averaged over directions."""
        return math.sqrt(abs(self.area))

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Local coordinates, ``(h, w)`` each, of canvas columns ``(1, w)`` and rows ``(h, 1)``."""
        f32, area = np.float32, self.area
        dx, dy = x - f32(self.x), y - f32(self.y)
        u = dx * f32(self.yy / area) + dy * f32(-self.xy / area)
        v = dx * f32(-self.yx / area) + dy * f32(self.xx / area)
        return u, v


class Canvas:
    """Floating-point RGB pixels.

    Attributes:
        rgb: float32, shape ``(3, size, size)``, 0..1 before the last clip.
        axis: float32, shape ``(size,)``: the pixel centres' coordinates.
        pixel: Side of a pixel in canvas units.
        edge: Width of an edge's ramp in canvas units: one pixel, or more for a blurred picture.
    """

    def __init__(self, size: int, blur: float = 0.0) -> None:
        """Start a black canvas; ``blur`` widens every edge, in canvas units."""
        self.size = size
        self.pixel = 2.0 / size
        self.edge = self.pixel + blur
        self.axis: Array = ((np.arange(size) + 0.5) * self.pixel - 1.0).astype(np.float32)
        self.rgb: Array = np.zeros((3, size, size), np.float32)

    def fill(
        self,
        outline: Outline,
        frame: Frame,
        colour: Colour,
        second: Colour | None = None,
        field: Field | None = None,
        *,
        opacity: float = 1.0,
        soft: float = 0.0,
        within: Array | None = None,
        rim: float = 0.0,
    ) -> None:
        """Paint an outline's inside.

        Args:
            outline: What to paint.
            frame: Where.
            colour: RGB, 0..1.
            second: The colour to mix in where ``field`` is 1, or the rim's colour without one.
            field: How much of ``second`` each point takes.
            opacity: 0..1.
            soft: Extra width of the edge's ramp, in canvas units.
            within: float32, shape ``(size, size)``: a coverage to stay inside of.
            rim: Width of a line inside the edge in ``second``, in local units.
        """
        window = self._window(frame, outline, self.edge + soft)
        if window is None:
            return
        rows, cols = window
        x, y = self.axis[None, cols], self.axis[rows, None]
        distance = outline.distance(*frame.local(x, y)) * np.float32(frame.scale)
        cover = _coverage(distance, self.edge + soft)
        if within is not None:
            cover *= within[rows, cols]
        if opacity != 1.0:
            cover *= np.float32(opacity)
        ink = np.asarray(colour, np.float32)[:, None, None]
        if second is not None:
            if field is not None:
                mix = field(x, y, self.edge)
            else:
                mix = 1 - _coverage(distance + np.float32(rim * frame.scale), self.edge)
            ink = ink + mix * (np.asarray(second, np.float32)[:, None, None] - ink)
        patch = self.rgb[:, rows, cols]
        patch += cover * (ink - patch)

    def wash(self, colour: Colour, second: Colour, field: Field) -> None:
        """Cover the whole canvas with ``colour``, mixed with ``second`` where ``field`` is 1."""
        mix = field(self.axis[None, :], self.axis[:, None], self.edge)
        ink = np.asarray(colour, np.float32)[:, None, None]
        self.rgb[...] = ink + mix * (np.asarray(second, np.float32)[:, None, None] - ink)

    def cover(self, outline: Outline, frame: Frame) -> Array:
        """How much of each pixel an outline covers: float32, shape ``(size, size)``, 0..1."""
        result: Array = np.zeros((self.size, self.size), np.float32)
        window = self._window(frame, outline, self.edge)
        if window is not None:
            rows, cols = window
            local = frame.local(self.axis[None, cols], self.axis[rows, None])
            distance = outline.distance(*local) * np.float32(frame.scale)
            result[rows, cols] = _coverage(distance, self.edge)
        return result

    def light(self, gain: float, slope: tuple[float, float], cast: Colour) -> None:
        """Multiply by a brightness that changes linearly over the canvas, and by a colour cast."""
        ramp = np.float32(slope[0]) * self.axis[None, :] + np.float32(slope[1]) * self.axis[:, None]
        self.rgb *= ramp + np.float32(gain)
        self.rgb *= np.asarray(cast, np.float32)[:, None, None]

    def grain(self, rng: np.random.Generator, sigma: float) -> None:
        """Add Gaussian noise, mostly shared by the three channels; ``sigma`` on the 0..1 scale."""
        noise = rng.standard_normal((4, self.size, self.size), dtype=np.float32)
        noise *= np.float32(sigma)
        self.rgb += noise[:1]
        self.rgb += noise[1:] * np.float32(0.5)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture as uint8, shape ``(size, size, 3)``."""
        scaled = np.clip(self.rgb, 0, 1) * np.float32(255) + np.float32(0.5)
        result: NDArray[np.uint8] = scaled.astype(np.uint8).transpose(1, 2, 0)
        return result

    def _window(self, frame: Frame, outline: Outline, margin: float) -> tuple[slice, slice] | None:
        """Rows and columns that an outline can touch, None if it misses the canvas."""
        left, top, right, bottom = outline.box
        corners = [frame.point(u, v) for u in (left, right) for v in (top, bottom)]
        spans = []
        for ends in ([y for _, y in corners], [x for x, _ in corners]):
            low = max(0, math.floor((min(ends) - margin + 1) / self.pixel))
            high = min(self.size, math.ceil((max(ends) + margin + 1) / self.pixel))
            if low >= high:
                return None
            spans.append(slice(low, high))
        return spans[0], spans[1]


def _coverage(distance: Array, width: float) -> Array:
    """Share of a pixel inside an outline, from the signed distance of its centre."""
    ramp: Array = distance * np.float32(-1 / width)
    ramp += np.float32(0.5)
    np.maximum(ramp, 0, out=ramp)
    np.minimum(ramp, 1, out=ramp)
    return ramp
