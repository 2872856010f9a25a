"""Runs a recipe at every freeze depth, with several seeds, and shares what is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ftkit.architecture import Architecture
from ftkit.backbones.catalogue import architecture
from ftkit.data import Dataset, seeded
from ftkit.engine.compare import Experiment, OnEvent, stream
from ftkit.engine.session import Session
from ftkit.environments import BACKENDS, check_backends
from ftkit.errors import FtkitError
from ftkit.freezing import frozen_at_depth
from ftkit.history import Run
from ftkit.recipe import Recipe


@dataclass
class Sweep:
    """What a sweep found.

    Attributes:
        recipe: The recipe, with its first seed.
        dataset: The pictures, as the first seed chose them.
        architecture: The network.
        depths: The freeze depths, ascending.
        seeds: The seeds.
        runs: One record per seed, framework and depth, in the order of running.
        interrupted: Whether it was ended early by Ctrl-C.
        notes: What there is to tell about the weights.
    """

    recipe: Recipe
    dataset: Dataset
    architecture: Architecture
    depths: tuple[int, ...]
    seeds: tuple[int, ...]
    runs: list[Run]
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    def at(self, depth: int, backend: str) -> list[Run]:
        """The runs of a depth in a framework, one for each seed that got there."""
        name = strategy_of(depth)
        return [run for run in self.runs if (run.strategy, run.backend) == (name, backend)]


def strategy_of(depth: int) -> str:
    """What a recipe calls fine-tuning at a freeze depth."""
    return f"depth-{depth}"


def sweep(
    recipe: Recipe,
    seeds: int = 3,
    depths: Sequence[int] | None = None,
    backends: Sequence[str] = BACKENDS,
    on_event: OnEvent | None = None,
    cache: bool = True,
    cache_memory: int | None = None,
) -> Sweep:
    """Fine-tunes at each freeze depth, the deepest first: its pass leaves what the others need.

    Ctrl-C ends it early: the sweep then holds what there is, its last run ``stopped``.

    Args:
        recipe: What to run; its strategies, phases and freeze depth are not used.
        seeds: How many seeds, from the recipe's on.
        depths: Which freeze depths; None takes all, from 0 to the number of blocks.
        backends: Where.
        on_event: Called with each run and event as they happen.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory; None takes a quarter of what is free.

    Raises:
        FtkitError: If the recipe, a depth or a backend cannot be used.
    """
    check_backends(backends)
    if seeds < 1:
        raise FtkitError(f"A sweep needs at least one seed; got {seeds}.")
    draft = architecture(recipe.backbone, recipe.head, 1)
    wanted = sorted(set(range(len(draft.blocks) + 1) if depths is None else depths))
    if not wanted:
        raise FtkitError("A sweep needs at least one freeze depth; got none.")
    for depth in wanted:
        frozen_at_depth(draft, depth)
    strategies = tuple(strategy_of(depth) for depth in reversed(wanted))
    base = replace(recipe, strategies=strategies, phases=(), freeze_depth=None)
    numbers = tuple(range(recipe.seed, recipe.seed + seeds))
    experiment = Experiment(base, backends, cache, cache_memory)
    same = not seeded(base.data, base.train_size)  # pictures for every seed
    experiment.repeated = same and seeds > 1
    found = Sweep(
        base,
        experiment.dataset,
        experiment.architecture,
        tuple(wanted),
        numbers,
        [],
        notes=experiment.notes,
    )
    with Session(backends) as session:
        try:
            for seed in numbers:
                if seed != base.seed:
                    again = replace(base, seed=seed)
                    if same:
                        experiment = experiment.changed(again, repeated=seed != numbers[-1])
                    else:
                        experiment.clear()
                        del experiment  # before the next pictures are read
                        experiment = Experiment(again, backends, cache, cache_memory)
                with closing(stream(experiment, session, found.runs, seed)) as events:
                    for run, event in events:
                        if on_event:
                            on_event(run, event)
        except KeyboardInterrupt:
            found.interrupted = True
    return found
