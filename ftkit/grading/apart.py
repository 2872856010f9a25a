"""A check in a process of its own, so that it can be stopped and harms nobody.

The two speak over its standard streams: one line of JSON says what to check, a line per question
comes back as its tests end. When the caller hangs up, or is gone, the check ends and clears up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from ftkit.grading.checking import check_notebook
from ftkit.grading.errors import GradingError
from ftkit.grading.findings import Finding
from ftkit.grading.sandbox import places

_END_SECONDS = 15.0
_LAST_WORDS = 500


class Apart:
    """A check that runs elsewhere."""

    def __init__(
        self,
        path: Path,
        question: str,
        cells: tuple[str, ...],
        told: Callable[[dict[str, Any]], None],
        ended: Callable[[str], None],
    ) -> None:
        """Starts it.

        Args:
            path: The notebook.
            question: The only one to check; all if it is empty.
            cells: Sources of cells as they were last run.
            told: Told of each question, in a thread: a finding as plain types.
            ended: Told once of the end, and why if it came too early; not after a stop.
        """
        self._told, self._ended = told, ended
        self._stopped = threading.Event()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed as the thread ends
        self._process = subprocess.Popen(
            places.boot(__name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # an interrupt of the kernel is not meant for it
        )
        asked = {"path": str(path), "question": question, "cells": cells}
        self._thread = threading.Thread(target=self._listen, args=(asked,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what it finds from now on is not told."""
        self._stopped.set()
        with suppress(OSError):
            self._process.terminate()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until it has cleared up; False if that takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _listen(self, asked: dict[str, Any]) -> None:
        assert self._process.stdin and self._process.stdout
        why: str | None = None
        with suppress(OSError):  # it is gone: the end of its output tells
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            said = json.loads(line)
            if "found" in said:
                if not self._stopped.is_set():
                    self._told(said["found"])
            else:
                why = said["ended"]
        self._close()
        if why is None:
            why = f"The check's own process ended too early: {self._said()}"
        self._errors.close()
        if not self._stopped.is_set():
            self._ended(why)

    def _close(self) -> None:
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _said(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return said[-_LAST_WORDS:] or f"it ended with {self._process.returncode}"


def main() -> None:
    """Checks what the first line of the input asks for, until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a kernel's child may inherit them as ignored
        signal.signal(number, _end)
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), daemon=True).start()
    try:
        cells = tuple(asked["cells"])
        check_notebook(Path(asked["path"]), asked["question"], cells=cells, told=_tell)
        _send({"ended": ""})
    except GradingError as error:
        _send({"ended": str(error)})
    except KeyboardInterrupt:
        pass


def _tell(found: Finding) -> None:
    _send({"found": asdict(found)})


def _send(said: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens any more
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def _watch(stream: int) -> None:
    """Ends the check when the caller hangs up."""
    while os.read(stream, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> None:
    for signalled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signalled, signal.SIG_IGN)  # it is ending already
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
