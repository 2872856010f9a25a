"""Recipes: validation, JSON, what each strategy trains, and learning rates."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.errors import FtkitError
from ftkit.freezing import FreezePlan, frozen_depth, resolve
from ftkit.recipe import OPTIMIZERS, STRATEGIES, Phase, Recipe

NETWORK = architecture("resnet_s", Head(), 2)
BLOCKS = ("stem", "layer1", "layer2", "layer3", "layer4")
NAN, INFINITY = float("nan"), float("inf")
PHASE = Phase(1, FreezePlan(), 0.1)


def depths(recipe: Recipe, strategy: str) -> list[int]:
    """How many blocks are frozen in each phase."""
    return [frozen_depth(phase.freeze, NETWORK) for phase in recipe.phases_of(strategy, NETWORK)]


def norms(recipe: Recipe, strategy: str) -> list[set[str | None]]:
    """The batch-norm policies in each phase."""
    phases = recipe.phases_of(strategy, NETWORK)
    return [
        {s.batch_norm for s in resolve(phase.freeze, NETWORK) if s.batch_norm} for phase in phases
    ]


# Validation


def test_without_arguments_it_runs_the_four_strategies_on_the_drawn_pets():
    recipe = Recipe()
    assert (recipe.data, recipe.backbone, recipe.weights) == ("drawn-pets", "resnet_s", "bundled")
    assert recipe.strategies == ("scratch", "feature-extraction", "fine-tuning", "two-phase")
    assert (recipe.precision, recipe.batch_norm, recipe.differences) == ("fp32", "auto", ())
    assert (recipe.optimizer, recipe.learning_rate, recipe.schedule) == ("adamw", 1e-3, "cosine")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategies": ()}, "Expected at least one strategy of: scratch, .*; got none."),
        ({"strategies": ("scrach",)}, r"Unknown strategy 'scrach'. Did you mean 'scratch'\?"),
        ({"strategies": ("custom",)}, "Unknown strategy 'custom'. Choose one of: scratch,"),
        ({"strategies": ("depth-N",)}, r"Unknown strategy 'depth-N'\."),
        ({"strategies": ("depth-",)}, "Unknown strategy 'depth-'"),
        ({"strategies": ("depth--1",)}, "Unknown strategy 'depth--1'"),
        ({"strategies": ("depth-2.5",)}, "Unknown strategy 'depth-2.5'"),
        ({"strategies": ("depth-2 ",)}, "Unknown strategy 'depth-2 '"),
        ({"strategies": ("scratch", "dept-2")}, r"Unknown strategy 'dept-2'. .*depth-N"),
        ({"strategies": ("depth-2",), "phases": (PHASE,)}, "Unknown strategy 'depth-2'"),
        ({"strategies": "scratch"}, "strategies must be a list; got 'scratch' alone."),
        ({"strategies": ("scratch",), "phases": (PHASE,)}, r"Choose one of: custom\.$"),
        ({"differences": "dropout"}, "differences must be a list; got 'dropout' alone."),
        ({"differences": ("dropuot",)}, r"Unknown difference 'dropuot'. Did you mean 'dropout'\?"),
        ({"optimizer": "adamv"}, "Unknown optimizer 'adamv'. Did you mean 'adam"),
        ({"schedule": "cosin"}, r"Unknown schedule 'cosin'. Did you mean 'cosine'\?"),
        ({"batch_norm": "trian"}, r"Unknown batch-norm policy 'trian'. Did you mean 'train'\?"),
        ({"frozen_batch_norm": "auto"}, "Unknown batch-norm policy 'auto'"),
        ({"augment": "flip-corp"}, r"Unknown augmentation 'flip-corp'. Did you mean 'flip-crop'\?"),
        (
            {"precision": "fp16"},
            "Unknown precision 'fp16'. .* Choose one of: fp32, fp64, bf16, auto.",
        ),
        ({"device": "cuda"}, "Unknown device 'cuda'. .*Choose one of: auto, cpu, gpu."),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0."),
        ({"epochs": 2.0}, "epochs must be a whole number of at least 1; got 2.0."),
        ({"epochs": "five"}, "epochs must be a whole number of at least 1; got 'five'."),
        ({"epochs": True}, "epochs must be a whole number of at least 1; got True."),
        ({"epochs": None}, "epochs must be a whole number of at least 1; got None."),
        ({"epochs": NAN}, "epochs must be a whole number of at least 1; got nan."),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0."),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1."),
        ({"image_size": 31}, "image_size must be a whole number of at least 32; got 31."),
        ({"train_size": 0}, "train_size must be a whole number of at least 1; got 0."),
        ({"freeze_depth": -1}, "freeze_depth must be a whole number of at least 0; got -1."),
        ({"views": 0, "augment": "flip-crop"}, "views must be a whole number of at least 1; got 0"),
        ({"views": 2.0, "augment": "flip-crop"}, "views must be a whole number .*; got 2.0."),
        ({"views": 2, "augment": "flip"}, "got views=2 with augment='flip'. Leave views out."),
        ({"views": 1}, "got views=1 with augment='none'. Leave views out."),
        ({"head": Head(hidden=-1)}, "head.hidden must be a whole number of at least 0; got -1."),
        ({"head": Head(dropout=1.0)}, "head.dropout must lie in 0 <= head.dropout < 1; got 1.0."),
        ({"lr": 0}, "lr must be a number above 0; got 0."),
        ({"lr": -0.1}, "lr must be a number above 0; got -0.1."),
        ({"lr": NAN}, "lr must be a number above 0; got nan."),
        ({"lr": INFINITY}, "lr must be a number above 0; got inf."),
        ({"lr": "0.1"}, "lr must be a number above 0; got '0.1'."),
        ({"fine_tune_rate": None}, "fine_tune_rate must be a number above 0; got None."),
        ({"momentum": "x"}, "momentum must lie in 0 <= momentum < 1; got 'x'."),
        ({"momentum": False}, "momentum must lie in 0 <= momentum < 1; got False."),
        ({"label_smoothing": [0]}, r"0 <= label_smoothing < 1; got \[0\]."),
        ({"weight_decay": None}, "weight_decay must be 0 or more; got None."),
        ({"head": 5}, "head must be a Head; got 5."),
        ({"head": Head(dropout="x")}, "0 <= head.dropout < 1; got 'x'."),
        ({"strategies": None}, "strategies must be a list; got None"),
        ({"strategies": [None]}, "Unknown strategy 'None'. Choose one of: scratch,"),
        ({"differences": 5}, "differences must be a list; got 5"),
        ({"differences": [["dropout"]]}, r"Unknown difference .*\['dropout'\]"),
        ({"optimizer": ["sgd"]}, r"Unknown optimizer .*\['sgd'\]"),
        ({"optimizer": {}}, "Unknown optimizer '{}'"),
        ({"phases": PHASE}, "phases must be a list; got Phase"),
        ({"phases": [1]}, r"phases\[0\] must be a Phase; got 1."),
        ({"phases": [PHASE, {"epochs": 1}]}, r"phases\[1\] must be a Phase; got {'epochs': 1}."),
        ({"fine_tune_rate": 0}, "fine_tune_rate must be a number above 0; got 0."),
        ({"momentum": 1}, "momentum must lie in 0 <= momentum < 1; got 1."),
        ({"momentum": NAN}, "momentum must lie in 0 <= momentum < 1; got nan."),
        ({"label_smoothing": -0.1}, "label_smoothing must lie in 0 <= label_smoothing < 1"),
        ({"weight_decay": -1}, "weight_decay must be 0 or more; got -1."),
        ({"weight_decay": INFINITY}, "weight_decay must be 0 or more; got inf."),
        ({"data": ""}, "data must be a name or a path; got ''."),
        ({"data": 5}, "data must be a name or a path; got 5."),
        ({"weights": None}, "weights must be a name or a path; got None."),
        ({"backbone": ["resnet_s"]}, r"backbone must be a name or a path; got \['resnet_s'\]."),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_arrived(given, message):
    with pytest.raises(FtkitError, match=message):
        Recipe(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "Phase.epochs must be a whole number of at least 1; got 0."),
        ({"lr": 0.0}, "Phase.lr must be a number above 0; got 0.0."),
        ({"schedule": "step"}, "Unknown schedule 'step'"),
        ({"lr": "a"}, "Phase.lr must be a number above 0; got 'a'."),
        ({"schedule": ["linear"]}, r"Unknown schedule .*\['linear'\]"),
        ({"freeze": ("stem",)}, r"Phase.freeze must be a FreezePlan; got \('stem',\)."),
        ({"freeze": None}, "Phase.freeze must be a FreezePlan; got None."),
        ({"block_rates": {"stem": 0}}, r"Phase.block_rates\['stem'\] must be a number above 0"),
        ({"block_rates": {"stem": "x"}}, r"Phase.block_rates\['stem'\] must be .* got 'x'."),
        ({"block_rates": {1: 0.5}}, "A name in Phase.block_rates must be a str; got 1."),
        ({"block_rates": None}, "Phase.block_rates must be a Mapping; got None."),
        ({"block_rates": ["stem"]}, r"Phase.block_rates must be a Mapping; got \['stem'\]."),
    ],
)
def test_a_phase_refuses_what_cannot_be(given, message):
    with pytest.raises(FtkitError, match=message):
        Phase(**{"epochs": 1, "freeze": FreezePlan(), "lr": 0.1, **given})


def test_lists_are_as_good_as_tuples():
    listed = Recipe(strategies=["scratch"], differences=["dropout"])
    assert listed == Recipe(strategies=("scratch",), differences=("dropout",))


def test_a_path_is_as_good_as_its_text():
    recipe = Recipe(data=Path("my") / "pictures", weights=Path("w.safetensors"))
    assert recipe == Recipe(data=str(Path("my/pictures")), weights="w.safetensors")
    assert json.loads(json.dumps(recipe.to_dict()))["weights"] == "w.safetensors"


def test_phases_of_ones_own_are_run_as_the_one_strategy_custom():
    assert Recipe(phases=[PHASE]).strategies == ("custom",)
    assert Recipe(phases=[PHASE], strategies=["custom"]) == Recipe(phases=(PHASE,))


# JSON

FULL = Recipe(
    data="somewhere",
    train_size=10,
    image_size=48,
    backbone="resnet18",
    weights="random",
    head=Head(hidden=16, dropout=0.25),
    phases=(
        Phase(2, FreezePlan(("stem", "layer4.1")), 0.1, "linear", {"layer1": 0.5}),
        Phase(1, FreezePlan(depth=3, batch_norm="train"), 0.01),
        Phase(1, FreezePlan(last_layers=4, frozen_batch_norm="statistics"), 0.01),
    ),
    strategies=("custom",),
    freeze_depth=2,
    epochs=7,
    batch_size=3,
    optimizer="rmsprop",
    lr=0.5,
    fine_tune_rate=0.2,
    momentum=0.5,
    weight_decay=0.1,
    schedule="linear",
    label_smoothing=0.1,
    batch_norm="statistics",
    frozen_batch_norm="statistics",
    augment="flip-crop",
    views=3,
    seed=9,
    precision="fp64",
    device="cpu",
    differences=("dropout", "head-init"),
)


def test_the_full_recipe_leaves_no_default_untested():
    defaults = Recipe().to_dict()
    assert [name for name, value in FULL.to_dict().items() if value == defaults[name]] == []


@pytest.mark.parametrize("recipe", [Recipe(), FULL], ids=["default", "full"])
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("recipe", [Recipe(), FULL], ids=["default", "full"])
def test_recipes_that_are_equal_are_one_in_a_set(recipe):
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert len({recipe, again}) == 1
    assert len({recipe, dataclasses.replace(recipe, seed=10)}) == 2
    assert len({*recipe.phases, *again.phases}) == len(recipe.phases)


def test_phases_that_differ_in_block_rates_alone_are_two():
    apart = dataclasses.replace(PHASE, block_rates={"stem": 0.5})
    assert len({PHASE, apart}) == len({Recipe(phases=[PHASE]), Recipe(phases=[apart])}) == 2


def test_block_rates_are_any_mapping_and_kept_as_they_were_given():
    given = {"stem": 0.5, "layer1": 2}
    phase = Phase(1, FreezePlan(), 0.1, block_rates=MappingProxyType(given))
    recipe = Recipe(phases=[phase])
    given["stem"] = 9.0
    assert phase.block_rates == {"stem": 0.5, "layer1": 2}
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_what_json_leaves_out_takes_its_default():
    assert Recipe.from_dict({}) == Recipe()
    assert Recipe.from_dict({"epochs": 2, "strategies": ["scratch"]}) == Recipe(
        epochs=2, strategies=("scratch",)
    )


def test_an_entry_that_no_recipe_has_is_refused_with_the_nearest():
    with pytest.raises(FtkitError, match=r"Unknown recipe entry 'epoch'. Did you mean 'epochs'\?"):
        Recipe.from_dict({"epoch": 3})


@pytest.mark.parametrize(
    "values",
    [
        {"head": None},
        {"head": {"units": 3}},
        {"head": {"hidden": "x"}},
        {"head": {"dropout": "x"}},
        {"phases": None},
        {"phases": [1]},
        {"phases": [{"epochs": 1, "lr": 0.1}]},
        {"phases": [{"epochs": 1, "lr": "x", "freeze": {}}]},
        {"phases": [{"epochs": 1, "lr": 0.1, "freeze": {"depth": "x"}}]},
        {"phases": [{"epochs": 1, "lr": 0.1, "freeze": {"frozen": "stem"}}]},
        {"phases": [{"epochs": 1, "lr": 0.1, "freeze": {}, "block_rates": 3}]},
        {"strategies": None},
        {"strategies": [3]},
        {"optimizer": ["sgd"]},
        {"lr": "x"},
        {"lr": True},
        {"momentum": None},
        {"fine_tune_rate": None},
        {"weight_decay": "x"},
        {"precision": 64},
        {"seed": 1.5},
        {"image_size": 64.0},
        {"train_size": "all"},
        {"epochs": INFINITY},
    ],
    ids=str,
)
def test_a_json_value_of_the_wrong_kind_is_an_ftkit_error(values):
    with pytest.raises(FtkitError):
        Recipe.from_dict(values)


@pytest.mark.parametrize("as_text", [str, Path])
def test_read_takes_a_bare_recipe(tmp_path, as_text):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(FULL.to_dict()), encoding="utf-8")
    assert Recipe.read(as_text(path)) == FULL


def test_read_takes_the_recipe_out_of_a_summary(tmp_path):
    path = tmp_path / "summary.json"
    summary = {"recipe": FULL.to_dict(), "data": {}, "runs": [], "match": []}
    path.write_text(json.dumps(summary), encoding="utf-8")
    assert Recipe.read(path) == FULL


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expected a JSON file with a recipe at .*summary.json"),
        (b'{"epochs": 3', "Expected a JSON file with a recipe at"),
        (b"\xff\xfe{}", "Expected a JSON file with a recipe at"),
        (b"[1, 2]", "Expected a JSON object with a recipe's entries in"),
        (b'{"runs": []}', "Expected a JSON object with a recipe's entries in"),
        (b'{"epochs": NaN}', "epochs must be a whole number"),
    ],
)
def test_read_refuses_what_holds_no_recipe(tmp_path, content, message):
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    with pytest.raises(FtkitError, match=message):
        Recipe.read(path)


def test_read_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FtkitError, match="at .*none.json; .*No such file.*Give a summary.json"):
        Recipe.read(tmp_path / "none.json")


# What a strategy trains


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_rate_is_the_optimisers_own_unless_given(optimizer):
    assert Recipe(optimizer=optimizer).learning_rate == OPTIMIZERS[optimizer]
    assert Recipe(optimizer=optimizer, lr=0.7).learning_rate == 0.7


def test_scratch_starts_at_random_and_the_others_where_the_recipe_says():
    recipe = Recipe(weights="w.safetensors")
    sources = {strategy: recipe.weights_of(strategy) for strategy in STRATEGIES}
    assert sources.pop("scratch") == "random"
    assert set(sources.values()) == {"w.safetensors"}


@pytest.mark.parametrize(
    ("strategy", "default", "at_two"),
    [
        ("scratch", [0], [0]),
        ("feature-extraction", [5], [5]),
        ("fine-tuning", [0], [2]),
        ("two-phase", [5, 4], [5, 2]),
    ],
)
def test_each_strategy_freezes_to_its_own_depth_and_two_of_them_to_the_recipes(
    strategy, default, at_two
):
    assert depths(Recipe(), strategy) == default
    assert depths(Recipe(freeze_depth=2), strategy) == at_two


@pytest.mark.parametrize("depth", range(6))
def test_every_depth_up_to_all_blocks_can_be_asked_for(depth):
    assert depths(Recipe(freeze_depth=depth), "fine-tuning") == [depth]
    assert depths(Recipe(freeze_depth=depth), "two-phase") == [5, depth]


@pytest.mark.parametrize("depth", range(6))
def test_a_depth_can_be_a_strategy_of_its_own_that_fine_tunes_behind_it(depth):
    recipe = Recipe(strategies=(f"depth-{depth}", "scratch"), freeze_depth=1, epochs=7)
    assert depths(recipe, f"depth-{depth}") == [depth]
    assert recipe.phases_of(f"depth-{depth}", NETWORK) == Recipe(
        freeze_depth=depth, epochs=7
    ).phases_of("fine-tuning", NETWORK)
    assert recipe.weights_of(f"depth-{depth}") == "bundled"


def test_a_strategy_deeper_than_the_network_is_refused_and_the_blocks_are_named():
    with pytest.raises(FtkitError, match=r"between 0 .* and 5 \(all of stem, layer1.*; got 6."):
        Recipe(strategies=("depth-6",)).phases_of("depth-6", NETWORK)


@pytest.mark.parametrize("precision", ["fp32", "fp64", "bf16", "auto"])
def test_a_recipe_computes_in_float32_float64_or_bfloat16(precision):
    assert Recipe(precision=precision).precision == precision


@pytest.mark.parametrize("strategy", ["fine-tuning", "two-phase"])
def test_a_depth_beyond_the_blocks_is_refused_and_the_blocks_are_named(strategy):
    with pytest.raises(FtkitError, match=r"between 0 .* and 5 \(all of stem, layer1.*; got 6."):
        Recipe(freeze_depth=6).phases_of(strategy, NETWORK)


@pytest.mark.parametrize(
    ("epochs", "parts"), [(1, [1, 1]), (2, [1, 1]), (3, [1, 2]), (4, [2, 2]), (7, [3, 4])]
)
def test_two_phase_gives_the_first_half_to_the_head_but_at_least_one_epoch_to_each(epochs, parts):
    phases = Recipe(epochs=epochs).phases_of("two-phase", NETWORK)
    assert [phase.epochs for phase in phases] == parts


@pytest.mark.parametrize("strategy", ["scratch", "feature-extraction", "fine-tuning"])
def test_the_other_strategies_have_one_phase_with_all_epochs_at_the_full_rate(strategy):
    (phase,) = Recipe(epochs=7, lr=0.3, schedule="linear").phases_of(strategy, NETWORK)
    assert (phase.epochs, phase.lr, phase.schedule) == (7, 0.3, "linear")


def test_the_second_phase_runs_at_the_lower_rate():
    recipe = Recipe(lr=0.4, fine_tune_rate=0.25, schedule="cosine")
    phases = recipe.phases_of("two-phase", NETWORK)
    assert [(phase.lr, phase.schedule) for phase in phases] == [(0.4, "cosine"), (0.1, "cosine")]


def test_custom_runs_the_phases_as_they_were_given():
    assert FULL.phases_of("custom", NETWORK) == FULL.phases


def test_batch_norm_trains_from_random_weights_and_stays_still_from_pretrained_ones():
    assert norms(Recipe(), "scratch") == [{"train"}]
    assert norms(Recipe(), "fine-tuning") == [{"inference"}]
    assert norms(Recipe(), "two-phase") == [{"inference"}, {"inference"}]
    assert norms(Recipe(weights="random"), "fine-tuning") == [{"train"}]


def test_batch_norm_does_as_the_recipe_says_otherwise():
    assert norms(Recipe(batch_norm="statistics"), "scratch") == [{"statistics"}]
    assert norms(Recipe(batch_norm="train"), "fine-tuning") == [{"train"}]
    both = Recipe(batch_norm="train", frozen_batch_norm="statistics", freeze_depth=1)
    assert norms(both, "fine-tuning") == [{"statistics", "train"}]


# Learning rates


def test_a_constant_rate_stays():
    assert Phase(1, FreezePlan(), 0.3).rates(4).tolist() == [0.3] * 4


def test_a_linear_rate_falls_by_equal_steps_from_the_full_rate_to_one_step_above_zero():
    rates = Phase(1, FreezePlan(), 0.8, "linear").rates(4)
    np.testing.assert_allclose(rates, [0.8, 0.6, 0.4, 0.2], rtol=1e-15)


def test_a_cosine_rate_is_half_a_wave():
    rates = Phase(1, FreezePlan(), 0.8, "cosine").rates(6)
    expected = [0.4 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    np.testing.assert_allclose(rates, expected, rtol=1e-15)
    assert rates[3] == pytest.approx(0.4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("steps", [1, 5])
def test_rates_are_float64_start_in_full_and_stay_above_zero(schedule, steps):
    rates = Phase(1, FreezePlan(), 0.1, schedule).rates(steps)
    assert rates.dtype == np.float64
    assert len(rates) == steps
    assert rates[0] == 0.1
    assert (rates > 0).all()
