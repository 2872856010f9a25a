"""Batches: order, augmentation and dropout, all decided by the seed and the epoch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.data.batches import (
    SHUFFLE_BUFFER,
    Activations,
    Views,
    augmented,
    epoch_batches,
    evaluation_batches,
    evaluation_rows,
    steps_per_epoch,
    view,
    views_ahead,
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
CROPS = Recipe(augment="flip-crop", views=3, batch_size=4)
FIXED = Views(3, exact=False)


def test_the_same_seed_and_epoch_give_the_same_batches():
    recipe = Recipe(batch_size=4, augment="flip-crop", seed=3)
    rates = (0.5, 0.5, 0.2, 0.1)
    for first, again in zip(
        epoch_batches(TEN, recipe, 2, rates), epoch_batches(TEN, recipe, 2, rates), strict=True
    ):
        assert len(np.unique(first.keep)) > 1
        assert np.array_equal(first.inputs, again.inputs)
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
        assert np.array_equal(batch.inputs, TEN.images[batch.labels])


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


def drawn_anew(split):
    return augmented(split.images, "flip-crop", np.random.default_rng(0))


def a_fixed_view(split):
    return view(split, CROPS, FIXED, 1, slice(0, len(split)))


@pytest.mark.parametrize("crop", [drawn_anew, a_fixed_view])
def test_a_crop_is_a_window_of_the_reflected_picture_or_of_its_mirror(crop):
    split, pad = split_of(60, size=16), 2
    images, found = split.images, crop(split)
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
        return batch.inputs[np.argsort(batch.labels)]

    assert np.array_equal(pictures(0, 0), pictures(0, 0))
    assert not np.array_equal(pictures(0, 0), pictures(0, 1))
    assert not np.array_equal(pictures(0, 0), pictures(1, 0))
    assert np.array_equal(split.images, before)


# What is computed ahead: rows that stand for the pictures, or for their views


@pytest.mark.parametrize(
    ("recipe", "views"),
    [
        (Recipe(), Views(1, exact=True)),
        (Recipe(augment="flip"), Views(2, exact=True)),
        (CROPS, FIXED),
        (Recipe(augment="flip-crop", views=1), Views(1, exact=False)),
        (Recipe(augment="flip-crop"), None),
    ],
    ids=["none", "flip", "three crops", "one crop", "crops drawn anew"],
)
def test_both_flips_or_so_many_crops_as_asked_for_can_be_computed_ahead(recipe, views):
    assert views_ahead(recipe) == views


def test_the_exact_views_are_the_pictures_and_their_mirror_images():
    both = views_ahead(Recipe(augment="flip"))
    found = [view(TEN, Recipe(augment="flip"), both, number, slice(2, 5)) for number in (0, 1)]
    assert np.array_equal(found[0], TEN.images[2:5])
    assert np.array_equal(found[1], TEN.images[2:5, :, ::-1])


def test_a_fixed_view_goes_by_seed_and_number_and_not_by_how_it_is_sliced():
    def pictures(seed, number, *cuts):
        recipe = Recipe(augment="flip-crop", views=3, seed=seed)
        edges = [0, *cuts, len(TEN)]
        rows = [slice(start, end) for start, end in pairwise(edges)]
        return np.concatenate([view(TEN, recipe, FIXED, number, part) for part in rows]).tobytes()

    assert pictures(0, 1) == pictures(0, 1) == pictures(0, 1, 1, 4, 9)
    assert len({pictures(seed, number) for seed in (0, 1) for number in (0, 1, 2)}) == 6


def same_batches(one, other, recipe, epoch, **options):
    """Whether two sources give the same in an epoch, byte for byte."""
    pairs = zip(
        epoch_batches(one, recipe, epoch, **options),
        epoch_batches(other, recipe, epoch, **options),
        strict=True,
    )
    return all(
        getattr(first, name).tobytes() == getattr(second, name).tobytes()
        for first, second in pairs
        for name in ("inputs", "labels", "keep")
    )


@pytest.mark.parametrize("options", [{}, {"buffered": True}, {"drop_rates": (0.5, 0.1)}])
@pytest.mark.parametrize("epoch", range(4))
def test_rows_for_both_flips_give_the_batches_that_flipping_the_pictures_gives(epoch, options):
    recipe = Recipe(augment="flip", batch_size=4, seed=3)
    rows = np.concatenate([TEN.images, TEN.images[:, :, ::-1]])
    flips = Activations(rows, TEN.labels, 2, Views(2, exact=True))
    assert same_batches(TEN, flips, recipe, epoch, **options)
    assert not same_batches(TEN, flips, Recipe(batch_size=4, seed=3), epoch, **options)


def test_rows_for_the_pictures_alone_give_the_batches_of_the_pictures():
    rows = Activations(TEN.images, TEN.labels, 2)
    assert all(same_batches(TEN, rows, Recipe(batch_size=4), epoch) for epoch in range(3))


def test_fixed_views_take_turns_one_an_epoch():
    rows = [[number, picture] for number in range(3) for picture in range(10)]
    fixed = Activations(np.array(rows), TEN.labels, 2, FIXED)
    for epoch in range(7):
        for batch in epoch_batches(fixed, CROPS, epoch):
            assert set(batch.inputs[:, 0]) == {epoch % 3}
            assert np.array_equal(batch.inputs[:, 1], batch.labels)


def test_pictures_with_fixed_views_take_the_same_turns_without_anything_computed_ahead():
    fixed = views_ahead(CROPS)
    shown = [view(TEN, CROPS, fixed, number, slice(0, 10)) for number in range(fixed.count)]
    assert not np.array_equal(shown[0], shown[1])
    for epoch in range(7):
        for batch in epoch_batches(TEN, CROPS, epoch):
            assert np.array_equal(batch.inputs, shown[epoch % fixed.count][batch.labels])


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


@pytest.mark.parametrize(("size", "expected"), [(64, [128, 128, 128, 16]), (224, [32] * 12 + [16])])
def test_evaluation_takes_32_pictures_of_224_pixels_in_order_and_never_more_than_128(
    size, expected
):
    images = np.zeros((400, size, size, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(400) % 251
    batches = list(evaluation_batches(images))
    assert [len(batch) for batch in batches] == expected
    assert np.array_equal(np.concatenate(batches), images)


def test_one_picture_larger_than_a_batch_is_evaluated_alone():
    batches = list(evaluation_batches(np.zeros((2, 1100, 1100, 3), np.uint8)))
    assert [len(batch) for batch in batches] == [1, 1]


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((10_000, 512), {9408, 592}),
        ((60, 7, 7, 2048), {48, 12}),
        ((3, 2000, 2000), {1}),
        ((5, 2), {5}),
    ],
)
def test_rows_are_looked_at_once_each_in_order_and_as_many_numbers_at_a_time(shape, sizes):
    found = list(evaluation_rows(shape))
    assert [number for rows in found for number in range(shape[0])[rows]] == list(range(shape[0]))
    assert {rows.stop - rows.start for rows in found} == sizes


def test_what_is_evaluated_is_a_copy_whatever_it_comes_from(tmp_path):
    np.save(tmp_path / "pictures.npy", TEN.images)
    for images in (TEN.images, np.load(tmp_path / "pictures.npy", mmap_mode="r")):
        (batch,) = evaluation_batches(images)
        assert type(batch) is np.ndarray
        assert not np.shares_memory(batch, images)
        assert np.array_equal(batch, images)
