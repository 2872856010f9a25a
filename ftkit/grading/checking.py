"""A learner's own check: the visible tests of a notebook, run as a class's are, but unconfined."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftkit.grading import extract, notebooks, tries
from ftkit.grading.desk import Given, preload
from ftkit.grading.errors import GradingError
from ftkit.grading.findings import Checked, Finding, finding
from ftkit.grading.master import MODULES, Cell, Exercise, Limits
from ftkit.grading.runner import Runner, new_seed
from ftkit.grading.verdicts import Result

_FORKS = sys.platform == "linux"
"""Whether a process that has a framework in memory may be forked."""


def check_notebook(
    path: Path,
    question: str = "",
    trace: bool = False,
    cells: tuple[str, ...] = (),
    told: Callable[[Finding], None] = lambda found: None,
) -> Checked:
    """Checks a notebook's visible tests.

    Args:
        path: A starter that a learner has worked in.
        question: The only one to check, such as ``q1``; all if it is empty.
        trace: Whether to tell where in the answer an exception was raised.
        cells: Sources of cells as they were last run, which count before what the file holds.
        told: Told of each question as its tests end.

    Raises:
        GradingError: If it is no notebook that was built from an exercise.
    """
    if not hasattr(os, "fork"):
        raise GradingError("ftkit check needs Linux or macOS; on Windows, use WSL2.")
    submitted, exercise = read(path)
    if question:
        exercise = _only(exercise, question)
    framework = exercise.frameworks[0]
    _check_installed(preload(exercise, framework), framework)
    questions = {cell.id: cell for cell in exercise.questions(framework)}
    given = _answers(submitted, exercise)
    if cells:
        run = notebooks.Submitted(tuple(notebooks.Found((), source) for source in cells))
        given |= {name: one for name, one in _answers(run, exercise).items() if one.source}
    found: dict[str, tuple[Result, int]] = {}

    def settled(result: Result) -> None:
        due = _record(exercise.name, result, given[result.question].source)
        found[result.question] = (result, due)
        told(finding(result, questions[result.question].hints, due))

    with tempfile.TemporaryDirectory(prefix="ftkit-check-") as folder:
        several = sum(bool(one.source) for one in given.values()) > 1
        runner = Runner(exercise, "plain", Path(folder) / "lane", preloaded=several and _FORKS)
        try:
            runner.judge(framework, given, new_seed(), settled)
            traces = runner.traces if trace else {}
        finally:
            runner.close()
    return Checked(
        exercise.name,
        tuple(
            finding(found[name][0], cell.hints, found[name][1], traces.get(name, ""))
            for name, cell in questions.items()
        ),
    )


def check(question: str, trace: bool = False, notebook: str | Path | None = None) -> Checked:
    """Checks one question from within the notebook, as its cells were last run.

    Args:
        question: Its full name, such as ``"ex2.q1"``; ``"ex2"`` checks all of the exercise.
        trace: Whether to tell where in the answer an exception was raised.
        notebook: The notebook's file, if it cannot be found by itself.

    Returns:
        A report, which the notebook shows if it is a cell's last line.

    Raises:
        GradingError: If there is no such question, or its notebook is not found.
    """
    exercise, _, name = question.partition(".")
    path = Path(notebook) if notebook else find(exercise)
    return check_notebook(path, name, trace, cells_run())


def cells_run() -> tuple[str, ...]:
    """The cells that this notebook's kernel has run, in order, as they stood there."""
    shell = _shell()
    return tuple(str(source) for source in shell.history_manager.input_hist_raw) if shell else ()


def find(exercise: str) -> Path:
    """The file of the notebook that is open.

    Args:
        exercise: What it is of: ``ex2_freeze_depth``, or ``ex2`` for short.

    Raises:
        GradingError: If it is not found.
    """
    shell = _shell()
    of_vs_code = shell.user_ns.get("__vsc_ipynb_file__") if shell else None
    told = of_vs_code or os.environ.get("JPY_SESSION_NAME")
    if told and _framework(Path(told), exercise):
        return Path(told)
    here = {path: _framework(path, exercise) for path in sorted(Path().glob("*.ipynb"))}
    of_it = [path for path, framework in here.items() if framework]
    used = [path for path in of_it if MODULES.get(here[path]) in sys.modules]
    for found in (of_it, used):
        if len(found) == 1:
            return found[0]
    raise GradingError(
        f"Expected one notebook of the exercise {exercise!r} in {Path.cwd()}; found {len(of_it)}. "
        'Name the exercise, as in check("ex2.q1"), or the file: check("ex2.q1", notebook="FILE").'
    )


def read(path: Path) -> tuple[notebooks.Submitted, Exercise]:
    """A notebook's cells, and the exercise as the builder wrote it into the notebook.

    Raises:
        GradingError: If it is no notebook that was built from an exercise.
    """
    try:
        submitted = notebooks.parse(notebooks.read_bytes(path.resolve()))
    except notebooks.Unreadable as error:
        raise GradingError(
            f"{path}: {error} Give the notebook of an exercise that you work in, such as "
            "exercises/ex2_freeze_depth.pytorch.ipynb."
        ) from None
    return submitted, _exercise(path, submitted.ours, submitted.framework)


def _record(exercise: str, result: Result, source: str) -> int:
    """Keeps a try, and says how many hints are due."""
    if result.verdict == "grader fault":
        return 0
    name = f"{exercise}.{result.question}"
    return tries.record(name, source, result.verdict, result.points, result.max_points).tries


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


def _check_installed(modules: tuple[str, ...], framework: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name.split(".")[0]) is None]
    if missing:
        raise GradingError(
            f"This notebook needs {missing[0]}, which is not installed in {sys.executable}. "
            f"Install with: pip install 'ftkit[{framework}]'."
        )


def _only(exercise: Exercise, question: str) -> Exercise:
    ids = [cell.id for cell in exercise.cells if cell.kind == "answer"]
    if question not in ids:
        known = ", ".join(f"{exercise.name}.{name}" for name in ids)
        raise GradingError(f"There is no question {question!r} here; choose one of: {known}.")
    kept = (c for c in exercise.cells if c.kind == "setup" or question in (c.id, c.question))
    return replace(exercise, cells=tuple(kept))


def _shell() -> Any:
    """IPython's shell, if this runs in a notebook."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _framework(path: Path, exercise: str) -> str:
    """The framework of an exercise's notebook; empty if the file is none of it."""
    try:
        ours = json.loads(path.read_text(encoding="utf-8"))["metadata"]["ftkit"]
        name = str(ours["exercise"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return str(ours.get("framework", "?")) if exercise in (name, name.split("_")[0]) else ""
