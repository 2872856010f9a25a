"""The Check button of an exercise: verdicts, points and hints, judged in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.grading import checking, tries
from ftkit.grading.apart import Apart
from ftkit.grading.errors import GradingError
from ftkit.grading.findings import SIGNS, Finding, more_hints
from ftkit.grading.master import Exercise
from ftkit.report import formats
from ftkit.widgets.frame import Frame, script

KINDS = {"passed": "right", "partly": "partly", "not attempted": "open", "grader fault": "open"}
"""How a verdict is drawn; the others as wrong."""


class Check(Frame):
    """The questions of an exercise's notebook, each with a button that runs its visible tests.

    Answers count as their cells were last run; those that were not run in this session, as the
    file was saved. What is found is told on the page, and so is what stands in the way.

    Args:
        exercise: What the notebook is of: ``"ex2_freeze_depth"``.
        notebook: Its file, if it cannot be found by itself.
    """

    _esm = script("draw.js", "check.js")

    view = traitlets.Dict().tag(sync=True)
    found = traitlets.Dict().tag(sync=True)
    running: traitlets.List[Any] = traitlets.List().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, exercise: str, notebook: str | Path | None = None) -> None:
        self._exercise, self._notebook = exercise, notebook
        self._apart: Apart | None = None
        self._round = 0  # the last check but one may still be clearing up
        super().__init__(view={"title": exercise, "framework": "", "questions": []})
        self._look()

    def handle(self, message: dict[str, Any]) -> None:
        """Checks or stops: ``{"do": "check", "question": "q1"}``, ``{"do": "stop"}``."""
        if message["do"] == "check":
            self.check(str(message.get("question", "")))
        elif message["do"] == "stop":
            self.stop()

    def check(self, question: str = "") -> None:
        """Starts a check in the background, unless one is going on.

        Args:
            question: The only one to check, such as ``"q1"``; all if it is empty.
        """
        path = None if self.running else self._look()
        if path is None:
            return
        every = [item["id"] for item in self.view["questions"]]
        self.running = [question] if question else every
        self.note = ""
        self._round += 1
        now = self._round
        self._apart = Apart(
            path,
            question,
            checking.cells_run(),
            lambda told: self._tell(now, told),
            lambda why: self._end(now, why),
        )

    def stop(self) -> None:
        """Ends the check that is going on; what it has found stays."""
        if self._apart is not None and self.running:
            self._apart.stop()
            self._end(self._round, "Stopped. What was found before is kept.")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until nothing is checked any more; False if that takes longer."""
        return self._apart is None or self._apart.wait(seconds)

    def still(self) -> tuple[Figure | None, str]:
        """The questions and what was found, in words."""
        lines = [heading(self.view), score(self.view, self.found)]
        for item in self.view["questions"]:
            found = self.found.get(item["id"], NOT_CHECKED)
            lines.append(f"{found['sign']} {item['id']} ({item['defines']}): {found['says']}")
            lines += [f"    {line}" for line in found["report"]]
        return None, "\n".join([*lines, self.note] if self.note else lines)

    def _look(self) -> Path | None:
        """Finds and reads the notebook; what is wrong with it is told on the page."""
        try:
            path = Path(self._notebook or checking.find(self._exercise))
            exercise = checking.read(path)[1]
        except GradingError as error:
            self.note = str(error)
            return None
        self.view = view_of(exercise)
        self.found = {**earlier(exercise, tries.load()), **self.found}
        return path

    def _tell(self, number: int, told: dict[str, Any]) -> None:
        if number == self._round:
            found = Finding(**told)
            self.found = {**self.found, found.question: told_of(found)}
            self.keep()  # before the page says that it is over, and may be saved
            self.running = [name for name in self.running if name != found.question]

    def _end(self, number: int, why: str) -> None:
        if number == self._round:
            self.note = why
            self.keep()
            self.running = []


NOT_CHECKED = {"kind": "open", "sign": "○", "says": "not checked yet", "report": []}


def view_of(exercise: Exercise) -> dict[str, Any]:
    """What the page is told of an exercise: its questions, with the points of visible tests."""
    framework = exercise.frameworks[0]
    return {
        "title": exercise.title,
        "framework": formats.framework(framework),
        "questions": [
            {
                "id": cell.id,
                "defines": ", ".join(cell.exports),
                "points": sum(test.points for test in exercise.tests(framework, cell.id)),
            }
            for cell in exercise.questions(framework)
        ],
    }


def told_of(found: Finding) -> dict[str, Any]:
    """What the page is told of a finding."""
    return {
        "kind": KINDS.get(found.verdict, "wrong"),
        "sign": SIGNS[found.verdict],
        "says": found.says,
        "points": found.points,
        "passed": found.verdict == "passed",
        "tests": [{"holds": holds, "title": title} for holds, title in found.tests],
        "lines": [*found.lines, *found.notes],
        "hints": list(found.hints),
        "more": more_hints(found.hints_left) if found.hints and found.hints_left else "",
        "report": found.report(),
    }


def earlier(exercise: Exercise, kept: dict[str, tries.Try]) -> dict[str, dict[str, Any]]:
    """What the page is told of questions that were checked in another session."""
    told = {}
    for cell in exercise.questions(exercise.frameworks[0]):
        last = kept.get(f"{exercise.name}.{cell.id}")
        if last is None or last.verdict in ("not attempted", "grader fault"):
            continue
        hints = () if last.verdict == "passed" else cell.hints[: last.tries]
        left = len(cell.hints) - len(hints)
        found = Finding(
            cell.id, last.verdict, last.points, last.max_points, hints=hints, hints_left=left
        )
        points = f"{last.points:g} of {last.max_points:g} points"
        told[cell.id] = {**told_of(found), "says": f"{last.verdict} before, {points}"}
    return told


def heading(view: dict[str, Any]) -> str:
    """What is checked."""
    framework = f" ({view['framework']})" if view["framework"] else ""
    return f"Check: {view['title']}{framework}"


def score(view: dict[str, Any], found: dict[str, dict[str, Any]]) -> str:
    """How many questions passed, and the points of the visible tests, in words."""
    told = [found[item["id"]] for item in view["questions"] if item["id"] in found]
    most = sum(item["points"] for item in view["questions"])
    return (
        f"{sum(item['passed'] for item in told)} of {len(view['questions'])} passed, "
        f"{sum(item['points'] for item in told):g} of {most:g} points of the visible tests."
    )
