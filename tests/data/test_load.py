"""Data by name: drawn tasks, digits, pets and folders, and how many of them."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.data import NAMES, load, seeded
from ftkit.errors import FtkitError


def test_the_names_are_the_three_drawn_tasks_the_digits_and_two_readings_of_the_pets():
    assert NAMES == ("shapes", "new-shapes", "drawn-pets", "digits", "pets", "pet-breeds")


def test_a_small_drawn_set_is_the_beginning_of_a_larger_one_and_is_judged_by_the_same_pictures():
    small, large = (load("new-shapes", 32, 0, count) for count in (8, 20))
    assert (len(small.train), len(large.train)) == (8, 20)
    assert np.array_equal(small.train.images, large.train.images[:8])
    assert np.array_equal(small.val.images, large.val.images)
    assert np.array_equal(small.val.labels, large.val.labels)


def test_no_validation_picture_is_among_the_training_pictures():
    dataset = load("drawn-pets", 32, 0, 40)
    seen = {image.tobytes() for image in dataset.train.images}
    assert not any(image.tobytes() in seen for image in dataset.val.images)


def test_another_seed_draws_other_pictures():
    one, other = (load("drawn-pets", 32, seed, 4) for seed in (0, 1))
    assert not np.array_equal(one.train.images, other.train.images)
    assert not np.array_equal(one.val.images, other.val.images)


@pytest.mark.parametrize("source", ["digits", "folder"])
def test_other_sources_give_a_stratified_part_of_their_training_pictures(source, pictures):
    data, size = ("digits", 40) if source == "digits" else (str(pictures), 10)
    whole, part = load(data, 32, 0), load(data, 32, 0, size)
    counts = np.bincount(part.train.labels)
    assert len(part.train) == size
    assert counts.max() - counts.min() <= 1
    there = {image.tobytes() for image in whole.train.images}
    assert all(image.tobytes() in there for image in part.train.images)
    assert np.array_equal(whole.val.images, part.val.images)


def test_a_folder_is_named_after_its_path_and_has_the_size_asked_for(pictures):
    dataset = load(str(pictures), 48, 0)
    assert dataset.name == str(pictures)
    assert dataset.class_names == ("blue", "red")
    assert dataset.train.images.shape == (24, 48, 48, 3)
    assert len(dataset.val) == 6


def test_an_unknown_name_is_refused_with_the_nearest_and_the_other_way_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FtkitError, match=r"data 'drawn-pet'. Did you mean 'drawn-pets'\?.* Or give a folder"
    ):
        load("drawn-pet", 32, 0)


def test_a_folder_of_that_name_in_the_current_one_is_found(pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    assert load(pictures.name, 32, 0).class_names == ("blue", "red")


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        ("drawn-pets", 1, "--train-size must be at least 2 for drawn-pets .*; got 1."),
        ("shapes", 71, "--train-size must be at least 72 for shapes"),
        ("digits", 9, r"must lie between 10 \(one picture per class\) and 14\d\d .*; got 9."),
        ("digits", 1797, "must lie between 10 .* got 1797."),
    ],
)
def test_a_number_of_pictures_that_cannot_be_is_refused(data, size, message):
    with pytest.raises(FtkitError, match=message):
        load(data, 32, 0, size)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("~nobody-of-that-name/pictures", "Expected a path; got '~nobody-of-that-name/pictures'"),
        ("d" * 300, "File name too long"),
        ("missing/folder", "cannot read missing.folder: No such file"),
    ],
)
def test_a_path_where_nothing_can_be_is_refused(data, message):
    with pytest.raises(FtkitError, match=message):
        load(data, 32, 0)


@pytest.mark.parametrize(
    ("data", "train_size", "says"),
    [("drawn-pets", None, True), ("digits", None, True), ("pets", None, False), ("pets", 9, True)],
)
def test_whether_the_seed_has_a_say_in_the_pictures(data, train_size, says):
    assert seeded(data, train_size) is says


def test_a_folder_is_divided_by_the_seed_unless_it_is_divided_already(pictures, tmp_path):
    (tmp_path / "train").symlink_to(pictures)
    (tmp_path / "val").symlink_to(pictures)
    for folder, size, says in (
        (pictures, None, True),
        (tmp_path, None, False),
        (tmp_path, 4, True),
    ):
        assert seeded(str(folder), size) is says
        one, other = (load(str(folder), 8, seed, size) for seed in (0, 1))
        assert np.array_equal(one.train.images, other.train.images) is not says
