"""Training in the background: both frameworks at once, stopped at any time, nothing left."""

from __future__ import annotations

import time

import psutil
import pytest

from ftkit.engine.compare import Experiment
from ftkit.engine.live import Busy, Live
from ftkit.history import RunFailed
from ftkit.recipe import Recipe

BACKENDS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def live():
    made = Live(BACKENDS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def experiment(pictures):
    """Six steps an epoch, as many epochs as nobody waits for."""
    recipe = Recipe(
        data=str(pictures),
        image_size=32,
        batch_size=4,
        epochs=2000,
        device="cpu",
        strategies=("depth-0", "depth-5"),
    )
    return Experiment(recipe)


def started(runs, seconds=60):
    """Waits until every run has made a step."""
    until = time.monotonic() + seconds
    while not all(run.steps for run in runs) and time.monotonic() < until:
        time.sleep(0.01)
    assert all(run.steps for run in runs)


def test_both_frameworks_train_at_once_and_end_within_a_second_of_being_asked(live, experiment):
    told, ended = [], []
    runs = live.train(experiment, "depth-0", lambda run, event: told.append(run), ended.append)
    assert [run.backend for run in runs] == list(BACKENDS)
    started(runs)
    assert live.busy
    asked = time.monotonic()
    live.stop()
    assert live.wait(20)
    assert time.monotonic() - asked < 1
    assert {run.status for run in runs} == {"stopped"}
    assert ended == [runs]
    assert {run.backend for run in told} == set(BACKENDS)


def test_what_is_stopped_before_its_first_step_ends_too(live, experiment):
    runs = live.train(experiment, "depth-0", lambda *_: None)
    live.stop()
    assert live.wait(20)
    assert {run.status for run in runs} == {"stopped"}


def test_a_second_run_is_refused_while_one_trains(live, experiment):
    live.train(experiment, "depth-0", lambda *_: None)
    with pytest.raises(Busy, match="training already"):
        live.train(experiment, "depth-0", lambda *_: None)
    live.stop()
    assert live.wait(20)


def test_it_ends_after_so_many_steps_in_the_chosen_framework(live, experiment):
    (run,) = live.train(experiment, "depth-5", lambda *_: None, None, ("tensorflow",), max_steps=7)
    assert live.wait(60)
    assert (run.backend, len(run.steps)) == ("tensorflow", 7)


def test_a_worker_that_dies_costs_its_run_alone_and_is_replaced(live, experiment):
    runs = live.train(experiment, "depth-0", lambda *_: None)
    started(runs)
    workers = [child for child in psutil.Process().children() if child.cmdline()[-1] == "pytorch"]
    max(workers, key=lambda worker: worker.create_time()).kill()
    until = time.monotonic() + 10
    while runs[0].status == "running" and time.monotonic() < until:
        time.sleep(0.01)
    assert runs[0].status == "failed" and "ended" in runs[0].error
    assert runs[1].status == "running"
    live.stop()
    assert live.wait(20)
    (again,) = live.train(experiment, "depth-5", lambda *_: None, None, ("pytorch",), max_steps=3)
    assert live.wait(60)
    assert len(again.steps) == 3


def test_a_listener_that_fails_ends_its_run_and_says_so(live, experiment):
    def fail(run, event):
        if not isinstance(event, RunFailed):
            raise ValueError("the page is gone")

    (run,) = live.train(experiment, "depth-5", fail, None, ("pytorch",), max_steps=3)
    assert live.wait(20)
    assert (run.status, run.error) == ("failed", "ValueError: the page is gone")


def test_at_its_end_no_process_is_left(experiment, no_process_left):
    live = Live(("pytorch",))
    (run,) = live.train(experiment, "depth-0", lambda *_: None)
    started([run])
    live.close()
    assert no_process_left()
    assert live.wait(10)
