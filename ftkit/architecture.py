"""A network as plain records: its blocks, its layers, and how one follows from another.

The records say everything that a framework needs to compute what torchvision's network of that
name computes, so that the same list builds the network in Keras, checks weights, counts
parameters and multiplications, and says which picture sizes fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ftkit.errors import FtkitError, unknown_name

LayerKind = Literal[
    "conv",
    "depthwise",
    "linear",
    "batch_norm",
    "layer_norm",
    "scale",
    "dropout",
    "stochastic_depth",
]
DROPS = ("dropout", "stochastic_depth")
PICTURE = -1  # as an operation's input: the preprocessed pictures


@dataclass(frozen=True)
class Layer:
    """One layer that holds numbers, or drops them at random.

    Attributes:
        name: Torchvision's dotted attribute name, ``"layer1.0.conv2"``.
        kind: What it computes.
        block: The named block that it belongs to.
        shapes: Shape of each tensor by its last name, in PyTorch's layout: convolutions
            ``(out, in, height, width)``, depthwise ones ``(channels, 1, height, width)``, linear
            layers ``(out, in)``. Empty for layers that drop.
        initial: Standard deviation of random weights, or the value of a scale; None takes the
            rule of its kind (see :mod:`ftkit.backbones.weights`).
        rate: How often a number (``dropout``) or a whole picture's branch (``stochastic_depth``)
            is set to 0 in training; what stays is divided by ``1 - rate``.
        units: How many random numbers a picture needs for that: 1 for stochastic depth.
    """

    name: str
    kind: LayerKind
    block: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    initial: float | None = None
    rate: float = 0.0
    units: int = 0

    @property
    def parameters(self) -> int:
        """How many of its numbers are weights (running statistics are not)."""
        return sum(
            math.prod(shape) for key, shape in self.shapes.items() if not key.startswith("running_")
        )


@dataclass(frozen=True)
class Operation:
    """One step of the forward pass.

    Attributes:
        kind: A layer's kind, or ``relu``, ``relu6``, ``silu``, ``gelu`` (the exact one),
            ``sigmoid``, ``max_pool``, ``avg_pool`` (padding counts as zeros), ``adaptive_pool``
            (means over a grid of ``kernel`` cells), ``global_pool`` (mean over height and width),
            ``flatten`` (in the order channel, row, column), ``add``, ``multiply`` (a map by one
            number per channel) or ``concat`` (of channels).
        inputs: Numbers of the operations that it takes its inputs from; -1 is the picture.
        block: The named block that it belongs to.
        channels: Channels, or numbers, that it gives for a picture.
        layer: Its layer, where it has one.
        kernel: Height and width.
        stride: In both directions.
        padding: Rows and columns of zeros on each side; or ``"same"``, TensorFlow's rule: as many
            as make the output ``ceil(size / stride)``, the odd one below and to the right, and
            not counted in means.
        epsilon: What a normalisation adds to the variance.
        momentum: The weight of a new batch in running statistics.
    """

    kind: str
    inputs: tuple[int, ...]
    block: str
    channels: int
    layer: Layer | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] | Literal["same"] = (0, 0)
    epsilon: float = 1e-5
    momentum: float = 0.1


@dataclass(frozen=True)
class Head:
    """What replaces the pretrained classifier, and any dropout in it.

    It stands behind global average pooling; in VGG behind the hidden layers, in ConvNeXt behind
    the last normalisation.

    Attributes:
        hidden: Units of a hidden layer with ReLU; 0 leaves it out.
        dropout: Probability that a hidden unit (or, without a hidden layer, a feature) is
            set to 0 in training; the others are divided by ``1 - dropout``.
    """

    hidden: int = 0
    dropout: float = 0.0


@dataclass(frozen=True)
class Scaling:
    """How pictures become a network's input: ``(pixel / 255 - mean) / std``, per channel.

    Attributes:
        mean: Mean of each channel on the scale 0..1, in the network's order of channels.
        std: Standard deviation of each, likewise.
        bgr: Whether the network wants blue first.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


@dataclass(frozen=True)
class Architecture:
    """A backbone with a head for so many classes.

    Attributes:
        name: The backbone's name, by which a backend finds torchvision's constructor.
        operations: The forward pass, head included, in an order in which it can be computed.
        block_ends: For each block of the backbone, in order, torchvision's name of the module
            whose output is the block's.
        head: The head that stands behind the backbone.
        head_name: Torchvision's attribute name of what the head replaces.
        classes: Number of outputs.
        image_size: Height and width of the pictures in pixels that the weights were made for.
        scaling: How pictures become its input.
        head_block: Name of the block that is the head.
        keras_layers: Whether it is ``keras.applications``' variant, with Keras's constants.
    """

    name: str
    operations: tuple[Operation, ...]
    block_ends: Mapping[str, str]
    head: Head
    head_name: str
    classes: int
    image_size: int
    scaling: Scaling
    head_block: str = "head"
    keras_layers: bool = False

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer in the order of the forward pass, head included."""
        return tuple(item.layer for item in self.operations if item.layer is not None)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The backbone's blocks in order, without the head."""
        return tuple(self.block_ends)

    @cached_property
    def map_blocks(self) -> tuple[str, ...]:
        """The blocks that end in a map, height × width; those behind it end in a vector."""
        flat = next(item.block for item in self.operations if item.kind == "flatten")
        blocks = (*self.blocks, self.head_block)
        return blocks[: blocks.index(flat)]

    def map_block(self, name: str | None = None) -> str:
        """A block that ends in a map; the last of them where none is named.

        Raises:
            FtkitError: If no block of that name ends in a map.
        """
        if name is not None and name not in self.map_blocks:
            raise unknown_name("block with a map", name, self.map_blocks)
        return name or self.map_blocks[-1]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by its full name, ``"layer1.0.conv2.weight"``."""
        return {
            f"{layer.name}.{key}": shape
            for layer in self.layers
            for key, shape in layer.shapes.items()
        }

    @cached_property
    def drops(self) -> tuple[Layer, ...]:
        """The layers that drop numbers at random in training."""
        return tuple(layer for layer in self.layers if layer.kind in DROPS)

    @cached_property
    def drop_rates(self) -> tuple[float, ...]:
        """The rate behind each column of a batch's mask: the drops one after the other."""
        return tuple(layer.rate for layer in self.drops for _ in range(layer.units))

    @cached_property
    def boundaries(self) -> tuple[int, ...]:
        """Where the network can be cut: an operation's number for each freeze depth, from 0.

        At depth ``k`` it is the one whose output all that follows the first ``k`` blocks takes:
        the picture, the ends of the blocks, and, where all of them are in front, what the first
        layer of the head takes, which in most networks is the last block's output pooled.
        """
        ends = {item.block: number for number, item in enumerate(self.operations)}
        head = next(
            item
            for item in self.operations
            if item.block == self.head_block and item.layer is not None
        )
        return (PICTURE, *(ends[block] for block in self.blocks[:-1]), head.inputs[0])

    def boundary_name(self, depth: int) -> str:
        """The boundary of a freeze depth in words: ``"layer3"``, ``"layer4, pooled"``."""
        if depth == 0:
            return "picture"
        name = self.blocks[depth - 1]
        behind = self.operations[: self.boundaries[depth] + 1]
        pooled = any(
            item.kind == "global_pool" and item.block == self.head_block for item in behind
        )
        return f"{name}, pooled" if pooled else name

    @property
    def parameters(self) -> int:
        """How many weights there are in all."""
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def smallest_image(self) -> int:
        """The smallest pictures, in pixels on a side, that leave something in every layer."""
        size = 1
        while min(min(height, width) for height, width in self._sizes(size)) < 1:
            size += 1
        return size

    def sizes(self, image_size: int) -> list[tuple[int, int]]:
        """Height and width of each operation's output; 1 × 1 where it is a vector.

        Args:
            image_size: Height and width of the pictures in pixels.

        Raises:
            FtkitError: If nothing of so small a picture is left somewhere.
        """
        sizes = self._sizes(image_size)
        if min(min(size) for size in sizes) < 1:
            raise FtkitError(
                f"{self.name} needs pictures of at least {self.smallest_image} pixels; got "
                f"{image_size}. Use --image-size, or a backbone for small pictures."
            )
        return sizes

    def _sizes(self, image_size: int) -> list[tuple[int, int]]:
        sizes: list[tuple[int, int]] = []
        for item in self.operations:
            number = item.inputs[0]
            height, width = (image_size, image_size) if number == PICTURE else sizes[number]
            if item.kind in ("global_pool", "flatten"):
                height, width = 1, 1
            elif item.kind == "adaptive_pool":
                height, width = item.kernel
            elif item.padding == "same":
                height, width = -(-height // item.stride), -(-width // item.stride)
            elif item.kind in ("conv", "depthwise", "max_pool", "avg_pool"):
                height, width = (
                    (size + 2 * pad - kernel) // item.stride + 1
                    for size, pad, kernel in zip((height, width), item.padding, item.kernel)
                )
            sizes.append((height, width))
        return sizes

    def multiplications(self, image_size: int) -> dict[str, int]:
        """Multiply-adds of a forward pass over one picture, by block, the head last.

        Counted in convolutions and linear layers, as torchvision's model cards count them.

        Args:
            image_size: Height and width of the picture in pixels.

        Raises:
            FtkitError: If the picture is too small.
        """
        found = dict.fromkeys((*self.blocks, self.head_block), 0)
        for item, (height, width) in zip(self.operations, self.sizes(image_size)):
            if item.layer is not None and item.kind in ("conv", "depthwise", "linear"):
                found[item.block] += height * width * math.prod(item.layer.shapes["weight"])
        return found
