"""Training in the background, for pages that must stay alive meanwhile."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ftkit.engine.compare import Experiment, follow, weights_file
from ftkit.engine.session import Session
from ftkit.environments import check_backends
from ftkit.errors import FtkitError
from ftkit.history import Event, Run, RunFailed
from ftkit.writing import writable_folder

OnEvent = Callable[[Run, Event], None]


class Busy(FtkitError):
    """The workers are training already."""


class Live:
    """Workers that are kept warm, and a thread for each that listens while it trains.

    The frameworks train at the same time. A worker ends when this process does, however it ends.

    Args:
        backends: The frameworks.

    Attributes:
        backends: The frameworks, in order.
    """

    def __init__(self, backends: Sequence[str]) -> None:
        self.backends = check_backends(backends)
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._lent = False
        self._stopping = threading.Event()
        atexit.register(self.close)

    def warm_up(self) -> None:
        """Starts the workers, unless they run; returns once they are on their way."""
        with self._lock:
            self._started()

    @property
    def busy(self) -> bool:
        """Whether a framework is training, or its worker is lent."""
        return self._lent or any(thread.is_alive() for thread in self._threads)

    def train(
        self,
        experiment: Experiment,
        strategy: str,
        on_event: OnEvent,
        on_done: Callable[[list[Run]], None] | None = None,
        backends: Sequence[str] | None = None,
        max_steps: int | None = None,
        export: str | Path | None = None,
    ) -> list[Run]:
        """Starts a run in each framework, and returns at once.

        Args:
            experiment: What to run.
            strategy: Which of its strategies.
            on_event: Called from a thread with each run and event.
            on_done: Called from a thread with all runs when the last has ended.
            backends: In which frameworks; None takes all.
            max_steps: End after so many steps.
            export: A folder for the final weights of each run.

        Returns:
            The runs, which take in the events as they come.

        Raises:
            Busy: If a framework is training already.
            FtkitError: If the folder cannot be written.
        """
        folder = None if export is None else writable_folder(Path(export)).absolute()
        chosen = self.backends if backends is None else tuple(backends)
        with self._lock:
            session = self._free()
            self._stopping.clear()
            runs = [Run(backend, strategy) for backend in chosen]
            left = list(runs)
            files = [folder and weights_file(folder, backend, strategy) for backend in chosen]
            jobs = [
                experiment.job(session.folder, strategy, backend, max_steps=max_steps, export=file)
                for backend, file in zip(chosen, files)
            ]

            def listen(run: Run, job: dict[str, object]) -> None:
                try:
                    worker = session.worker(run.backend)
                    with closing(follow(worker, job, run)) as events:
                        for _, event in events:
                            on_event(run, event)
                            if self._stopping.is_set():
                                worker.stop()
                except Exception as error:
                    run.add(RunFailed(f"{type(error).__name__}: {error}"))
                    on_event(run, RunFailed(run.error))
                finally:
                    with self._lock:
                        left.remove(run)
                        last = not left
                    if last and on_done is not None:
                        on_done(runs)

            self._threads = [
                threading.Thread(target=listen, args=(run, job), daemon=True)
                for run, job in zip(runs, jobs)
            ]
            for thread in self._threads:
                thread.start()
        return runs

    @contextmanager
    def borrowed(self) -> Iterator[Session]:
        """The workers for work of another kind; nothing trains meanwhile.

        Raises:
            Busy: If a framework is training.
        """
        with self._lock:
            session = self._free()
            self._lent = True
        try:
            yield session
        finally:
            self._lent = False

    def stop(self) -> None:
        """Asks every run to end after its current batch."""
        self._stopping.set()
        session = self._session
        if session is not None and self.busy:
            for backend in session.backends:
                with suppress(OSError, ValueError):  # it has ended by itself
                    session.worker(backend).stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing trains any more; False if that takes longer."""
        for thread in self._threads:
            thread.join(seconds)
        return not self.busy

    def close(self) -> None:
        """Ends the workers."""
        session, self._session = self._session, None
        if session is not None:
            session.__exit__(None, None, None)

    def _free(self) -> Session:
        """The workers, if nothing trains in them."""
        if self.busy:
            raise Busy("Something is training already. Wait for its end, or stop it.")
        return self._started()

    def _started(self) -> Session:
        if self._session is None:
            self._session = Session(self.backends).__enter__()
        return self._session


_SHARED: dict[tuple[str, ...], Live] = {}


def shared(backends: Sequence[str]) -> Live:
    """The workers of this process: every widget of a notebook uses the same."""
    key = check_backends(backends)
    if key not in _SHARED:
        _SHARED[key] = Live(key)
    return _SHARED[key]
