"""Splits, datasets and stratified subsets."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.data.dataset import Dataset, Split, stratified
from ftkit.errors import FtkitError


def labels_with(*counts: int, seed: int = 0) -> np.ndarray:
    """That many labels of each class, in random order."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    return np.random.default_rng(seed).permutation(labels)


def split_of(labels: np.ndarray) -> Split:
    """A split whose pictures hold their own number in the first two bytes."""
    images = np.zeros((len(labels), 4, 4, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.divmod(np.arange(len(labels)), 256)
    return Split(images, labels)


def dataset_of(labels: np.ndarray, classes: int) -> Dataset:
    names = tuple(f"class {number}" for number in range(classes))
    return Dataset("made up", names, split_of(labels), split_of(np.arange(classes)), ("a: b",))


def taken(counts: tuple[int, ...], size: int, seed: int = 0) -> list[int]:
    labels = labels_with(*counts)
    return np.bincount(
        labels[stratified(labels, len(counts), size, seed)], minlength=len(counts)
    ).tolist()


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ((50, 30, 20), 10, [5, 3, 2]),
        ((500, 500), 100, [50, 50]),
        ((10, 10, 10), 30, [10, 10, 10]),
        ((70, 30), 20, [14, 6]),
        ((1, 1, 1), 3, [1, 1, 1]),
        ((67, 33), 10, [7, 3]),
        ((8,), 3, [3]),
    ],
)
def test_a_subset_keeps_the_shares_of_the_classes(counts, size, expected):
    assert taken(counts, size) == expected


def test_shares_are_rounded_by_largest_remainder():
    assert taken((44, 27, 17, 12), 10) == [4, 3, 2, 1]
    assert taken((55, 28, 17), 10) == [5, 3, 2]
    assert taken((47, 16, 16, 12, 6, 3), 10) == [5, 1, 1, 1, 1, 1]


def test_equal_remainders_differ_by_one_at_most():
    counts = taken((20, 20, 20), 10)
    assert sum(counts) == 10
    assert max(counts) - min(counts) == 1


@pytest.mark.parametrize(
    "counts", [(1000, 1), (1, 1000, 1, 1), (997, 1, 1, 1), (2, 2, 500), (300, *[1] * 40), (3, 4, 5)]
)
def test_even_very_unbalanced_classes_keep_a_picture_each_at_every_size(counts):
    labels, classes = labels_with(*counts), len(counts)
    step = max(1, len(labels) // 60)
    for size in sorted({*range(classes, len(labels) + 1, step), classes + 1, len(labels)}):
        chosen = stratified(labels, classes, size, seed=0)
        found = np.bincount(labels[chosen], minlength=classes)
        assert len(chosen) == size
        assert (found >= 1).all()
        assert (found <= counts).all()


def test_random_label_sets_give_the_exact_size_within_one_of_the_share():
    rng = np.random.default_rng(7)
    for _ in range(200):
        counts = rng.integers(20, 200, rng.integers(2, 9))
        labels = labels_with(*counts)
        size = int(rng.integers(len(labels) // 3, len(labels) + 1))
        chosen = stratified(labels, len(counts), size, seed=1)
        ideal = counts * size / len(labels)
        assert len(chosen) == size
        assert (np.abs(np.bincount(labels[chosen]) - ideal) < 1).all()


def test_indices_are_ascending_unique_int64():
    chosen = stratified(labels_with(30, 20), 2, 25, seed=3)
    assert chosen.dtype == np.int64
    assert (np.diff(chosen) > 0).all()


def test_the_seed_and_nothing_else_decides_which_are_chosen():
    labels = labels_with(100, 100)
    first, again, other = (stratified(labels, 2, 40, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_picture_can_be_chosen():
    labels = labels_with(6, 4)
    seen = {int(i) for seed in range(60) for i in stratified(labels, 2, 5, seed)}
    assert seen == set(range(10))


def test_a_larger_subset_of_balanced_classes_contains_the_smaller():
    labels = labels_with(50, 50)
    small, large = (set(stratified(labels, 2, size, seed=4).tolist()) for size in (20, 60))
    assert small < large


def test_all_of_them_is_everything_in_order():
    labels = labels_with(7, 1, 12)
    assert stratified(labels, 3, 20, seed=9).tolist() == list(range(20))


@pytest.mark.parametrize("size", [-1, 0, 2, 21])
def test_a_size_below_the_classes_or_above_the_pictures_is_an_error(size):
    with pytest.raises(FtkitError, match=f"between 3 .* and 20 .* got {size}"):
        stratified(labels_with(10, 9, 1), 3, size, seed=0)


def test_a_dataset_subset_keeps_pictures_and_labels_together_and_leaves_the_rest():
    labels = labels_with(300, 100)
    dataset = dataset_of(labels, 2)
    part = dataset.subset(40, seed=2)
    numbers = part.train.images[:, 0, 0, 0].astype(int) * 256 + part.train.images[:, 0, 0, 1]
    assert np.array_equal(labels[numbers], part.train.labels)
    assert np.bincount(part.train.labels).tolist() == [30, 10]
    assert part.val is dataset.val
    assert (part.name, part.class_names, part.skipped) == (
        "made up",
        dataset.class_names,
        ("a: b",),
    )
    assert len(dataset.train) == 400


def test_a_dataset_subset_out_of_range_is_an_error():
    with pytest.raises(FtkitError, match="train-size"):
        dataset_of(labels_with(5, 5), 2).subset(11, seed=0)


def test_image_size_is_the_height_in_pixels():
    assert dataset_of(labels_with(2, 2), 2).image_size == 4


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((2, 3, 4, 4), np.uint8),
    ],
)
def test_pictures_that_are_not_rgb_bytes_are_an_error(images):
    with pytest.raises(FtkitError, match="uint8 of shape"):
        Split(images, np.zeros(2, np.int64))


@pytest.mark.parametrize(
    "labels", [np.zeros(3, np.int64), np.zeros(2, np.int32), np.zeros((2, 1), np.int64)]
)
def test_labels_that_do_not_fit_the_pictures_are_an_error(labels):
    with pytest.raises(FtkitError, match="one int64 label per picture"):
        Split(np.zeros((2, 4, 4, 3), np.uint8), labels)


def test_an_empty_part_is_an_error():
    empty, full = split_of(np.zeros(0, np.int64)), split_of(np.zeros(2, np.int64))
    with pytest.raises(FtkitError, match="The val part of 'x' holds no picture"):
        Dataset("x", ("a",), full, empty)
    with pytest.raises(FtkitError, match="The train part of 'x' holds no picture"):
        Dataset("x", ("a",), empty, full)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_label_without_a_class_name_is_an_error(wrong):
    good, bad = split_of(np.array([0, 1])), split_of(np.array([0, wrong]))
    with pytest.raises(FtkitError, match=r"labels of the val part .* 0\.\.1"):
        Dataset("x", ("a", "b"), good, bad)
