"""Grading a class through the command: resumed, regraded, refused, killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import honest
import psutil
import pytest
from classroom import TINY, Tripwires, put

from ftkit.grading import build, grade, master, runner
from ftkit.grading.errors import GradingError

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


def command(submissions, out, *more):
    return [sys.executable, "-m", "ftkit.cli", "grade", str(submissions), "--exercise", str(TINY),
            "--out", str(out), *more]  # fmt: skip


def run(*arguments, **options):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, **options
    )


def in_store(out):
    with closing(sqlite3.connect(out / "grades.sqlite")) as store:
        if not store.execute("SELECT 1 FROM sqlite_master").fetchone():
            return []  # killed before it had made its table
        return store.execute(
            "SELECT student, question, verdict, points FROM grades ORDER BY 1, 2"
        ).fetchall()


def a_class(folder, solved, size, more=()):
    """Students of whom some are right, some wrong, and some do not come to an end."""
    answers = [
        honest.SCALE,
        "def scale(x): return x",
        "import os\ndef scale(x): os._exit(1)",
        *more,
    ]
    for number in range(size):
        notebook = solved()
        honest.answer(answers[number % len(answers)])(notebook)
        put(folder, f"student {number:02}", notebook)


def test_a_second_run_grades_only_what_changed(tmp_path, solved):
    submissions, out = tmp_path / "in", tmp_path / "out"
    a_class(submissions, solved, 2)
    first = run(submissions, out)
    assert first.returncode == 0, first.stderr
    assert "q1 passed, q2 passed" in first.stdout and "(as before)" not in first.stdout
    notebook = solved()
    honest.answer("def scale(x): return 2 * x + 1 - 1e-3")(notebook)
    (submissions / "student 01" / "notebook.ipynb").write_text(json.dumps(notebook))
    put(submissions, "student 02", solved())
    second = run(submissions, out)
    told = [line.split("] ")[1] for line in second.stdout.splitlines() if line.startswith("[")]
    assert [line for line in told if "as before" in line] == [
        "student 00: q1 passed, q2 passed (as before)"
    ]
    assert len(told) == 3 and len(in_store(out)) == 6
    for name in ("grades.csv", "moodle.csv", "canvas.csv", "summary.html"):
        text = (out / name).read_text()
        assert all(f"student 0{number}" in text for number in range(3))
    assert len(list((out / "feedback").iterdir())) == 3


HANGS = """
import ctypes, os, socket
libc = ctypes.CDLL(None)
for attempt in (
    lambda: libc.prctl(1, 0, 0, 0, 0),
    lambda: os.fork() or os.setsid(),
    lambda: open({outside!r}, 'w'),
    lambda: socket.create_connection(('127.0.0.1', {port}), 1),
):
    try: attempt()
    except OSError: pass
def scale(x):
    while True: pass"""


def test_killed_at_random_moments_it_ends_with_the_grades_of_an_undisturbed_run(tmp_path, solved):
    size = int(os.environ.get("FTKIT_TEST_CLASS", "9"))
    submissions, out, other = (tmp_path / name for name in ("in", "out", "undisturbed"))
    wires = Tripwires(tmp_path)
    hangs = HANGS
    for name, value in wires.targets(TINY).items():
        hangs = hangs.replace(name, value)
    a_class(submissions, solved, size, [hangs])
    before = contents(submissions)
    elsewhere = {name: str(tmp_path / name.lower()) for name in ("HOME", "TMPDIR")}
    for folder in elsewhere.values():
        Path(folder).mkdir()
    own = {
        "PATH": os.pathsep.join((os.environ["PATH"], str(tmp_path))),  # by which they are told
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),  # its list of fonts is no leftover
    }
    options = {"env": {**os.environ, **elsewhere, **own}, "stdout": subprocess.DEVNULL}
    rng = random.Random(5)
    kills, kept = 0, []
    while kills < 10:
        running = subprocess.Popen(command(submissions, out, "--jobs", "2"), **options)
        time.sleep(rng.uniform(0.5, 4.0))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
        until = time.monotonic() + 5
        while alive(tmp_path) and time.monotonic() < until:
            time.sleep(0.1)
        assert alive(tmp_path) == [], f"after kill {kills}"
        now = in_store(out) if (out / "grades.sqlite").exists() else []
        assert set(kept) <= set(now), "a grade that was kept is gone"
        assert all(verdict != "grader fault" for *_, verdict, _ in now)
        kept = now
    assert kills == 10 if size >= 60 else kills >= 3
    for folder in (out, other):
        done = subprocess.run(command(submissions, folder, "--jobs", "2"), check=False, **options)
        assert done.returncode == 0
    wires.close()
    assert in_store(out) == in_store(other) and len(in_store(out)) == 2 * size
    earned = {name: (verdict, points) for name, q, verdict, points in in_store(out) if q == "q1"}
    wanted = [("passed", 3), ("wrong", 0), ("crashed", 0), ("timed out", 0)]
    assert earned == {f"student {n:02}": wanted[n % 4] for n in range(size)}
    assert all(verdict == "passed" for _, q, verdict, _ in in_store(out) if q == "q2")
    assert contents(out).keys() == contents(other).keys() and not (out / ".work").exists()
    assert contents(submissions) == before and wires.untouched() and alive(tmp_path) == []
    assert not any(list(Path(folder).iterdir()) for folder in elsewhere.values())


def alive(folder):
    """Processes in whose command or environment a folder is named."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(str(folder) in word for word in (*words, *process.environ().values())):
                found.append(words)
    return found


def contents(folder):
    """Every file below a folder, and what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_answer_that_stops_the_judge_costs_its_own_question_alone(tmp_path, solved, monkeypatch):
    monkeypatch.setattr(runner, "_SLACK_SECONDS", 3.0)
    text = TINY.read_text().replace("seconds=6 call_seconds=3", "seconds=3 call_seconds=2")
    counts = "for _ in range(int(scale(np.ones(1))[0]) ** 9): pass\n"
    first = "assert_close(scale(np.array([1.0, 2.0]))"
    exercise = master.parse(text.replace(first, counts + first), "tiny")
    for student, answer in (("ann", honest.SCALE), ("eve", "def scale(x): return 1e5 + 0 * x")):
        notebook = solved()
        honest.answer(answer)(notebook)
        put(tmp_path / "in", student, notebook)
    graded = grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    got = {name: [r.verdict for r in results] for name, results in graded.results.items()}
    assert got == {"ann": ["passed", "passed"], "eve": ["grader fault", "passed"]}
    assert "lost in 'q1_visible'" in graded.results["eve"][0].private


def test_of_two_frameworks_starters_the_one_that_was_worked_in_counts(tmp_path, exercise):
    folder = tmp_path / "in" / "ann"
    folder.mkdir(parents=True)
    notebooks = {"pytorch": build.starter, "tensorflow": build.solution}
    for framework, make in notebooks.items():
        text = build.dumps(make(exercise, framework))
        (folder / f"tiny.{framework}.ipynb").write_text(text)
    graded = grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    assert [one.verdict for one in graded.results["ann"]] == ["passed", "passed"]
    assert graded.answers["ann"].framework == "tensorflow"


def test_answers_are_kept_and_come_back_when_nothing_is_graded_again(tmp_path, exercise, solved):
    put(tmp_path / "in", "ann", solved())
    put(tmp_path / "in", "bob", "no notebook")
    first, second = (
        grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out") for _ in range(2)
    )
    assert first.answers == second.answers
    assert "2 * np.asarray(x) + 1" in first.answers["ann"].sources["q1"]
    assert first.answers["bob"].sources == {"q1": "", "q2": ""}


def test_results_are_not_written_among_the_submissions(tmp_path, exercise, solved):
    put(tmp_path / "in", "ann", solved())
    with pytest.raises(GradingError, match="another folder"):
        grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "x" / ".." / "in")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["ann"]


def test_a_resubmission_that_the_grader_fails_on_does_not_keep_the_earlier_grade(
    tmp_path, exercise, solved, monkeypatch
):
    put(tmp_path / "in", "ann", solved())
    grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    notebook = solved()
    honest.answer("def scale(x): return x")(notebook)
    (tmp_path / "in" / "ann" / "notebook.ipynb").write_text(json.dumps(notebook))
    monkeypatch.setattr(runner.Runner, "judge", lambda *_, **__: 1 / 0)
    graded = grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    assert [one.verdict for one in graded.results["ann"]] == ["grader fault"] * 2


def test_submissions_that_are_not_there_leave_no_results(tmp_path, exercise):
    with pytest.raises(GradingError, match="nothing is at"):
        grade.grade(tmp_path / "absent", exercise, TINY, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_graders_in_one_folder_are_refused(tmp_path, exercise, solved):
    put(tmp_path / "in", "ann", solved())
    out = tmp_path / "out"
    out.mkdir()
    with grade._Alone(out / ".lock"), pytest.raises(GradingError, match="Another ftkit grade"):
        grade.grade(tmp_path / "in", exercise, TINY, out, level="bubblewrap")


def test_without_a_sandbox_grading_is_refused_unless_it_is_allowed(
    tmp_path, exercise, solved, monkeypatch
):
    monkeypatch.setattr(
        grade.probe, "strongest", lambda work: ("plain", {"bubblewrap": "none here"})
    )
    put(tmp_path / "in", "ann", solved())
    with pytest.raises(GradingError, match="none here.*--allow-unsandboxed"):
        grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    graded = grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out", allow_unsandboxed=True)
    assert "UNSANDBOXED" in graded.warnings[0]
    assert [r.verdict for r in graded.results["ann"]] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [("setup", "the judge's own cell 'setup' failed"), ("canary", "did not fail")],
)
def test_a_judge_that_cannot_be_trusted_costs_no_student_a_point(
    tmp_path, solved, monkeypatch, broken, said
):
    text = TINY.read_text()
    if broken == "setup":
        text = text.replace("import numpy as np\n", "import numpy as np\n1 / 0\n", 1)
    else:
        monkeypatch.setattr(build, "_CANARY", "pass")
    put(tmp_path / "in", "ann", solved())
    exercise = master.parse(text, "tiny")
    graded = grade.grade(tmp_path / "in", exercise, TINY, tmp_path / "out")
    results = graded.results["ann"]
    assert [r.verdict for r in results] == ["grader fault"] * 2 and graded.faults == 2
    assert all(said in r.private for r in results)
