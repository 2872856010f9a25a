"""Running a recipe in both frameworks: what comes back, what is survived, what is claimed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

import ftkit
from ftkit.architecture import Head
from ftkit.engine.compare import Experiment, match_runs
from ftkit.engine.session import START
from ftkit.errors import FtkitError
from ftkit.freezing import FreezePlan
from ftkit.history import Computing, Kept, PhaseStart, Run, RunEnd, RunFailed, Step
from ftkit.recipe import Phase, Recipe

BACKENDS = ("pytorch", "tensorflow")


def workers(backend):
    """The processes of this one that run a framework."""
    found = psutil.Process().children()
    return [child for child in found if child.cmdline()[-2:] == [START, backend]]


@pytest.fixture(scope="module")
def small(pictures):
    """A recipe of 6 steps an epoch: 24 training pictures of 32 pixels, 4 at a time."""
    return Recipe(data=str(pictures), image_size=32, batch_size=4, epochs=2, device="cpu", seed=1)


# What an experiment checks before any framework starts


def test_an_experiment_has_the_networks_weights_for_each_strategy_and_one_head(small):
    experiment = Experiment(small)
    assert experiment.architecture.classes == len(experiment.dataset.class_names) == 2
    starts = {strategy: experiment.initial(strategy, "pytorch") for strategy in small.strategies}
    assert len({tensors["fc.weight"].tobytes() for tensors in starts.values()}) == 1
    scratch, tuned = starts["scratch"], starts["fine-tuning"]
    assert not np.array_equal(scratch["conv1.weight"], tuned["conv1.weight"])


def test_the_pictures_have_the_backbones_own_size_unless_the_recipe_says(pictures):
    recipe = Recipe(data=str(pictures), strategies=("scratch",))
    assert Experiment(recipe).dataset.image_size == 64
    assert Experiment(replace(recipe, image_size=40)).dataset.image_size == 40


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backbone": "resnet_x"}, "Unknown backbone 'resnet_x'"),
        ({"weights": "none.safetensors"}, "There is no weights file at none.safetensors"),
        ({"freeze_depth": 6}, "freeze depth must lie between 0"),
        ({"phases": [Phase(1, FreezePlan(("layr1",)), 0.1)]}, r"Did you mean 'layer1'\?"),
        (
            {"phases": [Phase(1, FreezePlan(), 0.1, block_rates={"layr1": 2.0})]},
            r"Unknown block 'layr1'. Did you mean 'layer1'\?",
        ),
    ],
)
def test_what_is_wrong_with_the_network_shows_before_the_pictures_are_read(wrong, message):
    with pytest.raises(FtkitError, match=message):
        Experiment(Recipe(data="no/such/folder", **wrong))


def test_only_the_head_moves_under_feature_extraction(small):
    experiment = Experiment(small)
    only = [strategy for strategy in small.strategies if experiment.head_only(strategy)]
    assert only == ["feature-extraction"]
    moving = replace(small, frozen_batch_norm="statistics")
    assert not Experiment(moving).head_only("feature-extraction")


def test_the_job_holds_the_same_pictures_and_weights_for_every_worker(small, tmp_path):
    experiment = Experiment(small)
    job = experiment.job(tmp_path, "scratch", "pytorch")
    again = experiment.job(tmp_path, "two-phase", "tensorflow")
    assert job["dataset"] == again["dataset"]
    assert Recipe.from_dict(json.loads(json.dumps(job))["recipe"]) == small
    found = load_file(again["tensors"])
    wanted = experiment.initial("two-phase", "pytorch")
    assert np.array_equal(found["conv1.weight"], wanted["conv1.weight"])


def test_a_job_knows_the_boundaries_that_others_from_the_same_weights_need(small, tmp_path):
    experiment = Experiment(small)
    jobs = [experiment.job(tmp_path, strategy, "pytorch") for strategy in small.strategies]
    assert [(job["strategy"], [at for at in job["depths"] if at]) for job in jobs] == [
        ("scratch", []),
        ("feature-extraction", [4, 5]),
        ("fine-tuning", [4, 5]),
        ("two-phase", [5]),
    ]


def test_the_switch_of_the_head_gives_each_framework_its_own_and_nothing_else(small):
    experiment = Experiment(replace(small, differences=("head-init",)))
    pytorch, tensorflow = (experiment.initial("scratch", backend) for backend in BACKENDS)
    apart = {name for name in pytorch if not np.array_equal(pytorch[name], tensorflow[name])}
    assert apart == {"fc.weight", "fc.bias"}


# A run in both frameworks in which PyTorch's process is killed in its first run


@pytest.fixture(scope="module")
def others():
    """Workers that other tests keep warm."""
    return [*workers("pytorch"), *workers("tensorflow")]


@pytest.fixture(scope="module")
def survived(small, others):
    """The comparison, and the events told while it ran."""
    told = []

    def on_event(run, event):
        told.append((run.backend, run.strategy, event))
        if [type(item) for *_, item in told] == [PhaseStart, Kept, Step]:
            (worker,) = (found for found in workers("pytorch") if found not in others)
            worker.kill()

    recipe = replace(small, strategies=("fine-tuning", "feature-extraction"), epochs=8)
    results = ftkit.compare(recipe, on_event=on_event)
    return results, told


def by_name(results):
    return {run.name: run for run in results.runs}


def test_the_run_whose_process_was_killed_failed_with_the_reason_and_what_it_had(survived):
    run = by_name(survived[0])["pytorch fine-tuning"]
    assert run.status == "failed"
    assert run.error == "the pytorch process ended (signal 9)"
    assert 1 <= len(run.steps) < 8 * 6
    assert run.end is None


def test_the_next_strategy_runs_whole_in_a_fresh_process(survived):
    run = by_name(survived[0])["pytorch feature-extraction"]
    assert (run.status, len(run.steps), len(run.epochs)) == ("done", 48, 8)


@pytest.mark.parametrize("strategy", ["fine-tuning", "feature-extraction"])
def test_the_other_framework_runs_whole(survived, strategy):
    run = by_name(survived[0])[f"tensorflow {strategy}"]
    assert (run.status, len(run.steps), len(run.epochs)) == ("done", 48, 8)
    assert len(run.val_predictions) == 6
    assert run.audits[0]["holds"]


def test_the_frameworks_match_where_both_ran_and_nothing_is_claimed_where_not(survived):
    broken, whole = survived[0].match
    assert (broken.strategy, broken.holds) == ("fine-tuning", None)
    assert (whole.strategy, whole.holds, whole.steps) == ("feature-extraction", True, 40)
    assert whole.largest_difference <= 1e-5
    assert not survived[0].interrupted


def test_what_is_frozen_is_computed_once_in_both_frameworks_and_told(survived):
    results, told = survived
    for backend in BACKENDS:
        (kept,) = by_name(results)[f"{backend} feature-extraction"].kept
        assert (kept.boundary, kept.reused) == ("layer4, pooled", False)
        events = [event for *who, event in told if who == [backend, "feature-extraction"]]
        assert events[1] == Computing(0, 24, 30)
        assert events[2:4] == [Computing(0, 30, 30), kept]
    assert "What is frozen was computed once" in results.table()


def test_the_table_shows_which_run_failed_and_why(survived):
    table = survived[0].table()
    assert "the pytorch process ended (signal 9)" in table
    assert "PyTorch failed in fine-tuning" in " ".join(table.split())


def test_every_event_is_told_as_it_happens_and_runs_come_one_after_the_other(survived):
    results, told = survived
    order = list(dict.fromkeys((backend, strategy) for backend, strategy, _ in told))
    assert order == [(run.backend, run.strategy) for run in results.runs]
    assert order == [(backend, name) for backend in BACKENDS for name in results.recipe.strategies]
    for run in results.runs:
        mine = [event for *who, event in told if who == [run.backend, run.strategy]]
        assert isinstance(mine[0], PhaseStart)
        assert [event for event in mine if isinstance(event, Step)] == run.steps
        assert isinstance(mine[-1], RunFailed if run.status == "failed" else RunEnd)


def test_results_have_a_table_a_frame_and_a_plot(survived):
    results = survived[0]
    frame = results.to_frame()
    assert len(frame) == 4
    assert set(frame["strategy"]) == {"fine-tuning", "feature-extraction"}
    assert len(results.plot().axes) >= 2
    assert "TensorFlow" in results._repr_html_()


def test_results_are_saved_whole_even_where_a_run_failed(survived, tmp_path):
    folder = survived[0].save(tmp_path / "new" / "out")
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves.png",
        "history.json",
        "report.html",
        "summary.json",
    ]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert [run["status"] for run in summary["runs"]] == ["failed", "done", "done", "done"]
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    assert [Run.from_dict(run).status for run in history["runs"]][:2] == ["failed", "done"]
    assert Recipe.read(folder / "summary.json") == survived[0].recipe


def test_no_worker_is_left_after_a_comparison(survived, others):
    left = [*workers("pytorch"), *workers("tensorflow")]
    assert [worker for worker in left if worker not in others] == []


# One framework alone


def test_ctrl_c_keeps_what_there_is_and_leaves_no_process(small, no_process_left):
    steps = 0

    def on_event(run, event):
        nonlocal steps
        steps += isinstance(event, Step)
        if steps == 3:
            raise KeyboardInterrupt

    recipe = replace(small, strategies=("fine-tuning", "scratch"), epochs=500)
    results = ftkit.run(recipe, "pytorch", on_event)
    (run,) = results.runs
    assert results.interrupted
    assert run.status == "stopped"
    assert 3 <= len(run.steps) < 500
    assert run.audits[0]["holds"]
    assert results.match == []
    assert results.summary()["interrupted"] is True
    assert "fine-tuning" in results.table()
    assert no_process_left()


def test_whoever_stops_listening_leaves_no_process(small, no_process_left):
    recipe = replace(small, strategies=("fine-tuning",), epochs=500)
    for run, event in ftkit.events(recipe, ["pytorch"]):
        if isinstance(event, Step):
            assert run.steps[-1] is event
            assert workers("pytorch")
            break
    assert no_process_left()


def test_a_gpu_that_is_not_there_is_refused(small, no_process_left):
    recipe = replace(small, device="gpu")
    with pytest.raises(FtkitError, match="Expected a GPU that pytorch can use; .*--device cpu"):
        ftkit.run(recipe)
    assert no_process_left()


@pytest.fixture
def broken_pytorch(monkeypatch, tmp_path, a_python):
    """PyTorch is found, but importing it fails."""
    package = tmp_path / "broken" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "raise ImportError('libtorch is not what it was')", encoding="utf-8"
    )
    python = a_python(f'export PYTHONPATH="{package.parent}"')
    monkeypatch.setenv("FTKIT_PYTORCH_PYTHON", python)


def test_a_framework_that_cannot_be_imported_fails_its_runs_with_what_it_said(
    small, broken_pytorch, no_process_left
):
    results = ftkit.run(replace(small, strategies=("scratch", "fine-tuning")), "pytorch")
    assert [run.status for run in results.runs] == ["failed", "failed"]
    for run in results.runs:
        assert run.error == "the pytorch process ended (exit code 1)"
        assert "libtorch is not what it was" in run.error_details
    assert "the pytorch process ended (exit code 1)" in results.table()
    assert no_process_left()


@pytest.mark.parametrize("call", [ftkit.compare, ftkit.run, lambda r: next(ftkit.events(r))])
def test_a_bad_recipe_is_refused_before_any_process_starts(call, no_process_left):
    before = psutil.Process().children()
    with pytest.raises(FtkitError, match="cannot read no.such"):
        call(Recipe(data="no/such/folder"))
    assert psutil.Process().children() == before


# What is claimed about two runs, made by hand


def made(
    backend,
    losses,
    strategy="feature-extraction",
    device="cpu",
    labels=(0, 1, 1),
    end=True,
    precision="fp32",
):
    run = Run(backend, strategy)
    for number, loss in enumerate(losses):
        run.add(Step(0, 0, number, loss, 1, 4, 0.1, 0.01))
    if end:
        rows = [[1.0 - label, float(label)] for label in labels]
        run.add(RunEnd(False, rows, 1.0, device, {}, precision))
    return run


def claimed(recipe, first, second):
    experiment = Experiment(recipe)
    session = SimpleNamespace(backends=BACKENDS)
    return match_runs(experiment, session, first.strategy, [first, second])


@pytest.fixture(scope="module")
def exact(small):
    return replace(small, precision="fp64", strategies=("feature-extraction", "two-phase"))


@pytest.fixture
def floor(monkeypatch):
    """A noise floor that was not measured: these runs are made by hand."""
    monkeypatch.setattr("ftkit.engine.compare.noise_floor", lambda *_: 0.125)
    return 0.125


@pytest.mark.parametrize(("apart", "holds"), [(0.0, True), (0.9e-9, True), (1.1e-9, False)])
def test_in_float64_runs_may_part_by_1e_9_whatever_the_noise_floor(exact, floor, apart, holds):
    match = claimed(exact, made("pytorch", [0.5, 0.0]), made("tensorflow", [0.5, apart]))
    explained = None if holds else floor
    assert (match.holds, match.bound, match.noise_floor) == (holds, 1e-9, explained)
    assert match.largest_difference == apart
    assert match.at_step == (1 if apart else 0)


def test_in_float32_the_head_alone_may_part_by_1e_5(small):
    match = claimed(small, made("pytorch", [0.5, 0.0]), made("tensorflow", [0.5, 0.9e-5]))
    assert (match.holds, match.bound, match.noise_floor) == (True, 1e-5, None)


def test_only_the_first_40_steps_count_but_the_rest_is_told(exact):
    losses = np.zeros(60)
    later = losses.copy()
    later[40:] = 0.25
    match = claimed(exact, made("pytorch", losses.tolist()), made("tensorflow", later.tolist()))
    assert (match.holds, match.steps, match.largest_difference) == (True, 40, 0.0)
    assert match.largest_difference_of_run == 0.25


def test_two_phases_at_the_default_rates_must_agree_on_99_percent_of_the_pictures(small):
    network = replace(small, weights="random", freeze_depth=5)  # the head alone: no noise floor
    agreeing, differing = [0, 1] * 100, [1, 0, 1, 0] + [0, 1] * 98
    first = made("pytorch", [0.5], "two-phase", labels=agreeing)
    for labels, share, holds in ((agreeing, 1.0, True), (differing, 0.98, False)):
        second = made("tensorflow", [0.5], "two-phase", labels=labels)
        match = claimed(network, first, second)
        assert (match.same_predictions, match.holds) == (share, holds)
        rate_given = claimed(replace(network, lr=0.1), first, second)
        assert rate_given.holds is True


@pytest.mark.parametrize(
    ("losses", "holds", "largest"),
    [
        ([0.5, math.nan], False, math.inf),
        ([0.5, math.inf], False, math.inf),
    ],
)
def test_a_loss_that_is_no_number_in_one_framework_alone_is_no_match(
    exact, floor, losses, holds, largest
):
    match = claimed(exact, made("pytorch", [0.5, 0.5]), made("tensorflow", losses))
    assert (match.holds, match.largest_difference) == (holds, largest)


def test_runs_that_both_diverge_at_the_same_step_have_not_parted(exact):
    first, second = (made(backend, [0.5, math.inf, math.nan]) for backend in BACKENDS)
    assert claimed(exact, first, second).largest_difference == 0


def test_nothing_is_claimed_without_a_step_in_common(exact):
    assert claimed(exact, made("pytorch", [0.5]), made("tensorflow", [], end=False)) is None


@pytest.mark.parametrize(
    ("recipe", "second"),
    [
        ({}, {"device": "gpu"}),
        ({}, {"end": False}),
        ({"differences": ("dropout",), "head": Head(dropout=0.5)}, {}),
        ({"precision": "bf16"}, {}),
        ({"precision": "auto"}, {"precision": "bf16"}),
    ],
    ids=["on a GPU", "not ended", "a difference switched on", "bfloat16", "bfloat16 in one"],
)
def test_the_contract_says_nothing_about(exact, recipe, second):
    chosen = replace(exact, **recipe)
    match = claimed(chosen, made("pytorch", [0.5]), made("tensorflow", [0.5], **second))
    assert match.holds is None
    assert match.largest_difference == 0


def test_precision_auto_that_came_to_float32_is_held_to_its_bound(exact):
    chosen = replace(exact, precision="auto")
    match = claimed(chosen, made("pytorch", [0.5]), made("tensorflow", [0.5]))
    assert (match.holds, match.bound) == (True, 1e-5)


def test_nothing_is_claimed_where_the_noise_floor_could_not_be_measured(small, monkeypatch):
    monkeypatch.setattr("ftkit.engine.compare.noise_floor", lambda *_: math.inf)
    first, second = (made(backend, [0.5], "fine-tuning") for backend in BACKENDS)
    assert claimed(small, first, second).holds is None
