"""The freeze lab without a page: what it tells of each depth, of a run, and of its rows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from ftkit.engine.compare import Experiment
from ftkit.engine.estimate import Speed
from ftkit.engine.sweep import strategy_of
from ftkit.errors import FtkitError
from ftkit.history import Epoch, Kept, PhaseEnd, PhaseStart, Run, Step
from ftkit.recipe import Recipe
from ftkit.widgets import FreezeLab, speeds
from ftkit.widgets.freeze_view import (
    Row,
    figures_of,
    live_view,
    row_view,
    run_view,
    thinned,
    view_of,
)

BACKENDS = ("pytorch", "tensorflow")
DEPTHS = range(6)
SPEED = Speed(judging=2e9, training=1e9, step=1e-3, start=0.5, start_head=0.1)


@pytest.fixture(scope="module")
def recipe(pictures):
    return Recipe(data=str(pictures), image_size=32, batch_size=4, epochs=2, device="cpu")


@pytest.fixture(scope="module")
def experiment(recipe):
    strategies = tuple(strategy_of(depth) for depth in DEPTHS)
    return Experiment(Recipe.from_dict({**recipe.to_dict(), "strategies": strategies}))


def made(backend="pytorch", steps=6, epochs=1, status=None):
    """A run of six steps an epoch."""
    run = Run(backend, "depth-3")
    run.add(PhaseStart(0, ("stem",), 3, 514, 2_799_394, 2, 12, 12))
    run.add(Kept(0, "layer2", 3, 900, 0.5, "memory"))
    for number in range(steps):
        run.add(Step(0, number // 6, number, 0.7 - number / 100, 2, 4, 0.1, 0.01))
    for number in range(epochs):
        run.add(Epoch(0, number, 0.6, 0.5, 0.6, 0.75, 0.1))
    if status is not None:
        run.status = status
    return run


# What each depth costs


def test_the_network_is_told_block_by_block_with_shares_that_add_up(experiment):
    told = view_of(experiment)
    assert [block["name"] for block in told["blocks"]] == [*experiment.architecture.blocks, "head"]
    assert math.isclose(sum(block["share"] for block in told["blocks"]), 1)
    assert math.isclose(sum(block["cost"] for block in told["blocks"]), 1)
    assert (told["train"], told["val"], told["size"]) == (24, 6, 32)


def figures(experiment, speeds=(), **changes):
    return figures_of(experiment, replace(experiment.recipe, **changes), dict(speeds))


def test_every_policy_has_a_line_for_every_depth_that_adds_up(experiment):
    found = figures(experiment)
    assert set(found) == {"inference", "statistics", "train"}
    for lines in found.values():
        assert [line["depth"] for line in lines] == list(DEPTHS)
        for line in lines:
            assert line["trainable"] + line["frozen"] == experiment.architecture.parameters
            assert line["seconds"] == {}
    assert found["inference"][5]["trainable"] == 514
    assert found["inference"][5]["kept"] == "layer4, pooled"


def test_batch_norm_that_moves_keeps_nothing_and_that_learns_is_counted(experiment):
    found = figures(experiment)
    assert {line["kept"] for line in found["statistics"]} == {""}
    assert found["train"][5]["trainable"] > found["statistics"][5]["trainable"] == 514


def test_seconds_fall_with_depth_and_rise_with_epochs_where_the_speed_is_known(experiment):
    few, many = (
        [
            line["seconds"]["pytorch"]
            for line in figures(experiment, {"pytorch": SPEED}, epochs=epochs)["inference"]
        ]
        for epochs in (2, 20)
    )
    assert many == sorted(many, reverse=True)
    assert all(one < other for one, other in zip(few, many))


def test_two_phases_take_the_seconds_of_both_and_the_memory_of_the_larger(experiment):
    lines = {
        epochs: figures(experiment, {"pytorch": SPEED}, epochs=epochs)["inference"]
        for epochs in (2, 4)
    }
    both = lines[4][3]["two_phase"]
    head, tuned = lines[2][5], lines[2][3]
    assert (both["trainable"], both["phases"]) == (
        tuned["trainable"],
        [head["trainable"], tuned["trainable"]],
    )
    assert both["memory"] == max(head["memory"], tuned["memory"])
    assert both["kept"] == "layer4, pooled, then up to layer2"
    again = experiment.architecture.multiplications(32)
    once = 30 * sum(again[name] for name in experiment.architecture.blocks[:3]) / SPEED.judging
    expected = head["seconds"]["pytorch"] + tuned["seconds"]["pytorch"] - once
    assert both["seconds"]["pytorch"] == pytest.approx(expected)


def test_random_crops_leave_nothing_to_keep_and_flips_twice_the_training_pictures(experiment):
    plain, flips, crops, fixed = (
        figures(experiment, {"pytorch": SPEED}, **changes)["inference"][5]
        for changes in (
            {},
            {"augment": "flip"},
            {"augment": "flip-crop"},
            {"augment": "flip-crop", "views": 3},
        )
    )
    assert crops["kept"] == "" and plain["kept"] == flips["kept"] == "layer4, pooled"
    row = 4 * 256
    assert plain["memory"] - crops["memory"] == (24 + 6) * row
    assert flips["memory"] - plain["memory"] == 24 * row
    assert fixed["memory"] - plain["memory"] == 2 * 24 * row
    assert flips["seconds"]["pytorch"] > plain["seconds"]["pytorch"]


def test_in_float64_all_takes_twice_the_memory(experiment):
    single, double = (
        [line["memory"] for line in figures(experiment, precision=name)["inference"]]
        for name in ("fp32", "fp64")
    )
    assert double == [2 * value for value in single]


def test_scale_and_shift_that_do_not_learn_are_not_counted(experiment):
    layers = experiment.architecture.layers
    norms = sum(layer.parameters for layer in layers if layer.kind == "batch_norm")
    learning, moving = (
        figures(experiment, batch_norm=policy)["inference"][0] for policy in ("train", "statistics")
    )
    assert norms > 0 and learning["trainable"] - moving["trainable"] == norms
    assert moving["frozen"] == norms
    assert moving["of"] == {"epochs": 2, "learning": "statistics"}


# A run, and the rows


def test_a_run_in_progress_is_told_whole_each_time():
    row = Row(
        1, "depth-3", Recipe(), "depth-3", [made(steps=7, epochs=1), made("tensorflow", 3, 0)]
    )
    told = json.loads(json.dumps(live_view(row)))
    one, other = told["runs"]
    assert told["running"] and (one["total"], other["total"]) == (12, 12)
    assert [bar["share"] for bar in told["bars"]] == [7 / 12, 3 / 12]
    assert one["loss"][0] == [1, 0.7] and len(one["loss"]) == 7
    assert one["accuracy"] == [[6, 0.75]] and other["accuracy"] == []
    assert live_view(None, "why") == {"running": False, "waiting": False, "note": "why"}
    assert live_view(None, "why", waiting=True)["waiting"]


@pytest.mark.parametrize("count", [0, 1, 299, 300, 301, 5000])
def test_a_curve_has_at_most_so_many_points_and_its_last_among_them(count):
    points = [[number, 1 / (number + 1)] for number in range(count)]
    found = thinned(points)
    assert len(found) == min(count, 300) if count <= 300 else 100 <= len(found) <= 300
    assert [at for at, _ in found[-1:]] == [at for at, _ in points[-1:]]
    assert all(math.isclose(value, 1 / (at + 1), rel_tol=1e-4) for at, value in found)


def test_a_loss_that_is_no_number_does_not_break_the_page():
    run = made(steps=2)
    run.add(Step(0, 0, 2, math.nan, 0, 4, 0.1, 0.01))
    json.dumps(run_view(run), allow_nan=False)


def test_a_row_says_what_the_audits_found():
    good, bad = made(status="done"), made("tensorflow", status="done")
    good.add(PhaseEnd(0, {"holds": True, "strayed": []}))
    bad.add(PhaseEnd(0, {"holds": False, "strayed": ["bn1.running_mean"]}))
    told = row_view(Row(3, "mine", Recipe(), "depth-3", [good, bad, made(status="failed")]))
    assert (told["number"], told["name"], told["depth"]) == (3, "mine", 3)
    assert [run["audit"] for run in told["runs"]] == [
        "what was frozen stayed bit-equal",
        "1 tensor moved that should not have",
        "no phase was finished",
    ]


# The lab


@pytest.fixture(scope="module")
def lab(recipe):
    made = FreezeLab(recipe)
    made.train()
    assert made.wait(120)
    return made


def test_pressing_train_gives_a_row_with_both_frameworks_that_match(lab):
    (row,) = lab.results
    assert [run.backend for run in row.runs] == list(BACKENDS)
    assert {run.status for run in row.runs} == {"done"}
    for one, other in zip(*(run.step_losses for run in row.runs)):
        assert abs(one - other) <= 1e-5
    assert lab.rows[0]["name"] == "depth-5"
    assert not lab.live["running"]


def test_each_row_has_its_weights_until_it_is_removed(lab):
    (row,) = lab.results
    files = [Path(run.weights) for run in row.runs]
    assert all(file.is_file() for file in files) and len(set(files)) == 2
    assert files[0].parents[1].name.startswith("ftkit-session-")  # swept if the kernel is killed
    assert lab.comparison(row).runs[0].weights == str(files[0])


def test_after_it_the_machines_speed_is_known_and_every_depth_has_its_seconds(lab):
    assert lab.measured(60) and lab.measuring is False
    for line in lab.figures["inference"]:
        assert set(line["seconds"]) == set(BACKENDS)
        assert all(0 < value < 60 for value in line["seconds"].values())


def test_what_is_chosen_on_the_page_is_what_runs(lab):
    lab.choice = {**lab.choice, "depth": 2, "frozen": "statistics", "epochs": 3}
    recipe, strategy = lab.chosen()
    assert (strategy, recipe.epochs, recipe.frozen_batch_norm) == ("depth-2", 3, "statistics")
    lab.choice = {**lab.choice, "depth": 4, "preset": "two-phase", "frozen": "inference"}
    recipe, strategy = lab.chosen()
    assert (strategy, recipe.freeze_depth) == ("two-phase", 4)


def test_figures_follow_what_is_chosen_at_once(lab):
    lab.choice = {**lab.choice, "epochs": 7, "learning": "statistics"}
    line = lab.figures["inference"][0]
    assert line["of"] == {"epochs": 7, "learning": "statistics"}
    assert line["trainable"] < lab.view["total"]
    lab.choice = {**lab.choice, "epochs": 1, "learning": "auto"}
    assert lab.figures["inference"][0]["trainable"] == lab.view["total"]


def test_a_command_brings_the_choice_that_it_was_given_under(lab):
    choice = {**lab.choice, "preset": "", "depth": 5, "epochs": 2, "backends": ["pytorch"]}
    lab.handle({"do": "train", "choice": choice})
    assert lab.wait(60)
    (run,) = lab.results[-1].runs
    assert (run.backend, len(run.epochs), lab.choice) == ("pytorch", 2, choice)


def test_whoever_is_told_that_a_run_is_over_can_start_the_next_at_once(lab):
    before = len(lab.results)
    lab.choice = {**lab.choice, "preset": "", "depth": 5, "epochs": 1, "backends": ["pytorch"]}
    over = Event()

    def look(change):
        if not change["new"]["running"] and not change["new"]["waiting"]:
            over.set()

    lab.train()
    lab.observe(look, "live")
    assert over.wait(60)
    lab.unobserve(look, "live")
    lab.train()
    assert lab.live["waiting"] or lab.live["running"]
    assert lab.wait(60)
    assert len(lab.results) == before + 2


def test_one_framework_alone_can_be_chosen_and_none_is_refused_in_words(lab):
    before = len(lab.results)
    lab.choice = {**lab.choice, "preset": "", "depth": 5, "epochs": 1, "backends": ["tensorflow"]}
    lab.train()
    assert lab.wait(60)
    assert [run.backend for run in lab.results[-1].runs] == ["tensorflow"]
    lab.choice = {**lab.choice, "backends": []}
    lab.train()
    assert lab.wait(5)
    assert "at least one framework" in lab.live["note"]
    assert len(lab.results) == before + 1


def test_a_depth_that_is_given_moves_the_slider(lab):
    lab.choice = {**lab.choice, "backends": ["tensorflow"], "epochs": 1}
    lab.train(4)
    assert lab.wait(60)
    assert lab.choice["depth"] == lab.rows[-1]["depth"] == 4
    with pytest.raises(FtkitError, match="between 0"):
        lab.train(9)


def test_rows_are_renamed_saved_and_removed(lab, tmp_path):
    number = lab.results[0].number
    lab.handle({"do": "rename", "number": number, "name": " first "})
    assert lab.rows[0]["name"] == "first"
    folder = lab.save(tmp_path / "out")
    summary = json.loads(next(folder.glob("01_*/summary.json")).read_text(encoding="utf-8"))
    assert Recipe.from_dict(summary["recipe"]).strategies == ("depth-5",)
    assert len(summary["runs"]) == 2
    figure, text = lab.still()
    assert figure is not None and "first" in text
    files = [Path(run.weights) for row in lab.results for run in row.runs]
    for row in list(lab.results):
        lab.handle({"do": "remove", "number": row.number})
    assert lab.rows == [] and not any(file.exists() for file in files)
    with pytest.raises(FtkitError, match="Press Train first"):
        lab.save(tmp_path / "none")


def test_saving_nothing_is_told_on_the_page_and_breaks_nothing(lab):
    lab.handle({"do": "save"})
    assert "Press Train first" in lab.live["note"]


def test_each_lab_saves_into_a_folder_of_its_own_and_keeps_it(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = FreezeLab(recipe), FreezeLab(recipe)
    for one, epochs in ((first, 1), (second, 2)):
        one.results = [Row(1, "mine", replace(one.recipe, epochs=epochs), "depth-5", [made()])]
    assert [str(one.save()) for one in (first, second, first)] == [
        "freeze_lab",
        "freeze_lab-2",
        "freeze_lab",
    ]
    for folder, epochs in (("freeze_lab", 1), ("freeze_lab-2", 2)):
        (file,) = Path(folder).rglob("summary.json")
        summary = json.loads(file.read_text(encoding="utf-8"))
        assert summary["recipe"]["epochs"] == epochs
        assert summary["notes"][-1] == "Row 1 of a freeze lab: mine."


def test_a_run_that_waits_its_turn_says_why_and_can_be_stopped(recipe, monkeypatch):
    free = Event()

    def measure(*_):
        free.wait(10)
        return ""

    monkeypatch.setattr(speeds, "known", lambda _: {})
    monkeypatch.setattr(speeds, "measure", measure)
    waiting = FreezeLab(recipe)
    assert waiting.measuring
    waiting.train()
    assert (waiting.live["running"], waiting.live["waiting"]) == (False, True)
    assert "once the speed of this machine is measured" in waiting.live["note"]
    waiting.stop()
    assert waiting.wait(5)
    assert waiting.live == {
        "running": False,
        "waiting": False,
        "note": "Stopped before it began.",
    }
    free.set()
    assert waiting.measured(5) and not waiting.measuring


@pytest.mark.parametrize("broken", ["PyTorch: no memory", FtkitError("no memory"), OSError("no")])
def test_a_machine_that_cannot_be_measured_is_told_of(recipe, monkeypatch, broken):
    def measure(*_):
        if isinstance(broken, str):
            return broken
        raise broken

    monkeypatch.setattr(speeds, "known", lambda _: {})
    monkeypatch.setattr(speeds, "measure", measure)
    lab = FreezeLab(recipe)
    assert lab.measured(5) and lab.measuring is False
    assert "could not be measured" in lab.live["note"] and str(broken) in lab.live["note"]


def test_a_recipe_that_cannot_be_used_is_refused_at_once(recipe):
    with pytest.raises(FtkitError, match="Unknown backbone"):
        FreezeLab(Recipe(backbone="resnet_x"))
