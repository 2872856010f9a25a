"""Networks in Keras: torchvision's architectures, layer for layer, with a new head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from ftkit.architecture import Architecture
from ftkit.backends.tensorflow.devices import pick_device
from ftkit.backends.tensorflow.layers import BatchNorm, SharedDropout

DTYPES = {"fp32": "float32", "fp64": "float64"}
CAFFE_MEAN = (103.939, 116.779, 123.68)  # B, G, R: keras.applications.imagenet_utils


@dataclass
class Network:
    """A model, and what it was built from.

    Attributes:
        model: A Keras model that takes pictures ``(n, height, width, 3)`` and gives logits.
        architecture: Its layers, as records.
        dtype: Type of its weights and of its arithmetic.
        device: ``"cpu"`` or ``"gpu"``.
        keras_scaling: Whether pictures are scaled as ``keras.applications.resnet`` does.
    """

    model: keras.Model
    architecture: Architecture
    dtype: str
    device: str
    keras_scaling: bool = False

    def preprocess(self, images: NDArray[np.uint8] | tf.Tensor) -> tf.Tensor:
        """Pictures as the network takes them: on 0..1, minus the mean, by the deviation.

        Args:
            images: uint8, shape ``(n, height, width, 3)``, RGB.

        Returns:
            Shape ``(n, height, width, 3)``, in the network's type.
        """
        pixels = tf.cast(images, self.dtype)
        if self.keras_scaling:
            return pixels[..., ::-1] - self._constant(np.asarray(CAFFE_MEAN))
        std = np.asarray(self.architecture.std)
        scale = self._constant(1 / (255 * std))
        shift = self._constant(np.asarray(self.architecture.mean) / std)
        return pixels * scale - shift

    def forward(self, images: NDArray[np.uint8]) -> tf.Tensor:
        """From pictures, uint8, to logits in inference mode."""
        with tf.device(self.device):
            return self._traced(images)

    @cached_property
    def _traced(self) -> Callable[[NDArray[np.uint8]], tf.Tensor]:
        """The forward pass, traced once for all sizes."""

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
        def traced(images: tf.Tensor) -> tf.Tensor:
            return self.model(self.preprocess(images), training=False)

        return traced

    def _constant(self, values: NDArray[np.float64]) -> tf.Tensor:
        return tf.constant(values, self.dtype)


class _Builder:
    """Makes named Keras layers of one type, as the switched-on differences ask."""

    def __init__(self, architecture: Architecture, dtype: str, differences: tuple[str, ...]):
        self.channels = {item.name: item.shapes["weight"][0] for item in architecture.layers}
        self.dtype = dtype
        self.padding = "same" if "stride-2-padding" in differences else "valid"
        keras_constants = "batch-norm-constants" in differences
        self.batch_norm: dict[str, Any] = {
            "epsilon": 1e-3 if keras_constants else 1e-5,
            "momentum": 0.01 if keras_constants else 0.1,
            "unbiased": "running-variance" not in differences,
        }

    def pad(self, x: Any, size: int) -> Any:
        """Zeros on all four sides, unless Keras's own "same" padding is switched on."""
        if self.padding == "same":
            return x
        return layers.ZeroPadding2D(size // 2, dtype=self.dtype)(x)

    def conv(self, x: Any, name: str, size: int, stride: int) -> Any:
        """A convolution without bias, padded as PyTorch's ``padding=size // 2`` does."""
        padding = "same"
        if stride > 1 and size > 1:
            x, padding = self.pad(x, size), self.padding
        return layers.Conv2D(
            self.channels[name],
            size,
            strides=stride,
            padding=padding,
            use_bias=False,
            dtype=self.dtype,
            name=name,
        )(x)

    def norm(self, x: Any, name: str) -> Any:
        """Batch normalisation."""
        return BatchNorm(**self.batch_norm, dtype=self.dtype, name=name)(x)

    def relu(self, x: Any, name: str | None = None) -> Any:
        """max(x, 0)."""
        return layers.ReLU(dtype=self.dtype, name=name)(x)

    def basic_block(self, x: Any, prefix: str, stride: int, name: str | None) -> Any:
        """Two 3 × 3 convolutions beside a short cut (torchvision's ``BasicBlock``)."""
        shortcut = x
        if f"{prefix}.downsample.0" in self.channels:
            shortcut = self.conv(x, f"{prefix}.downsample.0", 1, stride)
            shortcut = self.norm(shortcut, f"{prefix}.downsample.1")
        x = self.relu(self.norm(self.conv(x, f"{prefix}.conv1", 3, stride), f"{prefix}.bn1"))
        x = self.norm(self.conv(x, f"{prefix}.conv2", 3, 1), f"{prefix}.bn2")
        return self.relu(layers.Add(dtype=self.dtype)([x, shortcut]), name)

    def head(self, x: Any, architecture: Architecture) -> Any:
        """Global average pooling, then what the recipe's head says."""
        head = architecture.head
        x = layers.GlobalAveragePooling2D(dtype=self.dtype)(x)
        if head.hidden:
            x = layers.Dense(head.hidden, "relu", dtype=self.dtype, name="fc.0")(x)
        if head.dropout:
            x = SharedDropout(head.dropout, dtype=self.dtype)(x)
        name = architecture.layers[-1].name
        return layers.Dense(architecture.classes, dtype=self.dtype, name=name)(x)


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
        differences: Framework differences that are switched on.
    """
    chosen = pick_device(device)
    keras.config.set_image_data_format("channels_last")  # whatever the user's Keras says
    dtype = DTYPES[precision]
    make = _Builder(architecture, dtype, differences)
    with tf.device(chosen):
        inputs = keras.Input((None, None, 3), dtype=dtype)
        x = make.relu(make.norm(make.conv(inputs, "conv1", 7, 2), "bn1"))
        # Behind a ReLU nothing is below 0: padding with 0 is as good as PyTorch's -inf.
        pool = layers.MaxPooling2D(3, 2, padding=make.padding, dtype=dtype, name="stem")
        x = pool(make.pad(x, 3))
        for index, depth in enumerate(architecture.depths):
            block = f"layer{index + 1}"
            for unit in range(depth):
                stride = 2 if index > 0 and unit == 0 else 1
                last = block if unit == depth - 1 else None
                x = make.basic_block(x, f"{block}.{unit}", stride, last)
        model = keras.Model(inputs, make.head(x, architecture))
    network = Network(model, architecture, dtype, chosen, "input-scaling" in differences)
    load(network, tensors)
    return network


def load(network: Network, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Gives a network the tensors, in torchvision's names and layout."""
    for name, variable in _variables(network).items():
        axes = _TO_KERAS.get(len(variable.shape), (0,))
        variable.assign(np.transpose(tensors[name], axes).astype(network.dtype))


def export(network: Network) -> dict[str, NDArray[Any]]:
    """A copy of a network's tensors, in torchvision's names and layout."""
    tensors = {}
    for name, variable in _variables(network).items():
        axes = _TO_TORCH.get(len(variable.shape), (0,))
        tensors[name] = np.ascontiguousarray(np.transpose(variable.numpy(), axes))
    return tensors


# Convolutions: (out, in, height, width) and (height, width, in, out). Dense: (out, in), (in, out).
_TO_KERAS = {4: (2, 3, 1, 0), 2: (1, 0)}
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}
_KERAS_NAMES = {
    "conv": {"weight": "kernel"},
    "linear": {"weight": "kernel", "bias": "bias"},
    "batch_norm": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
}


def _variables(network: Network) -> dict[str, keras.Variable]:
    """Every variable by torchvision's name."""
    return {
        f"{layer.name}.{key}": getattr(
            network.model.get_layer(layer.name), _KERAS_NAMES[layer.kind][key]
        )
        for layer in network.architecture.layers
        for key in layer.shapes
    }
