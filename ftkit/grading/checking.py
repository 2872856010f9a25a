"""A learner's own check: the visible tests of a notebook, run as a class's are, but unconfined."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftkit.grading import extract, notebooks, tries
from ftkit.grading.desk import Given
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Cell, Exercise, Limits
from ftkit.grading.runner import Runner, new_seed
from ftkit.grading.verdicts import Result

_WORDS = {
    "passed": "every visible test holds",
    "partly": "some of the visible tests hold",
    "wrong": "it runs, but its results are not right",
    "not attempted": "it is as it was handed out: write your answer in its cell",
    "crashed": "it could not be run to its end",
    "timed out": "it took too long and was stopped",
    "out of memory": "it took too much memory and was stopped",
    "tampered": "it sent something other than an answer",
    "grader fault": "the check itself failed; your answer is not to blame",
}


@dataclass(frozen=True)
class Checked:
    """What a check found, question by question; prints as a short report."""

    exercise: str
    results: tuple[Result, ...]
    hints: dict[str, tuple[str, ...]]
    """Those that are due, by question."""
    traces: dict[str, str]
    """Where exceptions were raised; shown only if asked for."""

    @property
    def passed(self) -> bool:
        """Whether every question passed."""
        return all(result.verdict == "passed" for result in self.results)

    def __str__(self) -> str:
        lines: list[str] = []
        for result in self.results:
            name = f"{self.exercise}.{result.question}"
            lines.append(f"{name}: {result.verdict} – {_WORDS[result.verdict]}")
            messages = [t.message for t in result.tests if t.message]
            if result.verdict not in ("passed", "not attempted"):
                lines += [f"    {'✓' if t.passed else '✗'} {t.title}" for t in result.tests]
                shown = messages[0] if messages else result.detail
                lines += [f"    {line}" for line in shown.split("\n") if line.strip()]
                if result.verdict == "grader fault":
                    lines.append(f"    {result.private}")
                trace = self.traces.get(result.question, "")
                lines += [f"    {line}" for line in trace.split("\n") if line]
            for number, hint in enumerate(self.hints.get(result.question, ()), 1):
                lines.append(f"    hint {number}: {hint}")
        return "\n".join(lines)

    __repr__ = __str__


def check_notebook(
    path: Path, question: str = "", trace: bool = False, cells: tuple[str, ...] = ()
) -> Checked:
    """Checks a notebook's visible tests.

    Args:
        path: A starter that a learner has worked in.
        question: The only one to check, such as ``q1``; all if it is empty.
        trace: Whether to tell where in the answer an exception was raised.
        cells: Sources of cells as they were last run, which count before what the file holds.

    Raises:
        GradingError: If it is no notebook that was built from an exercise.
    """
    if not hasattr(os, "fork"):
        raise GradingError("ftkit check needs Linux or macOS; on Windows, use WSL2.")
    try:
        submitted = notebooks.parse(notebooks.read_bytes(path.resolve()))
    except notebooks.Unreadable as error:
        raise GradingError(f"{path}: {error}") from None
    exercise = _exercise(path, submitted.ours, submitted.framework)
    if question:
        exercise = _only(exercise, question)
    framework = exercise.frameworks[0]
    questions = exercise.questions(framework)
    given = _answers(submitted, exercise)
    if cells:
        run = notebooks.Submitted(tuple(notebooks.Found((), source) for source in cells))
        given |= {name: one for name, one in _answers(run, exercise).items() if one.source}
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="ftkit-check-") as folder:
        runner = Runner(exercise, "plain", Path(folder) / "lane", preloaded=False)
        try:
            runner.judge(framework, given, new_seed(), results.append)
            traces = runner.traces if trace else {}
        finally:
            runner.close()
    order = [cell.id for cell in questions]
    results.sort(key=lambda result: order.index(result.question))
    hints = {}
    for result in results:
        cell = questions[order.index(result.question)]
        name = f"{exercise.name}.{result.question}"
        source = given[result.question].source
        kept = tries.record(name, source, result.verdict, result.points, result.max_points)
        if result.verdict not in ("passed", "not attempted", "grader fault"):
            hints[result.question] = cell.hints[: kept.tries]
    return Checked(exercise.name, tuple(results), hints, traces)


def check(question: str, trace: bool = False, notebook: str | Path | None = None) -> Checked:
    """Checks one question from within the notebook, as its cells were last run.

    Args:
        question: Its full name, such as ``"demo.q1"``.
        trace: Whether to tell where in the answer an exception was raised.
        notebook: The notebook's file, if it cannot be found by itself.

    Returns:
        A report, which the notebook shows if it is a cell's last line.

    Raises:
        GradingError: If there is no such question, or its notebook is not found.
    """
    exercise, _, name = question.partition(".")
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    names = shell.user_ns if shell else {}
    path = Path(notebook) if notebook else _find(exercise, names)
    return check_notebook(path, name, trace, tuple(names.get("In", ())))


def _answers(submitted: notebooks.Submitted, exercise: Exercise) -> dict[str, Given]:
    framework = exercise.frameworks[0]
    wanted = [
        extract.Wanted(cell.id, cell.exports, cell.source) for cell in exercise.questions(framework)
    ]
    reserved = [cell.id for cell in exercise.cells if cell.kind != "answer"]
    found = extract.answers(submitted, wanted, reserved)
    return {name: Given(a.source, a.before, a.problem, a.notes) for name, a in found.items()}


def _exercise(path: Path, ours: dict[str, Any], framework: str) -> Exercise:
    """The exercise as the builder wrote it into the notebook."""
    try:
        cells = []
        for entry in ours["cells"]:
            limits = Limits(**entry["limits"])
            exports, hints = tuple(entry["exports"]), tuple(entry["hints"])
            cells.append(Cell(**{**entry, "limits": limits, "exports": exports, "hints": hints}))
        made = Exercise(str(ours["exercise"]), str(ours["title"]), 0, (framework,), tuple(cells))
    except (KeyError, TypeError, ValueError):
        raise GradingError(
            f"{path} is not a notebook that ftkit built, or what ftkit wrote into it is gone. "
            "Copy your answers into a fresh starter and check that."
        ) from None
    tested = {cell.question for cell in made.cells if cell.kind == "test"}
    return replace(made, cells=tuple(c for c in made.cells if c.kind != "answer" or c.id in tested))


def _only(exercise: Exercise, question: str) -> Exercise:
    ids = [cell.id for cell in exercise.cells if cell.kind == "answer"]
    if question not in ids:
        known = ", ".join(f"{exercise.name}.{name}" for name in ids)
        raise GradingError(f"There is no question {question!r} here; choose one of: {known}.")
    kept = (c for c in exercise.cells if c.kind == "setup" or question in (c.id, c.question))
    return replace(exercise, cells=tuple(kept))


def _find(exercise: str, names: dict[str, Any]) -> Path:
    """The file of the notebook that is open."""
    told = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if told and Path(told).suffix == ".ipynb" and Path(told).exists():
        return Path(told)
    here = [path for path in sorted(Path().glob("*.ipynb")) if _is_of(path, exercise)]
    if len(here) != 1:
        raise GradingError(
            f"Expected one notebook of {exercise!r} in {Path.cwd()}; found {len(here)}. "
            'Say which: check("…", notebook="FILE").'
        )
    return here[0]


def _is_of(path: Path, exercise: str) -> bool:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"]["ftkit"]["exercise"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(about == exercise)
