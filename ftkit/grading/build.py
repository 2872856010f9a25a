"""The notebooks that are built from a master: starter, solution, nbgrader's source, judge."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from ftkit.grading import regions, variants
from ftkit.grading.errors import GradingError
from ftkit.grading.extract import CHECK_ID
from ftkit.grading.master import Cell, Exercise

Notebook = dict[str, Any]

HEADER_ID, CANARY_ID = "ftkit-header", "ftkit-canary"
"""Cells that only the judge notebook has."""

_HEADER = "from ftkit.grading.judging import answer"
CANARY_MESSAGE = "This cell must fail: it shows that a failure is seen."
_CANARY = f"raise AssertionError({CANARY_MESSAGE!r})"
_CHECK = "from ftkit.widgets import Check\n\nCheck({name!r})"


def starter(exercise: Exercise, framework: str) -> Notebook:
    """What a student gets: no solution, no hidden test.

    A cell of which nothing is visible stays as a comment: nbgrader wants every graded cell back.
    After the introduction stands a cell with the Check button.
    """
    cells = [
        _cell(cell, regions.without_solution(_visible(cell))) for cell in exercise.of(framework)
    ]
    at = next((n for n, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
    cells.insert(at, _code(CHECK_ID, _CHECK.format(name=exercise.name)))
    return _notebook(exercise, framework, cells)


def solution(exercise: Exercise, framework: str) -> Notebook:
    """The starter with its solutions."""
    return _notebook(
        exercise,
        framework,
        [_cell(cell, regions.without_markers(_visible(cell))) for cell in exercise.of(framework)],
    )


def starter_source(cell: Cell) -> str:
    """What the starter holds in an answer cell's place."""
    return regions.without_solution(cell.source)


def _visible(cell: Cell) -> str:
    source = "" if cell.kind == "judge" else regions.without_hidden_tests(cell.source)
    if source or cell.kind not in ("test", "judge"):
        return source
    return f"# Tested when this is graded: {cell.title or 'see the other tests'}."


def nbgrader_source(exercise: Exercise, framework: str) -> Notebook:
    """What ``nbgrader generate_assignment`` starts from: all cells, with their markers."""
    cells = []
    for cell in exercise.of(framework):
        source = cell.source
        if cell.kind == "judge" and not regions.has_hidden_tests(source):
            source = f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
        cells.append(_cell(cell, source))
    return _notebook(exercise, framework, cells)


def judge(exercise: Exercise, framework: str) -> Notebook:
    """What nbval runs to grade: every test whole, and for each answer a proxy to the worker."""
    cells = [_code(HEADER_ID, _HEADER), _code(CANARY_ID, _CANARY)]
    for cell in exercise.of(framework):
        if cell.kind == "answer":
            names = ", ".join(cell.exports)
            asked = ", ".join(json.dumps(name) for name in (cell.id, *cell.exports))
            cells.append(_code(cell.id, f"{names} = answer({asked})"))
        elif cell.kind in ("test", "judge") or (cell.kind == "setup" and cell.judge):
            cells.append(_code(cell.id, regions.without_markers(cell.source)))
    return _notebook(exercise, framework, cells)


def judge_hash(exercise: Exercise, framework: str) -> str:
    """A name for all that decides a grade on the teacher's side."""
    kept = [
        [
            cell.id,
            cell.kind,
            cell.question,
            cell.points,
            cell.exports,
            vars(cell.limits),
            cell.source,
        ]
        for cell in exercise.of(framework)
        if cell.kind != "markdown"
    ]
    decides = [judge(exercise, framework), kept, exercise.values]
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def dumps(notebook: Notebook) -> str:
    """The text of an ``.ipynb`` file, the same each time."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(cell: Cell, source: str) -> dict[str, Any]:
    if cell.kind == "markdown":
        return {"cell_type": "markdown", "id": cell.id, "metadata": {}, "source": source}
    made = _code(cell.id, source)
    graded = cell.kind in ("test", "judge")
    if cell.kind != "code":
        made["metadata"]["nbgrader"] = {
            "grade": graded,
            "grade_id": cell.id,
            "locked": cell.kind != "answer",
            "schema_version": 3,
            "solution": cell.kind == "answer",
            "task": False,
            **({"points": cell.points} if graded else {}),
        }
        if cell.kind != "answer":
            made["metadata"] |= {"deletable": False, "editable": False}
    return made


def _checked(cell: Cell) -> bool:
    """Whether the learner's own check needs it."""
    visible = regions.without_hidden_tests(cell.source)
    return cell.kind in ("setup", "answer") or (cell.kind == "test" and bool(visible))


def _for_check(cell: Cell) -> dict[str, Any]:
    """What the learner's own check needs of a cell: nothing that the starter does not show."""
    source = regions.without_solution(regions.without_hidden_tests(cell.source))
    return asdict(replace(cell, source=source))


def _code(id_: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": id_,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def _notebook(exercise: Exercise, framework: str, cells: list[dict[str, Any]]) -> Notebook:
    if framework not in exercise.frameworks:
        raise GradingError(
            f"{exercise.name} is written for {', '.join(exercise.frameworks)}; got {framework!r}."
        )
    mark = variants.mark(exercise)
    return {
        "cells": cells,
        "metadata": {
            "ftkit": {
                "exercise": exercise.name,
                "title": exercise.title,
                "framework": framework,
                **({"variant": mark} if mark else {}),
                "cells": [_for_check(cell) for cell in exercise.of(framework) if _checked(cell)],
            },
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
