"""Networks in PyTorch: torchvision's own modules with a new head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from ftkit.architecture import Architecture
from ftkit.backends.pytorch.devices import pick_device
from ftkit.backends.pytorch.layers import SharedDropout

DTYPES = {"fp32": torch.float32, "fp64": torch.float64}


@dataclass
class Network:
    """A model, and what it was built from.

    Attributes:
        model: A module that takes pictures ``(n, 3, height, width)`` and gives logits.
        architecture: Its layers, as records.
        dtype: Type of its weights and of its arithmetic.
        device: PyTorch's name of the device.
    """

    model: nn.Module
    architecture: Architecture
    dtype: torch.dtype
    device: str

    def preprocess(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Pictures as the network takes them: on 0..1, minus the mean, by the deviation.

        Args:
            images: uint8, shape ``(n, height, width, 3)``, RGB.

        Returns:
            Shape ``(n, 3, height, width)``, in the network's type, on its device.
        """
        std = np.asarray(self.architecture.std)
        scale = self._constant(1 / (255 * std))
        shift = self._constant(np.asarray(self.architecture.mean) / std)
        pixels = torch.from_numpy(images).to(self.device).to(self.dtype)
        return (pixels * scale - shift).permute(0, 3, 1, 2)

    @torch.no_grad()
    def forward(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """From pictures, uint8, to logits in inference mode; each layer's mode is put back."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            return self.model(self.preprocess(images))
        finally:
            for module in training:
                module.training = True

    def _constant(self, values: NDArray[np.float64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device, self.dtype)


class ScaledResNet(ResNet):
    """Torchvision's ResNet of basic blocks, at any width."""

    def __init__(self, width: int, depths: tuple[int, ...]) -> None:
        super().__init__(BasicBlock, list(depths))
        self.inplanes = width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for index, depth in enumerate(depths):
            stride = 1 if index == 0 else 2
            layer = self._make_layer(BasicBlock, width * 2**index, depth, stride)
            setattr(self, f"layer{index + 1}", layer)


def build(
    architecture: Architecture,
    tensors: Mapping[str, NDArray[Any]],
    precision: str,
    device: str,
    differences: tuple[str, ...] = (),
) -> Network:
    """A network with the given weights.

    Args:
        architecture: What to build.
        tensors: Every tensor, in torchvision's names and layout.
        precision: ``"fp32"`` or ``"fp64"``.
        device: ``"auto"``, ``"cpu"`` or ``"gpu"``.
        differences: Framework differences that are switched on. The layers of both frameworks
            follow torchvision when matched, so that none changes anything here.
    """
    model = ScaledResNet(architecture.width, architecture.depths)
    model.fc = _head(architecture)
    chosen = pick_device(device)
    dtype = DTYPES[precision]
    model = model.to(chosen, dtype, memory_format=torch.channels_last)
    network = Network(model, architecture, dtype, chosen)
    load(network, tensors)
    return network


def load(network: Network, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Gives a network the tensors, in torchvision's names and layout."""
    given = {name: np.array(tensors[name]) for name in network.architecture.shapes}
    state = {name: torch.from_numpy(value) for name, value in given.items()}
    network.model.load_state_dict(state, strict=False)


def export(network: Network) -> dict[str, NDArray[Any]]:
    """A copy of a network's tensors, in torchvision's names and layout."""
    state = network.model.state_dict()
    return {name: state[name].cpu().numpy().copy() for name in network.architecture.shapes}


def _head(architecture: Architecture) -> nn.Module:
    head, features = architecture.head, architecture.features
    output = nn.Linear(architecture.dropout_units, architecture.classes)
    if head.hidden:
        hidden = nn.Linear(features, head.hidden)
        return nn.Sequential(hidden, nn.ReLU(), SharedDropout(head.dropout), output)
    if head.dropout:
        return nn.Sequential(SharedDropout(head.dropout), output)
    return output
