"""How fast each framework is on this machine, measured once in a process."""

from __future__ import annotations

from dataclasses import replace

from ftkit.engine.compare import Experiment
from ftkit.engine.estimate import Speed, speed_of, work_of
from ftkit.engine.sweep import strategy_of
from ftkit.history import Run
from ftkit.report import formats
from ftkit.widgets.background import Background

STEPS = 4
"""Of the run in which everything learns."""
Key = tuple[str, str, int, int, str, str]
_KNOWN: dict[Key, Speed] = {}


def known(experiment: Experiment) -> dict[str, Speed]:
    """The speed of each framework in which such an experiment has been measured."""
    found = {name: _KNOWN.get(_key(experiment, name)) for name in experiment.backends}
    return {name: speed for name, speed in found.items() if speed is not None}


def measure(experiment: Experiment, background: Background) -> str:
    """Three short runs in all frameworks at once, as a lab trains.

    Where the recipe does not augment they also leave what is frozen computed, at every depth that
    the experiment names.

    Args:
        experiment: Its recipe names a strategy for each freeze depth.
        background: Runs them, once the workers are free.

    Returns:
        Why a framework's speed could not be measured; empty if each one's was.
    """
    # What differs between two of the runs must be what is computed once, or what learns.
    plain = replace(experiment.recipe, augment="none", views=None, frozen_batch_norm="inference")
    experiment = experiment.changed(replace(plain, epochs=2))
    uncached = experiment.changed(experiment.recipe)
    uncached.cache = False
    network, dataset, recipe = experiment.architecture, experiment.dataset, experiment.recipe
    pictures = (len(dataset.train), len(dataset.val))
    runs: list[dict[str, Run]] = []
    works = []
    deepest = len(network.blocks)
    tried = ((experiment, deepest, None), (experiment, 0, STEPS), (uncached, deepest, STEPS))
    for one, depth, steps in tried:
        strategy = strategy_of(depth)
        done = background.train(one, strategy, max_steps=steps)
        runs.append({run.backend: run for run in done})
        (phase,) = recipe.phases_of(strategy, network)
        sizes = (network, dataset.image_size, recipe.batch_size)
        works.append(work_of(phase, *sizes, *pictures, views=1 if one.cache else 0))
    failed = {}
    for backend in experiment.backends:
        own = [found[backend] for found in runs if backend in found]
        speed = None
        if len(own) == 3:
            speed = speed_of(own[0], own[1], own[2], *works)
        if speed is not None:
            _KNOWN[_key(experiment, backend)] = speed
        else:
            broken = [run.error for run in own if run.status == "failed"]
            failed[backend] = broken[0] if broken else "its short runs made too few steps"
    return "; ".join(f"{formats.framework(name)}: {why}" for name, why in failed.items())


def _key(experiment: Experiment, backend: str) -> Key:
    recipe, size = experiment.recipe, experiment.dataset.image_size
    machine = (recipe.precision, recipe.device)
    return (backend, recipe.backbone, size, recipe.batch_size, *machine)
