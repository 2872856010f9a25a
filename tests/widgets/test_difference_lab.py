"""The difference lab without a page: what it tells, and a trial in both frameworks."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from ftkit.differences import SWITCHES
from ftkit.errors import FtkitError
from ftkit.history import Epoch, PhaseStart, Run, Step
from ftkit.recipe import Recipe
from ftkit.report.partings import Trial
from ftkit.widgets import DifferenceLab, difference_lab
from ftkit.widgets.difference_lab import (
    curves_view,
    live_view,
    missing_framework,
    points,
    recipe_for,
    row_view,
    table_of,
    view_of,
)

BOTH = ("pytorch", "tensorflow")


def made(backend, losses=(0.7, 0.5), total=4, status="running"):
    run = Run(backend, "fine-tuning")
    run.add(PhaseStart(0, (), 0, 10, 10, 1, total, total))
    for number, loss in enumerate(losses):
        run.add(Step(0, 0, number, loss, 1, 2, 1e-3, 0.1))
    run.add(Epoch(0, 0, 0.6, 0.5, 0.6, 0.75, 0.1))
    run.seconds = 3.0
    run.status = status
    return run


def trial(matched=True, switched=True, apart=0.25):
    recipe = recipe_for(Recipe(precision="fp64", strategies=("fine-tuning",)), "adam-epsilon")
    return Trial(
        "adam-epsilon",
        recipe,
        [made(name, status="done") for name in BOTH] if matched else [],
        [made("pytorch"), made("tensorflow", (0.7, 0.5 + apart))] if switched else [],
    )


# What the page shows


def test_every_difference_is_told_with_what_each_framework_does_and_the_line_that_does_it():
    told = view_of("")
    assert [item["name"] for item in told["differences"]] == list(SWITCHES)
    sgd = told["differences"][0]
    assert sgd["pytorch"] == SWITCHES["sgd-momentum"].pytorch
    assert sgd["keras_lines"][0]["file"] == "keras/src/optimizers/sgd.py"
    assert sgd["keras_lines"][0]["inside"] == "SGD.update_step"
    assert sgd["matched"] == "as PyTorch"
    by_name = {item["name"]: item["matched"] for item in told["differences"]}
    assert by_name["frozen-batch-norm"] == "as Keras"
    assert by_name["dropout"] == SWITCHES["dropout"].matched


def test_a_trial_in_progress_shows_the_matched_run_first_and_then_the_other():
    first = live_view(trial(switched=False))
    assert first["running"] and first["stage"] == "Nothing switched on"
    assert list(first["curves"]["matched"]) == list(BOTH) and not first["curves"]["switched"]
    second = live_view(trial())
    assert second["stage"] == "Switched on"
    assert [bar["backend"] for bar in second["bars"]] == list(BOTH)


def test_before_the_runs_begin_there_are_no_bars():
    waiting = trial(matched=False, switched=False)
    assert live_view(waiting)["bars"] == []
    waiting.matched = [Run(name, "fine-tuning") for name in BOTH]
    assert [bar["left"] for bar in live_view(waiting)["bars"]] == [None, None]


def test_the_curves_are_losses_by_step_and_what_lies_between_them():
    curves = curves_view(trial())
    assert curves["switched"]["tensorflow"] == [[1, 0.7], [2, 0.75]]
    assert curves["gap"] == [[1, 0.0], [2, 0.25]]
    assert curves["matched_gap"] == [[1, 0.0], [2, 0.0]]


def test_a_loss_that_is_no_number_is_left_out_of_the_curve():
    assert points([0.5, math.nan, math.inf, 0.25]) == [[1, 0.5], [4, 0.25]]


def test_a_row_says_what_the_difference_is_worth_beside_the_matched_run():
    row = row_view(trial())
    assert (row["largest"], row["matched"], row["steps"]) == ("2.5e-01", "0", 2)
    assert row["accuracy"] == {"pytorch": "75.0%", "tensorflow": "75.0%"}


@pytest.mark.parametrize("apart", [0.25, math.nan, math.inf])
def test_all_that_goes_to_the_page_is_strict_json(apart):
    for told in (view_of(""), live_view(trial(apart=apart)), row_view(trial(apart=apart))):
        json.dumps(told, allow_nan=False)


def test_the_table_has_a_line_for_each_trial():
    text = table_of([trial(), trial(apart=0.125)])
    assert "2.5e-01" in text and "1.2e-01" in text
    assert "first 40 steps" in text


# What is run


@pytest.mark.parametrize("name", SWITCHES)
def test_a_difference_is_run_under_what_it_needs_and_otherwise_as_the_recipe_says(name):
    mine = Recipe(precision="fp64", strategies=("fine-tuning",), seed=3, epochs=2)
    switched = recipe_for(mine, name)
    assert switched.differences == (name,)
    assert (switched.seed, switched.epochs, switched.precision) == (3, 2, "fp64")
    told = switched.to_dict()
    needed = Recipe.from_dict(dict(SWITCHES[name].shown_by)).to_dict()
    assert all(told[entry] == needed[entry] for entry in SWITCHES[name].shown_by)


def test_what_is_chosen_on_the_page_is_what_runs():
    lab = DifferenceLab(difference="weight-decay")
    assert lab.chosen().differences == ("weight-decay",)
    assert lab.chosen().precision == "fp64"
    lab.choice = {"difference": "dropout", "precision": "fp32"}
    assert lab.chosen().differences == ("dropout",)
    assert lab.chosen().precision == "fp32" and lab.chosen().head.dropout == 0.5


def test_a_recipe_of_ones_own_keeps_its_first_strategy_and_its_precision():
    lab = DifferenceLab(Recipe(strategies=("depth-2", "scratch"), precision="fp32"))
    assert lab.recipe.strategies == ("depth-2",)
    assert lab.choice["precision"] == "fp32"
    assert DifferenceLab(Recipe()).recipe.strategies == ("fine-tuning",)


def test_an_unknown_difference_is_refused():
    with pytest.raises(FtkitError, match="Did you mean 'head-init'"):
        DifferenceLab(difference="head-inti")


def test_a_lab_without_one_of_the_frameworks_says_so_and_does_not_train(monkeypatch):
    monkeypatch.setattr(difference_lab, "available", lambda: ("pytorch",))
    assert "TensorFlow is not installed" in missing_framework()
    lab = DifferenceLab()
    lab.train()
    assert lab.wait(1)
    assert "needs both" in lab.view["missing"] and "needs both" in lab.live["note"]
    assert lab.live["running"] is False
    figure, text = lab.still()
    assert figure is None and "TensorFlow is not installed" in text


def test_before_anything_is_trained_the_picture_that_stays_is_words():
    figure, text = DifferenceLab().still()
    assert figure is None and "nothing has been trained" in text


def test_a_command_brings_the_choice_that_it_was_given_under():
    lab = DifferenceLab(Recipe(data="no-such-folder"), "adam-epsilon")
    lab.handle({"do": "train", "choice": {"difference": "dropout", "precision": "fp32"}})
    assert lab.wait(10)
    assert lab.chosen().differences == ("dropout",)


def test_what_cannot_be_run_is_told_on_the_page():
    lab = DifferenceLab(Recipe(data="no-such-folder"))
    lab.train()
    assert lab.wait(10)
    assert "no-such-folder" in lab.live["note"]
    assert lab.results == []


# In both frameworks


@pytest.fixture(scope="module")
def lab(pictures):
    made = DifferenceLab(
        Recipe(
            data=str(pictures),
            image_size=32,
            batch_size=4,
            epochs=2,
            precision="fp64",
            device="cpu",
            strategies=("feature-extraction",),
        ),
        "adam-epsilon",
    )
    made.train()
    assert made.wait(120)
    return made


def test_a_difference_parts_the_curves_and_without_it_they_are_one(lab):
    (row,) = lab.rows
    (found,) = lab.results
    assert all(run.status == "done" for run in (*found.matched, *found.switched))
    assert float(row["matched"]) < 1e-9
    assert float(row["largest"]) > 1e-6
    assert not lab.live["running"] and not lab.live["note"]


def test_the_matched_run_is_made_once_for_differences_that_need_no_other_recipe(lab):
    lab.choice = {**lab.choice, "difference": "weight-decay"}
    matched = lab.results[0].matched
    lab.recipe = replace(lab.recipe, optimizer="adam", weight_decay=1e-2)
    for name in ("adam-epsilon", "weight-decay"):
        lab.choice = {**lab.choice, "difference": name}
        lab.train()
        assert lab.wait(120)
    epsilon, decay = lab.results[-2:]
    assert epsilon.matched is decay.matched is not matched
    figure, text = lab.still()
    assert len(figure.axes) == 3 and "weight-decay" in text


def test_stop_ends_a_trial_without_a_row(lab):
    before = len(lab.rows)
    lab.recipe = replace(lab.recipe, epochs=200)
    lab.train()
    lab.stop()
    assert lab.wait(30)
    assert len(lab.rows) == before
    assert not lab.live["running"]
