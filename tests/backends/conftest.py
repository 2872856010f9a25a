"""One warm process per framework for probes, one for whole runs, and pictures for both."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from ftkit.data.drawn import draw
from ftkit.engine.compare import Experiment, follow
from ftkit.engine.session import WORKER_ENVIRONMENT, Session
from ftkit.history import Run
from ftkit.recipe import Recipe

BACKENDS = ("pytorch", "tensorflow")
STEPS = 40
# Both frameworks work at the same time here, each on a core of its own.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
TRAIN_PETS, TRAIN_NOISE, VAL = 116, 40, 40  # 156 pictures: 20 steps, the last of 4 pictures
FIGURES: dict[str, float] = {}


class Probe:
    """A framework's process that runs the functions of ``probes.py``."""

    def __init__(self, backend: str, folder: Path) -> None:
        self.backend = backend
        self.folder = folder
        self.calls = 0
        self.errors = (folder / f"{backend}.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("probes.py")), backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __call__(
        self, probe: str, arrays: dict[str, Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        self.calls += 1
        given = self.folder / f"{self.backend}-{self.calls}-in.npz"
        found = self.folder / f"{self.backend}-{self.calls}-out.npz"
        np.savez(given, **(arrays or {}))
        message = {"probe": probe, "arguments": arguments, "in": str(given), "out": str(found)}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            pytest.fail(self.errors.read().decode("utf-8", "replace")[-4000:])
        answer = json.loads(line)
        if "traceback" in answer:
            raise ProbeError(answer["error"], answer["traceback"])
        with np.load(found) as arrays_found:
            return {**answer["values"], **arrays_found}

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()


class ProbeError(Exception):
    """A probe raised; the arguments are ``Type: message`` and the traceback."""


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Probe]]:
    folder = tmp_path_factory.mktemp("probes")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**WORKER_ENVIRONMENT, **ONE_THREAD}.items():
            patch.setenv(name, value)
        started = {backend: Probe(backend, folder) for backend in BACKENDS}
    yield started
    for probe in started.values():
        probe.close()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, probes: dict[str, Probe]) -> Probe:
    """Each framework in turn."""
    return probes[request.param]


@pytest.fixture
def both(probes: dict[str, Probe]) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """The same probe in both frameworks, at the same time."""

    def ask(*args: Any, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = at_once({name: lambda p=p: p(*args, **arguments) for name, p in probes.items()})
        return found["pytorch"], found["tensorflow"]

    return ask


def at_once(jobs: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Does each job in a thread of its own; an error in one is raised here."""
    found: dict[str, Any] = {}

    def do(name: str) -> None:
        try:
            found[name] = jobs[name]()
        except BaseException as error:
            found[name] = error

    threads = [threading.Thread(target=do, args=(name,)) for name in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value in found.values():
        if isinstance(value, BaseException):
            raise value
    return found


@dataclass
class Pair:
    """A run in both frameworks."""

    pytorch: Run
    tensorflow: Run
    tensors: dict[str, dict[str, Any]]

    def parted(self, steps: int = STEPS) -> float:
        """The largest difference of the loss at any of the first steps."""
        one, other = (np.array(run.step_losses[:steps]) for run in (self.pytorch, self.tensorflow))
        assert len(one) == len(other) and np.isfinite(one).all() and np.isfinite(other).all()
        return float(np.abs(one - other).max())

    def weights_parted(self) -> float:
        """The largest difference of any final tensor, where it is above 1 by its own size."""
        one, other = self.tensors["pytorch"], self.tensors["tensorflow"]
        assert one.keys() == other.keys()
        return max(relative(one[name], other[name]) for name in one)


def relative(one: Any, other: Any) -> float:
    """Largest absolute difference; relative to the largest number where that is above 1."""
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / max(1.0, np.abs(one).max()))


class Runs:
    """Whole runs in both frameworks' warm workers."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def pair(
        self, recipe: Recipe, max_steps: int | None = None, strategy: str | None = None
    ) -> Pair:
        """Runs a recipe's only strategy in both frameworks, at the same time."""
        experiment = Experiment(recipe)
        strategy = strategy or recipe.strategies[0]
        with tempfile.TemporaryDirectory(dir=self.session.folder) as name:
            folders = {backend: Path(name) / backend for backend in BACKENDS}
            runs = {backend: Run(backend, strategy) for backend in BACKENDS}
            exports = {backend: path / "end.safetensors" for backend, path in folders.items()}
            jobs = {}
            for backend, folder in folders.items():
                folder.mkdir()
                start = experiment.initial(strategy, backend)
                jobs[backend] = experiment.job(
                    folder, strategy, backend, start, max_steps, export=exports[backend]
                )

            def run(backend: str) -> None:
                for _ in follow(self.session.worker(backend), jobs[backend], runs[backend]):
                    pass

            at_once({name: lambda name=name: run(name) for name in BACKENDS})
            for one in runs.values():
                assert one.status != "failed", one.error + one.error_details
                assert all(audit["holds"] for audit in one.audits)
            tensors = {name: load_file(path) for name, path in exports.items()}
        return Pair(runs["pytorch"], runs["tensorflow"], tensors)


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ONE_THREAD.items():
            patch.setenv(name, value)
        session = Session(BACKENDS)
        session.__enter__()
    try:
        yield Runs(session)
    finally:
        session.__exit__(None, None, None)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of drawn cats and dogs, and of noise, 64 pixels, with train and val."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(7)
    train, labels = draw("drawn-pets", TRAIN_PETS, 64)
    noise = rng.integers(0, 256, (TRAIN_NOISE, 64, 64, 3), dtype=np.uint8)
    val, val_labels = draw("drawn-pets", VAL, 64, start=1000)
    parts = {
        "train": (np.concatenate([train, noise]), [*labels, *(np.arange(TRAIN_NOISE) % 2)]),
        "val": (val, val_labels),
    }
    for part, (images, part_labels) in parts.items():
        for index, (image, label) in enumerate(zip(images, part_labels)):
            place = folder / part / ("cat", "dog")[int(label)]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{index:03}.png")
    return str(folder)


@pytest.fixture
def figure() -> Callable[[str, float], None]:
    """Keeps the largest of what a group of tests measured, for the summary."""

    def keep(group: str, value: float) -> None:
        FIGURES[group] = max(value, FIGURES.get(group, 0.0))

    return keep


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Shows how far the frameworks parted."""
    if FIGURES:
        terminalreporter.section("largest differences between the frameworks")
        for group, value in sorted(FIGURES.items()):
            terminalreporter.write_line(f"{value:9.2e}  {group}")
