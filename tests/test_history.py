"""Events and runs: records that add up, and that survive JSON."""

from __future__ import annotations

import json

import pytest

from ftkit.errors import FtkitError
from ftkit.history import (
    Computing,
    Epoch,
    Kept,
    PhaseEnd,
    PhaseStart,
    Run,
    RunEnd,
    RunFailed,
    Step,
    event_from_dict,
    event_to_dict,
)

START = PhaseStart(0, ("stem", "layer1"), 2, 30, 100, epochs=1, steps=3, run_steps=6)
STEPS = [
    Step(0, 0, number, loss=(7 - number) / 10, correct=3, pictures=4, lr=0.1, seconds=seconds)
    for number, seconds in enumerate([9.0, 0.5, 0.5])
]
EPOCH = Epoch(0, 0, 0.6, 0.75, 0.5, 0.875, 10.0)
PHASE_END = PhaseEnd(0, {"holds": True, "blocks": {}})
END = RunEnd(False, [[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]], 512.0, "cpu", {"torch": "2"})
FAILED = RunFailed("it broke", "Traceback")
COMPUTING = Computing(0, 3, 6)
KEPT = Kept(0, "layer1", 2, bytes=4096, seconds=2.5, place="disk", views=2, exact=False)
FOUND = Kept(1, "layer1", 2, bytes=4096, seconds=0.25, place="disk", reused=True)
REFUSED = Kept(2, reason="the cache is switched off")
EVENTS = [START, COMPUTING, KEPT, *STEPS, EPOCH, PHASE_END, END]


def run_of(*events: object) -> Run:
    run = Run("pytorch", "scratch")
    for event in events:
        run.add(event)
    return run


@pytest.mark.parametrize("event", [*EVENTS, REFUSED, FAILED], ids=lambda event: event.kind)
def test_an_event_survives_json(event):
    assert event_from_dict(json.loads(json.dumps(event_to_dict(event)))) == event


@pytest.mark.parametrize("values", [{}, {"kind": "run_ended"}, {"kind": None}])
def test_an_event_of_no_known_kind_is_refused(values):
    with pytest.raises(FtkitError, match="Expected an event of phase_start, computing, .*; got"):
        event_from_dict(values)


def test_reading_an_event_leaves_its_values_alone():
    values = event_to_dict(START)
    event_from_dict(values)
    assert values == event_to_dict(START)


@pytest.mark.parametrize(
    "events", [[], EVENTS[:5], [*EVENTS, FOUND, REFUSED], EVENTS, [START, STEPS[0], FAILED]]
)
def test_a_run_survives_json(events):
    run = run_of(*events)
    run.seconds = 3.5
    assert Run.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def test_a_run_keeps_what_each_phase_trained_on_and_not_how_that_came_about():
    run = run_of(START, COMPUTING, KEPT, FOUND, REFUSED)
    assert run.kept == [KEPT, FOUND, REFUSED]
    assert run == run_of(START, KEPT, FOUND, REFUSED)
    assert json.loads(json.dumps(run.summary()))["kept"][0] == {
        **{"phase": 0, "boundary": "layer1", "depth": 2, "bytes": 4096, "seconds": 2.5},
        **{"place": "disk", "reused": False, "views": 2, "exact": False, "reason": ""},
    }


@pytest.mark.parametrize(
    ("kept", "seconds"),
    [((), 0), ((KEPT,), 2.5), ((FOUND,), 0), ((KEPT, FOUND, REFUSED, KEPT), 5.0)],
)
def test_the_seconds_of_its_passes_are_of_what_was_computed_and_not_of_what_was_there(
    kept, seconds
):
    assert run_of(START, *kept, *STEPS).pass_seconds == seconds


@pytest.mark.parametrize(
    ("seed", "name"), [(None, "pytorch depth-2"), (0, "pytorch depth-2, seed 0")]
)
def test_one_seed_of_several_is_in_the_name_and_the_summary(seed, name):
    run = Run("pytorch", "depth-2", seed)
    assert (run.name, run.summary()["seed"]) == (name, seed)
    assert Run.from_dict(json.loads(json.dumps(run.to_dict()))) == run


def test_the_summary_tells_what_it_was_computed_in():
    assert run_of(START).summary()["precision"] is None
    end = RunEnd(False, [], 1.0, "cpu", {}, "bf16")
    assert run_of(START, end).summary()["precision"] == "bf16"


def test_a_run_that_has_not_begun_knows_nothing_yet():
    run = Run("tensorflow", "two-phase")
    assert (run.name, run.status) == ("tensorflow two-phase", "running")
    assert (run.freeze_depth, run.trainable_parameters, run.total_parameters) == (None, None, None)
    assert (run.val_accuracy, run.val_loss, run.images_per_second) == (None, None, None)
    assert (run.step_losses, run.val_predictions) == ([], [])


def test_a_whole_run_adds_up():
    run = run_of(*EVENTS)
    assert run.status == "done"
    assert (run.freeze_depth, run.trainable_parameters, run.total_parameters) == (2, 30, 100)
    assert run.step_losses == [0.7, 0.6, 0.5]
    assert (run.val_accuracy, run.val_loss) == (0.875, 0.5)


def test_a_prediction_is_the_most_probable_class_and_the_first_of_equals():
    assert run_of(*EVENTS).val_predictions == [1, 0, 0]


def test_figures_are_those_of_the_last_epoch_and_the_last_phase():
    later = PhaseStart(1, (), 0, 100, 100, epochs=1, steps=3, run_steps=6)
    run = run_of(*EVENTS[:-1], later, Epoch(1, 1, 0.4, 0.8, 0.3, 0.9, 1.0))
    assert (run.freeze_depth, run.trainable_parameters) == (0, 100)
    assert (run.val_accuracy, run.val_loss) == (0.9, 0.3)


def test_the_first_step_of_each_phase_does_not_count_towards_the_speed():
    assert run_of(*EVENTS).images_per_second == 8 / 1.0
    second = [Step(1, 1, 3, 0.4, 3, 4, 0.1, 30.0), Step(1, 1, 4, 0.4, 3, 4, 0.1, 1.0)]
    assert run_of(*EVENTS[:-1], *second).images_per_second == 12 / 2.0
    assert run_of(START, STEPS[0]).images_per_second is None


def test_an_end_on_request_is_told_from_one_of_itself():
    assert run_of(START, STEPS[0], RunEnd(True, [], 1.0, "cpu", {})).status == "stopped"


def test_a_run_that_fails_keeps_what_it_had_and_why():
    run = run_of(START, STEPS[0], FAILED)
    assert (run.status, run.error, run.error_details) == ("failed", "it broke", "Traceback")
    assert run.step_losses == [0.7]
    assert run.val_predictions == []


def test_the_summary_holds_the_documented_entries():
    assert set(run_of(*EVENTS).summary()) == {
        "backend",
        "strategy",
        "seed",
        "status",
        "error",
        "freeze_depth",
        "trainable_parameters",
        "total_parameters",
        "val_accuracy",
        "val_loss",
        "seconds",
        "images_per_second",
        "peak_memory_mb",
        "device",
        "precision",
        "versions",
        "kept",
        "step_losses",
        "val_predictions",
        "audit",
    }


def test_the_summarys_audit_holds_only_if_every_phases_does():
    assert run_of(*EVENTS).summary()["audit"]["holds"] is True
    strayed = PhaseEnd(1, {"holds": False})
    audit = run_of(*EVENTS[:-1], strayed, END).summary()["audit"]
    assert audit == {"holds": False, "phases": [PHASE_END.audit, strayed.audit]}


def test_a_failed_run_has_a_summary_too():
    summary = run_of(FAILED).summary()
    assert (summary["status"], summary["error"]) == ("failed", "it broke")
    assert summary["peak_memory_mb"] is None
    json.dumps(summary, allow_nan=False)
