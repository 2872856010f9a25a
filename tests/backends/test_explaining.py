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


def asked(count: int = 3, size: int = 64) -> dict[str, Any]:
    return {"images": noise(count, size), "labels": np.arange(count) % 2}


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
    one, other = both("looking", asked(), backbone=backbone, head=head)
    parted = size_relative(one["maps"], other["maps"])
    figure("Grad-CAM, fp64 (relative)", parted)
    assert parted <= 1e-9
    assert one["maps"].shape == (3, *one["output"].shape[1:3])
    assert one["maps"].min() >= 0 and all(values.max() > 0 for values in one["maps"])


@pytest.mark.parametrize("block", ["stem", "layer2", "layer3"])
def test_both_frameworks_look_at_the_same_places_in_an_earlier_block(both, block):
    one, other = both("looking", asked(), block=block)
    assert size_relative(one["maps"], other["maps"]) <= 1e-9
    assert one["maps"].shape == (3, *one["output"].shape[1:3])


def test_in_float32_rounding_is_all_that_parts_them(both):
    one, other = both("looking", asked(), backbone="vgg_s", precision="fp32")
    assert size_relative(one["maps"], other["maps"]) <= 1e-4
    assert one["maps"].dtype == other["maps"].dtype == np.float32


def test_behind_pooling_and_a_linear_head_a_channel_counts_by_its_weight_in_the_head(backend):
    """There ∂y/∂A is weight / places at every place, whatever the picture."""
    found = backend("looking", asked(1))
    (output,), head = found["output"], found["head"]
    places = output.shape[0] * output.shape[1]
    wanted = np.maximum(output @ head[0] / places, 0)
    np.testing.assert_allclose(found["maps"][0], wanted, rtol=1e-12, atol=1e-12)
    assert wanted.max() > 0


@pytest.mark.parametrize(
    ("backbone", "block"),
    [("resnet_s", "layer3"), ("vgg_s", "block5"), ("inception_s", "Mixed_5c")],
)
@pytest.mark.parametrize("label", [0, 1])
def test_a_map_is_what_finite_differences_of_the_logit_say(backend, backbone, block, label):
    given = {"images": noise(1, 64), "labels": np.array([label])}
    found = backend("looking", given, backbone=backbone, block=block)
    tried = backend("channel_slopes", given, backbone=backbone, block=block, label=label, step=1e-6)
    (output,) = found["output"]
    weights = tried["slopes"] / (output.shape[0] * output.shape[1])
    wanted = np.maximum(output @ weights, 0)
    np.testing.assert_allclose(found["maps"][0], wanted, rtol=1e-5, atol=1e-5 * wanted.max())
    assert wanted.max() > 0


def test_each_picture_is_asked_for_its_own_class_in_whatever_batch_it_comes(backend):
    given = asked(259)  # more than one batch of 64 pixels
    last = list(range(252, 259))
    found = backend("looking", given, beside=last)
    np.testing.assert_allclose(found["maps"][last], found["beside"], rtol=1e-9)
    assert len(found["maps"]) == 259


def test_a_network_that_stands_ready_to_train_looks_the_same_and_is_left_as_it_was(backend):
    plain = backend("looking", asked())
    for plan in ({"depth": 5}, {"depth": 2, "batch_norm": "train"}):
        found = backend("looking", asked(), freeze=plan)
        np.testing.assert_allclose(found["maps"], plain["maps"], rtol=1e-12)
        assert (found["moved"], found["modes_changed"]) == (False, False)


@pytest.mark.parametrize(("backbone", "block"), [("vgg_s", "fc"), ("resnet_s", "layer5")])
def test_a_block_without_a_map_is_refused_with_those_that_have_one(backend, backbone, block):
    with pytest.raises(ProbeError, match=f"FtkitError: Unknown block with a map '{block}'"):
        backend("looking", asked(1), backbone=backbone, block=block)
