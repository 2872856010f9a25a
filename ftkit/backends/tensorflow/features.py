"""What a Keras network computes on the way."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.backends.tensorflow.backbones import Network
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
    model = network.model
    part = keras.Model(model.inputs, model.get_layer(block).output)
    with tf.device(network.device):
        found = [
            tf.cast(part(network.preprocess(batch), training=False), network.dtype).numpy()
            for batch in evaluation_batches(images)
        ]
    return np.concatenate(found)
