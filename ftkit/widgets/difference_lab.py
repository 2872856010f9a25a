"""The difference lab: let the frameworks differ in one thing, and watch their curves part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.differences import SWITCHES, Difference, Line
from ftkit.engine.compare import COMPARED_STEPS, Experiment
from ftkit.engine.live import shared
from ftkit.environments import BACKENDS, available
from ftkit.errors import FtkitError, unknown_name
from ftkit.history import Event, Run
from ftkit.recipe import STRATEGIES, Recipe
from ftkit.report import formats
from ftkit.report.partings import Trial, gaps, largest, partings
from ftkit.report.table import plain_lines, plain_table
from ftkit.widgets.background import Background, bar_view, failures
from ftkit.widgets.frame import Frame, Updates, script

PRECISIONS = ("fp64", "fp32")
TABLE_WIDTH = 80
QUICK = Recipe(train_size=160, batch_size=8, epochs=2, precision="fp64", freeze_depth=4)
STAGES = {"matched": "Nothing switched on", "switched": "Switched on"}
_MATCHED_TO = {"pytorch": "as PyTorch", "keras": "as Keras"}


class DifferenceLab(Frame):
    """Every framework difference as a switch, and a button that shows what it is worth.

    The same recipe runs with nothing switched on first, unless it has before: what then lies
    between the curves is the difference's work.

    Args:
        recipe: What to run, but for what a difference needs to show; None takes two epochs over
            160 pictures in batches of 8, in float64, in which the last block and the head
            learn. Of its strategies the first is run, of the default ones ``fine-tuning``.
        difference: Which is chosen to begin with; None chooses the first.

    Attributes:
        recipe: The recipe.
        results: What has been tried, one trial for each difference and precision.

    Raises:
        FtkitError: If there is no such difference.
    """

    _esm = script("draw.js", "difference_lab.js")

    view = traitlets.Dict().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, recipe: Recipe | None = None, difference: str | None = None) -> None:
        if difference is not None and difference not in SWITCHES:
            raise unknown_name("difference", difference, SWITCHES)
        recipe = recipe or QUICK
        if recipe.strategies == STRATEGIES:
            recipe = replace(recipe, strategies=("fine-tuning",))
        self.recipe = replace(recipe, strategies=recipe.strategies[:1], differences=())
        self.results: list[Trial] = []
        self._matched: dict[Recipe, list[Run]] = {}
        self._experiments: list[Experiment] = []
        self._trial: Trial | None = None
        missing = missing_framework()
        self._background = None if missing else Background(shared(BACKENDS))
        self._updates = Updates(self._push)
        self._note = missing
        super().__init__(
            view=view_of(missing, self.recipe.precision),
            choice={
                "difference": difference or next(iter(SWITCHES)),
                "precision": self.recipe.precision,
            },
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
        """Starts a trial of the chosen difference, in the background.

        What is wrong with the choice is told on the page.
        """
        if self._background is None or self._trial is not None:
            return
        self._background.wait()  # what was told to be over is about to end
        self._note = ""
        try:
            trial = Trial(str(self.choice["difference"]), self.chosen(), [], [])
        except FtkitError as error:
            self._note = str(error)
            self._push()
            return
        self._trial = trial
        self._updates.start()
        self._background.start(lambda: self._work(trial))

    def stop(self) -> None:
        """Ends the run in progress after its current batch."""
        if self._background is not None:
            self._background.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing trains any more; False if that takes longer."""
        return self._background is None or self._background.wait(seconds)

    def chosen(self) -> Recipe:
        """The recipe with the chosen difference switched on, under which it shows."""
        precision = str(self.choice["precision"])
        return recipe_for(replace(self.recipe, precision=precision), self.choice["difference"])

    def still(self) -> tuple[Figure | None, str]:
        """The last trial's curves, and a table of all."""
        if not self.results:
            return None, f"DifferenceLab: {self._note or 'nothing has been trained yet.'}"
        return partings(self.results), table_of(self.results)

    # Behind it

    def _work(self, trial: Trial) -> None:
        try:
            matched = replace(trial.recipe, differences=())
            experiment = self._experiment(matched)
            trial.matched = self._matched.get(matched, [])
            if not trial.matched:
                self._run(experiment, trial.matched)
                if all(run.status == "done" for run in trial.matched):
                    self._matched[matched] = trial.matched
            if all(run.status == "done" for run in trial.matched):
                self._run(experiment.changed(trial.recipe), trial.switched)
            self._note = failures((*trial.matched, *trial.switched))
            if largest(trial.switched) is not None:
                self._keep_trial(trial)
        except FtkitError as error:
            self._note = str(error)
        finally:
            self.keep()
            self._trial = None
            self._updates.stop()

    def _run(self, experiment: Experiment, runs: list[Run]) -> None:
        assert self._background is not None
        strategy = experiment.recipe.strategies[0]
        self._background.train(experiment, strategy, runs.extend, self._on_event)

    def _experiment(self, recipe: Recipe) -> Experiment:
        """An experiment, on pictures that are there already if they are the same."""
        for known in self._experiments:
            if _pictures(known.recipe) == _pictures(recipe):
                return known.changed(recipe)
        self._experiments.append(Experiment(recipe))
        return self._experiments[-1]

    def _keep_trial(self, trial: Trial) -> None:
        others = [item for item in self.results if item.recipe != trial.recipe]
        self.results = [*others, trial]
        self.rows = [row_view(item) for item in self.results]

    def _on_event(self, run: Run, event: Event) -> None:
        self._updates.changed()

    def _push(self) -> None:
        self.live = live_view(self._trial, self._note)


def recipe_for(recipe: Recipe, name: str) -> Recipe:
    """A recipe with one difference switched on, changed in what the difference needs to show.

    Raises:
        FtkitError: If the two do not go together.
    """
    entries = {**recipe.to_dict(), **SWITCHES[name].shown_by, "differences": [name]}
    return Recipe.from_dict(entries)


def missing_framework() -> str:
    """What to say where one of the frameworks is not installed; empty if both are."""
    try:
        found = available()
    except FtkitError as error:
        return str(error)
    missing = [name for name in BACKENDS if name not in found]
    if not missing:
        return ""
    return (
        "This lab holds PyTorch and TensorFlow against each other, so it needs both; "
        f"{formats.framework(missing[0])} is not installed. "
        f"Install it with: pip install 'ftkit[{missing[0]}]', and restart the kernel."
    )


def view_of(missing: str, precision: str = "fp64") -> dict[str, Any]:
    """What a page shows whatever is chosen.

    Args:
        missing: What to say if a framework is missing; empty if none is.
        precision: The recipe's own.
    """
    return {
        "missing": missing,
        "precisions": list(dict.fromkeys((*PRECISIONS, precision))),
        "compared": COMPARED_STEPS,
        "differences": [difference_view(item) for item in SWITCHES.values()],
    }


def difference_view(difference: Difference) -> dict[str, Any]:
    """A difference as a page shows it."""
    return {
        "name": difference.name,
        "pytorch": difference.pytorch,
        "keras": difference.keras,
        "pytorch_lines": [line_view(line) for line in difference.pytorch_lines],
        "keras_lines": [line_view(line) for line in difference.keras_lines],
        "matched": _MATCHED_TO.get(difference.matched, difference.matched),
        "seen": difference.seen,
    }


def line_view(line: Line) -> dict[str, str]:
    """A line of a framework's source as a page shows it."""
    return {"file": line.file, "inside": line.inside, "text": line.text}


def live_view(trial: Trial | None, note: str = "") -> dict[str, Any]:
    """What a page shows of the trial in progress.

    Args:
        trial: The trial; None if there is none.
        note: What else there is to say.
    """
    if trial is None:
        return {"running": False, "note": note}
    stage = "switched" if trial.switched else "matched"
    runs = trial.switched or trial.matched
    return {
        "running": True,
        "note": note,
        "name": trial.name,
        "difference": trial.difference,
        "stage": STAGES[stage] if runs else "Waiting for pictures and workers",
        "bars": [bar_view(run) for run in runs],
        "curves": curves_view(trial),
    }


def curves_view(trial: Trial) -> dict[str, Any]:
    """A trial's curves as a page draws them: losses, and what lies between them."""
    return {
        "switched": {run.backend: points(run.step_losses) for run in trial.switched},
        "matched": {run.backend: points(run.step_losses) for run in trial.matched},
        "gap": points(gaps(trial.switched)),
        "matched_gap": points(gaps(trial.matched)),
    }


def points(values: Sequence[float]) -> list[list[float]]:
    """Values by step, from 1; what is infinite or no number is left out."""
    return [
        [step, float(f"{value:.5g}")]
        for step, value in enumerate(values, start=1)
        if math.isfinite(value)
    ]


def row_view(trial: Trial) -> dict[str, Any]:
    """A row of the table, with its curves."""
    return {
        "name": trial.name,
        "difference": trial.difference,
        "precision": trial.recipe.precision,
        "largest": formats.difference(largest(trial.switched)),
        "matched": formats.difference(largest(trial.matched)),
        "steps": min(COMPARED_STEPS, len(gaps(trial.switched))),
        "accuracy": {run.backend: formats.percent(run.val_accuracy) for run in trial.switched},
        "curves": curves_view(trial),
    }


def table_of(trials: Sequence[Trial]) -> str:
    """The trials as text."""
    table = plain_table()
    for title in ("difference", "losses part by", "nothing switched on"):
        table.add_column(title)
    for trial in trials:
        found = (formats.difference(largest(runs)) for runs in (trial.switched, trial.matched))
        table.add_row(trial.name, *found)
    note = f"Largest difference of the training loss at any of the first {COMPARED_STEPS} steps."
    return "\n".join([*plain_lines(table, TABLE_WIDTH), note])


def _pictures(recipe: Recipe) -> tuple[Any, ...]:
    return (recipe.data, recipe.train_size, recipe.image_size, recipe.seed, recipe.backbone)
