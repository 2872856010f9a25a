"""The backbone race without a page: what it tells, and a race in both frameworks."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from ftkit.errors import FtkitError
from ftkit.history import Epoch, PhaseStart, Run, RunFailed, Step
from ftkit.recipe import Recipe
from ftkit.report.race import Entry
from ftkit.widgets import BackboneRace
from ftkit.widgets.backbone_race import (
    ended,
    entry_for,
    experiments_for,
    live_view,
    run_view,
    seconds_left,
    share_of,
    table_of,
    view_of,
)

BOTH = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def recipe(pictures):
    return Recipe(
        data=str(pictures),
        image_size=32,
        batch_size=8,
        epochs=2,
        device="cpu",
        strategies=("feature-extraction",),
    )


def made(backend="pytorch", steps=5, total=10, status="running", seconds=4.0, epochs=1):
    run = Run(backend, "two-phase")
    run.add(PhaseStart(0, (), 0, 10, 10, 2, total, total))
    for number in range(steps):
        run.add(Step(0, 0, number, 0.5, 1, 2, 1e-3, 0.1))
    for number in range(epochs):
        run.add(Epoch(0, number, 0.6, 0.5, 0.6, 0.5 + number / 10, 1.5))
    run.status, run.seconds = status, seconds
    return run


def entry(*runs, name="resnet_s"):
    return Entry(name, 2_800_000, 37_000_000, list(runs))


# What the page shows


def test_each_backbone_is_told_with_its_size_and_cost(recipe):
    found = experiments_for(("resnet_s", "vgg_s"), recipe, BOTH)
    for name, experiment in found.items():
        told = entry_for(experiment)
        assert told.backbone == name
        assert told.parameters == experiment.architecture.parameters
        assert told.multiplications == sum(experiment.architecture.multiplications(32).values())
    told = view_of(list(found.values()))
    assert [item["name"] for item in told["backbones"]] == ["resnet_s", "vgg_s"]
    assert told["backends"] == list(BOTH)


def test_all_backbones_run_on_the_same_pictures(recipe):
    found = experiments_for(("resnet_s", "inception_s"), recipe, BOTH)
    first, second = (item.dataset for item in found.values())
    assert first is second


def test_a_run_is_over_when_its_steps_or_its_seconds_are():
    assert share_of(made(steps=5, total=10), budget=0) == 0.5
    assert share_of(made(steps=5, total=10, seconds=4.0), budget=5) == 0.8
    assert share_of(made(seconds=9.0), budget=5) == 1.0
    assert share_of(made(steps=1, status="stopped"), budget=0) == 1.0
    assert share_of(Run("pytorch", "two-phase"), budget=5) == 0.0


def test_the_time_left_takes_the_runs_to_come_for_like_those_that_were():
    now = made(steps=5, total=10, seconds=4.0)
    assert seconds_left([now], 2, 0) == pytest.approx(4 + 8)
    done = made(steps=10, seconds=20.0, status="done")
    assert seconds_left([done, now], 4, 0) == pytest.approx(4 + 2 * 14)
    assert seconds_left([done], 1, 0) == 0
    assert seconds_left([Run("pytorch", "two-phase")], 6, 10) is None


def test_a_race_tells_which_run_it_is_at_and_how_far_it_is():
    entries = [
        entry(made(status="done", steps=10), made("tensorflow")),
        Entry("vgg_s", 1, 1),
    ]
    told = live_view(entries, BOTH, 0, True)
    assert told["stage"] == "2 of 4: resnet_s in TensorFlow"
    assert told["share"] == pytest.approx(1.5 / 4)
    still = live_view(entries, BOTH, 0, False)
    assert "stage" not in still and len(still["entries"]) == 2


def test_a_run_is_drawn_by_the_seconds_at_which_its_epochs_ended():
    told = run_view(made(epochs=2), 0)
    assert told["points"] == [[1.5, 0.5], [3.0, 0.6]]
    assert told["accuracy"] == 0.6


@pytest.mark.parametrize(
    "status, seconds, budget, said",
    [
        ("done", 9.0, 5, ""),
        ("stopped", 5.1, 5, "PyTorch: budget over after 1 epoch"),
        ("stopped", 4.0, 5, "PyTorch: stopped after 1 epoch"),
        ("stopped", 4.0, 0, "PyTorch: stopped after 1 epoch"),
    ],
)
def test_a_run_that_ended_early_says_why(status, seconds, budget, said):
    assert ended(made(status=status, seconds=seconds), budget) == said


def test_a_run_that_failed_says_why():
    run = made("tensorflow")
    run.add(RunFailed("out of memory"))
    assert ended(run, 5) == "TensorFlow failed: out of memory"


def test_all_that_goes_to_the_page_is_strict_json():
    run = made()
    run.add(Epoch(0, 1, math.nan, 0.5, math.nan, 0.5, 1.0))
    json.dumps(live_view([entry(run)], BOTH, 30, True), allow_nan=False)


def test_the_table_has_a_line_for_each_backbone_and_says_what_ended_early():
    text = table_of([entry(made(status="stopped", seconds=6.0))], BOTH, 5)
    line = next(line for line in text.splitlines() if line.lstrip().startswith("resnet_s"))
    assert "2.80M" in line and "50.0%" in line and "6.0" in line
    assert "resnet_s, PyTorch: budget over after 1 epoch." in text


# What can be asked for


def test_unknown_backbones_and_none_are_refused(recipe):
    with pytest.raises(FtkitError, match="resnet_s"):
        BackboneRace(("resnet_z",), recipe)
    for wrong in ((), "resnet_s"):
        with pytest.raises(FtkitError, match="at least one name"):
            BackboneRace(wrong, recipe)


def test_of_the_default_strategies_two_phase_is_run(recipe):
    assert BackboneRace(("resnet_s",), Recipe(data=recipe.data)).recipe.strategies == ("two-phase",)
    assert BackboneRace(("resnet_s",), recipe).recipe.strategies == ("feature-extraction",)


def test_before_a_race_the_picture_that_stays_is_words(recipe):
    figure, text = BackboneRace(("resnet_s",), recipe).still()
    assert figure is None and "nothing has been trained" in text


# In both frameworks


def test_every_backbone_runs_in_every_framework_one_at_a_time(recipe):
    race = BackboneRace(("resnet_s", "vgg_s"), recipe)
    race.train()
    assert race.wait(120)
    for item in race.results:
        assert [run.backend for run in item.runs] == list(BOTH)
        for run in item.runs:
            assert run.status == "done", run.error
            assert len(run.epochs) == 2
            assert sum(epoch.seconds for epoch in run.epochs) == pytest.approx(run.seconds, abs=1)
    assert not race.live["running"]
    figure, text = race.still()
    assert len(figure.axes[0].get_lines()) == 4
    assert "vgg_s" in text


def test_a_run_ends_when_its_seconds_are_over_and_the_race_goes_on(recipe):
    race = BackboneRace(("resnet_s",), replace(recipe, strategies=("fine-tuning",)))
    race.choice = {"epochs": 200, "seconds": 1}
    race.train()
    assert race.wait(120)
    (item,) = race.results
    assert [run.status for run in item.runs] == ["stopped", "stopped"]
    assert all(1 <= run.seconds < 10 and len(run.epochs) < 200 for run in item.runs)
    assert "budget over" in race.still()[1]


def test_a_command_brings_the_choice_that_it_was_given_under(recipe):
    race = BackboneRace(("resnet_s",), recipe)
    race.handle({"do": "train", "choice": {"epochs": 1, "seconds": 60}})
    assert race.wait(120)
    assert [len(run.epochs) for run in race.results[0].runs] == [1, 1]
    assert race.choice == {"epochs": 1, "seconds": 60}


def test_stop_ends_the_race(recipe):
    race = BackboneRace(("resnet_s", "vgg_s"), recipe)
    race.choice = {"epochs": 200, "seconds": 0}
    race.train()
    while not any(run.steps for item in race.results for run in item.runs):
        assert not race.wait(0.05)
    race.stop()
    assert race.wait(20)
    assert sum(len(item.runs) for item in race.results) == 1
    assert race.live["note"] == "Stopped."
