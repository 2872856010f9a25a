"""The grader's desk: what serves one run of a judge, between its kernel and the workers."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftkit.grading import build, wire
from ftkit.grading.judging import DESK
from ftkit.grading.master import Cell, Exercise
from ftkit.grading.verdicts import Evidence, Report, Result, fault, settle
from ftkit.grading.workers import Breach, Worker, Zygote, ZygoteFault

_SETUP_SECONDS = 45.0
"""For what comes before an answer, which may import a framework."""


@dataclass(frozen=True)
class Given:
    """A student's answer to one question, as intake found it."""

    source: str
    before: tuple[str, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()


class Desk:
    """Listens in a judge's folder, runs answers, gathers reports and settles questions."""

    def __init__(
        self,
        folder: Path,
        exercise: Exercise,
        framework: str,
        answers: dict[str, Given],
        zygote: Callable[[], Zygote],
        settled: Callable[[Result], None],
    ) -> None:
        """Opens it.

        Args:
            folder: Where the judge will run; private to this run.
            exercise: What is judged.
            framework: Which framework's questions.
            answers: By question.
            zygote: Gives a living one.
            settled: Told of each question as its last test ends.
        """
        self._exercise, self._framework = exercise, framework
        self._questions = {q.id: q for q in exercise.questions(framework)}
        self._answers, self._zygote, self._settled = answers, zygote, settled
        self._setup = [c.source for c in exercise.of(framework) if c.kind == "setup"]
        self._evidence = {name: Evidence() for name in self._questions}
        self._reports: dict[str, Report] = {}
        self._worker: tuple[str, Worker] | None = None
        self._fault: dict[str, str] = {}
        self.open = set(self._questions)
        self._listener = _listen(folder)
        self._peers: list[socket.socket] = []

    def serve(self, done: socket.socket) -> None:
        """Serves until there is something to read on ``done``."""
        while True:
            ready, _, _ = select.select([done, self._listener, *self._peers], [], [])
            for channel in ready:
                if channel is self._listener:
                    self._peers.append(self._listener.accept()[0])
                elif channel is not done:
                    self._hear(channel)
            if ready == [done]:
                return

    def traces(self) -> dict[str, str]:
        """Where answers raised exceptions, by question."""
        return {name: one.trace for name, one in self._evidence.items() if one.trace}

    def close(self, why: str = "the judge ended early") -> None:
        """Ends the worker; questions that are still open become the grader's fault."""
        self._end_worker()
        for channel in (*self._peers, self._listener):
            channel.close()
        for name in sorted(self.open):
            tests = self._exercise.tests(self._framework, name)
            self._settled(fault(name, tests, self._fault.get(name, why)))
        self.open.clear()

    def _hear(self, channel: socket.socket) -> None:
        try:
            request = wire.receive(channel)
            if request["do"] == "report":
                self._report(Report(request["cell"], request["passed"], request["message"]))
                return
            reply = self._answer(request) if request["do"] == "answer" else self._call(request)
            wire.send(channel, reply, wire.PASSED_ON)
        except (wire.Closed, wire.WireError):
            self._peers.remove(channel)
            channel.close()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["question"]
        given, evidence = self._answers.get(name, Given("")), self._evidence[name]
        self._end_worker()
        evidence.started = False
        if not given.source:
            evidence.attempted = False
            return _failed("This question was not attempted.")
        if given.problem:
            evidence.breach, evidence.detail = "crashed", given.problem
            return _failed(given.problem)
        try:
            worker = self._zygote().worker(self._questions[name].limits)
        except ZygoteFault as gone:
            self._fault[name] = str(gone)
            return _failed("The grader's own process failed.")
        self._worker = (name, worker)
        if not self._prepared(name, worker):
            return _failed("The grader's own process failed.")
        asked = {"do": "run", "before": list(given.before), "answer": given.source}
        reply = self._ask(name, {**asked, "exports": request["exports"]})
        if "ok" in reply and not _are_exports(reply["ok"], request["exports"]):
            evidence.breach, evidence.detail = "tampered", "It sent something other than an answer."
            reply = _failed(evidence.detail)
        evidence.started = "error" not in reply
        if not (evidence.started or evidence.breach or evidence.unfinished):
            evidence.breach = "crashed"
        return reply

    def _prepared(self, name: str, worker: Worker) -> bool:
        """Runs the setup cells; that they do not run here is no fault of the answer."""
        why = ""
        try:
            reply = worker.ask({"do": "prepare", "parts": self._setup}, _SETUP_SECONDS)
            if "error" in reply:
                why = f"it raised {reply['error']['type']}: {reply['error']['message']}"
        except Breach as breach:
            why = breach.detail
        except ZygoteFault as gone:
            why = str(gone)
        if why:
            self._fault[name] = f"a setup cell did not run where answers do: {why}"
        return not why

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["question"]
        if self._worker is None or self._worker[0] != name:
            return _failed("The answer is not running.")
        asked = {n: request[n] for n in ("do", "name", "args", "kwargs")}
        return self._ask(name, {**asked, "args": list(request["args"])})

    def _ask(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Asks the worker, and keeps what its reply says about it."""
        assert self._worker is not None
        evidence = self._evidence[name]
        try:
            reply = self._worker[1].ask(request)
        except Breach as breach:
            evidence.breach, evidence.detail = breach.verdict, breach.detail
            return _failed(f"Your answer was stopped. {breach.detail}")
        except ZygoteFault as gone:
            self._fault[name] = str(gone)
            return _failed("The grader's own process failed.")
        if "ok" in reply:
            return reply
        error = reply["error"]
        evidence.raised += error["type"] != "WireError"  # it ran; what it gave cannot be right
        at = f" (line {error['line']} of your answer)" if error["line"] else ""
        shown = f"Your answer raised {error['type']}: {error['message']}{at}"
        if _is_memory(error):
            evidence.breach, evidence.detail = "out of memory", "It ran out of memory."
            self._end_worker()
        elif error["builtin"] == "NotImplementedError":
            evidence.unfinished = True
        if not evidence.detail:
            evidence.detail, evidence.trace = shown, error["trace"]
            if request["do"] == "call" and self._hidden_phase(
                name
            ):  # the text is the student's, and may hold the inputs
                evidence.detail, evidence.trace = "It raised an exception in a hidden test.", ""
        return {"error": {"builtin": error["builtin"], "shown": shown}}

    def _hidden_phase(self, name: str) -> bool:
        """Whether a question's visible tests are over, so that hidden inputs may be about."""
        tests = self._exercise.tests(self._framework, name)
        return all(test.id in self._reports for test in tests if not test.hidden)

    def _report(self, report: Report) -> None:
        self._reports[report.cell] = report
        trouble = self._trouble()
        for name in sorted(self.open):
            tests = self._exercise.tests(self._framework, name)
            if not all(test.id in self._reports for test in tests):
                continue
            self.open.discard(name)
            why = trouble or self._fault.get(name, "")
            if self._worker and self._worker[0] == name:
                self._end_worker()
            given = self._answers.get(name, Given(""))
            self._settled(
                fault(name, tests, why)
                if why
                else settle(name, tests, self._reports, self._evidence[name], given.notes)
            )

    def _trouble(self) -> str:
        """What shows that the judge itself cannot be trusted."""
        canary = self._reports.get(build.CANARY_ID)
        if canary is None or canary.passed or build.CANARY_MESSAGE not in canary.message:
            how = "no report" if canary is None else canary.message or "passed"
            return f"the canary, a cell that must fail, did not fail as it must: {how}"
        for cell in self._exercise.of(self._framework):
            report = self._reports.get(cell.id)
            if cell.kind in ("setup", "judge") and report and not report.passed:
                return f"the judge's own cell {cell.id!r} failed: {report.message}"
        lost = self._first_lost()
        return f"the judge's kernel was lost in {lost.cell!r}: {lost.message}" if lost else ""

    def _first_lost(self) -> Report | None:
        """The cell of the judge that did not come to its end, and took those after it along."""
        return next((r for r in self._reports.values() if r.message.startswith(_JUDGE_DIED)), None)

    def culprit(self) -> str:
        """The question in whose test the judge was lost, if it was; its answer may be to blame."""
        lost = self._first_lost()
        cells = [c for c in self._exercise.of(self._framework) if lost and c.id == lost.cell]
        return cells[0].question if cells else ""

    def _end_worker(self) -> None:
        if self._worker:
            with suppress(ZygoteFault):
                self._worker[1].end()
            self._worker = None


_JUDGE_DIED = (
    "RuntimeError: Kernel dead",
    "NbCellError: Timeout of",
    "KeyboardInterrupt:",
    "DeadKernelError:",
)


def preload(exercise: Exercise, framework: str) -> tuple[str, ...]:
    """The modules that workers of an exercise should find in memory."""
    text = "\n".join(c.source for c in exercise.of(framework) if _runs_in_worker(c))
    modules = ["numpy"]
    if "import torch" in text or "from torch" in text:
        modules += ["torch", "torch._dynamo"]
    if any(f"{verb} {name}" in text for verb in ("import", "from") for name in _TENSORFLOW):
        modules += ["tensorflow"]
    return tuple(modules)


_TENSORFLOW = ("tensorflow", "keras")


def _runs_in_worker(cell: Cell) -> bool:
    return cell.kind in ("setup", "answer")


def _are_exports(made: Any, names: list[str]) -> bool:
    """Whether a reply holds, for each name, that it is a function or what value it has."""
    return (
        type(made) is dict
        and made.keys() == set(names)
        and all(
            one is None or (type(one) is list and len(one) == 2 and type(one[0]) is str)
            for one in made.values()
        )
    )


def _failed(shown: str) -> dict[str, Any]:
    return {"error": {"builtin": "Exception", "shown": shown}}


def _is_memory(error: dict[str, Any]) -> bool:
    words = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "OOM when")
    return error["builtin"] == "MemoryError" or any(word in error["message"] for word in words)


def _listen(folder: Path) -> socket.socket:
    """A listening socket in a folder, however long the folder's path is."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if Path("/proc/self/fd").is_dir():
        opened = os.open(folder, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{opened}/{DESK}")
        finally:
            os.close(opened)
    else:  # where only the learner's own check runs, in one thread
        before = Path.cwd()
        os.chdir(folder)
        try:
            listener.bind(DESK)
        finally:
            os.chdir(before)
    listener.listen(4)
    return listener
