"""A learner's own check."""

from __future__ import annotations

import json
import subprocess
import sys

import honest
import pytest

from ftkit.grading import build
from ftkit.grading.checking import check_notebook
from ftkit.grading.errors import GradingError


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FTKIT_STATE", str(tmp_path / "state"))


@pytest.fixture
def work(tmp_path, exercise):
    """A starter with answers in it."""

    def make(**answers):
        notebook = build.starter(exercise, "pytorch")
        for name, source in answers.items():
            honest.cell(notebook, name)["source"] = source
        path = tmp_path / "notebook.ipynb"
        path.write_text(json.dumps(notebook))
        return path

    return make


def test_each_question_has_its_verdict_and_what_is_left_is_not_wrong(work):
    checked = check_notebook(work(q1="def scale(x): return x"))
    assert [(found.question, found.verdict) for found in checked.findings] == [
        ("q1", "wrong"), ("q2", "not attempted"),
    ]  # fmt: skip
    text = str(checked)
    assert "Expected 3 at [0]; got 1" in text and "write your answer in its cell" in text
    assert not checked.passed and "hidden" not in text


def test_hints_grow_with_answers_that_differ_and_not_with_repeats(work):
    seen = []
    for source in ("x", "x", "2 * x", "3 * x", "2 * x + 1"):
        checked = check_notebook(work(q1=f"def scale(x): return {source}"), "q1")
        (found,) = checked.findings
        seen.append((len(found.hints), found.hints_left))
    assert seen == [(1, 1), (1, 1), (2, 0), (2, 0), (0, 2)] and checked.passed


def test_an_exception_is_told_in_a_line_and_its_place_only_if_asked(work):
    path = work(q1="def scale(x):\n    return undefined")
    text = str(check_notebook(path, "q1"))
    assert "NameError" in text and "line 2 of your answer" in text and "Traceback" not in text
    assert "in scale" not in text
    assert "line 2 of your answer, in scale" in str(check_notebook(path, "q1", trace=True))


def test_cells_as_they_were_run_count_before_the_file(work):
    path = work(q1="def scale(x): return x")
    ran = ("import numpy as np", "def scale(x): return 0", "def scale(x): return 2 * x + 1")
    assert check_notebook(path, "q1", cells=ran).passed
    assert not check_notebook(path, "q1", cells=("print(1)",)).passed


def test_a_notebook_that_is_no_exercise_says_what_to_do(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "source": "1"}]}')
    with pytest.raises(GradingError, match="fresh starter"):
        check_notebook(path)
    path.write_text("{")
    with pytest.raises(GradingError, match="not valid JSON"):
        check_notebook(path)


def test_an_unknown_question_names_those_that_there_are(work):
    with pytest.raises(GradingError, match="tiny.q1, tiny.q2"):
        check_notebook(work(), "q9")


def test_the_command_ends_with_0_only_if_everything_passed(work):
    def run(path):
        words = [sys.executable, "-m", "ftkit.cli", "check", str(path)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    half = run(work(q1=honest.SCALE))
    assert half.returncode == 1 and "tiny.q1: passed" in half.stdout, half.stderr
    whole = run(work(q1=honest.SCALE, q2=honest.FIT))
    assert whole.returncode == 0 and "tiny.q2: passed" in whole.stdout
