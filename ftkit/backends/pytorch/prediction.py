"""Predictions of a PyTorch network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ftkit.backends.pytorch.backbones import Network
from ftkit.data.batches import evaluation_batches
from ftkit.data.dataset import Split


def predict(network: Network, images: NDArray[np.uint8]) -> NDArray[Any]:
    """The logits of pictures, in inference mode.

    Args:
        network: The network.
        images: uint8, shape ``(n, height, width, 3)``, RGB.

    Returns:
        Shape ``(n, classes)``, in the network's type.
    """
    logits = [network.forward(batch) for batch in evaluation_batches(images)]
    return torch.cat(logits).cpu().numpy()


def evaluate(network: Network, split: Split) -> tuple[float, float, NDArray[np.float64]]:
    """Mean cross-entropy, accuracy and softmax outputs, in inference mode.

    The loss carries no label smoothing: it judges the predictions, not the training target.

    Returns:
        The loss, the share classified rightly, and probabilities of shape ``(n, classes)``.
    """
    logits = torch.from_numpy(predict(network, split.images)).double()
    labels = torch.from_numpy(split.labels)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    accuracy = (logits.argmax(1) == labels).double().mean()
    return float(loss), float(accuracy), torch.softmax(logits, 1).numpy()
