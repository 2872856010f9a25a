"""Freezing in Keras: ``trainable`` for weights, a policy for batch norm."""

from __future__ import annotations

from ftkit.architecture import DROPS
from ftkit.backends.tensorflow.backbones import Network
from ftkit.backends.tensorflow.layers import BatchNorm
from ftkit.freezing import LayerState


def apply_freeze(network: Network, states: tuple[LayerState, ...]) -> None:
    """Makes every layer learn, or not, and behave as its state says, ready for training.

    A train step that was traced before keeps what it was traced with: make a new one.
    """
    for state in states:
        layer = network.model.get_layer(state.layer.name)
        layer.trainable = state.learns
        if state.batch_norm is not None:
            layer.policy = state.batch_norm
        elif state.layer.kind in DROPS:
            layer.active = state.learns


def batch_norm_modes(network: Network) -> dict[str, str]:
    """The mode that each batch-norm layer is in, by its name."""
    modes = {}
    for layer in network.model.layers:
        if isinstance(layer, BatchNorm):
            learns = bool(layer.trainable_variables)
            moving = "train" if learns else "statistics"
            modes[layer.name] = "inference" if layer.policy == "inference" else moving
    return modes
