"""Grades as tables: our own, and the layouts that Moodle and Canvas import."""

from __future__ import annotations

import csv
import io

from ftkit.grading.grade import Class
from ftkit.grading.verdicts import Result

_ACTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What begins a formula in a spreadsheet."""


def grades(graded: Class) -> str:
    """``grades.csv``: a row per student, points and verdict per question, the sum."""
    names = _questions(graded)
    head = ["student", *(f"{q} {what}" for q in names for what in ("points", "verdict"))]
    rows = [[*head, "points", "max_points", "to_be_graded_again"]]
    for one in graded.submissions:
        results = {r.question: r for r in graded.results[one.student]}
        row = [one.student]
        for name in names:
            row += [_number(results[name]), results[name].verdict] if name in results else ["", ""]
        again = " ".join(r.question for r in results.values() if r.verdict == "grader fault")
        rows.append([*row, _sum(list(results.values())), _most(graded), again])
    return _csv(rows)


def moodle(graded: Class) -> str:
    """Moodle's grading worksheet: the rows that have an identifier from a Moodle zip."""
    rows = [["Identifier", "Full name", "Grade", "Maximum Grade"]]
    for one in graded.submissions:
        identifier = f"Participant {one.lms_id}" if one.lms_id else ""
        results = graded.results[one.student]
        rows.append([identifier, one.student, _sum(results), _most(graded)])
    return _csv(rows)


def canvas(graded: Class) -> str:
    """Canvas's gradebook import, with the line of possible points that it wants."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", graded.exercise.title]]
    rows.append(["Points Possible", "", "", "", "", _most(graded)])
    for one in graded.submissions:
        rows.append([one.student, one.lms_id, "", "", "", _sum(graded.results[one.student])])
    return _csv(rows)


def _questions(graded: Class) -> list[str]:
    cells = graded.exercise.cells
    return list(dict.fromkeys(cell.id for cell in cells if cell.kind == "answer"))


def _number(result: Result) -> str:
    return "" if result.verdict == "grader fault" else f"{result.points:g}"


def _sum(results: list[Result]) -> str:
    """The points; nothing where a question waits for the grader, lest a platform take it for 0."""
    if any(r.verdict == "grader fault" for r in results):
        return ""
    return f"{sum(r.points for r in results):g}"


def _most(graded: Class) -> str:
    exercise = graded.exercise
    first = exercise.frameworks[0]
    return f"{sum(cell.points for cell in exercise.of(first) if cell.kind == 'test'):g}"


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if cell.startswith(_ACTS) else cell for cell in row])
    return out.getvalue()
