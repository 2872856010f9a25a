"""A learner's own check."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import honest
import IPython  # noqa: F401 - so that a kernel can be made up
import pytest

from ftkit.grading import build, installed, master
from ftkit.grading.checking import check, check_notebook, find
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


def test_a_framework_that_is_not_installed_is_told_with_how_to_install_it(tmp_path, monkeypatch):
    path = tmp_path / "demo.tensorflow.ipynb"
    demo = master.read(installed.find("demo"))
    path.write_text(build.dumps(build.starter(demo, "tensorflow")))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name)
    )
    with pytest.raises(GradingError, match=r"needs tensorflow, .* pip install 'ftkit\[tensorf"):
        check_notebook(path)


def test_a_file_that_is_not_there_is_told_with_what_to_give(tmp_path):
    with pytest.raises(GradingError, match=r"No such file or directory\. Give the notebook of an"):
        check_notebook(tmp_path / "nowhere.ipynb")


def test_a_check_told_of_in_a_terminal_has_no_stack_trace_whatever_is_wrong(work, tmp_path):
    for words in (
        [str(tmp_path / "nowhere.ipynb")],
        [str(tmp_path)],
        [str(work()), "--question", "q9"],
    ):
        command = [sys.executable, "-m", "ftkit.cli", "check", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("ftkit: ") and "Traceback" not in done.stderr


class Shell:
    """What a notebook's kernel has of IPython."""

    def __init__(self, *cells, **names):
        self.user_ns = names
        self.history_manager = SimpleNamespace(input_hist_raw=["", *cells])


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """Lets the tests run as if in a notebook that has run these cells."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    def is_now(*cells, **names):
        shell = Shell(*cells, **names)
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)

    is_now()
    return is_now


@pytest.mark.parametrize("question", ["tiny.q1", "tiny_thing.q1"])
def test_in_a_cell_a_question_is_checked_by_its_full_name_or_a_short_one(
    exercise, work, kernel, question
):
    named = replace(exercise, name="tiny_thing")
    Path("notebook.ipynb").write_text(build.dumps(build.starter(named, "pytorch")))
    kernel("import numpy as np", "%%time\ndef scale(x): return 2 * x + 1")
    checked = check(question)
    assert checked.passed and repr(checked).startswith("✓ tiny_thing.q1: passed")


def test_the_notebook_is_found_by_what_the_session_names_or_by_the_framework_in_use(
    exercise, kernel, monkeypatch, tmp_path
):
    paths = {}
    for framework in exercise.frameworks:
        paths[framework] = tmp_path / f"tiny.{framework}.ipynb"
        paths[framework].write_text(build.dumps(build.starter(exercise, framework)))
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert find("tiny").name == "tiny.tensorflow.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(paths["pytorch"]))
    assert find("tiny") == paths["pytorch"]
    kernel(__vsc_ipynb_file__=str(paths["tensorflow"]))
    assert find("tiny") == paths["tensorflow"]
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    kernel()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "renamed since.ipynb"))
    with pytest.raises(GradingError, match="found 2"):
        find("tiny")
    with pytest.raises(GradingError, match=r"exercise 'q1' in .*; found 0.*Name the exercise"):
        check("q1")
