"""Every exercise, tried as its author would with ``ftkit validate``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from ftkit.grading import master, validating, wrong

EXERCISES = sorted(
    path.parent for path in (Path(__file__).parents[2] / "exercises").glob("*/master.py")
)
MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}
BOTH = [(path, framework) for path in EXERCISES for framework in master.read(path).frameworks]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


@pytest.mark.parametrize(
    ("path", "framework"), BOTH, ids=[f"{path.name}-{framework}" for path, framework in BOTH]
)
def test_solution_starter_and_every_wrong_answer_earn_what_they_deserve(path, framework):
    if importlib.util.find_spec(MODULES[framework]) is None:
        pytest.skip(f"{framework} is not installed")
    report = validating.validate(path, framework)
    assert report.failed == [], validating.table(report)
    exercise = master.read(path)
    questions = {cell.id for cell in exercise.questions(framework)}
    assert {one.what for one in report.of("solution")} == questions
    assert {one.what.split(",")[0] for one in report.of("starter")} == questions
    assert len(report.of("starter")) == 2 * len(questions)
    made = [one for one in wrong.read(path, exercise) if one.framework == framework]
    assert len(report.of("wrong answer")) == len(made)
    assert len(report.of("time")) == len(report.of("release")) == 1
    for check in ("variant", "copied answer"):
        assert bool(report.of(check)) == bool(exercise.variants)


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.name)
def test_every_exercise_but_the_demo_has_at_least_six_wrong_answers(path):
    exercise = master.read(path)
    for framework in exercise.frameworks:
        made = {one.name for one in wrong.read(path, exercise) if one.framework == framework}
        assert path.name == "demo" or len(made) >= 6, f"{framework}: {sorted(made)}"


def test_at_least_two_exercises_have_variants():
    assert sum(bool(master.read(path).variants) for path in EXERCISES) >= 2
