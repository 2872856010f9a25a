"""What is frozen is computed once, and nothing else changes: losses, predictions, audits."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import at_once
from test_contract import noise, size_relative
from test_every_backbone import SIZES

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture

FAMILIES = ("resnet_s", "vgg_s", "inception_s", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
BOUNDS = {"fp64": 1e-9, "fp32": 1e-5}
HEAD = {"hidden": 8, "dropout": 0.5}
PICTURES = 6


def depths(backbone):
    return range(1, len(architecture(backbone, Head(), 2).blocks) + 1)


def pictures(count=PICTURES, size=64):
    labels = np.random.default_rng(6).integers(0, 2, count)
    return {"images": noise(count, size), "labels": labels}


def phase(epochs=2, lr=1e-4, **freeze):
    return {"epochs": epochs, "lr": lr, "freeze": freeze}


def recipe(precision="fp64", **options):
    given = {"optimizer": "sgd", "batch_size": 4, "precision": precision, "head": HEAD}
    return {**given, **options}


def parted(found, run=0):
    """The largest differences between a run without the cache and with it."""
    return {
        name: float(np.abs(found[f"{run} uncached {name}"] - found[f"{run} cached {name}"]).max())
        for name in ("losses", "val", "probabilities")
    }


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_cut_at_any_depth_changes_nothing(backbone, probes, figure):
    images = {"images": noise(3, *SIZES[backbone][0])}
    jobs = {
        side: lambda probe=probe: probe("through_the_cut", images, backbone=backbone)
        for side, probe in probes.items()
    }
    found = at_once(jobs)
    for side, values in found.items():
        for depth in depths(backbone):
            for way in ("in one pass", "step by step"):
                apart = size_relative(values["whole"], values[f"{depth} {way}"])
                figure(f"cut and whole, fp64, {backbone}", apart)
                assert apart <= 1e-12, (side, depth, way)
    for depth in depths(backbone):
        one, other = (found[side][f"{depth} values"] for side in probes)
        assert one.shape == other.shape
        assert size_relative(one, other) <= 1e-9


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("backbone", FAMILIES)
def test_cached_equals_uncached_at_every_depth(backbone, precision, both, figure):
    weights = "bundled" if BACKBONES[backbone].bundled else "random"
    every, count = depths(backbone), PICTURES
    if not BACKBONES[backbone].bundled:  # the large ones take longest
        count = 4
        every = (every[len(every) // 2], every[-1]) if precision == "fp32" else every
    sides = both(
        "cached_or_not",
        pictures(count),
        recipe=recipe(precision),
        runs=[[phase(depth=depth, batch_norm="train")] for depth in every],
        weights=weights if precision == "fp32" else "",
        # Tracing the large ones at each depth would take minutes; the small ones are traced.
        traced=BACKBONES[backbone].bundled,
        backbone=backbone,
        head=HEAD,
    )
    for found in sides:
        for run, depth in enumerate(every):
            (kept,) = found[f"{run} cached kept"]
            assert (kept["depth"], kept["reused"], kept["place"]) == (depth, False, "memory")
            # The first pass takes pictures, the next what the one before it left.
            assert found[f"{run} cached computed"] == 2 * count
            assert found[f"{run} uncached kept"][0]["reason"]
            assert not found[f"{run} uncached computed"]
            apart = parted(found, run)
            figure(f"cached and not, {precision}, {backbone}", max(apart.values()))
            assert max(apart.values()) <= BOUNDS[precision], (depth, apart)
            assert found[f"{run} uncached holds"] and found[f"{run} cached holds"]
            assert len(set(found[f"{run} cached losses"])) == 2 * -(-count // 4)
            one, other = (found[f"{run} {way} probabilities"] for way in ("cached", "uncached"))
            assert np.array_equal(one.argmax(1), other.argmax(1))


def test_the_next_phases_find_what_is_still_frozen(both):
    """Gradual unfreezing, and back: each phase computes no more than what is new."""
    order = (5, 3, 1, 2)
    phases = [phase(depth=depth, batch_norm="inference", lr=1e-3) for depth in order]
    sides = both(
        "cached_or_not", pictures(), recipe=recipe(), runs=[phases], head=HEAD, weights="bundled"
    )
    for found in sides:
        kept = found["0 cached kept"]
        assert [item["depth"] for item in kept] == list(order)
        # The last phase freezes what the one before it has trained: that is computed anew.
        assert [item["reused"] for item in kept] == [False, True, True, False]
        assert kept[0]["boundary"] == "layer4, pooled"
        assert max(parted(found).values()) <= 1e-9
        assert found["0 cached holds"]


@pytest.mark.parametrize(
    ("augment", "epochs", "views", "exact"),
    [("flip", 3, None, True), ("flip-crop", 3, 2, False), ("flip-crop", 3, None, None)],
)
def test_augmentation_is_cached_where_it_can_be(augment, epochs, views, exact, both):
    sides = both(
        "cached_or_not",
        pictures(),
        recipe=recipe(augment=augment, views=views),
        runs=[[phase(epochs, depth=3)]],
        head=HEAD,
        weights="bundled",
    )
    for found in sides:
        (kept,) = found["0 cached kept"]
        if exact is None:
            assert "new pictures in every epoch" in kept["reason"]
        else:
            assert (kept["views"], kept["exact"]) == (2, exact)
            assert found["0 cached computed"] == 3 * PICTURES
        assert max(parted(found).values()) <= 1e-9
    for name in ("losses", "val"):
        one, other = (found[f"0 cached {name}"] for found in sides)
        assert np.abs(one - other).max() <= 1e-9


def test_a_cache_on_disk_gives_the_same_as_one_in_memory(both):
    options = {"recipe": recipe(), "runs": [[phase(depth=2)]], "head": HEAD, "weights": "bundled"}
    in_memory = both("cached_or_not", pictures(), **options)
    on_disk = both("cached_or_not", pictures(), cache={"memory": 0}, **options)
    for one, other in zip(in_memory, on_disk):
        assert one["0 cached kept"][0]["place"] == "memory"
        assert other["0 cached kept"][0]["place"] == "disk"
        assert np.array_equal(one["0 cached losses"], other["0 cached losses"])


@pytest.mark.parametrize("policy", ["statistics", "train"])
def test_blocks_whose_statistics_move_are_computed_each_time(policy, both):
    sides = both(
        "cached_or_not",
        pictures(),
        recipe=recipe(),
        runs=[[phase(depth=3, frozen_batch_norm=policy)]],
        head=HEAD,
        weights="bundled",
    )
    for found in sides:
        (kept,) = found["0 cached kept"]
        assert not kept["boundary"] and "not still" in kept["reason"]
        assert parted(found)["losses"] == 0


@pytest.mark.parametrize("augment", ["none", "flip-crop"])
@pytest.mark.parametrize("depth", [0, 3])
def test_what_is_held_on_the_device_gives_the_same_batches(depth, augment, both):
    sides = both("held", pictures(), depth=depth, augment=augment)
    for found in sides:
        assert found["held"] == (depth > 0 or augment == "none")
        assert found["batches"] == 4
        assert found["parted"] == 0
        assert found["evaluated"][0] == found["evaluated"][1]
