"""The numbers that a network starts from, as NumPy arrays in torchvision's names."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ftkit.architecture import Architecture, Layer
from ftkit.backbones.catalogue import BACKBONES, backbone
from ftkit.errors import FtkitError, unknown_name
from ftkit.paths import typed_path

Tensors = dict[str, NDArray[np.float32]]
CHUNK = 2**22


def initial_tensors(
    architecture: Architecture, name: str, weights: str, seed: int, glorot_head: bool = False
) -> Tensors:
    """Every tensor of a network before its first step, float32.

    The head is always new; the same seed gives the same head whatever the backbone's weights.

    Args:
        architecture: The network.
        name: Its backbone's name.
        weights: ``"bundled"``, ``"random"`` or the path of a ``.safetensors`` file.
        seed: Decides what is random.
        glorot_head: Draw the head as Keras does instead of as PyTorch does.

    Raises:
        FtkitError: If no weights are bundled, or the file is missing, damaged or of another
            network.
    """
    tensors: Tensors = {}
    for layer in architecture.layers:
        in_head = layer.block == architecture.head_block
        if in_head or weights == "random":
            tensors.update(_random_layer(layer, seed, in_head, glorot_head and in_head))
    if weights == "random":
        return tensors
    given = _bundled(name) if weights == "bundled" else _read(_find(weights))
    wanted = {
        f"{layer.name}.{key}": shape
        for layer in architecture.layers
        if layer.block != architecture.head_block
        for key, shape in layer.shapes.items()
    }
    _check(given, wanted, architecture, name, weights)
    tensors.update({key: given[key].astype(np.float32) for key in wanted})
    return {name: tensors[name] for name in architecture.shapes}


def move_by_one_unit(
    tensors: Mapping[str, NDArray[np.float32]], precision: str, seed: int
) -> dict[str, NDArray[Any]]:
    """Every weight moved up or down, at random, by one unit in the last place.

    All up would shift every sum the same way, much further than rounding does. Running statistics
    stay as they are.

    Args:
        tensors: The tensors of a network.
        precision: Whose last place: ``"fp32"`` or ``"fp64"``.
        seed: Decides which go up.

    Returns:
        The same names, in that precision.
    """
    dtype = np.float64 if precision == "fp64" else np.float32
    rng = np.random.default_rng([seed, 13])
    moved = {}
    for name, value in tensors.items():
        towards = np.where(rng.random(value.shape) < 0.5, np.inf, -np.inf)
        exact = value.astype(dtype)
        moved[name] = exact if ".running_" in name else np.nextafter(exact, towards.astype(dtype))
    return moved


def _random_layer(layer: Layer, seed: int, in_head: bool, keras_like: bool) -> Tensors:
    """A layer's tensors as torchvision's networks draw them, and the head as PyTorch does.

    Weights are normal with the layer's own deviation; where it names none, convolutions have the
    variance 2 / (out × height × width) (He et al. 2015, arXiv:1502.01852, by fan-out). Biases
    are 0, normalisations 1 and 0. Linear layers without a deviation, the head's among them, are
    uniform within 1/sqrt(in), the bias too; as Keras does it, Glorot uniform within
    sqrt(6 / (in + out)) and a bias of zero.
    """
    shapes = layer.shapes
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    drawn = {}
    for key, shape in shapes.items():
        plain = key == "running_var" or (key == "weight" and "norm" in layer.kind)
        drawn[key] = np.full(shape, 1 if plain else 0, np.float32)
    if layer.kind == "scale":
        drawn["layer_scale"][...] = layer.initial
    elif layer.kind == "linear" and (layer.initial is None or in_head):
        out, into = shapes["weight"]
        bound = math.sqrt(6 / (into + out)) if keras_like else 1 / math.sqrt(into)
        drawn["weight"] = rng.uniform(-bound, bound, shapes["weight"]).astype(np.float32)
        if not keras_like:
            drawn["bias"] = rng.uniform(-bound, bound, out).astype(np.float32)
    elif "norm" not in layer.kind and layer.shapes:
        out, _, *window = shapes["weight"]
        std = layer.initial or math.sqrt(2 / (out * math.prod(window)))
        flat = drawn["weight"].reshape(-1)
        for start in range(0, flat.size, CHUNK):  # float64 is drawn: not all of it at once
            part = flat[start : start + CHUNK]
            part[:] = rng.normal(0, std, part.size)
    return {f"{layer.name}.{key}": value for key, value in drawn.items()}


def _bundled(name: str) -> dict[str, NDArray[Any]]:
    if not backbone(name).bundled:
        having = ", ".join(item.name for item in BACKBONES.values() if item.bundled)
        raise FtkitError(
            f"No weights for {name} come with ftkit; they do for {having}. "
            "Use --weights random, --weights FILE, or another backbone."
        )
    with as_file(files("ftkit.backbones") / "bundled" / f"{name}.safetensors") as path:
        return _read(path)


def _find(weights: str) -> Path:
    path = typed_path(weights)
    if path.suffix != ".safetensors":
        raise FtkitError(
            f"{unknown_name('weights', weights, ('bundled', 'random'))} "
            "Or give a file that ends in .safetensors."
        )
    if not path.is_file():
        raise FtkitError(f"There is no weights file at {path}. Check the path.")
    return path


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FtkitError(
            f"{path} is no readable safetensors file: {error}. It may be damaged or cut off; "
            "copy or export it again. Half, single and double precision can be read."
        ) from error


def _check(
    given: Mapping[str, NDArray[Any]],
    wanted: Mapping[str, tuple[int, ...]],
    architecture: Architecture,
    name: str,
    weights: str,
) -> None:
    """Names, shapes and values; the head and PyTorch's batch counters may be there or not."""
    missing = [key for key in wanted if key not in given]
    unexpected = [
        key
        for key in given
        if key not in wanted
        and not key.startswith("fc.")
        and not key.endswith(".num_batches_tracked")
    ]
    wrong = [
        f"{key} is {given[key].shape}, expected {shape}"
        for key, shape in wanted.items()
        if key in given and given[key].shape != shape
    ]
    broken = [
        key
        for key in wanted
        if key in given and not (np.abs(given[key]) <= np.finfo(np.float32).max).all()
    ]
    faults = (
        ("missing", missing),
        ("unexpected", unexpected),
        ("of the wrong shape", wrong),
        ("not finite", broken),
    )
    listed = [f"{what}: {_some(names)}" for what, names in faults if names]
    if listed:
        raise FtkitError(
            f"The weights in {weights} do not fit {name}. " + "; ".join(listed) + ". "
            "Names and shapes must be those of torchvision's ResNet."
        )


def _some(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
