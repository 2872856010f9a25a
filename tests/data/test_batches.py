"""Batches: order, augmentation and dropout, all decided by the seed and the epoch."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.data.batches import (
    SHUFFLE_BUFFER,
    augmented,
    epoch_batches,
    evaluation_batches,
    steps_per_epoch,
)
from ftkit.data.dataset import Split
from ftkit.recipe import Recipe


def split_of(count, size=8):
    """Pictures of noise; each picture's label is its index."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Split(images, np.arange(count, dtype=np.int64))


def order(split, recipe, epoch=0, **options):
    batches = epoch_batches(split, recipe, epoch, **options)
    return np.concatenate([batch.labels for batch in batches]).tolist()


TEN = split_of(10)


def test_the_same_seed_and_epoch_give_the_same_batches():
    recipe = Recipe(batch_size=4, augment="flip-crop", seed=3)
    rates = (0.5, 0.5, 0.2, 0.1)
    for first, again in zip(
        epoch_batches(TEN, recipe, 2, rates), epoch_batches(TEN, recipe, 2, rates), strict=True
    ):
        assert len(np.unique(first.keep)) > 1
        assert np.array_equal(first.images, again.images)
        assert np.array_equal(first.labels, again.labels)
        assert np.array_equal(first.keep, again.keep)


def test_epochs_and_seeds_differ_in_order():
    split = split_of(30)
    orders = [order(split, Recipe(seed=seed), epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len({tuple(found) for found in orders}) == 6


def test_the_order_does_not_depend_on_batch_size_augmentation_or_dropout():
    expected = order(TEN, Recipe(batch_size=4))
    assert order(TEN, Recipe(batch_size=3)) == expected
    assert order(TEN, Recipe(augment="flip-crop")) == expected
    assert order(TEN, Recipe(batch_size=4), drop_rates=(0.5, 0.1)) == expected


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5, 10, 99])
def test_every_picture_comes_once_and_the_last_batch_may_be_smaller(size, buffered):
    recipe = Recipe(batch_size=size)
    batches = list(epoch_batches(TEN, recipe, 0, (), buffered))
    sizes = [len(batch.labels) for batch in batches]
    assert sum(sizes) == 10
    assert set(sizes[:-1]) <= {size}
    assert 1 <= sizes[-1] <= size
    assert len(batches) == steps_per_epoch(10, size)
    assert sorted(label for batch in batches for label in batch.labels) == list(range(10))
    for batch in batches:
        assert np.array_equal(batch.images, TEN.images[batch.labels])


def test_from_a_buffer_no_picture_comes_before_it_has_been_read():
    split = split_of(SHUFFLE_BUFFER * 2, size=2)
    found = np.asarray(order(split, Recipe(), buffered=True))
    assert sorted(found) == list(range(len(split)))
    assert (found < np.arange(len(split)) + SHUFFLE_BUFFER).all()
    assert not (found < np.arange(len(split)) + SHUFFLE_BUFFER // 2).all()


def test_a_buffer_that_holds_all_pictures_shuffles_them_all():
    found = order(split_of(200, size=2), Recipe(), buffered=True)
    assert found != sorted(found)
    assert max(found[:50]) > 150


# Augmentation


def test_without_augmentation_pictures_stay_as_they_are():
    found = augmented(TEN.images, "none", np.random.default_rng(0))
    assert np.array_equal(found, TEN.images)


def test_a_flip_mirrors_left_and_right_half_of_the_time():
    images = split_of(400).images
    found = augmented(images, "flip", np.random.default_rng(0))
    kept = (found == images).all(axis=(1, 2, 3))
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


def test_a_flip_puts_the_left_column_on_the_right():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :, 0] = 255
    found = {
        augmented(image, "flip", np.random.default_rng(s))[0, 0, :, 0].tobytes() for s in range(9)
    }
    assert found == {bytes([255, 0, 0, 0]), bytes([0, 0, 0, 255])}


def test_a_crop_is_a_window_of_the_reflected_picture_or_of_its_mirror():
    images, pad = split_of(60, size=16).images, 2
    found = augmented(images, "flip-crop", np.random.default_rng(0))
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    places = []
    for image, cut in zip(images, found):
        for mirrored in (False, True):
            whole = np.pad(
                image[:, ::-1] if mirrored else image, ((pad, pad), (pad, pad), (0, 0)), "reflect"
            )
            places += [
                (mirrored, top, left)
                for top in range(2 * pad + 1)
                for left in range(2 * pad + 1)
                if np.array_equal(whole[top : top + 16, left : left + 16], cut)
            ]
    assert len(places) == len(images)
    for choice, possible in zip(zip(*places), (2, 5, 5)):
        assert len(set(choice)) == possible  # every value was drawn


@pytest.mark.parametrize("augment", ["flip", "flip-crop"])
def test_augmentation_goes_by_seed_and_epoch_and_leaves_the_dataset_alone(augment):
    split = split_of(20)
    before = split.images.copy()

    def pictures(seed, epoch):
        recipe = Recipe(seed=seed, augment=augment, batch_size=20)
        (batch,) = epoch_batches(split, recipe, epoch)
        return batch.images[np.argsort(batch.labels)]

    assert np.array_equal(pictures(0, 0), pictures(0, 0))
    assert not np.array_equal(pictures(0, 0), pictures(0, 1))
    assert not np.array_equal(pictures(0, 0), pictures(1, 0))
    assert np.array_equal(split.images, before)


# Dropout


def test_a_network_that_drops_nothing_has_masks_without_columns():
    sizes = [batch.keep.shape for batch in epoch_batches(TEN, Recipe(batch_size=4), 0)]
    assert sizes == [(4, 0), (4, 0), (2, 0)]


def test_a_rate_of_0_keeps_every_unit_as_it_is():
    (batch,) = epoch_batches(TEN, Recipe(), 0, (0.0,) * 6)
    assert np.array_equal(batch.keep, np.ones((10, 6)))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_is_zero_or_enlarged_so_that_its_mean_is_one(rate):
    (batch,) = epoch_batches(TEN, Recipe(), 0, (rate,) * 5000)
    assert batch.keep.shape == (10, 5000)
    assert batch.keep.dtype == np.float64
    assert set(np.unique(batch.keep)) == {0.0, 1 / (1 - rate)}
    error = np.sqrt(rate / (1 - rate) / batch.keep.size)
    assert batch.keep.mean() == pytest.approx(1, abs=5 * error)


def test_each_column_is_dropped_at_the_rate_of_its_layer():
    rates = architecture("efficientnet_b0", Head(dropout=0.5), 2).drop_rates[:12]
    assert len(set(rates)) == 10  # nine units, each deeper one more often; then the head
    split = split_of(4000, size=1)
    (batch,) = epoch_batches(split, Recipe(batch_size=4000), 0, rates)
    assert batch.keep.shape == (4000, 12)
    for column, rate in zip(batch.keep.T, rates):
        assert set(np.unique(column)) == {0.0, 1 / (1 - rate)}
        assert (column == 0).mean() == pytest.approx(rate, abs=5 * np.sqrt(rate / 4000))


def test_pictures_and_columns_are_dropped_independently_of_each_other():
    (batch,) = epoch_batches(split_of(4000, size=1), Recipe(batch_size=4000), 0, (0.5, 0.5))
    one, other = batch.keep.T == 0
    error = np.sqrt(0.25 * 0.75 / 4000)
    assert (one & other).mean() == pytest.approx(0.25, abs=5 * error)
    assert (one[1:] & one[:-1]).mean() == pytest.approx(0.25, abs=5 * error)


def test_dropout_masks_differ_from_batch_to_batch_and_epoch_to_epoch():
    recipe = Recipe(batch_size=5)
    masks = [
        batch.keep.tobytes()
        for epoch in (0, 1)
        for batch in epoch_batches(TEN, recipe, epoch, (0.5,) * 50)
    ]
    assert len(set(masks)) == 4


# Evaluation


@pytest.mark.parametrize(("size", "expected"), [(64, [256, 44]), (224, [20] * 15)])
def test_evaluation_takes_pictures_in_order_about_a_million_pixels_at_a_time(size, expected):
    images = np.zeros((300, size, size, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(300) % 251
    batches = list(evaluation_batches(images))
    assert [len(batch) for batch in batches] == expected
    assert np.array_equal(np.concatenate(batches), images)


def test_one_picture_larger_than_a_batch_is_evaluated_alone():
    batches = list(evaluation_batches(np.zeros((2, 1100, 1100, 3), np.uint8)))
    assert [len(batch) for batch in batches] == [1, 1]
