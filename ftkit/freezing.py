"""Which layers learn, how batch norm behaves, and the audit that shows what really moved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ftkit.architecture import Architecture, Layer
from ftkit.errors import FtkitError, unknown_name

BatchNormPolicy = Literal["inference", "statistics", "train"]
POLICIES: tuple[BatchNormPolicy, ...] = get_args(BatchNormPolicy)


@dataclass(frozen=True)
class FreezePlan:
    """What is frozen, as data: by name, by depth or by the number of last layers.

    The batch-norm policies, from still to moving:

    - ``"inference"``: normalise with the running statistics, which stay as they are.
    - ``"statistics"``: normalise with each batch's own statistics; the running ones move, scale
      and shift do not learn. This is what ``requires_grad=False`` alone does in PyTorch.
    - ``"train"``: the same, and scale and shift learn.

    Under ``"inference"`` the scale and shift learn where the layer is not frozen.

    Attributes:
        frozen: Names of blocks (``"stem"``, ``"layer1"``) or of layers in torchvision's dotted
            names (``"conv1"``, ``"layer4.1"``); a name stands for everything below it.
        depth: Instead of names: the first so many blocks (see :func:`frozen_at_depth`).
        last_layers: Instead of names: all of the backbone but its last so many layers (see
            :func:`frozen_but_last_layers`).
        batch_norm: Policy of the batch-norm layers that are not frozen.
        frozen_batch_norm: Policy of those that are.
    """

    frozen: tuple[str, ...] = ()
    depth: int | None = None
    last_layers: int | None = None
    batch_norm: BatchNormPolicy = "inference"
    frozen_batch_norm: BatchNormPolicy = "inference"

    def __post_init__(self) -> None:
        if isinstance(self.frozen, str):
            raise FtkitError(f"frozen must be a list of names; got {self.frozen!r} alone.")
        for name, value in (("depth", self.depth), ("last_layers", self.last_layers)):
            if value is not None and type(value) is not int:
                raise FtkitError(f"{name} must be a whole number; got {value!r}.")
        object.__setattr__(self, "frozen", tuple(self.frozen))
        if bool(self.frozen) + (self.depth is not None) + (self.last_layers is not None) > 1:
            raise FtkitError(
                "A freeze plan takes names (frozen), a depth or a number of last layers, one of "
                f"the three; got frozen={self.frozen}, depth={self.depth}, "
                f"last_layers={self.last_layers}."
            )
        for policy in (self.batch_norm, self.frozen_batch_norm):
            if policy not in POLICIES:
                raise unknown_name("batch-norm policy", policy, POLICIES)


@dataclass(frozen=True)
class LayerState:
    """What one layer does while a plan holds.

    Attributes:
        layer: The layer.
        learns: Whether its weights are trained; of a layer that drops, whether it does.
        batch_norm: Its policy; None if it is no batch-norm layer.
    """

    layer: Layer
    learns: bool
    batch_norm: BatchNormPolicy | None

    @property
    def moving_statistics(self) -> bool:
        """Whether running statistics are updated."""
        return self.batch_norm in ("statistics", "train")


def frozen_at_depth(architecture: Architecture, depth: int) -> tuple[str, ...]:
    """The first ``depth`` blocks: 0 is full fine-tuning, all of them is feature extraction.

    Raises:
        FtkitError: If the backbone has fewer blocks.
    """
    blocks = architecture.blocks
    if not 0 <= depth <= len(blocks):
        raise FtkitError(
            f"The freeze depth must lie between 0 (nothing frozen) and {len(blocks)} "
            f"(all of {', '.join(blocks)}); got {depth}."
        )
    return blocks[:depth]


def frozen_but_last_layers(architecture: Architecture, count: int) -> tuple[str, ...]:
    """All layers of the backbone but the last ``count`` that hold weights.

    Convolutions and batch norms count; activations, additions and pooling hold nothing and do
    not, so Keras's ``base.layers[-10:]`` names fewer weights than ``count=10`` does here. What
    drops in front of the first of them is frozen with the rest.

    Raises:
        FtkitError: If the backbone has fewer layers.
    """
    layers = [item for item in architecture.layers if item.block != architecture.head_block]
    holding = [number for number, item in enumerate(layers) if item.shapes]
    if not 0 <= count <= len(holding):
        raise FtkitError(
            f"The number of last layers to train must lie between 0 and {len(holding)}; "
            f"got {count}."
        )
    first = holding[-count] if count else len(layers)
    return tuple(item.name for item in layers[:first])


def frozen_names(plan: FreezePlan, architecture: Architecture) -> tuple[str, ...]:
    """The blocks or layers that a plan freezes, by name.

    Raises:
        FtkitError: If the plan names no block or layer of the network, or more than there are.
    """
    if plan.depth is not None:
        return frozen_at_depth(architecture, plan.depth)
    if plan.last_layers is not None:
        return frozen_but_last_layers(architecture, plan.last_layers)
    for name in plan.frozen:
        if not any(_covers(name, layer) for layer in architecture.layers):
            known = [*architecture.blocks, architecture.head_block]
            raise unknown_name("block or layer", name, known)
    return plan.frozen


def resolve(plan: FreezePlan, architecture: Architecture) -> tuple[LayerState, ...]:
    """What each layer does under a plan, in the order of the forward pass.

    Raises:
        FtkitError: If the plan names no block or layer of the network, or leaves nothing to learn.
    """
    names = frozen_names(plan, architecture)
    states = []
    for layer in architecture.layers:
        frozen = any(_covers(name, layer) for name in names)
        if layer.kind == "batch_norm":
            policy = plan.frozen_batch_norm if frozen else plan.batch_norm
            learns = policy == "train" or (policy == "inference" and not frozen)
            states.append(LayerState(layer, learns, policy))
        else:
            states.append(LayerState(layer, not frozen, None))
    if not any(state.learns and state.layer.shapes for state in states):
        raise FtkitError("The freeze plan leaves nothing to learn. Take the head out of it.")
    return tuple(states)


def frozen_depth(plan: FreezePlan, architecture: Architecture) -> int:
    """How many blocks from the input on are frozen whole."""
    states = resolve(plan, architecture)
    for depth, block in enumerate(architecture.blocks):
        if any(state.learns for state in states if state.layer.block == block):
            return depth
    return len(architecture.blocks)


def still_depth(states: tuple[LayerState, ...], architecture: Architecture) -> int:
    """How many blocks from the input on give the same output for the same picture all along.

    Nothing in them learns, no running statistics move, and nothing is dropped.
    """
    moving = {state.layer.block for state in states if state.learns or state.moving_statistics}
    for depth, block in enumerate(architecture.blocks):
        if block in moving:
            return depth
    return len(architecture.blocks)


def trainable_parameters(states: tuple[LayerState, ...]) -> int:
    """How many weights learn."""
    return sum(state.layer.parameters for state in states if state.learns)


def check_batch_norm(
    states: tuple[LayerState, ...], architecture: Architecture, batch_size: int, image_size: int
) -> None:
    """Refuses what PyTorch refuses and TensorFlow answers with statistics of NaN.

    Args:
        states: What each layer does.
        architecture: The network.
        batch_size: Pictures in the smallest batch.
        image_size: Height and width of the pictures in pixels.

    Raises:
        FtkitError: If batch norm would have to take the variance of a single value, or the
            pictures are too small for the network.
    """
    moving = {state.layer.name for state in states if state.moving_statistics}
    for item, size in zip(architecture.operations, architecture.sizes(image_size)):
        if item.layer and item.layer.name in moving and size == (1, 1) and batch_size == 1:
            raise FtkitError(
                "Batch norm that trains needs more than one value per channel; in the smallest "
                f"batch, of one picture, {image_size} pixels leave {item.block} just one. "
                "Choose another batch size, larger pictures, or --batch-norm inference."
            )


def fingerprint(values: NDArray[Any]) -> str:
    """A SHA-256 of an array's bytes: bit-equal arrays have the same, others do not."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def audit(
    states: tuple[LayerState, ...],
    before: Mapping[str, str],
    after: Mapping[str, str],
    groups: list[dict[str, Any]],
    modes: Mapping[str, str],
) -> dict[str, Any]:
    """What a phase was asked to train, and what it really moved.

    Args:
        states: What each layer should have done.
        before: The :func:`fingerprint` of every tensor before the phase.
        after: That after it.
        groups: The optimiser's groups, as the framework reports them.
        modes: The mode that each batch-norm layer was in, as the framework reports it.

    Returns:
        ``holds`` (no frozen tensor moved and no statistic that had to stay), the counts, and per
        block its parameters, batch-norm modes, and the tensors that moved and that stayed
        bit-equal.
    """
    blocks: dict[str, dict[str, Any]] = {}
    strayed = []
    for state in states:
        layer = state.layer
        row = blocks.setdefault(
            layer.block,
            {
                "parameters": 0,
                "trainable_parameters": 0,
                "batch_norm": [],
                "moved": [],
                "unchanged": [],
            },
        )
        row["parameters"] += layer.parameters
        row["trainable_parameters"] += layer.parameters if state.learns else 0
        if layer.name in modes and modes[layer.name] not in row["batch_norm"]:
            row["batch_norm"].append(modes[layer.name])
        for key in layer.shapes:
            name = f"{layer.name}.{key}"
            moved = before[name] != after[name]
            row["moved" if moved else "unchanged"].append(name)
            may_move = state.moving_statistics if key.startswith("running") else state.learns
            if moved and not may_move:
                strayed.append(name)
    return {
        "holds": not strayed,
        "strayed": strayed,
        "trainable_parameters": trainable_parameters(states),
        "total_parameters": sum(state.layer.parameters for state in states),
        "blocks": blocks,
        "optimizer_groups": groups,
    }


def _covers(name: str, layer: Layer) -> bool:
    """Whether a name in a plan means this layer."""
    return name == layer.block or layer.name == name or layer.name.startswith(f"{name}.")
