"""Starts a worker for each framework, streams its events, stops it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from ftkit.engine.environments import check_backends, interpreter
from ftkit.history import Event, RunEnd, RunFailed, event_from_dict

QUIET_SECONDS = 0.2
TAIL_CHARACTERS = 4000
FOLDER_PREFIX = "ftkit-session-"  # then the process's number
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
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.process = subprocess.Popen(
            [interpreter(backend), "-m", "ftkit.engine.worker", backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env={
                **WORKER_ENVIRONMENT,
                **os.environ,
                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)),
            },
            start_new_session=True,  # Ctrl-C in a terminal reaches us, and we decide
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                continue  # cut off by the process's death, or another program's words
        self._lines.put(None)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def devices(self) -> tuple[str, ...]:
        """What the framework can run on; waits until it has been imported."""
        while self._ready is None:
            message = self._next()
            if message is None:
                return ()
            self._ready = message
        return tuple(self._ready["devices"])

    def run(self, job: dict[str, Any]) -> Iterator[Event]:
        """Runs a job; the last event is a ``RunEnd`` or a ``RunFailed``, whatever happens."""
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
            if isinstance(event, (RunEnd, RunFailed)):
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
            if isinstance(event, (RunEnd, RunFailed)):
                return

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
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
        _remove_orphans()
        self._temporary = tempfile.TemporaryDirectory(
            prefix=f"{FOLDER_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> Session:
        for backend in self.backends:
            self.worker(backend)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            worker.close()
        self._temporary.cleanup()

    def worker(self, backend: str) -> Worker:
        """The framework's worker; a new one if the last has died."""
        worker = self._workers.get(backend)
        if worker is None or not worker.alive:
            if worker is not None:
                worker.close()
            worker = self._workers[backend] = Worker(backend, self.folder)
        return worker


def _remove_orphans() -> None:
    """Removes the folders of sessions whose process was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*-*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
