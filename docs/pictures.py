"""Draws `docs/drawn.jpg`, the contact sheet in the README: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ftkit.data.drawn import draw

COLUMNS, SIZE, GAP = 12, 96, 6
SEED = 3


def main() -> None:
    """Two rows of pets, one of source shapes, one of new shapes."""
    shapes, _ = draw("shapes", 72, SIZE, SEED)
    rows = [
        shapes[np.arange(COLUMNS) * 6 + np.arange(COLUMNS) % 6],
        draw("new-shapes", COLUMNS, SIZE, SEED)[0],
        *np.split(draw("drawn-pets", 2 * COLUMNS, SIZE, SEED)[0], 2),
    ]
    step = SIZE + GAP
    sheet = np.full((len(rows) * step - GAP, COLUMNS * step - GAP, 3), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * step, column * step
            sheet[top : top + SIZE, left : left + SIZE] = picture
    Image.fromarray(sheet).save(Path(__file__).with_name("drawn.jpg"), quality=88, optimize=True)


if __name__ == "__main__":
    main()
