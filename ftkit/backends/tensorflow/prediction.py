"""Predictions of a Keras network."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.backends.tensorflow.backbones import Network
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
    return np.asarray(tf.concat(logits, 0))


def evaluate(network: Network, split: Split) -> tuple[float, float, NDArray[np.float64]]:
    """Mean cross-entropy, accuracy and softmax outputs, in inference mode.

    The loss carries no label smoothing: it judges the predictions, not the training target.

    Returns:
        The loss, the share classified rightly, and probabilities of shape ``(n, classes)``.
    """
    logits = tf.constant(predict(network, split.images), tf.float64)
    labels = tf.constant(split.labels)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    accuracy = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == labels, tf.float64))
    return float(loss), float(accuracy), tf.nn.softmax(logits).numpy()
