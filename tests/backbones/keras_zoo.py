"""Run in a process of its own: Keras's networks, saved, and held against ftkit's from the files.

Writes the files that tests damage, and ``found.json``, into the folder in its first argument.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import keras
import numpy as np
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from ftkit.architecture import Architecture, Head
from ftkit.backbones.catalogue import BACKBONES, IMAGENET, architecture
from ftkit.backbones.keras_files import read_keras
from ftkit.backbones.keras_names import as_tensors
from ftkit.backbones.weights import initial_tensors, locate

BACKEND = importlib.import_module("ftkit.backends.tensorflow")
FOLDER = Path(sys.argv[1])
SIZES = {"inception_v3": 96, "vgg16": 224, "resnet50": 65, "efficientnet_b0": 65}
# Layers of the classifier that ftkit keeps; without these, a network has none.
LAST = {"vgg16": "fc2", "convnext_tiny": "convnext_tiny_head_layernorm"}
LEGACY = "_legacy.h5"  # the format of the published files
Arrays = dict[str, Any]
FOUND: dict[str, Any] = {}


def network(name: str, rng: np.random.Generator) -> keras.Model:
    """Keras's network with every number random."""
    size = SIZES.get(name, 64)
    options: dict[str, Any] = {"include_top": name in LAST, "input_shape": (size, size, 3)}
    if name in LAST:
        options["classifier_activation"] = None
    function = getattr(keras.applications, BACKBONES[name].keras.function)
    model = function(weights=None, **options)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if variable.name == "count":
            continue
        if "normalization/" in variable.path and shape == (3,):  # as in the published files
            value = np.asarray(IMAGENET.mean)
            if variable.name == "variance":
                value = np.square(IMAGENET.std)
        elif "variance" in variable.path or variable.name == "gamma":
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) <= 1:
            value = rng.normal(0, 0.3, shape)
        else:
            value = rng.standard_normal(shape, np.float32)
            value *= np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        variable.assign(value.astype(np.float32))  # also where the network has more
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def preprocessed(name: str, images: np.ndarray) -> np.ndarray:
    """The pictures as Keras's own function for that network gives them."""
    module = {"resnet50": "resnet", "efficientnet_b0": "efficientnet", "convnext_tiny": "convnext"}
    found = getattr(keras.applications, module.get(name, name))
    return found.preprocess_input(images.astype(keras.config.floatx()))


def written(model: keras.Model, name: str, suffix: str) -> Path:
    path = FOLDER / f"{name}{suffix}"
    if suffix == ".keras":
        model.save(path)
    elif suffix == ".weights.h5":
        model.save_weights(path)
    else:
        with h5py.File(path, "w") as file:
            save_weights_to_hdf5_group(file, model)
    return path


def read(name: str, path: Path) -> tuple[Architecture, Arrays, str]:
    """The network that a file is for, the tensors in it, and whose zoo it was taken to be from."""
    source = locate(name, str(path), "tensorflow")
    made = architecture(name, Head(), 2, source.zoo)
    return made, initial_tensors(made, source, 0), source.zoo


def changed(tensors: Arrays, wanted: Arrays) -> list[str]:
    """Which tensors are not bit-equal."""
    assert tensors.keys() == wanted.keys()
    return [key for key in tensors if tensors[key].tobytes() != wanted[key].tobytes()]


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    return float(np.abs(found - wanted.reshape(found.shape)).max() / np.abs(wanted).max())


def compare_files(name: str) -> None:
    """Each format of Keras's network, read by ours, on the same pictures."""
    rng = np.random.default_rng(0)
    model = network(name, rng)
    size = SIZES.get(name, 64)
    images = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    ending = model.get_layer(LAST[name]).output if name in LAST else model.output
    own = keras.Model(model.input, ending)(preprocessed(name, images), training=False).numpy()
    if name in LAST:
        np.savez(FOLDER / f"{name}.npz", images=images, own=own)
    first: dict[str, np.ndarray] = {}
    for suffix in (LEGACY, ".weights.h5", ".keras"):
        if name == "vgg16" and suffix == ".keras":
            continue  # 550 MB once more
        path = written(model, name, suffix)
        made, tensors, zoo = read(name, path)
        record: dict[str, Any] = {"zoo": zoo}
        FOUND[f"{name}{suffix}"] = record
        if not first:
            first = tensors
            ours = BACKEND.build(made, tensors, "fp32", "cpu")
            found = BACKEND.features(ours, images, made.blocks[-1])
            record |= {"apart": apart(found, own), "spread": float(own.std())}
            del ours
        record["changed"] = changed(tensors, first)
        if name == "vgg16" and suffix == LEGACY:
            path.unlink()


def precision(name: str) -> None:
    """What Keras's layers and its scaling of pictures compute in."""
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)


def compare_training(name: str) -> None:
    """The running statistics after one batch in training, in Keras's network and in ours.

    In float64. They start at zero, so that what is compared is what one batch adds.
    """
    precision("float64")
    rng = np.random.default_rng(1)
    model = network(name, rng)
    for variable in model.weights:
        if variable.name.startswith("moving_"):
            variable.assign(np.zeros(variable.shape))
    size = SIZES.get(name, 64)
    images = rng.integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    made, tensors, _ = read(name, written(model, f"{name}_before", ".weights.h5"))
    ours = BACKEND.build(made, tensors, "fp64", "cpu")
    for layer in ours.model.layers:
        if hasattr(layer, "policy"):
            layer.policy = "train"
    before = BACKEND.export(ours)
    model(preprocessed(name, images), training=True)
    ours.model(ours.preprocess(images), training=True)
    after = BACKEND.export(ours)
    own = as_tensors(read_keras(written(model, f"{name}_after", ".weights.h5")), made)
    precision("float32")
    running = [key for key in made.shapes if ".running_" in key]
    FOUND[f"{name} training"] = {
        "statistics": len(running),
        "started": max(float(np.abs(before[key]).max()) for key in running),
        "precision": sorted({str(own[key].dtype) for key in running}),
        "apart": max(apart(after[key], own[key]) for key in running),
    }


def compare_tuned() -> None:
    """A user's own model on top of MobileNetV2, trained for a step, with its optimiser's state."""
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    base = network("mobilenet_v2", rng)
    layers = [base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, run_eagerly=True)  # tracing takes far longer
    x = preprocessed("mobilenet_v2", images)
    model.train_on_batch(x, np.array([0, 1]))
    own = base(x, training=False).numpy()
    first: dict[str, np.ndarray] = {}
    for suffix in (".keras", ".weights.h5", ".h5"):
        path = FOLDER / f"tuned{suffix}"
        (model.save_weights if suffix == ".weights.h5" else model.save)(path)
        made, tensors, zoo = read("mobilenet_v2", path)
        first = first or tensors
        FOUND[path.name] = {"zoo": zoo, "changed": changed(tensors, first)}
    ours = BACKEND.build(made, tensors, "fp32", "cpu")
    found = BACKEND.features(ours, images, made.blocks[-1])
    FOUND["tuned.keras"] |= {"apart": apart(found, own), "spread": float(own.std())}


def save_own(name: str) -> None:
    """A network of ftkit's own, with numbers that it did not draw, saved by Keras."""
    made = architecture(name, Head(), 2)
    rng = np.random.default_rng(3)
    tensors = {
        key: rng.uniform(0.5, 1.5, shape).astype(np.float32) for key, shape in made.shapes.items()
    }
    ours = BACKEND.build(made, tensors, "fp32", "cpu")
    ours.model.save(FOLDER / f"own_{name}.keras")
    ours.model.save_weights(FOLDER / f"own_{name}.weights.h5")
    np.savez(FOLDER / f"own_{name}.npz", **tensors)


for backbone, spec in BACKBONES.items():
    if spec.keras:
        compare_files(backbone)
for backbone in ("mobilenet_v2", "resnet50"):
    compare_training(backbone)
compare_tuned()
for backbone in ("resnet_s", "efficientnet_b0"):  # the second drops whole maps
    save_own(backbone)
(FOLDER / "found.json").write_text(json.dumps(FOUND), encoding="utf-8")
