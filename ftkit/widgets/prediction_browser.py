"""The prediction browser: every validation picture, what was made of it, and where it was seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ftkit.backbones.catalogue import architecture
from ftkit.engine.comparison import Comparison
from ftkit.engine.explain import explain
from ftkit.engine.live import Busy, shared
from ftkit.errors import FtkitError, unknown_name
from ftkit.report.mistakes import figure_of, summary_of, surest
from ftkit.report.predictions import FILTERS, Cell, Predictions, predictions_of
from ftkit.report.samples import finished
from ftkit.widgets.frame import Frame, script
from ftkit.widgets.prediction_view import cards, readable_block, view_of

PAGE = 24
"""Pictures on a page."""
_AGAIN_SECONDS = 0.1  # between two looks whether the workers are free

Key = tuple[str, str, str, str, int]  # strategy, block, asked for, framework, picture


class PredictionBrowser(Frame):
    """Validation pictures with truth, prediction and confidence, in any choice of them.

    Args:
        results: What ``ftkit.compare`` found. Where a network looked can be shown if it was
            called with ``export=``.
        strategy: Whose predictions to begin with; None takes the most accurate.

    Attributes:
        results: The same.
        predictions: Those of the strategy that is chosen.

    Raises:
        FtkitError: If there are no predictions, or no such strategy.
    """

    _esm = script("draw.js", "prediction_browser.js")

    view = traitlets.Dict().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, results: Comparison, strategy: str | None = None) -> None:
        self.results = results
        self.predictions = predictions_of(results, strategy)
        self._heat: dict[Key, NDArray[np.float32]] = {}
        self._note = ""
        self._lock = threading.RLock()
        self._looking: threading.Thread | None = None
        recipe, dataset = results.recipe, results.dataset
        self._network = architecture(recipe.backbone, recipe.head, len(dataset.class_names))
        super().__init__(
            view=view_of(results, self.predictions, self._network),
            choice={
                "strategy": self.predictions.strategy,
                "filter": "all",
                "cell": None,
                "page": 0,
                "look": False,
                "block": readable_block(self._network, dataset.image_size),
                "asked": "predicted",
            },
        )
        self.observe(self._on_choice, "choice")
        self._show()

    def choose(self, **changes: Any) -> None:
        """Does what the page's controls do.

        Args:
            **changes: ``strategy``; ``filter`` (``"all"``, ``"right"``, ``"wrong"``,
                ``"uncertain"``, ``"disagree"``); ``cell`` (framework, true label, predicted
                label); ``page``, from 0; ``look``, whether to show where the networks look;
                ``block``, of which block's map; ``asked``: ``"predicted"`` or ``"truth"``.

        Raises:
            FtkitError: If there is nothing of that name.
        """
        known = {
            "strategy": self.view["strategies"],
            "filter": FILTERS,
            "block": self._network.map_blocks,
            "asked": ("predicted", "truth"),
        }
        for name, value in changes.items():
            if name not in self.choice:
                raise unknown_name("choice", name, self.choice)
            if name in known and value not in known[name]:
                raise unknown_name(name, str(value), known[name])
        if changes.get("look") and self.view["no_weights"]:
            raise FtkitError(self.view["no_weights"])
        if changes.keys() & {"strategy", "filter", "cell"}:
            changes = {"page": 0, **changes}
        self.choice = {**self.choice, **changes}

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until every map that is to be shown is there; False if that takes longer."""
        thread = self._looking
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def still(self) -> tuple[Figure | None, str]:
        """The surest mistakes, confusion and calibration, and the same in words."""
        heats = self._heats(self.choice, surest(self.predictions)) if self.choice["look"] else {}
        figure = figure_of(self.predictions, self.results.dataset, heats)
        return figure, summary_of(self.predictions, self.results.dataset)

    # Behind it

    def _on_choice(self, change: Any) -> None:
        before, now = change["old"], change["new"]
        with self._lock:
            if before["strategy"] != now["strategy"]:
                self.predictions = predictions_of(self.results, now["strategy"])
                self.view = view_of(self.results, self.predictions, self._network)
                self._note = ""
            if now["look"]:
                self._look()
            self._show()
        if any(before[name] != now[name] for name in ("strategy", "look")):
            self.keep()

    def _page(self) -> tuple[int, int, list[int]]:
        """How many pictures are chosen, the place of the page's first, and the page's pictures."""
        cell = self.choice["cell"]
        found = self.predictions.chosen(self.choice["filter"], Cell(**cell) if cell else None)
        page = min(max(0, int(self.choice["page"])), max(0, len(found) - 1) // PAGE)
        first = page * PAGE
        return len(found), first, [int(number) for number in found[first : first + PAGE]]

    def _show(self) -> None:
        look = self.choice["look"]
        total, first, numbers = self._page()
        heats = self._heats(self.choice, numbers) if look else {}
        missing = look and len(heats) < len(numbers) * len(self.predictions.backends)
        self.shown = {
            "filter": self.choice["filter"],
            "cell": self.choice["cell"],
            "look": look,
            "total": total,
            "first": first,
            "per_page": PAGE,
            "waiting": missing and not self._note,
            "note": self._note,
            "pictures": cards(self.predictions, self.results.dataset, numbers, heats),
        }

    def _key(self, choice: Mapping[str, Any], backend: str, number: int) -> Key:
        return (choice["strategy"], choice["block"], choice["asked"], backend, number)

    def _heats(
        self, choice: Mapping[str, Any], numbers: list[int]
    ) -> dict[tuple[str, int], NDArray[np.float32]]:
        """The maps of some pictures that are there."""
        keys = {
            (backend, number): self._key(choice, backend, number)
            for backend in self.predictions.backends
            for number in numbers
        }
        return {place: self._heat[key] for place, key in keys.items() if key in self._heat}

    def _look(self) -> None:
        """Computes in a thread what is still missing of the maps that are to be shown."""
        if self._looking is None or not self._looking.is_alive():
            self._note = ""
            self._looking = threading.Thread(target=self._look_on, daemon=True)
            self._looking.start()

    def _look_on(self) -> None:
        while True:
            with self._lock:  # a choice made from here on finds the thread gone, and starts another
                choice, predictions = self.choice, self.predictions
                numbers = list(dict.fromkeys([*self._page()[2], *surest(predictions)]))
                there = self._heats(choice, numbers)
                missing = [
                    number
                    for number in numbers
                    if any((backend, number) not in there for backend in predictions.backends)
                ]
                if not missing or not choice["look"]:
                    self._looking = None
                    break
            try:
                self._compute(choice, predictions, missing)
            except Busy:
                time.sleep(_AGAIN_SECONDS)
                continue
            except Exception as error:  # nobody else would tell the page
                known = isinstance(error, (FtkitError, OSError))
                with self._lock:
                    self._note = str(error) if known else f"{type(error).__name__}: {error}"
                    self._looking = None
                    self._show()
                return
            with self._lock:
                self._show()
        self.keep()

    def _compute(
        self, choice: Mapping[str, Any], predictions: Predictions, numbers: list[int]
    ) -> None:
        recipe, dataset = self.results.recipe, self.results.dataset
        truth = predictions.labels[numbers]
        labels = {
            backend: truth if choice["asked"] == "truth" else predictions.predicted[row, numbers]
            for row, backend in enumerate(predictions.backends)
        }
        runs = {run.backend: run for run in finished(self.results, predictions.strategy)}
        images = dataset.val.images[numbers]
        with shared(predictions.backends).borrowed() as session:
            found = explain(
                session, recipe, runs, len(dataset.class_names), images, labels, choice["block"]
            )
        for backend, maps in found.items():
            for number, values in zip(numbers, maps):
                self._heat[self._key(choice, backend, number)] = values
