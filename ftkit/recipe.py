"""A fine-tuning experiment as data: everything that decides its result, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftkit.architecture import Architecture, Head
from ftkit.differences import SWITCHES
from ftkit.errors import FtkitError, unknown_name
from ftkit.freezing import POLICIES, BatchNormPolicy, FreezePlan, frozen_at_depth

STRATEGIES = ("scratch", "feature-extraction", "fine-tuning", "two-phase")
OPTIMIZERS = {"sgd": 1e-2, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3}
_DEPTH = re.compile(r"depth-[0-9]{1,3}")
SCHEDULES = ("constant", "linear", "cosine")
AUGMENTATIONS = ("none", "flip", "flip-crop")
PRECISIONS = ("fp32", "fp64", "bf16", "auto")
DEVICES = ("auto", "cpu", "gpu")
SMALLEST_IMAGE = 32
LARGEST_IMAGE = 1024  # a batch of larger ones fits in no laptop


@dataclass(frozen=True)
class Phase:
    """One stretch of training under one freeze plan.

    Attributes:
        epochs: Passes over the training pictures.
        freeze: What stays as it is.
        lr: Learning rate at the start of the phase.
        schedule: ``"constant"``; ``"linear"`` and ``"cosine"`` fall to 0 at the phase's end.
        block_rates: Factors on the learning rate by block name; 1 where none is given.
    """

    epochs: int
    freeze: FreezePlan
    lr: float
    schedule: str = "constant"
    block_rates: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _at_least("Phase.epochs", self.epochs, 1)
        _of_kind("Phase.freeze", self.freeze, FreezePlan)
        _positive("Phase.lr", self.lr)
        _one_of("schedule", self.schedule, SCHEDULES)
        _of_kind("Phase.block_rates", self.block_rates, Mapping)
        for block, rate in self.block_rates.items():
            _of_kind("A name in Phase.block_rates", block, str)
            _positive(f"Phase.block_rates[{block!r}]", rate)
        object.__setattr__(self, "block_rates", dict(self.block_rates))

    def rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of each of the phase's ``steps`` steps, float64.

        ``linear``: lr (1 - t/T). ``cosine``: lr (1 + cos(pi t/T)) / 2 (Loshchilov and Hutter
        2016, arXiv:1608.03983, without restarts). t counts from 0.
        """
        done = np.arange(steps) / max(steps, 1)
        if self.schedule == "linear":
            return self.lr * (1 - done)
        if self.schedule == "cosine":
            return self.lr * (1 + np.cos(np.pi * done)) / 2
        return np.full(steps, self.lr)


@dataclass(frozen=True)
class Recipe:
    """One experiment; the same recipe means the same experiment in every framework.

    Attributes:
        data: A name (see ``ftkit.data.NAMES``) or a folder with one sub-folder per class.
        train_size: Training pictures to use, chosen by seed with the classes' shares kept; None
            uses all.
        image_size: Pixels on a side; None takes the backbone's own.
        backbone: A name (see ``ftkit.backbones.catalogue.BACKBONES``).
        weights: ``"bundled"``; ``"imagenet"`` or ``"imagenet-v2"`` (torchvision's, in both
            frameworks); ``"native"`` (each framework's own zoo, network and input scaling);
            ``"random"``; or a file: ``.safetensors``, ``.pth``, ``.pt``, ``.keras``,
            ``.weights.h5``.
        head: What replaces the pretrained classifier.
        strategies: Which of :data:`STRATEGIES` to run; or ``"depth-2"``: fine-tuning with the
            first two blocks frozen, and so on.
        phases: A schedule of one's own, run as the one strategy ``"custom"``.
        freeze_depth: Blocks that ``fine-tuning`` (default 0), and ``two-phase`` in its second
            phase (default all but the last block), keep frozen.
        epochs: Passes over the training pictures; ``two-phase`` gives the first half of them,
            rounded down but at least one, to the head alone.
        batch_size: Pictures per step. The last batch of an epoch may be smaller.
        optimizer: ``"sgd"``, ``"adam"``, ``"adamw"`` or ``"rmsprop"``.
        lr: Learning rate; None takes the optimiser's own from :data:`OPTIMIZERS`.
        fine_tune_rate: ``two-phase`` multiplies ``lr`` by this in its second phase.
        momentum: Of SGD.
        weight_decay: L2 in the gradient (sgd, adam, rmsprop), decoupled (adamw).
        schedule: How the learning rate runs within each phase.
        label_smoothing: Share of the target spread evenly over the classes, 0..1.
        batch_norm: Policy of batch norm that is not frozen. ``"auto"``: ``"train"`` from random
            weights, ``"inference"`` from pretrained ones.
        frozen_batch_norm: Policy of batch norm that is frozen.
        augment: ``"none"``, ``"flip"`` or ``"flip-crop"``; training pictures only.
        views: With ``"flip-crop"``, how many fixed versions of each picture there are; they take
            turns, one an epoch, and what is frozen can be computed on them once. None draws new
            ones in every epoch.
        seed: Decides the subset, the random weights, the batches and the augmentation.
        precision: ``"fp32"`` or ``"fp64"``; ``"bf16"`` computes convolutions and matrix products
            in bfloat16, ``"auto"`` does where the device has it. Only the first two are compared.
        device: ``"auto"`` (a GPU if the framework sees one), ``"cpu"`` or ``"gpu"``.
        differences: Framework differences to switch on, by name (see ``ftkit.differences``).
    """

    data: str = "drawn-pets"
    train_size: int | None = None
    image_size: int | None = None
    backbone: str = "resnet_s"
    weights: str = "bundled"
    head: Head = field(default_factory=Head)
    strategies: tuple[str, ...] = STRATEGIES
    phases: tuple[Phase, ...] = ()
    freeze_depth: int | None = None
    epochs: int = 5
    batch_size: int = 32
    optimizer: str = "adamw"
    lr: float | None = None
    fine_tune_rate: float = 0.3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "cosine"
    label_smoothing: float = 0.0
    batch_norm: str = "auto"
    frozen_batch_norm: BatchNormPolicy = "inference"
    augment: str = "none"
    views: int | None = None
    seed: int = 0
    precision: str = "fp32"
    device: str = "auto"
    differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Lists are welcome where tuples are kept, so that JSON and notebooks read naturally.
        for name in ("strategies", "phases", "differences"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise FtkitError(f"{name} must be a list; got {given!r} alone.")
            once = given if name == "phases" else dict.fromkeys(map(str, given))
            object.__setattr__(self, name, tuple(once))
        for name in ("data", "weights", "backbone"):
            value = getattr(self, name)
            if not isinstance(value, (str, Path)) or not value:
                raise FtkitError(f"{name} must be a name or a path; got {value!r}.")
            object.__setattr__(self, name, str(value))
        _of_kind("head", self.head, Head)
        for index, phase in enumerate(self.phases):
            _of_kind(f"phases[{index}]", phase, Phase)
        if self.phases and self.strategies == STRATEGIES:
            object.__setattr__(self, "strategies", ("custom",))
        known = ("custom",) if self.phases else STRATEGIES
        if not self.strategies:
            raise FtkitError(f"Expected at least one strategy of: {', '.join(known)}; got none.")
        for strategy in self.strategies:
            if strategy not in known and (self.phases or not _DEPTH.fullmatch(strategy)):
                raise unknown_name(
                    "strategy", strategy, known if self.phases else (*known, "depth-N")
                )
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("batch-norm policy", self.batch_norm, ("auto", *POLICIES))
        _one_of("batch-norm policy", self.frozen_batch_norm, POLICIES)
        _one_of("augmentation", self.augment, AUGMENTATIONS)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("device", self.device, DEVICES)
        for difference in self.differences:
            _one_of("difference", difference, SWITCHES)
        _at_least("epochs", self.epochs, 1)
        _at_least("batch_size", self.batch_size, 1)
        _at_least("seed", self.seed, 0)
        _at_least("head.hidden", self.head.hidden, 0)
        for name, size, least in (
            ("image_size", self.image_size, SMALLEST_IMAGE),
            ("train_size", self.train_size, 1),
            ("freeze_depth", self.freeze_depth, 0),
            ("views", self.views, 1),
        ):
            if size is not None:
                _at_least(name, size, least)
        if self.image_size is not None and self.image_size > LARGEST_IMAGE:
            raise FtkitError(
                f"image_size must be at most {LARGEST_IMAGE} pixels; got {self.image_size}."
            )
        if self.views is not None and self.augment != "flip-crop":
            raise FtkitError(
                "views are the fixed versions of each picture that --augment flip-crop makes; got "
                f"views={self.views} with augment={self.augment!r}. Leave views out."
            )
        if self.lr is not None:
            _positive("lr", self.lr)
        _positive("fine_tune_rate", self.fine_tune_rate)
        for name, value in (
            ("momentum", self.momentum),
            ("label_smoothing", self.label_smoothing),
            ("head.dropout", self.head.dropout),
        ):
            if not _is_number(value) or not 0 <= value < 1:
                raise FtkitError(f"{name} must lie in 0 <= {name} < 1; got {value!r}.")
        if not _is_number(self.weight_decay) or not 0 <= self.weight_decay < float("inf"):
            raise FtkitError(f"weight_decay must be 0 or more; got {self.weight_decay!r}.")

    @property
    def learning_rate(self) -> float:
        """The learning rate: the recipe's, or the optimiser's own."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    def weights_of(self, strategy: str) -> str:
        """Where a strategy's backbone weights come from: ``scratch`` always starts at random."""
        return "random" if strategy == "scratch" else self.weights

    def phases_of(self, strategy: str, architecture: Architecture) -> tuple[Phase, ...]:
        """What a strategy trains, phase by phase.

        Raises:
            FtkitError: If ``freeze_depth`` is more than the backbone's blocks.
        """
        if strategy == "custom":
            return self.phases
        blocks = len(architecture.blocks)
        own_depth = {"scratch": 0, "feature-extraction": blocks}
        if _DEPTH.fullmatch(strategy):
            own_depth[strategy] = int(strategy.removeprefix("depth-"))
        tuned = self.freeze_depth if self.freeze_depth is not None else 0
        if strategy != "two-phase":
            depth = own_depth.get(strategy, tuned)
            return (self._phase(strategy, architecture, depth, self.epochs, self.learning_rate),)
        tuned = self.freeze_depth if self.freeze_depth is not None else blocks - 1
        first = max(1, self.epochs // 2)
        second = max(1, self.epochs - first)
        lower = self.learning_rate * self.fine_tune_rate
        return (
            self._phase(strategy, architecture, blocks, first, self.learning_rate),
            self._phase(strategy, architecture, tuned, second, lower),
        )

    def _phase(
        self, strategy: str, architecture: Architecture, depth: int, epochs: int, lr: float
    ) -> Phase:
        policy = self.batch_norm
        if policy == "auto":
            policy = "train" if self.weights_of(strategy) == "random" else "inference"
        plan = FreezePlan(
            frozen_at_depth(architecture, depth),
            batch_norm=policy,  # type: ignore[arg-type]  # checked in __post_init__
            frozen_batch_norm=self.frozen_batch_norm,
        )
        return Phase(epochs, plan, lr, self.schedule)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`to_dict` wrote; what is left out takes its default.

        Raises:
            FtkitError: If a name or a value is not a recipe's.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise unknown_name("recipe entry", name, sorted(known))
        given = dict(values)
        try:
            if "head" in given:
                given["head"] = Head(**given["head"])
            given["phases"] = tuple(
                Phase(**{**phase, "freeze": FreezePlan(**phase["freeze"])})
                for phase in given.get("phases", ())
            )
            return cls(**given)
        except (TypeError, KeyError, AttributeError) as error:
            raise FtkitError(
                f"The recipe has a value of the wrong kind: {error}. "
                "Compare it with the recipe in a summary.json that ftkit wrote."
            ) from error

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """The recipe in a JSON file: a bare one, or the one inside a ``summary.json``.

        Raises:
            FtkitError: If the file cannot be read or holds no recipe.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FtkitError(
                f"Expected a JSON file with a recipe at {path}; {error}. "
                "Give a summary.json that ftkit wrote, or a file with a recipe's entries."
            ) from error
        if isinstance(values, dict) and "runs" in values:
            values = values.get("recipe")
        if not isinstance(values, dict):
            raise FtkitError(f"Expected a JSON object with a recipe's entries in {path}.")
        return cls.from_dict(values)


def _of_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise FtkitError(f"{name} must be a {kind.__name__}; got {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _one_of(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in tuple(known):
        raise unknown_name(kind, str(name), known)


def _at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FtkitError(f"{name} must be a whole number of at least {least}; got {value!r}.")


def _positive(name: str, value: float) -> None:
    if not _is_number(value) or not 0 < value < float("inf"):
        raise FtkitError(f"{name} must be a number above 0; got {value!r}.")
