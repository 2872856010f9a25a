"""Asks each framework where its trained network looks."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ftkit.engine.session import Session
from ftkit.errors import FtkitError, RunBrokeOff
from ftkit.history import Explained, Run, RunFailed
from ftkit.recipe import Recipe

NO_WEIGHTS = (
    'These results carry no weights. Run it with ftkit.compare(recipe, export="weights"), which '
    "writes them into the folder weights."
)


def explain(
    session: Session,
    recipe: Recipe,
    runs: Mapping[str, Run],
    classes: int,
    images: NDArray[np.uint8],
    labels: Mapping[str, NDArray[np.int64]],
    block: str | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Grad-CAM of some pictures by the final weights of some runs, in each framework at once.

    Args:
        session: The workers.
        recipe: What was run.
        runs: A run of each framework, whose weights were exported.
        classes: How many the network tells apart.
        images: uint8, shape ``(n, height, width, 3)``, RGB.
        labels: For each framework the class that is asked for, for each picture.
        block: Of which block's output; None takes the last that is a map.

    Returns:
        For each framework a map per picture, float32, shape ``(n, height, width)`` of the block.

    Raises:
        FtkitError: If the weights of a run are not there.
        RunBrokeOff: If a framework could not compute them.
    """
    for run in runs.values():
        check_weights(run)
    with tempfile.TemporaryDirectory(prefix="explain-", dir=session.folder) as name:
        jobs = {
            backend: _job(Path(name), recipe, run, classes, images, labels[backend], block)
            for backend, run in runs.items()
        }
        with ThreadPoolExecutor(len(jobs)) as pool:
            found = pool.map(lambda backend: _ask(session, backend, jobs[backend]), jobs)
            return dict(zip(jobs, found))


def check_weights(run: Run) -> None:
    """Checks that a run's final weights are there.

    Raises:
        FtkitError: If they were not exported, or are gone.
    """
    if not run.weights:
        raise FtkitError(NO_WEIGHTS)
    if not Path(run.weights).is_file():
        raise FtkitError(
            f"Expected the weights of {run.name} at {run.weights}; there is no such file. Run it "
            "again with export=, or put the file back."
        )


def _job(
    folder: Path,
    recipe: Recipe,
    run: Run,
    classes: int,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    block: str | None,
) -> dict[str, Any]:
    """What a worker needs to know, its pictures written into a folder."""
    pictures = folder / f"pictures-{run.backend}.safetensors"
    save_file({"images": np.ascontiguousarray(images), "labels": labels}, pictures)
    return {
        "do": "explain",
        "recipe": recipe.to_dict(),
        "classes": classes,
        "tensors": run.weights,
        "pictures": str(pictures),
        "block": block,
        "file": str(folder / f"maps-{run.backend}.safetensors"),
    }


def _ask(session: Session, backend: str, job: dict[str, Any]) -> NDArray[np.float32]:
    for event in session.worker(backend).run(job):
        if isinstance(event, RunFailed):
            raise RunBrokeOff(f"{backend} could not tell where its network looks: {event.reason}")
        if isinstance(event, Explained):
            return load_file(event.file)["maps"]
    raise RunBrokeOff(f"{backend} told nothing about where its network looks.")
