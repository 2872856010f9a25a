"""What every backend does, and that both do the same with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import ProbeError, relative
from probes import random_tensors

HIDDEN = {"hidden": 24, "dropout": 0.5}
BLOCKS = ("stem", "layer1", "layer2", "layer3", "layer4", "logits")


def noise(count: int, height: int, width: int | None = None) -> Any:
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (count, height, width or height, 3), dtype=np.uint8)


def size_relative(one: Any, other: Any) -> float:
    assert one.shape == other.shape and one.dtype == other.dtype
    return float(np.abs(one - other).max() / np.abs(one).max())


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("head", [{}, HIDDEN, {"dropout": 0.3}], ids=["linear", "hidden", "drop"])
@pytest.mark.parametrize("backbone", ["resnet_s", "resnet18"])
def test_what_is_loaded_comes_out_bit_equal(backend, backbone, head, precision):
    tensors = random_tensors(backbone, head)
    found = backend("round_trip", tensors, backbone=backbone, head=head, precision=precision)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == {"fp32": np.float32, "fp64": np.float64}[precision]
        assert np.array_equal(found[name], value), name


def test_what_one_framework_trained_the_other_loads_bit_equal(probes):
    for one, other in (("pytorch", "tensorflow"), ("tensorflow", "pytorch")):
        trained = probes[one]("sgd_steps", steps_on(random_tensors()), lr=0.01, batch_norm="train")
        for key in ("losses", "still", "masks"):
            trained.pop(key)
        found = probes[other]("round_trip", trained)
        assert all(np.array_equal(found[name], trained[name]) for name in trained)


@pytest.mark.parametrize(
    ("name", "shape"), [("fc.weight", [1, 256]), ("fc.bias", [1]), ("conv1.weight", [32, 3, 3, 3])]
)
def test_tensors_of_another_shape_are_refused(backend, name, shape):
    with pytest.raises(ProbeError, match="(?i)shape"):
        backend("load_other", random_tensors(), name=name, shape=shape)


def test_predictions_repeat_and_change_neither_tensors_nor_modes(backend):
    found = backend("quiet_prediction", {**random_tensors(), "images": noise(5, 48)})
    assert np.array_equal(found["first"], found["again"])
    assert found["moved"] == []
    assert set(found["modes"].values()) == {"statistics", "train"}
    assert found["modes_after"] == found["modes"]


def test_an_evaluation_is_the_softmax_and_the_mean_cross_entropy_of_the_logits(backend):
    found = backend("quiet_prediction", {**random_tensors(), "images": noise(5, 48)})
    logits = found["first"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    softmax = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(found["probabilities"], softmax, rtol=1e-12)
    assert found["loss"] == pytest.approx(-np.log(softmax[:, 0]).mean(), rel=1e-12)
    assert found["accuracy"] == (logits.argmax(1) == 0).mean()


FORWARD = [
    ("resnet_s", {}, (64, 64)),
    ("resnet_s", HIDDEN, (65, 65)),
    ("resnet_s", {}, (70, 70)),
    ("resnet_s", {}, (96, 64)),
    ("resnet_s", {}, (33, 33)),
    ("resnet_s", {"dropout": 0.3}, (224, 224)),
    ("resnet18", {}, (64, 64)),
    ("resnet18", HIDDEN, (70, 70)),
]


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-4), ("fp64", 1e-9)])
@pytest.mark.parametrize(("backbone", "head", "size"), FORWARD)
def test_activations_agree_behind_every_block(both, figure, backbone, head, size, precision, bound):
    arrays = {**random_tensors(backbone, head), "images": noise(2, *size)}
    one, other = both("inference", arrays, backbone=backbone, head=head, precision=precision)
    parted = {block: size_relative(one[block], other[block]) for block in BLOCKS}
    figure(f"forward pass, {precision}, {backbone} (relative)", max(parted.values()))
    assert max(parted.values()) <= bound, parted


def steps_on(tensors: Any, steps: int = 5, count: int = 6, units: int = 256) -> Any:
    rng = np.random.default_rng(5)
    return {
        **tensors,
        "images": noise(steps * count, 48).reshape(steps, count, 48, 48, 3),
        "labels": rng.integers(0, 2, (steps, count)),
        "keep": (rng.random((steps, count, units)) < 0.5) * 2.0,
    }


@pytest.mark.parametrize(
    ("batch_norm", "backbone", "head"),
    [
        ("train", "resnet_s", {}),
        ("train", "resnet_s", HIDDEN),
        ("train", "resnet18", {}),
        ("statistics", "resnet_s", {"dropout": 0.5}),
        ("inference", "resnet_s", HIDDEN),
    ],
)
def test_all_tensors_agree_after_steps_in_training_mode(both, figure, batch_norm, backbone, head):
    arrays = steps_on(random_tensors(backbone, head), units=head.get("hidden", 256))
    lr = 1e-5 if batch_norm == "inference" else 1e-3  # made-up statistics: logits of hundreds
    one, other = both(
        "sgd_steps", arrays, lr=lr, batch_norm=batch_norm, backbone=backbone, head=head
    )
    assert [one.pop(key) for key in ("masks", "still")] == [
        other.pop(key) for key in ("masks", "still")
    ]
    parted = {name: relative(one[name], other[name]) for name in one}
    figure("5 SGD steps from random tensors, fp64: tensors and losses", max(parted.values()))
    assert max(parted.values()) <= 1e-9, sorted(parted.items(), key=lambda item: -item[1])[:3]
    assert np.isfinite(one["losses"]).all()
    running = one["bn1.running_mean"]
    assert np.array_equal(running, arrays["bn1.running_mean"]) == (batch_norm == "inference")


def test_the_precision_of_a_network_built_since_changes_nothing(both):
    rng = np.random.default_rng(6)
    arrays = {**random_tensors(), "images": noise(16, 48), "labels": rng.integers(0, 2, 16)}
    one, other = both("training_after_another_was_built", arrays)
    np.testing.assert_allclose(one["losses"], other["losses"], atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("backbone", "head", "depth"),
    [
        ("resnet_s", {"hidden": 8, "dropout": 0.5}, 5),
        ("vgg_s", {"dropout": 0.5}, 0),
        ("vgg_s", {"dropout": 0.5}, 6),  # its own dropout is frozen, the head's is not
        ("efficientnet_b0", {}, 6),  # six of the nine units that drop are frozen
    ],
)
def test_no_mask_is_left_behind_for_a_loop_of_ones_own(backend, backbone, head, depth):
    arrays = {"images": noise(6, 48), "labels": np.arange(6) % 2}
    options = {"backbone": backbone, "head": head, "depth": depth}
    found = backend("training_after_training", arrays, **options)
    assert (found["shape"], found["masks"]) == ([6, 2], 0)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_a_stop_is_heard_before_each_step_and_each_batch_of_an_evaluation(backend, after):
    """The questions: one before the only step, then three batches of 32, 32 and 6 pictures."""
    arrays = {"images": noise(70, 224), "labels": np.arange(70) % 2}
    found = backend("stopped_training", arrays, after=after)
    assert ("step" in found["kinds"]) is (after > 0)
    assert ("epoch" in found["kinds"]) is (after == 4)
    assert found["kinds"][-2:] == ["phase_end", "run_end"]
    assert found["stopped"]


def test_batch_norm_over_a_single_value_is_refused_alike(probes):
    arrays = {**random_tensors(), "images": noise(5, 32), "labels": np.arange(5) % 2}
    phase = {"epochs": 1, "lr": 0.01, "freeze": {"batch_norm": "train"}}
    recipe = {"batch_size": 4, "optimizer": "sgd"}
    messages = set()
    for probe in probes.values():
        with pytest.raises(ProbeError) as caught:
            probe("training", arrays, recipe=recipe, phases=[phase])
        messages.add(caught.value.args[0])
    assert len(messages) == 1
    assert messages.pop().startswith("FtkitError: Batch norm that trains needs more than one")


@pytest.mark.parametrize(
    ("size", "batch_size", "batch_norm"), [(33, 4, "train"), (32, 3, "train"), (32, 4, "inference")]
)
def test_batch_norm_over_a_few_values_trains(backend, size, batch_size, batch_norm):
    arrays = {**random_tensors(), "images": noise(5, size), "labels": np.arange(5) % 2}
    phase = {"epochs": 1, "lr": 0.001, "freeze": {"batch_norm": batch_norm}}
    recipe = {"batch_size": batch_size, "optimizer": "sgd"}
    found = backend("training", arrays, recipe=recipe, phases=[phase])
    assert np.isfinite(found["losses"]).all()
