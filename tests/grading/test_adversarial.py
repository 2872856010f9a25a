"""The grader against a class that tries everything: nobody earns, harms or leaves anything."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import attacks
import honest
import pytest
from classroom import processes


def grades(the_class, student):
    return {r.question: (r.verdict, r.points) for r in the_class[0].results[student]}


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_earns_what_it_deserves_and_its_neighbour_loses_nothing(the_class, name):
    _, verdict, points = attacks.ATTACKS[name]
    got = grades(the_class, f"attack {name.replace('/', '-')}")
    allowed = verdict if isinstance(verdict, tuple) else (verdict,)
    private = [r.private for r in the_class[0].results[f"attack {name.replace('/', '-')}"]]
    assert got["q1"][0] in allowed and got["q1"][1] == points, (got, private)
    assert got["q2"] == ("passed", 3), (got, private)


@pytest.mark.parametrize("name", [*honest.EDITS, *honest.ENCODED])
def test_an_honest_answer_in_unusual_form_loses_nothing(the_class, name):
    results = the_class[0].results[f"honest {name}"]
    assert grades(the_class, f"honest {name}") == {"q1": ("passed", 3), "q2": ("passed", 3)}, (
        results
    )


@pytest.mark.parametrize("name", attacks.FOLDER_FILES)
def test_files_beside_a_notebook_count_for_nothing(the_class, name):
    assert grades(the_class, f"beside {name}") == {"q1": ("wrong", 0), "q2": ("passed", 3)}


@pytest.mark.parametrize(
    "name",
    [
        *attacks.UNREADABLE,
        *("a link", "a link to a device", "a pipe", "a folder", "a huge file", "nothing"),
    ],
)
def test_what_is_no_notebook_is_unreadable_and_says_why(the_class, name):
    results = the_class[0].results[f"unreadable {name}"]
    assert [(r.verdict, r.points) for r in results] == [("unreadable", 0)] * 2
    assert all(len(r.detail) > 10 for r in results)


def test_nothing_outside_was_touched_and_no_connection_was_made(the_class):
    _, _, wires, neighbour_unchanged = the_class
    assert wires.untouched() and neighbour_unchanged
    assert not Path("/tmp/ftkit-left-behind").exists()
    assert not Path("/dev/shm/ftkit-left-behind").exists()


def test_no_process_and_no_work_folder_is_left(the_class):
    out = the_class[1]
    assert processes() == []
    assert not (out / ".work").exists()


def test_feedback_holds_nothing_of_the_hidden_tests(the_class, exercise):
    from ftkit.grading.pages import html

    graded = the_class[0]
    for one in graded.submissions:
        page = html.feedback(graded, one).replace(one.student, "")
        assert "LEAKED" not in page and "hidden_rng" not in page and "wanted" not in page
        for result in graded.results[one.student]:
            assert not any(test.hidden and test.message for test in result.tests)


def test_what_a_student_wrote_is_escaped_on_every_page(the_class):
    from ftkit.grading.pages import html

    graded = the_class[0]
    assert not re.search("<script|<img", html.summary(graded))


def test_what_is_kept_of_an_answer_is_short(the_class):
    for results in the_class[0].results.values():
        assert all(len(r.detail) < 5000 and len(r.private) < 5000 for r in results)


def test_the_seed_of_hidden_inputs_is_kept_with_each_grade(the_class):
    out = the_class[1]
    rows = (
        sqlite3.connect(out / "grades.sqlite").execute("SELECT seed, level FROM grades").fetchall()
    )
    seeds = {seed for seed, _ in rows}
    assert len(rows) == 2 * len(the_class[0].submissions) and len(seeds) > len(rows) / 3
    assert {level for _, level in rows} == {the_class[0].level}
