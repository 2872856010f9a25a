"""Where a Keras network looks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.backends.tensorflow.backbones import Network
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
    model = network.model
    end = model.get_layer(block).output
    front, rest = keras.Model(model.inputs, end), keras.Model(end, model.output)
    found: list[NDArray[Any]] = []
    with tf.device(network.device):
        for rows in evaluation_rows(images.shape):
            maps = front(network.preprocess(np.array(images[rows])), training=False)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(maps)
                logits = rest(maps, training=False)
                scores = tf.reduce_sum(tf.gather(logits, labels[rows], axis=1, batch_dims=1))
            slopes = tape.gradient(scores, maps)
            weights = tf.reduce_mean(slopes, (1, 2), keepdims=True)
            looks = tf.nn.relu(tf.reduce_sum(weights * maps, -1))
            found.append(tf.cast(looks, network.dtype).numpy())
    return np.concatenate(found)
