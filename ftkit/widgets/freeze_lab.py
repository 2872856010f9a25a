"""The freeze lab: move a slider over the network, train, and watch both frameworks learn."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.api import Results
from ftkit.engine.compare import Experiment
from ftkit.engine.comparison import Comparison
from ftkit.engine.live import shared
from ftkit.engine.sweep import strategy_of
from ftkit.engine.temporary import temporary_folder
from ftkit.environments import available
from ftkit.errors import FtkitError
from ftkit.freezing import frozen_at_depth
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.report.plots import curves
from ftkit.widgets import speeds
from ftkit.widgets.background import LOOK_SECONDS, Background, failures
from ftkit.widgets.frame import Frame, Updates, script
from ftkit.widgets.freeze_view import Row, figures_of, live_view, row_view, view_of
from ftkit.writing import fresh_folder


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
    measuring = traitlets.Bool(True).tag(sync=True)
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
        self._background = Background(shared(chosen))
        self._updates = Updates(self._push)
        self._current: Row | None = None
        self._waiting = False
        self._last = 0
        self._note = ""
        self._folder: Path | None = None
        self._weights = temporary_folder()
        self._measured = threading.Event()
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
        self.observe(self._figure, "choice")
        if set(speeds.known(self._experiment)) == set(chosen):
            self._measured_all()
        else:
            measuring = Background(shared(chosen))  # its own: Stop is not for it
            measuring.start(lambda: self._measure(measuring))

    # What the page asks for

    def handle(self, message: dict[str, Any]) -> None:
        """Does what a control asks for."""
        if message["do"] == "train":
            self.take_choice(message)
            self.train()
        elif message["do"] == "stop":
            self.stop()
        elif message["do"] == "remove":
            self.remove(int(message["number"]))
        elif message["do"] == "rename":
            self.rename(int(message["number"]), str(message["name"]))
        elif message["do"] == "save":
            try:
                self._say(f"Written to {self.save()}.")
            except FtkitError as error:
                self._say(str(error))

    def train(self, depth: int | None = None) -> None:
        """Starts a run of what is chosen, in the background; after what else trains.

        What is wrong with the choice is told on the page.

        Args:
            depth: Moves the slider there first.

        Raises:
            FtkitError: If there is no such depth.
        """
        if self._current is not None or self._waiting:
            return
        self._background.wait()  # what was told to be over is about to end
        if depth is not None:
            frozen_at_depth(self._experiment.architecture, depth)
            self.choice = {**self.choice, "depth": depth}
        try:
            recipe, strategy = self.chosen()
            backends = [
                name for name in self._experiment.backends if name in self.choice["backends"]
            ]
            if not backends:
                raise FtkitError("Choose at least one framework.")
            experiment = self._experiment.changed(recipe)
        except FtkitError as error:
            self._say(str(error))
            return
        row = Row(self._next_number(), self._name(strategy), recipe, strategy, [])
        self._waiting = True
        self._say(self._reason())
        self._background.start(lambda: self._work(experiment, row, backends))

    def stop(self) -> None:
        """Ends the run in progress after its current batch."""
        self._background.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing trains any more; False if that takes longer."""
        return self._background.wait(seconds)

    def measured(self, seconds: float | None = None) -> bool:
        """Waits until the machine's speed is known; False if that takes longer."""
        return self._measured.wait(seconds)

    def remove(self, number: int) -> None:
        """Takes a row away."""
        self.results = [row for row in self.results if row.number != number]
        shutil.rmtree(self._weights_of(number), ignore_errors=True)
        self._show_rows()

    def rename(self, number: int, name: str) -> None:
        """Gives a row another name."""
        for row in self.results:
            if row.number == number:
                row.name = name.strip() or row.name
        self._show_rows()

    def save(self, folder: str | Path | None = None) -> Path:
        """Writes every row's recipe and results: a folder for each, as ``ftkit compare`` writes it.

        Args:
            folder: Where to; what is there of rows of the same number and strategy is replaced.
                None takes a folder of this lab's own: ``freeze_lab``, or if that was there before
                it first saved ``freeze_lab-2``, and so on.

        Raises:
            FtkitError: If there is no row, or the folder cannot be written.
        """
        if not self.results:
            raise FtkitError("There is nothing to save yet. Press Train first.")
        if folder is None:
            folder = self._folder = self._folder or fresh_folder(Path("freeze_lab"))
        for row in self.results:
            self.comparison(row).save(Path(folder) / f"{row.number:02}_{row.strategy}")
        return Path(folder)

    def comparison(self, row: Row) -> Results:
        """A row as the results of a comparison, without a verdict on the match."""
        recipe = replace(row.recipe, strategies=(row.strategy,))
        notes = (*self._experiment.notes, f"Row {row.number} of a freeze lab: {row.name}.")
        return Results(recipe, self._experiment.dataset, row.runs, [], notes=notes)

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

    # Behind it

    def _work(self, experiment: Experiment, row: Row, backends: Sequence[str]) -> None:
        def begun(runs: list[Run]) -> None:
            row.runs = runs
            self._current, self._note = row, ""
            self._waiting = False
            self._updates.start()

        while not self._measured.wait(LOOK_SECONDS) and not self._background.stopped:
            continue  # its runs come first: they leave what is frozen computed
        self._say(self._reason())
        try:
            self._background.train(
                experiment,
                row.strategy,
                begun,
                lambda run, event: self._updates.changed(),
                backends,
                export=self._weights_of(row.number),
            )
            self._note = failures(row.runs) if row.runs else "Stopped before it began."
        except Exception as error:  # nobody else would tell the page
            self._note = f"{type(error).__name__}: {error}"
        self._updates.stop()
        if any(run.steps for run in row.runs):
            self.results.append(row)
            self._show_rows()
        self._current, self._waiting = None, False
        self._push()

    def _weights_of(self, number: int) -> Path:
        """Where the weights of a row's runs are, as long as the lab is there."""
        return Path(self._weights.name) / str(number)

    def _push(self) -> None:
        self.live = live_view(self._current, self._note, self._waiting)

    def _say(self, note: str) -> None:
        self._note = note
        self._push()

    def _show_rows(self) -> None:
        self.rows = [row_view(row) for row in self.results]
        self.keep()

    def _next_number(self) -> int:
        self._last += 1
        return self._last

    def _name(self, strategy: str) -> str:
        depth = self.choice["depth"]
        return f"two-phase, then depth {depth}" if strategy == "two-phase" else strategy

    def _reason(self) -> str:
        """Why a run does not begin yet."""
        if not self._measured.is_set():
            return "It begins once the speed of this machine is measured."
        return "It begins as soon as the workers are free."

    def _figure(self, _: Any = None) -> None:
        """Tells what each depth costs, under what else is chosen."""
        try:
            recipe, _strategy = self.chosen()
        except FtkitError as error:
            self._say(str(error))
            return
        self.figures = figures_of(self._experiment, recipe, speeds.known(self._experiment))

    def _measure(self, background: Background) -> None:
        try:
            failed = speeds.measure(self._experiment, background)
        except Exception as error:  # nobody else would tell the page
            failed = f"{type(error).__name__}: {error}"
        self._figure()
        if failed:
            self._say(f"The speed of this machine could not be measured. {failed}")
        self._measured_all()

    def _measured_all(self) -> None:
        self.measuring = False
        self._measured.set()
