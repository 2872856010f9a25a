"""Work in the background: one run after the other, behind others' runs, ended at once by Stop."""

from __future__ import annotations

import inspect
import threading
import time
from types import SimpleNamespace

import pytest

from ftkit.engine.live import Busy, Live
from ftkit.history import PhaseStart, Run, RunFailed, Step
from ftkit.widgets.background import Background, bar_view, failures


class Workers:
    """Stands for the workers: a run lasts until it is told to end."""

    def __init__(self, busy=0):
        self.busy = busy  # how often they are asked in vain
        self.begun = threading.Event()
        self.stops = 0
        self.asked = []

    def train(self, *args, **kwargs):
        asked = SimpleNamespace(
            **inspect.signature(Live.train).bind(self, *args, **kwargs).arguments
        )
        if self.busy:
            self.busy -= 1
            raise Busy("something else trains")
        self.asked.append(asked)
        backends = asked.backends or ("pytorch", "tensorflow")
        self.runs = [Run(name, asked.strategy) for name in backends]
        self.on_done = asked.on_done
        self.begun.set()
        return self.runs

    def stop(self):
        self.stops += 1
        self.end("stopped")

    def end(self, status="done"):
        self.begun.clear()
        for run in self.runs:
            run.status = status
        self.on_done(self.runs)


def work_of(background, experiments, found):
    """Trains each experiment in turn and keeps what came of it."""

    def work():
        for name in experiments:
            found.append(background.train(name, "depth-1", lambda runs: None, lambda *_: None))

    return work


def test_runs_follow_one_another_and_the_work_ends_with_the_last():
    workers, found = Workers(), []
    background = Background(workers)
    assert background.start(work_of(background, ["first", "second"], found))
    for _ in range(2):
        assert workers.begun.wait(5)
        assert background.running
        workers.end()
    assert background.wait(5)
    assert [asked.experiment for asked in workers.asked] == ["first", "second"]
    assert [[run.status for run in runs] for runs in found] == [["done", "done"]] * 2


def test_nothing_starts_while_the_last_work_goes_on():
    workers = Workers()
    background = Background(workers)
    background.start(work_of(background, ["first"], []))
    assert workers.begun.wait(5)
    assert not background.start(work_of(background, ["second"], []))
    workers.end()
    assert background.wait(5)
    assert len(workers.asked) == 1


def test_stop_ends_the_run_and_drops_those_that_would_follow():
    workers, found = Workers(), []
    background = Background(workers)
    background.start(work_of(background, ["first", "second"], found))
    assert workers.begun.wait(5)
    background.stop()
    assert background.wait(5)
    assert workers.stops == 1 and background.stopped
    assert len(workers.asked) == 1
    assert found[0][0].status == "stopped" and found[1] == []


def test_ending_a_run_lets_the_next_begin():
    workers, found = Workers(), []
    background = Background(workers)
    background.start(work_of(background, ["first", "second"], found))
    for number in (1, 2):
        assert workers.begun.wait(5)
        while workers.stops < number:  # a run is told of a moment after it began
            background.end_run()
            time.sleep(0.01)
    assert background.wait(5)
    assert [asked.experiment for asked in workers.asked] == ["first", "second"]
    assert not background.stopped


def test_work_waits_for_workers_that_train_for_another_widget():
    workers, found = Workers(busy=3), []
    background = Background(workers)
    background.start(work_of(background, ["first"], found))
    assert workers.begun.wait(5)
    workers.end()
    assert background.wait(5)
    assert workers.busy == 0 and len(found) == 1


def test_stop_does_not_end_what_another_widget_trains():
    workers, found = Workers(busy=10**9), []
    background = Background(workers)
    background.start(work_of(background, ["first"], found))
    background.stop()
    assert background.wait(5)
    assert workers.stops == 0 and found == [[]]


def test_a_stop_that_comes_before_the_work_is_forgotten_when_the_next_begins():
    workers, found = Workers(), []
    background = Background(workers)
    background.stop()
    background.start(work_of(background, [SimpleNamespace()], found))
    assert workers.begun.wait(5)
    workers.end()
    assert background.wait(5)
    assert len(found) == 1 and not background.stopped


def test_how_far_to_train_and_where_to_leave_the_weights_reach_the_workers(tmp_path):
    workers = Workers()
    background = Background(workers)
    asked = {"backends": ("tensorflow",), "max_steps": 3, "export": tmp_path}
    background.start(lambda: background.train("first", "depth-1", **asked))
    assert workers.begun.wait(5)
    workers.end()
    assert background.wait(5)
    assert asked.items() <= vars(workers.asked[0]).items()


def made(steps, total=200, seconds=3.0):
    run = Run("pytorch", "fine-tuning", seconds=seconds)
    run.add(PhaseStart(0, (), 0, 10, 10, 1, total, total))
    for number in range(steps):
        run.add(Step(0, 0, number, 0.5, 1, 2, 1e-3, 0.1))
    return run


def test_a_bar_tells_how_far_a_run_is_and_how_long_it_will_take():
    bar = bar_view(made(100))
    assert (bar["backend"], bar["share"], bar["status"]) == ("pytorch", 0.5, "running")
    assert bar["left"] == pytest.approx(3.0)


@pytest.mark.parametrize(
    "run",
    [Run("pytorch", "fine-tuning"), made(0), made(4)],
    ids=["no phase", "no step", "few steps"],
)
def test_at_the_beginning_nothing_is_said_of_the_time_left(run):
    assert bar_view(run)["left"] is None


def test_failed_runs_are_told_in_one_line():
    broken = [Run(name, "fine-tuning") for name in ("pytorch", "tensorflow")]
    broken[0].add(RunFailed("there is no memory"))
    assert failures([made(1), broken[0]]) == "PyTorch: there is no memory"
    broken[1].add(RunFailed("out of memory"))
    assert failures(broken) == "PyTorch: there is no memory; TensorFlow: out of memory"
    assert failures([made(1)]) == ""
