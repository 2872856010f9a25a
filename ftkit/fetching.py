"""Fills the cache ahead of need: a classroom without a network runs from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ftkit.backbones.catalogue import BACKBONES
from ftkit.backbones.checkpoints import CHECKPOINTS, PUBLISHED, Checkpoint, Published, checkpoint
from ftkit.data.pets import fetch_pets, pets_state
from ftkit.downloads import OnProgress, cache_folder, cached, check, fetch, state
from ftkit.errors import FtkitError, unknown_name

PETS = "pets"


def fetchable() -> tuple[str, ...]:
    """What ``ftkit fetch`` can be asked for."""
    return (*CHECKPOINTS, PETS)


def fetch_all(names: Sequence[str], weights: str, on_progress: OnProgress) -> list[str]:
    """Downloads what is not there yet, and holds what is there to its checksum.

    Args:
        names: Backbones, and ``"pets"``.
        weights: Which weights of the backbones: ``"imagenet"``, ``"imagenet-v2"`` or
            ``"native"``, which takes torchvision's and Keras's.
        on_progress: Told of each download.

    Returns:
        A line about each file.

    Raises:
        FtkitError: If a name is unknown, or something cannot be fetched.
    """
    if not names:
        raise FtkitError(f"Expected what to fetch, of: {', '.join(fetchable())}; got nothing.")
    if weights not in PUBLISHED:
        raise unknown_name("published weights", weights, PUBLISHED)
    for name in names:  # nothing is downloaded before all of it is known to exist
        if name in BACKBONES and name not in CHECKPOINTS:
            raise FtkitError(f"{name} needs no fetching: its weights come with ftkit.")
        if name not in fetchable():
            raise unknown_name("name to fetch", name, fetchable())
        if name != PETS:
            _wanted(name, weights)
    lines = []
    for name in dict.fromkeys(names):
        if name == PETS:
            lines.append(f"{PETS}: {fetch_pets(on_progress)}")
            continue
        for found in _wanted(name, weights):
            before = check(found.download)  # a damaged one is then fetched again
            path = fetch(found.download, on_progress)
            note = " (laid there by hand)" if before == "unverified" else ""
            lines.append(f"{name}, {found.named}: {path}{note}")
    return lines


def _wanted(name: str, weights: str) -> list[Checkpoint]:
    """The published files that a name means: under ``"native"`` torchvision's and Keras's."""
    kind = cast(Published, weights)
    if weights == "native":
        return [checkpoint(name, kind, keras=True), checkpoint(name, kind)]
    return [checkpoint(name, kind)]


def listing() -> list[str]:
    """What is in the cache and what is not, a line each, the folder first."""
    lines = [f"cache: {cache_folder()}"]
    for name, published in CHECKPOINTS.items():
        for weights, item in published.items():
            size = f"{item.download.megabytes:.0f} MB" if item.download.megabytes else ""
            there = state(item.download)
            lines.append(
                f"{there:<10}  {name:<16}{weights:<12}{size:>7}  {cached(item.download).name}"
            )
    lines.append(f"{pets_state():<10}  {PETS:<16}{'':<12}{'811 MB':>7}  Oxford-IIIT Pet")
    return lines
