"""The freeze lab: move a slider over the network, train, and watch both frameworks learn."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import traitlets
from matplotlib.figure import Figure

from ftkit.api import Results
from ftkit.engine.compare import Experiment
from ftkit.engine.comparison import Comparison
from ftkit.engine.estimate import Speed, need_of, speed_of, work_of
from ftkit.engine.live import Busy, shared
from ftkit.engine.sweep import strategy_of
from ftkit.environments import available
from ftkit.errors import FtkitError
from ftkit.freezing import POLICIES, BatchNormPolicy, resolve, trainable_parameters
from ftkit.history import Event, Run
from ftkit.recipe import Recipe
from ftkit.report import formats
from ftkit.report.plots import curves
from ftkit.widgets.frame import Frame, Updates, script

POINTS = 300
"""Points of a curve that a page gets at most."""
MEASURED_STEPS = 4
_SPEEDS: dict[tuple[str, str, int, int], Speed] = {}


@dataclass
class Row:
    """One press of Train: what was asked, and what came of it.

    Attributes:
        number: Its own, from 1.
        name: What the learner calls it.
        recipe: What was run.
        strategy: Which of its strategies.
        runs: One for each framework.
    """

    number: int
    name: str
    recipe: Recipe
    strategy: str
    runs: list[Run]


class FreezeLab(Frame):
    """A network block by block, a slider over it, and a button that trains.

    Args:
        recipe: Data, backbone, epochs and all else; None takes the default recipe.
        backends: Where to train; None takes every framework that is installed.
        depth: Freeze depth to begin with; None begins with everything frozen but the head.

    Attributes:
        recipe: The recipe.
        results: What has been run, one row for each press of Train.

    Raises:
        FtkitError: If the recipe or a backend cannot be used.
    """

    _esm = script("draw.js", "freeze_lab.js")

    view = traitlets.Dict().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    figures = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        recipe: Recipe | None = None,
        backends: Sequence[str] | None = None,
        depth: int | None = None,
    ) -> None:
        chosen = available() if backends is None else tuple(backends)
        recipe = recipe or Recipe(epochs=10)
        draft = Experiment(replace(recipe, strategies=("two-phase",)), chosen)
        blocks = len(draft.architecture.blocks)
        self.recipe = replace(
            recipe,
            strategies=(*(strategy_of(at) for at in range(blocks + 1)), "two-phase"),
            phases=(),
        )
        self.results: list[Row] = []
        self._experiment = draft.changed(self.recipe)
        self._live = shared(chosen)
        self._updates = Updates(self._push)
        self._current: Row | None = None
        self._started = 0.0
        self._waiting = False
        self._note = ""
        super().__init__(
            view=view_of(self._experiment),
            choice={
                "depth": blocks if depth is None else depth,
                "preset": "",
                "frozen": self.recipe.frozen_batch_norm,
                "learning": self.recipe.batch_norm,
                "epochs": self.recipe.epochs,
                "backends": list(chosen),
            },
        )
        self._figure()
        if self._speeds() is None:
            threading.Thread(target=self._measure, daemon=True).start()

    # What the page asks for

    def handle(self, message: dict[str, Any]) -> None:
        """Does what a control asks for."""
        if message["do"] == "train":
            self.train()
        elif message["do"] == "stop":
            self.stop()
        elif message["do"] == "epochs":
            self._figure()
        elif message["do"] == "remove":
            self.remove(int(message["number"]))
        elif message["do"] == "rename":
            self.rename(int(message["number"]), str(message["name"]))
        elif message["do"] == "save":
            try:
                self._say(f"Written to {self.save()}.")
            except FtkitError as error:
                self._say(str(error))

    def train(self) -> None:
        """Starts a run of what is chosen, in the background.

        What is wrong with the choice is told on the page.
        """
        if self._waiting or self._current is not None:
            return
        try:
            recipe, strategy = self.chosen()
            experiment = self._experiment.changed(recipe)
            self._start(experiment, recipe, strategy)
        except Busy:
            self._waiting = True
            self._say("The machine is being measured, or another widget trains; this run is next.")
            threading.Thread(target=self._train_later, daemon=True).start()
        except FtkitError as error:
            self._say(str(error))

    def stop(self) -> None:
        """Ends the run in progress after its current batch."""
        self._waiting = False
        if self._current is not None:
            self._live.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing trains any more; False if that takes longer."""
        until = None if seconds is None else time.monotonic() + seconds
        while self._waiting or self._current is not None:
            if until is not None and time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def remove(self, number: int) -> None:
        """Takes a row away."""
        self.results = [row for row in self.results if row.number != number]
        self._show_rows()

    def rename(self, number: int, name: str) -> None:
        """Gives a row another name."""
        for row in self.results:
            if row.number == number:
                row.name = name.strip() or row.name
        self._show_rows()

    def save(self, folder: str | Path = "freeze_lab") -> Path:
        """Writes every row's recipe and results: a folder for each, as ``ftkit compare`` writes it.

        Raises:
            FtkitError: If there is no row, or the folder cannot be written.
        """
        if not self.results:
            raise FtkitError("There is nothing to save yet. Press Train first.")
        for row in self.results:
            self.comparison(row).save(Path(folder) / f"{row.number:02}_{row.strategy}")
        return Path(folder)

    def comparison(self, row: Row) -> Results:
        """A row as the results of a comparison, without a verdict on the match."""
        recipe = replace(row.recipe, strategies=(row.strategy,))
        return Results(recipe, self._experiment.dataset, row.runs, [])

    def chosen(self) -> tuple[Recipe, str]:
        """The recipe of what is chosen on the page, and the strategy."""
        choice = self.choice
        recipe = replace(
            self.recipe,
            epochs=int(choice["epochs"]),
            batch_norm=str(choice["learning"]),
            frozen_batch_norm=choice["frozen"],
        )
        depth = int(choice["depth"])
        if choice["preset"] == "two-phase":
            return replace(recipe, freeze_depth=depth), "two-phase"
        return recipe, strategy_of(depth)

    # Behind it

    def _start(self, experiment: Experiment, recipe: Recipe, strategy: str) -> None:
        backends = [name for name in self._live.backends if name in self.choice["backends"]]
        if not backends:
            raise FtkitError("Choose at least one framework.")
        row = Row(self._next_number(), "", recipe, strategy, [])
        depth = self.choice["depth"]
        row.name = f"two-phase, then depth {depth}" if strategy == "two-phase" else strategy
        self._note = ""
        self._started = time.perf_counter()
        self._current = row
        try:
            row.runs = self._live.train(
                experiment, strategy, self._on_event, self._on_done, backends
            )
        except BaseException:
            self._current = None
            raise
        self._updates.start()

    def _train_later(self) -> None:
        while self._live.busy and self._waiting:
            time.sleep(0.05)
        if self._waiting:
            self._waiting = False
            self.train()

    def _on_event(self, run: Run, event: Event) -> None:
        self._updates.changed()

    def _on_done(self, runs: list[Run]) -> None:
        row, self._current = self._current, None
        if row is not None:
            row.runs = runs
            if any(run.steps for run in runs):
                self.results.append(row)
            failed = [run for run in runs if run.status == "failed"]
            self._note = "; ".join(
                f"{formats.framework(run.backend)}: {run.error}" for run in failed
            )
        self._updates.stop()
        self._push()
        self._show_rows()

    def _push(self) -> None:
        row = self._current
        self.live = live_view(row, time.perf_counter() - self._started, self._note)

    def _say(self, note: str) -> None:
        self._note = note
        self._push()

    def _show_rows(self) -> None:
        self.rows = [row_view(row) for row in self.results]
        self.keep()

    def _next_number(self) -> int:
        return max((row.number for row in self.results), default=0) + 1

    def _figure(self) -> None:
        """Tells what each depth costs, under each policy of frozen batch norm."""
        epochs = int(self.choice["epochs"])
        self.figures = figures_of(self._experiment, epochs, self._speeds() or {})

    def _speeds(self) -> dict[str, Speed] | None:
        found = {name: _SPEEDS.get(self._key(name)) for name in self._live.backends}
        known = {name: speed for name, speed in found.items() if speed is not None}
        return known if len(known) == len(found) else None

    def _key(self, backend: str) -> tuple[str, str, int, int]:
        size = self._experiment.dataset.image_size
        return (backend, self.recipe.backbone, size, self.recipe.batch_size)

    def _measure(self) -> None:
        """Two short runs, which also leave what is frozen computed at every depth."""
        recipe = replace(self.recipe, epochs=2, precision="fp32")
        experiment = self._experiment.changed(recipe)
        blocks = len(experiment.architecture.blocks)
        found = {}
        try:
            for depth, steps in ((blocks, None), (0, MEASURED_STEPS)):
                while True:
                    try:
                        runs = self._live.train(
                            experiment, strategy_of(depth), lambda *_: None, max_steps=steps
                        )
                        break
                    except Busy:
                        time.sleep(0.1)
                self._live.wait()
                found[depth] = {run.backend: run for run in runs}
        except FtkitError as error:
            self._say(str(error))
            return
        dataset = experiment.dataset
        for backend in self._live.backends:
            works = [
                work_of(
                    recipe.phases_of(strategy_of(depth), experiment.architecture)[0],
                    experiment.architecture,
                    dataset.image_size,
                    recipe.batch_size,
                    len(dataset.train),
                    len(dataset.val),
                )
                for depth in (blocks, 0)
            ]
            speed = speed_of(found[blocks][backend], found[0][backend], *works)
            if speed is not None:
                _SPEEDS[self._key(backend)] = speed
        self._figure()

    def still(self) -> tuple[Figure | None, str]:
        """The rows' curves, and a table."""
        if not self.results:
            return None, "FreezeLab: nothing has been trained yet."
        runs = [
            replace(run, strategy=f"{row.number}. {row.name}")
            for row in self.results
            for run in row.runs
        ]
        together = Comparison(self.recipe, self._experiment.dataset, runs, [])
        return curves(together), Results(**vars(together)).table()


def view_of(experiment: Experiment) -> dict[str, Any]:
    """What a page shows of the network and the pictures, whatever is chosen."""
    network, dataset = experiment.architecture, experiment.dataset
    costs = network.multiplications(dataset.image_size)
    names = [*network.blocks, network.head_block]
    parameters = dict.fromkeys(names, 0)
    for layer in network.layers:
        parameters[layer.block] += layer.parameters
    return {
        "backbone": network.name,
        "data": experiment.recipe.data,
        "train": len(dataset.train),
        "val": len(dataset.val),
        "classes": list(dataset.class_names),
        "size": dataset.image_size,
        "blocks": [
            {
                "name": name,
                "parameters": parameters[name],
                "share": parameters[name] / network.parameters,
                "said": formats.short_count(parameters[name]),
                "cost": costs[name] / max(1, sum(costs.values())),
                "multiplications": formats.short_count(costs[name]),
            }
            for name in names
        ],
        "total": network.parameters,
        "backends": list(experiment.backends),
        "policies": list(POLICIES),
    }


def figures_of(
    experiment: Experiment, epochs: int, speeds: Mapping[str, Speed]
) -> dict[str, list[dict[str, Any]]]:
    """What each freeze depth costs, by the policy of frozen batch norm.

    Args:
        experiment: The pictures, the network, and a recipe with a strategy for each depth.
        epochs: How many.
        speeds: How fast each framework is, as far as it is known.
    """
    network, dataset = experiment.architecture, experiment.dataset
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in get_args(BatchNormPolicy):
        recipe = replace(experiment.recipe, epochs=epochs, frozen_batch_norm=policy)
        found[policy] = []
        for depth in range(len(network.blocks) + 1):
            (phase,) = recipe.phases_of(strategy_of(depth), network)
            sizes = (network, dataset.image_size, recipe.batch_size)
            pictures = (len(dataset.train), len(dataset.val))
            work = work_of(phase, *sizes, *pictures)
            need = need_of(phase, *sizes, sum(pictures), recipe.optimizer)
            trainable = trainable_parameters(resolve(phase.freeze, network))
            found[policy].append(
                {
                    "depth": depth,
                    "trainable": trainable,
                    "frozen": network.parameters - trainable,
                    "kept": network.boundary_name(depth) if need.kept else "",
                    "seconds": {name: speed.seconds(work) for name, speed in speeds.items()},
                    "memory": need.total,
                }
            )
    return found


def live_view(row: Row | None, elapsed: float, note: str = "") -> dict[str, Any]:
    """What a page shows of the run in progress.

    Args:
        row: The run; None if there is none.
        elapsed: Seconds since it began.
        note: What else there is to say.
    """
    if row is None:
        return {"running": False, "note": note}
    return {
        "running": True,
        "note": note,
        "name": row.name,
        "elapsed": elapsed,
        "runs": [run_view(run) for run in row.runs],
    }


def run_view(run: Run) -> dict[str, Any]:
    """A run as a page draws it."""
    total = run.phases[-1].run_steps if run.phases else 0
    ends = {step.epoch: step.step + 1 for step in run.steps}
    starts: list[int] = []
    for before, now in zip(run.steps, run.steps[1:]):
        if now.phase != before.phase:
            starts.append(now.step)
    return {
        "backend": run.backend,
        "status": run.status,
        "done": len(run.steps),
        "total": total,
        "loss": thinned([[step.step + 1, step.loss] for step in run.steps]),
        "accuracy": [[ends.get(item.epoch, 0), item.val_accuracy] for item in run.epochs],
        "phases": starts,
        "seconds": run.seconds,
        "error": run.error,
        "reused": all(item.reused for item in run.kept if item.boundary) if run.kept else False,
    }


def thinned(points: list[list[float]], most: int = POINTS) -> list[list[float | None]]:
    """At most so many of the points, the last among them; numbers to five digits.

    What is not finite becomes None: JSON has no word for it.
    """
    stride = -(-len(points) // most) if points else 1
    chosen = points[::-1][::stride][::-1]
    return [[at, float(f"{value:.5g}") if math.isfinite(value) else None] for at, value in chosen]


def row_view(row: Row) -> dict[str, Any]:
    """A row of the table, with its curves."""
    first = row.runs[0]
    return {
        "number": row.number,
        "name": row.name,
        "depth": first.freeze_depth,
        "trainable": first.trainable_parameters,
        "epochs": len(first.epochs),
        "runs": [
            {**run_view(run), "val": run.val_accuracy, "audit": audit_of(run)} for run in row.runs
        ],
    }


def audit_of(run: Run) -> str:
    """What the audits of a run say in a few words."""
    if not run.audits:
        return "no phase was finished"
    if all(audit["holds"] for audit in run.audits):
        return "what was frozen stayed bit-equal"
    strayed = sum(len(audit["strayed"]) for audit in run.audits)
    return f"{formats.times(strayed, 'tensor')} moved that should not have"
