"""Training in TensorFlow, written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from ftkit.backends.caching import Cache
from ftkit.backends.recording import Recorder
from ftkit.backends.tensorflow.backbones import Network, fingerprints
from ftkit.backends.tensorflow.devices import device_memory_mb, versions
from ftkit.backends.tensorflow.feeding import hold
from ftkit.backends.tensorflow.freezing import apply_freeze, batch_norm_modes
from ftkit.backends.tensorflow.optimizers import make_optimizer, optimizer_groups, set_rate
from ftkit.backends.tensorflow.parts import front, tail
from ftkit.backends.tensorflow.prediction import evaluate
from ftkit.data.batches import Batch, StopAsked, epoch_batches, interruptible
from ftkit.data.dataset import Dataset
from ftkit.freezing import resolve
from ftkit.history import Event
from ftkit.recipe import Phase, Recipe


def make_step(
    network: Network, optimizer: keras.optimizers.Optimizer, recipe: Recipe, depth: int = 0
) -> Callable[[Batch, float], tuple[float, int]]:
    """One training step: forward, loss, backward, update.

    Args:
        network: The network.
        optimizer: What :func:`make_optimizer` made.
        recipe: The loss.
        depth: Blocks that a batch's inputs have been through.

    Returns:
        A function from a batch and a learning rate to the batch's mean loss and how many of it
        were classified rightly, both before the update.
    """
    model, part = network.model, tail(network, depth)
    layers = network.architecture.drops
    drops = [model.get_layer(layer.name) for layer in layers]
    widths = [layer.units for layer in layers]
    variables = [variable for group in optimizer.groups for variable in group["params"]]

    @tf.function(
        input_signature=[
            network.takes(part),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None, None), tf.float64),
            tf.TensorSpec((), tf.float64),
        ],
        autograph=False,  # no branch hangs on a tensor; looking for one takes a second
    )
    def traced(
        inputs: tf.Tensor, labels: tf.Tensor, keep: tf.Tensor, lr: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        set_rate(optimizer, lr)
        if drops and "dropout" not in recipe.differences:
            for drop, columns in zip(drops, tf.split(keep, widths, axis=1)):
                drop.keep = columns if drop.active else None
        with tf.GradientTape() as tape:
            logits = tf.cast(part(network.preprocess(inputs), training=True), network.dtype)
            loss = cross_entropy(labels, logits, recipe)
        gradients = tape.gradient(loss, variables)
        optimizer.apply(gradients, variables)
        correct = tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == labels, tf.int64))
        return loss, correct

    def step(batch: Batch, lr: float) -> tuple[float, int]:
        with tf.device(network.device):
            loss, correct = traced(batch.inputs, batch.labels, batch.keep, lr)
        return float(loss), int(correct)

    return step


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """The mean cross-entropy of a batch, with the recipe's label smoothing.

    Args:
        labels: int64, shape ``(n,)``.
        logits: Shape ``(n, classes)``.
        recipe: The smoothing; and whether to compute from clipped probabilities, as Keras does
            with those that do not come straight from a softmax.
    """
    classes = tf.shape(logits)[1]
    smoothing = recipe.label_smoothing
    target = tf.one_hot(labels, classes, dtype=logits.dtype) * (1 - smoothing)
    target += smoothing / tf.cast(classes, logits.dtype)
    if "cross-entropy" in recipe.differences:
        # Keras looks for a softmax behind its input, and would go back to that one's logits.
        probabilities = tf.identity(tf.nn.softmax(logits))
        losses = keras.losses.categorical_crossentropy(target, probabilities)
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(target, logits)
    return tf.reduce_mean(losses)


def train(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    phases: tuple[Phase, ...],
    should_stop: Callable[[], bool],
    cache: Cache,
) -> Iterator[Event]:
    """Trains a network phase by phase and tells what happens.

    Args:
        network: The network; it is changed.
        dataset: The pictures.
        recipe: Batches, optimiser, loss.
        phases: What to train, in order.
        should_stop: Asked before each step, and before each batch of an evaluation; True ends the
            run there.
        cache: Keeps what the frozen blocks compute.

    Yields:
        The run's events, the last one a ``RunEnd``.
    """
    drop_rates = network.architecture.drop_rates
    buffered = "shuffling" in recipe.differences
    probabilities = np.zeros((0, network.architecture.classes))
    tf.random.set_seed(recipe.seed)  # decides what is dropped where "dropout" is switched on
    with Recorder(network.architecture, dataset, recipe, phases) as recorder:
        for phase in phases:
            states = resolve(phase.freeze, network.architecture)
            apply_freeze(network, states)
            modes = batch_norm_modes(network)
            before = fingerprints(network)
            optimizer = make_optimizer(network, states, recipe, phase)
            set_rate(optimizer, phase.lr)
            groups = optimizer_groups(optimizer)
            yield recorder.start_phase(phase, states)
            make_front = partial(front, network)
            train_on, judge_by = yield from cache.inputs(
                recorder, states, before, make_front, should_stop
            )
            train_on = hold(network, train_on, recipe.augment != "none")
            judge_by = interruptible(hold(network, judge_by, False), should_stop)
            step = make_step(network, optimizer, recipe, train_on.depth)
            for rates in recorder.rates(phase):
                batches = epoch_batches(train_on, recipe, recorder.epoch, drop_rates, buffered)
                for lr in rates:
                    if should_stop():
                        break
                    recorder.start_step()
                    batch = next(batches)
                    loss, correct = step(batch, float(lr))
                    yield recorder.step(batch, loss, correct, float(lr))
                try:
                    val_loss, val_accuracy, probabilities = evaluate(network, judge_by)
                except StopAsked:
                    break
                yield recorder.end_epoch(val_loss, val_accuracy)
            yield recorder.end_phase(states, before, fingerprints(network), groups, modes)
            if should_stop():
                break
        memory = device_memory_mb(network.device)
        device, precision = network.device, network.precision
        yield recorder.end_run(should_stop(), probabilities, device, precision, memory, versions())
