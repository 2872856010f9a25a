"""Predictions of a Keras network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.backends.tensorflow.backbones import Network
from ftkit.backends.tensorflow.parts import tail
from ftkit.data.batches import Activations, Rows, evaluation_batches
from ftkit.data.dataset import Split


def predictor(network: Network, depth: int = 0) -> Callable[[NDArray[Any]], tf.Tensor]:
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

        @tf.function(input_signature=[network.takes(part)], autograph=False)
        def traced(inputs: tf.Tensor) -> tf.Tensor:
            return tf.cast(part(network.preprocess(inputs), training=False), network.dtype)

        def compute(inputs: NDArray[Any]) -> tf.Tensor:
            with tf.device(network.device):
                return traced(inputs)

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
    return np.concatenate([compute(batch) for batch in evaluation_batches(images)])


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
    logits = tf.constant(predict(network, source.values, source.depth), tf.float64)
    labels = tf.constant(source.labels)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    accuracy = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == labels, tf.float64))
    return float(loss), float(accuracy), tf.nn.softmax(logits).numpy()
