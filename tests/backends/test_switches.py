"""Each framework difference, switched on, parts the curves; switched off, it leaves them one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftkit.differences import SWITCHES
from ftkit.recipe import Recipe

BOUND, APART = 1e-9, 1e-6

# What makes each difference cheap to see here, beside what it needs to show at all; and how many
# steps that takes.
HERE = {
    "sgd-momentum": ({"freeze_depth": 3}, 8),
    "adam-epsilon": ({"freeze_depth": 4}, 8),
    "rmsprop-constants": ({"freeze_depth": 4}, 8),
    "weight-decay": ({"freeze_depth": 4}, 8),
    "head-init": ({"freeze_depth": 5}, 4),
    "batch-norm-constants": ({"freeze_depth": 3}, 8),
    "running-variance": ({}, 23),
    "frozen-batch-norm": ({}, 4),
    "input-scaling": ({"freeze_depth": 5, "lr": 1e-5}, 4),
    "stride-2-padding": ({"freeze_depth": 4}, 4),
    "cross-entropy": ({}, 8),
    "dropout": ({"freeze_depth": 5}, 4),
    "shuffling": ({"train_size": 1100, "batch_size": 8}, 4),
}


def recipe_for(data, name, switched):
    options, _ = HERE[name]
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
        "strategies": ["fine-tuning"],
        "differences": [name] if switched else [],
    }
    return Recipe.from_dict({**defaults, **SWITCHES[name].shown_by, **options})


@pytest.mark.parametrize("name", SWITCHES)
def test_a_difference_parts_the_curves_where_it_is_switched_on_and_only_there(
    runs, pictures, figure, name
):
    _, steps = HERE[name]
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
