"""The Check button as a learner and a page meet it, without a browser."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from ftkit.grading import build, checking, master, tries
from ftkit.grading.findings import Finding
from ftkit.widgets.check import Check

TINY = Path(__file__).parents[1] / "grading" / "tiny.py"
SCALE = "def scale(x):\n    return 2 * x + 1"
SECONDS = 60


@pytest.fixture(autouse=True)
def learner(tmp_path, monkeypatch):
    """A folder of exercises, and nothing tried yet."""
    monkeypatch.setenv("FTKIT_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    (tmp_path / "exercises").mkdir()
    monkeypatch.chdir(tmp_path / "exercises")
    return tmp_path / "exercises"


@pytest.fixture
def work(learner):
    """Writes the starter with answers in it."""

    def make(framework="pytorch", **answers):
        notebook = build.starter(master.read(TINY), framework)
        for cell in notebook["cells"]:
            cell["source"] = answers.get(cell["id"], cell["source"])
        path = learner / f"tiny.{framework}.ipynb"
        path.write_text(json.dumps(notebook))
        return path

    return make


@pytest.fixture
def ran(monkeypatch):
    """Lets cells have been run."""
    return lambda *cells: monkeypatch.setattr(checking, "cells_run", lambda: cells)


def checked(widget, question=""):
    widget.handle({"do": "check", "question": question})
    assert widget.running
    assert widget.wait(SECONDS)
    assert widget.running == []
    return widget.found


def test_the_questions_stand_there_with_their_points_before_anything_is_checked(work):
    work()
    widget = Check("tiny")
    assert widget.view == {
        "title": "Two small questions",
        "framework": "PyTorch",
        "questions": [
            {"id": "q1", "defines": "scale", "points": 1},
            {"id": "q2", "defines": "fit", "points": 1},
        ],
    }
    assert (widget.found, widget.note, widget.running) == ({}, "", [])


def test_each_question_gets_its_verdict_points_and_what_went_wrong(work):
    work(q1="def scale(x): return x", q2="")
    found = checked(widget := Check("tiny"))
    assert found["q1"]["says"].startswith("wrong, 0 of 1 points")
    assert found["q1"]["tests"] == [{"holds": False, "title": "scale([1, 2]) is [3, 5]"}]
    assert found["q1"]["lines"][0].startswith("Expected 3 at [0]; got 1")
    assert found["q2"]["says"].startswith("not attempted, 0 of 1 points")
    assert (found["q1"]["kind"], found["q2"]["kind"]) == ("wrong", "open")
    assert widget.note == ""


def test_hints_grow_with_answers_that_differ(work):
    widget, seen = Check("tiny"), []
    for source in ("x", "x", "2 * x"):
        work(q1=f"def scale(x): return {source}")
        seen.append(len(checked(widget, "q1")["q1"]["hints"]))
    assert seen == [1, 1, 2]


def test_one_question_is_checked_alone_and_what_was_found_of_others_stays(work):
    work(q1=SCALE, q2="def fit(x, y): return 1")
    widget = Check("tiny")
    assert set(checked(widget, "q2")) == {"q2"}
    assert checked(widget, "q1")["q1"]["passed"]
    assert set(widget.found) == {"q1", "q2"}


def test_answers_that_were_run_and_not_saved_count(work, ran):
    work()
    ran("import numpy as np", SCALE)
    assert checked(Check("tiny"), "q1")["q1"]["passed"]


def test_a_stop_takes_effect_at_once_and_the_next_check_begins_before_the_last_is_cleared_up(work):
    work(q1="def scale(x):\n    while True: pass")
    widget = Check("tiny")
    widget.handle({"do": "check", "question": ""})
    time.sleep(1.5)
    asked = time.monotonic()
    widget.handle({"do": "stop"})
    assert (widget.running, widget.note) == ([], "Stopped. What was found before is kept.")
    work(q1=SCALE)
    widget.handle({"do": "check", "question": "q1"})
    assert time.monotonic() - asked < 1
    assert widget.wait(SECONDS)
    assert widget.found["q1"]["passed"] and widget.note == ""


def test_while_a_check_goes_on_another_one_is_not_begun(work):
    work(q1=SCALE)
    widget = Check("tiny")
    widget.handle({"do": "check", "question": "q1"})
    first = widget._apart
    widget.handle({"do": "check", "question": "q2"})
    assert widget._apart is first
    assert widget.wait(SECONDS)
    assert set(widget.found) == {"q1"}


@pytest.mark.parametrize(
    "answer", ["import os\nos._exit(1)\nscale = 1", "scale = 1\nraise SystemExit"]
)
def test_an_answer_that_ends_its_process_costs_itself_alone(work, answer):
    work(q1=answer, q2="def fit(x, y):\n    return {'weight': np.linalg.lstsq(x, y)[0]}")
    found = checked(Check("tiny"))
    assert (found["q1"]["kind"], found["q2"]["passed"]) == ("wrong", True)
    assert found["q1"]["says"].startswith("crashed")


def test_a_check_whose_process_is_killed_says_so_and_can_be_begun_again(work):
    work(q1=SCALE)
    widget = Check("tiny")
    widget.handle({"do": "check", "question": "q1"})
    widget._apart._process.kill()
    assert widget.wait(SECONDS)
    assert widget.running == [] and "ended too early" in widget.note
    assert checked(widget, "q1")["q1"]["passed"] and widget.note == ""


def test_a_notebook_that_is_not_found_is_told_of_and_found_once_it_is_there(work):
    widget = Check("tiny")
    assert widget.view["questions"] == [] and "found 0" in widget.note
    widget.handle({"do": "check", "question": ""})
    assert widget.running == []
    work(q1=SCALE)
    widget.handle({"do": "check", "question": "q1"})
    assert widget.wait(SECONDS) and widget.found["q1"]["passed"]
    assert len(widget.view["questions"]) == 2


def test_the_file_that_the_session_names_counts_unless_it_is_of_another_exercise(
    work, learner, monkeypatch
):
    one, other = work("pytorch"), work("tensorflow")
    assert "found 2" in Check("tiny").note
    monkeypatch.setenv("JPY_SESSION_NAME", str(other))
    assert Check("tiny").view["framework"] == "TensorFlow"
    another = learner / "another.ipynb"
    another.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(another))  # as it was called before
    assert "found 2" in Check("tiny").note
    assert Check("tiny", notebook=one).view["framework"] == "PyTorch"


def test_in_a_new_kernel_it_is_told_what_was_found_before_with_the_hints_that_are_due(work):
    work()
    tries.record("tiny.q1", "a", "wrong", 0, 1)
    tries.record("tiny.q1", "b", "wrong", 0, 1)
    tries.record("tiny.q2", "a", "passed", 1, 1)
    found = Check("tiny").found
    assert found["q1"]["says"] == "wrong before, 0 of 1 points"
    assert found["q1"]["hints"] == ["What is twice 3?", "Add one."]
    assert (found["q2"]["says"], found["q2"]["hints"]) == ("passed before, 1 of 1 points", [])


def test_what_stays_in_the_notebook_is_each_verdict_in_words(work):
    work(q1=SCALE)
    checked(widget := Check("tiny"), "q1")
    assert widget.still() == (
        None,
        "Check: Two small questions (PyTorch)\n"
        "1 of 2 passed, 1 of 2 points of the visible tests.\n"
        "✓ q1 (scale): passed, 1 of 1 points: every visible test holds\n"
        "○ q2 (fit): not checked yet",
    )


def test_the_picture_is_brought_up_to_date_before_the_page_says_that_all_is_over(work, monkeypatch):
    work()
    kept = []
    monkeypatch.setattr(Check, "keep", lambda self: kept.append((self.running, self.still()[1])))
    widget = Check("tiny")
    widget.running = ["q1"]
    widget._tell(widget._round, asdict(Finding("q1", "passed", 1, 1)))
    ((running, text),) = kept
    assert running == ["q1"] and "q1 (scale): passed, 1 of 1 points" in text
    assert widget.running == []
