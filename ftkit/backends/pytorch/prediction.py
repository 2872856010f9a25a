"""Predictions of a PyTorch network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ftkit.backends.pytorch.backbones import Network
from ftkit.backends.pytorch.parts import tail
from ftkit.data.batches import Activations, Rows, evaluation_batches
from ftkit.data.dataset import Split


def predictor(network: Network, depth: int = 0) -> Callable[[NDArray[Any]], torch.Tensor]:
    """What computes logits in inference mode, made once for each depth.

    Args:
        network: The network.
        depth: Blocks that its inputs have been through; 0 stands for pictures.

    Returns:
        From inputs (see :meth:`Network.preprocess`) to logits ``(n, classes)`` in the network's
        type.
    """
    if depth not in network.predictors:
        part = tail(network, depth)

        def compute(inputs: NDArray[Any]) -> torch.Tensor:
            with network.inference():
                return part(network.preprocess(inputs)).to(network.dtype)

        network.predictors[depth] = compute
    return network.predictors[depth]


def predict(network: Network, images: NDArray[Any] | Rows, depth: int = 0) -> NDArray[Any]:
    """The logits of pictures, in inference mode.

    Args:
        network: The network.
        images: uint8, shape ``(n, height, width, 3)``, RGB; or their activations.
        depth: Blocks that these have been through.

    Returns:
        Shape ``(n, classes)``, in the network's type.
    """
    compute = predictor(network, depth)
    return torch.cat([compute(batch) for batch in evaluation_batches(images)]).cpu().numpy()


def evaluate(
    network: Network, source: Split | Activations
) -> tuple[float, float, NDArray[np.float64]]:
    """Mean cross-entropy, accuracy and softmax outputs, in inference mode.

    The loss carries no label smoothing: it judges the predictions, not the training target.

    Args:
        network: The network.
        source: Labelled pictures, or what stands in their place.

    Returns:
        The loss, the share classified rightly, and probabilities of shape ``(n, classes)``.
    """
    logits = torch.from_numpy(predict(network, source.values, source.depth)).double()
    labels = torch.from_numpy(source.labels)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    accuracy = (logits.argmax(1) == labels).double().mean()
    return float(loss), float(accuracy), torch.softmax(logits, 1).numpy()
