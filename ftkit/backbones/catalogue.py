"""Which backbones exist, what they are made of, and what their inputs look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ftkit.architecture import Architecture, Head, Layer, batch_norm, conv, linear
from ftkit.errors import unknown_name

# Mean and standard deviation of ImageNet's training pictures, RGB on 0..1, as torchvision's
# weights expect them: https://docs.pytorch.org/vision/stable/models.html
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """What a backbone is, before a head is put on.

    Attributes:
        name: The name that a recipe uses.
        family: The builder in each backend.
        width: Channels of the stem; each later block doubles them from the second on.
        depths: Residual units per block.
        image_size: Pixels on a side that it is meant for.
        bundled: Whether pretrained weights ship with ftkit.
        about: One line for people.
    """

    name: str
    family: str
    width: int
    depths: tuple[int, ...]
    image_size: int
    bundled: bool
    about: str


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "resnet_s",
            "resnet",
            32,
            (2, 2, 2, 2),
            64,
            bundled=True,
            about="ResNet-18 at half its width, for 64-pixel pictures",
        ),
        Backbone(
            "resnet18",
            "resnet",
            64,
            (2, 2, 2, 2),
            224,
            bundled=False,
            about="ResNet-18 (He et al. 2015, arXiv:1512.03385)",
        ),
    )
}


def backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        FtkitError: If there is none.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    return BACKBONES[name]


def architecture(name: str, head: Head, classes: int) -> Architecture:
    """Every layer of a backbone with a head for ``classes`` classes.

    Raises:
        FtkitError: If there is no such backbone.
    """
    spec = backbone(name)
    layers = (
        *_resnet_layers(spec.width, spec.depths),
        *_head_layers(spec.width * 8, head, classes),
    )
    return Architecture(
        family=spec.family,
        width=spec.width,
        depths=spec.depths,
        layers=layers,
        head=head,
        head_block="head",
        features=spec.width * 8,
        classes=classes,
        image_size=spec.image_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _resnet_layers(width: int, depths: tuple[int, ...]) -> Iterator[Layer]:
    """The layers of a ResNet of basic blocks, named as torchvision names them."""
    yield conv("conv1", "stem", width, 3, 7)
    yield batch_norm("bn1", "stem", width)
    into = width
    for index, depth in enumerate(depths):
        block, out = f"layer{index + 1}", width * 2**index
        for unit in range(depth):
            prefix = f"{block}.{unit}"
            yield conv(f"{prefix}.conv1", block, out, into, 3)
            yield batch_norm(f"{prefix}.bn1", block, out)
            yield conv(f"{prefix}.conv2", block, out, out, 3)
            yield batch_norm(f"{prefix}.bn2", block, out)
            if into != out:
                yield conv(f"{prefix}.downsample.0", block, out, into, 1)
                yield batch_norm(f"{prefix}.downsample.1", block, out)
            into = out


def _head_layers(features: int, head: Head, classes: int) -> Iterator[Layer]:
    """The head's layers, numbered as PyTorch numbers them within a ``Sequential``.

    Linear, ReLU, dropout, linear; or dropout, linear; or, without dropout, a linear layer alone.
    """
    if head.hidden:
        yield linear("fc.0", "head", head.hidden, features)
        yield linear("fc.3", "head", classes, head.hidden)
    else:
        yield linear("fc.1" if head.dropout else "fc", "head", classes, features)
