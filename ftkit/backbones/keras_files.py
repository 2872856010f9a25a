"""Keras's weight files, read without Keras: ``.keras``, ``.weights.h5`` and the older ``.h5``."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ftkit.errors import FtkitError

KerasLayers = dict[str, list[NDArray[Any]]]
SUFFIXES = (".keras", ".h5")
INSIDE = "model.weights.h5"  # what a .keras file calls its weights
# The order in which Keras 3 writes a layer's variables, for older files that write names.
_ORDER = ("kernel", "gamma", "beta", "bias", "moving_mean", "moving_variance")


def read_keras(path: Path) -> KerasLayers:
    """The arrays of each layer by its name, in the order in which Keras keeps them.

    Nothing in the file is executed: of a ``.keras`` file only the arrays are read.

    Raises:
        FtkitError: If the file is damaged, or holds no weights.
    """
    try:
        with _opened(path) as file:
            found = dict(_layers(file))
    except FtkitError:
        raise
    except Exception as error:  # damaged files make HDF5 and zip raise nearly anything
        raise FtkitError(
            f"{path} is no readable Keras file: {str(error).strip() or type(error).__name__}. "
            "It may be damaged or cut off; copy or save it again."
        ) from error
    if not found:
        raise FtkitError(
            f"{path} holds no layer with weights. Save them with model.save('x.keras') or "
            "model.save_weights('x.weights.h5')."
        )
    return found


def _opened(path: Path) -> h5py.File:
    if path.suffix != ".keras":
        return h5py.File(path, "r")
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(INSIDE).compress_type != zipfile.ZIP_STORED:  # as Keras stores it
            raise FtkitError(f"{path} is compressed; Keras writes it otherwise. Save it again.")
        return h5py.File(io.BytesIO(archive.read(INSIDE)), "r")  # read() checks the checksum


def _layers(file: h5py.File) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    groups: list[tuple[str, h5py.Group]] = []

    def visit(name: str, item: Any) -> None:  # follows no links to elsewhere
        if isinstance(item, h5py.Group) and not name.startswith("optimizer"):
            groups.append((name, item))

    file.visititems(visit)
    for name, group in [("", file), *groups]:
        if name.rpartition("/")[2] == "vars" and len(group):  # Keras 3
            arrays = [_array(group, key) for key in sorted(group, key=int)]
            given = group.attrs.get("name")
            yield _text(given or name.rpartition("/")[0].rpartition("/")[2] or "model"), arrays
        elif "weight_names" in group.attrs and "layer_names" not in group.attrs:  # before
            yield from _older(group)


def _older(group: h5py.Group) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    """A layer, or a model within the model, of the format before Keras 3."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for written in group.attrs["weight_names"]:
        name = _text(written)
        layer, _, key = name.rpartition("/")
        layer = layer.rpartition("/")[2] or (group.name or "").rpartition("/")[2]
        found.setdefault(layer, {})[re.sub(r"(_\d+)?(:0)?$", "", key)] = _array(group, name)
    for layer, arrays in found.items():
        keys = sorted(arrays, key=lambda key: _ORDER.index(_kind(key)))
        yield layer, [arrays[key] for key in keys]


def _kind(key: str) -> str:
    """Which of the known variables a name means: ``depthwise_kernel`` is a kernel."""
    return next((kind for kind in _ORDER if key.endswith(kind)), _ORDER[-1])


def _array(group: h5py.Group, name: str) -> NDArray[Any]:
    """A dataset that lies in the file itself, whole and uncompressed, as Keras writes it."""
    *folders, last = name.split("/")
    for folder in folders:
        group = _own(group, folder)
    item = _own(group, last)
    outside = item.external or item.is_virtual
    if outside or item.id.get_storage_size() < item.nbytes:
        raise FtkitError(
            f"Expected the numbers of {name} in the file itself, uncompressed, as Keras writes "
            "them; they are elsewhere, or missing. Save the weights with Keras."
        )
    return np.asarray(item[()])


def _own(group: h5py.Group, name: str) -> Any:
    """What a group holds under a name, but for links, which may lead to other files."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FtkitError(f"Expected {name} in {group.name}; there is a link, or nothing.")
    return group[name]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
