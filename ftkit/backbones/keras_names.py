"""What ``keras.applications`` calls torchvision's layers, and how it lays out their numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ftkit.architecture import Architecture, Layer
from ftkit.backbones.keras_files import KerasLayers

# Names that a classifier or a normalisation of inputs may have: no part of a backbone.
_OTHER = re.compile(r"(predictions|dense|normalization|logits|top_dense|.*_head_dense)(_\d+)?")


def is_own(layers: KerasLayers, architecture: Architecture) -> bool:
    """Whether the layers have torchvision's names: saved from a Keras network of ftkit's."""
    head = architecture.head_block
    ours = [item.name for item in architecture.layers if item.shapes and item.block != head]
    return 2 * sum(name in layers for name in ours) > len(ours)


def as_tensors(layers: KerasLayers, architecture: Architecture) -> dict[str, NDArray[np.generic]]:
    """A Keras file's arrays in torchvision's names and layout, as far as they are known.

    What is unknown keeps its Keras name, so that a check can list it.

    Args:
        layers: The arrays of each layer.
        architecture: The network that they should fit.
    """
    own = is_own(layers, architecture)
    names = {} if own else _names(layers, architecture)
    found: dict[str, NDArray[np.generic]] = {}
    used = set()
    for layer in architecture.layers:
        name = layer.name if own else names.get(layer.name, "")
        if not layer.shapes or name not in layers:
            continue
        used.add(name)
        arrays = layers[name]
        keys = _keys(layer, len(arrays))
        for key, array in zip(keys, arrays):
            found[f"{layer.name}.{key}"] = _as_torch(layer, key, array)
        for number in range(len(keys), len(arrays)):
            found[f"{name}, variable {number}"] = arrays[number]
    if not own and architecture.name == "vgg16" and "classifier.0.weight" in found:
        found["classifier.0.weight"] = _channels_first(found["classifier.0.weight"])
    for name in sorted(layers.keys() - used):
        if not _OTHER.fullmatch(name):
            found[name] = layers[name][0]
    return found


def _keys(layer: Layer, count: int) -> tuple[str, ...]:
    """The last names of a layer's tensors, in Keras's order."""
    if layer.kind == "batch_norm":
        return ("weight", "bias", "running_mean", "running_var")[4 - min(count, 4) :]
    return ("layer_scale",) if layer.kind == "scale" else ("weight", "bias")


def _as_torch(layer: Layer, key: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    """An array in PyTorch's order of axes; one of another rank stays, for the check to list."""
    if key == "layer_scale":
        return array.reshape(-1, 1, 1)
    if key != "weight" or array.ndim != len(layer.shapes.get(key, ())):
        return array
    if array.ndim == 2:
        return np.ascontiguousarray(array.T)
    if layer.kind == "depthwise" and array.shape[2] != 1:  # (height, width, channels, 1)
        return np.ascontiguousarray(array.transpose(2, 3, 0, 1))
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else array


def _channels_first(weight: NDArray[np.generic]) -> NDArray[np.generic]:
    """VGG's first linear layer: Keras flattens row, column, channel; PyTorch channel first."""
    if weight.shape[1] != 7 * 7 * 512:
        return weight
    apart = weight.reshape(-1, 7, 7, 512).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(apart).reshape(len(weight), -1)


def _names(layers: KerasLayers, architecture: Architecture) -> dict[str, str]:
    """Keras's name of each of torchvision's layers, the classifier's left out."""
    if architecture.name == "inception_v3":
        return _numbered(layers, architecture)
    rename = _RENAMED.get(architecture.name)
    if rename is None:
        return {}
    return {layer.name: rename(layer.name) for layer in architecture.layers}


def _resnet50(name: str) -> str:
    if name in ("conv1", "bn1"):
        return {"conv1": "conv1_conv", "bn1": "conv1_bn"}[name]
    found = re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)", name)
    if not found:
        return ""
    stage, unit, kind, number = found.groups()
    if kind == "downsample.":
        kind, number = ("conv", "bn")[int(number)], "0"
    return f"conv{int(stage) + 1}_block{int(unit) + 1}_{number}_{kind}"


def _vgg16(name: str) -> str:
    linear = {"classifier.0": "fc1", "classifier.3": "fc2"}
    if name in linear:
        return linear[name]
    index, block, number = int(name.split(".")[1]), 1, 0
    for position, pooled in enumerate((4, 9, 16, 23, 30)):
        if index < pooled:
            first = (0, 5, 10, 17, 24)[position]
            block, number = position + 1, (index - first) // 2 + 1
            break
    return f"block{block}_conv{number}"


def _mobilenet_v2(name: str) -> str:
    plain = {"features.0.0": "Conv1", "features.0.1": "bn_Conv1"}
    plain |= {"features.18.0": "Conv_1", "features.18.1": "Conv_1_bn"}
    if name in plain:
        return plain[name]
    found = re.fullmatch(r"features\.(\d+)\.conv\.(\d)(?:\.(\d))?", name)
    if not found:
        return ""
    unit, step, inner = int(found[1]), int(found[2]), found[3]
    prefix = "expanded_conv" if unit == 1 else f"block_{unit - 1}"
    roles = ("depthwise",) if unit == 1 else ("expand", "depthwise")
    if inner is not None:
        return f"{prefix}_{roles[step]}" + ("_BN" if inner == "1" else "")
    return f"{prefix}_project" + ("_BN" if step == len(roles) + 1 else "")


def _efficientnet_b0(name: str) -> str:
    plain = {"features.0.0": "stem_conv", "features.0.1": "stem_bn"}
    plain |= {"features.8.0": "top_conv", "features.8.1": "top_bn"}
    if name in plain:
        return plain[name]
    found = re.fullmatch(r"features\.(\d)\.(\d)\.block\.(\d)\.(\w+)", name)
    if not found:
        return ""
    stage, unit, step, inner = int(found[1]), int(found[2]), int(found[3]), found[4]
    prefix = f"block{stage}{'abcdefgh'[unit]}"
    step += stage == 1  # its units do not widen
    if step == 2:
        return f"{prefix}_se_" + {"fc1": "reduce", "fc2": "expand"}[inner]
    names = {
        0: ("expand_conv", "expand_bn"),
        1: ("dwconv", "bn"),
        3: ("project_conv", "project_bn"),
    }
    return f"{prefix}_{names[step][int(inner)]}"


def _convnext_tiny(name: str) -> str:
    prefix = "convnext_tiny"
    if name == "classifier.0":
        return f"{prefix}_head_layernorm"
    parts = name.split(".")
    number = int(parts[1]) if parts[0] == "features" else -1
    if number == 0:
        return f"{prefix}_stem_" + ("conv", "layernorm")[int(parts[2])]
    if number % 2 == 0:
        return (
            f"{prefix}_downsampling_" + ("layernorm", "conv")[int(parts[2])] + f"_{number // 2 - 1}"
        )
    if number < 0:
        return ""
    kinds = {"0": "depthwise_conv", "2": "layernorm", "3": "pointwise_conv_1"}
    kinds |= {"5": "pointwise_conv_2"}
    role = "layer_scale" if len(parts) == 3 else kinds.get(parts[-1], "")
    return f"{prefix}_stage_{number // 2}_block_{parts[2]}_{role}"


def _numbered(layers: KerasLayers, architecture: Architecture) -> dict[str, str]:
    """Inception's layers have numbers for names, in the order in which they were made."""
    names: dict[str, str] = {}
    for kind, stem in (("conv", "conv2d"), ("batch_norm", "batch_normalization")):
        ours = [layer.name for layer in architecture.layers if layer.kind == kind]
        theirs = [name for name in layers if re.fullmatch(rf"{stem}(_\d+)?", name)]
        theirs.sort(key=lambda name: int(name.removeprefix(stem).lstrip("_") or 0))
        names.update(zip(ours, theirs))
    return names


_RENAMED: dict[str, Callable[[str], str]] = {
    "resnet50": _resnet50,
    "vgg16": lambda name: "" if name.startswith("classifier.6") else _vgg16(name),
    "mobilenet_v2": _mobilenet_v2,
    "efficientnet_b0": _efficientnet_b0,
    "convnext_tiny": _convnext_tiny,
}
