"""PyTorch's own optimisers."""

from __future__ import annotations

from typing import Any

from torch import optim

from ftkit.backends.pytorch.backbones import Network
from ftkit.freezing import LayerState
from ftkit.recipe import Phase, Recipe


def make_optimizer(
    network: Network, states: tuple[LayerState, ...], recipe: Recipe, phase: Phase
) -> optim.Optimizer:
    """The recipe's optimiser over the layers that learn, one group for each block.

    Args:
        network: The network.
        states: What each layer does in this phase.
        recipe: Which optimiser, and its constants.
        phase: The learning rate, and each block's factor on it.
    """
    blocks: dict[str, list[Any]] = {}
    for state in states:
        if state.learns and state.layer.shapes:
            module = network.model.get_submodule(state.layer.name)
            parameters = module.parameters(recurse=False)
            blocks.setdefault(state.layer.block, []).extend(parameters)
    groups = [
        {"params": parameters, "name": block, "factor": phase.block_rates.get(block, 1.0)}
        for block, parameters in blocks.items()
    ]
    lr, decay = phase.lr, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return optim.SGD(groups, lr=lr, momentum=recipe.momentum, weight_decay=decay)
    if recipe.optimizer == "adam":
        return optim.Adam(groups, lr=lr, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return optim.AdamW(groups, lr=lr, weight_decay=decay)
    return optim.RMSprop(groups, lr=lr, weight_decay=decay)


def set_rate(optimizer: optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of the next step, each block's by its factor."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]


def optimizer_groups(optimizer: optim.Optimizer) -> list[dict[str, Any]]:
    """What the optimiser trains, for the audit."""
    return [
        {
            "name": group["name"],
            "parameters": sum(parameter.numel() for parameter in group["params"]),
            "lr": group["lr"],
            "weight_decay": group["weight_decay"],
        }
        for group in optimizer.param_groups
    ]
