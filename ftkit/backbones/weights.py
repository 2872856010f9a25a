"""The numbers that a network starts from, as NumPy arrays in torchvision's names."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ftkit.architecture import Architecture, Head, Layer
from ftkit.backbones.catalogue import BACKBONES, Zoo, architecture, backbone, keras_variant
from ftkit.backbones.checkpoints import PUBLISHED, checkpoint
from ftkit.backbones.keras_files import SUFFIXES as KERAS_SUFFIXES
from ftkit.backbones.keras_files import read_keras
from ftkit.backbones.keras_names import as_tensors, is_own
from ftkit.backbones.state_dict import read_state_dict
from ftkit.downloads import Unreachable, cached, check, fetch, progress_bars
from ftkit.errors import FtkitError, unknown_name
from ftkit.paths import typed_path

Tensors = dict[str, NDArray[np.float32]]
CHUNK = 2**22
TORCH_SUFFIXES = (".pth", ".pt")
FILES = (".safetensors", *TORCH_SUFFIXES, *KERAS_SUFFIXES)
# What a checkpoint may hold beside the network: Inception's auxiliary classifier.
BESIDE = {"inception_v3": ("AuxLogits.",)}


@dataclass(frozen=True)
class Source:
    """Where weights come from, once it is known that they are there.

    Attributes:
        weights: What a recipe calls them.
        zoo: Whose network they are for: torchvision's, or ``keras.applications``' variant.
        path: The file; None for ``"random"`` and ``"bundled"``.
        note: What to tell about them; empty if there is nothing.
    """

    weights: str
    zoo: Zoo = "torchvision"
    path: Path | None = None
    note: str = ""


def locate(name: str, weights: str, backend: str) -> Source:
    """Finds weights, and downloads published ones that are not in the cache.

    Args:
        name: The backbone.
        weights: ``"bundled"``, ``"random"``, ``"imagenet"``, ``"imagenet-v2"``, ``"native"``, or
            the path of a file: ``.safetensors``, a ``.pth`` or ``.pt`` state_dict, ``.keras`` or
            ``.weights.h5``.
        backend: The framework that is to run them: ``"native"`` means another file in each, and
            not every network of Keras's can be had in PyTorch.

    Raises:
        FtkitError: If there are none, or they cannot be fetched, or are damaged.
    """
    if weights == "random":
        return Source(weights)
    if weights == "bundled":
        if not backbone(name).bundled:
            having = ", ".join(item.name for item in BACKBONES.values() if item.bundled)
            raise FtkitError(
                f"No weights for {name} come with ftkit; they do for {having}. "
                "Use --weights imagenet, random or FILE, or another backbone."
            )
        return Source(weights)
    if weights in PUBLISHED:
        if weights == "native":
            keras_variant(name)  # in PyTorch too: half of a comparison is none
        keras = weights == "native" and backend == "tensorflow"
        path, note = _fetched(name, weights, keras)
        if not keras:
            return Source(weights, "torchvision", path, note)
        return Source(weights, "keras", path, f"{note} {_own_input(name, path)}".strip())
    path = _find(weights)
    if path.suffix not in KERAS_SUFFIXES:
        return Source(weights, "torchvision", path)
    layers = read_keras(path)
    if is_own(layers, architecture(name, Head(), 1)):
        return Source(weights, "torchvision", path)
    variant = keras_variant(name)
    if backend == "pytorch" and not variant.same_layers:
        raise FtkitError(
            f"{weights} holds weights for {variant.function} of keras.applications, which "
            f"PyTorch does not have: it {variant.differs}. Use --backends tensorflow, or "
            "--weights imagenet."
        )
    return Source(weights, "keras", path, _own_input(name, path))


def _own_input(name: str, path: Path) -> str:
    """A word about a file that scales its input otherwise than Keras's published weights do.

    EfficientNet's file holds its own mean and variance. In the published one the latter is the
    deviation, and the network divides by its root once more, as
    ``keras/src/applications/efficientnet.py`` tells.
    """
    found = read_keras(path).get("normalization", []) if name == "efficientnet_b0" else []
    if len(found) < 2:
        return ""
    scaling = keras_variant(name).scaling
    mean, variance = (np.ravel(values)[:3] for values in found[:2])
    std = np.asarray(scaling.std)
    usual = any(np.allclose(variance, other, atol=1e-3) for other in (std, std**2))
    if usual and np.allclose(mean, scaling.mean, atol=1e-3):
        return ""
    return (
        f"{path} holds a normalisation of its own for the input (mean {mean.tolist()}, variance "
        f"{variance.tolist()}); it is not used: pictures are scaled as for the published weights."
    )


def _fetched(name: str, weights: Any, keras: bool) -> tuple[Path, str]:
    """The published file, downloaded if need be and held to its checksum."""
    download = checkpoint(name, weights, keras).download
    command = f"ftkit fetch {name}" + ("" if weights == "imagenet" else f" --weights {weights}")
    try:
        with progress_bars() as show:
            fetch(download, show)
    except Unreachable as error:
        small = " or ".join(item.name for item in BACKBONES.values() if item.bundled)
        raise FtkitError(
            f"The {weights} weights of {name} are not in the cache, and "
            f"{str(error).partition('. ')[0]}. Without a network use --weights bundled with "
            f"--backbone {small}; or fill the cache where there is one: {command}."
        ) from error
    path, found = cached(download), check(download)
    if found == "damaged":
        raise FtkitError(
            f"{path} has changed since it was downloaded: it is damaged. Get it again: {command}."
        )
    note = ""
    if found == "unverified":
        note = f"{path} was not downloaded by ftkit and is not known to be the published file."
    return path, note


def initial_tensors(
    architecture: Architecture, weights: str | Source, seed: int, glorot_head: bool = False
) -> Tensors:
    """Every tensor of a network before its first step, float32.

    Args:
        architecture: The network.
        weights: What :func:`locate` found, or a name or path for it to find.
        seed: Decides what is random.
        glorot_head: Draw the head as Keras does instead of as PyTorch does.

    Raises:
        FtkitError: If there are no such weights, or the file is damaged or of another network.
    """
    if isinstance(weights, str):
        backend = "tensorflow" if architecture.keras_layers else "pytorch"
        weights = locate(architecture.name, weights, backend)
    return with_head(backbone_tensors(architecture, weights, seed), architecture, seed, glorot_head)


def backbone_tensors(architecture: Architecture, source: Source, seed: int) -> Tensors:
    """The tensors of a backbone alone, float32.

    Args:
        architecture: The network.
        source: What :func:`locate` found.
        seed: Decides what is random.

    Raises:
        FtkitError: If the file is damaged or of another network.
    """
    layers = [item for item in architecture.layers if item.block != architecture.head_block]
    if source.weights == "random":
        drawn = (_random_layer(layer, seed, in_head=False) for layer in layers)
        return {name: value for tensors in drawn for name, value in tensors.items()}
    given = _read(source, architecture)
    wanted = {
        f"{layer.name}.{key}": shape for layer in layers for key, shape in layer.shapes.items()
    }
    _check(given, wanted, architecture, source.weights)
    return {key: given[key].astype(np.float32, copy=False) for key in wanted}


def with_head(
    backbone: Mapping[str, NDArray[np.float32]],
    architecture: Architecture,
    seed: int,
    glorot_head: bool = False,
) -> Tensors:
    """A backbone's tensors with a new head: the same for a seed, whatever the backbone's weights.

    Args:
        backbone: What :func:`backbone_tensors` gave.
        architecture: The network.
        seed: Decides what is random.
        glorot_head: Draw the head as Keras does instead of as PyTorch does.
    """
    tensors = dict(backbone)
    for layer in architecture.layers:
        if layer.block == architecture.head_block:
            tensors.update(_random_layer(layer, seed, in_head=True, keras_like=glorot_head))
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
        moved[name] = value.astype(dtype)
        if ".running_" not in name:
            flat = moved[name].reshape(-1)
            for start in range(0, flat.size, CHUNK):
                part = flat[start : start + CHUNK]
                towards = np.where(rng.random(part.size) < 0.5, np.inf, -np.inf)
                part[:] = np.nextafter(part, towards.astype(dtype))
    return moved


def _random_layer(layer: Layer, seed: int, in_head: bool, keras_like: bool = False) -> Tensors:
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


def _find(weights: str) -> Path:
    path = typed_path(weights)
    if path.suffix not in FILES:
        names = ("bundled", "random", *PUBLISHED)
        raise FtkitError(
            f"{unknown_name('weights', weights, names)} Or give a file that ends in "
            f"{', '.join(FILES[:-1])} or {FILES[-1]}."
        )
    if not path.is_file():
        raise FtkitError(f"There is no weights file at {path}. Check the path.")
    return path


def _read(source: Source, architecture: Architecture) -> Mapping[str, NDArray[Any]]:
    """The tensors of a source by torchvision's names, as far as they have one."""
    if source.path is None:
        bundled = files("ftkit.backbones") / "bundled" / f"{architecture.name}.safetensors"
        with as_file(bundled) as path:
            return _read_safetensors(path)
    if source.path.suffix in TORCH_SUFFIXES:
        return read_state_dict(source.path)
    if source.path.suffix in KERAS_SUFFIXES:
        return as_tensors(read_keras(source.path), architecture)
    return _read_safetensors(source.path)


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
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
    weights: str,
) -> None:
    """Names, shapes and values; the head and PyTorch's batch counters may be there or not."""
    missing = [key for key in wanted if key not in given]
    unexpected = [
        key
        for key in given
        if key not in wanted
        and not key.startswith((f"{architecture.head_name}.", *BESIDE.get(architecture.name, ())))
        and not key.endswith(".num_batches_tracked")
    ]
    wrong = [
        f"{key} is {given[key].shape}, expected {shape}"
        for key, shape in wanted.items()
        if key in given and given[key].shape != shape
    ]
    there = [key for key in wanted if key in given]
    numbers = [key for key in there if given[key].dtype.kind == "f"]
    other = [f"{key} is {given[key].dtype}" for key in there if given[key].dtype.kind != "f"]
    broken = [key for key in numbers if not (np.abs(given[key]) <= np.finfo(np.float32).max).all()]
    faults = (
        ("missing", missing),
        ("unexpected", unexpected),
        ("of the wrong shape", wrong),
        ("not floating point", other),
        ("not finite", broken),
    )
    listed = [f"{what}: {_some(names)}" for what, names in faults if names]
    if listed:
        raise FtkitError(
            f"The weights in {weights} do not fit {architecture.name}. " + "; ".join(listed) + ". "
            "Names and shapes must be torchvision's, or keras.applications' in a Keras file."
        )


def _some(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
