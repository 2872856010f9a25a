"""In float64 both frameworks train alike: 1e-9 at each of 40 steps, and the same predictions."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.freezing import FreezePlan, frozen_but_last_layers
from ftkit.recipe import Phase, Recipe

BOUND = 1e-9
# Where batch norm in all blocks takes its statistics from 8 pictures, SGD from random weights is
# chaotic at its own rate of 1e-2: measured over 40 steps in float64, PyTorch then parts by 3e-3 to
# 3e-1 from itself when each initial weight moves by one unit in the last place. At 1e-3 it parts by
# 1e-14, and what is left is the arithmetic.
CALM = 1e-3
ARCHITECTURE = architecture("resnet_s", Head(), 2)
BLOCKS = ARCHITECTURE.blocks


def recipe_for(pictures, strategy="fine-tuning", **options):
    defaults = {
        "data": pictures,
        "image_size": 40,  # 20, 10, 5, 3, 2: even and odd sizes meet every stride
        "weights": "random",
        "precision": "fp64",
        "epochs": 2,
        "batch_size": 8,
        "optimizer": "sgd",
        "schedule": "constant",
        "batch_norm": "inference",
        "device": "cpu",
        "strategies": ("custom",) if "phases" in options else (strategy,),
    }
    return Recipe(**{**defaults, **options})


@pytest.fixture
def alike(runs, figure):
    """Runs a recipe in both frameworks and holds everything against everything."""

    def hold(recipe, group="losses", steps=40):
        pair = runs.pair(recipe)
        one, other = pair.pytorch, pair.tensorflow
        assert len(one.steps) >= steps
        assert {step.pictures for step in one.steps} == {8, 4}  # a last, smaller batch
        assert [step.lr for step in one.steps] == [step.lr for step in other.steps]
        parted = pair.parted(len(one.steps))
        figure(f"fp64 training, {group}: loss", parted)
        figure(f"fp64 training, {group}: final tensors", pair.weights_parted())
        assert parted <= BOUND
        assert pair.weights_parted() <= BOUND
        assert one.val_predictions == other.val_predictions
        probabilities = [np.array(run.end.val_probabilities) for run in (one, other)]
        np.testing.assert_allclose(*probabilities, atol=BOUND, rtol=0)
        assert [step.correct for step in one.steps] == [step.correct for step in other.steps]
        for mine, yours in zip(one.epochs, other.epochs):
            assert mine.val_loss == pytest.approx(yours.val_loss, abs=BOUND)
            assert mine.val_accuracy == yours.val_accuracy
        for mine, yours in zip(one.audits, other.audits):
            assert mine["blocks"] == yours["blocks"]
        return pair

    return hold


@pytest.mark.parametrize("depth", range(len(BLOCKS) + 1))
def test_sgd_at_every_freeze_depth(alike, pictures, depth):
    recipe = recipe_for(pictures, freeze_depth=depth)
    assert recipe.optimizer == "sgd"
    pair = alike(recipe, "SGD, each depth")
    assert pair.pytorch.freeze_depth == depth


@pytest.mark.parametrize("depth", range(len(BLOCKS) + 1))
def test_adamw_at_every_freeze_depth_augmented(alike, pictures, depth):
    recipe = recipe_for(
        pictures, freeze_depth=depth, optimizer="adamw", weight_decay=1e-2, augment="flip-crop"
    )
    assert recipe.optimizer == "adamw"
    alike(recipe, "AdamW, each depth")


@pytest.mark.parametrize(
    ("depth", "batch_norm", "frozen_batch_norm", "optimizer"),
    [
        (0, "train", "inference", "sgd"),
        (0, "train", "inference", "adamw"),
        (0, "statistics", "inference", "sgd"),
        (2, "train", "statistics", "sgd"),
        (2, "inference", "train", "sgd"),
        (3, "statistics", "train", "adamw"),
        (5, "inference", "statistics", "sgd"),
        (5, "inference", "train", "adamw"),
    ],
)
def test_batch_norm_policies_of_frozen_and_trainable_blocks(
    alike, pictures, depth, batch_norm, frozen_batch_norm, optimizer
):
    recipe = recipe_for(
        pictures,
        freeze_depth=depth,
        batch_norm=batch_norm,
        frozen_batch_norm=frozen_batch_norm,
        optimizer=optimizer,
        lr=CALM,
    )
    alike(recipe, "batch-norm policies")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_two_phases_with_a_lower_rate_in_the_second(alike, pictures, optimizer):
    pair = alike(recipe_for(pictures, "two-phase", optimizer=optimizer), "two-phase")
    rates = [step.lr for step in pair.pytorch.steps]
    assert rates[0] > rates[-1]
    assert pair.pytorch.phases[0].frozen != pair.pytorch.phases[1].frozen


def test_scratch_with_everything_at_once(alike, pictures):
    recipe = recipe_for(
        pictures,
        "scratch",
        lr=CALM,
        head=Head(32, 0.5),
        batch_norm="auto",
        augment="flip-crop",
        schedule="cosine",
        weight_decay=1e-2,
        label_smoothing=0.1,
    )
    alike(recipe, "options")


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam", "schedule": "linear", "weight_decay": 1e-2},
        {"optimizer": "rmsprop", "schedule": "cosine", "weight_decay": 1e-2, "lr": 1e-4},
        {"optimizer": "adamw", "schedule": "linear", "weight_decay": 1e-1, "label_smoothing": 0.2},
        {"optimizer": "sgd", "momentum": 0.0, "schedule": "cosine"},
        {"head": Head(0, 0.4), "freeze_depth": 4},
        {"head": Head(24, 0.5), "freeze_depth": 5, "optimizer": "adam"},
        {"head": Head(24, 0.0), "freeze_depth": 3, "augment": "flip"},
    ],
    ids=lambda options: " ".join(f"{key}={value}" for key, value in options.items()),
)
def test_optimizers_schedules_decay_smoothing_and_heads(alike, pictures, options):
    alike(recipe_for(pictures, **{"freeze_depth": 2, **options}), "options")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_block_rates_of_their_own(alike, pictures, optimizer):
    rates = {"head": 2.0, "layer4": 0.5, "layer3": 0.1, "stem": 0.05}
    phase = Phase(2, FreezePlan(frozen=("layer1",)), 1e-3, "linear", rates)
    recipe = recipe_for(pictures, phases=(phase,), optimizer=optimizer, weight_decay=0.01)
    pair = alike(recipe, "block rates")
    groups = pair.pytorch.audits[0]["optimizer_groups"]
    lr = {group["name"]: group["lr"] for group in groups}
    assert lr["head"] == pytest.approx(40 * lr["stem"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradual_unfreezing_in_three_phases(alike, pictures, optimizer):
    phases = tuple(
        Phase(1, FreezePlan(frozen=BLOCKS[:depth], batch_norm=policy), lr, "cosine")
        for depth, policy, lr in ((5, "inference", 1e-2), (4, "train", 1e-3), (2, "train", 1e-4))
    )
    pair = alike(recipe_for(pictures, phases=phases, optimizer=optimizer), "three phases")
    assert [phase.freeze_depth for phase in pair.pytorch.phases] == [5, 4, 2]


@pytest.mark.parametrize("count", [3, 7])
def test_the_last_layers_alone(alike, pictures, count):
    frozen = frozen_but_last_layers(ARCHITECTURE, count)
    plan = FreezePlan(frozen=frozen, batch_norm="train")
    pair = alike(recipe_for(pictures, phases=(Phase(2, plan, 1e-2),)), "last layers")
    blocks = pair.pytorch.audits[0]["blocks"]
    assert blocks["layer3"]["moved"] == []
    assert blocks["layer4"]["moved"] and blocks["layer4"]["unchanged"]


@pytest.mark.parametrize("depth", [0, 5])
def test_resnet18(alike, pictures, depth):
    recipe = recipe_for(
        pictures,
        backbone="resnet18",
        freeze_depth=depth,
        lr=CALM,
        batch_norm="train" if depth == 0 else "inference",
    )
    alike(recipe, "resnet18")
