"""Makes the bundled weights: a backbone trained from random weights on a source task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from ftkit.data.drawn import TASKS
from ftkit.engine.compare import Experiment, OnEvent, follow
from ftkit.engine.session import Session
from ftkit.environments import check_backends
from ftkit.errors import FtkitError, RunBrokeOff
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.writing import check_writable, writable_folder, write_bytes, write_text


@dataclass(frozen=True)
class Pretrained:
    """What pretraining gave.

    Attributes:
        weights: The safetensors file, half precision, head included.
        card: The model card beside it.
        run: The run that made them.
    """

    weights: Path
    card: Path
    run: Run


def pretrain(
    recipe: Recipe, backend: str, folder: Path, command: str, on_event: OnEvent | None = None
) -> Pretrained:
    """Trains a backbone from random weights, and writes its weights and their card.

    Args:
        recipe: Data, backbone and training; its strategy is ``scratch``.
        backend: Which framework trains.
        folder: Where to write ``BACKBONE.safetensors`` and ``BACKBONE.md``.
        command: What was typed, for the card.
        on_event: Called with the run and each event as they happen.

    Raises:
        FtkitError: If the recipe, the backend or the folder cannot be used.
        RunBrokeOff: If the run failed.
    """
    if recipe.data not in TASKS:
        raise FtkitError(
            f"Expected a drawn task to pretrain on, one of: {', '.join(TASKS)}; got "
            f"{recipe.data!r}. The card that comes with the weights speaks of drawn pictures."
        )
    check_backends((backend,))
    check_writable(folder)
    experiment = Experiment(recipe, (backend,))
    run = Run(backend, "scratch")
    with Session((backend,)) as session:
        trained = session.folder / "trained.safetensors"
        job = experiment.job(session.folder, "scratch", backend, export=trained)
        for _, event in follow(session.worker(backend), job, run):
            if on_event:
                on_event(run, event)
        if run.status != "done":
            raise RunBrokeOff(f"Pretraining did not end: {run.error}\n{run.error_details}".strip())
        tensors = load_file(trained)
    folder = writable_folder(folder)
    halves = save({name: value.astype(np.float16) for name, value in tensors.items()})
    weights = folder / f"{recipe.backbone}.safetensors"
    card = folder / f"{recipe.backbone}.md"
    write_bytes(weights, lambda file: file.write(halves))
    write_text(card, _card(experiment, run, command, len(halves)))
    return Pretrained(weights, card, run)


def _card(experiment: Experiment, run: Run, command: str, size: int) -> str:
    recipe, dataset = experiment.recipe, experiment.dataset
    assert run.end is not None and run.val_accuracy is not None
    versions = ", ".join(f"{name} {version}" for name, version in run.end.versions.items())
    classes = len(dataset.class_names)
    return f"""# {recipe.backbone}, pretrained on {dataset.name}

| | |
|---|---|
| made by | `{command}` |
| data | {dataset.name}: {len(dataset.train):,} training and {len(dataset.val):,} validation \
pictures of {dataset.image_size} x {dataset.image_size} pixels, {classes} classes, \
drawn by ftkit with seed {recipe.seed} |
| validation accuracy | {run.val_accuracy:.3f} (chance is {1 / classes:.3f}), in float32, before \
the weights were rounded to half precision |
| training | {recipe.epochs} epochs, batches of {recipe.batch_size}, {recipe.optimizer}, learning \
rate {recipe.learning_rate:g} ({recipe.schedule}), weight decay {recipe.weight_decay:g}, label \
smoothing {recipe.label_smoothing:g}, augmentation {recipe.augment} |
| time | {run.seconds / 60:.1f} minutes on {run.end.device} |
| parameters | {experiment.architecture.parameters:,}, head included |
| file | safetensors, float16, {size / 2**20:.1f} MiB, torchvision's names |
| versions | {versions} |
| licence | BSD-3-Clause, like ftkit; no third party's data went in |

Meant for teaching: fine-tuning on small pictures. It has seen drawn shapes only, no photograph.
"""
