"""Maps of where a network looks, as pictures and in words."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.report.heat import WIDEST, overlaid, place, small


def picture(height=32, width=32):
    return np.full((height, width, 3), 128, np.uint8)


def test_the_overlay_is_lightest_where_the_map_is_largest():
    heat = np.zeros((2, 2), np.float32)
    heat[0, 1] = 7.0
    light = np.asarray(overlaid(picture(), heat).convert("L"), float)
    quarters = [light[:16, :16], light[:16, 16:], light[16:, :16], light[16:, 16:]]
    means = [quarter.mean() for quarter in quarters]
    assert means.index(max(means)) == 1
    assert light[2, 29] - light[29, 2] > 80


def test_the_scale_of_a_map_does_not_matter_and_nothing_stays_dark():
    heat = np.array([[0, 1], [2, 3]], np.float32)
    assert np.array_equal(overlaid(picture(), heat), overlaid(picture(), heat / 2**20))
    dark = np.asarray(overlaid(picture(), np.zeros((2, 2), np.float32)))
    assert np.array_equal(dark, np.broadcast_to(dark[0, 0], dark.shape))


@pytest.mark.parametrize("size", [(32, 32), (224, 224), (300, 150)])
def test_pictures_are_made_small_and_keep_their_shape(size):
    heat = np.ones((3, 3), np.float32)
    made = overlaid(picture(*size), heat)
    assert made.size == small(picture(*size)).size
    assert max(made.size) <= WIDEST
    assert made.size[0] / made.size[1] == pytest.approx(size[1] / size[0], rel=0.03)


@pytest.mark.parametrize(
    ("at", "shape", "words"),
    [
        ((0, 1), (2, 2), "upper right"),
        ((1, 0), (2, 2), "lower left"),
        ((3, 3), (7, 7), "middle"),
        ((3, 0), (7, 7), "middle left"),
        ((6, 3), (7, 7), "lower middle"),
        ((0, 0), (1, 1), "middle"),
    ],
)
def test_a_map_is_told_in_words(at, shape, words):
    heat = np.zeros(shape, np.float32)
    assert place(heat) == "nowhere"
    heat[at] = 0.5
    assert place(heat) == words
