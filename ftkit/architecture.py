"""A network as plain records: its blocks, its layers and the tensors that they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

LayerKind = Literal["conv", "batch_norm", "linear"]


@dataclass(frozen=True)
class Layer:
    """One layer that holds numbers.

    Attributes:
        name: Torchvision's dotted attribute name, ``"layer1.0.conv2"``.
        kind: What it computes.
        block: The named block that it belongs to.
        shapes: Shape of each tensor by its last name, in PyTorch's layout: convolutions
            ``(out, in, height, width)``, linear layers ``(out, in)``.
    """

    name: str
    kind: LayerKind
    block: str
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        """How many of its numbers are weights (running statistics are not)."""
        return sum(
            math.prod(shape) for key, shape in self.shapes.items() if key in ("weight", "bias")
        )


def conv(name: str, block: str, out: int, into: int, size: int) -> Layer:
    """A convolution without bias, ``size`` × ``size``."""
    return Layer(name, "conv", block, {"weight": (out, into, size, size)})


def batch_norm(name: str, block: str, width: int) -> Layer:
    """Batch normalisation over ``width`` channels."""
    names = ("weight", "bias", "running_mean", "running_var")
    return Layer(name, "batch_norm", block, {key: (width,) for key in names})


def linear(name: str, block: str, out: int, into: int) -> Layer:
    """A fully connected layer with bias."""
    return Layer(name, "linear", block, {"weight": (out, into), "bias": (out,)})


@dataclass(frozen=True)
class Head:
    """What replaces the pretrained classifier, after global average pooling.

    Attributes:
        hidden: Units of a hidden layer with ReLU; 0 leaves it out.
        dropout: Probability that a hidden unit (or, without a hidden layer, a pooled feature) is
            set to 0 in training; the others are divided by ``1 - dropout``.
    """

    hidden: int = 0
    dropout: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """A backbone with a head for so many classes.

    Attributes:
        family: Which builder in a backend makes it: ``"resnet"``.
        width: Channels of the first block.
        depths: Residual units in each later block.
        layers: Every layer that holds numbers, in the order of the forward pass, head included.
        head: The head that stands behind the backbone.
        head_block: Name of the block that is the head.
        features: Length of the pooled feature vector.
        classes: Number of outputs.
        image_size: Height and width of the pictures in pixels that the weights were made for.
        mean: Mean of each colour channel, R, G, B, on the scale 0..1.
        std: Standard deviation of each, likewise.
    """

    family: str
    width: int
    depths: tuple[int, ...]
    layers: tuple[Layer, ...]
    head: Head
    head_block: str
    features: int
    classes: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The backbone's blocks in order, without the head."""
        names = dict.fromkeys(layer.block for layer in self.layers)
        return tuple(name for name in names if name != self.head_block)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by its full name, ``"layer1.0.conv2.weight"``."""
        return {
            f"{layer.name}.{key}": shape
            for layer in self.layers
            for key, shape in layer.shapes.items()
        }

    @property
    def dropout_units(self) -> int:
        """Length of the vector that the head's dropout stands behind."""
        return self.head.hidden or self.features

    @property
    def parameters(self) -> int:
        """How many weights there are in all."""
        return sum(layer.parameters for layer in self.layers)
