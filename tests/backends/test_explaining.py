"""Where a network looks: both frameworks compute Grad-CAM by its formula, and the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import ProbeError
from test_contract import noise, size_relative

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture

LAST_MAPS = {"vgg_s": "block5", "vgg16": "block5", "convnext_tiny": "stage4"}


CLASSES = 6  # with random weights, something speaks for one of so many


def asked(count: int = CLASSES, size: int = 64) -> dict[str, Any]:
    """Each picture is asked for another class."""
    return {"images": noise(count, size), "labels": np.arange(count) % CLASSES}


def one_picture(size: int = 64) -> dict[str, Any]:
    """The same picture, asked for each class."""
    return {"images": np.repeat(noise(1, size), CLASSES, 0), "labels": np.arange(CLASSES)}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_last_map_stands_behind_the_last_block_that_does_not_end_in_a_vector(backbone):
    made = architecture(backbone, Head(hidden=4), 2)
    last = made.map_blocks[-1]
    assert last == LAST_MAPS.get(backbone, made.blocks[-1])
    assert made.blocks[: len(made.map_blocks)] == made.map_blocks


@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        ("resnet_s", {}),
        ("resnet_s", {"hidden": 8, "dropout": 0.5}),
        ("vgg_s", {}),
        ("inception_s", {}),
        ("efficientnet_b0", {}),
        ("convnext_tiny", {}),
    ],
    ids=str,
)
def test_both_frameworks_look_at_the_same_places(both, figure, backbone, head):
    one, other = both("looking", asked(), backbone=backbone, head=head, classes=CLASSES)
    parted = size_relative(one["maps"], other["maps"])
    figure("Grad-CAM, fp64 (relative)", parted)
    assert parted <= 1e-9
    assert one["maps"].shape == (CLASSES, *one["output"].shape[1:3])
    assert one["maps"].min() >= 0 and one["maps"].max() > 0


@pytest.mark.parametrize("block", ["stem", "layer2", "layer3"])
def test_both_frameworks_look_at_the_same_places_in_an_earlier_block(both, block):
    one, other = both("looking", asked(), block=block, classes=CLASSES)
    assert size_relative(one["maps"], other["maps"]) <= 1e-9
    assert one["maps"].shape == (CLASSES, *one["output"].shape[1:3])


def test_in_float32_rounding_is_all_that_parts_them(both):
    options = {"backbone": "vgg_s", "precision": "fp32", "classes": CLASSES}
    one, other = both("looking", asked(), **options)
    assert size_relative(one["maps"], other["maps"]) <= 1e-4
    assert one["maps"].dtype == other["maps"].dtype == np.float32


def test_behind_pooling_and_a_linear_head_a_channel_counts_by_its_weight_in_the_head(backend):
    """There ∂y/∂A is weight / places at every place, whatever the picture."""
    found = backend("looking", one_picture(), classes=CLASSES)
    (output,), head = found["output"], found["head"]
    places = output.shape[0] * output.shape[1]
    wanted = np.maximum(output @ head.T / places, 0)
    wanted = np.moveaxis(wanted, -1, 0)
    np.testing.assert_allclose(found["maps"], wanted, rtol=1e-9, atol=1e-12 * wanted.max())
    assert wanted.max() > 0


@pytest.mark.parametrize(
    ("backbone", "block"),
    [("resnet_s", "layer3"), ("vgg_s", "block5"), ("inception_s", "Mixed_5c")],
)
def test_a_map_is_what_finite_differences_of_the_logit_say(backend, backbone, block):
    options = {"backbone": backbone, "block": block, "classes": CLASSES}
    found = backend("looking", one_picture(), **options)
    tried = backend("channel_slopes", one_picture(), step=1e-6, **options)
    (output,) = found["output"]
    weights = tried["slopes"] / (output.shape[0] * output.shape[1])
    wanted = np.moveaxis(np.maximum(output @ weights, 0), -1, 0)
    np.testing.assert_allclose(found["maps"], wanted, rtol=1e-5, atol=1e-5 * wanted.max())
    assert wanted.max() > 0


def test_each_picture_is_asked_for_its_own_class_in_whatever_batch_it_comes(backend):
    given = asked(259)  # more than one batch of 64 pixels
    last = list(range(252, 259))
    found = backend("looking", given, beside=last, classes=CLASSES)
    bound = 1e-9 * found["beside"].max()
    np.testing.assert_allclose(found["maps"][last], found["beside"], rtol=1e-9, atol=bound)
    assert bound > 0
    assert len(found["maps"]) == 259


def test_a_network_that_stands_ready_to_train_looks_the_same_and_is_left_as_it_was(backend):
    plain = backend("looking", asked(), classes=CLASSES)
    assert plain["maps"].max() > 0
    for plan in ({"depth": 5}, {"depth": 2, "batch_norm": "train"}):
        found = backend("looking", asked(), freeze=plan, classes=CLASSES)
        np.testing.assert_allclose(found["maps"], plain["maps"], rtol=1e-12)
        assert (found["moved"], found["modes_changed"]) == (False, False)


@pytest.mark.parametrize(("backbone", "block"), [("vgg_s", "fc"), ("resnet_s", "layer5")])
def test_a_block_without_a_map_is_refused_with_those_that_have_one(backend, backbone, block):
    with pytest.raises(ProbeError, match=f"FtkitError: Unknown block with a map '{block}'"):
        backend("looking", asked(1), backbone=backbone, block=block)
