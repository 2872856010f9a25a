"""Scikit-learn's handwritten digits: a small real dataset that needs no download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ftkit.data.dataset import Dataset, Split
from ftkit.data.folder import hold_out
from ftkit.errors import FtkitError


def load_digits(image_size: int, seed: int) -> Dataset:
    """Load 1,797 handwritten digits in ten classes, a fifth of each class held out.

    Args:
        image_size: Height and width of the result in pixels. The originals have 8.
        seed: Decides which digits are held out.

    Returns:
        Images uint8 of shape ``(n, image_size, image_size, 3)``, white on black, the three
        channels equal.

    Raises:
        FtkitError: If scikit-learn is missing or ``image_size`` is below 1.
    """
    if image_size < 1:
        raise FtkitError(f"Expected an image size of at least 1 pixel; got {image_size}.")
    try:
        from sklearn import datasets  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise FtkitError(
            "Expected scikit-learn, whose handwritten digits these are; it cannot be imported. "
            "Install it: python -m pip install scikit-learn"
        ) from error
    grey, target = datasets.load_digits(return_X_y=True)
    pixels = np.rint(grey.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)  # 0..16 to 0..255
    labels = target.astype(np.int64)
    train, val = hold_out(labels, val_share=0.2, seed=seed)
    return Dataset(
        name="digits",
        class_names=tuple("0123456789"),
        train=Split(_enlarge(pixels[train], image_size), labels[train]),
        val=Split(_enlarge(pixels[val], image_size), labels[val]),
    )


def _enlarge(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Scale grey pictures ``(n, 8, 8)`` to RGB ``(n, size, size, 3)``.

    Bicubic gives smooth strokes; nearest neighbour would give blocks, whose edges are a stronger
    signal to a network than the strokes themselves.
    """
    images = np.empty((len(pixels), size, size, 3), np.uint8)
    for image, small in zip(images, pixels, strict=True):
        grey = Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)
        image[:] = np.asarray(grey)[:, :, None]
    return images
