"""Training in PyTorch, written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import optim

from ftkit.backends.caching import Cache
from ftkit.backends.pytorch.backbones import Network, fingerprints
from ftkit.backends.pytorch.devices import device_memory_mb, versions
from ftkit.backends.pytorch.feeding import hold
from ftkit.backends.pytorch.freezing import apply_freeze, batch_norm_modes
from ftkit.backends.pytorch.optimizers import make_optimizer, optimizer_groups, set_rate
from ftkit.backends.pytorch.parts import front, tail
from ftkit.backends.pytorch.prediction import evaluate
from ftkit.backends.recording import Recorder
from ftkit.data.batches import Batch, StopAsked, epoch_batches, interruptible
from ftkit.data.dataset import Dataset
from ftkit.freezing import resolve
from ftkit.history import Event
from ftkit.recipe import Phase, Recipe


def make_step(
    network: Network, optimizer: optim.Optimizer, recipe: Recipe, depth: int = 0
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
    drops: list[Any] = [model.get_submodule(layer.name) for layer in layers]
    widths = [layer.units for layer in layers]

    def step(batch: Batch, lr: float) -> tuple[float, int]:
        set_rate(optimizer, lr)
        inputs = network.preprocess(batch.inputs)
        labels = torch.from_numpy(batch.labels).to(network.device)
        if drops and "dropout" not in recipe.differences:
            keep = torch.from_numpy(batch.keep).to(inputs)
            for drop, columns in zip(drops, keep.split(widths, dim=1)):
                drop.keep = columns if drop.training else None
        optimizer.zero_grad()
        with network.arithmetic():
            logits = part(inputs).to(network.dtype)
        loss = torch.nn.functional.cross_entropy(
            logits, labels, label_smoothing=recipe.label_smoothing
        )
        loss.backward()
        optimizer.step()
        correct = (logits.argmax(1) == labels).sum()
        return loss.item(), int(correct.item())

    return step


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
    probabilities = np.zeros((0, network.architecture.classes))
    torch.manual_seed(recipe.seed)  # decides what is dropped where "dropout" is switched on
    with Recorder(network.architecture, dataset, recipe, phases) as recorder:
        for phase in phases:
            if "frozen-batch-norm" in recipe.differences:
                phase = replace(phase, freeze=replace(phase.freeze, frozen_batch_norm="statistics"))
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
                apply_freeze(network, states)
                batches = epoch_batches(train_on, recipe, recorder.epoch, drop_rates)
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
