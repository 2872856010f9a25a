"""Feedback for each student, and the class at a glance, as HTML files that need nothing else."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ftkit.grading import similar
from ftkit.grading.grade import Class
from ftkit.grading.pages import tables
from ftkit.grading.pages.writing import write
from ftkit.grading.submissions import Submission
from ftkit.grading.verdicts import Result

_MEANING = {
    "passed": "Everything holds.",
    "partly": "Some of it holds.",
    "wrong": "Your answer ran, but its results are not right.",
    "not attempted": "This was left as it was handed out.",
    "crashed": "Your answer could not be run to its end.",
    "timed out": "Your answer took too long and was stopped.",
    "out of memory": "Your answer took too much memory and was stopped.",
    "tampered": "Your answer tried to reach something other than its task.",
    "unreadable": "The file that was handed in could not be read as a notebook.",
    "grader fault": "It will be graded again.",
}
_MOST_PAIRS, _MOST_SOURCE = 40, 6000
_PLACE = re.compile(r" \(line \d+ of your answer\)")
_TONES = {"passed": "good", "partly": "part", "not attempted": "", "grader fault": ""}


def write_all(graded: Class, out: Path) -> list[str]:
    """Writes ``grades.csv``, ``moodle.csv``, ``canvas.csv``, ``feedback/`` and ``summary.html``.

    Returns:
        Their names.
    """
    write(out / "grades.csv", tables.grades(graded))
    write(out / "moodle.csv", tables.moodle(graded))
    write(out / "canvas.csv", tables.canvas(graded))
    (out / "feedback").mkdir(exist_ok=True)
    for one in graded.submissions:
        write(out / "feedback" / file_name(one.student), feedback(graded, one))
    write(out / "summary.html", summary(graded))
    return ["grades.csv", "moodle.csv", "canvas.csv", "feedback/", "summary.html"]


def feedback(graded: Class, one: Submission) -> str:
    """A student's page: nothing of the hidden tests but their titles."""
    results = graded.results[one.student]
    return _template("feedback.html.j2").render(
        title=graded.exercise.title,
        student=one.student,
        results=results,
        points=sum(r.points for r in results),
        most=sum(r.max_points for r in results),
        waiting=any(r.verdict == "grader fault" for r in results),
        meaning=_MEANING,
    )


def summary(graded: Class) -> str:
    """The class's page: verdicts per question, what fails most, who resembles whom, each student.

    It is the teacher's: answers and hidden tests show in it.
    """
    rows = [
        {
            "student": one.student,
            "file": quote(file_name(one.student)),
            "results": graded.results[one.student],
            "points": sum(r.points for r in graded.results[one.student]),
        }
        for one in graded.submissions
    ]
    everything = [result for results in graded.results.values() for result in results]
    names = list(dict.fromkeys(result.question for result in everything))
    pairs = _pairs(graded)
    return _template("summary.html.j2").render(
        title=graded.exercise.title,
        rows=rows,
        level=graded.level,
        warnings=graded.warnings,
        questions=[_question(n, [r for r in everything if r.question == n]) for n in names],
        compared=bool(graded.answers),
        pairs=pairs[:_MOST_PAIRS],
        more_pairs=len(pairs[_MOST_PAIRS:]),
        least_share=similar.LEAST_SHARE,
    )


def file_name(student: str) -> str:
    """A safe name for a student's page, another one for each student."""
    plain = re.sub(r"[^\w.-]+", "_", student).lstrip(".")[:40]  # of up to four bytes each
    if plain != student:
        plain += "-" + hashlib.sha256(student.encode()).hexdigest()[:8]
    return f"{plain}.html"


def _question(name: str, results: list[Result]) -> dict[str, object]:
    graded = [r for r in results if r.verdict != "grader fault"]
    failing = Counter(t.title for r in graded for t in r.tests if not t.passed and t.max_points)
    errors = Counter(text for r in graded for text in _errors(r))
    return {
        "name": name,
        "mean": sum(r.points for r in graded) / max(1, len(graded)),
        "most": max(r.max_points for r in results),
        "verdicts": Counter(r.verdict for r in results).most_common(),
        "failing": failing.most_common(8),
        "errors": [(text, count) for text, count in errors.most_common(8) if count > 1],
    }


def _errors(result: Result) -> set[str]:
    """What went wrong in an answer, in words that are the same for the same mistake."""
    if result.verdict in ("passed", "not attempted"):
        return set()
    told = [test.message for test in result.tests if test.message] or [result.detail]
    return {_PLACE.sub("", text.split("\n")[0])[:200] for text in told if text}


def _pairs(graded: Class) -> list[dict[str, Any]]:
    """Who resembles whom: a row for two students, with all questions in which they do."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in similar.alike(graded.exercise, graded.answers):
        row = rows.setdefault(one.students, {"students": one.students, "questions": [], "runs": 0})
        row["runs"] += one.runs
        sources = [
            graded.answers[student].sources[one.question][:_MOST_SOURCE] for student in one.students
        ]
        row["questions"].append({"name": one.question, "share": one.share, "sources": sources})
    return sorted(rows.values(), key=lambda row: -row["runs"])


def _template(name: str) -> jinja2.Template:
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    css = (folder / "page.css").read_text(encoding="utf-8")
    environment.globals["css"] = Markup(css)
    environment.globals["tone"] = lambda verdict: _TONES.get(verdict, "bad")
    return environment.get_template(name)
