"""The bundled picture tasks: reproducible, balanced, and told apart by what they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ftkit.data import drawn
from ftkit.data.dataset import Dataset, Split
from ftkit.data.drawn.canvas import Canvas, Frame
from ftkit.data.drawn.outlines import Array
from ftkit.data.drawn.shapes import NEW_SHAPES, SOURCE_SHAPES
from ftkit.data.drawn.textures import TEXTURES, WHOLE
from ftkit.errors import FtkitError

NAMES = tuple(drawn.TASKS)


def test_the_package_exports_what_it_lists() -> None:
    assert sorted(drawn.__all__) == ["DrawnTask", "TASKS", "draw"]
    assert NAMES == ("shapes", "new-shapes", "drawn-pets")
    assert all(name == task.name for name, task in drawn.TASKS.items())


def test_the_source_task_has_72_classes_and_the_new_task_shares_no_shape_with_it() -> None:
    names = drawn.TASKS["shapes"].class_names
    assert len(set(names)) == 72
    assert "star, striped" in names
    assert not set(drawn.TASKS["new-shapes"].class_names) & set(SOURCE_SHAPES)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_pictures(name: str) -> None:
    first, labels = drawn.draw(name, 6, seed=3)
    again, _ = drawn.draw(name, 6, seed=3)
    other, same_labels = drawn.draw(name, 6, seed=4)
    assert first.tobytes() == again.tobytes()
    assert np.array_equal(labels, same_labels)
    assert all(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_smaller_set_is_the_beginning_of_a_larger_one(name: str) -> None:
    images, labels = drawn.draw(name, 9)
    few, few_labels = drawn.draw(name, 4)
    rest, rest_labels = drawn.draw(name, 5, start=4)
    assert np.array_equal(images, np.concatenate([few, rest]))
    assert np.array_equal(labels, np.concatenate([few_labels, rest_labels]))


@pytest.mark.parametrize("name", NAMES)
def test_every_prefix_is_balanced_to_within_one_picture(name: str) -> None:
    classes = len(drawn.TASKS[name].class_names)
    _, labels = drawn.draw(name, 2 * classes + 1, size=16)
    for length in (classes, classes + 1, 2 * classes + 1):
        counts = np.bincount(labels[:length], minlength=classes)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", (16, 33, 64, 96))
def test_pictures_of_any_size_fit_the_dataset_contract(name: str, size: int) -> None:
    classes = drawn.TASKS[name].class_names
    split = Split(*drawn.draw(name, 3, size=size))
    assert Dataset(name, classes, split, split).image_size == size
    assert split.images.std(axis=(1, 2, 3)).min() > 2


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_the_same_thing_at_every_size(name: str) -> None:
    small, _ = drawn.draw(name, 8, size=32)
    large, _ = drawn.draw(name, 8, size=128)
    shrunk = large.reshape(8, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 10


def _silhouettes(turns: int) -> Array:
    """All shapes at equal area, turned: float32, shape ``(shapes, 2 * turns, pixels)``."""
    canvas = Canvas(48)
    outlines = [*SOURCE_SHAPES.values(), *NEW_SHAPES.values()]
    masks = []
    for outline in outlines:
        area = canvas.cover(outline, Frame().place(scale=0.8)).mean() * 4 / 0.64
        scale = 0.9 / math.sqrt(area)
        poses = [(2 * math.pi * i / turns, flip) for i in range(turns) for flip in (False, True)]
        frames = [Frame().place((0, 0), turn, scale, flip=flip) for turn, flip in poses]
        masks.append([canvas.cover(outline, frame).ravel() for frame in frames])
    return np.asarray(masks, np.float32)


def test_no_two_shapes_have_the_same_silhouette_in_any_pose() -> None:
    masks = _silhouettes(turns=36)
    for i, poses in enumerate(masks):
        for j in range(i):
            shared = np.minimum(masks[j, 0], poses).sum(axis=1)
            joined = np.maximum(masks[j, 0], poses).sum(axis=1)
            assert (shared / joined).max() < 0.93, (i, j)


def test_the_textures_are_told_apart_by_their_values_and_spectrum() -> None:
    axis = ((np.arange(48) + 0.5) / 24 - 1).astype(np.float32)
    rng = np.random.default_rng(0)
    features = []
    for texture in TEXTURES.values():
        for _ in range(40):
            field = texture(rng, WHOLE)(axis[None, :], axis[:, None], 2 / 48)
            assert field.dtype == np.float32 and field.min() >= 0 and field.max() <= 1
            power = np.sort(np.abs(np.fft.rfft2(field - field.mean())).ravel())[::-1][:24] / 400
            features.append([*power, field.mean(), ((field > 0.1) & (field < 0.9)).mean()])
    table = np.asarray(features).reshape(len(TEXTURES), 2, 20, -1)
    means = table[:, 0].mean(axis=1)
    gaps = np.linalg.norm(table[:, 1, :, None, :] - means, axis=-1)
    right = gaps.argmin(axis=-1) == np.arange(len(TEXTURES))[:, None]
    assert right.mean() > 0.7
    assert right.mean(axis=1).min() > 0.4


def test_two_pictures_of_one_class_differ_in_pose_and_colour() -> None:
    images, labels = drawn.draw("new-shapes", 60, size=32)
    flowers = images[labels == 2].astype(float)
    assert flowers.mean(axis=(1, 2)).std(axis=0).min() > 15
    assert np.abs(flowers[1:] - flowers[:-1]).mean(axis=(1, 2, 3)).min() > 10


def _colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean colour and a histogram of 64 colours per picture: float64, shape ``(n, 67)``."""
    bins = (images // 64).astype(np.int64) @ np.array([16, 4, 1])
    counts = np.stack([np.bincount(row.ravel(), minlength=64) for row in bins])
    histogram = np.sqrt(counts / bins[0].size)
    return np.concatenate([histogram, images.mean(axis=(1, 2)) / 255], axis=1)


def test_colour_statistics_do_not_give_the_animal_away() -> None:
    images, labels = drawn.draw("drawn-pets", 400, size=32)
    colours = _colours(images)
    colours = (colours - colours.mean(axis=0)) / (colours.std(axis=0) + 1e-6)
    sign = 2.0 * labels - 1
    for part in (colours, colours[:, -3:]):
        train, test = part[:200], part[200:]
        nearest = test @ (train[sign[:200] > 0].mean(axis=0) - train[sign[:200] < 0].mean(axis=0))
        weights = np.zeros(part.shape[1])
        for _ in range(200):
            pull = sign[:200] / (1 + np.exp(sign[:200] * (train @ weights)))
            weights += 0.1 * (train.T @ pull / 200 - 0.01 * weights)
        for score in (nearest, test @ weights):
            assert 0.39 < (np.sign(score) == sign[200:]).mean() < 0.61


def test_edges_tell_the_animals_apart_where_colours_do_not() -> None:
    images, labels = drawn.draw("drawn-pets", 500, size=32)
    grey = images.mean(axis=3) / 255
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    bins = (np.arctan2(down, across) % np.pi / np.pi * 6).astype(int) % 6
    cells = [(strength * (bins == k)).reshape(500, 8, 4, 8, 4).sum(axis=(2, 4)) for k in range(6)]
    table = np.sqrt(np.stack(cells, axis=-1)).reshape(500, -1)
    table = (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-6)
    train, test = table[:300], table[300:]
    kernel = train @ train.T + table.shape[1] * np.eye(300)
    score = test @ train.T @ np.linalg.solve(kernel, 2.0 * labels[:300] - 1)
    assert ((score > 0) == labels[300:]).mean() > 0.7


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(FtkitError, match="Unknown drawn task 'drawn-pet'. Did you mean 'drawn-p"):
        drawn.draw("drawn-pet", 1)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"count": 0}, "count to be at least 1 .* got 0"),
        ({"count": 1, "size": 15}, "size to be at least 16 .* got 15"),
        ({"count": 1, "seed": -1}, "seed to be at least 0 .* got -1"),
        ({"count": 1, "start": -2}, "start to be at least 0 .* got -2"),
    ],
)
def test_a_number_that_is_too_small_is_refused(numbers: dict[str, int], message: str) -> None:
    with pytest.raises(FtkitError, match=message):
        drawn.draw("shapes", **numbers)
