"""Tables and pages, from grades made by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from ftkit.grading import master
from ftkit.grading.grade import Class
from ftkit.grading.pages import html, tables
from ftkit.grading.store import Handed
from ftkit.grading.submissions import Submission
from ftkit.grading.verdicts import VERDICTS, Outcome, Result

EVIL = "<script>alert(1)</script>=cmd|'/c calc'!A1"


def a_class(*students, verdict="partly", points=1.0):
    tests = (
        Outcome("seen", True, 1.0, 1.0),
        Outcome("unseen", False, 0.0, 2.0, hidden=True),
        Outcome("told", False, 0.0, 0.0, "AssertionError: <b>5</b>"),
    )
    listed = tuple(Submission(name, Path("x"), lms) for name, lms in students)
    results = {
        one.student: [
            Result("q1", verdict, points, 3.0, f"why {EVIL}", tests, (EVIL,), "PRIVATE " + EVIL),
            Result("q2", "passed", 3.0, 3.0),
        ]
        for one in listed
    }
    exercise = master.read(Path(__file__).with_name("tiny.py"))
    return Class(exercise, listed, results, "bubblewrap", (f"warned {EVIL}",))


def rows(text):
    return list(csv.reader(text.splitlines()))


def test_the_table_has_points_and_verdict_of_each_question_and_the_sum():
    assert rows(tables.grades(a_class(("ann", "7")))) == [
        ["student", "q1 points", "q1 verdict", "q2 points", "q2 verdict", "points", "max_points",
         "to_be_graded_again"],
        ["ann", "1", "partly", "3", "passed", "4", "6", ""],
    ]  # fmt: skip


def test_platforms_get_their_own_layouts():
    graded = a_class(("ann", "7"), ("bob", ""))
    assert rows(tables.moodle(graded)) == [
        ["Identifier", "Full name", "Grade", "Maximum Grade"],
        ["Participant 7", "ann", "4", "6"],
        ["", "bob", "4", "6"],
    ]
    assert rows(tables.canvas(graded))[:3] == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Two small questions"],
        ["Points Possible", "", "", "", "", "6"],
        ["ann", "7", "", "", "", "4"],
    ]


def test_a_fault_of_the_grader_is_no_zero_in_any_table():
    graded = a_class(("ann", "7"), verdict="grader fault", points=0.0)
    assert rows(tables.grades(graded))[1] == [
        "ann",
        "",
        "grader fault",
        "3",
        "passed",
        "",
        "6",
        "q1",
    ]
    assert rows(tables.moodle(graded))[1][2] == "" and rows(tables.canvas(graded))[2][-1] == ""
    assert "The grader failed here, not you" in html.feedback(graded, graded.submissions[0])


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "＝1"])
def test_a_name_is_no_formula_in_a_spreadsheet(name):
    for table in (tables.grades, tables.moodle, tables.canvas):
        assert any(f"'{name}" in row for row in rows(table(a_class((name, "")))))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_its_page_and_nothing_on_it_can_act(verdict):
    graded = a_class((EVIL, "7"), verdict=verdict)
    for page in (html.feedback(graded, graded.submissions[0]), html.summary(graded)):
        assert "<script" not in page and "<b>5</b>" not in page and verdict in page


def test_feedback_shows_what_is_the_students_and_nothing_of_the_teachers():
    graded = a_class(("ann", "7"))
    page = html.feedback(graded, graded.submissions[0])
    assert "4 of 6 points" in page and "(hidden test)" in page and "why" in page
    assert "PRIVATE" not in page and "PRIVATE" in html.summary(graded)


def test_the_summary_shows_who_resembles_whom_with_both_answers_and_as_a_hint():
    graded = a_class(("ann", ""), ("bob", ""), ("cy", ""))
    calls = ("sum", "prod", "mean", "std", "var", "ptp", "trace", "ravel")
    lines = [f"    total += np.{name}(x[{len(name)}:]) * 2 - len(y) // 3" for name in calls]
    alike = "\n".join(["def fit(x, y):", "    total = 0", *lines, f"    return {EVIL!r}, total"])
    sources = {"ann": alike, "bob": alike.replace("total", "t"), "cy": "def fit(x, y): return 1"}
    answers = {name: Handed("pytorch", {"q1": "", "q2": text}) for name, text in sources.items()}
    page = html.summary(replace(graded, answers=answers))
    told = page[page.index("Similar answers") : page.index("<h2>Students</h2>")]
    assert "A hint where to look, and no verdict" in told and "q2: 100 %" in told
    assert "ann<br>bob" in told and "cy" not in told and "<script" not in page
    assert told.count("np.ptp") == 2
    blank = {name: Handed("pytorch", {"q1": "", "q2": ""}) for name in sources}
    assert "<p>None.</p>" in html.summary(replace(graded, answers=blank))


def test_the_summary_counts_the_same_mistake_wherever_it_was_made():
    graded = a_class(("ann", ""), ("bob", ""), ("cy", ""))
    for line, student in enumerate(("ann", "bob")):
        detail = (
            f"Your answer raised NameError: name 'u' is not defined (line {line} of your answer)"
        )
        graded.results[student][0] = Result("q1", "crashed", 0.0, 3.0, detail)
    page = html.summary(graded)
    told = page[page.index("Common errors") : page.index("q2: mean")]
    assert "NameError" in told and ">2</td>" in told and "(line" not in told
    assert "&lt;b&gt;5" not in told


def test_every_student_has_a_file_of_their_own_inside_the_folder(tmp_path):
    names = ["a/b", "a?b", "../x", "ann", "Ann ", "ünî", "x" * 300, "李" * 85, ".hidden", "CON:"]
    graded = a_class(*((name, "") for name in names))
    html.write_all(graded, tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html"))
    assert len(files) == len(names) + 1 and all(f.count("/") <= 1 for f in files)
    assert not any("part" in path.suffix for path in tmp_path.rglob("*"))
