"""Runs inside one framework's process: small questions to a backend, answered in NumPy.

``python probes.py pytorch`` reads one JSON object a line from standard input (``probe``, its
``arguments``, ``in`` and ``out``: npz files) and answers with one line each. A probe gets the
backend module, the arrays and the arguments, and returns a dict of arrays and JSON values.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from ftkit.architecture import Architecture, Head
from ftkit.backbones.catalogue import architecture
from ftkit.data.batches import Batch, epoch_batches
from ftkit.data.dataset import Dataset, Split
from ftkit.freezing import FreezePlan, resolve
from ftkit.recipe import Phase, Recipe

Arrays = dict[str, Any]


def network_of(
    backend: Any,
    arrays: Arrays,
    backbone: str = "resnet_s",
    head: dict[str, Any] | None = None,
    classes: int = 2,
    precision: str = "fp64",
    differences: tuple[str, ...] = (),
) -> tuple[Any, Architecture]:
    made = architecture(backbone, Head(**(head or {})), classes)
    tensors = {name: arrays[name] for name in made.shapes}
    return backend.build(made, tensors, precision, "cpu", tuple(differences)), made


def round_trip(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    network, _ = network_of(backend, arrays, **options)
    return backend.export(network)


def load_other(backend: Any, arrays: Arrays, name: str, shape: list[int]) -> Arrays:
    network, made = network_of(backend, arrays)
    tensors = {key: arrays[key] for key in made.shapes}
    tensors[name] = np.zeros(shape, np.float32)
    backend.load(network, tensors)
    return {}


def inference(backend: Any, arrays: Arrays, **options: Any) -> Arrays:
    network, made = network_of(backend, arrays, **options)
    found = {block: backend.features(network, arrays["images"], block) for block in (*made.blocks,)}
    return {**found, "logits": backend.predict(network, arrays["images"])}


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


def sgd_steps(backend: Any, arrays: Arrays, lr: float, batch_norm: str, **options: Any) -> Arrays:
    """One step on each of ``images`` (steps, n, h, w, 3) with everything learning."""
    network, made = network_of(backend, arrays, **options)
    phase = Phase(1, FreezePlan(batch_norm=batch_norm), lr)
    states = resolve(phase.freeze, made)
    recipe = Recipe(optimizer="sgd", head=made.head)
    backend.apply_freeze(network, states)
    optimizer = backend.make_optimizer(network, states, recipe, phase)
    step = backend.make_step(network, optimizer, recipe)
    losses = []
    for images, labels, keep in zip(arrays["images"], arrays["labels"], arrays["keep"]):
        backend.set_rate(optimizer, lr)
        losses.append(step(Batch(images, labels, keep))[0])
    return {**backend.export(network), "losses": np.array(losses)}


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
        network, dataset_of(arrays), made_recipe, made_recipe.phases, lambda: False
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


def training_after_another_was_built(backend: Any, arrays: Arrays) -> Arrays:
    """A float64 network trains although a float32 one has been built since."""
    network, made = network_of(backend, arrays)
    network_of(backend, arrays, precision="fp32")
    recipe = Recipe(optimizer="sgd", lr=0.1, batch_size=4, precision="fp64")
    phase = Phase(1, FreezePlan(frozen=made.blocks), 0.1)
    events = backend.train(network, dataset_of(arrays), recipe, (phase,), lambda: False)
    return {"losses": [event.loss for event in events if event.kind == "step"]}


def training_after_training(backend: Any, arrays: Arrays) -> Arrays:
    """A network that was trained with shared masks takes a training pass of the caller's own."""
    head = {"hidden": 8, "dropout": 0.5}
    network, made = network_of(backend, arrays, head=head)
    recipe = Recipe(optimizer="sgd", lr=0.1, batch_size=4, precision="fp64", head=made.head)
    phase = Phase(1, FreezePlan(frozen=made.blocks), 0.1)
    list(backend.train(network, dataset_of(arrays), recipe, (phase,), lambda: False))
    backend.apply_freeze(network, resolve(phase.freeze, made))
    pixels = network.preprocess(arrays["images"])
    if backend.__name__.endswith("pytorch"):
        return {"shape": list(network.model(pixels).shape)}
    return {"shape": list(network.model(pixels, training=True).shape)}


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
) -> Arrays:
    """One batch-norm layer over ``x`` (steps, n, h, w, channels), its tensors given."""
    keys = ("weight", "bias", "running_mean", "running_var")
    given = [arrays[key] for key in keys]
    width = arrays["x"].shape[-1]
    if backend.__name__.endswith("pytorch"):
        import torch

        layer = torch.nn.BatchNorm2d(width).double().train(training)
        layer.load_state_dict(dict(zip(keys, map(torch.tensor, given))), strict=False)
        with torch.no_grad():
            outputs = [
                layer(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
                for x in arrays["x"]
            ]
        state = layer.state_dict()
        return {"y": np.array(outputs), **{key: state[key].numpy() for key in keys}}
    import keras

    from ftkit.backends.tensorflow.layers import BatchNorm

    kind = keras.layers.BatchNormalization if own else BatchNorm
    layer = kind(dtype="float64", **(options or {}))
    layer.build(arrays["x"][0].shape)
    if not own:
        layer.policy = "train"
    variables = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    for variable, value in zip(variables, given):
        variable.assign(value)
    outputs = [np.array(layer(x, training=training)) for x in arrays["x"]]
    return {"y": np.array(outputs), **dict(zip(keys, map(np.array, variables)))}


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
    events = list(backend.train(network, data, made_recipe, (phase,), lambda: False))
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
            for batch in epoch_batches(data.train, made_recipe, epoch, made.dropout_units):
                target = np.eye(made.classes)[batch.labels]
                yield np.array(network.preprocess(batch.images)), target

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
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
