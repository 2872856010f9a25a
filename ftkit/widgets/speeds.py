"""How fast each framework is on this machine, measured once in a process."""

from __future__ import annotations

from dataclasses import replace

from ftkit.engine.compare import Experiment
from ftkit.engine.estimate import Speed, speed_of, work_of
from ftkit.engine.sweep import strategy_of
from ftkit.widgets.background import Background

STEPS = 4
"""Of the run in which everything learns."""
_KNOWN: dict[tuple[str, str, int, int], Speed] = {}


def known(experiment: Experiment) -> dict[str, Speed]:
    """The speed of each framework in which such an experiment has been measured."""
    found = {name: _KNOWN.get(_key(experiment, name)) for name in experiment.backends}
    return {name: speed for name, speed in found.items() if speed is not None}


def measure(experiment: Experiment, background: Background) -> None:
    """Three short runs in all frameworks at once, as a lab trains.

    They also leave what is frozen computed, at every depth that the experiment names.

    Args:
        experiment: Its recipe names a strategy for each freeze depth.
        background: Runs them, once the workers are free.
    """
    experiment = experiment.changed(replace(experiment.recipe, epochs=2, precision="fp32"))
    uncached = experiment.changed(experiment.recipe)
    uncached.cache = False
    network, dataset, recipe = experiment.architecture, experiment.dataset, experiment.recipe
    pictures = (len(dataset.train), len(dataset.val))
    runs, works = [], []
    deepest = len(network.blocks)
    for one, depth, steps in ((experiment, deepest, None), (experiment, 0, STEPS),
                              (uncached, deepest, STEPS)):  # fmt: skip
        strategy = strategy_of(depth)
        done = background.train(one, strategy, max_steps=steps)
        runs.append({run.backend: run for run in done})
        (phase,) = recipe.phases_of(strategy, network)
        sizes = (network, dataset.image_size, recipe.batch_size)
        works.append(work_of(phase, *sizes, *pictures, one.cache))
    for backend in experiment.backends:
        if all(backend in found for found in runs):
            head, whole, bare = (found[backend] for found in runs)
            speed = speed_of(head, whole, bare, *works)
            if speed is not None:
                _KNOWN[_key(experiment, backend)] = speed


def _key(experiment: Experiment, backend: str) -> tuple[str, str, int, int]:
    recipe = experiment.recipe
    return (backend, recipe.backbone, experiment.dataset.image_size, recipe.batch_size)
