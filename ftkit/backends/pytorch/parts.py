"""A PyTorch network cut between its blocks: a part in front, and what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from ftkit.backends.pytorch.backbones import Network


def front(
    network: Network, start: int, ends: tuple[int, ...]
) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    """What computes the activations behind some blocks, in inference mode.

    Args:
        network: The network; the front uses its weights, not a copy.
        start: Blocks that its inputs have been through; 0 stands for pictures.
        ends: Blocks that each of its outputs has been through, ascending.

    Returns:
        From inputs (see :meth:`Network.preprocess`) to activations, ``(n, height, width,
        channels)`` or ``(n, units)``, in the network's type.
    """
    part = _cut(network, start, ends)

    def compute(inputs: NDArray[Any]) -> list[NDArray[Any]]:
        with network.inference():
            found = part(network.preprocess(inputs))
        return [_as_rows(values) for values in found]

    return compute


def tail(network: Network, start: int) -> nn.Module:
    """What computes the logits from the activations behind the first ``start`` blocks.

    It shares the network's layers, with their weights and modes; from 0 it is the network.
    """
    return network.model if start == 0 else _cut(network, start, None)


class _Tracer(fx.Tracer):
    """Records a network's forward pass in the largest pieces that hold no boundary inside."""

    def __init__(self, boundaries: list[str]) -> None:
        super().__init__()
        self.boundaries = boundaries

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether a module stays a piece of its own."""
        return not any(item.startswith(f"{name}.") for item in self.boundaries)


def _cut(network: Network, start: int, ends: tuple[int, ...] | None) -> fx.GraphModule:
    """The part between two boundaries; without ends, up to the logits.

    Torchvision's networks are modules without a place to enter in the middle; torch.fx, PyTorch's
    own tracer, gives their forward pass as a list of steps, which can be cut.
    """
    plan = network.architecture
    names = [*plan.block_ends.values(), plan.head_name]
    graph = _Tracer(names).trace(network.model)
    steps = list(graph.nodes)
    pieces = {step.target: step for step in steps if step.op == "call_module"}
    picture, logits = steps[0], steps[-1].args[0]
    head_input = pieces[plan.head_name].args[0]  # behind the last block, and its pooling
    boundaries = [picture, *(pieces[name] for name in names[:-2]), head_input]
    wanted = [logits] if ends is None else [boundaries[end] for end in ends]
    first, last = steps.index(boundaries[start]), steps.index(wanted[-1])
    part = fx.Graph()
    copies = {boundaries[start]: part.placeholder("inputs")}
    for step in steps[first + 1 : last + 1]:
        copies[step] = part.node_copy(step, copies.__getitem__)
    part.output(copies[logits] if ends is None else [copies[step] for step in wanted])
    return fx.GraphModule(network.model, part)


def _as_rows(values: torch.Tensor) -> NDArray[Any]:
    """Activations in the order of the seam, channels last; what is in bfloat16 as float32."""
    values = values.permute(0, 2, 3, 1) if values.dim() == 4 else values
    values = values.float() if values.dtype == torch.bfloat16 else values
    return np.array(values.cpu(), order="C")
