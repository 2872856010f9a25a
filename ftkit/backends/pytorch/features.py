"""What a PyTorch network computes on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ftkit.backends.pytorch.backbones import Network
from ftkit.data.batches import evaluation_batches
from ftkit.errors import unknown_name


def features(network: Network, images: NDArray[np.uint8], block: str) -> NDArray[Any]:
    """The activations behind a block, in inference mode.

    Args:
        network: The network.
        images: uint8, shape ``(n, height, width, 3)``, RGB.
        block: A block's name; a stem ends behind its pooling.

    Returns:
        Shape ``(n, height, width, channels)`` at that block, or ``(n, units)`` where a block ends
        in a vector; in the network's type.

    Raises:
        FtkitError: If the backbone has no such block.
    """
    if block not in network.architecture.blocks:
        raise unknown_name("block", block, network.architecture.blocks)
    found: list[NDArray[Any]] = []

    def keep(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        values = output.permute(0, 2, 3, 1) if output.dim() == 4 else output
        # A copy: what follows may compute in place.
        found.append(np.array(values.to("cpu", network.dtype, copy=True)))

    module = network.model.get_submodule(network.architecture.block_ends[block])
    hook = module.register_forward_hook(keep)
    try:
        with network.inference():
            for batch in evaluation_batches(images):
                network.model(network.preprocess(batch))
    finally:
        hook.remove()
    return np.concatenate(found)
