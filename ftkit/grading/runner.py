"""One lane of grading: a fork server and its zygotes, through which submissions pass in turn."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftkit.grading import build, wire
from ftkit.grading.desk import Desk, Given, preload
from ftkit.grading.forkserver import INI
from ftkit.grading.master import Exercise
from ftkit.grading.sandbox import places
from ftkit.grading.submissions import clear
from ftkit.grading.verdicts import Result
from ftkit.grading.workers import Zygote, ZygoteFault

_START_SECONDS = 60.0
_SLACK_SECONDS = 60.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For the judge's NumPy, which reads it as it is imported."""
_KERNEL_CONFIG = """c = get_config()
c.HistoryManager.enabled = False
c.InteractiveShell.xmode = "Minimal"  # nobody reads a judge's traceback
"""


class JudgeFault(Exception):
    """The trusted half did not do its work."""


class Runner:
    """Grades one submission at a time; start and close it in one thread."""

    def __init__(
        self,
        exercise: Exercise,
        level: str,
        folder: Path,
        cores: tuple[int, ...] = (),
        preloaded: bool = True,
    ) -> None:
        """Makes one; processes start when they are needed.

        Args:
            exercise: What is graded.
            level: How answers are confined.
            folder: For its own files; made here, and removed by ``close``.
            cores: The processors that answers may compute on.
            preloaded: Whether to load the framework once for all answers.
        """
        self._exercise, self._level, self._folder = exercise, level, folder
        self._cores, self._preloaded = cores, preloaded
        self.traces: dict[str, str] = {}
        """Where the last run's answers raised exceptions, by question."""
        self._zygotes: dict[str, Zygote] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        profile = folder / "ipython" / "profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(_KERNEL_CONFIG)

    def intake(self, path: Path, variant: Exercise | None = None) -> dict[str, Any]:
        """What is in a notebook: ``answers``, ``framework`` and the mark of its ``variant``.

        Args:
            path: The notebook.
            variant: The student's own form of the exercise, if it has such.

        Returns:
            That, or why it is ``unreadable``.

        Raises:
            JudgeFault: If the fork server is gone, or cannot do it for a reason of its own.
        """
        request = {"do": "intake", "path": os.fsencode(path).decode("utf-8", "surrogateescape")}
        try:
            reply = self._serve({**request, "spec": _spec(variant or self._exercise)})
        except wire.WireError:
            return {"unreadable": "The file's name cannot be read."}
        if "failed" in reply:
            raise JudgeFault(f"Reading the file failed: {reply['failed']}")
        if "gone" in reply:
            return {"unreadable": f"Reading the file had to be ended: {reply['gone']}."}
        return dict(reply["ok"])

    def judge(
        self,
        framework: str,
        answers: dict[str, Given],
        seed: int,
        settled: Callable[[Result], None],
        variant: Exercise | None = None,
    ) -> str:
        """Runs the judge on a student's answers.

        Args:
            framework: Which framework's judge.
            answers: By question.
            seed: For hidden inputs.
            settled: Told of each question once.
            variant: The student's own form of the exercise, if it has such.

        Returns:
            The question in whose test the judge was lost, if it was: that and all that came after
            are the grader's fault, but the others can be judged without its answer.
        """
        exercise = variant or self._exercise
        if any(one.source and not one.problem for one in answers.values()):
            with suppress(ZygoteFault):  # the desk will try again, and tell
                self._zygote(framework)  # now, for it may take longer than a cell of the judge
        folder = Path(tempfile.mkdtemp(dir=self._folder, prefix="run-"))
        (folder / "own.ini").write_text(INI)
        notebook = build.judge(exercise, framework)
        (folder / "judge.ipynb").write_text(build.dumps(notebook), encoding="utf-8")
        desk = Desk(
            folder,
            exercise,
            framework,
            answers,
            lambda: self._zygote(framework),
            settled,
        )
        limits = [question.limits.seconds for question in exercise.questions(framework)]
        why = "the judge's process could not be started"
        try:
            self._start()
            assert self._control is not None
            request = {
                "do": "judge",
                "folder": str(folder),
                "ipython": str(self._folder / "ipython"),
                "python_path": places.import_path(),
                "seed": seed,
                "cell_seconds": max(limits) + _SLACK_SECONDS,
                "seconds": sum(limits) + 2 * _SLACK_SECONDS,
            }
            wire.send(self._control, request)
            desk.serve(self._control)
            reply = wire.receive(self._control, time.monotonic() + _START_SECONDS)
            log = (folder / "log.txt").read_text(errors="replace")[-1500:]
            why = f"the judge ended with {reply}: {log}"
        except (wire.Closed, wire.Late, wire.WireError, JudgeFault, OSError) as error:
            why = f"the judge's process is gone: {error!r}"
            self._stop()
        finally:
            desk.close(why)
            self.traces = desk.traces()
            clear(folder)
        return desk.culprit()

    def close(self) -> None:
        """Ends its processes and removes its files."""
        self._stop()
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()
        clear(self._folder)

    def _zygote(self, framework: str) -> Zygote:
        """A living zygote of a framework; one that died is replaced."""
        held = self._zygotes.get(framework)
        if held and held.alive():
            return held
        if held:
            self._zygotes.pop(framework).close()
        modules = preload(self._exercise, framework) if self._preloaded else ()
        scratch = Path(tempfile.mkdtemp(dir=self._folder, prefix="scratch-"))
        self._zygotes[framework] = Zygote(self._level, scratch, modules, self._cores)
        return self._zygotes[framework]

    def _serve(self, request: dict[str, Any]) -> dict[str, Any]:
        for attempt in (1, 2):
            try:
                self._start()
                assert self._control is not None
                wire.send(self._control, request)
                return dict(wire.receive(self._control, time.monotonic() + 60, wire.INTAKE))
            except (wire.Closed, wire.Late, OSError, ZygoteFault) as error:
                self._stop()
                if attempt == 2:
                    raise JudgeFault(f"The fork server is gone: {error!r}") from None
        raise AssertionError

    def _start(self) -> None:
        if self._server and self._server.poll() is None:
            return
        self._stop()
        ours, theirs = socket.socketpair()
        self._server = subprocess.Popen(
            [*places.boot("ftkit.grading.forkserver"), str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        wire.receive(ours, time.monotonic() + _START_SECONDS)

    def _stop(self) -> None:
        if self._control:
            self._control.close()
            self._control = None
        if self._server:
            try:
                self._server.wait(3)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None


def given(taken: dict[str, Any]) -> dict[str, Given]:
    """The answers that intake found, by question; none in a file that is unreadable."""
    return {
        name: Given(a["source"], tuple(a["before"]), a["problem"], tuple(a["notes"]))
        for name, a in taken.get("answers", {}).items()
    }


def _spec(exercise: Exercise) -> dict[str, Any]:
    """What intake has to know of an exercise, by framework."""
    return {
        framework: {
            "questions": [
                {"id": cell.id, "exports": list(cell.exports), "stub": build.starter_source(cell)}
                for cell in exercise.questions(framework)
            ],
            "reserved": [c.id for c in exercise.of(framework) if c.kind not in _STUDENTS],
        }
        for framework in exercise.frameworks
    }


def new_seed() -> int:
    """A seed that nobody can guess."""
    return secrets.randbits(63)


_STUDENTS = ("answer", "code", "markdown")
