"""Each backbone computes, learns, drops, loads and exports alike in both frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import at_once, relative
from test_contract import noise, size_relative

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture

# Pictures of the five steps: enough of them, and large enough, that batch norm in the last block
# takes its variance from some dozen values; of vgg16, with its 134 million weights, just two.
STEPS = {name: (6, 64) for name in BACKBONES}
STEPS |= {"vgg16": (2, 32), "inception_v3": (6, 107)}
# Under batch norm's own statistics SGD from random weights is chaotic at higher rates: at 1e-3
# PyTorch parts from itself by 2e-9 within five steps of inception_v3, and by 2e-11 within those of
# resnet50, when each weight moves by one unit in the last place; at 1e-4 by 2e-12 and 1e-13.
LR = 1e-4
BOUNDS = {"fp32": 1e-4, "fp64": 1e-9}
# Picture sizes of the forward pass. At 32, 48 and 96 pixels the map that VGG pools to 7 × 7 (or
# vgg_s to 2 × 2) is of 1, 1 and 3 rows; the odd sizes meet every stride and padding.
SIZES = {name: ((64, 64),) for name in BACKBONES}
SIZES |= {
    "vgg_s": ((64, 64), (32, 48), (96, 75)),
    "vgg16": ((32, 48), (96, 65)),
    "inception_s": ((64, 64), (65, 75)),
    "inception_v3": ((80, 96), (75, 75)),
    "resnet50": ((64, 64), (65, 75)),
    "mobilenet_v2": ((64, 64), (65, 75)),
    "efficientnet_b0": ((64, 64), (65, 75)),
    "convnext_tiny": ((64, 64), (65, 75)),
}


def head_of(backbone: str) -> dict[str, Any]:
    return {} if backbone == "vgg16" else {"hidden": 8, "dropout": 0.5}


@pytest.fixture(scope="module", params=[(name, p) for name in BACKBONES for p in BOUNDS], ids=str)
def computed(request, probes):
    """A backbone, a precision, and what both frameworks make of it with random tensors."""
    backbone, precision = request.param
    pictures = {f"images {n}": noise(2, *size) for n, size in enumerate(SIZES[backbone])}
    options = {"backbone": backbone, "head": head_of(backbone), "precision": precision}
    jobs = {s: lambda p=p: p("inference", pictures, **options) for s, p in probes.items()}
    return backbone, precision, at_once(jobs)


def test_activations_and_logits_agree_behind_every_block(computed, figure):
    backbone, precision, found = computed
    one, other = found.values()
    blocks = architecture(backbone, Head(), 2).blocks
    parted = {
        key: size_relative(one[key], other[key])
        for n in range(len(SIZES[backbone]))
        for key in (f"{n} {block}" for block in (*blocks, "logits"))
    }
    figure(f"forward pass, {precision}, {backbone} (relative)", max(parted.values()))
    assert max(parted.values()) <= BOUNDS[precision], parted
    assert min(np.ptp(one[key]) for key in parted) > 0


def test_what_is_loaded_comes_out_bit_equal(computed):
    backbone, _, found = computed
    made = architecture(backbone, Head(**head_of(backbone)), 2)
    for side in found.values():
        assert (side["tensors"], side["changed"]) == (len(made.shapes), [])


def steps_on(backbone: str, rates: tuple[float, ...]) -> dict[str, Any]:
    """Five batches, and masks of which about half of each unit's is 0."""
    count, size = STEPS[backbone]
    rng = np.random.default_rng(5)
    keep = rng.random((5, count, len(rates))) >= 0.5
    return {
        "images": noise(5 * count, size).reshape(5, count, size, size, 3),
        "labels": rng.integers(0, 2, (5, count)),
        "keep": keep / (1 - np.asarray(rates)),
    }


@pytest.mark.parametrize("backbone", BACKBONES)
def test_activations_and_logits_agree_behind_every_block_in_training_mode(backbone, both, figure):
    made = architecture(backbone, Head(**head_of(backbone)), 2)
    given = steps_on(backbone, made.drop_rates)
    first = {name: given[name][0] for name in ("images", "keep")}
    one, other = both("trained_blocks", first, backbone=backbone, head=head_of(backbone))
    assert list(one) == list(other) == [*made.blocks, "logits"]
    parted = {name: size_relative(one[name], other[name]) for name in one}
    figure(f"training mode, fp64, {backbone} (relative)", max(parted.values()))
    assert max(parted.values()) <= BOUNDS["fp64"], parted
    assert min(np.ptp(values) for values in one.values()) > 0


@pytest.fixture(scope="module", params=BACKBONES)
def trained(request, probes, tmp_path_factory):
    """Five steps of a backbone in both frameworks: what they told, and their tensors' files."""
    backbone = request.param
    folder = tmp_path_factory.mktemp("trained")
    arrays = steps_on(backbone, architecture(backbone, Head(), 2).drop_rates)
    options = {"lr": LR, "batch_norm": "train", "backbone": backbone}
    options["momentum"] = 0.0 if backbone == "vgg16" else 0.9
    paths = {side: folder / f"{side}.npz" for side in probes}

    def run(side: str) -> Any:
        return probes[side]("sgd_steps", arrays, path=str(paths[side]), **options)

    found = at_once({side: lambda side=side: run(side) for side in probes})
    yield backbone, found, paths
    for path in paths.values():
        path.unlink()  # vgg16's take a gigabyte each


def test_five_steps_of_training_leave_all_tensors_and_losses_equal(trained, figure):
    backbone, found, paths = trained
    made = architecture(backbone, Head(), 2)
    one, other = found.values()
    losses = float(np.abs(one["losses"] - other["losses"]).max())
    assert np.isfinite(one["losses"]).all() and len(set(one["losses"])) == 5
    with np.load(paths["pytorch"]) as mine, np.load(paths["tensorflow"]) as yours:
        assert set(mine) == set(yours) == set(made.shapes)
        parted = {name: relative(mine[name], yours[name]) for name in mine}
    figure(f"5 SGD steps, fp64, {backbone}: losses", losses)
    figure(f"5 SGD steps, fp64, {backbone}: tensors", max(parted.values()))
    assert losses <= 1e-9
    assert max(parted.values()) <= 1e-9, sorted(parted.items(), key=lambda item: -item[1])[:3]
    # Batch norm takes away what a bias in front of it adds, also through a convolution in between
    # as in MobileNet: such a bias has no gradient but rounding. All else moves.
    normalised = any(layer.kind == "batch_norm" for layer in made.layers)
    for side in found.values():
        assert all(name.endswith(".bias") and normalised for name in side["still"])
        assert side["masks"] == 0


def test_what_one_framework_trained_the_other_loads_and_exports_bit_equal(probes, trained):
    backbone, _, paths = trained
    tensors = len(architecture(backbone, Head(), 2).shapes)
    for side, other in (("tensorflow", "pytorch"), ("pytorch", "tensorflow")):
        found = probes[side]("through_network", path=str(paths[other]), backbone=backbone)
        assert found == {"tensors": tensors, "changed": []}
