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

import honest
import pytest
from classroom import TINY, processes, put

from ftkit.grading import build, grade, master
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
    rows = sqlite3.connect(out / "grades.sqlite").execute(
        "SELECT student, question, verdict, points FROM grades ORDER BY 1, 2"
    )
    return rows.fetchall()


def a_class(folder, solved, size):
    """Students of whom every third is right, wrong, or does not come to an end."""
    answers = [honest.SCALE, "def scale(x): return x", "import os\ndef scale(x): os._exit(1)"]
    for number in range(size):
        notebook = solved()
        honest.answer(answers[number % 3])(notebook)
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


def test_killed_at_random_moments_it_ends_with_the_grades_of_an_undisturbed_run(tmp_path, solved):
    submissions, out = tmp_path / "in", tmp_path / "out"
    size = int(os.environ.get("FTKIT_TEST_CLASS", "9"))
    a_class(submissions, solved, size)
    rng = random.Random(5)
    kills = 0
    while kills < 10:
        running = subprocess.Popen(
            command(submissions, out, "--jobs", "2"), stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.5, 4.0))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
        if (out / "grades.sqlite").exists():
            assert all(verdict != "grader fault" for *_, verdict, _ in in_store(out))
    until = time.monotonic() + 5
    while processes() and time.monotonic() < until:
        time.sleep(0.1)
    assert processes() == [] and kills >= 3
    last = run(submissions, out, "--jobs", "2")
    assert last.returncode == 0, last.stderr
    wanted = []
    for number in range(size):
        q1 = [("passed", 3), ("wrong", 0), ("crashed", 0)][number % 3]
        name = f"student {number:02}"
        wanted += [(name, "q1", *q1), (name, "q2", "passed", 3)]
    assert in_store(out) == wanted
    assert not (out / ".work").exists() and processes() == []


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
