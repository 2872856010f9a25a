"""A dataset on disk, so that every process sees the same bytes without a copy of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ftkit.data.dataset import Dataset, Split


def save(dataset: Dataset, folder: Path) -> None:
    """Writes a dataset into an existing, empty folder: four ``.npy`` files and one of JSON."""
    for part, split in (("train", dataset.train), ("val", dataset.val)):
        np.save(folder / f"{part}_images.npy", split.images, allow_pickle=False)
        np.save(folder / f"{part}_labels.npy", split.labels, allow_pickle=False)
    about = {
        "name": dataset.name,
        "class_names": dataset.class_names,
        "skipped": dataset.skipped,
    }
    (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def open_stored(folder: Path) -> Dataset:
    """The dataset in a folder; its pictures are memory-mapped, read-only."""
    about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    train, val = (
        Split(
            np.load(folder / f"{part}_images.npy", mmap_mode="r", allow_pickle=False),
            np.load(folder / f"{part}_labels.npy", allow_pickle=False),
        )
        for part in ("train", "val")
    )
    names, skipped = tuple(about["class_names"]), tuple(about["skipped"])
    return Dataset(about["name"], names, train, val, skipped)
