"""A dataset on disk: what comes back is what went in."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.data.dataset import Dataset, Split
from ftkit.data.store import open_stored, save


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % 2)

    return Dataset("Café/日本", ("Käse", "猫"), split(6), split(3), ("a.png: empty file",))


def test_everything_comes_back(tmp_path, dataset):
    save(dataset, tmp_path)
    found = open_stored(tmp_path)
    assert (found.name, found.class_names, found.skipped) == (
        dataset.name,
        dataset.class_names,
        dataset.skipped,
    )
    for part in ("train", "val"):
        one, other = getattr(dataset, part), getattr(found, part)
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.labels, other.labels)


def test_pictures_are_mapped_from_the_file_and_cannot_be_written(tmp_path, dataset):
    save(dataset, tmp_path)
    images = open_stored(tmp_path).train.images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
