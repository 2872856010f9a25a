"""The networks of each family in PyTorch: torchvision's own modules with a new head."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models import inception
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vgg import VGG, make_layers
from torchvision.ops import StochasticDepth

from ftkit.architecture import Architecture
from ftkit.backends.pytorch.layers import SharedDropout


def make_model(
    architecture: Architecture, dtype: torch.dtype, differences: tuple[str, ...] = ()
) -> nn.Module:
    """A network without numbers yet: its tensors stand on PyTorch's ``meta`` device.

    Args:
        architecture: What to build.
        dtype: Type of its weights and of its arithmetic.
        differences: Framework differences that are switched on. The layers of both frameworks
            follow torchvision when matched, so that none changes anything here.
    """
    with torch.device("meta"):  # nothing is drawn that would be thrown away
        model: nn.Module = _MODELS[architecture.name]()
        _replace(model, architecture.head_name, _head(architecture))
        shared = {layer.name: layer for layer in architecture.drops}
        for name, module in list(model.named_modules()):
            if isinstance(module, (nn.Dropout, StochasticDepth)):
                layer = shared.get(name)
                drop = SharedDropout(layer.rate, layer.units) if layer else nn.Identity()
                _replace(model, name, drop)
    return model.to(dtype=dtype).to(memory_format=torch.channels_last)


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


class ScaledVGG(VGG):
    """Torchvision's VGG with batch norm, at any width.

    Args:
        layers: Channels of the convolutions, ``"M"`` for a max pooling.
        cells: Rows and columns that the map is pooled to.
        units: Units of each hidden layer.
    """

    def __init__(self, layers: list[int | str], cells: int, units: int) -> None:
        super().__init__(make_layers(layers, batch_norm=True), init_weights=False)
        width = max(item for item in layers if isinstance(item, int))
        self.avgpool = nn.AdaptiveAvgPool2d((cells, cells))
        self.classifier[0] = nn.Linear(width * cells * cells, units)
        self.classifier[3] = nn.Linear(units, units)


class ScaledConv(inception.BasicConv2d):
    """Torchvision's convolution with batch norm and ReLU, its channels scaled but for colours.

    Attributes:
        width: What channels are multiplied by.
    """

    width = Fraction(1, 2)

    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None:
        into = in_channels if in_channels == 3 else int(in_channels * self.width)
        super().__init__(into, int(out_channels * self.width), **options)


class SmallInception(nn.Module):
    """Four of torchvision's Inception modules at half their width, behind a short stem."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ScaledConv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2b_3x3 = ScaledConv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = inception.InceptionA(64, 32, ScaledConv)
        self.Mixed_5c = inception.InceptionA(256, 64, ScaledConv)
        self.Mixed_6a = inception.InceptionB(288, ScaledConv)
        self.Mixed_6b = inception.InceptionC(768, 128, ScaledConv)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From pictures ``(n, 3, height, width)`` to what the head gives."""
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Mixed_6b(self.Mixed_6a(self.Mixed_5c(self.Mixed_5b(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


_VGG_S: list[int | str] = [16, "M", 32, "M", 64, 64, "M", 128, 128, "M", 256, 256, "M"]
_MODELS = {
    "resnet_s": lambda: ScaledResNet(32, (2, 2, 2, 2)),
    "vgg_s": lambda: ScaledVGG(_VGG_S, 2, 512),
    "inception_s": SmallInception,
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "vgg16": lambda: models.vgg16(init_weights=False),
    "inception_v3": lambda: models.inception_v3(init_weights=False, aux_logits=False),
    "mobilenet_v2": models.mobilenet_v2,
    "efficientnet_b0": models.efficientnet_b0,
    "convnext_tiny": models.convnext_tiny,
}


def _head(architecture: Architecture) -> nn.Module:
    """The recipe's head; its dropout is shared already, and stays as it is."""
    head = architecture.head
    name = architecture.layers[-1].name
    out, into = architecture.shapes[f"{name}.weight"]
    output = nn.Linear(into, out)
    if head.hidden:
        first = architecture.shapes[f"{architecture.head_name}.0.weight"]
        hidden = nn.Linear(first[1], first[0])
        return nn.Sequential(hidden, nn.ReLU(), SharedDropout(head.dropout, into), output)
    if head.dropout:
        return nn.Sequential(SharedDropout(head.dropout, into), output)
    return output


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
