"""The speed of a machine: measured as the recipe computes, and told apart by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftkit.engine.compare import Experiment
from ftkit.engine.sweep import strategy_of
from ftkit.history import Run, RunFailed, Step
from ftkit.recipe import Recipe
from ftkit.widgets import speeds

BOTH = ("pytorch", "tensorflow")


@pytest.fixture
def experiment(pictures, monkeypatch):
    monkeypatch.setattr(speeds, "_KNOWN", {})
    strategies = tuple(strategy_of(depth) for depth in range(6))
    return Experiment(Recipe(data=str(pictures), image_size=32, strategies=strategies), BOTH)


class Trainer:
    """Stands for the workers: a step takes a second where only the head learns, else two."""

    def __init__(self, broken=""):
        self.broken = broken
        self.asked = []

    def train(self, experiment, strategy, *, max_steps):
        self.asked.append(experiment)
        slow = strategy == "depth-0" or not experiment.cache
        runs = [Run(name, strategy) for name in BOTH]
        for run in runs:
            if run.backend == self.broken:
                run.add(RunFailed("no memory"))
                continue
            for number in range(3):
                run.add(Step(0, 0, number, 0.5, 16, 32, 0.1, 2.0 if slow else 1.0))
        return runs


def test_a_speed_is_measured_in_the_recipes_precision_and_on_its_device(experiment):
    trainer = Trainer()
    double = experiment.changed(replace(experiment.recipe, precision="fp64", device="cpu"))
    assert speeds.measure(double, trainer) == ""
    assert {(one.recipe.precision, one.recipe.device) for one in trainer.asked} == {("fp64", "cpu")}
    assert set(speeds.known(double)) == set(BOTH)
    assert speeds.known(experiment) == {}
    elsewhere = double.changed(replace(double.recipe, device="auto"))
    assert speeds.known(elsewhere) == {}


def test_what_keeps_nothing_is_measured_by_runs_that_do(experiment):
    changes = {"augment": "flip-crop", "frozen_batch_norm": "statistics"}
    moving = experiment.changed(replace(experiment.recipe, **changes))
    trainer = Trainer()
    speeds.measure(moving, trainer)
    assert {(one.recipe.augment, one.recipe.frozen_batch_norm) for one in trainer.asked} == {
        ("none", "inference")
    }
    (speed, _) = speeds.known(moving).values()
    costs = moving.architecture.multiplications(32)
    frozen = sum(costs[name] for name in moving.architecture.blocks)
    assert speed.judging == pytest.approx(24 * frozen)  # a step of one batch, a second longer


def test_why_a_framework_could_not_be_measured_is_told_and_the_other_is_known(experiment):
    assert speeds.measure(experiment, Trainer("tensorflow")) == "TensorFlow: no memory"
    assert set(speeds.known(experiment)) == {"pytorch"}
