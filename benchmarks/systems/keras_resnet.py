"""Torchvision's ResNet-18 in Keras layers, with the task's weights; Keras has none of its own.

Padding is written out where a stride of two meets a padding of one or three: Keras's `same` would
pad the other side. Batch norm has PyTorch's epsilon and momentum.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from measuring import MEAN, STD, Task
from safetensors.numpy import load_file

WIDTHS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


def _norm_name(conv: str) -> str:
    """The batch norm behind a convolution, by torchvision's names."""
    parent, _, last = conv.rpartition(".")
    name = "1" if last == "0" else last.replace("conv", "bn")
    return f"{parent}.{name}" if parent else name


def _conv_norm(x: keras.KerasTensor, name: str, width: int, kernel: int, stride: int) -> object:
    """A convolution without bias and its batch norm; layers bear torchvision's names."""
    padding = kernel // 2
    if padding and stride > 1:
        x = layers.ZeroPadding2D(padding)(x)
    mode = "same" if stride == 1 else "valid"
    conv = layers.Conv2D(width, kernel, stride, mode, use_bias=False, name=name)
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=_norm_name(name))
    return norm(conv(x))


def backbone(size: int) -> keras.Model:
    """ResNet-18 without pooling and head, of pictures that are already normalised."""
    inputs = keras.Input((size, size, 3))
    x = layers.ReLU()(_conv_norm(inputs, "conv1", 64, 7, 2))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))  # of ReLU's results: 0 is no less
    for stage, width in enumerate(WIDTHS, start=1):
        for block in range(BLOCKS_PER_STAGE):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            shortcut = x
            if stride > 1:
                shortcut = _conv_norm(x, f"{name}.downsample.0", width, 1, stride)
            x = layers.ReLU()(_conv_norm(x, f"{name}.conv1", width, 3, stride))
            x = _conv_norm(x, f"{name}.conv2", width, 3, 1)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    return keras.Model(inputs, x, name="backbone")


def resnet18(task: Task) -> tuple[keras.Model, keras.Model]:
    """The whole network, which takes pictures of 0 to 255, and the backbone inside it.

    The input is scaled inside the model and the backbone is called with ``training=False``, as
    https://keras.io/guides/transfer_learning/ does.
    """
    base = backbone(task.image_size)
    inputs = keras.Input((task.image_size, task.image_size, 3))
    scaled = layers.Rescaling(1 / 255)(inputs)
    scaled = layers.Normalization(mean=MEAN, variance=np.square(STD))(scaled)
    pooled = layers.GlobalAveragePooling2D()(base(scaled, training=False))
    head = layers.Dense(task.classes, name="fc")
    model = keras.Model(inputs, head(pooled))
    tensors = load_file(task.tensors)
    for layer in (*base.layers, head):
        if layer.weights:
            layer.set_weights(_weights(layer, tensors))
    return model, base


def _weights(layer: keras.Layer, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A layer's tensors in Keras's order and layout."""
    if isinstance(layer, layers.BatchNormalization):
        keys = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{layer.name}.{key}"] for key in keys]
    if isinstance(layer, layers.Conv2D):
        return [tensors[f"{layer.name}.weight"].transpose(2, 3, 1, 0)]
    return [tensors[f"{layer.name}.weight"].T, tensors[f"{layer.name}.bias"]]
