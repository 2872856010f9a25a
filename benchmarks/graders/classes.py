"""The classes that are graded, and the graders: ftkit and nbgrader."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ftkit.errors import FtkitError
from ftkit.grading import build, master
from ftkit.grading.master import Exercise

ROOT = Path(__file__).parents[2]
ASSIGNMENT = "exercise"
_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "course"
c.ExecutePreprocessor.timeout = 300
"""
_CONFINED = """
import sys
from pathlib import Path
from ftkit.grading import grade, master
source, where, out = map(Path, sys.argv[1:4])
how = {"level": sys.argv[4], "allow_unsandboxed": True}
grade.grade(source, master.read(where), where, out, **how)
"""
_SCORES = """
import sys
from nbgrader.api import Gradebook
with Gradebook(sys.argv[1]) as gradebook:
    graded = gradebook.assignment_submissions(sys.argv[2])
    assert len(graded) == int(sys.argv[3]) and all(one.score == one.max_score for one in graded)
"""


@dataclass(frozen=True)
class Work:
    """What a class hands in.

    Attributes:
        name: What the results call it.
        label: What the tables call it.
        master: The exercise's master.
        framework: Which framework's notebook.
        bar: How many times faster than nbgrader grading is to be; 0 for no such bar.
    """

    name: str
    label: str
    master: Path
    framework: str
    bar: float


WORKS = {
    work.name: work
    for work in (
        Work("light", "light: two questions in NumPy", Path(__file__).with_name("light.py"),
             "pytorch", 2),
        Work("torch", "the demo exercise, which imports PyTorch", ROOT / "exercises" / "demo",
             "pytorch", 4),
        Work("tensorflow", "the demo exercise, which imports TensorFlow",
             ROOT / "exercises" / "demo", "tensorflow", 0),
    )
}  # fmt: skip


class Pupils:
    """A class whose notebooks are all right, on disk as each grader wants them.

    Args:
        work: What they hand in.
        count: How many they are.
        folder: An empty folder.
        nbgrader: The environment that has nbgrader; None without one.
    """

    def __init__(self, work: Work, count: int, folder: Path, nbgrader: Path | None) -> None:
        self.work, self.count, self.folder = work, count, folder
        self.exercise: Exercise = master.read(work.master)
        self._programs = nbgrader / "bin" if nbgrader else None
        self._out = 0
        for number in range(count):
            notebook = build.solution(self.exercise, work.framework)
            for cell in notebook["cells"]:
                if cell["metadata"].get("nbgrader", {}).get("solution"):
                    cell["source"] += f"\n# by student {number}"
            student = f"{number:03}"
            for place in (
                folder / "in" / student,
                folder / "course" / "submitted" / student / ASSIGNMENT,
            ):
                place.mkdir(parents=True)
                (place / "notebook.ipynb").write_text(build.dumps(notebook), encoding="utf-8")
        if self._programs:
            self._release()

    def grade_by_ours(self) -> None:
        """``ftkit grade --jobs 2``, as strictly as this machine can."""
        words = ["-m", "ftkit.cli", "grade", self.folder / "in", "--exercise", self.work.master]
        self._python(*words, "--jobs", "2", "--out", self._new())

    def grade_confined(self, level: str) -> None:
        """One submission at a time, confined in a given way."""
        self._python("-c", _CONFINED, self.folder / "in", self.work.master, self._new(), level)

    def check_ours(self) -> None:
        """Checks that the last run gave everybody everything.

        Raises:
            FtkitError: If it did not.
        """
        with closing(sqlite3.connect(self._results() / "grades.sqlite")) as store:
            verdicts = [verdict for (verdict,) in store.execute("SELECT verdict FROM grades")]
        wanted = ["passed"] * self.count * len(self.exercise.questions(self.work.framework))
        if verdicts != wanted:
            raise FtkitError(f"Expected {len(wanted)} times passed; got {verdicts}.")

    def grade_by_nbgrader(self) -> None:
        """``nbgrader autograde`` of the whole class."""
        self._nbgrader("autograde", ASSIGNMENT, "--force")

    def check_nbgrader(self) -> None:
        """Checks that nbgrader gave everybody everything.

        Raises:
            FtkitError: If it did not.
        """
        assert self._programs
        url = f"sqlite:///{self.folder / 'course' / 'gradebook.db'}"
        words = [self._programs / "python", "-c", _SCORES, url, ASSIGNMENT, str(self.count)]
        _run(words, self.folder, self._with_programs())

    def _new(self) -> Path:
        """A folder for results that does not exist."""
        self._out += 1
        return self._results()

    def _results(self) -> Path:
        return self.folder / f"out-{self._out}"

    def _python(self, *words: str | Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        _run([sys.executable, *words], self.folder, environment)

    def _release(self) -> None:
        """Sets up nbgrader's course, whose kernel is this Python."""
        course = self.folder / "course"
        (course / "nbgrader_config.py").write_text(_CONFIG, encoding="utf-8")
        source = course / "source" / ASSIGNMENT / "notebook.ipynb"
        source.parent.mkdir(parents=True)
        notebook = build.nbgrader_source(self.exercise, self.work.framework)
        source.write_text(build.dumps(notebook), encoding="utf-8")
        kernel = course / "jupyter" / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
        environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        kernel.write_text(json.dumps({**spec, "env": environment}), encoding="utf-8")
        self._nbgrader("generate_assignment", ASSIGNMENT)

    def _nbgrader(self, *words: str) -> None:
        assert self._programs
        course = self.folder / "course"
        environment = {
            **self._with_programs(),
            "JUPYTER_PATH": str(course / "jupyter"),
            **{f"JUPYTER_{n}_DIR": str(course / n) for n in ("CONFIG", "DATA", "RUNTIME")},
            "IPYTHONDIR": str(course / "ipython"),
        }
        _run([self._programs / "nbgrader", *words], course, environment)

    def _with_programs(self) -> dict[str, str]:
        """An environment in which nbgrader finds the programs that it starts."""
        assert self._programs
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        path = (str(self._programs), os.environ.get("PATH", os.defpath))
        return {**kept, "PATH": os.pathsep.join(path)}


def _run(words: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise FtkitError(f"{Path(words[0]).name} {words[1]} ended with {done.returncode}: {said}")
