"""Every exercise: its solution earns all, its starter nothing, each wrong answer what it deserves.

Answers run in sandboxed workers with their framework in memory; a thread takes the place of the
judge's kernel, which would cost seconds for each.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from ftkit.grading import build, desk, extract, judging, master, notebooks, wire, wrong
from ftkit.grading.sandbox import probe
from ftkit.grading.workers import Zygote

EXERCISES = sorted(
    path.parent for path in (Path(__file__).parents[2] / "exercises").glob("*/master.py")
)
MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}
_SECONDS = 60

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


@pytest.fixture(
    scope="module",
    params=[(path, name) for path in EXERCISES for name in master.read(path).frameworks],
    ids=lambda pair: f"{pair[0].name}-{pair[1]}",
)
def grades(request, tmp_path_factory):
    """Grades an answer per question in one framework of one exercise."""
    path, framework = request.param
    if importlib.util.find_spec(MODULES[framework]) is None:
        pytest.skip(f"{framework} is not installed")
    exercise = master.read(path)
    scratch = tmp_path_factory.mktemp("scratch")
    level = probe.strongest()[0]
    with Zygote(level, scratch, desk.preload(exercise, framework)) as zygote:

        def grade(notebook):
            folder = tmp_path_factory.mktemp("judge")
            return _graded(folder, exercise, framework, notebook, zygote)

        grade.exercise, grade.framework, grade.path = exercise, framework, path
        yield grade


def _graded(folder, exercise, framework, notebook, zygote):
    submitted = notebooks.parse(build.dumps(notebook).encode())
    wanted = [
        extract.Wanted(cell.id, cell.exports, build.starter_source(cell))
        for cell in exercise.questions(framework)
    ]
    theirs = [cell.id for cell in exercise.of(framework) if cell.kind in ("setup", "test", "judge")]
    found = extract.answers(submitted, wanted, theirs)
    given = {n: desk.Given(one.source, one.before, one.problem) for n, one in found.items()}
    settled = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTKIT_GRADING_DESK", str(folder / judging.DESK))
        served = desk.Desk(
            folder,
            exercise,
            framework,
            given,
            lambda: zygote,
            lambda r: settled.update({r.question: r}),
        )
        ours, done = socket.socketpair()
        notebook = build.judge(exercise, framework)
        kernel = threading.Thread(target=_run_cells, args=(notebook, folder, done))
        kernel.start()
        served.serve(ours)
        kernel.join()
        served.close()
        ours.close()
    return settled


def _run_cells(notebook, folder, done):
    judging._connection = None
    with done, socket.socket(socket.AF_UNIX) as reports:
        reports.connect(str(folder / judging.DESK))
        names = {}
        for cell in notebook["cells"]:
            passed, message = True, ""
            try:
                exec(cell["source"], names)
            except Exception as error:
                passed, message = False, f"{type(error).__name__}: {error}"
            report = {"do": "report", "cell": cell["id"], "passed": passed, "message": message}
            wire.send(reports, report)
        time.sleep(0.05)  # the desk reads the last report before it hears that all is over
        if judging._connection:
            judging._connection.close()


def _told(result):
    return f"{result.question}: {result.detail} {result.private}"


def test_the_solution_earns_everything_in_time(grades):
    began = time.monotonic()
    settled = grades(build.solution(grades.exercise, grades.framework))
    taken = time.monotonic() - began
    assert settled.keys() == {q.id for q in grades.exercise.questions(grades.framework)}
    for result in settled.values():
        assert (result.verdict, result.points) == ("passed", result.max_points), _told(result)
    assert taken < _SECONDS


def test_the_starter_earns_nothing_and_is_not_attempted(grades):
    settled = grades(build.starter(grades.exercise, grades.framework))
    for result in settled.values():
        assert (result.verdict, result.points) == ("not attempted", 0), _told(result)


def test_each_wrong_answer_earns_what_its_file_says(grades):
    got, deserved = {}, {}
    for one in wrong.read(grades.path, grades.exercise):
        if one.framework != grades.framework:
            continue
        notebook = build.starter(grades.exercise, grades.framework)
        cell = next(cell for cell in notebook["cells"] if cell["id"] == one.question)
        cell["source"] = one.source
        result = grades(notebook)[one.question]
        key = f"{one.name} in {one.question}"
        got[key] = (result.verdict, result.points)
        deserved[key] = (one.verdict, one.points)
        if got[key] != deserved[key]:
            print(one.name, _told(result))
    assert got == deserved


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.name)
def test_every_exercise_but_the_demo_has_at_least_six_wrong_answers(path):
    exercise = master.read(path)
    for framework in exercise.frameworks:
        made = {one.name for one in wrong.read(path, exercise) if one.framework == framework}
        assert path.name == "demo" or len(made) >= 6, f"{framework}: {sorted(made)}"
