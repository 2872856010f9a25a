"""Dropout and stochastic depth: the same masks, none where frozen, own ones on demand."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import at_once
from test_contract import noise, size_relative

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture

DROPPING = ("vgg_s", "efficientnet_b0", "convnext_tiny")
STILL = 1e-30  # a learning rate that moves nothing


def blocks_of(backbone):
    return architecture(backbone, Head(), 2).blocks


def repeated(keep):
    """The same four pictures once per mask of ``keep`` (steps, 4, columns)."""
    steps = len(keep)
    images = np.repeat(noise(4, 48)[None], steps, axis=0)
    return {"images": images, "labels": np.tile(np.arange(4) % 2, (steps, 1)), "keep": keep}


@pytest.fixture(scope="module")
def dropped(probes):
    """EfficientNet's losses over the same pictures, in either framework, under made-up masks.

    First each of its units is dropped once; then everything of one picture after another; then
    everything of all pictures; then nothing.
    """
    units = np.arange(len(architecture("efficientnet_b0", Head(), 2).drop_rates))
    keep = np.ones((len(units) + 6, 4, len(units)))
    keep[units, :, units] = 0
    keep[len(units) + np.arange(4), np.arange(4)] = 0
    keep[-2] = 0
    options = {"lr": STILL, "batch_norm": "inference", "backbone": "efficientnet_b0"}
    arrays = repeated(keep)
    found = at_once(
        {side: lambda p=p: p("sgd_steps", arrays, **options) for side, p in probes.items()}
    )
    return {side: one["losses"] for side, one in found.items()}


def test_every_column_of_a_mask_belongs_to_the_same_unit_in_both_frameworks(dropped, figure):
    one, other = dropped["pytorch"], dropped["tensorflow"]
    parted = np.abs(one - other) / np.abs(one)
    figure("losses under one dropped unit after another, fp64 (relative)", float(parted.max()))
    assert parted.max() <= 1e-9
    gaps = np.diff(np.sort(one)) / np.abs(one).max()
    assert gaps.min() > 1e-7


def test_a_mask_drops_its_own_picture_alone(dropped):
    for losses in dropped.values():
        every, none = losses[-2:]
        by_picture = losses[-6:-2] - none
        assert np.abs(by_picture).min() > 1e-7
        np.testing.assert_allclose(by_picture.sum(), every - none, rtol=1e-9)


@pytest.mark.parametrize("backbone", DROPPING)
def test_what_is_frozen_drops_nothing_in_training_mode(backend, backbone):
    arrays = {"images": noise(6, 48)}
    plan = {"depth": len(blocks_of(backbone))}
    found = backend("frozen_pass", arrays, plan=plan, backbone=backbone)
    assert np.array_equal(found["first"], found["again"])
    assert size_relative(found["first"], found["quiet"]) <= 1e-12


@pytest.mark.parametrize(
    ("backbone", "frozen", "drops"),
    [
        ("vgg_s", (), True),
        ("vgg_s", ("block1", "fc"), False),
        ("vgg_s", ("classifier.0", "classifier.2"), True),
        ("efficientnet_b0", ("stage2", "stage3", "stage4", "stage5", "stage6"), False),
        ("efficientnet_b0", ("stage2", "stage3", "stage4", "stage5", "features.6.1"), True),
    ],
)
def test_only_frozen_layers_stop_dropping(backend, backbone, frozen, drops):
    # Two passes that drop at random are equal by chance in 2 of 100 cases with 6 pictures.
    arrays = {"images": noise(60, 32)}
    found = backend("frozen_pass", arrays, plan={"frozen": frozen}, backbone=backbone)
    assert (size_relative(found["first"], found["quiet"]) > 1e-6) == drops
    assert np.array_equal(found["first"], found["again"]) != drops


@pytest.mark.parametrize(
    ("backbone", "switched"),
    [("vgg_s", ["dropout"]), ("vgg_s", []), ("efficientnet_b0", ["dropout"])],
)
def test_only_the_difference_dropout_draws_own_numbers_in_place_of_masks(both, backbone, switched):
    rates = architecture(backbone, Head(), 2).drop_rates
    arrays = repeated(np.full((6, 4, len(rates)), np.nan))  # which no loss outlives
    options = {"lr": STILL, "batch_norm": "inference", "backbone": backbone}
    for found in both("sgd_steps", arrays, switched=switched, **options):
        assert np.isfinite(found["losses"]).all() == bool(switched)
        assert len(set(found["losses"])) > 1


def test_masks_are_given_to_what_is_not_frozen_and_none_is_left_behind(both):
    rates = architecture("efficientnet_b0", Head(), 2).drop_rates
    keep = np.full((2, 4, len(rates)), np.nan)
    keep[..., -3:] = 1.25  # the three units of stage 6: the others are frozen
    options = {"lr": STILL, "batch_norm": "inference", "backbone": "efficientnet_b0", "depth": 6}
    for found in both("sgd_steps", repeated(keep), **options):
        assert np.isfinite(found["losses"]).all()
        assert found["masks"] == 0
