"""How far the learner is, as the page is told."""

from __future__ import annotations

import pytest

from ftkit.answers import give
from ftkit.grading import tries
from ftkit.grading.tries import Try
from ftkit.widgets.course_progress import CourseProgress, question_view


@pytest.fixture(autouse=True)
def course_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FTKIT_STATE", str(tmp_path / "state"))
    (tmp_path / ".ftkit").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exercise(widget, name):
    (found,) = [one for one in widget.view["exercises"] if one["name"] == name]
    return found


def test_what_was_done_meanwhile_is_there_when_it_looks_again(course_folder):
    widget = CourseProgress()
    assert exercise(widget, "ex2_freeze_depth")["passed"] == 0
    tries.record("ex2_freeze_depth.q1", "a", "passed", 2, 2)
    give(course_folder, "00_start_here", "head-size", 514.0, True)
    widget.handle({"do": "look"})
    assert exercise(widget, "ex2_freeze_depth")["passed"] == 1
    assert widget.view["quizzes"][0]["right"] == 1
    assert widget.still() == (None, str(widget.work))
    assert widget.view["summary"] in widget.still()[1]


@pytest.mark.parametrize(
    ("kept", "sign", "said"),
    [
        (Try(), "○", "not tried"),
        (Try(tries=1, verdict="wrong"), "✗", "wrong, 1 try"),
        (Try(tries=3, verdict="timed out"), "✗", "timed out, 3 tries"),
        (Try(tries=2, verdict="partly"), "◐", "partly, 2 tries"),
        (Try(tries=2, verdict="passed"), "✓", "passed"),
    ],
)
def test_a_question_is_told_by_a_sign_and_in_words(kept, sign, said):
    assert question_view("q1", kept) == {"id": "q1", "sign": sign, "said": said}


def test_a_folder_without_a_course_is_told_of(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".ftkit").rmdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "ftkit lab copies it" in CourseProgress().view["note"]
