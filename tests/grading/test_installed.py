"""The exercises that come with ftkit: found by name from anywhere, and given out as starters."""

from __future__ import annotations

import json
import shutil

import pytest
from classroom import TINY

from ftkit.grading import installed, master
from ftkit.grading.errors import GradingError

COURSE = [
    "ex1_backbones",
    "ex2_freeze_depth",
    "ex3_predictions",
    "ex4_find_the_fault",
    "ex5_two_phases",
    "ex6_translate",
]


def test_the_course_has_these_exercises_and_the_demo_is_none_of_them():
    assert installed.names() == COURSE


@pytest.mark.parametrize("name", [*COURSE, "demo"])
def test_an_exercise_is_found_by_its_name_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert master.read(installed.find(name)).name == name


def test_a_path_comes_before_a_name_and_a_folder_of_that_name_without_a_master_does_not(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert installed.find("demo") == installed.folder() / "demo"
    shutil.copy(TINY, tmp_path / "demo" / "master.py")
    assert master.read(installed.find("demo")).title == "Two small questions"
    assert installed.find(str(TINY)) == TINY


@pytest.mark.parametrize("typed", ["ex9", "", ".", "../exercises", "ex2_freeze_depth/wrong"])
def test_what_is_neither_a_path_nor_a_name_is_told_with_the_names_that_there_are(
    typed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GradingError, match="ex1_backbones, ex2_freeze_depth"):
        installed.find(typed)


def test_there_is_a_starter_of_each_exercise_in_both_frameworks_the_same_each_time():
    made = installed.starters()
    assert sorted(made) == [
        f"{name}.{framework}.ipynb" for name in COURSE for framework in ("pytorch", "tensorflow")
    ]
    assert made == installed.starters()
    for name, text in made.items():
        ours = json.loads(text)["metadata"]["ftkit"]
        assert f"{ours['exercise']}.{ours['framework']}.ipynb" == name
        assert "BEGIN SOLUTION" not in text and "HIDDEN TESTS" not in text
