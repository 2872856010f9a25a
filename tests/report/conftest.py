"""Comparisons made by hand: plausible runs, and the odd ones that a report has to survive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ftkit.architecture import Architecture
from ftkit.backbones.catalogue import architecture
from ftkit.data.dataset import Dataset, Split
from ftkit.engine.comparison import Comparison, Match
from ftkit.engine.sweep import Sweep, strategy_of
from ftkit.freezing import audit, frozen_depth, resolve, still_depth, trainable_parameters
from ftkit.history import Epoch, Kept, PhaseEnd, PhaseStart, Run, RunEnd, RunFailed, Step
from ftkit.recipe import Phase, Recipe

BACKENDS = ("pytorch", "tensorflow")
STEPS_PER_EPOCH = 12
SKILL = {"scratch": 0.35, "feature-extraction": 1.6, "fine-tuning": 2.6, "two-phase": 2.2}


def make_dataset(class_names: Sequence[str] = ("cat", "dog"), size: int = 32) -> Dataset:
    """Coloured stripes, a colour and a direction per class."""
    rng = np.random.default_rng(1)
    classes = len(class_names)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % classes
        ramp = np.linspace(0, 3 * np.pi, size)
        images = np.empty((count, size, size, 3), np.uint8)
        for index, label in enumerate(labels):
            wave = np.sin(ramp[:, None] * (label + 1) + ramp[None, :] * rng.uniform(0, 4))
            colour = rng.uniform(60, 250, 3)
            images[index] = np.clip((0.6 + 0.4 * wave)[..., None] * colour, 0, 255)
        return Split(images, labels)

    return Dataset("drawn-pets", tuple(class_names), split(4 * classes), split(24 * classes))


def make_run(
    backend: str,
    strategy: str,
    recipe: Recipe,
    dataset: Dataset,
    shift: float = 1e-6,
    seed: int | None = None,
) -> Run:
    """A run that learns, in steps that depend on the strategy alone, up to ``shift``."""
    network = architecture(recipe.backbone, recipe.head, len(dataset.class_names))
    phases = recipe.phases_of(strategy, network)
    rng = np.random.default_rng(len(strategy))
    off = np.random.default_rng(len(backend))
    skill = SKILL.get(strategy, 2.0)
    run = Run(backend, strategy, seed)
    total = sum(phase.epochs for phase in phases) * STEPS_PER_EPOCH
    step = epoch = 0
    for index, phase in enumerate(phases):
        states = resolve(phase.freeze, network)
        learns = trainable_parameters(states)
        steps = phase.epochs * STEPS_PER_EPOCH
        run.add(
            PhaseStart(
                index,
                phase.freeze.frozen,
                frozen_depth(phase.freeze, network),
                learns,
                network.parameters,
                phase.epochs,
                steps,
                total,
            )
        )
        run.add(_kept(index, still_depth(states, network), network))
        for _ in range(phase.epochs):
            for _ in range(STEPS_PER_EPOCH):
                clean = 0.05 + 0.68 * np.exp(-skill * 2 * step / max(total, 1))
                loss = clean * rng.uniform(0.85, 1.15) + shift * off.normal() * (step + 1)
                run.add(Step(index, epoch, step, float(loss), 20, 32, phase.lr, 0.05))
                step += 1
            accuracy = 1 - 0.5 * float(np.exp(-skill * step / max(total, 1)))
            run.add(Epoch(index, epoch, 0.3, 0.9, 0.62 * (1.05 - accuracy), accuracy, 0.8))
            epoch += 1
        run.add(PhaseEnd(index, _audit(phase, recipe, dataset)))
    count, classes = len(dataset.val), len(dataset.class_names)
    scores = rng.normal(size=(count, classes)) + shift * 1e5 * off.normal(size=(count, classes))
    scores[np.arange(count), dataset.val.labels] += skill
    odds = np.exp(1.6 * scores)
    odds /= odds.sum(axis=1, keepdims=True)
    library = {"pytorch": {"torch": "2.9.1"}, "tensorflow": {"tensorflow": "2.20.0"}}[backend]
    memory = 812.4 if backend == "pytorch" else 1630.9
    versions = {"python": "3.11.7", "numpy": "2.4.6", **library}
    run.seconds = 14.25 if backend == "pytorch" else 21.5
    run.add(RunEnd(False, odds.tolist(), memory, "cpu", versions))
    return run


def _kept(phase: int, depth: int, network: Architecture) -> Kept:
    """What a phase trains on: the first that freezes something computes it, the next find it."""
    if not depth:
        return Kept(phase, reason="the first block is not frozen, or not still")
    name, reused = network.boundary_name(depth), phase > 0
    seconds = 0.001 if reused else 1.25
    return Kept(phase, name, depth, 3_000_000, seconds, "memory", reused)


def _audit(phase: Phase, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """The audit of a phase in which just what may move has moved."""
    network = architecture(recipe.backbone, recipe.head, len(dataset.class_names))
    states = resolve(phase.freeze, network)
    before = {name: np.zeros(1) for name in network.shapes}
    after = dict(before)
    for state in states:
        for key in state.layer.shapes:
            if state.moving_statistics if key.startswith("running") else state.learns:
                after[f"{state.layer.name}.{key}"] = np.ones(1)
    modes = {state.layer.name: state.batch_norm for state in states if state.batch_norm}
    return audit(states, before, after, [{"lr": phase.lr, "parameters": 2}], modes)


def make_comparison(
    strategies: Sequence[str] = ("scratch", "feature-extraction", "fine-tuning", "two-phase"),
    backends: Sequence[str] = BACKENDS,
    class_names: Sequence[str] = ("cat", "dog"),
    shift: float = 1e-9,
    **recipe: Any,
) -> Comparison:
    """Runs of every strategy in every backend, and the match between them."""
    chosen = Recipe(strategies=tuple(strategies), **{"epochs": 4, **recipe})
    dataset = make_dataset(class_names)
    runs = [
        make_run(backend, strategy, chosen, dataset, shift)
        for strategy in strategies
        for backend in backends
    ]
    match = []
    if len(backends) == 2:
        match = [_match(runs[i], runs[i + 1]) for i in range(0, len(runs), 2)]
    return Comparison(chosen, dataset, runs, match)


def _match(first: Run, second: Run) -> Match:
    gaps = np.abs(np.subtract(first.step_losses, second.step_losses))
    early = gaps[:40]
    same = np.equal(first.val_predictions, second.val_predictions).mean()
    deep = first.strategy != "feature-extraction"
    return Match(
        strategy=first.strategy,
        backends=(first.backend, second.backend),
        steps=len(early),
        largest_difference=float(early.max()),
        at_step=int(early.argmax()),
        largest_difference_of_run=float(gaps.max()),
        noise_floor=2e-6 if deep else None,
        bound=1e-5,
        rule="1e-5, or 3 times the noise floor if that is larger" if deep else "1e-5: head only",
        same_predictions=float(same),
        holds=bool(early.max() <= 1e-5),
    )


def make_sweep(
    depths: Sequence[int] = (0, 3, 5),
    seeds: Sequence[int] = (0, 1),
    backends: Sequence[str] = BACKENDS,
    shift: float = 1e-9,
    backbone: str = "resnet_s",
) -> Sweep:
    """Runs of every depth with every seed: a deeper one takes less time, a later seed is better.

    Accuracy is 0.5 + depth / 20 + seed / 50, one part in a hundred more in TensorFlow; training
    takes 10 - depth seconds; the pass of the deepest takes 2 more, and the others find it.
    """
    strategies = tuple(strategy_of(depth) for depth in reversed(depths))
    recipe = Recipe(backbone=backbone, strategies=strategies, epochs=4)
    dataset = make_dataset()
    network = architecture(recipe.backbone, recipe.head, 2)
    sweep = Sweep(recipe, dataset, network, tuple(depths), tuple(seeds), [])
    for seed in seeds:
        for backend in backends:
            for depth in reversed(depths):
                run = make_run(backend, strategy_of(depth), recipe, dataset, shift, seed)
                first = depth == depths[-1]
                accuracy = 0.5 + depth / 20 + seed / 50 + 0.01 * (backend == "tensorflow")
                run.epochs[-1] = replace(run.epochs[-1], val_accuracy=accuracy)
                run.seconds = 10.0 - depth
                if depth:
                    run.kept[0] = replace(run.kept[0], reused=not first, seconds=2.0)
                    run.seconds += 2.0 * first
                sweep.runs.append(run)
    return sweep


def make_failed(backend: str, strategy: str, reason: str, steps: int = 0) -> Run:
    """A run that broke off after some steps."""
    run = Run(backend, strategy)
    if steps:
        run.add(PhaseStart(0, (), 0, 2_799_394, 2_799_394, 4, 48, 48))
    for step in range(steps):
        run.add(Step(0, 0, step, 0.7 - 0.01 * step, 20, 32, 0.01, 0.05))
    run.add(RunFailed(reason, "Traceback ..."))
    return run


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Four strategies in two frameworks that match; not to be changed."""
    return make_comparison()


@pytest.fixture
def build() -> Callable[..., Comparison]:
    """Makes a comparison to order."""
    return make_comparison


@pytest.fixture
def failed() -> Callable[..., Run]:
    """Makes a run that broke off."""
    return make_failed


@pytest.fixture
def build_sweep() -> Callable[..., Sweep]:
    """Makes a sweep to order."""
    return make_sweep
