"""Backbones as records: torchvision's names and shapes, blocks and heads."""

from __future__ import annotations

import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture, backbone
from ftkit.errors import FtkitError

RESNET = ("stem", "layer1", "layer2", "layer3", "layer4")


def test_resnet18_has_the_parameters_of_torchvisions():
    assert architecture("resnet18", Head(), 1000).parameters == 11_689_512


def test_resnet_s_has_two_to_three_million_parameters():
    assert 2e6 < architecture("resnet_s", Head(), 10).parameters < 3e6


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv1.weight", (64, 3, 7, 7)),
        ("bn1.running_mean", (64,)),
        ("layer1.0.conv1.weight", (64, 64, 3, 3)),
        ("layer2.0.conv1.weight", (128, 64, 3, 3)),
        ("layer2.0.downsample.0.weight", (128, 64, 1, 1)),
        ("layer2.0.downsample.1.running_var", (128,)),
        ("layer4.1.bn2.bias", (512,)),
        ("fc.weight", (7, 512)),
        ("fc.bias", (7,)),
    ],
)
def test_tensors_have_torchvisions_names_and_shapes(name, shape):
    assert architecture("resnet18", Head(), 7).shapes[name] == shape


def test_the_first_unit_of_a_block_has_a_shortcut_only_where_the_width_changes():
    shortcuts = [
        name for name in architecture("resnet_s", Head(), 2).shapes if "downsample" in name
    ]
    assert {name.split(".downsample")[0] for name in shortcuts} == {
        "layer2.0",
        "layer3.0",
        "layer4.0",
    }


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_a_stem_and_four_blocks_in_order_and_then_a_head(name):
    network = architecture(name, Head(), 2)
    assert network.blocks == RESNET
    assert list(dict.fromkeys(layer.block for layer in network.layers)) == [*RESNET, "head"]
    assert network.image_size == backbone(name).image_size


@pytest.mark.parametrize(
    ("head", "layers", "units"),
    [
        (Head(), {"fc": (5, 256)}, 256),
        (Head(dropout=0.5), {"fc.1": (5, 256)}, 256),
        (Head(hidden=16), {"fc.0": (16, 256), "fc.3": (5, 16)}, 16),
        (Head(hidden=16, dropout=0.5), {"fc.0": (16, 256), "fc.3": (5, 16)}, 16),
    ],
)
def test_a_head_is_numbered_as_pytorch_numbers_a_sequential(head, layers, units):
    network = architecture("resnet_s", head, 5)
    found = {item.name: item.shapes["weight"] for item in network.layers if item.block == "head"}
    assert found == layers
    assert network.dropout_units == units


@pytest.mark.parametrize("ask", [backbone, lambda name: architecture(name, Head(), 2)])
def test_an_unknown_backbone_is_refused_with_the_nearest(ask):
    with pytest.raises(FtkitError, match=r"Unknown backbone 'resnet_x'. Did you mean 'resnet_s'\?"):
        ask("resnet_x")
