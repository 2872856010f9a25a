"""Runs a recipe in each framework from the same start, and holds the runs against each other."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ftkit.architecture import Architecture
from ftkit.backbones.catalogue import architecture, backbone
from ftkit.backbones.weights import (
    Source,
    Tensors,
    backbone_tensors,
    locate,
    move_by_one_unit,
    with_head,
)
from ftkit.data import Dataset, load, store
from ftkit.data.batches import smallest_batch
from ftkit.engine.comparison import Comparison, Match, computed_in
from ftkit.engine.session import Session, Worker
from ftkit.engine.temporary import folder_within
from ftkit.environments import BACKENDS, check_backends
from ftkit.errors import FtkitError, unknown_name
from ftkit.freezing import check_batch_norm, frozen_at_depth, resolve, still_depth
from ftkit.history import Event, Run, RunFailed
from ftkit.recipe import Recipe
from ftkit.writing import writable_folder

COMPARED_STEPS = 40
FP64_BOUND = 1e-9
FP32_BOUND = 1e-5
NOISE_FACTOR = 3
NOISE_RUNS = 8
SAME_PREDICTIONS = 0.99
PATIENCE_SECONDS = 10.0
KEPT_BYTES = 256 * 2**20  # of weights, between the runs that start from them

OnEvent = Callable[[Run, Event], None]


class Experiment:
    """A recipe with everything that it needs, checked before any framework starts.

    Args:
        recipe: What to run.
        backends: Where.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory; None takes a quarter of what is free.
        dataset: The pictures, if they have been read already.
        repeated: Whether other experiments follow with the same pictures and weights: what is
            computed once then pays in a single epoch too.

    Attributes:
        recipe: The recipe.
        dataset: The pictures.
        architecture: The network.
        backends: Where it is to run.
        sources: Where each strategy's weights come from, by strategy and backend.

    Raises:
        FtkitError: If the recipe names something that does not exist or does not fit.
    """

    def __init__(
        self,
        recipe: Recipe,
        backends: Sequence[str] = BACKENDS,
        cache: bool = True,
        cache_memory: int | None = None,
        dataset: Dataset | None = None,
        repeated: bool = False,
    ) -> None:
        self.recipe = recipe
        self.repeated = repeated
        self.backends = tuple(backends)
        self.cache = cache
        self.cache_memory = cache_memory
        size = recipe.image_size or backbone(recipe.backbone).image_size
        self._stored: dict[Path, Path] = {}  # by session's folder, where the pictures are
        draft = architecture(recipe.backbone, recipe.head, 1)
        if recipe.freeze_depth is not None:
            frozen_at_depth(draft, recipe.freeze_depth)
        for strategy in recipe.strategies:  # what is wrong shows before pictures are loaded
            for phase in recipe.phases_of(strategy, draft):
                resolve(phase.freeze, draft)
                for block in phase.block_rates:
                    if block not in (*draft.blocks, draft.head_block):
                        raise unknown_name("block", block, (*draft.blocks, draft.head_block))
        draft.sizes(size)
        self._read: tuple[Source, Tensors] | None = None  # the last, unless it is large
        self.sources: dict[tuple[str, str], Source] = {}
        found: dict[tuple[str, str], Source] = {}
        for strategy in recipe.strategies:
            for backend in self.backends:
                weights = recipe.weights_of(strategy)
                if (weights, backend) not in found:
                    found[weights, backend] = locate(recipe.backbone, weights, backend)
                self.sources[strategy, backend] = found[weights, backend]
        for source in dict.fromkeys(self.sources.values()):
            if source.weights != "random":
                self._backbone(source)  # whether it fits shows before pictures are loaded
        self.dataset: Dataset = dataset or load(recipe.data, size, recipe.seed, recipe.train_size)
        classes = len(self.dataset.class_names)
        self.architecture: Architecture = architecture(recipe.backbone, recipe.head, classes)
        smallest = smallest_batch(len(self.dataset.train), recipe.batch_size)
        for strategy in recipe.strategies:
            networks = [self.network(strategy, backend) for backend in self.backends]
            for network in {item.keras_layers: item for item in networks}.values():
                for phase in recipe.phases_of(strategy, network):
                    states = resolve(phase.freeze, network)
                    check_batch_norm(states, network, smallest, size)

    def changed(self, recipe: Recipe, repeated: bool = False) -> Experiment:
        """An experiment on the same pictures with another recipe, which may differ in all else.

        Args:
            recipe: The recipe.
            repeated: Whether yet others follow.

        Raises:
            FtkitError: If the recipe names something that does not exist or does not fit.
        """
        made = Experiment(
            recipe, self.backends, self.cache, self.cache_memory, self.dataset, repeated
        )
        made._stored = self._stored
        return made

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to tell about the weights."""
        return tuple(dict.fromkeys(item.note for item in self.sources.values() if item.note))

    def native(self, strategy: str) -> bool:
        """Whether the frameworks run networks, and start from weights, of their own."""
        return len({self.sources[strategy, backend] for backend in self.backends}) > 1

    def network(self, strategy: str, backend: str) -> Architecture:
        """The network that a strategy trains in a framework: Keras's own, where it asks for it."""
        zoo = self.sources[strategy, backend].zoo
        if zoo == "torchvision":
            return self.architecture
        made = self.architecture
        return architecture(made.name, made.head, made.classes, zoo)

    def initial(self, strategy: str, backend: str) -> Tensors:
        """What a strategy starts from in a framework: the same in both, unless switched on."""
        glorot = backend == "tensorflow" and "head-init" in self.recipe.differences
        backbone = self._backbone(self.sources[strategy, backend])
        return with_head(backbone, self.network(strategy, backend), self.recipe.seed, glorot)

    def _backbone(self, source: Source) -> Tensors:
        if self._read is None or self._read[0] != source:
            self._read = None  # before the next is read
            network = architecture(self.recipe.backbone, self.recipe.head, 1, source.zoo)
            tensors = backbone_tensors(network, source, self.recipe.seed)
            if sum(value.nbytes for value in tensors.values()) > KEPT_BYTES:
                return tensors
            self._read = (source, tensors)
        return self._read[1]

    def head_only(self, strategy: str) -> bool:
        """Whether nothing but the head moves in any phase of a strategy."""
        head = self.architecture.head_block
        return not any(
            (state.learns or state.moving_statistics) and state.layer.block != head
            for phase in self.recipe.phases_of(strategy, self.architecture)
            for state in resolve(phase.freeze, self.architecture)
        )

    def depths(self, strategy: str, backend: str) -> list[int]:
        """Where the other runs that start from the same weights are frozen up to."""
        source = self.sources[strategy, backend]
        found: set[int] = set()
        for other in self.recipe.strategies:
            if (self.repeated or other != strategy) and self.sources[other, backend] == source:
                network = self.network(other, backend)
                phases = self.recipe.phases_of(other, network)
                found.update(still_depth(resolve(item.freeze, network), network) for item in phases)
        return sorted(found)

    def clear(self) -> None:
        """Removes the pictures that were stored for workers."""
        for folder in self._stored.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._stored.clear()

    def job(
        self,
        folder: Path,
        strategy: str,
        backend: str,
        tensors: Mapping[str, NDArray[Any]] | None = None,
        max_steps: int | None = None,
        export: Path | None = None,
    ) -> dict[str, Any]:
        """What a worker needs to know; the weights are written into the session's folder.

        Args:
            folder: The session's folder.
            strategy: Which strategy.
            backend: Where it will run.
            tensors: What it starts from; None takes :meth:`initial`.
            max_steps: End after so many steps.
            export: Where to write the final weights.
        """
        if folder not in self._stored:
            nbytes = self.dataset.train.images.nbytes + self.dataset.val.images.nbytes
            self._stored[folder] = folder_within(folder, nbytes)
            store.save(self.dataset, self._stored[folder])
        start = folder / f"start-{backend}.safetensors"  # both may run at once
        given = self.initial(strategy, backend) if tensors is None else tensors
        save_file(dict(given), start)
        return {
            "recipe": self.recipe.to_dict(),
            "strategy": strategy,
            "zoo": self.sources[strategy, backend].zoo,
            "dataset": str(self._stored[folder]),
            "tensors": str(start),
            "max_steps": max_steps,
            "export": None if export is None else str(export),
            "cache": self.cache,
            "cache_memory": self.cache_memory,
            # Other weights are nobody's but this run's.
            "depths": self.depths(strategy, backend) if tensors is None else [],
        }


def follow(
    worker: Worker, job: dict[str, Any], run: Run
) -> Generator[tuple[Run, Event], None, None]:
    """Runs a job, takes its events into the run, and passes them on.

    On Ctrl-C, or if the caller stops listening, the worker is asked to end after its current
    batch, and what it still tells is taken in.
    """
    started: float | None = None

    def take(event: Event) -> None:
        run.add(event)
        if run.end is not None:
            run.weights = job.get("export") or ""

    try:
        for event in worker.run(job):
            started = time.perf_counter() if started is None else started
            take(event)
            run.seconds = time.perf_counter() - started
            yield run, event
    except (KeyboardInterrupt, GeneratorExit):
        try:
            worker.stop()
            for event in worker.rest(PATIENCE_SECONDS):
                take(event)
        finally:
            if run.status == "running":
                run.status = "stopped"
        raise


def weights_file(folder: Path, backend: str, strategy: str) -> Path:
    """Where a run's final weights are written."""
    return folder / f"{backend}-{strategy}.safetensors"


def stream(
    experiment: Experiment,
    session: Session,
    runs: list[Run],
    seed: int | None = None,
    export: Path | None = None,
) -> Generator[tuple[Run, Event], None, None]:
    """Runs every strategy in every backend, one after the other, so that times are honest.

    Args:
        experiment: What to run.
        session: The workers.
        runs: Each run is added here when it begins.
        seed: The recipe's seed, if this is one of several experiments.
        export: A folder for the final weights of each run.

    Yields:
        The run, which has taken in the event, and the event.

    Raises:
        FtkitError: If a backend lacks the device that the recipe asks for.
    """
    wanted = experiment.recipe.device
    for backend in session.backends:
        found = session.worker(backend).devices()
        if wanted == "gpu" and found and "gpu" not in found:
            raise FtkitError(
                f"Expected a GPU that {backend} can use; it sees none. Use --device cpu."
            )
    for backend in session.backends:
        for strategy in experiment.recipe.strategies:
            run = Run(backend, strategy, seed)
            runs.append(run)
            file = weights_file(export, backend, strategy) if export else None
            job = experiment.job(session.folder, strategy, backend, export=file)
            yield from follow(session.worker(backend), job, run)
        if not experiment.repeated:  # else the next finds there what they have in common
            session.relieve(backend)


def compare(
    recipe: Recipe,
    backends: Sequence[str] = BACKENDS,
    on_event: OnEvent | None = None,
    cache: bool = True,
    cache_memory: int | None = None,
    export: Path | None = None,
) -> Comparison:
    """Runs a recipe in each backend and says whether the frameworks match.

    Ctrl-C ends it early: the comparison then holds what there is, its last run ``stopped``.

    Args:
        recipe: What to run.
        backends: Where.
        on_event: Called with each run and event as they happen; also with the short runs that
            measure the noise floor, whose strategy says so.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory; None takes a quarter of what is free.
        export: A folder for the final weights of each run.

    Raises:
        FtkitError: If the recipe or a backend cannot be used, or the folder cannot be written.
    """
    check_backends(backends)
    folder = writable_folder(export).absolute() if export else None
    experiment = Experiment(recipe, backends, cache, cache_memory)
    runs: list[Run] = []
    matches: list[Match] = []
    interrupted = False
    with Session(backends) as session:
        try:
            with closing(stream(experiment, session, runs, export=folder)) as events:
                for run, event in events:
                    if on_event:
                        on_event(run, event)
            if len(session.backends) == 2:
                for strategy in recipe.strategies:
                    match = match_runs(experiment, session, strategy, runs, on_event)
                    matches += [match] if match else []
        except KeyboardInterrupt:
            interrupted = True
    return Comparison(
        experiment.recipe, experiment.dataset, runs, matches, interrupted, experiment.notes
    )


def match_runs(
    experiment: Experiment,
    session: Session,
    strategy: str,
    runs: list[Run],
    on_event: OnEvent | None = None,
) -> Match | None:
    """Holds the two runs of a strategy against each other and against the contract.

    The contract (the largest difference of the loss at any of the first 40 steps, on a CPU):
    1e-9 in float64; in float32 1e-5 if only the head learns, else the larger of 1e-5 and three
    times the noise floor. A two-phase run at its default rates must also give 99% of the
    validation pictures the same label.

    Returns:
        None if either run made no step.
    """
    first, second = (
        next(run for run in runs if (run.backend, run.strategy) == (backend, strategy))
        for backend in session.backends
    )
    shared = min(len(first.steps), len(second.steps))
    if not shared:
        return None
    recipe = experiment.recipe
    steps = min(shared, COMPARED_STEPS)
    differences = loss_differences(first, second, shared)
    largest = float(differences[:steps].max())
    precision = computed_in(recipe, (first, second))
    ended = all(run.end is not None and run.end.device == "cpu" for run in (first, second))
    judged = ended and not recipe.differences and not experiment.native(strategy)
    floor: float | None = None
    if precision == "bf16":
        bound, rule, judged = math.inf, "the contract is about fp32 and fp64", False
    elif precision == "fp64":
        bound, rule = FP64_BOUND, "float64"
    elif experiment.head_only(strategy):
        bound, rule = FP32_BOUND, "float32, head only"
    else:
        if judged:
            floor = noise_floor(experiment, session, first, steps, largest, on_event)
        bound = max(FP32_BOUND, NOISE_FACTOR * (floor or 0.0))
        rule = f"float32: {NOISE_FACTOR} x the noise floor, at least {FP32_BOUND:g}"
    if judged and floor is None and largest > bound:  # no excuse, but perhaps an explanation
        floor = noise_floor(experiment, session, first, steps, largest, on_event)
    same = _same_predictions(first, second)
    holds: bool | None = largest <= bound
    if strategy == "two-phase" and precision == "fp32" and _default_rates(recipe):
        rule += f", and {SAME_PREDICTIONS:.0%} of the predictions the same"
        holds = holds and same is not None and same >= SAME_PREDICTIONS
    if not judged or math.isinf(bound):
        holds = None
    return Match(
        strategy=strategy,
        backends=(first.backend, second.backend),
        steps=steps,
        largest_difference=largest,
        at_step=int(differences[:steps].argmax()),
        largest_difference_of_run=float(differences.max()),
        noise_floor=floor,
        bound=bound,
        rule=rule,
        same_predictions=same,
        holds=holds,
    )


def noise_floor(
    experiment: Experiment,
    session: Session,
    run: Run,
    steps: int,
    parted: float,
    on_event: OnEvent | None = None,
) -> float:
    """How far a run parts from itself when each initial weight moves by one unit in the last place.

    One such run says little. Runs part in jumps: a unit of a ReLU or the sign of a tiny gradient
    under Adam turns over, or does not, and the same recipe parts by 2e-5 with one choice of
    directions and by 1e-2 with another. So the floor is the largest of up to
    :data:`NOISE_RUNS` runs with other directions; once it explains what is to be explained, the
    rest is not needed.

    Args:
        experiment: What was run.
        session: The workers.
        run: The run to repeat.
        steps: How many of its steps.
        parted: The difference between the frameworks that is to be explained.
        on_event: Called with each run and event as they happen.

    Returns:
        The largest difference of the loss at any of the steps; infinity if a run broke off.
    """
    start = experiment.initial(run.strategy, run.backend)
    floor = 0.0
    precision = computed_in(experiment.recipe, (run,))
    least = FP32_BOUND if precision == "fp32" else 0.0
    for seed in range(NOISE_RUNS):
        moved = move_by_one_unit(start, precision, seed)
        again = Run(run.backend, f"{run.strategy}, noise floor")
        job = experiment.job(session.folder, run.strategy, run.backend, moved, max_steps=steps)
        for _, event in follow(session.worker(run.backend), job, again):
            if on_event:
                on_event(again, event)
            if isinstance(event, RunFailed):
                return math.inf
        session.relieve(run.backend)
        floor = max(floor, float(loss_differences(run, again, steps).max()))
        if parted <= max(NOISE_FACTOR * floor, least):
            break
    return floor


def loss_differences(first: Run, second: Run, steps: int) -> NDArray[np.float64]:
    """Absolute differences of the losses; infinite where just one of two is not a number.

    Args:
        first: A run.
        second: Another.
        steps: How many of their steps, from the first.

    Returns:
        float64, shape ``(steps,)``.
    """
    one = np.asarray(first.step_losses[:steps])
    other = np.asarray(second.step_losses[:steps])
    both = ~np.isfinite(one) & ~np.isfinite(other)
    with np.errstate(invalid="ignore"):  # inf - inf
        return np.where(both, 0.0, np.nan_to_num(np.abs(one - other), nan=np.inf, posinf=np.inf))


def _same_predictions(first: Run, second: Run) -> float | None:
    if not first.val_predictions or len(first.val_predictions) != len(second.val_predictions):
        return None
    return float(np.mean(np.equal(first.val_predictions, second.val_predictions)))


def _default_rates(recipe: Recipe) -> bool:
    """Whether the learning rates are the optimiser's own, as a recipe has them by default."""
    own = Recipe()
    return (recipe.lr, recipe.fine_tune_rate, recipe.schedule, recipe.momentum) == (
        own.lr,
        own.fine_tune_rate,
        own.schedule,
        own.momentum,
    )
