"""Turns what a training loop knows into events, the same way for every backend."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ftkit.architecture import Architecture
from ftkit.data.batches import Batch, smallest_batch, steps_per_epoch
from ftkit.data.dataset import Dataset, Split
from ftkit.freezing import (
    LayerState,
    audit,
    check_batch_norm,
    fingerprint,
    frozen_depth,
    frozen_names,
    trainable_parameters,
)
from ftkit.history import Epoch, PhaseEnd, PhaseStart, RunEnd, Step
from ftkit.recipe import Phase, Recipe

MEBIBYTE = 2**20
SAMPLE_SECONDS = 0.1
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """The largest resident memory of this process while it is watched.

    Linux keeps that mark itself, and starts anew when it is told to (``/proc/self/clear_refs``,
    proc(5)). Elsewhere a thread looks now and then: each time it takes a core from a thread that
    computes: on two cores, 50 looks a second made the steps of ResNet-18 2% longer.
    """

    def __init__(self) -> None:
        self._most = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            _CLEAR.write_text("5")
        except OSError:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    @property
    def mebibytes(self) -> float:
        """The largest so far, in MiB."""
        if self._thread is None:
            marked = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
            return int(marked[1]) / 1024 if marked else 0.0
        self._look()
        return self._most

    def _look(self) -> None:
        self._most = max(self._most, psutil.Process().memory_info().rss / MEBIBYTE)

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._look()

    def stop(self) -> None:
        """Ends the watch."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


class Recorder:
    """Counts steps and epochs, keeps the running means and the clock, and makes the events."""

    def __init__(
        self,
        architecture: Architecture,
        dataset: Dataset,
        recipe: Recipe,
        phases: tuple[Phase, ...],
    ) -> None:
        self.architecture = architecture
        self.dataset = dataset
        self.recipe = recipe
        self.phases = phases
        self.steps_per_epoch = steps_per_epoch(len(dataset.train), recipe.batch_size)
        self.run_steps = self.steps_per_epoch * sum(phase.epochs for phase in phases)
        self._smallest_batch = smallest_batch(len(dataset.train), recipe.batch_size)
        self._image_size = dataset.image_size
        self.phase = -1
        self.epoch = 0
        self.step_count = 0
        self._memory = PeakMemory()
        self._fingerprints: dict[int, str] = {}
        self._start_epoch()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.stop()

    def start_phase(self, phase: Phase, states: tuple[LayerState, ...]) -> PhaseStart:
        """The event that opens a phase.

        Raises:
            FtkitError: If batch norm would have to take the variance of a single value.
        """
        check_batch_norm(states, self.architecture, self._smallest_batch, self._image_size)
        self.phase += 1
        self._start_epoch()
        return PhaseStart(
            phase=self.phase,
            frozen=frozen_names(phase.freeze, self.architecture),
            freeze_depth=frozen_depth(phase.freeze, self.architecture),
            trainable_parameters=trainable_parameters(states),
            total_parameters=self.architecture.parameters,
            epochs=phase.epochs,
            steps=phase.epochs * self.steps_per_epoch,
            run_steps=self.run_steps,
        )

    def fingerprint(self, split: Split) -> str:
        """A digest of a split's pictures, taken once in a run."""
        if id(split) not in self._fingerprints:
            self._fingerprints[id(split)] = fingerprint(split.images)
        return self._fingerprints[id(split)]

    def rates(self, phase: Phase) -> NDArray[np.float64]:
        """The learning rates of the phase, shape ``(epochs, steps per epoch)``."""
        rates = phase.rates(phase.epochs * self.steps_per_epoch)
        return rates.reshape(phase.epochs, self.steps_per_epoch)

    def start_step(self) -> None:
        """Starts the step's clock, before its batch is taken."""
        self._step_started = time.perf_counter()

    def step(self, batch: Batch, loss: float, correct: int, lr: float) -> Step:
        """The event of a step that is done."""
        pictures = len(batch.labels)
        self._losses += loss * pictures
        self._correct += correct
        self._pictures += pictures
        self.step_count += 1
        return Step(
            phase=self.phase,
            epoch=self.epoch,
            step=self.step_count - 1,
            loss=loss,
            correct=correct,
            pictures=pictures,
            lr=lr,
            seconds=time.perf_counter() - self._step_started,
        )

    def end_epoch(self, val_loss: float, val_accuracy: float) -> Epoch:
        """The event that closes an epoch, after its evaluation."""
        event = Epoch(
            phase=self.phase,
            epoch=self.epoch,
            train_loss=self._losses / self._pictures,
            train_accuracy=self._correct / self._pictures,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            seconds=time.perf_counter() - self._epoch_started,
        )
        self.epoch += 1
        self._start_epoch()
        return event

    def end_phase(
        self,
        states: tuple[LayerState, ...],
        before: Mapping[str, str],
        after: Mapping[str, str],
        groups: list[dict[str, Any]],
        modes: Mapping[str, str],
    ) -> PhaseEnd:
        """The event that closes a phase, with its audit of the tensors' fingerprints."""
        return PhaseEnd(self.phase, audit(states, before, after, groups, modes))

    def end_run(
        self,
        stopped: bool,
        probabilities: NDArray[np.float64],
        device: str,
        precision: str,
        device_memory_mb: float | None,
        versions: dict[str, str],
    ) -> RunEnd:
        """The event that closes the run."""
        return RunEnd(
            stopped=stopped,
            val_probabilities=probabilities.tolist(),
            peak_memory_mb=device_memory_mb or self._memory.mebibytes,
            device="cpu" if device == "cpu" else "gpu",
            versions=versions,
            precision=precision,
        )

    def _start_epoch(self) -> None:
        self._losses = 0.0
        self._correct = 0
        self._pictures = 0
        self._epoch_started = time.perf_counter()
