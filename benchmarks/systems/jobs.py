"""The systems, the jobs, and what each of them is to do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from systems.measuring import Task

from ftkit.engine.session import KEEPING_MEMORY, WORKER_ENVIRONMENT

BACKBONE = "resnet18"
DEPTHS = (5, 4, 3, 2, 1, 0)  # the deepest first
EVERYTHING_FROZEN = 5
CACHED_DEPTH = 2  # what its frozen blocks give is large: 64 channels of a quarter of the size
SMALL_SIZE = 64
GROWTH_BASE, GROWTH_PICTURES = 1000, (1, 2, 4, 8)  # beside 400 to judge by
GROWTH_EPOCHS, GROWTH_USUAL = (1, 5, 20), 5
MEMORY_EPOCHS = 2


@dataclass(frozen=True)
class System:
    """One way to do a job.

    Attributes:
        name: What the results call it.
        label: What the tables call it.
        family: What `--systems` may call it together with its kin.
        backend: Its framework.
        script: Its file in `benchmarks/systems`.
        variant: Which of the script's ways.
        environment: Variables that are set for it.
    """

    name: str
    label: str
    family: str
    backend: str
    script: str
    variant: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


# What ftkit sets for its PyTorch worker; OMP_WAIT_POLICY alone decides much where cores are few.
OUR_ENVIRONMENT = {**WORKER_ENVIRONMENT, **KEEPING_MEMORY}

SYSTEMS = {
    system.name: system
    for system in (
        System("plain", "plain PyTorch loop", "plain", "pytorch", "plain_pytorch.py"),
        System("plain-environment", "plain PyTorch loop, ftkit's environment", "plain", "pytorch",
               "plain_pytorch.py", environment=OUR_ENVIRONMENT),
        System("fastai", "fastai", "fastai", "pytorch", "fastai_learner.py"),
        System("lightning", "Lightning, BackboneFinetuning", "lightning", "pytorch",
               "lightning_module.py", "callback"),
        System("lightning-no-grad", "Lightning, backbone under no_grad", "lightning", "pytorch",
               "lightning_module.py", "no-grad"),
        System("keras", "Keras compile/fit", "keras", "tensorflow", "keras_fit.py"),
        System("bare-pytorch", "one bare pass, PyTorch", "bare", "pytorch", "bare_pytorch.py",
               "default"),
        System("bare-pytorch-channels-last", "one bare pass, PyTorch, channels_last", "bare",
               "pytorch", "bare_pytorch.py", "channels-last"),
        System("bare-pytorch-environment", "one bare pass, PyTorch, channels_last, ftkit's "
               "environment", "bare", "pytorch", "bare_pytorch.py", "channels-last",
               environment=OUR_ENVIRONMENT),
        System("bare-keras", "one bare pass, Keras", "bare", "tensorflow", "bare_keras.py",
               "default"),
        System("bare-keras-xla", "one bare pass, Keras, XLA", "bare", "tensorflow",
               "bare_keras.py", "xla"),
        System("bare-keras-environment", "one bare pass, Keras, ftkit's environment", "bare",
               "tensorflow", "bare_keras.py", "default", environment=WORKER_ENVIRONMENT),
        System("ours-pytorch", "ftkit, PyTorch", "ours", "pytorch", "ours.py"),
        System("ours-tensorflow", "ftkit, TensorFlow", "ours", "tensorflow", "ours.py"),
    )
}  # fmt: skip
PLAIN = ("plain", "plain-environment")
OURS = ("ours-pytorch", "ours-tensorflow")
# What ours is held against trains so; the sources stand in the systems' scripts.
LIKE_PLAIN = {"optimizer": "sgd", "lr": 1e-3, "batch_norm": "train"}
LIKE_KERAS_FROZEN = {"optimizer": "adam", "lr": 1e-3}
# Batch norm trains, against the words of Keras's guide: see keras_fit.py.
LIKE_KERAS = {"optimizer": "adam", "lr": 1e-5, "batch_norm": "train"}
JOBS = {
    "feature-extraction": "÷ ours",
    "fine-tuning": "÷ ours",
    "sweep": "÷ ours",
    "growth": "job ÷ first row's",
    "slider": "",
    "memory": "peak ÷ no cache's",
}
"""Every job, and the name of the column that compares its rows; empty if there is none."""


@dataclass(frozen=True)
class Measurement:
    """One row of a table: a system, what it is to do, and the row that it is compared with.

    Attributes:
        job: Key of :data:`JOBS`.
        system: Key of :data:`SYSTEMS`.
        case: Which of several; empty if there is one.
        task: What the system's script gets.
        against: System and case of the row to compare with.
    """

    job: str
    system: str
    case: str
    task: Task
    against: tuple[str, str] | None = None

    @property
    def row(self) -> tuple[str, str]:
        """System and case."""
        return self.system, self.case

    @property
    def label(self) -> str:
        """The row's name in the table."""
        label = SYSTEMS[self.system].label
        return f"{label}: {self.case}" if self.case else label


class Plan:
    """What the jobs consist of.

    Args:
        options: The command's.
        data: The pictures: a folder with `train/` and `val/`.
        tensors: The initial weights.
        classes: Number of classes.
    """

    def __init__(self, options: argparse.Namespace, data: str, tensors: str, classes: int) -> None:
        self._options = options
        self._data, self._tensors, self._classes = data, tensors, classes

    def measurements(self, job: str) -> Iterator[Measurement]:
        """The rows of a job, for the systems that were asked for."""
        made: Iterator[Measurement] = getattr(self, f"_{job.replace('-', '_')}")()
        return (item for item in made if item.system in self._options.systems)

    def _task(self, system: str, epochs: int, depths: Sequence[int], **given: Any) -> Task:
        options = self._options
        recipe = {"backbone": BACKBONE, "weights": self._tensors} | given.pop("recipe", {})
        values = {
            "kind": "train",
            "backend": SYSTEMS[system].backend,
            "data": self._data,
            "tensors": self._tensors,
            "image_size": options.image_size,
            "classes": self._classes,
            "batch_size": options.batch_size,
            "epochs": epochs,
            "depths": tuple(depths),
            "seed": options.seed,
            "variant": SYSTEMS[system].variant,
            "recipe": recipe,
        }
        return Task(**{**values, **given})

    def _feature_extraction(self) -> Iterator[Measurement]:
        job = "feature-extraction"
        for name, system in SYSTEMS.items():
            like = LIKE_PLAIN if system.backend == "pytorch" else LIKE_KERAS_FROZEN
            task = self._task(
                name,
                self._options.epochs,
                (EVERYTHING_FROZEN,),
                recipe={**like, "strategies": [job]},
                kind="bare" if system.family == "bare" else "train",
            )
            yield Measurement(job, name, "", task, (f"ours-{system.backend}", ""))

    def _fine_tuning(self) -> Iterator[Measurement]:
        for name in (*PLAIN, "keras", *OURS):
            backend = SYSTEMS[name].backend
            like = LIKE_PLAIN if backend == "pytorch" else LIKE_KERAS
            ours = (f"ours-{backend}", "")
            yield Measurement("fine-tuning", name, "", self._task(name, 1, (0,), recipe=like), ours)
            if name not in OURS:
                continue
            cases: dict[str, dict[str, Any]] = {"precision auto": {"precision": "auto"}}
            if backend == "tensorflow":
                cases["batch norm as in Keras's guide"] = {"batch_norm": "inference"}
            for case, other in cases.items():
                task = self._task(name, 1, (0,), recipe={**like, **other})
                yield Measurement("fine-tuning", name, case, task, ours)

    def _sweep(self) -> Iterator[Measurement]:
        for name in (*PLAIN, *OURS):
            task = self._task(name, self._options.sweep_epochs, DEPTHS, recipe=LIKE_PLAIN)
            against = "ours-pytorch" if name in PLAIN else name
            yield Measurement("sweep", name, "", task, (against, ""))

    def _small(self, system: str, pictures: int, epochs: int, depth: int, kind: str) -> Task:
        recipe = {"backbone": "resnet_s", "weights": "bundled", "train_size": pictures}
        return self._task(
            system, epochs, (depth,), kind=kind, recipe=recipe, data="drawn-pets",
            image_size=SMALL_SIZE,
        )  # fmt: skip

    def _growth(self) -> Iterator[Measurement]:
        base = GROWTH_BASE
        rows = [(base * times, GROWTH_USUAL, EVERYTHING_FROZEN) for times in GROWTH_PICTURES]
        rows += [(base, epochs, EVERYTHING_FROZEN) for epochs in GROWTH_EPOCHS]
        rows += [(base, GROWTH_USUAL, depth) for depth in DEPTHS]
        cases = {
            f"{pictures} pictures, {epochs} epoch{'s' * (epochs > 1)}, depth {depth}": (
                pictures,
                epochs,
                depth,
            )
            for pictures, epochs, depth in rows
        }
        for name in OURS:
            first = (name, next(iter(cases)))
            for case, row in cases.items():
                yield Measurement("growth", name, case, self._small(name, *row, "train"), first)

    def _slider(self) -> Iterator[Measurement]:
        for name in OURS:
            epochs = self._options.epochs
            task = self._small(name, self._options.pets, epochs, EVERYTHING_FROZEN, "slider")
            yield Measurement("slider", name, "", task)

    def _memory(self) -> Iterator[Measurement]:
        ways: dict[str, dict[str, Any]] = {
            "no cache": {"cache": False},
            "cache": {},
            "cache on disk": {"cache_memory": 0},
        }
        for name in OURS:
            for depth in (EVERYTHING_FROZEN, CACHED_DEPTH):
                for way, job in ways.items():
                    task = self._task(name, MEMORY_EPOCHS, (depth,), recipe=LIKE_PLAIN, job=job)
                    against = (name, f"depth {depth}, no cache")
                    yield Measurement("memory", name, f"depth {depth}, {way}", task, against)
