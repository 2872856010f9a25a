"""Freezing in PyTorch: ``requires_grad`` for weights, ``train()`` and ``eval()`` for batch norm."""

from __future__ import annotations

from torch import nn

from ftkit.architecture import DROPS
from ftkit.backends.pytorch.backbones import Network
from ftkit.freezing import LayerState


def apply_freeze(network: Network, states: tuple[LayerState, ...]) -> None:
    """Makes every layer learn, or not, and behave as its state says, ready for training.

    ``model.train()`` puts every layer into training mode, so that batch norm in inference mode
    and frozen dropout have to be put back by name each time.
    """
    network.model.train()
    for state in states:
        module = network.model.get_submodule(state.layer.name)
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(state.learns)
        if state.batch_norm is not None:
            module.train(state.batch_norm != "inference")
        elif state.layer.kind in DROPS:
            module.train(state.learns)


def batch_norm_modes(network: Network) -> dict[str, str]:
    """The mode that each batch-norm layer is in, by its name."""
    modes = {}
    for name, module in network.model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            learns = any(parameter.requires_grad for parameter in module.parameters())
            moving = "train" if learns else "statistics"
            modes[name] = moving if module.training else "inference"
    return modes
