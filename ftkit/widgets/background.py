"""Trains one run after the other in the background, in workers that other widgets use too.

And what the pages tell of such runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ftkit.engine.compare import Experiment
from ftkit.engine.live import Busy, Live, OnEvent
from ftkit.history import Run
from ftkit.report import formats

LOOK_SECONDS = 0.05  # between two looks whether the workers are free
FORESEEN = 0.02  # of a run must be over before the time left is told


class Background:
    """A thread that trains; Stop ends the run in progress and drops those that would follow.

    Args:
        live: The workers.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._training = False  # here, not for another widget

    @property
    def running(self) -> bool:
        """Whether the work is going on."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether the work was asked to stop."""
        return self._stopped.is_set()

    def start(self, work: Callable[[], None]) -> bool:
        """Begins the work in a thread; False if the last is still going on.

        Args:
            work: What to do; it calls :meth:`train` for each run.
        """
        if self.running:
            return False
        self._stopped.clear()
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        return True

    def train(
        self,
        experiment: Experiment,
        strategy: str,
        begun: Callable[[list[Run]], None] = lambda _: None,
        on_event: OnEvent = lambda *_: None,
        backends: Sequence[str] | None = None,
        max_steps: int | None = None,
        export: Path | None = None,
    ) -> list[Run]:
        """Trains in each framework and waits for the end; first, for the workers to be free.

        Args:
            experiment: What to run.
            strategy: Which of its strategies.
            begun: Called with the runs, which take in the events as they come.
            on_event: Called from a thread with each run and event.
            backends: In which frameworks; None takes all.
            max_steps: End after so many steps.
            export: A folder for the final weights of each run.

        Returns:
            The runs; none if a stop was asked before they began.
        """
        done = threading.Event()
        while not self.stopped:
            try:
                runs = self._live.train(
                    experiment,
                    strategy,
                    on_event,
                    lambda _: done.set(),
                    backends,
                    max_steps,
                    export,
                )
            except Busy:
                time.sleep(LOOK_SECONDS)
                continue
            begun(runs)
            self._training = True
            if self.stopped:  # asked before it could be told
                self._live.stop()
            done.wait()
            self._training = False
            return runs
        return []

    def end_run(self) -> None:
        """Ends the run in progress after its current batch; what follows goes on."""
        if self._training:
            self._live.stop()

    def stop(self) -> None:
        """Ends the run in progress after its current batch, and the work with it."""
        self._stopped.set()
        self.end_run()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end of the work; False if that takes longer."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.running


def bar_view(run: Run) -> dict[str, Any]:
    """How far a run is, and how many seconds it will still take; None at its beginning."""
    share = run.share
    return {
        "backend": run.backend,
        "share": share,
        "status": run.status,
        "left": run.seconds * (1 - share) / share if share > FORESEEN else None,
    }


def failures(runs: Sequence[Run]) -> str:
    """Why runs broke off, in one line; empty if none did."""
    return "; ".join(
        f"{formats.framework(run.backend)}: {run.error}" for run in runs if run.status == "failed"
    )
