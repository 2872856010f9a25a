"""ftkit through its engine, with a warm worker.

The worker is started, and its framework imported, before the clock starts: imports are outside
every system's clock. Inside are `Experiment(...)`, which reads the pictures and the weights, the
job, and its events up to the last. A sweep is one job for each depth, the deepest first, as
`ftkit sweep` runs them.

Task kinds: `train`; `slider`, where the clock runs from making the job to its end, for a first
and a second job in the same worker.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from measuring import Clock, Task, serve

from ftkit.engine.compare import Experiment, follow
from ftkit.engine.session import Session
from ftkit.engine.sweep import strategy_of
from ftkit.errors import FtkitError
from ftkit.history import Run
from ftkit.recipe import Recipe


def recipe(task: Task) -> Recipe:
    """The recipe: a strategy for each depth, where the task's recipe names none."""
    values = {
        "data": task.data,
        "image_size": task.image_size,
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "seed": task.seed,
        "schedule": "constant",
        "strategies": [strategy_of(depth) for depth in task.depths],
        **task.recipe,
    }
    return Recipe.from_dict(values)


def run(session: Session, job: dict[str, Any], backend: str) -> Run:
    """Runs a job to its end.

    Raises:
        FtkitError: If the run broke off.
    """
    done = Run(backend, job["strategy"])
    for _ in follow(session.worker(backend), job, done):
        pass
    if done.status != "done":
        print(done.error_details, file=sys.stderr)
        raise FtkitError(f"The run in {backend} did not end: {done.error}")
    return done


def train(session: Session, task: Task) -> dict[str, Any]:
    """One job for each depth, loading included."""
    accuracies = {}
    with Clock() as clock:
        with clock.part("loading"):
            experiment = Experiment(recipe(task), (task.backend,), **task.job)
        for strategy, depth in zip(experiment.recipe.strategies, task.depths, strict=True):
            with clock.part(f"depth {depth}" if len(task.depths) > 1 else "job"):
                job = experiment.job(session.folder, strategy, task.backend)
                done = run(session, job, task.backend)
            accuracies[f"depth {depth}"] = done.val_accuracy
    return {**_figures(clock, done), "accuracies": accuracies}


def slider(session: Session, task: Task) -> dict[str, Any]:
    """The same job twice, from making it to its end; reading the pictures is outside."""
    experiment = Experiment(recipe(task), (task.backend,))
    (strategy,) = experiment.recipe.strategies

    def click() -> Run:
        return run(session, experiment.job(session.folder, strategy, task.backend), task.backend)

    with Clock() as clock:
        click()
    started = time.perf_counter()
    done = click()
    clock.parts["second time"] = time.perf_counter() - started
    return _figures(clock, done)


def _figures(clock: Clock, done: Run) -> dict[str, Any]:
    found = dict(done.end.versions) if done.end else {}
    return {**clock.figures(), "val_accuracy": done.val_accuracy, "versions": found}


def measure(task: Task) -> dict[str, Any]:
    """Starts a worker, waits until it is ready, and measures."""
    with Session((task.backend,)) as session:
        session.worker(task.backend).devices()
        return (slider if task.kind == "slider" else train)(session, task)


if __name__ == "__main__":
    serve(measure)
