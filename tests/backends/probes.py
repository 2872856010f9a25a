"""Runs inside one framework's process: small questions to a backend, answered in NumPy.

``python probes.py pytorch`` reads one JSON object a line from standard input (``probe``, its
``arguments``, ``in`` and ``out``: npz files) and answers with one line each. A probe gets the
backend module, the arrays and the arguments, and returns a dict of arrays and JSON values.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ftkit.architecture import Architecture, Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors
from ftkit.backends.caching import Cache
from ftkit.backends.shelves import MemoryShelf
from ftkit.data.batches import Activations, Batch, epoch_batches
from ftkit.data.dataset import Dataset, Split
from ftkit.freezing import FreezePlan, resolve
from ftkit.recipe import Phase, Recipe

Arrays = dict[str, Any]
KINDS = ("kept", "computing", "step", "epoch", "phase_end", "run_end")
DTYPES = {"float32": np.float32, "float64": np.float64}


@lru_cache(maxsize=1)  # vgg16's take seconds to draw
def random_tensors_once(backbone: str, hidden: int, dropout: float) -> Arrays:
    return random_tensors(backbone, {"hidden": hidden, "dropout": dropout})


def random_tensors(
    backbone: str = "resnet_s", head: dict[str, Any] | None = None, classes: int = 2
) -> Arrays:
    """Nothing at its start value: means and biases away from 0, variances and scales from 1."""
    rng = np.random.default_rng(3)
    made = architecture(backbone, Head(**(head or {})), classes)
    tensors = {}
    for name, shape in made.shapes.items():
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            value = rng.uniform(0.5, 1.5, shape)
        elif name.endswith("layer_scale"):
            value = rng.uniform(0.1, 0.5, shape)
        elif len(shape) == 1:
            value = rng.normal(0, 0.3, shape)
        else:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        tensors[name] = value.astype(np.float32)
    return tensors


def network_of(
    backend: Any,
    arrays: Arrays,
    backbone: str = "resnet_s",
    head: dict[str, Any] | None = None,
    classes: int = 2,
    precision: str = "fp64",
    differences: tuple[str, ...] = (),
) -> tuple[Any, Architecture]:
    """A network of the tensors among ``arrays``; without them, of random ones drawn here."""
    made = architecture(backbone, Head(**(head or {})), classes)
    given = arrays if any(name in arrays for name in made.shapes) else None
    given = given or (
        random_tensors_once(backbone, made.head.hidden, made.head.dropout)
        if classes == 2
        else random_tensors(backbone, head, classes)
    )
    tensors = {name: given[name] for name in made.shapes}
    return backend.build(made, tensors, precision, "cpu", tuple(differences)), made


def round_trip(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    network, _ = network_of(backend, arrays, **options)
    return backend.export(network)


def through_network(backend: Any, arrays: Arrays, path: str, **options: Any) -> Arrays:
    """How many tensors of a file come out of a network, and which of them not bit-equal."""
    with np.load(path) as saved:
        tensors = dict(saved)
    network, _ = network_of(backend, tensors, **options)
    return changed_tensors(backend, network, tensors)


def changed_tensors(backend: Any, network: Any, tensors: Arrays) -> Arrays:
    found = backend.export(network)
    dtype = DTYPES[str(network.dtype).removeprefix("torch.")]
    assert list(found) == list(backend.fingerprints(network)) == list(network.architecture.shapes)
    changed = [
        name
        for name, value in found.items()
        if value.dtype != dtype or not np.array_equal(value, tensors[name])
    ]
    return {"tensors": len(found), "changed": changed}


def load_other(backend: Any, arrays: Arrays, name: str, shape: list[int]) -> Arrays:
    network, made = network_of(backend, arrays)
    tensors = {key: arrays[key] for key in made.shapes}
    tensors[name] = np.zeros(shape, np.float32)
    backend.load(network, tensors)
    return {}


def inference(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    """Activations and logits of ``images``, or of each of ``images 0``, ``images 1``, ...

    Where no tensors are given, also whether the ones that were drawn came out bit-equal.
    """
    network, made = network_of(backend, arrays, **options)
    found: Arrays = {}
    if arrays.keys() == {key for key in arrays if key.startswith("images ")}:
        head = made.head
        drawn = random_tensors_once(made.name, head.hidden, head.dropout)
        found = changed_tensors(backend, network, drawn)
    for key, images in arrays.items():
        if key.startswith("images"):
            prefix = key.removeprefix("images").strip()
            prefix = f"{prefix} " if prefix else ""
            for block in made.blocks:
                found[f"{prefix}{block}"] = backend.features(network, images, block)
            found[f"{prefix}logits"] = backend.predict(network, images)
    return found


def quiet_prediction(backend: Any, arrays: Arrays) -> Arrays:
    """Predictions twice over, while the network stands ready for training."""
    network, made = network_of(backend, arrays)
    plan = FreezePlan(frozen=("stem", "layer1"), batch_norm="train", frozen_batch_norm="statistics")
    backend.apply_freeze(network, resolve(plan, made))
    images, labels = arrays["images"], np.zeros(len(arrays["images"]), np.int64)
    before, modes = backend.export(network), backend.batch_norm_modes(network)
    first = backend.predict(network, images)
    backend.features(network, images, "layer2")
    loss, accuracy, probabilities = backend.evaluate(network, Split(images, labels))
    again = backend.predict(network, images)
    after = backend.export(network)
    return {
        "first": first,
        "again": again,
        "moved": [name for name in before if not np.array_equal(before[name], after[name])],
        "modes": modes,
        "modes_after": backend.batch_norm_modes(network),
        "probabilities": probabilities,
        "loss": loss,
        "accuracy": accuracy,
    }


def sgd_steps(
    backend: Any,
    arrays: Arrays,
    lr: float,
    batch_norm: str,
    momentum: float = 0.9,
    switched: tuple[str, ...] = (),
    depth: int = 0,
    path: str | None = None,
    **options: Any,
) -> Arrays:
    """One step on each of ``images`` (steps, n, h, w, 3); the tensors go to a file, if given.

    Tells how many tensors have not moved, and how many drops still hold a mask.
    """
    network, made = network_of(backend, arrays, **options)
    start = backend.fingerprints(network)
    phase = Phase(1, FreezePlan(depth=depth, batch_norm=batch_norm), lr)
    states = resolve(phase.freeze, made)
    recipe = Recipe(optimizer="sgd", head=made.head, momentum=momentum, differences=switched)
    backend.apply_freeze(network, states)
    optimizer = backend.make_optimizer(network, states, recipe, phase)
    step = backend.make_step(network, optimizer, recipe)
    losses = []
    for images, labels, keep in zip(arrays["images"], arrays["labels"], arrays["keep"]):
        losses.append(step(Batch(images, labels, keep), lr)[0])
    end = backend.fingerprints(network)
    tensors = backend.export(network)
    found = {
        "losses": np.array(losses),
        "still": [name for name in start if start[name] == end[name]],
        "masks": sum(drop.keep is not None for drop in drops_of(network)),
    }
    if path:
        np.savez(path, **tensors)
        return found
    return {**found, **tensors}


def drops_of(network: Any) -> list[Any]:
    """The layers of a network that drop."""
    find = getattr(network.model, "get_submodule", None) or network.model.get_layer
    return [find(layer.name) for layer in network.architecture.drops]


def trained_pass(backend: Any, network: Any, images: Any) -> Any:
    """Logits in training mode, without a step."""
    pixels = network.preprocess(images)
    if backend.__name__.endswith("pytorch"):
        return network.model(pixels).detach().numpy()
    return network.model(pixels, training=True).numpy()


def trained_blocks(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    """The activations behind each block in training mode, everything learning, and the logits."""
    network, made = network_of(backend, arrays, **options)
    backend.apply_freeze(network, resolve(FreezePlan(batch_norm="train"), made))
    pixels, model = network.preprocess(arrays["images"]), network.model
    keep = np.split(arrays["keep"], np.cumsum([layer.units for layer in made.drops])[:-1], axis=1)
    found: Arrays = {}
    if backend.__name__.endswith("pytorch"):
        import torch

        for block, name in made.block_ends.items():

            def take(module: Any, inputs: Any, output: Any, block: str = block) -> None:
                values = output.detach().numpy()
                found[block] = (values.transpose(0, 2, 3, 1) if values.ndim == 4 else values).copy()

            model.get_submodule(name).register_forward_hook(take)
        for drop, columns in zip(drops_of(network), keep):
            drop.keep = torch.from_numpy(columns).to(pixels)
        found["logits"] = model(pixels).detach().numpy()
        return found
    import keras

    ends = [model.get_layer(block).output for block in made.blocks]
    for drop, columns in zip(drops_of(network), keep):
        drop.keep = columns
    outputs = keras.Model(model.inputs, [*ends, model.output])(pixels, training=True)
    return {name: value.numpy() for name, value in zip((*made.blocks, "logits"), outputs)}


def frozen_pass(backend: Any, arrays: Arrays, plan: dict[str, Any], **options: Any) -> Arrays:
    """Logits in inference mode, and twice in training mode with what a plan freezes."""
    network, made = network_of(backend, arrays, **options)
    quiet = backend.predict(network, arrays["images"])
    backend.apply_freeze(network, resolve(FreezePlan(**plan), made))
    first, again = (trained_pass(backend, network, arrays["images"]) for _ in range(2))
    return {"quiet": quiet, "first": first, "again": again}


def dataset_of(arrays: Arrays) -> Dataset:
    split = Split(arrays["images"], arrays["labels"])
    return Dataset("made", ("a", "b"), split, split)


def training(
    backend: Any, arrays: Arrays, recipe: dict[str, Any], phases: list[dict[str, Any]]
) -> Arrays:
    """Trains, and looks at the network after every event."""
    made_recipe = Recipe.from_dict({**recipe, "phases": phases, "strategies": ["custom"]})
    network, _ = network_of(backend, arrays, precision=made_recipe.precision)
    before, modes, kinds, audits, losses = backend.export(network), [], [], [], []
    stages = [before]
    for event in backend.train(
        network, dataset_of(arrays), made_recipe, made_recipe.phases, lambda: False, Cache()
    ):
        kinds.append(event.kind)
        modes.append(backend.batch_norm_modes(network))
        if event.kind == "step":
            losses.append(event.loss)
        if event.kind == "phase_end":
            audits.append(event.audit)
            stages.append(backend.export(network))
    moved = [
        [name for name in old if not np.array_equal(old[name], new[name])]
        for old, new in pairwise(stages)
    ]
    return {"kinds": kinds, "modes": modes, "audits": audits, "moved": moved, "losses": losses}


def cached_or_not(
    backend: Any,
    arrays: Arrays,
    recipe: dict[str, Any],
    runs: list[list[dict[str, Any]]],
    cache: dict[str, Any] | None = None,
    weights: str = "",
    traced: bool = True,
    **options: Any,
) -> Arrays:
    """The same training without a cache and with one, for each list of phases.

    Each starts from the same tensors: those that a recipe's weights give, or drawn here. All runs
    with a cache share one. Where TensorFlow is not to trace, it computes operation by operation.
    """
    if not traced and backend.__name__.endswith("tensorflow"):
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
        try:
            return cached_or_not(backend, arrays, recipe, runs, cache, weights, **options)
        finally:
            tf.config.run_functions_eagerly(False)
    network, made = network_of(backend, arrays, precision=recipe["precision"], **options)
    start = random_tensors_once(made.name, made.head.hidden, made.head.dropout)
    start = initial_tensors(made, weights, 0) if weights else start
    data, shared, found = dataset_of(arrays), Cache(**(cache or {})), {}
    trials = [
        (f"{number} {name}", keeper, {**recipe, "phases": phases, "strategies": ["custom"]})
        for number, phases in enumerate(runs)
        for name, keeper in (("uncached", Cache(enabled=False)), ("cached", shared))
    ]
    for name, keeper, given in trials:
        backend.load(network, start)
        whole = Recipe.from_dict(given)
        events = list(backend.train(network, data, whole, whole.phases, lambda: False, keeper))
        told = {kind: [item for item in events if item.kind == kind] for kind in KINDS}
        found |= {
            f"{name} losses": np.array([item.loss for item in told["step"]]),
            f"{name} val": np.array([item.val_loss for item in told["epoch"]]),
            f"{name} probabilities": np.array(told["run_end"][0].val_probabilities),
            f"{name} kept": [asdict(item) for item in told["kept"]],
            f"{name} computed": sum(
                last.total for last in told["computing"] if last.done == last.total
            ),
            f"{name} holds": all(item.audit["holds"] for item in told["phase_end"]),
        }
    return found


def through_the_cut(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    """Logits, whole and through a cut at each depth, and through all cuts one after the other."""
    network, made = network_of(backend, arrays, **options)
    images, depths = arrays["images"], tuple(range(1, len(made.blocks) + 1))
    found = {"whole": backend.predict(network, images)}
    at_once_found = backend.front(network, 0, depths)(images)
    values, start = images, 0
    for depth, taken in zip(depths, at_once_found):
        (values,) = backend.front(network, start, (depth,))(values)
        found[f"{depth} in one pass"] = backend.predict(network, taken, depth)
        found[f"{depth} step by step"] = backend.predict(network, values, depth)
        found[f"{depth} values"] = taken
        start = depth
    return found


def looking(
    backend: Any,
    arrays: Arrays,
    block: str | None = None,
    beside: list[int] | None = None,
    freeze: dict[str, Any] | None = None,
    **options: Any,
) -> Arrays:
    """Grad-CAM's maps of ``images`` for ``labels``, and what they are made of.

    With ``beside``, the maps of those pictures alone too. With ``freeze``, of a network that
    stands ready to train by that plan.
    """
    network, made = network_of(backend, arrays, **options)
    if freeze is not None:
        backend.apply_freeze(network, resolve(FreezePlan(**freeze), made))
    images, labels = arrays["images"], arrays["labels"]
    before, modes = backend.fingerprints(network), backend.batch_norm_modes(network)
    found = {"maps": backend.grad_cam(network, images, labels, block)}
    found["moved"] = before != backend.fingerprints(network)
    found["modes_changed"] = modes != backend.batch_norm_modes(network)
    if beside:
        found["beside"] = backend.grad_cam(network, images[beside], labels[beside], block)
    found["output"] = backend.features(network, images[:1], block or made.map_blocks[-1])
    found["head"] = backend.export(network)[f"{made.layers[-1].name}.weight"]
    return found


def channel_slopes(backend: Any, arrays: Arrays, block: str, step: float, **options: Any) -> Arrays:
    """What the first picture's logits gain where a whole channel of a block rises by 1."""
    network, made = network_of(backend, arrays, **options)
    depth = made.blocks.index(block) + 1
    output = backend.features(network, arrays["images"][:1], block)
    rise = step * np.eye(output.shape[-1])[:, None, None, :]
    up, down = (backend.predict(network, output + way * rise, depth) for way in (1, -1))
    return {"slopes": (up - down) / (2 * step)}


def held(backend: Any, arrays: Arrays, depth: int, augment: str) -> Arrays:
    """Batches and evaluation of what is held on the device, here the CPU, and of what is not."""
    network, _ = network_of(backend, arrays)
    data = dataset_of(arrays).train
    source: Any = data
    if depth:
        (values,) = backend.front(network, 0, (depth,))(data.images)
        shelf = MemoryShelf(values.shape, values.dtype)
        shelf[0 : len(values)] = values
        source = Activations(shelf, data.labels, depth)
    there = backend.hold(network, source, augment != "none", room=10**9)
    recipe = Recipe(batch_size=4, augment=augment)
    pairs = [
        pair
        for epoch in (0, 1)
        for pair in zip(
            epoch_batches(source, recipe, epoch), epoch_batches(there, recipe, epoch), strict=True
        )
    ]
    return {
        "held": there is not source,
        "batches": len(pairs),
        "parted": max(
            float(np.abs(np.asarray(one.inputs) - np.asarray(other.inputs)).max())
            for one, other in pairs
        ),
        "evaluated": [list(backend.evaluate(network, item)[:2]) for item in (source, there)],
    }


def two_precisions(backend: Any, arrays: Arrays, backbone: str, weights: str) -> Arrays:
    """Logits in float32 and in bfloat16, and what the latter keeps at its first boundary."""
    made = architecture(backbone, Head(), 2)
    tensors = initial_tensors(made, weights, 0)
    found = {}
    for precision in ("fp32", "bf16"):
        network = backend.build(made, tensors, precision, "cpu")
        found[precision] = backend.predict(network, arrays["images"])
    (found["kept"],) = backend.front(network, 0, (1,))(arrays["images"])
    return found


def bfloat16_training(backend: Any, arrays: Arrays) -> Arrays:
    """Losses of the same training in float32 and in bfloat16, and the types of its tensors."""
    made = architecture("resnet_s", Head(), 2)
    tensors, found, chosen = initial_tensors(made, "bundled", 0), {}, []
    for precision in ("fp32", "bf16"):
        network = backend.build(made, tensors, precision, "cpu")
        recipe = Recipe(optimizer="sgd", batch_size=8, precision=precision)
        phase = Phase(4, FreezePlan(depth=2, batch_norm="train"), 1e-2)
        events = list(
            backend.train(network, dataset_of(arrays), recipe, (phase,), lambda: False, Cache())
        )
        found[precision] = np.array([item.train_loss for item in events if item.kind == "epoch"])
        chosen.append(events[-1].precision)
    types = sorted({str(value.dtype) for value in backend.export(network).values()})
    return {**found, "types": types, "precision": chosen}


def precision_chosen(backend: Any, arrays: Arrays, precision: str) -> Arrays:
    """What a network built with a recipe's precision computes in."""
    network, _ = network_of(backend, random_tensors(), precision=precision)
    return {"precision": network.precision}


def training_after_another_was_built(backend: Any, arrays: Arrays) -> Arrays:
    """A float64 network trains although a float32 one has been built since."""
    network, made = network_of(backend, arrays)
    network_of(backend, arrays, precision="fp32")
    recipe = Recipe(optimizer="sgd", lr=0.1, batch_size=4, precision="fp64")
    phase = Phase(1, FreezePlan(frozen=made.blocks), 0.1)
    events = backend.train(network, dataset_of(arrays), recipe, (phase,), lambda: False, Cache())
    return {"losses": [event.loss for event in events if event.kind == "step"]}


def training_after_training(backend: Any, arrays: Arrays, depth: int, **options: Any) -> Arrays:
    """A network that was trained with shared masks takes a training pass of the caller's own."""
    network, made = network_of(backend, arrays, **options)
    recipe = Recipe(optimizer="sgd", lr=0.1, batch_size=4, precision="fp64", head=made.head)
    phase = Phase(1, FreezePlan(depth=depth), 1e-5)
    list(backend.train(network, dataset_of(arrays), recipe, (phase,), lambda: False, Cache()))
    backend.apply_freeze(network, resolve(phase.freeze, made))
    masks = sum(drop.keep is not None for drop in drops_of(network))
    return {"shape": list(trained_pass(backend, network, arrays["images"]).shape), "masks": masks}


def stopped_training(backend: Any, arrays: Arrays, after: int) -> Arrays:
    """The events of one step and its evaluation, whose end is asked for after so many questions."""
    asked: list[None] = []

    def should_stop() -> bool:
        asked.append(None)
        return len(asked) > after

    network, _ = network_of(backend, {}, precision="fp32")
    val = Split(arrays["images"], arrays["labels"])
    data = Dataset("made", ("a", "b"), Split(val.images[:4], val.labels[:4]), val)
    recipe = Recipe(optimizer="sgd", batch_size=4, precision="fp32")
    phase = Phase(1, FreezePlan(depth=0), 1e-4)
    events = list(backend.train(network, data, recipe, (phase,), should_stop, Cache()))
    return {"kinds": [event.kind for event in events], "stopped": events[-1].stopped}


def optimizer_steps(
    backend: Any,
    arrays: Arrays,
    recipe: dict[str, Any],
    rates: list[float],
    constants: dict[str, float] | None = None,
) -> Arrays:
    """Feeds made-up gradients of the head, ``weight`` and ``bias`` (steps, ...), and tells it."""
    network, made = network_of(backend, arrays)
    made_recipe = Recipe.from_dict(recipe)
    phase = Phase(1, FreezePlan(frozen=made.blocks), rates[0])
    states = resolve(phase.freeze, made)
    backend.apply_freeze(network, states)
    optimizer = backend.make_optimizer(network, states, made_recipe, phase)
    for key, value in (constants or {}).items():
        setattr(optimizer, key, value)
    weights, biases = [], []
    for weight, bias, rate in zip(arrays["weight"], arrays["bias"], rates):
        backend.set_rate(optimizer, rate)
        if backend.__name__.endswith("pytorch"):
            import torch

            layer = network.model.fc
            layer.weight.grad, layer.bias.grad = torch.tensor(weight), torch.tensor(bias)
            optimizer.step()
        else:
            layer = network.model.get_layer("fc")
            optimizer.apply([weight.T, bias], [layer.kernel, layer.bias])
        tensors = backend.export(network)
        weights.append(tensors["fc.weight"])
        biases.append(tensors["fc.bias"])
    return {"weights": np.array(weights), "biases": np.array(biases)}


def own_optimizer_steps(
    backend: Any, arrays: Arrays, name: str, options: dict[str, Any], rates: list[float]
) -> Arrays:
    """The same with the framework's own class, over two variables of its own."""
    weight, bias = arrays["fc.weight"], arrays["fc.bias"]
    weights, biases = [], []
    if backend.__name__.endswith("pytorch"):
        import torch

        variables = [torch.tensor(weight).double(), torch.tensor(bias).double()]
        optimizer = getattr(torch.optim, name)(variables, lr=rates[0], **options)
    else:
        import keras

        keras.config.set_floatx("float64")
        variables = [keras.Variable(value, dtype="float64") for value in (weight, bias)]
        optimizer = getattr(keras.optimizers, name)(learning_rate=rates[0], **options)
    for gradients in zip(arrays["weight"], arrays["bias"], rates):
        rate = gradients[2]
        if backend.__name__.endswith("pytorch"):
            optimizer.param_groups[0]["lr"] = rate
            for variable, gradient in zip(variables, gradients):
                variable.grad = torch.tensor(gradient)
            optimizer.step()
        else:
            optimizer.learning_rate = rate
            optimizer.apply(list(gradients[:2]), variables)
        weights.append(np.array(variables[0]))
        biases.append(np.array(variables[1]))
    return {"weights": np.array(weights), "biases": np.array(biases)}


def batch_norm(
    backend: Any,
    arrays: Arrays,
    training: bool,
    own: bool = False,
    options: dict[str, Any] | None = None,
    precision: str = "float64",
) -> Arrays:
    """One batch-norm layer over ``x`` (steps, n, h, w, channels), its tensors given."""
    keys = ("weight", "bias", "running_mean", "running_var")
    given = [arrays[key] for key in keys]
    width = arrays["x"].shape[-1]
    if backend.__name__.endswith("pytorch"):
        import torch

        layer = torch.nn.BatchNorm2d(width).to(getattr(torch, precision)).train(training)
        layer.load_state_dict(dict(zip(keys, map(torch.tensor, given))), strict=False)
        with torch.no_grad():
            outputs = [
                layer(torch.tensor(x).to(layer.weight).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
                for x in arrays["x"].astype(precision)
            ]
        state = layer.state_dict()
        return {"y": np.array(outputs), **{key: state[key].numpy() for key in keys}}
    import keras

    from ftkit.backends.tensorflow.layers import BatchNorm

    kind = keras.layers.BatchNormalization if own else BatchNorm
    layer = kind(dtype=precision, **(options or {}))
    layer.build(arrays["x"][0].shape)
    if not own:
        layer.policy = "train"
    variables = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    for variable, value in zip(variables, given):
        variable.assign(value)
    outputs = [np.array(layer(x, training=training)) for x in arrays["x"]]
    return {"y": np.array(outputs), **dict(zip(keys, map(np.array, variables)))}


def layer_values(backend: Any, arrays: Arrays, cells: list[int]) -> Arrays:
    """Adaptive pooling of the maps ``x ...`` (n, h, w, channels), and gelu of ``values``."""
    if backend.__name__.endswith("pytorch"):
        import torch

        layer = torch.nn.AdaptiveAvgPool2d(cells).double()

        def pool(x: Any) -> Any:
            return layer(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()

        gelu = torch.nn.GELU()(torch.tensor(arrays["values"])).numpy()
    else:
        import tensorflow as tf

        from ftkit.backends.tensorflow import layers

        pool_layer = layers.AdaptivePooling(tuple(cells), dtype="float64")

        def pool(x: Any) -> Any:
            return pool_layer(x).numpy()

        gelu = layers.gelu(tf.constant(arrays["values"])).numpy()
    pooled = {key: pool(x) for key, x in arrays.items() if key.startswith("x")}
    return {**pooled, "gelu": gelu}


def own_zoo(backend: Any, arrays: Arrays, backbone: str, training: bool) -> Arrays:
    """Logits of torchvision's own network with the same tensors, and of the one built here.

    Torchvision's gets the pictures as its own records say that they are to be scaled. In training
    mode nothing drops on either side. Its running statistics come back too.
    """
    import torch
    from torchvision import models

    network, made = network_of(backend, arrays, backbone=backbone, classes=5)
    options: dict[str, Any] = {"num_classes": 5}
    if backbone in ("inception_v3", "vgg16"):
        options["init_weights"] = False
    if backbone == "inception_v3":
        options |= {"aux_logits": True, "transform_input": True}  # as with its own weights
    own = getattr(models, backbone)(weights=None, **options).double()
    tensors = {name: torch.tensor(value) for name, value in backend.export(network).items()}
    missing, unexpected = own.load_state_dict(tensors, strict=False)
    if training and backbone == "inception_v3":
        own.AuxLogits = torch.nn.Identity()  # a side exit; it asks for pictures of 299 pixels
    for module in own.modules():
        if type(module).__name__ in ("Dropout", "StochasticDepth"):
            module.p = 0.0
    for module in drops_of(network):
        module.rate = 0.0
    scaling = models.get_model_weights(backbone).DEFAULT.transforms()
    pixels = torch.tensor(arrays["images"]).permute(0, 3, 1, 2).double() / 255
    mean, std = (
        torch.tensor(n, dtype=torch.float64)[:, None, None] for n in (scaling.mean, scaling.std)
    )
    own.train(training)
    network.model.train(training)
    with torch.no_grad():
        wanted = own((pixels - mean) / std)
        found = network.model(network.preprocess(arrays["images"]))
    wanted = getattr(wanted, "logits", wanted)
    own_state, state = own.state_dict(), backend.export(network)
    norms = [name for name in made.shapes if ".running_" in name]
    apart = [float((own_state[name] - torch.tensor(state[name])).abs().max()) for name in norms]
    return {
        "found": found.numpy(),
        "wanted": wanted.numpy(),
        "missing": [name for name in missing if not name.endswith("num_batches_tracked")],
        "unexpected": list(unexpected),
        "statistics_apart": max(apart, default=0.0),
        "statistics_moved": sum(
            not np.array_equal(state[name], tensors[name].numpy()) for name in norms
        ),
    }


def zoo_records(backend: Any, arrays: Arrays, names: dict[str, str]) -> Arrays:
    """What each zoo says of its own networks of 1000 classes; nothing is downloaded."""
    found: Arrays = {}
    for name, function in names.items():
        if backend.__name__.endswith("pytorch"):
            from torchvision import models

            weights = models.get_model_weights(name).IMAGENET1K_V1
            found[name] = {key: weights.meta.get(key) for key in ("num_params", "_ops", "min_size")}
            if name == "inception_v3":
                auxiliary = models.inception.InceptionAux(768, 1000)
                found[name]["auxiliary"] = sum(item.numel() for item in auxiliary.parameters())
            found[name]["image_size"] = weights.transforms().crop_size[0]
        else:
            import keras

            model = getattr(keras.applications, function)(weights=None)
            found[name] = {
                "num_params": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
                "image_size": model.input_shape[1],
            }
            keras.backend.clear_session()
    return found


def compiled(
    backend: Any, arrays: Arrays, recipe: dict[str, Any], depth: int, batch_norm: str, how: str
) -> Arrays:
    """The losses of ``backend.train`` and those of Keras's own compile and fit."""
    import keras

    made_recipe = Recipe.from_dict(recipe)
    network, made = network_of(backend, arrays, precision="fp64")
    plan = FreezePlan(frozen=made.blocks[:depth], batch_norm=batch_norm)
    phase = Phase(made_recipe.epochs, plan, made_recipe.learning_rate)
    data = dataset_of(arrays)
    events = list(backend.train(network, data, made_recipe, (phase,), lambda: False, Cache()))
    trained = backend.export(network)

    backend.load(network, arrays)
    states = resolve(plan, made)
    backend.apply_freeze(network, states)
    model = network.model
    model.compile(
        optimizer=backend.make_optimizer(network, states, made_recipe, phase),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=made_recipe.label_smoothing
        ),
    )

    def batches() -> Iterator[tuple[Any, Any]]:
        for epoch in range(made_recipe.epochs):
            for batch in epoch_batches(data.train, made_recipe, epoch, made.drop_rates):
                target = np.eye(made.classes)[batch.labels]
                yield np.array(network.preprocess(batch.inputs)), target

    losses: list[float] = []
    if how == "train_on_batch":
        for images, target in batches():
            model.reset_metrics()
            losses.append(float(model.train_on_batch(images, target)))
    else:

        class Losses(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
                model.reset_metrics()  # else Keras reports a running mean

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                losses.append(float(logs["loss"]))

        steps = sum(event.kind == "step" for event in events)
        model.fit(batches(), steps_per_epoch=steps, verbose=0, callbacks=[Losses()])
    fitted = backend.export(network)
    return {
        "losses": np.array([event.loss for event in events if event.kind == "step"]),
        "fit_losses": np.array(losses),
        "weights_parted": max(float(np.abs(trained[k] - fitted[k]).max()) for k in fitted),
    }


def keras_same_padding(backend: Any, arrays: Arrays) -> Arrays:
    """The stem with the switch on, and the same convolution and pooling by Keras itself."""
    import tensorflow as tf
    from keras import ops

    network, _ = network_of(backend, arrays, differences=("stride-2-padding",))
    found = backend.features(network, arrays["images"], "stem")
    kernel = np.transpose(arrays["conv1.weight"].astype(np.float64), (2, 3, 1, 0))
    x = ops.conv(network.preprocess(arrays["images"]), kernel, strides=2, padding="same")
    keys = ("running_mean", "running_var", "weight", "bias")
    mean, variance, scale, shift = (arrays[f"bn1.{key}"].astype(np.float64) for key in keys)
    x = tf.nn.relu((x - mean) / np.sqrt(variance + 1e-5) * scale + shift)
    wanted = ops.max_pool(x, 3, strides=2, padding="same")
    return {"found": found, "wanted": np.array(wanted)}


def keras_cross_entropy(backend: Any, arrays: Arrays, between: str) -> Arrays:
    """Keras's own loss of a softmax layer's output, with something behind that layer or nothing.

    Eagerly, as ``evaluate`` computes it, and from what ``predict`` gave; and the eager one's
    gradient at the logits.
    """
    import keras
    import tensorflow as tf

    before = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        options = {"use_bias": False, "kernel_initializer": "identity"}
        policy = "mixed_float16" if between == "a cast from float16" else "float32"
        model = keras.Sequential([keras.layers.Dense(2, "softmax", dtype=policy, **options)])
        if between == "a layer":
            model.add(keras.layers.Rescaling(1.0))
        loss_of = keras.losses.CategoricalCrossentropy()
        model.compile("sgd", loss_of)
        logits = tf.constant(arrays["logits"])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = loss_of(arrays["target"], model(logits))
        return {
            "eager": float(loss),
            "evaluated": float(model.evaluate(logits, arrays["target"], verbose=0)),
            "predicted": float(loss_of(arrays["target"], model.predict(logits, verbose=0))),
            "gradient": np.array(tape.gradient(loss, logits)),
        }
    finally:
        keras.config.set_floatx(before)


def switched_cross_entropy(backend: Any, arrays: Arrays, differences: list[str]) -> Arrays:
    """The loss of ftkit's step, eagerly and traced."""
    import tensorflow as tf

    from ftkit.backends.tensorflow.training import cross_entropy

    recipe = Recipe(differences=tuple(differences))
    given = tf.constant(arrays["labels"]), tf.constant(arrays["logits"])
    traced = tf.function(lambda labels, logits: cross_entropy(labels, logits, recipe))
    return {"eager": float(cross_entropy(*given, recipe)), "traced": float(traced(*given))}


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    backend = importlib.import_module(f"ftkit.backends.{sys.argv[1]}")
    for line in sys.stdin:
        asked = json.loads(line)
        probe: Callable[..., Arrays] = globals()[asked["probe"]]
        try:
            with np.load(asked["in"]) as given:
                arrays = dict(given)
            found = probe(backend, arrays, **asked["arguments"])
            kept = {name: item for name, item in found.items() if isinstance(item, np.ndarray)}
            np.savez(asked["out"], **kept)
            values = {name: item for name, item in found.items() if name not in kept}
            answer = {"values": values}
        except Exception as error:
            answer = {
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        arrays = found = kept = {}
        gc.collect()  # models hold themselves in cycles; vgg16's takes gigabytes
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
