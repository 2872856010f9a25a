"""Freeze plans: which layers learn, which statistics move, and the audit of what really did."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ftkit.architecture import Architecture, Head
from ftkit.backbones.catalogue import architecture
from ftkit.errors import FtkitError
from ftkit.freezing import (
    FreezePlan,
    LayerState,
    audit,
    check_batch_norm,
    fingerprint,
    frozen_at_depth,
    frozen_but_last_layers,
    frozen_depth,
    frozen_names,
    resolve,
    still_depth,
    trainable_parameters,
)

NETWORK = architecture("resnet_s", Head(hidden=8), 3)
BLOCKS = ("stem", "layer1", "layer2", "layer3", "layer4")
HEAD = 256 * 8 + 8 + 8 * 3 + 3


def learning(plan: FreezePlan, network: Architecture = NETWORK) -> set[str]:
    """The layers that learn."""
    return {state.layer.name for state in resolve(plan, network) if state.learns}


def named(*starts: str) -> set[str]:
    """The layers whose names are these or lie below them."""
    return {
        layer.name
        for layer in NETWORK.layers
        if any(layer.name == start or layer.name.startswith(f"{start}.") for start in starts)
    }


ALL = {layer.name for layer in NETWORK.layers}
STEM = {"conv1", "bn1"}


@pytest.mark.parametrize("depth", range(6))
def test_a_depth_freezes_the_first_blocks_whole_and_nothing_else(depth):
    plan = FreezePlan(depth=depth)
    frozen = {layer.name for layer in NETWORK.layers if layer.block in BLOCKS[:depth]}
    assert learning(plan) == ALL - frozen
    assert frozen_depth(plan, NETWORK) == depth


def test_a_depth_says_the_same_as_the_names_of_its_blocks():
    assert frozen_at_depth(NETWORK, 2) == ("stem", "layer1")
    assert resolve(FreezePlan(depth=2), NETWORK) == resolve(FreezePlan(("stem", "layer1")), NETWORK)


@pytest.mark.parametrize("depth", [-1, 6])
def test_a_depth_out_of_range_is_refused_and_the_blocks_are_named(depth):
    with pytest.raises(FtkitError, match=rf"between 0 .* and 5 \(all of stem, .*; got {depth}."):
        resolve(FreezePlan(depth=depth), NETWORK)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, set()),
        (1, {"layer4.1.bn2"}),
        (2, {"layer4.1.bn2", "layer4.1.conv2"}),
        (4, named("layer4.1")),
        (40, ALL - named("fc")),
    ],
)
def test_last_layers_counts_the_backbones_layers_with_weights_from_the_end(count, expected):
    assert sum(layer.block != "head" for layer in NETWORK.layers) == 40
    assert learning(FreezePlan(last_layers=count)) - named("fc") == expected
    assert learning(FreezePlan(last_layers=count)) >= named("fc")


@pytest.mark.parametrize("count", [-1, 41])
def test_more_last_layers_than_there_are_is_refused(count):
    with pytest.raises(FtkitError, match=f"must lie between 0 and 40; got {count}."):
        frozen_but_last_layers(NETWORK, count)


def test_last_layers_counts_only_layers_that_hold_numbers():
    network = architecture("convnext_tiny", Head(), 2)  # its last drop stands in the last unit
    names = [layer.name for layer in network.layers if layer.block != "head"]
    assert names[-4:] == [
        "features.7.2.block.5",
        "features.7.2",  # layer_scale
        "features.7.2.stochastic_depth",
        "classifier.0",
    ]
    # Stem, three halvings and the last normalisation; and five layers in each of 18 units.
    assert len(names) - len(network.drops) == 9 + 18 * 5
    learn = learning(FreezePlan(last_layers=3), network) - {layer.name for layer in network.drops}
    assert learn == {"features.7.2.block.5", "features.7.2", "classifier.0", "classifier.2"}
    with pytest.raises(FtkitError, match=r"must lie between 0 and 99; got 100\."):
        frozen_but_last_layers(network, 100)


@pytest.mark.parametrize(
    ("name", "count", "drops"),
    [
        ("efficientnet_b0", 0, 0),
        ("efficientnet_b0", 11, 1),  # the last two units, of which one drops
        ("vgg_s", 0, 0),
        ("vgg_s", 1, 1),
        ("convnext_tiny", 0, 0),
        ("convnext_tiny", 5, 1),
    ],
)
def test_what_drops_in_front_of_the_last_layers_is_frozen_with_what_is_around_it(
    name, count, drops
):
    network = architecture(name, Head(), 2)
    learn = learning(FreezePlan(last_layers=count), network)
    assert len(learn & {layer.name for layer in network.drops}) == drops
    if count == 0:
        assert frozen_depth(FreezePlan(last_layers=0), network) == len(network.blocks)


def test_a_frozen_layer_that_drops_is_inactive_and_does_not_learn_by_itself():
    network = architecture("vgg_s", Head(dropout=0.5), 2)
    states = {state.layer.name: state for state in resolve(FreezePlan(("fc",)), network)}
    drops = {layer.name: states[layer.name].learns for layer in network.drops}
    assert drops == {"classifier.2": False, "classifier.5": False, "classifier.6.0": True}
    frozen = tuple(layer.name for layer in network.layers if layer.shapes)
    with pytest.raises(FtkitError, match="leaves nothing to learn"):
        resolve(FreezePlan(frozen), network)  # what drops still may, and that is nothing to learn


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        ((), set()),
        (("stem",), STEM),
        (("conv1",), {"conv1"}),
        (("layer4.1",), named("layer4.1")),
        (("layer4.1.bn2", "layer2"), {"layer4.1.bn2"} | named("layer2")),
        (("head",), named("fc")),
        (("fc.0",), {"fc.0"}),
        (("layer1.0.conv1",), {"layer1.0.conv1"}),
    ],
)
def test_a_name_freezes_a_block_or_all_below_a_dotted_name(names, frozen):
    assert learning(FreezePlan(names)) == ALL - frozen
    assert frozen_names(FreezePlan(names), NETWORK) == names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("layer5", "layer4|layer3|layer2|layer1"), ("laeyr2", "layer2"), ("stm", "stem")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(FtkitError, match=rf"block or layer '{name}'. Did you mean '({nearest})'\?"):
        resolve(FreezePlan((name,)), NETWORK)


@pytest.mark.parametrize("name", ["layer", "layer1.0.con", "layer4.2", ""])
def test_the_beginning_of_a_name_is_no_name(name):
    with pytest.raises(FtkitError, match="Unknown block or layer"):
        resolve(FreezePlan((name,)), NETWORK)


def test_blocks_frozen_out_of_order_do_not_count_towards_the_depth():
    assert frozen_depth(FreezePlan(("stem", "layer2")), NETWORK) == 1
    assert frozen_depth(FreezePlan(("layer1",)), NETWORK) == 0
    assert frozen_depth(FreezePlan(("conv1",)), NETWORK) == 0


def test_a_plan_that_leaves_nothing_to_learn_is_refused():
    with pytest.raises(FtkitError, match="leaves nothing to learn. Take the head out of it."):
        resolve(FreezePlan((*BLOCKS, "head")), NETWORK)


def test_batch_norm_that_trains_in_a_frozen_network_is_something_to_learn():
    plan = FreezePlan((*BLOCKS, "head"), frozen_batch_norm="train")
    assert learning(plan) == {
        layer.name for layer in NETWORK.layers if "running_mean" in layer.shapes
    }


@pytest.mark.parametrize(
    "given",
    [
        {"frozen": ("stem",), "depth": 1},
        {"depth": 1, "last_layers": 1},
        {"frozen": ("stem",), "last_layers": 0},
    ],
)
def test_names_depth_and_last_layers_exclude_each_other(given):
    with pytest.raises(FtkitError, match="one of the three"):
        FreezePlan(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"frozen": "stem"}, "frozen must be a list of names; got 'stem' alone."),
        ({"depth": "1"}, "depth must be a whole number; got '1'."),
        ({"depth": 1.5}, "depth must be a whole number; got 1.5."),
        ({"last_layers": True}, "last_layers must be a whole number; got True."),
        ({"batch_norm": "eval"}, "Unknown batch-norm policy 'eval'"),
        ({"frozen_batch_norm": "trian"}, r"'trian'. Did you mean 'train'\?"),
    ],
)
def test_a_plan_refuses_what_cannot_be(given, message):
    with pytest.raises(FtkitError, match=message):
        FreezePlan(**given)


def test_a_list_of_names_is_as_good_as_a_tuple():
    assert FreezePlan(["stem"]) == FreezePlan(("stem",))
    assert hash(FreezePlan(["stem"])) == hash(FreezePlan(("stem",)))


# What is still: frozen, and nothing in it moves or drops


def still(network: Architecture = NETWORK, **plan: object) -> int:
    """How many blocks are still under a plan."""
    return still_depth(resolve(FreezePlan(**plan), network), network)


@pytest.mark.parametrize("depth", range(6))
def test_blocks_that_are_frozen_whole_are_still(depth):
    assert still(depth=depth) == depth
    assert still(depth=depth, batch_norm="train") == depth


@pytest.mark.parametrize("policy", ["statistics", "train"])
def test_frozen_blocks_are_not_still_while_their_statistics_move(policy):
    assert still(depth=3, frozen_batch_norm=policy) == 0
    norm_free = architecture("vgg16", Head(), 2)
    assert still(norm_free, depth=3, frozen_batch_norm=policy) == 3


def test_a_block_is_still_up_to_the_first_layer_that_is_not():
    assert still(frozen=("conv1", "bn1")) == 1
    assert still(frozen=("conv1", "bn1", "layer1.0", "layer1.1")) == 2
    assert still(frozen=("stem", "layer1.0", "layer2")) == 1
    assert still(frozen=("conv1", "layer1")) == 0


@pytest.mark.parametrize(("count", "depth"), [(0, 5), (1, 4), (9, 4), (10, 4), (11, 3), (40, 0)])
def test_all_but_the_last_layers_are_still_up_to_the_block_that_holds_the_first_of_them(
    count, depth
):
    assert still(last_layers=count) == depth


def test_a_block_in_which_something_is_dropped_is_not_still():
    network = architecture("vgg_s", Head(), 2)
    layers = tuple(layer.name for layer in network.layers if layer.block == "fc" and layer.shapes)
    assert still(network, frozen=(*network.blocks[:-1], *layers)) == 5  # its dropout still drops
    assert still(network, depth=6) == 6


# Batch norm: (learns, statistics move) by policy and by whether the layer is frozen

UNFROZEN = {"inference": (True, False), "statistics": (False, True), "train": (True, True)}
FROZEN = {"inference": (False, False), "statistics": (False, True), "train": (True, True)}


@pytest.mark.parametrize("policy", UNFROZEN)
@pytest.mark.parametrize("frozen_policy", FROZEN)
def test_each_batch_norm_layer_does_as_the_policy_of_its_half_says(policy, frozen_policy):
    plan = FreezePlan(("stem", "layer1"), batch_norm=policy, frozen_batch_norm=frozen_policy)
    for state in resolve(plan, NETWORK):
        frozen = state.layer.block in ("stem", "layer1")
        if state.layer.kind == "batch_norm":
            expected = FROZEN[frozen_policy] if frozen else UNFROZEN[policy]
            assert (state.learns, state.moving_statistics) == expected, state.layer.name
            assert state.batch_norm == (frozen_policy if frozen else policy)
        else:
            assert (state.learns, state.moving_statistics) == (not frozen, False), state.layer.name
            assert state.batch_norm is None


def test_by_default_batch_norm_stands_still_everywhere_and_its_scale_learns_where_unfrozen():
    states = {state.layer.name: state for state in resolve(FreezePlan(("stem",)), NETWORK)}
    assert not any(state.moving_statistics for state in states.values())
    assert not states["bn1"].learns
    assert states["layer1.0.bn1"].learns


def test_parameters_that_learn_are_counted_without_running_statistics():
    assert trainable_parameters(resolve(FreezePlan(depth=5), NETWORK)) == HEAD
    assert trainable_parameters(resolve(FreezePlan(depth=0), NETWORK)) == NETWORK.parameters
    only_norms = FreezePlan(depth=5, frozen_batch_norm="train")
    widths = [math.prod(s) for name, s in NETWORK.shapes.items() if name.endswith("running_mean")]
    assert trainable_parameters(resolve(only_norms, NETWORK)) == HEAD + 2 * sum(widths)


def test_a_larger_depth_always_trains_fewer_parameters():
    counts = [trainable_parameters(resolve(FreezePlan(depth=k), NETWORK)) for k in range(6)]
    assert counts == sorted(set(counts), reverse=True)


TRAIN = FreezePlan(batch_norm="train")


@pytest.mark.parametrize(
    ("name", "plan", "size", "block"),
    [
        ("resnet_s", TRAIN, 32, "layer4"),
        ("resnet50", TRAIN, 32, "layer4"),
        ("inception_v3", TRAIN, 75, "Mixed_7a"),
        ("mobilenet_v2", TRAIN, 32, "stage6"),
        ("efficientnet_b0", FreezePlan(depth=8, frozen_batch_norm="statistics"), 32, "stage6"),
        ("efficientnet_b0", FreezePlan(depth=8, batch_norm="train"), 32, "last"),
    ],
)
def test_batch_norm_over_one_value_is_refused_and_its_first_block_is_named(name, plan, size, block):
    network = architecture(name, Head(), 2)
    states = resolve(plan, network)
    message = rf"of one picture, {size} pixels leave {block} just one\. Choose another batch size"
    with pytest.raises(FtkitError, match=message):
        check_batch_norm(states, network, 1, size)
    check_batch_norm(states, network, 2, size)


@pytest.mark.parametrize(
    ("name", "plan", "size"),
    [
        ("resnet_s", TRAIN, 33),
        ("inception_v3", FreezePlan(), 75),
        ("mobilenet_v2", FreezePlan(depth=6, batch_norm="train"), 33),
        ("vgg_s", TRAIN, 32),  # two rows are left in front of the last pooling
        ("convnext_tiny", TRAIN, 32),  # has no batch norm
        ("vgg16", TRAIN, 32),
    ],
)
def test_batch_norm_over_more_than_one_value_or_none_that_moves_is_let_pass(name, plan, size):
    network = architecture(name, Head(), 2)
    check_batch_norm(resolve(plan, network), network, 1, size)


def test_pictures_too_small_for_the_network_are_refused_before_training():
    network = architecture("inception_v3", Head(), 2)
    with pytest.raises(FtkitError, match="needs pictures of at least 75 pixels; got 74"):
        check_batch_norm(resolve(FreezePlan(), network), network, 8, 74)


# The audit


def phase(plan: FreezePlan, moved: set[str]) -> dict[str, object]:
    """The audit of a phase in which just these tensors moved."""
    before = dict.fromkeys(NETWORK.shapes, fingerprint(np.zeros(1)))  # which does not matter
    after = {name: fingerprint(np.ones(1)) if name in moved else before[name] for name in before}
    return audit(resolve(plan, NETWORK), before, after, [{"name": "head"}], {"bn1": "inference"})


def may_move(states: tuple[LayerState, ...]) -> set[str]:
    """The tensors that the states let move."""
    return {
        f"{state.layer.name}.{key}"
        for state in states
        for key in state.layer.shapes
        if (state.moving_statistics if key.startswith("running") else state.learns)
    }


@pytest.mark.parametrize("policy", UNFROZEN)
@pytest.mark.parametrize("frozen_policy", FROZEN)
def test_an_audit_holds_when_all_that_may_move_does(policy, frozen_policy):
    plan = FreezePlan(depth=2, batch_norm=policy, frozen_batch_norm=frozen_policy)
    allowed = may_move(resolve(plan, NETWORK))
    found = phase(plan, allowed)
    assert (found["holds"], found["strayed"]) == (True, [])
    for name in set(NETWORK.shapes) - allowed:
        strayed = phase(plan, allowed | {name})
        assert (strayed["holds"], strayed["strayed"]) == (False, [name])


def test_one_bit_in_the_last_place_is_enough_to_stray():
    plan = FreezePlan(depth=1)
    tensors = {name: np.ones(shape, np.float32) for name, shape in NETWORK.shapes.items()}
    before = {name: fingerprint(value) for name, value in tensors.items()}
    tensors["conv1.weight"][3, 1, 2, 0] = np.nextafter(np.float32(1), np.float32(2))
    after = {name: fingerprint(value) for name, value in tensors.items()}
    found = audit(resolve(plan, NETWORK), before, after, [], {})
    assert found["strayed"] == ["conv1.weight"]


def test_weights_that_stay_not_a_number_have_not_moved():
    before, after = (
        {name: fingerprint(np.full(shape, np.nan)) for name, shape in NETWORK.shapes.items()}
        for _ in range(2)
    )
    found = audit(resolve(FreezePlan(depth=5), NETWORK), before, after, [], {})
    assert found["holds"]


def test_a_fingerprint_is_the_same_for_the_same_bytes_in_any_memory_and_for_no_others():
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    other = values.copy()
    other[3, 5] = np.nextafter(other[3, 5], np.float32(0))
    strided = np.repeat(values, 2, axis=1)[:, ::2]
    assert fingerprint(values) == fingerprint(values.copy()) == fingerprint(strided)
    assert fingerprint(values) == fingerprint(np.asfortranarray(values))
    assert len({fingerprint(values), fingerprint(other), fingerprint(values.astype(float))}) == 3
    assert fingerprint(np.zeros(2)) != fingerprint(-np.zeros(2))


def test_the_audit_lists_every_tensor_once_and_counts_every_block():
    found = phase(FreezePlan(depth=5), {"fc.0.weight", "fc.3.bias"})
    blocks = found["blocks"]
    assert list(blocks) == [*BLOCKS, "head"]
    listed = [name for row in blocks.values() for name in (*row["moved"], *row["unchanged"])]
    assert sorted(listed) == sorted(NETWORK.shapes)
    assert blocks["head"]["moved"] == ["fc.0.weight", "fc.3.bias"]
    assert blocks["head"]["trainable_parameters"] == blocks["head"]["parameters"] == HEAD
    assert all(blocks[name]["trainable_parameters"] == 0 for name in BLOCKS)
    assert sum(row["parameters"] for row in blocks.values()) == NETWORK.parameters
    assert (found["trainable_parameters"], found["total_parameters"]) == (HEAD, NETWORK.parameters)


def test_the_audit_keeps_what_the_framework_reports():
    found = phase(FreezePlan(depth=5), set())
    assert found["optimizer_groups"] == [{"name": "head"}]
    assert found["blocks"]["stem"]["batch_norm"] == ["inference"]
