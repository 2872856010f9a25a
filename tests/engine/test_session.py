"""Workers: kept warm, stopped within a batch, replaced after a death, gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from ftkit.engine.compare import Experiment
from ftkit.engine.session import Session, Worker
from ftkit.engine.worker import UNUSED
from ftkit.history import Epoch, Kept, PhaseEnd, PhaseStart, RunEnd, RunFailed, Step
from ftkit.recipe import Recipe
from ftkit.version import __version__

BACKENDS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """Where temporary files go in these tests, for this process and the workers."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TMPDIR", "TEMP", "TMP"):
            patch.setenv(name, str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder


@pytest.fixture(scope="module")
def session(temporary):
    with Session(BACKENDS) as session:
        yield session


@pytest.fixture(scope="module")
def experiment(pictures):
    """One epoch of 6 steps for the head alone."""
    recipe = Recipe(
        data=str(pictures),
        image_size=32,
        batch_size=4,
        epochs=1,
        device="cpu",
        strategies=("feature-extraction",),
    )
    return Experiment(recipe)


@pytest.fixture(scope="module")
def slow():
    """Hundreds of steps that take some tenths of a second each."""
    recipe = Recipe(
        train_size=256, batch_size=128, epochs=200, device="cpu", strategies=("fine-tuning",)
    )
    return Experiment(recipe)


def job(experiment, folder, **options):
    (strategy,) = experiment.recipe.strategies
    folder.mkdir(exist_ok=True)
    return experiment.job(folder, strategy, "pytorch", **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_worker_can_run_on_the_cpu(session, backend):
    assert "cpu" in session.worker(backend).devices()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is told by Linux")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_worker_loads_no_package_that_no_job_uses(session, backend):
    worker = session.worker(backend)
    worker.devices()
    loaded = {
        part
        for item in psutil.Process(worker.process.pid).memory_maps()
        for part in Path(item.path).parts
    }
    assert {"pytorch": "torch", "tensorflow": "tensorflow"}[backend] in loaded
    assert not loaded & set(UNUSED)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_gives_the_events_of_a_run_in_order(session, experiment, backend):
    events = list(session.worker(backend).run(job(experiment, session.folder / "small")))
    kinds = [type(event) for event in events]
    assert kinds == [PhaseStart, Kept, *[Step] * 6, Epoch, PhaseEnd, RunEnd]
    assert [event.step for event in events if isinstance(event, Step)] == list(range(6))
    assert [event.pictures for event in events if isinstance(event, Step)] == [4] * 6
    assert not events[-1].stopped
    assert len(events[-1].val_probabilities) == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_warm_worker_runs_the_next_job_in_the_same_process_from_the_same_start(
    session, experiment, backend
):
    worker = session.worker(backend)
    losses = []
    for _ in range(2):
        events = list(worker.run(job(experiment, session.folder / "small")))
        losses.append([event.loss for event in events if isinstance(event, Step)])
        assert session.worker(backend) is worker
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert len(losses[0]) == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stop_takes_effect_within_one_batch(session, slow, backend):
    worker = session.worker(backend)
    events = []
    for event in worker.run(job(slow, session.folder / "slow")):
        events.append(event)
        if [type(item) for item in events] == [PhaseStart, Kept, Step]:
            worker.stop()
    assert sum(isinstance(event, Step) for event in events) <= 2  # the one in progress ends
    assert [type(event) for event in events[-2:]] == [PhaseEnd, RunEnd]
    assert events[-1].stopped


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stop_between_jobs_does_not_stop_the_next(session, experiment, backend):
    worker = session.worker(backend)
    worker.stop()
    events = list(worker.run(job(experiment, session.folder / "small")))
    assert sum(isinstance(event, Step) for event in events) == 6
    assert not events[-1].stopped


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_may_be_limited_to_some_steps(session, experiment, backend):
    limited = job(experiment, session.folder / "small", max_steps=3)
    events = list(session.worker(backend).run(limited))
    assert sum(isinstance(event, Step) for event in events) == 3
    assert events[-1].stopped


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_may_leave_the_trained_weights_in_a_file(session, experiment, backend, tmp_path):
    path = tmp_path / "trained.safetensors"
    for event in session.worker(backend).run(
        job(experiment, session.folder / "small", export=path)
    ):
        assert not isinstance(event, RunFailed)
    found, start = load_file(path), experiment.initial("feature-extraction", backend)
    assert {name: value.shape for name, value in found.items()} == experiment.architecture.shapes
    changed = {name for name in found if (found[name] != start[name]).any()}
    assert changed == {"fc.weight", "fc.bias"}
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_that_fails_tells_why_and_costs_neither_the_worker_nor_the_next_job(
    session, experiment, backend
):
    worker = session.worker(backend)
    sound = job(experiment, session.folder / "small")
    (event,) = worker.run({**sound, "tensors": str(session.folder / "none.safetensors")})
    assert isinstance(event, RunFailed)
    assert event.reason.startswith("FileNotFoundError: ")
    assert "Traceback" in event.details
    assert isinstance(list(worker.run(sound))[-1], RunEnd)
    assert session.worker(backend) is worker


def test_a_worker_killed_in_mid_run_is_told_and_a_new_one_runs_the_next_job(session, slow):
    worker = session.worker("pytorch")
    events = []
    for event in worker.run(job(slow, session.folder / "slow")):
        events.append(event)
        if [type(item) for item in events] == [PhaseStart, Kept, Step]:
            worker.process.kill()
    assert isinstance(events[-1], RunFailed)
    assert events[-1].reason == f"the pytorch process ended (signal {signal.SIGKILL.value})"
    fresh = session.worker("pytorch")
    assert fresh is not worker
    limited = job(slow, session.folder / "slow", max_steps=1)
    assert isinstance(list(fresh.run(limited))[-1], RunEnd)


def test_a_worker_killed_between_jobs_says_so_each_time_it_is_asked_and_is_replaced(
    session, experiment
):
    small = job(experiment, session.folder / "small")
    worker = session.worker("pytorch")
    worker.process.kill()
    for _ in range(2):
        (event,) = worker.run(small)
        assert isinstance(event, RunFailed)
    assert list(worker.rest(5)) == []
    worker.stop()
    fresh = session.worker("pytorch")
    assert isinstance(list(fresh.run(small))[-1], RunEnd)


def test_the_end_of_a_session_leaves_no_process_and_no_file(temporary, slow, no_process_left):
    before = set(temporary.rglob("*"))
    with Session(BACKENDS) as session:
        for backend in BACKENDS:
            for event in session.worker(backend).run(job(slow, session.folder / "j", max_steps=1)):
                assert not isinstance(event, RunFailed), event
        at_work = session.worker("pytorch").run(job(slow, session.folder / "j"))
        assert isinstance(next(at_work), PhaseStart)
        assert set(temporary.rglob("*")) > before
    assert no_process_left()
    assert set(temporary.rglob("*")) == before


# Workers that are shell scripts: what a process may do that no framework should

READY = f'echo \'{{"kind": "ready", "devices": ["cpu"], "ftkit": "{__version__}"}}\''
END = (
    'echo \'{"kind": "run_end", "stopped": false, "val_probabilities": [], '
    '"peak_memory_mb": 1.0, "device": "cpu", "versions": {}}\''
)


def test_a_session_removes_the_folder_of_a_process_that_was_killed(temporary):
    program = (
        "import os, signal\n"
        "from ftkit.engine.temporary import temporary_folder\n"
        "it = temporary_folder()\n"
        "print(it.name, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program]
    found = Path(subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip())
    assert found.parent == temporary
    assert found.exists()
    with Session(["pytorch"]):
        assert not found.exists()


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Makes a worker that does what lines of shell say."""
    workers = []

    def make(*lines):
        path = tmp_path / "python"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("FTKIT_PYTORCH_PYTHON", str(path))
        workers.append(Worker("pytorch", tmp_path))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def test_a_worker_that_dies_in_the_middle_of_a_line_is_told(scripted):
    worker = scripted(READY, "read job", 'printf \'{"kind": "st\'', "kill -9 $$")
    (event,) = worker.run({})
    assert event == RunFailed("the pytorch process ended (signal 9)", "")


def test_words_of_another_program_among_the_messages_are_passed_over(scripted):
    worker = scripted("echo Activating environment", READY, "read job", "echo", END, "read more")
    (event,) = worker.run({})
    assert isinstance(event, RunEnd)


def test_a_worker_that_dies_before_it_is_ready_is_told_with_its_last_words(scripted):
    worker = scripted("echo no such library >&2", "exit 3")
    assert worker.devices() == ()
    (event,) = worker.run({})
    assert event == RunFailed("the pytorch process ended (exit code 3)", "no such library\n")


def test_only_the_end_of_long_last_words_is_kept(scripted):
    worker = scripted("seq 1 100000 >&2", "exit 3")
    (event,) = worker.run({})
    assert event.details.endswith("99999\n100000\n")
    assert len(event.details) == 4000


def test_the_rest_of_a_run_is_waited_for_no_longer_than_asked(scripted):
    worker = scripted(READY, "read job", "read more", "read yet_more")
    assert worker.devices() == ("cpu",)
    assert list(worker.rest(0.1)) == []
    assert worker.alive


def test_a_worker_ends_when_nobody_is_left_to_tell(session):
    worker = session.worker("tensorflow")
    worker.devices()
    worker.process.stdin.close()
    assert worker.process.wait(timeout=10) == 0


def test_an_interrupt_from_the_terminal_is_not_the_workers_to_answer(session, experiment):
    worker = session.worker("pytorch")
    worker.devices()
    os.kill(worker.process.pid, signal.SIGINT)
    events = list(worker.run(job(experiment, session.folder / "small")))
    assert isinstance(events[-1], RunEnd)
    assert os.getpgid(worker.process.pid) != os.getpgid(0)


def test_a_worker_keeps_its_temporary_files_in_the_sessions_folder(session):
    worker = session.worker("pytorch")
    environment = psutil.Process(worker.process.pid).environ()
    assert Path(environment["TMPDIR"]) == session.folder
