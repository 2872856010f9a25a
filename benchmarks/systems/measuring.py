"""What every measured system shares: its task, the clock, and how it hands back its figures.

A system is a script. `benchmarks/speed.py` starts it in a process of its own, with a file that
holds the task and the name of a file for the result. A system imports what it needs first; only
then does its clock start.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PAUSE_SECONDS = 0.2
SAMPLING_SHARE = 0.04  # of one core, at most: looking at memory costs time
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, which torchvision's networks expect
STD = (0.229, 0.224, 0.225)
PACKAGES = ("ftkit", "torch", "torchvision", "fastai", "lightning", "tensorflow", "keras", "numpy")


@dataclass(frozen=True)
class Task:
    """What a system is to do.

    Attributes:
        kind: ``"train"``, ``"bare"`` or ``"slider"``.
        backend: ``"pytorch"`` or ``"tensorflow"``.
        data: A folder with ``train/`` and ``val/``, or the name of a drawn task.
        tensors: Initial weights in torchvision's names and layout, head included; safetensors.
        image_size: Pixels on a side.
        classes: Number of classes.
        batch_size: Pictures per step.
        epochs: Passes over the training pictures.
        depths: Blocks to freeze (stem, layer1 to layer4): one training for each entry, in order.
        seed: Decides the order of the pictures.
        variant: One of several ways in which a script can do it.
        recipe: Of ours: entries of the recipe.
        job: Of ours: whether and how it keeps what is frozen (`Experiment`).
    """

    kind: str
    backend: str
    data: str
    tensors: str
    image_size: int
    classes: int
    batch_size: int
    epochs: int
    depths: tuple[int, ...]
    seed: int
    variant: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)


class Clock:
    """Wall time, CPU time and peak memory between entering and leaving it.

    Memory is sampled in a thread, over this process and all below it: PSS on Linux, where a page
    that processes share counts once, and USS elsewhere, where it does not count. The pause between
    samples is long enough that sampling takes at most 4% of one core. The last sample is taken
    when the clock stops. What the machine's other processes took meanwhile is told too: a run that
    they disturbed is no measurement.

    Args:
        uncounted: What is measured starts processes whose CPU time nobody is told, as those of a
            sandbox that end with it. Others are then those that are there before and after.

    Attributes:
        parts: Seconds of named parts.
    """

    def __init__(self, uncounted: bool = False) -> None:
        self.parts: dict[str, float] = {}
        self._uncounted = uncounted
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._peaks = {"all": 0, "children": 0, "rss": 0}
        self._sampler_seconds = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Clock:
        self._sample()
        self._thread.start()
        self._others = self._seconds_of_others() if self._uncounted else {}
        self._cpu, self._busy = self._cpu_seconds(), _busy_seconds()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_seconds = time.perf_counter() - self._started
        cpu = self._cpu_seconds() - self._cpu
        others = _busy_seconds() - self._busy - cpu
        if self._uncounted:
            now = self._seconds_of_others()
            others = sum(now[one] - self._others[one] for one in now.keys() & self._others.keys())
        self.other_cpu_seconds = max(0.0, others)
        self._stop.set()
        self._thread.join()
        self.cpu_seconds = cpu - self._sampler_seconds
        self._sample()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Times a part; the times of a name add up."""
        started = time.perf_counter()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - started

    def figures(self) -> dict[str, Any]:
        """What was measured, as JSON types; memory in MiB."""
        peaks = {f"peak_{name}_mb": value / 2**20 for name, value in self._peaks.items()}
        return {
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "other_cpu_seconds": self.other_cpu_seconds,
            "memory": "PSS" if sys.platform == "linux" else "USS",
            **peaks,
            "parts": self.parts,
        }

    def _cpu_seconds(self) -> float:
        """CPU time of this process, of its children that have ended, and of those that live."""
        own = os.times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._process.children(recursive=True):
            with suppress(psutil.Error):
                used = child.cpu_times()
                total += used.user + used.system
                total += getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
        return total

    def _seconds_of_others(self) -> dict[psutil.Process, float]:
        """CPU time of each process that is neither this one nor below it.

        Without that of its children: what nobody waits for counts as a child of the first process.
        """
        own = {self._process, *self._process.children(recursive=True)}
        found = {}
        for process in psutil.process_iter():
            if process not in own:
                with suppress(psutil.Error):
                    found[process] = sum(process.cpu_times()[:2])
        return found

    def _watch(self) -> None:
        started = time.thread_time()
        pause = PAUSE_SECONDS
        while not self._stop.wait(pause):
            before = time.perf_counter()
            self._sample()
            pause = max(PAUSE_SECONDS, (time.perf_counter() - before) / SAMPLING_SHARE)
        self._sampler_seconds = time.thread_time() - started

    def _sample(self) -> None:
        sums = dict.fromkeys(self._peaks, 0)
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.Error):
                found = process.memory_full_info()
                used = getattr(found, "pss", found.uss)
                sums["all"] += used
                sums["rss"] += found.rss
                sums["children"] += used if process.pid != self._process.pid else 0
        self._peaks = {name: max(value, sums[name]) for name, value in self._peaks.items()}


def _busy_seconds() -> float:
    """CPU time that the whole machine has spent, and what its host took from it."""
    idle = ("idle", "iowait", "guest", "guest_nice")  # guests count as user time already
    times = psutil.cpu_times()._asdict()
    return sum(seconds for name, seconds in times.items() if name not in idle)


def versions() -> dict[str, str]:
    """The versions of what a process has imported, and of Python.

    Raises:
        RuntimeError: If both frameworks are there: neither could then be measured.
    """
    if {"torch", "tensorflow"} <= set(sys.modules):
        raise RuntimeError(
            "Expected one framework in a process; torch and tensorflow are both imported. "
            "Look for the import that brings in the second."
        )
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        if name in sys.modules:
            told = getattr(sys.modules[name], "__version__", None)
            found[name] = str(told or metadata.version(name))
    return found


def serve(measure: Callable[[Task], dict[str, Any]]) -> None:
    """Runs the task that the first argument names, and writes the result to the second."""
    source, target = map(Path, sys.argv[1:])
    values = json.loads(source.read_text(encoding="utf-8"))
    result = measure(Task(**{**values, "depths": tuple(values["depths"])}))
    result.setdefault("versions", {}).update(versions())
    target.write_text(json.dumps(result), encoding="utf-8")
