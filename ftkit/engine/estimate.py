"""What a run will take, told before it starts: seconds on this machine, and memory."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ftkit.architecture import Architecture
from ftkit.data.batches import steps_per_epoch
from ftkit.freezing import LayerState, resolve, still_depth, trainable_parameters
from ftkit.history import Run
from ftkit.recipe import Phase

NUMBER = 4  # bytes of a float32
# Bytes of a weight, and of what a batch's forward pass leaves. What "auto" comes to is told only by
# a run; what is kept of a run in bfloat16 is in float32.
WEIGHT_BYTES = {"fp64": 8}
MAP_BYTES = {"fp64": 8, "bf16": 2}
# Numbers that an optimiser keeps for each weight that learns.
SLOTS = {"sgd": 1, "adam": 2, "adamw": 2, "rmsprop": 1}


@dataclass(frozen=True)
class Work:
    """What a phase computes, in multiply-adds.

    Attributes:
        once: Of the frozen blocks over all pictures, before the first step.
        step: Of a step over one batch: forward through what is not kept, and as much again for
            the gradients of inputs, and of weights, from the first block that learns on.
        judging: Of one look at the validation pictures.
        steps: Steps of an epoch.
        epochs: Epochs.
        share: Share of the operations that is traced or compiled for a step.
    """

    once: float
    step: float
    judging: float
    steps: int
    epochs: int
    share: float


@dataclass(frozen=True)
class Need:
    """What a phase holds beside the framework itself, in bytes.

    Attributes:
        weights: Every weight and running statistic.
        learning: Gradients, and what the optimiser keeps.
        maps: What a batch's forward pass leaves for the backward pass.
        kept: Activations at the frozen boundary.
    """

    weights: int
    learning: int
    maps: int
    kept: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.learning + self.maps + self.kept


@dataclass(frozen=True)
class Speed:
    """How fast a framework computes here.

    Attributes:
        judging: Multiply-adds a second in inference.
        training: Multiply-adds a second in steps.
        step: Seconds of a step beside its arithmetic.
        start: Seconds before the first step of a network that is trained whole.
        start_head: The same where only the head is trained.
    """

    judging: float
    training: float
    step: float
    start: float
    start_head: float

    def seconds(self, work: Work) -> float:
        """What a phase takes."""
        start = self.start_head + (self.start - self.start_head) * work.share
        step = self.step + work.step / self.training
        epoch = work.steps * step + work.judging / self.judging
        return max(0.0, start) + work.once / self.judging + work.epochs * epoch


def work_of(
    phase: Phase,
    network: Architecture,
    image_size: int,
    batch_size: int,
    train: int,
    val: int,
    views: int = 1,
) -> Work:
    """What a phase computes.

    Args:
        phase: The phase.
        network: The network.
        image_size: Height and width of the pictures in pixels.
        batch_size: Pictures in a batch.
        train: Training pictures.
        val: Validation pictures.
        views: Of how many views of each training picture what is frozen and still is computed
            once; 0 where it is computed in every step.
    """
    states = resolve(phase.freeze, network)
    costs = network.multiplications(image_size)
    blocks = [*network.blocks, network.head_block]
    depth = still_depth(states, network) if views else 0
    learning = _first_learning(states, network)
    behind, taught = (sum(costs[name] for name in blocks[at:]) for at in (depth, learning))
    steps = steps_per_epoch(train, batch_size)
    operations = len(network.operations)
    left = operations - 1 - network.boundaries[depth]
    return Work(
        once=(views * train + val) * sum(costs[name] for name in blocks[:depth]),
        step=train / steps * (behind + 2 * taught),
        judging=val * behind,
        steps=steps,
        epochs=phase.epochs,
        share=left / operations,
    )


def need_of(
    phase: Phase,
    network: Architecture,
    image_size: int,
    batch_size: int,
    train: int,
    val: int,
    optimizer: str,
    views: int = 1,
    precision: str = "fp32",
) -> Need:
    """What a phase holds in memory.

    Args:
        phase: The phase.
        network: The network.
        image_size: Height and width of the pictures in pixels.
        batch_size: Pictures in a batch.
        train: Training pictures.
        val: Validation pictures.
        optimizer: The recipe's.
        views: Of how many views of each training picture what is frozen and still is computed
            once; 0 where it is computed in every step.
        precision: The recipe's.
    """
    states = resolve(phase.freeze, network)
    depth = still_depth(states, network) if views else 0
    number = WEIGHT_BYTES.get(precision, NUMBER)
    learning = _first_learning(states, network)
    sizes = [
        item.channels * height * width
        for item, (height, width) in zip(network.operations, network.sizes(image_size))
    ]
    blocks = [*network.blocks, network.head_block]
    taught = set(blocks[learning:])
    maps = sum(size for item, size in zip(network.operations, sizes) if item.block in taught)
    return Need(
        weights=number * sum(map(math.prod, network.shapes.values())),
        learning=number * (1 + SLOTS[optimizer]) * trainable_parameters(states),
        maps=MAP_BYTES.get(precision, NUMBER) * batch_size * maps,
        kept=number * (views * train + val) * sizes[network.boundaries[depth]] if depth else 0,
    )


def speed_of(
    head: Run, whole: Run, uncached: Run, head_work: Work, whole_work: Work, uncached_work: Work
) -> Speed | None:
    """How fast a framework is, by three short runs.

    Args:
        head: A run in which only the head learned, on what was computed once.
        whole: A run in which everything learned.
        uncached: A run in which only the head learned, and each step computed all before it.
        head_work: What the first computed.
        whole_work: What the second did.
        uncached_work: What the third did.

    Returns:
        None if one of them made fewer than two steps.
    """
    if min(len(run.steps) for run in (head, whole, uncached)) < 2:
        return None
    own, usual, passing = map(_usual, (head, whole, uncached))
    least = 1e-6  # seconds: clocks have their limits
    return Speed(
        judging=(uncached_work.step - head_work.step) / max(passing - own, least),
        training=(whole_work.step - head_work.step) / max(usual - own, least),
        step=own,
        start=whole.steps[0].seconds - usual,
        start_head=head.steps[0].seconds - own,
    )


def _usual(run: Run) -> float:
    return statistics.median(step.seconds for step in run.steps[1:])


def _first_learning(states: Sequence[LayerState], network: Architecture) -> int:
    """The number of the first block with something that learns; the head's if it is alone."""
    learning = {state.layer.block for state in states if state.learns and state.layer.shapes}
    blocks = network.blocks
    return next((at for at, block in enumerate(blocks) if block in learning), len(blocks))
