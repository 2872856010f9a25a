"""A worker without a framework: how it tells, and how a job's settings reach the cache."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from ftkit.backends.caching import Cache
from ftkit.backends.recording import Recorder
from ftkit.engine.compare import Experiment
from ftkit.engine.session import KEEPING_MEMORY
from ftkit.engine.worker import BUNCH_SECONDS, Outbox, hidden, run_job
from ftkit.freezing import resolve
from ftkit.history import (
    Computing,
    Epoch,
    Kept,
    PhaseEnd,
    PhaseStart,
    RunEnd,
    RunFailed,
    Step,
    event_from_dict,
    event_to_dict,
)
from ftkit.recipe import Recipe

OTHERS = [
    PhaseStart(0, ("stem",), 1, 10, 20, 1, 3, 3),
    Computing(0, 3, 6),
    Kept(0, "stem", 1),
    Epoch(0, 0, 0.5, 0.5, 0.5, 0.5, 1.0),
    PhaseEnd(0, {"holds": True}),
    RunEnd(False, [], 1.0, "cpu", {}),
    RunFailed("it broke"),
]


def step(number=0):
    return Step(0, 0, number, 0.5, 1, 2, 0.1, 0.01)


class Reader(io.StringIO):
    """What has arrived, and in how many pieces."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def flush(self):
        before = sum(map(len, self.pieces))
        self.pieces.append(self.getvalue()[before:])

    @property
    def arrived(self):
        lines = "".join(self.pieces).splitlines()
        return [event_from_dict(message) for line in lines for message in json.loads(line)]


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def tell(reader):
    """Sends events."""
    outbox = Outbox(reader)
    return lambda event: outbox.send(event_to_dict(event))


def wait_for(arrived, count, seconds=5.0):
    """Waits until so many events are there."""
    until = time.monotonic() + seconds
    while len(arrived()) < count and time.monotonic() < until:
        time.sleep(BUNCH_SECONDS / 10)
    return arrived()


def test_steps_that_follow_fast_arrive_in_bunches_and_in_order(tell, reader):
    for number in range(1000):
        tell(step(number))
    found = wait_for(lambda: reader.arrived, 1000)
    assert [event.step for event in found] == list(range(1000))
    assert len(reader.pieces) < 100


def test_a_step_arrives_though_nothing_follows_it(tell, reader):
    for number in range(3):
        tell(step(number))
        assert len(wait_for(lambda: reader.arrived, number + 1)) == number + 1


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: event.kind)
def test_anything_but_a_step_arrives_at_once_behind_the_steps_before_it(event, tell, reader):
    told = [step(0), step(1), step(2), event]
    for item in told:
        tell(item)
    assert reader.arrived == told


def test_nothing_is_lost_or_told_twice_however_it_comes(tell, reader):
    rng = np.random.default_rng(0)
    told = [
        step(number) if rng.random() < 0.8 else OTHERS[rng.integers(len(OTHERS))]
        for number in range(500)
    ]
    told.append(OTHERS[-1])
    for event in told:
        tell(event)
        time.sleep(rng.exponential(BUNCH_SECONDS / 50))
    assert reader.arrived == told
    assert 10 < len(reader.pieces) < len(told) / 2


def test_a_parent_that_is_gone_breaks_nothing():
    class Broken(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    outbox = Outbox(Broken())
    outbox.send(event_to_dict(step()))
    time.sleep(3 * BUNCH_SECONDS)
    assert any(thread.name == "outbox" for thread in threading.enumerate())


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_a_package_is_hidden_for_a_while_unless_it_is_loaded_already(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "not_needed.py").write_text("HERE = True", encoding="utf-8")
    with hidden(("not_needed", "json")):
        assert importlib.import_module("json") is json
        with pytest.raises(ImportError):
            importlib.import_module("not_needed")
    assert importlib.import_module("not_needed").HERE


def test_memory_that_is_free_is_given_back():
    """In a process that is told to keep it, as PyTorch's worker is."""
    program = """
import numpy as np, psutil
from ftkit.engine.worker import give_back
rows = [np.ones(2**20) for _ in range(64)]
del rows[:-1]
resident = lambda: psutil.Process().memory_info().rss
before = resident()
give_back()
print(before - resident())
"""
    environment = {**os.environ, **KEEPING_MEMORY}
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert int(told) > 2**28


# A job, in a backend that trains nothing


class Backend:
    """Goes through the phases, and computes noise in the place of what is frozen.

    Attributes:
        caches: What each run was given, as it was then.
    """

    def __init__(self, steps=1):
        self.caches = []
        self.steps = steps

    def build(self, architecture, tensors, precision, device, differences):
        return architecture

    def train(self, network, dataset, recipe, phases, should_stop, cache):
        self.caches.append((cache.enabled, cache.memory, tuple(cache.depths), cache.steps))
        with Recorder(network, dataset, recipe, phases) as recorder:
            for phase in phases:
                states = resolve(phase.freeze, network)
                yield recorder.start_phase(phase, states)
                tensors = dict.fromkeys(network.shapes, "")
                yield from cache.inputs(recorder, states, tensors, self.front, should_stop)
                for number in range(self.steps):
                    if not should_stop():
                        yield step(number)
        yield RunEnd(should_stop(), [], 1.0, "cpu", {})

    def front(self, start, ends):
        return lambda inputs: [np.zeros((len(inputs), 4), np.float32) for _ in ends]


@pytest.fixture(scope="module")
def recipe(pictures):
    return Recipe(data=str(pictures), image_size=32, batch_size=4, epochs=3)


@pytest.fixture
def told(recipe, tmp_path):
    """Runs the job of a strategy, and gives the events."""

    def run(cache, strategy="feature-extraction", backend=None, max_steps=None, **changes):
        options = {name: changes.pop(name) for name in ("cache_memory",) if name in changes}
        keep = changes.pop("keep", True)
        chosen = replace(recipe, **{"strategies": (strategy,), **changes})
        experiment = Experiment(chosen, cache=keep, **options)
        job = experiment.job(tmp_path, strategy, "pytorch", max_steps=max_steps)
        events = []
        job = json.loads(json.dumps(job))
        run_job(backend or Backend(), job, lambda: False, events.append, cache)
        return [event_from_dict(event) for event in events]

    return run


def kept_in(events):
    return [event for event in events if isinstance(event, Kept)]


def test_the_jobs_of_a_worker_share_what_was_computed_once(told):
    cache = Cache()
    (first,), (again,) = kept_in(told(cache)), kept_in(told(cache))
    assert (first.boundary, first.reused) == ("layer4, pooled", False)
    assert (again.boundary, again.reused) == ("layer4, pooled", True)


def test_a_jobs_settings_are_the_caches_for_that_job_alone(told, monkeypatch):
    monkeypatch.setattr(Cache, "share", lambda cache: 10**9)
    backend, cache = Backend(), Cache(memory=10**9)
    told(cache, backend=backend)
    told(cache, backend=backend, keep=False, cache_memory=5000, max_steps=2)
    told(cache, "fine-tuning", backend=backend, freeze_depth=3)
    assert [(enabled, steps) for enabled, _, _, steps in backend.caches] == [
        (True, None),
        (False, 2),
        (True, None),
    ]
    assert [memory for _, memory, _, _ in backend.caches] == [10**9, 5000, 10**9]


def test_what_the_strategies_of_a_recipe_need_is_computed_in_the_pass_of_the_deepest(told):
    cache, strategies = Cache(), ("depth-5", "depth-3", "depth-1", "scratch")
    first, *later = (
        kept_in(told(cache, strategy, strategies=strategies))[0] for strategy in strategies
    )
    assert (first.depth, first.reused) == (5, False)
    assert [(kept.depth, kept.reused) for kept in later] == [(3, True), (1, True), (0, False)]


def test_a_run_from_weights_of_its_own_computes_nothing_for_others(recipe, tmp_path):
    experiment = Experiment(replace(recipe, strategies=("depth-5", "depth-3")))
    own = experiment.initial("depth-5", "pytorch")
    jobs = [
        experiment.job(tmp_path, "depth-5", "pytorch", tensors)["depths"] for tensors in (None, own)
    ]
    assert jobs == [[3], []]


def test_a_run_of_fewer_epochs_than_views_that_shares_with_no_other_computes_nothing_ahead(told):
    (kept,) = kept_in(told(Cache(), epochs=2, augment="flip-crop", views=8))
    assert "2 epochs would not save a pass over 8 views" in kept.reason


def test_a_run_that_ends_before_it_has_seen_every_picture_computes_nothing_ahead(told):
    events = told(Cache(), max_steps=2, backend=Backend(steps=9))
    assert "ends before it has seen every picture" in kept_in(events)[0].reason
    assert sum(isinstance(event, Step) for event in events) == 2
    assert events[-1].stopped
