"""The published ImageNet weights of each backbone: where they are, and what they reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftkit.backbones.catalogue import BACKBONES, keras_variant
from ftkit.downloads import Download
from ftkit.errors import FtkitError

Published = Literal["imagenet", "imagenet-v2", "native"]
PUBLISHED: tuple[Published, ...] = ("imagenet", "imagenet-v2", "native")

_TORCHVISION = "https://docs.pytorch.org/vision/stable/models.html"
_KERAS = "https://keras.io/api/applications/"
_TORCH_SERVER = "https://download.pytorch.org/models"
_KERAS_SERVER = "https://storage.googleapis.com"


@dataclass(frozen=True)
class Checkpoint:
    """Weights that somebody published.

    Attributes:
        download: The file, at its place in the cache.
        top1: Accuracy on ImageNet's validation pictures in percent, as published.
        source: Where that is said.
        named: What its zoo calls it.
    """

    download: Download
    top1: float
    source: str
    named: str


def _torch(file: str, top1: float, megabytes: float, named: str) -> Checkpoint:
    """Torchvision's file; its name holds the beginning of its SHA-256."""
    digest = file.rpartition("-")[2].removesuffix(".pth")
    place = f"torch/hub/checkpoints/{file}"
    download = Download(f"{_TORCH_SERVER}/{file}", place, f"sha256:{digest}", megabytes)
    return Checkpoint(download, top1, _TORCHVISION, named)


def _keras(folder: str, file: str, top1: float, digest: str, named: str) -> Checkpoint:
    """Keras's file; the checksums stand in ``keras/src/applications``."""
    place = f"keras/models/{file}"
    download = Download(f"{_KERAS_SERVER}/{folder}/{file}", place, digest, None)
    return Checkpoint(download, top1, _KERAS, named)


_V1, _V2 = "IMAGENET1K_V1", "IMAGENET1K_V2"
_APPS = "tensorflow/keras-applications"
_KERNELS = "weights_tf_dim_ordering_tf_kernels"

# Files and accuracies: the weights enums of torchvision 0.29 and keras.applications 3.15. Of the
# latter those without the classifier, unless layers that ftkit keeps are in it.
CHECKPOINTS: dict[str, dict[Published, Checkpoint]] = {
    "resnet18": {"imagenet": _torch("resnet18-f37072fd.pth", 69.758, 46.8, _V1)},
    "resnet34": {"imagenet": _torch("resnet34-b627a593.pth", 73.314, 87.3, _V1)},
    "resnet50": {
        "imagenet": _torch("resnet50-0676ba61.pth", 76.130, 102.5, _V1),
        "imagenet-v2": _torch("resnet50-11ad3fa6.pth", 80.858, 102.5, _V2),
        "native": _keras(
            f"{_APPS}/resnet",
            f"resnet50_{_KERNELS}_notop.h5",
            74.9,
            "md5:4d473c1dd8becc155b73f8504c6f6626",
            "ResNet50",
        ),
    },
    "vgg16": {
        "imagenet": _torch("vgg16-397923af.pth", 71.592, 553.4, _V1),
        "native": _keras(
            f"{_APPS}/vgg16",
            f"vgg16_{_KERNELS}.h5",
            71.3,
            "md5:64373286793e3c8b2b4e3219cbf3544b",
            "VGG16",
        ),
    },
    "inception_v3": {
        "imagenet": _torch("inception_v3_google-0cc3c7bd.pth", 77.294, 108.9, _V1),
        "native": _keras(
            f"{_APPS}/inception_v3",
            f"inception_v3_{_KERNELS}_notop.h5",
            77.9,
            "md5:bcbd6486424b2319ff4ef7d526e38f63",
            "InceptionV3",
        ),
    },
    "mobilenet_v2": {
        "imagenet": _torch("mobilenet_v2-b0353104.pth", 71.878, 14.2, _V1),
        "imagenet-v2": _torch("mobilenet_v2-7ebf99e0.pth", 72.154, 14.2, _V2),
        "native": _keras(
            f"{_APPS}/mobilenet_v2",
            f"mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5",
            71.3,
            "",  # Keras publishes no checksum of this one
            "MobileNetV2",
        ),
    },
    "efficientnet_b0": {
        "imagenet": _torch("efficientnet_b0_rwightman-7f5810bc.pth", 77.692, 21.4, _V1),
        "native": _keras(
            "keras-applications",
            "efficientnetb0_notop.h5",
            77.1,
            "md5:50bc09e76180e00e4465e1a485ddc09d",
            "EfficientNetB0",
        ),
    },
    "convnext_tiny": {
        "imagenet": _torch("convnext_tiny-983f1562.pth", 82.520, 114.4, _V1),
        "native": _keras(
            f"{_APPS}/convnext",
            "convnext_tiny.h5",
            81.3,
            "sha256:8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
            "ConvNeXtTiny",
        ),
    },
}


def checkpoint(name: str, weights: Published, keras: bool = False) -> Checkpoint:
    """The published weights of a backbone.

    Args:
        name: The backbone.
        weights: ``"imagenet"`` or ``"imagenet-v2"``: torchvision's first, and its later recipe;
            ``"native"``: each framework's own zoo.
        keras: Which framework's, under ``"native"``.

    Raises:
        FtkitError: If there are none.
    """
    if weights == "native" and keras:
        keras_variant(name)  # says what there is instead
    elif weights == "native":
        weights = "imagenet"
    found = CHECKPOINTS.get(name, {})
    if weights not in found:
        having = ", ".join(item for item in CHECKPOINTS if weights in CHECKPOINTS[item])
        own = " --weights bundled is there for it." if BACKBONES[name].bundled else ""
        raise FtkitError(
            f"There are no {weights} weights of {name}; there are of {having}.{own} "
            "Choose one of these backbones, or other weights."
        )
    return found[weights]
