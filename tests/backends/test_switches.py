"""Each framework difference, switched on, parts the curves; switched off, it leaves them one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftkit.architecture import Head
from ftkit.differences import SWITCHES
from ftkit.freezing import FreezePlan
from ftkit.recipe import Phase, Recipe

BOUND, APART = 1e-9, 1e-6
TWO_RATES = Phase(1, FreezePlan(frozen=("stem", "layer1", "layer2")), 1e-2, "linear")
# What "train" gathers counts where "inference" uses it.
GATHER_THEN_USE = tuple(
    Phase(1, FreezePlan(frozen=("stem", "layer1"), batch_norm=policy), 1e-3)
    for policy in ("train", "inference")
)

# Where each difference matters: a recipe, and how many of its steps.
WHERE = {
    "sgd-momentum": ({"optimizer": "sgd", "phases": (TWO_RATES,)}, 8),
    "adam-epsilon": ({"optimizer": "adamw", "freeze_depth": 4}, 8),
    "rmsprop-constants": ({"optimizer": "rmsprop", "freeze_depth": 4}, 8),
    "weight-decay": ({"optimizer": "sgd", "weight_decay": 0.1, "freeze_depth": 5}, 8),
    "head-init": ({"freeze_depth": 5}, 4),
    "batch-norm-constants": ({"batch_norm": "train", "freeze_depth": 3}, 8),
    "running-variance": ({"phases": GATHER_THEN_USE}, 23),
    "frozen-batch-norm": ({"freeze_depth": 3}, 4),
    "input-scaling": ({"freeze_depth": 5, "lr": 1e-5}, 4),
    "stride-2-padding": ({"freeze_depth": 4}, 4),
    "cross-entropy": ({"freeze_depth": 5, "lr": 1.0}, 8),
    "dropout": ({"head": Head(0, 0.5), "freeze_depth": 5}, 4),
    "shuffling": ({"freeze_depth": 5, "data": "drawn-pets", "train_size": 1100}, 4),
}


def recipe_for(data, name, switched):
    options, _ = WHERE[name]
    defaults = {
        "data": data,
        "image_size": 32,
        "weights": "random",
        "precision": "fp64",
        "epochs": 1,
        "batch_size": 8,
        "optimizer": "sgd",
        "schedule": "constant",
        "batch_norm": "inference",
        "device": "cpu",
        "strategies": ("custom",) if "phases" in options else ("fine-tuning",),
        "differences": (name,) if switched else (),
    }
    return Recipe(**{**defaults, **options})


@pytest.mark.parametrize("name", SWITCHES)
def test_a_difference_parts_the_curves_where_it_is_switched_on_and_only_there(
    runs, pictures, figure, name
):
    _, steps = WHERE[name]
    off = runs.pair(recipe_for(pictures, name, False), steps)
    on = runs.pair(recipe_for(pictures, name, True), steps)
    assert len(off.pytorch.steps) == len(on.pytorch.steps) == steps
    figure("differences switched off: loss", off.parted())
    figure(f"difference {name} switched on: loss", on.parted())
    assert off.parted() <= BOUND
    assert on.parted() > APART


def test_own_dropout_is_decided_by_the_seed(runs, pictures):
    recipe = recipe_for(pictures, "dropout", True)
    first, again = (runs.pair(recipe, 4) for _ in range(2))
    other = runs.pair(replace(recipe, seed=1), 4)
    assert first.pytorch.step_losses == again.pytorch.step_losses
    assert first.tensorflow.step_losses == again.tensorflow.step_losses
    assert first.pytorch.step_losses != other.pytorch.step_losses
