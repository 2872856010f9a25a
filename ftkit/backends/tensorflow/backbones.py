"""Networks in Keras: torchvision's architectures, operation by operation, with a new head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ftkit.architecture import Architecture
from ftkit.backbones.catalogue import keras_scaling
from ftkit.backends.tensorflow.devices import pick_device, pick_precision
from ftkit.backends.tensorflow.families import make_model
from ftkit.errors import FtkitError
from ftkit.freezing import fingerprint

DTYPES = {"fp32": "float32", "fp64": "float64", "bf16": "float32"}
_POLICIES = {"fp32": "float32", "fp64": "float64", "bf16": "mixed_bfloat16"}


@dataclass
class Network:
    """A model, and what it was built from.

    Attributes:
        model: A Keras model that takes pictures ``(n, height, width, 3)`` and gives logits.
        architecture: Its layers, as records.
        dtype: Type of its weights and, but for ``"bf16"``, of its arithmetic.
        device: ``"cpu"`` or ``"gpu"``.
        precision: ``"fp32"``, ``"fp64"`` or ``"bf16"``: convolutions and matrix products in
            bfloat16, what needs more in float32.
        predictors: What :func:`~ftkit.backends.tensorflow.prediction.predictor` made, by depth.
        keras_scaling: Whether pictures are scaled as ``keras.applications`` does.
    """

    model: keras.Model
    architecture: Architecture
    dtype: str
    device: str
    precision: str
    predictors: dict[int, Callable[[NDArray[Any]], tf.Tensor]] = field(default_factory=dict)
    keras_scaling: bool = False

    def preprocess(self, inputs: NDArray[Any] | tf.Tensor) -> tf.Tensor:
        """Pictures as the network takes them: see :class:`ftkit.architecture.Scaling`.

        Args:
            inputs: uint8, shape ``(n, height, width, 3)``, RGB. Or activations, of any other
                type: they are taken as they are.

        Returns:
            Shape ``(n, height, width, 3)`` in the network's type; of activations their own.
        """
        if inputs.dtype != tf.uint8:
            return tf.cast(inputs, self.dtype)
        scaling = self.architecture.scaling
        if self.keras_scaling:
            scaling = keras_scaling(self.architecture.name)
        std = np.asarray(scaling.std)
        scale = self._constant(1 / (255 * std))
        shift = self._constant(np.asarray(scaling.mean) / std)
        pixels = tf.cast(inputs, self.dtype)
        pixels = pixels[..., ::-1] if scaling.bgr else pixels
        return pixels * scale - shift

    def takes(self, part: keras.Model) -> tf.TensorSpec:
        """What is handed to a part of the network: bytes where it takes pictures."""
        shape = part.inputs[0].shape
        whole = part.inputs[0] is self.model.inputs[0]
        return tf.TensorSpec(shape, tf.uint8 if whole else self.dtype)

    def _constant(self, values: NDArray[np.float64]) -> tf.Tensor:
        return tf.constant(values, self.dtype)


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
        precision: ``"fp32"``, ``"fp64"``, ``"bf16"``, or ``"auto"``: bfloat16 where the device
            computes in it, else float32.
        device: ``"auto"``, ``"cpu"`` or ``"gpu"``.
        differences: Framework differences that are switched on.
    """
    chosen = pick_device(device)
    precision = pick_precision(precision, chosen)
    keras.config.set_image_data_format("channels_last")  # whatever the user's Keras says
    with tf.device(chosen):
        model = make_model(architecture, _POLICIES[precision], differences)
    native = "input-scaling" in differences
    dtype = DTYPES[precision]
    network = Network(model, architecture, dtype, chosen, precision, keras_scaling=native)
    load(network, tensors)
    return network


def load(network: Network, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Gives a network the tensors, in torchvision's names and layout."""
    for name, (variable, axes) in _variables(network).items():
        shape = network.architecture.shapes[name]
        given = tensors[name]
        if given.shape != shape:
            raise FtkitError(f"Expected {name} of shape {shape}; got {given.shape}.")
        values = given.transpose(axes).reshape(variable.shape)
        variable.assign(values.astype(network.dtype, copy=False))


def export(network: Network) -> dict[str, NDArray[Any]]:
    """A copy of a network's tensors, in torchvision's names and layout."""
    shapes = network.architecture.shapes
    return {
        name: _as_torch(variable, axes, shapes[name])
        for name, (variable, axes) in _variables(network).items()
    }


def fingerprints(network: Network) -> dict[str, str]:
    """A digest of each tensor's bytes: equal where a tensor is bit-equal, without a copy of all."""
    return {
        name: fingerprint(variable.numpy()) for name, (variable, _) in _variables(network).items()
    }


# What Keras calls each tensor, and the order of PyTorch's axes in Keras: convolutions are (out,
# in, height, width) and (height, width, in, out), dense layers (out, in) and (in, out).
_KERAS_NAMES: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "conv": {"weight": ("kernel", (2, 3, 1, 0)), "bias": ("bias", (0,))},
    "depthwise": {"weight": ("kernel", (2, 3, 0, 1)), "bias": ("bias", (0,))},
    "linear": {"weight": ("kernel", (1, 0)), "bias": ("bias", (0,))},
    "batch_norm": {
        "weight": ("gamma", (0,)),
        "bias": ("beta", (0,)),
        "running_mean": ("moving_mean", (0,)),
        "running_var": ("moving_variance", (0,)),
    },
    "layer_norm": {"weight": ("gamma", (0,)), "bias": ("beta", (0,))},
    "scale": {"layer_scale": ("factors", (0, 1, 2))},
}


def _variables(network: Network) -> dict[str, tuple[keras.Variable, tuple[int, ...]]]:
    """Every variable by torchvision's name, with the order of PyTorch's axes in it."""
    found = {}
    for layer in network.architecture.layers:
        for key in layer.shapes:
            name, axes = _KERAS_NAMES[layer.kind][key]
            variable = getattr(network.model.get_layer(layer.name), name)
            found[f"{layer.name}.{key}"] = (variable, axes)
    return found


def _as_torch(
    variable: keras.Variable, axes: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[Any]:
    """A copy in PyTorch's order of axes."""
    values = variable.numpy().reshape([shape[axis] for axis in axes])
    return np.ascontiguousarray(np.transpose(values, np.argsort(axes)))
