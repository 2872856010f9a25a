"""The networks of each family in Keras: torchvision's operations, one by one, with a new head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from ftkit.architecture import PICTURE, Architecture, Operation
from ftkit.backends.tensorflow.layers import (
    AdaptivePooling,
    BatchNorm,
    Scale,
    SharedDropout,
    gelu,
)


def make_model(
    architecture: Architecture, dtype: str, differences: tuple[str, ...] = ()
) -> keras.Model:
    """A network whose weights are still to be loaded, its layers named as torchvision's.

    Behind each block of the backbone stands a layer of that name that does nothing.

    Args:
        architecture: What to build.
        dtype: Type of its weights and of its arithmetic, or a Keras policy for both.
        differences: Framework differences that are switched on.
    """
    inputs = keras.Input((None, None, 3), dtype=keras.DTypePolicy(dtype).variable_dtype)
    writer = _Writer(architecture, dtype, differences)
    values = {PICTURE: inputs}
    ends = {item.block: number for number, item in enumerate(architecture.operations)}
    for number, item in enumerate(architecture.operations):
        x = writer.write(item, [values[source] for source in item.inputs])
        if ends[item.block] == number and item.block != architecture.head_block:
            x = layers.Identity(dtype=dtype, name=item.block)(x)
        values[number] = x
    return keras.Model(inputs, x)


class _Writer:
    """Turns operations into Keras layers of one type, as the switched-on differences ask."""

    def __init__(self, architecture: Architecture, dtype: str, differences: tuple[str, ...]):
        self.dtype = dtype
        self.keras_padding = "stride-2-padding" in differences
        self.unbiased = not architecture.keras_layers and "running-variance" not in differences
        keras_constants = "batch-norm-constants" in differences
        # Keras's own networks have theirs already.
        switched = keras_constants and not architecture.keras_layers
        self.constants = {"epsilon": 1e-3, "momentum": 0.01} if switched else {}

    def write(self, item: Operation, inputs: list[Any]) -> Any:
        """The output of one operation."""
        if item.kind in ("add", "multiply", "concat"):
            return _MERGES[item.kind](dtype=self.dtype)(inputs)
        (x,) = inputs
        name = item.layer.name if item.layer else None
        options: dict[str, Any] = {"dtype": self.dtype, "name": name}
        if item.kind in _PLAIN:
            return _PLAIN[item.kind](**options)(x)
        if item.kind in ("conv", "depthwise", "max_pool", "avg_pool"):
            return self.window(item, x, options)
        if item.layer is None:  # adaptive_pool and flatten
            if item.kind == "adaptive_pool":
                return AdaptivePooling(item.kernel, **options)(x)
            x = layers.Permute((3, 1, 2), dtype=self.dtype)(x)  # PyTorch's order
            return layers.Reshape((item.channels,), **options)(x)
        if item.kind == "linear":
            return layers.Dense(item.channels, kernel_initializer="zeros", **options)(x)
        if item.kind == "batch_norm":
            constants = {"epsilon": item.epsilon, "momentum": item.momentum, **self.constants}
            scale = "weight" in item.layer.shapes
            return BatchNorm(**constants, unbiased=self.unbiased, scale=scale, **options)(x)
        if item.kind == "layer_norm":
            return layers.LayerNormalization(epsilon=item.epsilon, **options)(x)
        if item.kind == "scale":
            return Scale(**options)(x)
        return SharedDropout(item.layer.rate, item.layer.units, **options)(x)

    def window(self, item: Operation, x: Any, options: dict[str, Any]) -> Any:
        """A convolution or pooling, padded as PyTorch pads: alike on all sides."""
        padding = "valid"
        half = (item.kernel[0] // 2, item.kernel[1] // 2)
        if item.padding == "same":
            padding = "same"
        elif item.padding != (0, 0):
            # Without a stride the two are one; but TensorFlow's own leaves zeros out of means.
            alike = item.stride == 1 and item.kind != "avg_pool" and all(n % 2 for n in item.kernel)
            if item.padding == half and (alike or (item.stride > 1 and self.keras_padding)):
                padding = "same"
            else:
                x = layers.ZeroPadding2D(item.padding, dtype=self.dtype)(x)
        options = {**options, "strides": item.stride, "padding": padding}
        if item.kind == "max_pool":
            return layers.MaxPooling2D(item.kernel, **options)(x)
        if item.kind == "avg_pool":
            return layers.AveragePooling2D(item.kernel, **options)(x)
        assert item.layer is not None
        options["use_bias"] = "bias" in item.layer.shapes
        if item.kind == "depthwise":
            return layers.DepthwiseConv2D(item.kernel, depthwise_initializer="zeros", **options)(x)
        options["kernel_initializer"] = "zeros"  # nothing is drawn that would be thrown away
        return layers.Conv2D(item.channels, item.kernel, **options)(x)


_MERGES: dict[str, Callable[..., keras.Layer]] = {
    "add": layers.Add,
    "multiply": layers.Multiply,
    "concat": layers.Concatenate,
}
_PLAIN: dict[str, Callable[..., keras.Layer]] = {
    "relu": layers.ReLU,
    "relu6": lambda **options: layers.ReLU(6.0, **options),
    "silu": lambda **options: layers.Activation("silu", **options),
    "gelu": lambda **options: layers.Activation(gelu, **options),
    "sigmoid": lambda **options: layers.Activation("sigmoid", **options),
    "global_pool": lambda **options: layers.GlobalAveragePooling2D(keepdims=True, **options),
}
