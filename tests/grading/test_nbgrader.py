"""The exercises in nbgrader's hands: released without their solutions, and graded as they deserve.

nbgrader wants versions of its own, so it has an environment of its own: the folder named by
``FTKIT_TEST_NBGRADER_FOLDER``, else one in pytest's cache, made once. Where it cannot be had these
tests are skipped, unless ``FTKIT_TEST_NBGRADER=required``. Notebooks run in this Python, which has
the frameworks. ``FTKIT_TEST_AUTOGRADE=all`` has nbgrader grade every exercise, which takes minutes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftkit.grading import build, master

ROOT = Path(__file__).parents[2]
EXERCISES = {
    path.parent.name: master.read(path) for path in sorted((ROOT / "exercises").glob("*/master.py"))
}
NOTEBOOKS = [(name, framework) for name, one in EXERCISES.items() for framework in one.frameworks]
MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}
ASKED = os.environ.get("FTKIT_TEST_AUTOGRADE", "demo,ex3_predictions")
GRADED = [
    (name, framework)
    for name, framework in NOTEBOOKS
    if (ASKED == "all" or name in ASKED.split(",")) and importlib.util.find_spec(MODULES[framework])
]
PACKAGE = "nbgrader>=0.9.6,<0.10"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "course"
c.ExecutePreprocessor.timeout = 120
"""
POINTS = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook(sys.argv[1]) as gradebook:
    graded = gradebook.assignment_submissions("light")
    found = {f"{one.student.id} {notebook.name}": [notebook.score, notebook.max_score]
             for one in graded for notebook in one.notebooks}
print(json.dumps(found))
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's paths here are POSIX's")


@pytest.fixture(scope="session")
def nbgrader(pytestconfig, tmp_path_factory):
    """The folder of nbgrader's programs."""
    named, cache = (
        os.environ.get("FTKIT_TEST_NBGRADER_FOLDER"),
        getattr(pytestconfig, "cache", None),
    )
    if named:
        folder = Path(named)
    elif cache:
        folder = cache.mkdir("nbgrader") / "environment"
    else:
        folder = tmp_path_factory.mktemp("nbgrader")
    programs = folder / "bin"
    if not named and not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for command in (
                [sys.executable, "-m", "venv", folder],
                [programs / "python", "-m", "pip", "install", "--quiet", PACKAGE],
            ):
                subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or error
            missing = f"nbgrader cannot be installed: {str(said)[-500:]}"
            if os.environ.get("FTKIT_TEST_NBGRADER") == "required":
                pytest.fail(missing)
            pytest.skip(missing)
        (folder / ".ready").touch()
    return programs


@pytest.fixture(scope="session")
def course(nbgrader, tmp_path_factory):
    """A course: every exercise released as ``all``, and what is graded below as ``light``."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "env": environment}))
    for assignment, notebooks in (("all", NOTEBOOKS), ("light", GRADED)):
        for name, framework in notebooks:
            made = build.nbgrader_source(EXERCISES[name], framework)
            _write(folder / "source" / assignment / f"{name}-{framework}.ipynb", made)
        _run(nbgrader, folder, "nbgrader", "generate_assignment", assignment)
    return folder


def _write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build.dumps(notebook), encoding="utf-8")


def _run(nbgrader, folder, program, *words):
    """Runs a program with nothing of this user's or this project's Jupyter but the kernel."""
    own = {
        "JUPYTER_PATH": str(folder / "jupyter"),
        **{f"JUPYTER_{n}_DIR": str(folder / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")},
        "IPYTHONDIR": str(folder / "ipython"),
        "PATH": os.pathsep.join((str(nbgrader), os.environ.get("PATH", os.defpath))),
    }
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("JUPYTER", "PYTHON"))}
    done = subprocess.run(
        [nbgrader / program, *words],
        cwd=folder,
        env={**kept, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(("name", "framework"), NOTEBOOKS)
def test_what_nbgrader_releases_is_our_starter_without_solutions_and_hidden_tests(
    course, name, framework
):
    exercise = EXERCISES[name]
    text = (course / "release" / "all" / f"{name}-{framework}.ipynb").read_text(encoding="utf-8")
    assert not any(word in text for word in ("BEGIN SOLUTION", "HIDDEN TESTS", "hidden_rng"))
    released = {cell["id"]: cell for cell in json.loads(text)["cells"]}
    ours = {cell["id"]: cell for cell in build.starter(exercise, framework)["cells"]}
    assert list(released) == [cell.id for cell in exercise.of(framework)]
    for question in exercise.questions(framework):
        assert "".join(released[question.id]["source"]) == ours[question.id]["source"]
    marked = {id_ for id_, cell in released.items() if "nbgrader" in cell["metadata"]}
    assert marked == {id_ for id_, cell in ours.items() if "nbgrader" in cell["metadata"]}


@pytest.fixture(scope="session")
def points(nbgrader, course):
    """What nbgrader gave, and the most that it gives, by student and notebook."""
    for student, make in (("solver", build.solution), ("beginner", build.starter)):
        for name, framework in GRADED:
            path = course / "submitted" / student / "light" / f"{name}-{framework}.ipynb"
            _write(path, make(EXERCISES[name], framework))
    _run(nbgrader, course, "nbgrader", "autograde", "light")
    database = f"sqlite:///{course / 'gradebook.db'}"
    return json.loads(_run(nbgrader, course, "python", "-c", POINTS, database))


@pytest.mark.parametrize(("name", "framework"), GRADED)
def test_nbgrader_gives_the_solution_full_marks_and_the_starter_none(points, name, framework):
    exercise = EXERCISES[name]
    tests = [
        test
        for question in exercise.questions(framework)
        for test in exercise.tests(framework, question.id)
    ]
    most = sum(test.points for test in tests)
    assert most > 0
    assert points[f"solver {name}-{framework}"] == [most, most]
    assert points[f"beginner {name}-{framework}"] == [0, most]
