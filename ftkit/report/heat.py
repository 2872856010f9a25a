"""Where a network looks, laid over the picture."""

from __future__ import annotations

import base64
from io import BytesIO

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDEST = 80
"""Pixels on the longer side of a picture on a page."""
_COLOURS = "inferno"  # its lightness rises all the way: it reads without colours too
_OPACITY = 0.6
_ROWS = ("upper", "middle", "lower")
_COLUMNS = ("left", "middle", "right")


def small(image: NDArray[np.uint8]) -> Image.Image:
    """A picture as a page shows it; no larger than it is."""
    picture = Image.fromarray(image)
    picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    return picture


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> Image.Image:
    """The picture in grey under the map in colours, dark where it is 0 and light at its largest.

    Args:
        image: uint8, shape ``(height, width, 3)``.
        heat: The map, shape ``(rows, columns)``, not below 0; it is stretched over the picture.
    """
    picture = small(image)
    most = float(heat.max())
    share = Image.fromarray(heat / most if most > 0 else np.zeros_like(heat), "F")
    values = np.asarray(share.resize(picture.size, Image.Resampling.BILINEAR))
    colours = matplotlib.colormaps[_COLOURS](values)[..., :3] * 255
    grey = np.asarray(picture.convert("L"), np.float64)[..., None]
    mixed = _OPACITY * colours + (1 - _OPACITY) * grey
    return Image.fromarray(mixed.round().astype(np.uint8))


def scale() -> str:
    """The colours from 0 to the largest, as a strip in a data URI."""
    strip = matplotlib.colormaps[_COLOURS](np.linspace(0, 1, 64))[None, :, :3] * 255
    return png(Image.fromarray(strip.round().astype(np.uint8)))


def place(heat: NDArray[np.float32]) -> str:
    """Where a map is largest, in words: ``"upper left"``; ``"nowhere"`` where it is 0."""
    if not heat.max() > 0:
        return "nowhere"
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    down = _ROWS[int(3 * (row + 0.5) / heat.shape[0])]
    across = _COLUMNS[int(3 * (column + 0.5) / heat.shape[1])]
    return "middle" if down == across else f"{down} {across}"


def png(picture: Image.Image) -> str:
    """A picture as a data URI."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
