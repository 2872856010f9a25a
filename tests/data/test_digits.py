"""The handwritten digits: counts, values, split, and the error without scikit-learn."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ftkit.data.digits import load_digits
from ftkit.errors import FtkitError


def test_all_1797_digits_are_there_with_a_fifth_of_each_class_held_out():
    dataset = load_digits(8, seed=0)
    assert dataset.name == "digits"
    assert dataset.class_names == tuple("0123456789")
    assert len(dataset.train) + len(dataset.val) == 1797
    train, val = np.bincount(dataset.train.labels), np.bincount(dataset.val.labels)
    assert val.tolist() == np.rint((train + val) * 0.2).astype(int).tolist()


def test_at_8_pixels_the_grey_values_are_the_originals_scaled_to_0_to_255():
    from sklearn import datasets

    dataset = load_digits(8, seed=0)
    grey, labels = datasets.load_digits(return_X_y=True)
    expected = np.rint(grey / 16 * 255).astype(np.uint8)
    both = np.concatenate([dataset.train.images, dataset.val.images])[..., 0].reshape(-1, 64)
    targets = np.concatenate([dataset.train.labels, dataset.val.labels])
    found = sorted(zip(map(bytes, both), targets.tolist(), strict=True))
    assert found == sorted(zip(map(bytes, expected), labels.tolist(), strict=True))
    assert both.max() == 255
    assert both.min() == 0


@pytest.mark.parametrize("size", [1, 5, 32])
def test_pictures_have_the_size_asked_for_and_three_equal_channels(size):
    dataset = load_digits(size, seed=0)
    for split in (dataset.train, dataset.val):
        assert split.images.shape[1:] == (size, size, 3)
        assert split.images.dtype == np.uint8
        assert (split.images == split.images[..., :1]).all()


def test_enlarging_keeps_the_picture():
    small, large = load_digits(8, seed=0).val, load_digits(32, seed=0).val
    back = large.images.reshape(-1, 8, 4, 8, 4, 3).mean((2, 4))
    assert np.corrcoef(back.ravel(), small.images.ravel())[0, 1] > 0.97


def test_the_seed_and_nothing_else_decides_which_digits_are_held_out():
    first, again, other = (load_digits(8, seed).val.images for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape == other.shape
    assert not np.array_equal(first, other)


def test_the_held_out_digits_do_not_depend_on_the_picture_size():
    assert np.array_equal(load_digits(8, seed=5).val.labels, load_digits(9, seed=5).val.labels)


def test_without_scikit_learn_the_error_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(FtkitError, match="pip install scikit-learn"):
        load_digits(8, seed=0)


def test_an_image_size_below_1_is_an_error():
    with pytest.raises(FtkitError, match="at least 1 pixel; got 0"):
        load_digits(0, seed=0)
