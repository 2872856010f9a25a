"""What is frozen stays bit-equal, the rest moves, and the audit says which is which."""

from __future__ import annotations

import numpy as np
import pytest
from test_contract import noise, random_tensors

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.freezing import POLICIES

ARCHITECTURE = architecture("resnet_s", Head(), 2)
FROZEN = ("stem", "layer1", "layer3.0")  # with a hole: layer2 learns in front of frozen layers


def phase(frozen, batch_norm, frozen_batch_norm, epochs=2, lr=1e-3):
    plan = {
        "frozen": frozen,
        "batch_norm": batch_norm,
        "frozen_batch_norm": frozen_batch_norm,
    }
    return {"epochs": epochs, "lr": lr, "freeze": plan}


def train(backend, phases, **recipe):
    arrays = {**random_tensors(), "images": noise(8, 48), "labels": np.arange(8) % 2}
    recipe = {"batch_size": 4, "precision": "fp64", "weight_decay": 1e-2, **recipe}
    return backend("training", arrays, recipe=recipe, phases=phases)


def may_move(name, batch_norm, frozen_batch_norm):
    """The rule of the freeze plan, said once more and without ftkit's own code."""
    layer, _, key = name.rpartition(".")
    frozen = layer in ("conv1", "bn1") or layer.startswith(("layer1.", "layer3.0."))
    is_norm = "bn" in layer or "downsample.1" in layer
    policy = frozen_batch_norm if frozen else batch_norm
    if key.startswith("running"):
        return policy in ("statistics", "train")
    if is_norm:
        return policy == "train" or (policy == "inference" and not frozen)
    return not frozen


@pytest.fixture(scope="module")
def trained():
    """What a run under two policies did, in either framework; each is trained once."""
    kept = {}

    def get(backend, *policies):
        key = (backend.backend, *policies)
        if key not in kept:
            optimizer = "sgd" if policies[0] == policies[1] else "adamw"
            kept[key] = train(backend, [phase(FROZEN, *policies)], optimizer=optimizer)
        return kept[key]

    return get


@pytest.mark.parametrize("frozen_batch_norm", POLICIES)
@pytest.mark.parametrize("batch_norm", POLICIES)
def test_exactly_what_should_move_moves(backend, trained, batch_norm, frozen_batch_norm):
    found = trained(backend, batch_norm, frozen_batch_norm)
    every = ARCHITECTURE.shapes.keys()
    wanted = {name for name in every if may_move(name, batch_norm, frozen_batch_norm)}
    assert set(found["moved"][0]) == wanted
    (audit,) = found["audits"]
    assert audit["holds"] and audit["strayed"] == []
    rows = audit["blocks"].values()
    assert {name for row in rows for name in row["moved"]} == wanted
    assert {name for row in rows for name in row["unchanged"]} == every - wanted


@pytest.mark.parametrize("frozen_batch_norm", POLICIES)
@pytest.mark.parametrize("batch_norm", POLICIES)
def test_the_mode_of_every_batch_norm_is_told_and_outlives_evaluations(
    backend, trained, batch_norm, frozen_batch_norm
):
    found = trained(backend, batch_norm, frozen_batch_norm)
    assert "epoch" in found["kinds"]
    frozen = ("bn1", "layer1.", "layer3.0.")
    for modes in found["modes"]:
        assert modes == {
            layer.name: frozen_batch_norm if layer.name.startswith(frozen) else batch_norm
            for layer in ARCHITECTURE.layers
            if layer.kind == "batch_norm"
        }
    (audit,) = found["audits"]
    assert audit["blocks"]["layer1"]["batch_norm"] == [frozen_batch_norm]
    assert audit["blocks"]["layer4"]["batch_norm"] == [batch_norm]
    assert set(audit["blocks"]["layer3"]["batch_norm"]) == {batch_norm, frozen_batch_norm}


@pytest.mark.parametrize("policies", [("inference", "inference"), ("statistics", "train")])
def test_optimizer_groups_hold_trainable_parameters_alone(backend, trained, policies):
    found = trained(backend, *policies)
    wanted = {}
    for layer in ARCHITECTURE.layers:
        learns = sum(
            int(np.prod(shape))
            for key, shape in layer.shapes.items()
            if not key.startswith("running") and may_move(f"{layer.name}.{key}", *policies)
        )
        wanted[layer.block] = wanted.get(layer.block, 0) + learns
    (audit,) = found["audits"]
    groups = audit["optimizer_groups"]
    assert {group["name"]: group["parameters"] for group in groups} == {
        block: count for block, count in wanted.items() if count
    }
    assert all(group["lr"] == 1e-3 and group["weight_decay"] == 1e-2 for group in groups)
    assert audit["trainable_parameters"] == sum(wanted.values())


def test_each_phase_moves_its_own_layers_and_leaves_those_of_the_last_alone(backend):
    blocks = ARCHITECTURE.blocks
    plans = [list(blocks), list(blocks[:4]), ["head", *blocks[1:]]]
    phases = [phase(plan, "inference", "inference", epochs=1) for plan in plans]
    moved = train(backend, phases, optimizer="adam")["moved"]
    assert set(moved[0]) == {"fc.weight", "fc.bias"}
    assert {name.split(".")[0] for name in moved[1]} == {"layer4", "fc"}
    assert set(moved[2]) == {"conv1.weight", "bn1.weight", "bn1.bias"}


def test_the_two_frameworks_tell_the_same_audit(both):
    one, other = both_train(both, [phase(FROZEN, "train", "statistics", lr=2e-3)])
    assert one["audits"] == other["audits"]


def both_train(both, phases):
    arrays = {**random_tensors(), "images": noise(8, 48), "labels": np.arange(8) % 2}
    recipe = {"batch_size": 4, "precision": "fp64", "optimizer": "sgd"}
    return both("training", arrays, recipe=recipe, phases=phases)
