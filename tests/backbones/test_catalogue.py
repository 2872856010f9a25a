"""Backbones as records: torchvision's names, shapes, parameters and costs, blocks and heads."""

from __future__ import annotations

import math
from importlib.resources import files
from itertools import pairwise

import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import (
    BACKBONES,
    architecture,
    backbone,
    keras_scaling,
    keras_variant,
)
from ftkit.errors import FtkitError

RESNET = ("stem", "layer1", "layer2", "layer3", "layer4")
VGG = ("block1", "block2", "block3", "block4", "block5", "fc")
MIXED = tuple(
    f"Mixed_{name}" for name in ["5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"]
)
STAGES = tuple(f"stage{number}" for number in range(1, 8))
BLOCKS = {
    "resnet_s": RESNET,
    "vgg_s": VGG,
    "inception_s": ("stem", "Mixed_5b", "Mixed_5c", "Mixed_6a", "Mixed_6b"),
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet50": RESNET,
    "vgg16": VGG,
    "inception_v3": ("stem", *MIXED),
    "mobilenet_v2": ("stem", *STAGES, "last"),
    "efficientnet_b0": ("stem", *STAGES, "last"),
    "convnext_tiny": ("stem", *STAGES[:4], "norm"),
}
# What the boundary in front of the head is called, where it is not the last block's output.
POOLED = {
    name: f"{blocks[-1]}, pooled"
    for name, blocks in BLOCKS.items()
    if blocks[-1] not in ("fc", "norm")  # both stand behind the pooling
}
# Parameters with 1000 classes, and multiply-adds at the own picture size in thousand millions:
# https://docs.pytorch.org/vision/stable/models.html#table-of-all-available-classification-weights
# Of Inception v3's 27,161,264 parameters 3,326,696 belong to the auxiliary classifier.
# tests/backends/test_zoos.py holds the same against the installed torchvision's own records.
PUBLISHED = {
    "resnet18": (11_689_512, 1.814, 3),
    "resnet34": (21_797_672, 3.664, 3),
    "resnet50": (25_557_032, 4.089, 3),
    "vgg16": (138_357_544, 15.47, 2),
    "inception_v3": (27_161_264 - 3_326_696, 5.713, 3),
    "mobilenet_v2": (3_504_872, 0.301, 3),
    "efficientnet_b0": (5_288_548, 0.386, 3),
    "convnext_tiny": (28_589_128, 4.456, 3),
}
MOST_BYTES = 8_000_000
ZOOS = [(name, "torchvision") for name in BACKBONES] + [
    (name, "keras") for name, spec in BACKBONES.items() if spec.keras
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_backbone_has_the_parameters_and_multiplications_that_torchvision_publishes(name):
    parameters, giga, digits = PUBLISHED[name]
    network = architecture(name, Head(), 1000)
    assert network.parameters == parameters
    counted = network.multiplications(backbone(name).image_size)
    assert round(sum(counted.values()) / 1e9, digits) == giga
    assert list(counted) == [*network.blocks, "head"]
    assert min(count for block, count in counted.items() if block != "norm") > 0


def test_the_small_backbones_have_a_few_million_parameters_at_most():
    small = {name: architecture(name, Head(), 10).parameters for name in BACKBONES if "_s" in name}
    assert small.keys() == {"resnet_s", "vgg_s", "inception_s"}
    assert 2e6 < small["resnet_s"] < 3e6
    assert max(small.values()) < 3e6


@pytest.mark.parametrize(
    ("backbone_name", "name", "shape"),
    [
        ("resnet18", "conv1.weight", (64, 3, 7, 7)),
        ("resnet18", "bn1.running_mean", (64,)),
        ("resnet18", "layer1.0.conv1.weight", (64, 64, 3, 3)),
        ("resnet18", "layer2.0.conv1.weight", (128, 64, 3, 3)),
        ("resnet18", "layer2.0.downsample.0.weight", (128, 64, 1, 1)),
        ("resnet18", "layer2.0.downsample.1.running_var", (128,)),
        ("resnet18", "layer4.1.bn2.bias", (512,)),
        ("resnet18", "fc.weight", (7, 512)),
        ("resnet18", "fc.bias", (7,)),
        ("resnet50", "layer1.0.downsample.0.weight", (256, 64, 1, 1)),
        ("resnet50", "layer4.2.conv3.weight", (2048, 512, 1, 1)),
        ("vgg16", "features.28.weight", (512, 512, 3, 3)),
        ("vgg16", "classifier.0.weight", (4096, 25088)),
        ("vgg16", "classifier.6.weight", (7, 4096)),
        ("vgg_s", "classifier.0.weight", (512, 1024)),
        ("inception_v3", "Conv2d_1a_3x3.conv.weight", (32, 3, 3, 3)),
        ("inception_v3", "Mixed_6e.branch7x7dbl_4.conv.weight", (192, 192, 7, 1)),
        ("inception_v3", "Mixed_7c.branch3x3dbl_3b.bn.running_var", (384,)),
        ("inception_v3", "fc.weight", (7, 2048)),
        ("mobilenet_v2", "features.1.conv.0.0.weight", (32, 1, 3, 3)),
        ("mobilenet_v2", "features.17.conv.2.weight", (320, 960, 1, 1)),
        ("mobilenet_v2", "classifier.1.weight", (7, 1280)),
        ("efficientnet_b0", "features.2.0.block.2.fc1.weight", (4, 96, 1, 1)),
        ("efficientnet_b0", "features.6.0.block.1.0.weight", (672, 1, 5, 5)),
        ("convnext_tiny", "features.1.0.layer_scale", (96, 1, 1)),
        ("convnext_tiny", "features.5.8.block.3.weight", (1536, 384)),
        ("convnext_tiny", "classifier.0.weight", (768,)),
        ("convnext_tiny", "classifier.2.weight", (7, 768)),
    ],
)
def test_tensors_have_torchvisions_names_and_shapes(backbone_name, name, shape):
    assert architecture(backbone_name, Head(), 7).shapes[name] == shape


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
def test_every_backbone_has_its_blocks_in_order_and_then_a_head(name):
    network = architecture(name, Head(), 2)
    assert network.blocks == BLOCKS[name]
    order = list(dict.fromkeys(item.block for item in network.operations))
    assert order == [*BLOCKS[name], "head"]
    assert network.image_size == backbone(name).image_size


@pytest.mark.parametrize(("name", "zoo"), ZOOS)
def test_every_block_is_a_clean_cut(name, zoo):
    """Its operations follow one another, and behind it only its last one is seen."""
    operations = architecture(name, Head(8, 0.5), 2, zoo).operations
    blocks = [item.block for item in operations]
    changes = sum(one != other for one, other in pairwise(blocks))
    assert changes + 1 == len(set(blocks))
    last = {block: number for number, block in enumerate(blocks)}
    for number, item in enumerate(operations):
        assert item.inputs and max(item.inputs) < number
        for source in item.inputs:
            if source == -1:
                assert item.block == blocks[0]
            else:
                assert item.block == blocks[source] or source == last[blocks[source]]


@pytest.mark.parametrize("head", [Head(), Head(8, 0.5), Head(dropout=0.5)], ids=str)
@pytest.mark.parametrize(("name", "zoo"), ZOOS)
def test_exactly_one_value_crosses_each_boundary(name, zoo, head):
    network = architecture(name, head, 2, zoo)
    assert network.boundaries[0] == -1
    assert len(network.boundaries) == len(network.blocks) + 1
    assert list(network.boundaries) == sorted(set(network.boundaries))
    for cut in network.boundaries:
        behind = network.operations[cut + 1 :]
        crossing = {source for item in behind for source in item.inputs if source <= cut}
        assert crossing == {cut}


@pytest.mark.parametrize(("name", "zoo"), ZOOS)
def test_whole_blocks_are_in_front_of_a_boundary_and_every_layer_of_the_others_behind(name, zoo):
    network = architecture(name, Head(8, 0.5), 2, zoo)
    for depth, cut in enumerate(network.boundaries):
        front = {item.layer.name for item in network.operations[: cut + 1] if item.layer}
        blocks = network.blocks[:depth]
        assert front == {layer.name for layer in network.layers if layer.block in blocks}
        if 0 < depth < len(network.blocks):
            assert network.operations[cut].block == network.blocks[depth - 1]


@pytest.mark.parametrize("head", [Head(), Head(8, 0.5), Head(dropout=0.5)], ids=str)
@pytest.mark.parametrize(("name", "zoo"), ZOOS)
def test_the_deepest_boundary_is_what_the_first_layer_of_the_head_takes(name, zoo, head):
    network = architecture(name, head, 2, zoo)
    first = next(item for item in network.operations if item.block == "head" and item.layer)
    assert first.inputs == (network.boundaries[-1],)
    height, width = network.sizes(network.image_size)[network.boundaries[-1]]
    assert (height, width) == (1, 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_boundary_is_named_by_the_block_in_front_of_it(name):
    network = architecture(name, Head(), 2)
    names = [network.boundary_name(depth) for depth in range(len(network.blocks) + 1)]
    *blocks, last = BLOCKS[name]
    assert names == ["picture", *blocks, POOLED.get(name, last)]


@pytest.mark.parametrize("name", BACKBONES)
def test_every_operation_but_the_last_is_used_and_none_has_the_name_of_another(name):
    network = architecture(name, Head(), 2)
    used = {source for item in network.operations for source in item.inputs}
    assert used == set(range(-1, len(network.operations) - 1))
    names = [layer.name for layer in network.layers]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "zoo", "smallest"),
    [
        ("inception_v3", "torchvision", 75),
        ("inception_v3", "keras", 75),
        ("vgg16", "torchvision", 32),
        ("vgg16", "keras", 32),
        ("vgg_s", "torchvision", 32),
        ("convnext_tiny", "torchvision", 32),
        ("convnext_tiny", "keras", 32),
        ("resnet50", "torchvision", 1),
        ("mobilenet_v2", "keras", 1),
        ("efficientnet_b0", "torchvision", 1),
    ],
)
def test_the_smallest_pictures_leave_something_in_every_layer(name, zoo, smallest):
    network = architecture(name, Head(), 2, zoo)
    assert network.smallest_image == smallest
    assert min(min(size) for size in network.sizes(smallest)) >= 1


@pytest.mark.parametrize("name", BACKBONES)
def test_smaller_pictures_are_refused_with_the_smallest(name):
    network = architecture(name, Head(), 2)
    smallest = network.smallest_image
    message = rf"{name} needs pictures of at least {smallest} pixels; got {smallest - 1}\. Use --"
    for refuse in (network.sizes, network.multiplications):
        with pytest.raises(FtkitError, match=message):
            refuse(smallest - 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_own_picture_size_is_large_enough(name):
    network = architecture(name, Head(), 2)
    assert network.smallest_image <= network.image_size
    assert len(network.sizes(network.image_size)) == len(network.operations)


@pytest.mark.parametrize(
    ("name", "size", "ends"),
    [
        ("resnet18", 224, [56, 56, 28, 14, 7]),
        ("resnet_s", 65, [17, 17, 9, 5, 3]),
        ("vgg16", 224, [112, 56, 28, 14, 7, 1]),
        ("inception_v3", 299, [35, 35, 35, 35, 17, 17, 17, 17, 17, 8, 8, 8]),
        ("mobilenet_v2", 224, [112, 112, 56, 28, 14, 14, 7, 7, 7]),
        ("convnext_tiny", 224, [56, 56, 28, 14, 7, 1]),
    ],
)
def test_the_maps_behind_the_blocks_have_the_papers_sizes(name, size, ends):
    network = architecture(name, Head(), 2)
    sizes = network.sizes(size)
    last = {item.block: sizes[number] for number, item in enumerate(network.operations)}
    assert [last[block] for block in network.blocks] == [(end, end) for end in ends]


# What drops


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("resnet50", ()),
        ("inception_v3", ()),
        ("mobilenet_v2", ()),
        ("vgg16", (0.5,) * 8192),
        ("vgg_s", (0.2,) * 1024),
        ("efficientnet_b0", tuple(0.2 * unit / 16 for unit in (2, 4, 6, 7, 9, 10, 12, 13, 14))),
        ("convnext_tiny", tuple(0.1 * unit / 17 for unit in range(1, 18))),
    ],
)
def test_each_backbone_drops_at_torchvisions_rates(name, rates):
    network = architecture(name, Head(), 2)
    assert network.drop_rates == pytest.approx(rates, rel=1e-15)
    assert sum(layer.units for layer in network.drops) == len(rates)
    with_head = architecture(name, Head(16, 0.3), 2)
    assert with_head.drop_rates == (*network.drop_rates, *(0.3,) * 16)


@pytest.mark.parametrize("name", [name for name, spec in BACKBONES.items() if spec.keras])
def test_keras_variants_drop_in_the_head_alone_but_for_efficientnet(name):
    network = architecture(name, Head(dropout=0.5), 2, "keras")
    elsewhere = [layer for layer in network.drops if layer.block != "head"]
    assert len(elsewhere) == (9 if name == "efficientnet_b0" else 0)
    assert len(network.drop_rates) == len(elsewhere) + network.drops[-1].units


# Heads


@pytest.mark.parametrize(
    ("head", "layers", "units"),
    [
        (Head(), {"fc": (5, 256)}, 0),
        (Head(dropout=0.5), {"fc.1": (5, 256)}, 256),
        (Head(hidden=16), {"fc.0": (16, 256), "fc.3": (5, 16)}, 0),
        (Head(hidden=16, dropout=0.5), {"fc.0": (16, 256), "fc.3": (5, 16)}, 16),
    ],
)
def test_a_head_is_numbered_as_pytorch_numbers_a_sequential(head, layers, units):
    network = architecture("resnet_s", head, 5)
    found = {
        item.name: item.shapes["weight"]
        for item in network.layers
        if item.block == "head" and item.shapes
    }
    assert found == layers
    assert network.drop_rates == (0.5,) * units


@pytest.mark.parametrize("name", BACKBONES)
def test_a_head_replaces_torchvisions_classifier_and_leaves_the_backbone_as_it_is(name):
    plain, hidden = architecture(name, Head(), 5), architecture(name, Head(16, 0.5), 3)
    last = plain.layers[-1]
    assert (last.name, last.block, last.shapes["bias"]) == (plain.head_name, "head", (5,))
    assert [layer for layer in plain.layers if layer.block != "head"] == [
        layer for layer in hidden.layers if layer.block != "head"
    ]
    heads = [layer.name for layer in hidden.layers if layer.block == "head"]
    assert heads == [f"{plain.head_name}.{number}" for number in (0, 2, 3)]


# Zoos


@pytest.mark.parametrize("name", [name for name, spec in BACKBONES.items() if not spec.keras])
def test_a_network_that_keras_does_not_have_is_refused_and_those_it_has_are_named(name):
    message = f"keras.applications has no {name}; it has resnet50, vgg16, .*convnext_tiny"
    with pytest.raises(FtkitError, match=message):
        architecture(name, Head(), 2, "keras")


def test_keras_scaling_is_that_of_the_nearest_network_that_keras_has():
    assert keras_scaling("resnet_s") == keras_scaling("resnet34") == keras_scaling("resnet50")
    assert keras_scaling("vgg_s") == keras_scaling("vgg16")
    assert keras_scaling("inception_s") == keras_scaling("inception_v3")
    assert keras_scaling("resnet_s").bgr and not keras_scaling("mobilenet_v2").bgr
    for name, spec in BACKBONES.items():
        if spec.keras:
            assert keras_scaling(name) == keras_variant(name).scaling
            assert architecture(name, Head(), 2, "keras").scaling == keras_scaling(name)


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_of_at_most_8_mb_ship_with_the_bundled_backbones_and_with_no_others(name):
    path = files("ftkit.backbones") / "bundled" / f"{name}.safetensors"
    assert path.is_file() == BACKBONES[name].bundled
    if path.is_file():
        size = len(path.read_bytes())
        assert size <= MOST_BYTES
        backbone_only = [
            math.prod(shape)
            for layer in architecture(name, Head(), 2).layers
            if layer.block != "head"
            for shape in layer.shapes.values()
        ]
        assert size >= 2 * sum(backbone_only)  # half precision at least: all of it is there


@pytest.mark.parametrize("ask", [backbone, lambda name: architecture(name, Head(), 2)])
def test_an_unknown_backbone_is_refused_with_the_nearest(ask):
    with pytest.raises(FtkitError, match=r"Unknown backbone 'resnet_x'. Did you mean 'resnet_s'\?"):
        ask("resnet_x")
