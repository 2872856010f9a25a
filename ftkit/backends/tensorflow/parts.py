"""A Keras network cut between its blocks: a part in front, and what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.backends.tensorflow.backbones import Network


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

    @tf.function(input_signature=[network.takes(part)], autograph=False)
    def traced(inputs: tf.Tensor) -> list[tf.Tensor]:
        found = part(network.preprocess(inputs), training=False)
        return [tf.cast(values, network.dtype) for values in tf.nest.flatten(found)]

    def compute(inputs: NDArray[Any]) -> list[NDArray[Any]]:
        with tf.device(network.device):
            return [np.asarray(values) for values in traced(inputs)]

    return compute


def tail(network: Network, start: int) -> keras.Model:
    """What computes the logits from the activations behind the first ``start`` blocks.

    It shares the network's layers, with their weights and modes; from 0 it is the network.
    """
    return network.model if start == 0 else _cut(network, start, None)


def _cut(network: Network, start: int, ends: tuple[int, ...] | None) -> keras.Model:
    """The part between two boundaries; without ends, up to the logits."""
    plan, model = network.architecture, network.model
    head = next(layer for layer in plan.layers if layer.block == plan.head_block)
    head_input = model.get_layer(head.name).input  # behind the last block, and its pooling
    blocks = [model.get_layer(block).output for block in plan.blocks[:-1]]
    boundaries = [model.input, *blocks, head_input]
    wanted = model.output if ends is None else [boundaries[end] for end in ends]
    return keras.Model(boundaries[start], wanted)
