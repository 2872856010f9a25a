"""Starts a worker for each framework, streams its events, stops it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from ftkit.engine.temporary import remove, remove_orphans, temporary_folder
from ftkit.environments import check_backends, interpreter, program
from ftkit.errors import FtkitError
from ftkit.history import Event, Explained, RunEnd, RunFailed, event_from_dict
from ftkit.version import __version__

QUIET_SECONDS = 0.2
IDLE_BYTES = 2 * 2**30  # more than either framework needs for itself and a small network
TAIL_CHARACTERS = 4000
LAST = (RunEnd, Explained, RunFailed)  # a job's last event
START = program("ftkit.engine.worker")
# PyTorch's maps are too large for glibc to keep once they are freed: it gives them back, and the
# system clears their pages anew in each step. Told to keep up to 2 GiB, a step is a tenth faster
# (docs/performance.md); TensorFlow's is not. Other C libraries do not know these names.
KEEPING_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31)}
# What a worker's environment holds unless the user's says otherwise.
WORKER_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait do not take the cores that others compute on
    "PYTHONIOENCODING": "utf-8",
}


class Worker:
    """One framework's process, kept warm between jobs.

    Attributes:
        backend: The framework.
        process: The process.
    """

    def __init__(self, backend: str, scratch: Path) -> None:
        """Starts the process.

        Args:
            backend: The framework.
            scratch: For its temporary files: TensorFlow's would outlive a process that is killed.
        """
        self.backend = backend
        self._ready: dict[str, Any] | None = None
        own_group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.process = subprocess.Popen(
            [interpreter(backend), "-c", START, backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={
                **WORKER_ENVIRONMENT,
                **(KEEPING_MEMORY if backend == "pytorch" else {}),
                **os.environ,
                "KERAS_BACKEND": "tensorflow",  # another one would import torch beside TensorFlow
                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)),
            },
            start_new_session=True,  # Ctrl-C in a terminal reaches us, and we decide
            creationflags=own_group,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                with suppress(ValueError):  # cut off by the process's death
                    found = json.loads(line)
                    for message in found if isinstance(found, list) else [found]:
                        if isinstance(message, dict):
                            self._lines.put(message)
        finally:
            self._lines.put(None)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def devices(self) -> tuple[str, ...]:
        """What the framework can run on; waits until it has been imported.

        Raises:
            FtkitError: If the worker's ftkit is not of this version.
        """
        while self._ready is None:
            message = self._next()
            if message is None:
                return ()
            self._ready = message
            if message.get("ftkit") != __version__:
                raise FtkitError(
                    f"Expected ftkit {__version__} in {interpreter(self.backend)} too; it has "
                    f"{message.get('ftkit', 'an older one')}. Install the same version there."
                )
        return tuple(self._ready["devices"])

    def run(self, job: dict[str, Any]) -> Iterator[Event]:
        """Runs a job; the last event is one of :data:`LAST`, whatever happens."""
        self.devices()
        try:
            self._send({"do": "run", **job})
        except OSError:
            yield self._death()
            return
        while True:
            message = self._next()
            event = self._death() if message is None else event_from_dict(message)
            yield event
            if isinstance(event, LAST):
                return

    def stop(self) -> None:
        """Asks the run in progress to end after the current batch."""
        if self.alive:
            try:
                self._send({"do": "stop"})
            except OSError:
                return  # it died in between: run() tells

    def rest(self, seconds: float) -> Iterator[Event]:
        """The events of a run that was asked to stop, for at most so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                message = self._lines.get(timeout=left)
            except queue.Empty:
                return
            if message is None:
                self._lines.put(None)
                return
            event = event_from_dict(message)
            yield event
            if isinstance(event, LAST):
                return

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written has no reader any more
        self._errors.close()

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _next(self) -> dict[str, Any] | None:
        """The next message, or None if the process has ended."""
        while True:
            try:
                message = self._lines.get(timeout=QUIET_SECONDS)
            except queue.Empty:
                continue  # a wait without a limit could not be interrupted on Windows
            if message is None:
                self._lines.put(None)  # for whoever asks again
            return message

    def _death(self) -> RunFailed:
        code = self.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        output = self._errors.read().decode("utf-8", "replace")[-TAIL_CHARACTERS:]
        return RunFailed(f"the {self.backend} process ended ({how})", output)


class Session:
    """The workers of some frameworks, and a folder for what they share.

    Use it as a context manager: at its end no process and no file is left.

    Attributes:
        backends: The frameworks, in order.
        folder: For datasets and weights.
    """

    def __init__(self, backends: Sequence[str]) -> None:
        self.backends = check_backends(backends)
        self._workers: dict[str, Worker] = {}
        remove_orphans()
        self._temporary = temporary_folder()
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> Session:
        try:
            for backend in self.backends:
                self.worker(backend)
        except BaseException:  # Ctrl-C too: no __exit__ follows
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        with ExitStack() as stack:  # each is closed, whatever happens while another is
            stack.callback(remove, self._temporary)
            for worker in self._workers.values():
                stack.callback(worker.close)

    def worker(self, backend: str) -> Worker:
        """The framework's worker; a new one if the last has died."""
        worker = self._workers.get(backend)
        if worker is None or not worker.alive:
            if worker is not None:
                worker.close()
            worker = self._workers[backend] = Worker(backend, self.folder)
        return worker

    def relieve(self, backend: str) -> None:
        """Ends the framework's worker if it holds much memory without a job.

        Frameworks do not give back all that a large network took; the next job starts another.
        """
        worker = self._workers.get(backend)
        if worker is not None and worker.alive:
            with suppress(psutil.Error):
                if psutil.Process(worker.process.pid).memory_info().rss > IDLE_BYTES:
                    worker.close()
