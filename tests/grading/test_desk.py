"""The desk between judge and workers; a thread here takes the kernel's and nbval's place."""

from __future__ import annotations

import socket
import sys
import threading
import time
from dataclasses import replace

import attacks
import honest
import pytest
from classroom import TINY, Tripwires

from ftkit.grading import build, desk, extract, judging, master, notebooks, wire
from ftkit.grading.sandbox import probe
from ftkit.grading.workers import LEVELS, Zygote, ZygoteFault

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


@pytest.fixture(scope="module", params=LEVELS[:-1])
def zygote(request, tmp_path_factory):
    problem = probe.trial(request.param)
    if problem:
        pytest.skip(problem)
    with Zygote(request.param, tmp_path_factory.mktemp("scratch"), ("numpy",)) as made:
        yield made


@pytest.fixture
def judged(tmp_path, exercise, zygote, monkeypatch):
    """Judges answers as the real judge would; ``tell`` may change what is reported."""
    monkeypatch.setenv("FTKIT_GRADING_DESK", str(tmp_path / judging.DESK))
    monkeypatch.setenv("FTKIT_GRADING_SEED", "5")

    def judge(
        edit=lambda notebook: None,
        tell=lambda report: report,
        zygote=lambda: zygote,
        exercise=exercise,
    ):
        notebook = build.solution(exercise, "pytorch")
        edit(notebook)
        submitted = notebooks.parse(honest.dumps(notebook).encode())
        wanted = [
            extract.Wanted(cell.id, cell.exports, build.starter_source(cell))
            for cell in exercise.questions("pytorch")
        ]
        theirs = [c.id for c in exercise.cells if c.kind not in ("answer", "code")]
        found = extract.answers(submitted, wanted, theirs)
        given = {
            name: desk.Given(one.source, one.before, one.problem) for name, one in found.items()
        }
        settled = {}
        served = desk.Desk(
            tmp_path, exercise, "pytorch", given, zygote, lambda r: settled.update({r.question: r})
        )
        ours, theirs = socket.socketpair()
        kernel = threading.Thread(target=run_cells, args=(exercise, tmp_path, tell, theirs))
        kernel.start()
        served.serve(ours)
        kernel.join()
        served.close()
        ours.close()
        (tmp_path / judging.DESK).unlink()
        return settled

    return judge


def run_cells(exercise, folder, tell, done):
    judging._connection = None
    reports = socket.socket(socket.AF_UNIX)
    reports.connect(str(folder / judging.DESK))
    names = {}
    for cell in build.judge(exercise, "pytorch")["cells"]:
        if cell["cell_type"] != "code":
            continue
        passed, message = True, ""
        try:
            exec(cell["source"], names)
        except Exception as error:
            passed, message = False, f"{type(error).__name__}: {error}"
        report = {"do": "report", "cell": cell["id"], "passed": passed, "message": message}
        if tell(report):
            wire.send(reports, report)
    time.sleep(0.05)  # the desk reads the last report before it hears that all is over
    if judging._connection:
        judging._connection.close()
    reports.close()
    done.close()


def graded(settled):
    return {name: (result.verdict, result.points) for name, result in settled.items()}


@pytest.fixture(scope="module")
def wires(tmp_path_factory):
    made = Tripwires(tmp_path_factory.mktemp("wires"))
    yield made
    made.close()


HERE = [
    name
    for name, case in attacks.ATTACKS.items()
    if case[1] != "timed out"  # which takes long
    and "judge's memory" not in name  # which is this process's
]


@pytest.mark.parametrize("name", HERE)
def test_an_attack_earns_what_it_deserves_at_every_level(judged, wires, name):
    edit, verdict, points = attacks.ATTACKS[name]

    def attack(notebook):
        edit(notebook)
        attacks.aim(notebook, wires.targets(TINY))

    got = graded(judged(attack))
    assert got["q1"] in [
        (one, points) for one in ([verdict] if isinstance(verdict, str) else verdict)
    ]
    assert got["q2"] == ("passed", 3)
    assert wires.untouched()


def test_right_answers_earn_everything(judged):
    assert graded(judged()) == {"q1": ("passed", 3), "q2": ("passed", 3)}


FORGED = """
import socket
from ftkit.grading import wire
channel = socket.socket(fileno=3)
wire.send(channel, {'ok': REPLY})
def scale(x): return x"""


@pytest.mark.parametrize("reply", ["3", "{}", "{'scale': 3}", "{'scale': ['value']}"])
def test_a_forged_reply_to_running_the_answer_is_tampering(judged, reply):
    got = graded(judged(honest.answer(FORGED.replace("REPLY", reply))))
    assert got == {"q1": ("tampered", 0), "q2": ("passed", 3)}


def test_setup_cells_that_do_not_run_where_answers_do_are_the_graders_fault(judged, exercise):
    absent = replace(exercise.cells[0], id="absent", source="open('/absent')", judge=False)
    results = judged(exercise=replace(exercise, cells=(absent, *exercise.cells)))
    assert {r.verdict for r in results.values()} == {"grader fault"}
    assert "did not run where answers do" in results["q1"].private


def test_an_answer_of_hidden_tests_alone_that_does_not_run_is_told_why(judged, exercise):
    hidden = tuple(cell for cell in exercise.cells if cell.id != "q1_visible")
    told = judged(honest.answer("1 / 0"), exercise=replace(exercise, cells=hidden))["q1"]
    assert told.verdict == "crashed" and "ZeroDivisionError" in told.detail


def test_what_one_question_breaks_costs_the_other_nothing(judged):
    got = graded(judged(honest.answer("import os\ndef scale(x): os._exit(1)")))
    assert got == {"q1": ("crashed", 0), "q2": ("passed", 3)}


def test_messages_of_visible_tests_reach_the_student_and_of_hidden_ones_never(judged):
    leak = "def scale(x):\n    if len(x) == 7: raise ValueError(x)\n    return x"
    result = judged(honest.answer(leak))["q1"]
    assert "Expected 3 at [0]; got 1" in result.tests[0].message
    assert result.tests[1].message == "" and "hidden test" in result.detail
    assert "ValueError" in result.private


def test_an_answer_that_never_ran_is_told_once_not_as_missing_names(judged):
    result = judged(honest.answer("1 / 0"))["q1"]
    assert result.verdict == "crashed" and "ZeroDivisionError" in result.detail
    assert [test.message for test in result.tests] == ["", ""]


def test_a_canary_that_passes_or_is_not_reported_voids_the_run(judged):
    def passes(report):
        if report["cell"] == build.CANARY_ID:
            report["passed"], report["message"] = True, ""
        return True

    for tell in (passes, lambda report: report["cell"] != build.CANARY_ID):
        assert {r.verdict for r in judged(tell=tell).values()} == {"grader fault"}


def test_a_test_that_is_not_reported_makes_its_own_question_the_graders_fault(judged):
    got = graded(judged(tell=lambda report: report["cell"] != "q1_hidden"))
    assert got == {"q1": ("grader fault", 0), "q2": ("passed", 3)}


def test_a_setup_cell_of_the_judge_that_fails_is_the_graders_fault(judged):
    def fails(report):
        if report["cell"] == "setup":
            report["passed"] = False
        return True

    assert {r.verdict for r in judged(tell=fails).values()} == {"grader fault"}


def test_a_sandbox_that_cannot_start_is_the_graders_fault(judged):
    def gone():
        raise ZygoteFault("no sandbox today")

    results = judged(zygote=gone)
    assert {r.verdict for r in results.values()} == {"grader fault"}
    assert "no sandbox today" in results["q1"].private


def test_frameworks_are_loaded_ahead_only_where_answers_use_them(exercise):
    demo = master.read(honest.ROOT / "exercises" / "demo")
    assert desk.preload(exercise, "pytorch") == ("numpy",)
    assert desk.preload(demo, "pytorch") == ("numpy", "torch", "torch._dynamo")
    assert desk.preload(demo, "tensorflow") == ("numpy", "tensorflow")
