"""Which backbones exist, what they are made of, and what their inputs look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

from ftkit.architecture import Architecture, Head, Operation, Scaling
from ftkit.backbones.blueprint import Blueprint, Value
from ftkit.backbones.families.convnext import convnext_tiny
from ftkit.backbones.families.efficientnet import efficientnet_b0
from ftkit.backbones.families.inception import inception_s, inception_v3
from ftkit.backbones.families.mobilenet import mobilenet_v2
from ftkit.backbones.families.resnet import resnet
from ftkit.backbones.families.vgg import vgg
from ftkit.errors import FtkitError, unknown_name

Zoo = Literal["torchvision", "keras"]

# Mean and standard deviation of ImageNet's training pictures, RGB on 0..1, as torchvision's
# weights expect them: https://docs.pytorch.org/vision/stable/models.html
IMAGENET = Scaling((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# To -1..1: the "tf" mode of keras.applications.imagenet_utils, and what torchvision's Inception
# turns its input into (transform_input).
UNIT = Scaling((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# Blue first, on 0..255, minus ImageNet's mean: the "caffe" mode of the same.
CAFFE = Scaling((103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255), bgr=True)


@dataclass(frozen=True)
class KerasVariant:
    """How ``keras.applications`` differs from torchvision in a network of the same name.

    Attributes:
        function: Its function there.
        scaling: How it scales pictures.
        epsilon: What its batch norm adds to the variance.
        momentum: The weight of a new batch in its running statistics.
        differs: What else it does differently, in words.
        same_layers: Whether torchvision's modules compute the same all the same.
    """

    function: str
    scaling: Scaling
    epsilon: float = 1e-3
    momentum: float = 0.01
    differs: str = ""
    same_layers: bool = False


@dataclass(frozen=True)
class Backbone:
    """What a backbone is, before a head is put on.

    Attributes:
        name: The name that a recipe uses: torchvision's, but for the small ones that ship.
        write: Writes its operations.
        image_size: Pixels on a side that it is meant for.
        head_name: Torchvision's attribute name of its classifier.
        bundled: Whether pretrained weights ship with ftkit.
        about: One line for people.
        year: Of the paper.
        paper: Its arXiv number.
        scaling: How pictures become its input.
        epsilon: What its batch norm adds to the variance.
        keras: The network of ``keras.applications``, if it has one.
        keras_like: Where it has none, the backbone whose network there is nearest.
    """

    name: str
    write: Callable[[Blueprint], Value]
    image_size: int
    head_name: str
    bundled: bool
    about: str
    year: int
    paper: str
    scaling: Scaling = IMAGENET
    epsilon: float = 1e-5
    keras: KerasVariant | None = None
    keras_like: str = ""


_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_VGG_S = ((16,), (32,), (64, 64), (128, 128), (256, 256))
_HE, _SIMONYAN, _SZEGEDY = "1512.03385", "1409.1556", "1512.00567"

_ALL = (
    Backbone(
        "resnet_s",
        partial(resnet, width=32, depths=(2, 2, 2, 2), bottleneck=False),
        64,
        "fc",
        bundled=True,
        about="ResNet-18 at half its width, for 64-pixel pictures",
        year=2015,
        paper=_HE,
        keras_like="resnet50",
    ),
    Backbone(
        "vgg_s",
        partial(vgg, widths=_VGG_S, cells=2, units=512, rate=0.2, norm=True, spread=None),
        64,
        "classifier.6",
        bundled=True,
        about="VGG-11 with batch norm, at a quarter to half its width, for 64-pixel pictures",
        year=2014,
        paper=_SIMONYAN,
        keras_like="vgg16",
    ),
    Backbone(
        "inception_s",
        inception_s,
        64,
        "fc",
        bundled=True,
        about="four Inception modules at half their width, for 64-pixel pictures",
        year=2015,
        paper=_SZEGEDY,
        keras_like="inception_v3",
        scaling=UNIT,
        epsilon=1e-3,
    ),
    Backbone(
        "resnet18",
        partial(resnet, width=64, depths=(2, 2, 2, 2), bottleneck=False),
        224,
        "fc",
        bundled=False,
        about="ResNet-18: residual units of two 3 × 3 convolutions",
        year=2015,
        paper=_HE,
        keras_like="resnet50",
    ),
    Backbone(
        "resnet34",
        partial(resnet, width=64, depths=(3, 4, 6, 3), bottleneck=False),
        224,
        "fc",
        bundled=False,
        about="ResNet-34: twice as deep",
        year=2015,
        paper=_HE,
        keras_like="resnet50",
    ),
    Backbone(
        "resnet50",
        partial(resnet, width=64, depths=(3, 4, 6, 3), bottleneck=True),
        224,
        "fc",
        bundled=False,
        about="ResNet-50: residual units that narrow to a bottleneck",
        year=2015,
        paper=_HE,
        keras=KerasVariant(
            "ResNet50",
            CAFFE,
            epsilon=1.001e-5,
            differs="strides in the first 1 × 1 convolution of a unit, not in the 3 × 3, and its "
            "convolutions have biases",
        ),
    ),
    Backbone(
        "vgg16",
        partial(vgg, widths=_VGG16, cells=7, units=4096),
        224,
        "classifier.6",
        bundled=False,
        about="VGG-16: a plain stack of 3 × 3 convolutions; no batch norm",
        year=2014,
        paper=_SIMONYAN,
        keras=KerasVariant("VGG16", CAFFE, differs="has no dropout", same_layers=True),
    ),
    Backbone(
        "inception_v3",
        inception_v3,
        299,
        "fc",
        bundled=False,
        about="Inception v3: parallel branches",
        year=2015,
        paper=_SZEGEDY,
        scaling=UNIT,
        epsilon=1e-3,
        keras=KerasVariant(
            "InceptionV3",
            UNIT,
            differs="leaves padding out of means, and its batch norm does not scale",
        ),
    ),
    Backbone(
        "mobilenet_v2",
        mobilenet_v2,
        224,
        "classifier.1",
        bundled=False,
        about="MobileNetV2: inverted residuals, made for telephones",
        year=2018,
        paper="1801.04381",
        keras=KerasVariant(
            "MobileNetV2",
            UNIT,
            momentum=0.001,
            differs="pads below and on the right only where it strides",
        ),
    ),
    Backbone(
        "efficientnet_b0",
        efficientnet_b0,
        224,
        "classifier.1",
        bundled=False,
        about="EfficientNet-B0: depth, width and picture size grown together",
        year=2019,
        paper="1905.11946",
        keras=KerasVariant(
            "EfficientNetB0",
            IMAGENET,
            differs="pads below and on the right only where it strides",
        ),
    ),
    Backbone(
        "convnext_tiny",
        convnext_tiny,
        224,
        "classifier.2",
        bundled=False,
        about="ConvNeXt-Tiny: convolutions in the manner of transformers; no batch norm",
        year=2022,
        paper="2201.03545",
        keras=KerasVariant(
            "ConvNeXtTiny", IMAGENET, differs="has no stochastic depth", same_layers=True
        ),
    ),
)

BACKBONES = {backbone.name: backbone for backbone in _ALL}


def backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        FtkitError: If there is none.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    return BACKBONES[name]


def architecture(name: str, head: Head, classes: int, zoo: Zoo = "torchvision") -> Architecture:
    """Every operation of a backbone with a head for ``classes`` classes.

    Args:
        name: The backbone's name.
        head: What stands behind it.
        classes: Number of outputs.
        zoo: ``"torchvision"``, or ``"keras"`` for the variant of ``keras.applications``: the same
            names of layers and blocks, other arithmetic.

    Raises:
        FtkitError: If there is no such backbone, or that zoo has none.
    """
    spec = backbone(name)
    scaling = spec.scaling
    keras = zoo == "keras"
    if keras:
        scaling = keras_variant(name).scaling
    operations, block_ends, value = _written(name, keras)
    plan = Blueprint()
    plan.operations = list(operations)
    if not any(item.kind == "flatten" for item in operations):  # else it ends in a vector
        plan.block = "head"
        value = plan.flatten(plan.apply("global_pool", value), 1)
    plan.head(value, spec.head_name, head, classes)
    return Architecture(
        name=name,
        operations=tuple(plan.operations),
        block_ends=block_ends,
        head=head,
        head_name=spec.head_name,
        classes=classes,
        image_size=spec.image_size,
        scaling=scaling,
        keras_layers=keras,
    )


def keras_variant(name: str) -> KerasVariant:
    """What ``keras.applications`` makes of a backbone.

    Raises:
        FtkitError: If it has no such network.
    """
    variant = backbone(name).keras
    if variant is None:
        having = ", ".join(item.name for item in _ALL if item.keras)
        raise FtkitError(
            f"keras.applications has no {name}; it has {having}. "
            "Use --weights imagenet, or another backbone."
        )
    return variant


def keras_scaling(name: str) -> Scaling:
    """How Keras scales pictures for a backbone, or for the nearest one that it has."""
    return keras_variant(backbone(name).keras_like or name).scaling


@cache
def _written(name: str, keras: bool) -> tuple[tuple[Operation, ...], dict[str, str], Value]:
    spec = backbone(name)
    if keras:
        variant = keras_variant(name)
        plan = Blueprint(True, variant.epsilon, variant.momentum)
    else:
        plan = Blueprint(False, spec.epsilon)
    value = spec.write(plan)
    return tuple(plan.operations), plan.block_ends, value
