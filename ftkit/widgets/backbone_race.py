"""The backbone race: several networks, one budget, accuracy against time and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.backbones.catalogue import backbone
from ftkit.engine.compare import Experiment
from ftkit.engine.live import shared
from ftkit.environments import available
from ftkit.errors import FtkitError
from ftkit.history import Event, Run
from ftkit.recipe import STRATEGIES, Recipe
from ftkit.report import formats
from ftkit.report.race import Entry, climb, race
from ftkit.report.table import plain_lines, plain_table
from ftkit.widgets.background import Background
from ftkit.widgets.frame import Frame, Updates, script

BUNDLED = ("resnet_s", "vgg_s", "inception_s")
BUDGET_SECONDS = 30
MOST_EPOCHS = 200
TABLE_WIDTH = 120


class BackboneRace(Frame):
    """Networks that are trained one after the other on the same pictures with the same budget.

    One run at a time, so that none takes a core from another and times can be compared.

    Args:
        backbones: Their names (see ``ftkit.backbones.catalogue.BACKBONES``).
        recipe: Pictures, epochs and all else, its backbone left out; None takes the default
            recipe with 6 epochs. Of its strategies the first is run, of the default ones
            ``two-phase``.
        backends: Where to train; None takes every framework that is installed.

    Attributes:
        recipe: The recipe.
        results: The last race: what each backbone came to.

    Raises:
        FtkitError: If a backbone, the recipe or a backend cannot be used.
    """

    _esm = script("draw.js", "backbone_race.js")

    view = traitlets.Dict().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        backbones: Sequence[str] = BUNDLED,
        recipe: Recipe | None = None,
        backends: Sequence[str] | None = None,
    ) -> None:
        if isinstance(backbones, str) or not backbones:
            raise FtkitError(f"backbones must be a list of at least one name; got {backbones!r}.")
        chosen = available() if backends is None else tuple(backends)
        self._live = shared(chosen)
        recipe = recipe or Recipe(epochs=6)
        if recipe.strategies == STRATEGIES:
            recipe = replace(recipe, strategies=("two-phase",))
        self.recipe = replace(recipe, strategies=recipe.strategies[:1])
        self._experiments = experiments_for(tuple(dict.fromkeys(backbones)), self.recipe, chosen)
        self.results: list[Entry] = []
        self._background = Background(self._live)
        self._updates = Updates(self._push)
        self._budget = 0.0
        self._racing = False
        self._note = ""
        super().__init__(
            view=view_of(list(self._experiments.values())),
            choice={"epochs": self.recipe.epochs, "seconds": BUDGET_SECONDS},
        )
        self._push()

    def handle(self, message: dict[str, Any]) -> None:
        """Does what a control asks for."""
        if message["do"] == "train":
            self.take_choice(message)
            self.train()
        elif message["do"] == "stop":
            self.stop()

    def train(self) -> None:
        """Starts a race, in the background; the last one's results go."""
        if self._racing:
            return
        self._background.wait()  # what was told to be over is about to end
        self._note = ""
        self._budget = float(self.choice["seconds"] or 0)
        self.results = [entry_for(item) for item in self._experiments.values()]
        epochs = int(self.choice["epochs"])
        self._racing = True
        self._updates.start()
        self._background.start(lambda: self._work(epochs))

    def stop(self) -> None:
        """Ends the run in progress after its current batch, and the race."""
        self._background.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing trains any more; False if that takes longer."""
        return self._background.wait(seconds)

    def still(self) -> tuple[Figure | None, str]:
        """The last race's two pictures, and its table."""
        if not any(run.epochs for entry in self.results for run in entry.runs):
            return None, f"BackboneRace: {self._note or 'nothing has been trained yet.'}"
        return race(self.results), table_of(self.results, self._live.backends, self._budget)

    # Behind it

    def _work(self, epochs: int) -> None:
        try:
            for entry, experiment in zip(self.results, self._experiments.values()):
                changed = experiment.changed(replace(experiment.recipe, epochs=epochs))
                for backend in self._live.backends:
                    self._background.train(
                        changed,
                        changed.recipe.strategies[0],
                        entry.runs.extend,
                        self._on_event,
                        (backend,),
                    )
            if self._background.stopped:
                self._note = "Stopped."
        except FtkitError as error:
            self._note = str(error)
        finally:
            self.keep()
            self._racing = False
            self._updates.stop()

    def _on_event(self, run: Run, event: Event) -> None:
        if 0 < self._budget <= run.seconds and run.status == "running":
            self._background.end_run()
        self._updates.changed()

    def _push(self) -> None:
        self.live = live_view(
            self.results, self._live.backends, self._budget, self._racing, self._note
        )


def experiments_for(
    backbones: Sequence[str], recipe: Recipe, backends: Sequence[str]
) -> dict[str, Experiment]:
    """A recipe's experiment for each backbone, on the same pictures, at each one's own size.

    Raises:
        FtkitError: If a backbone or the recipe cannot be used.
    """
    found: dict[str, Experiment] = {}
    by_size: dict[int, Experiment] = {}
    for name in backbones:
        size = recipe.image_size or backbone(name).image_size
        own = replace(recipe, backbone=name)
        known = by_size.get(size)
        found[name] = Experiment(own, backends) if known is None else known.changed(own)
        by_size.setdefault(size, found[name])
    return found


def entry_for(experiment: Experiment) -> Entry:
    """A backbone at the start."""
    network = experiment.architecture
    costs = network.multiplications(experiment.dataset.image_size)
    return Entry(network.name, network.parameters, sum(costs.values()))


def view_of(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """What a page shows whatever is chosen."""
    first = experiments[0]
    return {
        "data": first.recipe.data,
        "strategy": first.recipe.strategies[0],
        "train": len(first.dataset.train),
        "val": len(first.dataset.val),
        "backends": list(first.backends),
        "backbones": [
            {"name": name, "about": backbone(name).about}
            for name in (item.recipe.backbone for item in experiments)
        ],
        "most_epochs": MOST_EPOCHS,
    }


def live_view(
    entries: Sequence[Entry],
    backends: Sequence[str],
    budget: float,
    running: bool,
    note: str = "",
) -> dict[str, Any]:
    """What a page shows of a race.

    Args:
        entries: The backbones.
        backends: The frameworks, in the order in which each backbone runs in them.
        budget: Seconds that a run may take; 0 if there is no limit.
        running: Whether it is going on.
        note: What else there is to say.
    """
    found: dict[str, Any] = {
        "running": running,
        "note": note,
        "entries": [entry_view(entry, budget) for entry in entries],
    }
    runs = [(entry, run) for entry in entries for run in entry.runs]
    total = len(entries) * len(backends)
    if running and runs:
        entry, run = runs[-1]
        name = f"{entry.backbone} in {formats.framework(run.backend)}"
        found["stage"] = f"{len(runs)} of {total}: {name}"
        found["share"] = (len(runs) - 1 + share_of(run, budget)) / total
        found["left"] = seconds_left([run for _, run in runs], total, budget)
    return found


def share_of(run: Run, budget: float) -> float:
    """How much of a run is over: its steps, or its seconds, whichever is nearer to its end."""
    if run.status != "running":
        return 1.0
    return min(1.0, max(run.share, run.seconds / budget if budget else 0.0))


def seconds_left(runs: Sequence[Run], total: int, budget: float) -> float | None:
    """What a race will still take, if the runs to come are like those that were; None at first.

    Args:
        runs: Those that have begun, the last in progress.
        total: How many there will be.
        budget: Seconds that a run may take; 0 if there is no limit.
    """
    now = share_of(runs[-1], budget)
    whole = [run.seconds for run in runs[:-1]]
    if now > 0:
        whole.append(runs[-1].seconds / now)
    if not whole:
        return None
    return whole[-1] * (1 - now) + (total - len(runs)) * sum(whole) / len(whole)


def entry_view(entry: Entry, budget: float) -> dict[str, Any]:
    """A backbone's curves and its row of the table."""
    return {
        "name": entry.backbone,
        "parameters": entry.parameters,
        "multiplications": formats.short_count(entry.multiplications),
        "runs": [run_view(run, budget) for run in entry.runs],
    }


def run_view(run: Run, budget: float) -> dict[str, Any]:
    """A run as a page draws it."""
    return {
        "backend": run.backend,
        "status": run.status,
        "points": [
            [round(at, 2), accuracy] for at, accuracy in climb(run) if math.isfinite(accuracy)
        ],
        "accuracy": run.val_accuracy,
        "seconds": run.seconds,
        "said": ended(run, budget),
    }


def ended(run: Run, budget: float) -> str:
    """How a run ended, where it did not make all of its epochs."""
    if run.status == "failed":
        return f"{formats.framework(run.backend)} failed: {run.error}"
    if run.status != "stopped":
        return ""
    epochs = formats.times(len(run.epochs), "epoch")
    why = "budget over" if 0 < budget <= run.seconds else "stopped"
    return f"{formats.framework(run.backend)}: {why} after {epochs}"


def table_of(entries: Sequence[Entry], backends: Sequence[str], budget: float) -> str:
    """A race as text."""
    table = plain_table()
    names = [formats.framework(backend) for backend in backends]
    for title in (
        "backbone",
        "parameters",
        "multiply-adds",
        *(f"{name} {what}" for name in names for what in ("accuracy", "seconds")),
    ):
        table.add_column(title, justify="left" if title == "backbone" else "right")
    notes = []
    for entry in entries:
        by_name = {run.backend: run for run in entry.runs}
        cells = []
        for run in map(by_name.get, backends):
            cells.append(formats.percent(run.val_accuracy if run else None))
            cells.append(f"{run.seconds:.1f}" if run else formats.MISSING)
        said = [ended(run, budget) for run in entry.runs]
        notes += [f"{entry.backbone}, {text}." for text in said if text]
        table.add_row(
            entry.backbone,
            formats.short_count(entry.parameters),
            formats.short_count(entry.multiplications),
            *cells,
        )
    return "\n".join([*plain_lines(table, TABLE_WIDTH), *notes])
