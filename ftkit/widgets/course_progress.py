"""How far the learner is with the course: its quizzes and exercises in two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.coursework import Coursework, coursework, sign, summary
from ftkit.grading.tries import Try
from ftkit.widgets.frame import Frame, script


class CourseProgress(Frame):
    """Which quizzes are answered, and which questions of the exercises have passed.

    It shows what stands in the course folder and in the record of checks as it is made, and again
    when **Look again** is pressed.
    """

    _esm = script("draw.js", "course_progress.js")

    view = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        self._start = Path.cwd()
        self.work = coursework(self._start)
        super().__init__(view=view_of(self.work))

    def handle(self, message: dict[str, Any]) -> None:
        """Reads again: ``{"do": "look"}``."""
        if message["do"] == "look":
            self.look()

    def look(self) -> None:
        """Reads what is kept once more."""
        self.work = coursework(self._start)
        self.view = view_of(self.work)
        self.keep()

    def still(self) -> tuple[Figure | None, str]:
        """The tables in words."""
        return None, str(self.work)


def view_of(work: Coursework) -> dict[str, Any]:
    """What the page is told."""
    return {
        "summary": summary(work),
        "note": work.note,
        "quizzes": [
            {
                "name": one.name,
                "title": one.title,
                "questions": one.questions,
                "answered": one.answered,
                "right": one.right,
            }
            for one in work.quizzes
        ],
        "exercises": [
            {
                "name": one.name,
                "title": one.title,
                "passed": one.passed,
                "questions": [question_view(name, kept) for name, kept in one.questions.items()],
            }
            for one in work.exercises
        ],
    }


def question_view(name: str, kept: Try) -> dict[str, str]:
    """A question of an exercise: its sign, and in words what it came to."""
    tried = kept.verdict not in ("passed", "not attempted")
    tries = f", {kept.tries} {'try' if kept.tries == 1 else 'tries'}" if tried else ""
    said = "not tried" if kept.verdict == "not attempted" else f"{kept.verdict}{tries}"
    return {"id": name, "sign": sign(kept), "said": said}
