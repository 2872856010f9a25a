"""Keras's weight files: the networks that come out of them, and the files that are refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture
from ftkit.backbones.keras_files import read_keras
from ftkit.backbones.weights import initial_tensors, locate
from ftkit.errors import FtkitError

HERE = Path(__file__).parent
KERAS = [name for name, spec in BACKBONES.items() if spec.keras]
STAGED = [name for name in KERAS if name != "vgg16"]  # whose .keras file is not made: 550 MB

# Features of a Keras file's network in PyTorch: its arguments are the folder and backbones.
IN_PYTORCH = """
import pathlib, sys
sys.path.pop(0)
import numpy as np
from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors, locate
import ftkit.backends.pytorch as backend

folder = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    source = locate(name, str(folder / f"{name}.weights.h5"), "pytorch")
    made = architecture(name, Head(), 2, source.zoo)
    network = backend.build(made, initial_tensors(made, source, 0), "fp32", "cpu")
    with np.load(folder / f"{name}.npz") as saved:
        found, own = backend.features(network, saved["images"], made.blocks[-1]), saved["own"]
    print(source.zoo, found.shape == own.shape, np.abs(found - own).max() / np.abs(own).max())
"""


def run(*arguments):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """The folder with Keras's files. Read only, and removed: it holds 1 GB."""
    folder = tmp_path_factory.mktemp("keras-zoo")
    run(HERE / "keras_zoo.py", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def found(zoo):
    """What Keras's process found."""
    return json.loads((zoo / "found.json").read_text(encoding="utf-8"))


def read(path, name="mobilenet_v2", backend="tensorflow"):
    source = locate(name, str(path), backend)
    return initial_tensors(architecture(name, Head(), 2, source.zoo), source, 0)


# Networks of keras.applications, every number random


@pytest.mark.parametrize("name", KERAS)
def test_a_network_from_a_file_in_the_published_format_computes_what_kerass_own_does(found, name):
    record = found[f"{name}_legacy.h5"]
    assert record["zoo"] == "keras"
    assert record["spread"] > 0.1
    assert record["apart"] <= 1e-5


@pytest.mark.parametrize(
    "file", [f"{name}.weights.h5" for name in KERAS] + [f"{name}.keras" for name in STAGED]
)
def test_the_formats_of_today_hold_the_same_tensors(found, file):
    assert found[file] == {"zoo": "keras", "changed": []}


@pytest.mark.parametrize(("name", "layers"), [("mobilenet_v2", 52), ("resnet50", 53)])
def test_in_training_the_variant_moves_its_statistics_as_keras_does(found, name, layers):
    record = found[f"{name} training"]
    assert record["statistics"] == 2 * layers
    assert record["started"] == 0
    assert record["precision"] == ["float64"]
    assert record["apart"] <= 1e-10


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_of_a_users_own_model_the_backbone_is_taken_without_head_and_optimizer(zoo, found, suffix):
    with h5py.File(zoo / "tuned.weights.h5") as file:
        assert "optimizer" in file
    assert {"dense", "Conv1"} < read_keras(zoo / f"tuned{suffix}").keys()
    assert found[f"tuned{suffix}"]["zoo"] == "keras"
    assert found[f"tuned{suffix}"]["changed"] == []
    assert found["tuned.keras"]["spread"] > 0.1
    assert found["tuned.keras"]["apart"] <= 1e-5


# In PyTorch


@pytest.mark.parametrize("name", ["resnet50", "inception_v3", "mobilenet_v2", "efficientnet_b0"])
def test_a_network_that_pytorch_does_not_have_is_refused_there_with_the_difference(zoo, name):
    with pytest.raises(FtkitError) as caught:
        locate(name, str(zoo / f"{name}.keras"), "pytorch")
    variant = BACKBONES[name].keras
    assert f"{name}.keras holds weights for {variant.function} of keras.app" in str(caught.value)
    assert f"which PyTorch does not have: it {variant.differs}." in str(caught.value)
    assert "Use --backends tensorflow, or --weights imagenet." in str(caught.value)


def test_where_the_layers_are_the_same_pytorch_computes_what_keras_does(zoo):
    lines = run("-c", IN_PYTORCH, zoo, "vgg16", "convnext_tiny").splitlines()
    assert len(lines) == 2
    for line in lines:
        taken_for, same_shape, apart = line.split()
        assert (taken_for, same_shape) == ("keras", "True")
        assert float(apart) <= 1e-4


# Networks of ftkit's own, saved by Keras


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
@pytest.mark.parametrize("name", ["resnet_s", "efficientnet_b0"])
@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
def test_a_network_of_ftkits_own_that_keras_saved_is_read_bit_by_bit(zoo, name, suffix, backend):
    path = zoo / f"own_{name}{suffix}"
    assert locate(name, str(path), backend).zoo == "torchvision"
    tensors = read(path, name, backend)
    with np.load(zoo / f"own_{name}.npz") as saved:
        for key in saved.files:
            same = tensors[key].tobytes() == saved[key].tobytes()
            assert same != key.startswith(architecture(name, Head(), 2).head_name), key


# Names of versions before


def legacy(path, layers):
    """A file of the format before Keras 3: groups with the names of their datasets."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [key.encode() for key in arrays]
            for key, array in arrays.items():
                group[key] = array
    return path


def test_names_of_keras_1_and_2_are_read_in_the_order_of_keras_3(tmp_path):
    one, two, three, four = (np.full(2, n, np.float32) for n in (1, 2, 3, 4))
    layers = {
        "block1_conv1": {"block1_conv1_W_1:0": one, "block1_conv1_b_1:0": two},
        "bn": {
            "bn/beta:0": two,
            "bn/gamma:0": one,
            "bn/moving_variance:0": four,
            "bn/moving_mean:0": three,
        },
        "conv_dw": {"conv_dw/bias:0": two, "conv_dw/depthwise_kernel:0": one},
        "flatten": {},
        "scale": {"Variable:0": one},
    }
    found = read_keras(legacy(tmp_path / "w.h5", layers))
    assert {name: [float(a[0]) for a in arrays] for name, arrays in found.items()} == {
        "block1_conv1": [1, 2],
        "bn": [1, 2, 3, 4],
        "conv_dw": [1, 2],
        "scale": [1],
    }


def test_inceptions_numbered_layers_are_found_wherever_the_numbers_begin(zoo, tmp_path):
    wanted = read(zoo / "inception_v3.keras", "inception_v3")
    layers = read_keras(zoo / "inception_v3.keras")
    for first in (1, 95):
        renamed = {}
        for name, arrays in layers.items():
            stem, _, number = re.fullmatch(r"([a-z_]+?2?d?)(_(\d+))?", name).groups()
            new = f"{stem}_{int(number or 0) + first}"
            keys = ("kernel",) if stem == "conv2d" else ("beta", "moving_mean", "moving_variance")
            renamed[new] = {f"{new}/{key}:0": array for key, array in zip(keys, arrays)}
        tensors = read(legacy(tmp_path / f"{first}.h5", renamed), "inception_v3")
        for key, value in wanted.items():
            assert tensors[key].tobytes() == value.tobytes(), key


# What is refused


def test_a_missing_layer_is_named(zoo, tmp_path):
    path = tmp_path / "w.h5"
    shutil.copy(zoo / "mobilenet_v2_legacy.h5", path)
    with h5py.File(path, "a") as file:
        del file["Conv1"], file["bn_Conv1"]
    with pytest.raises(FtkitError) as caught:
        read(path)
    assert (
        f"The weights in {path} do not fit mobilenet_v2. missing: features.0.0.weight, "
        "features.0.1.weight, features.0.1.bias, features.0.1.running_mean and 1 more. Names"
    ) in str(caught.value)


def test_a_wrong_shape_is_named(zoo, tmp_path):
    path = tmp_path / "w.weights.h5"
    shutil.copy(zoo / "mobilenet_v2.weights.h5", path)
    with h5py.File(path, "a") as file:
        [group] = [
            item for item in file["layers"].values() if item["vars"].attrs.get("name") == "Conv1"
        ] or [file["layers/conv2d"]]
        del group["vars/0"]
        group["vars/0"] = np.zeros((3, 3, 3, 16), np.float32)
    with pytest.raises(
        FtkitError,
        match=r"wrong shape: features.0.0.weight is \(16, 3, 3, 3\), expected \(32, 3, 3, 3\)",
    ):
        read(path)


def test_an_extra_layer_is_named(zoo, tmp_path):
    path = tmp_path / "w.h5"
    shutil.copy(zoo / "mobilenet_v2_legacy.h5", path)
    with h5py.File(path, "a") as file:
        group = file.create_group("block_17_expand")
        group.attrs["weight_names"] = ["block_17_expand/kernel"]
        group["block_17_expand/kernel"] = np.zeros((1, 1, 3, 3), np.float32)
    with pytest.raises(FtkitError, match="do not fit mobilenet_v2. unexpected: block_17_expand."):
        read(path)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mobilenet_v2.keras", "resnet50"),
        ("resnet50.keras", "mobilenet_v2"),
        ("inception_v3.keras", "vgg16"),
        ("mobilenet_v2.keras", "inception_v3"),
    ],
)
def test_another_backbones_file_is_refused(zoo, file, name):
    with pytest.raises(FtkitError, match=f"do not fit {name}. missing: .*; unexpected: "):
        read(zoo / file, name)


def test_a_backbone_that_keras_does_not_have_says_which_it_has(zoo):
    with pytest.raises(FtkitError, match="keras.applications has no resnet18; it has resnet50, "):
        locate("resnet18", str(zoo / "mobilenet_v2.keras"), "tensorflow")


@pytest.mark.parametrize("file", ["mobilenet_v2.keras", "mobilenet_v2_legacy.h5"])
def test_a_file_that_is_cut_off_is_refused(zoo, tmp_path, file):
    whole = (zoo / file).read_bytes()
    path = tmp_path / f"w{Path(file).suffix}"
    for length in (0, 10, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FtkitError, match="no readable Keras file: .* damaged or cut off; copy"):
            read(path)


def test_one_flipped_bit_in_a_keras_file_is_found(zoo, tmp_path):
    path = tmp_path / "w.keras"
    content = bytearray((zoo / "mobilenet_v2.keras").read_bytes())
    with zipfile.ZipFile(zoo / "mobilenet_v2.keras") as archive:
        entry = archive.getinfo("model.weights.h5")
    name, extra = struct.unpack("<HH", content[entry.header_offset + 26 :][:4])
    start = entry.header_offset + 30 + name + extra
    content[start + entry.compress_size // 2] ^= 16
    path.write_bytes(content)
    with pytest.raises(FtkitError, match="w.keras is no readable Keras file: Bad CRC-32"):
        read(path)


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_a_text_is_refused(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_text("words", encoding="utf-8")
    with pytest.raises(FtkitError, match=f"w{suffix} is no readable Keras file: .*copy or save"):
        read(path)


def test_a_file_without_layers_or_without_weights_says_how_to_save_them(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["numbers"] = [1.0]
    with pytest.raises(FtkitError, match="w.h5 holds no layer with weights. Save them with model"):
        read(tmp_path / "w.h5")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(FtkitError, match="There is no item named 'model.weights.h5'"):
        read(tmp_path / "w.keras")


@pytest.mark.parametrize("kind", ["missing", "soft", "external", "outside", "compressed"])
def test_numbers_that_are_not_in_the_file_itself_are_refused(tmp_path, kind):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.ones(4, np.float32)
    path = legacy(tmp_path / "w.h5", {"conv": {"conv/bias": np.ones(4, np.float32)}})
    with h5py.File(path, "a") as file:
        group = file["conv"]
        group.attrs["weight_names"] = [b"conv/kernel", b"conv/bias"]
        if kind == "soft":
            group["conv/kernel"] = h5py.SoftLink("/conv/conv/bias")
        elif kind == "external":
            group["conv/kernel"] = h5py.ExternalLink(str(other), "/kernel")
        elif kind == "outside":
            outside = [(str(other), 0, 16)]
            group.create_dataset("conv/kernel", (4,), np.float32, external=outside)
        elif kind == "compressed":
            zeros = np.zeros(4096, np.float32)
            group.create_dataset("conv/kernel", data=zeros, compression="gzip")
    with pytest.raises(FtkitError, match="^Expected .*kernel in "):
        read_keras(path)


def test_a_compressed_keras_file_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "w.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10_000_000))
    with pytest.raises(FtkitError, match="w.keras is compressed"):
        read_keras(path)
