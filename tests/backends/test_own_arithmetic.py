"""Optimisers, batch norm and loss against each framework's own, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from test_contract import random_tensors

RATES = [0.1, 0.1, 0.03, 0.03, 0.01, 0.2, 0.05, 0.05]
CASES = {
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "sgd with decay": {"optimizer": "sgd", "momentum": 0.8, "weight_decay": 0.1},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0.0},
    "adam": {"optimizer": "adam"},
    "adam with decay": {"optimizer": "adam", "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop with decay": {"optimizer": "rmsprop", "weight_decay": 0.1},
}
TORCH = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}


def gradients():
    """From 1e-9 to 10, where one epsilon or another counts; and an exact 0."""
    rng = np.random.default_rng(8)
    steps = len(RATES)
    size = 10.0 ** rng.uniform(-9, 1, (1, 2, 256))
    weight = rng.normal(size=(steps, 2, 256)) * size
    weight[:, 0, :3] = 0
    bias = rng.normal(size=(steps, 2))
    return {**random_tensors(), "weight": weight, "bias": bias}


def same(one, other, figure, group):
    parted = max(float(np.abs(one[key] - other[key]).max()) for key in ("weights", "biases"))
    figure(group, parted)
    assert one["weights"].shape == (len(RATES), 2, 256)
    assert not np.array_equal(one["weights"][0], one["weights"][-1])
    assert parted <= 1e-13


@pytest.mark.parametrize("case", CASES)
def test_each_matched_optimizer_is_torch_optim_step_by_step(probes, figure, case):
    arrays, recipe = gradients(), CASES[case]
    options = {key: value for key, value in recipe.items() if key != "optimizer"}
    options.setdefault("weight_decay", 0.0)
    name = TORCH[recipe["optimizer"]]
    own = probes["pytorch"]("own_optimizer_steps", arrays, name=name, options=options, rates=RATES)
    for probe in probes.values():
        found = probe("optimizer_steps", arrays, recipe=recipe, rates=RATES)
        same(found, own, figure, "optimisers against torch.optim")


# Keras rounds a momentum, a beta and a decay to float32 on their way to a float64 variable: these
# have no digits to lose.
SGD = {"momentum": 0.875}
BETAS = {"beta_1": 0.875, "beta_2": 0.96875}
DECAY = {"weight_decay": 0.125}
KERAS = [
    ("sgd", "SGD", SGD, {}, ["sgd-momentum"]),
    ("sgd", "SGD", {**SGD, **DECAY}, {}, ["sgd-momentum", "weight-decay"]),
    ("adam", "Adam", {}, BETAS, ["adam-epsilon"]),
    ("adam", "Adam", DECAY, BETAS, ["adam-epsilon", "weight-decay"]),
    ("adamw", "AdamW", DECAY, BETAS, ["adam-epsilon"]),
    ("rmsprop", "RMSprop", {}, {}, ["rmsprop-constants"]),
    ("rmsprop", "RMSprop", DECAY, {}, ["rmsprop-constants", "weight-decay"]),
]


@pytest.mark.parametrize(("optimizer", "name", "options", "constants", "differences"), KERAS)
def test_switched_on_each_optimizer_is_keras_own(
    probes, figure, optimizer, name, options, constants, differences
):
    arrays = gradients()
    recipe = {"optimizer": optimizer, "differences": differences, **options}
    ask = probes["tensorflow"]
    keras_options = {**options, **constants}
    own = ask("own_optimizer_steps", arrays, name=name, options=keras_options, rates=RATES)
    found = ask("optimizer_steps", arrays, recipe=recipe, rates=RATES, constants=constants)
    same(found, own, figure, "optimisers, switched, against keras.optimizers")


def batch_norm_arrays(count=3, side=2):
    rng = np.random.default_rng(9)
    return {
        "x": rng.normal(2, 3, (4, count, side, side, 5)),
        "weight": rng.uniform(0.5, 1.5, 5),
        "bias": rng.normal(size=5),
        "running_mean": rng.normal(size=5),
        "running_var": rng.uniform(0.5, 1.5, 5),
    }


# In float32 TensorFlow's fused kernel computes it.
ROUNDING = {"float64": 1e-12, "float32": 2e-6}


@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch(both, training, precision):
    arrays = batch_norm_arrays()
    one, other = both("batch_norm", arrays, training=training, precision=precision)
    apart = ROUNDING[precision]
    for key in one:
        assert one[key].dtype == other[key].dtype == precision
        np.testing.assert_allclose(one[key], other[key], rtol=apart, atol=apart)
    if training:
        wanted = arrays["running_var"]
        for x in arrays["x"]:
            wanted = 0.9 * wanted + 0.1 * x.var((0, 1, 2), ddof=1)
        np.testing.assert_allclose(one["running_var"], wanted, rtol=apart)


@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("training", [True, False])
def test_switched_on_batch_norm_is_keras_own(probes, training, precision):
    arrays = batch_norm_arrays()
    options = {"epsilon": 1e-3, "momentum": 0.01, "unbiased": False}
    ask, given = probes["tensorflow"], {"training": training, "precision": precision}
    found = ask("batch_norm", arrays, options=options, **given)
    own = ask("batch_norm", arrays, own=True, **given)
    for key in own:
        apart = ROUNDING[precision]
        np.testing.assert_allclose(found[key], own[key], rtol=apart, atol=apart)


@pytest.mark.parametrize("size", [48, 64, 65, 47])
def test_switched_on_padding_is_keras_same_at_even_and_odd_sizes(probes, size):
    rng = np.random.default_rng(10)
    images = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    found = probes["tensorflow"]("keras_same_padding", {**random_tensors(), "images": images})
    np.testing.assert_allclose(found["found"], found["wanted"], rtol=1e-9, atol=1e-9)


# Sure of the wrong class: the right one's probability is exp(-40), far below 1e-7.
SURE = {
    "logits": np.array([[40, 0]], np.float32),
    "target": np.array([[0, 1]], np.float32),
    "labels": np.array([1]),
}
FROM_LOGITS, CLIPPED = pytest.approx(40, rel=1e-6), pytest.approx(-np.log(1e-7), rel=1e-6)


def test_from_a_softmax_layers_own_output_keras_goes_back_to_the_logits(probes):
    found = probes["tensorflow"]("keras_cross_entropy", SURE, between="nothing")
    assert found["eager"] == FROM_LOGITS == found["evaluated"]
    np.testing.assert_allclose(found["gradient"], [[1, -1]], rtol=1e-6)
    assert found["predicted"] == CLIPPED


@pytest.mark.parametrize("between", ["a layer", "a cast from float16"])
def test_with_something_between_softmax_and_loss_keras_clips_and_the_gradient_is_gone(
    probes, between
):
    found = probes["tensorflow"]("keras_cross_entropy", SURE, between=between)
    assert found["eager"] == CLIPPED == found["evaluated"]
    assert found["predicted"] == CLIPPED
    assert not found["gradient"].any()


@pytest.mark.parametrize(
    ("differences", "wanted"), [([], FROM_LOGITS), (["cross-entropy"], CLIPPED)]
)
def test_switched_on_the_loss_is_the_clipped_one(probes, differences, wanted):
    found = probes["tensorflow"]("switched_cross_entropy", SURE, differences=differences)
    assert found["eager"] == wanted == found["traced"]


@pytest.mark.parametrize("cells", [(7, 7), (2, 2), (1, 1), (3, 5)])
def test_adaptive_pooling_is_that_of_torch_whatever_the_size(both, figure, cells):
    rng = np.random.default_rng(11)
    sizes = [(1, 1), (2, 3), (7, 7), (4, 4), (10, 13), (3, 20), (64, 9)]
    arrays = {f"x{h}x{w}": rng.normal(size=(2, h, w, 5)) for h, w in sizes}
    one, other = both("layer_values", {**arrays, "values": np.zeros(1)}, cells=cells)
    for key in arrays:
        assert one[key].shape == other[key].shape == (2, *cells, 5)
        parted = float(np.abs(one[key] - other[key]).max())
        figure("adaptive pooling against torch's, fp64", parted)
        assert parted <= 1e-14
    same = f"x{cells[0]}x{cells[1]}"
    if same in arrays:
        assert np.array_equal(other[same], arrays[same])


def test_gelu_is_that_of_torch_to_the_last_digits(both, figure):
    values = np.concatenate([np.linspace(-9, 9, 1801), [0.0, 1e-9, -1e-300, 40.0, -40.0]])
    one, other = both("layer_values", {"values": values}, cells=[1, 1])
    assert one["gelu"].dtype == other["gelu"].dtype == np.float64
    parted = np.abs(one["gelu"] - other["gelu"]) / np.maximum(1, np.abs(values))
    figure("gelu against torch's, fp64", float(parted.max()))
    assert parted.max() <= 1e-15
