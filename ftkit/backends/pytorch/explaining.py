"""Where a PyTorch network looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ftkit.backends.pytorch.backbones import Network
from ftkit.data.batches import evaluation_rows


def grad_cam(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    block: str | None = None,
) -> NDArray[Any]:
    """Where a network looks for a class, in inference mode.

    Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): with the logit y of the class and the
    channels A of a block's output, a channel's weight is the mean of ∂y/∂A over all places
    (equation 1), and the map is ReLU(sum of weight × A over the channels) (equation 2).

    Args:
        network: The network.
        images: uint8, shape ``(n, height, width, 3)``, RGB.
        labels: The class that is asked for, for each picture: int64, shape ``(n,)``.
        block: Of which block's output; None takes the last that is a map.

    Returns:
        Shape ``(n, height, width)`` of that block, in the network's type. 0 where nothing speaks
        for the class; its unit is the logit's.

    Raises:
        FtkitError: If no block of that name ends in a map.
    """
    block = network.architecture.map_block(block)
    kept: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # what follows may compute in place

    found: list[NDArray[Any]] = []
    module = network.model.get_submodule(network.architecture.block_ends[block])
    hook = module.register_forward_hook(keep)
    try:
        for rows in evaluation_rows(images.shape):
            with network.inference(), torch.enable_grad():
                logits = network.model(network.preprocess(np.array(images[rows])))
            asked = torch.tensor(labels[rows], device=network.device)
            scores = logits.gather(1, asked[:, None]).sum()
            maps = kept.pop()
            (slopes,) = torch.autograd.grad(scores, maps)
            weights = slopes.mean((2, 3), keepdim=True)
            looks = torch.relu((weights * maps).sum(1))
            found.append(looks.detach().to("cpu", network.dtype).numpy())
    finally:
        hook.remove()
    return np.concatenate(found)
