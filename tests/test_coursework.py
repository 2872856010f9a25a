"""How far a learner is with the course, as a table and as a command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ftkit.answers import FILE, give
from ftkit.coursework import COURSE, course_folder, coursework, summary
from ftkit.grading import installed, tries
from ftkit.quizzes import names

QUIZ = "00_start_here"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FTKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def folder(tmp_path):
    """A course folder."""
    made = tmp_path / COURSE
    (made / FILE.parent).mkdir(parents=True)
    return made


def tasks(work):
    return {one.name: one for one in work.exercises}


def row(work, name):
    (found,) = [line for line in str(work).split("\n") if line.startswith(f"{name} ")]
    return " ".join(found.split())


def test_a_beginner_sees_every_quiz_and_every_exercise_with_nothing_done(folder):
    work = coursework(folder)
    assert [one.name for one in work.quizzes] == names()
    assert [one.name for one in work.exercises] == installed.names()
    assert not any(one.answered for one in work.quizzes)
    assert all(one.questions and not one.passed for one in work.exercises)
    assert (work.folder, work.note) == (folder, "")


def test_answers_and_tries_are_counted(folder):
    give(folder, QUIZ, "head-size", 514.0, True)
    give(folder, QUIZ, "validation", [0], False)
    tries.record("ex2_freeze_depth.q1", "a", "passed", 2, 2)
    tries.record("ex2_freeze_depth.q2", "a", "wrong", 0, 1)
    tries.record("ex2_freeze_depth.q3", "a", "partly", 2, 4)
    work = coursework(folder)
    assert row(work, QUIZ) == f"{QUIZ} 2 of 4 1"
    assert row(work, "ex2_freeze_depth") == "ex2_freeze_depth 1 of 4 q1 ✓ q2 ✗ q3 ◐ q4 ○"
    assert row(work, "ex1_backbones") == "ex1_backbones 0 of 3 q1 ○ q2 ○ q3 ○"
    asked = sum(len(one.questions) for one in work.exercises)
    assert f"1 of {asked} questions of the exercises have passed" in str(work)
    assert summary(work).startswith("1 of ") and summary(work) in str(work)


def test_an_exercise_that_is_none_of_the_course_is_there_once_it_was_tried(folder):
    tries.record("my.own.q2", "a", "crashed", 0, 1)
    assert list(tasks(coursework(folder))["my.own"].questions) == ["q2"]


def test_a_damaged_file_of_answers_is_told_of_and_the_exercises_are_there_all_the_same(folder):
    (folder / FILE).write_text("{")
    tries.record("ex2_freeze_depth.q1", "a", "passed", 2, 2)
    work = coursework(folder)
    assert "cannot be read" in work.note and work.note in str(work)
    assert tasks(work)["ex2_freeze_depth"].passed == 1
    assert [one.name for one in work.quizzes] == names()


@pytest.mark.parametrize("start", [".", "exercises", ".."])
def test_the_course_is_found_from_itself_from_a_folder_in_it_and_from_around_it(folder, start):
    (folder / "exercises").mkdir()
    assert course_folder(folder / start) == folder


def test_where_there_is_no_course_it_is_told_how_to_get_one(tmp_path):
    work = coursework(tmp_path)
    assert f"There is no course in {tmp_path}: ftkit lab copies it" in str(work)


def ask(*words, cwd):
    command = [sys.executable, "-m", "ftkit", "progress", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_the_command_shows_the_table_from_within_the_course(folder):
    give(folder, QUIZ, "head-size", 514.0, True)
    shown = ask(cwd=folder.parent)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == f"{coursework(folder)}\n"


def test_a_folder_that_there_is_not_is_told_in_one_sentence(tmp_path):
    shown = ask("nowhere", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == "ftkit: Expected the course folder; nowhere is none.\n"
