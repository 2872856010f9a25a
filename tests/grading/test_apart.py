"""A check in a process of its own: it can be stopped, and ends with whoever asked for it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import honest
import psutil
import pytest

from ftkit.grading import build
from ftkit.grading.apart import Apart

ENDLESS = "def scale(x):\n    while True:\n        pass"
PATIENCE = 20.0


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


class Heard:
    """Starts a check, and keeps what it is told."""

    def __init__(self, path, question="", cells=()):
        self.found, self.ended = [], []
        self.over = threading.Event()
        self.apart = Apart(path, question, cells, self.found.append, self.end)

    def end(self, why):
        self.ended.append(why)
        self.over.set()

    def verdicts(self):
        assert self.over.wait(60)
        return {found["question"]: found["verdict"] for found in self.found}


def below(pid, wanted):
    """The processes below one, once there are so many."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = psutil.Process(pid).children(recursive=True)
        if len(found) >= wanted:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def left_behind():
    return set(Path(tempfile.gettempdir()).glob("ftkit-check-*"))


def test_each_question_is_told_as_plain_types_and_the_end_once(work):
    heard = Heard(work(q1=honest.SCALE, q2="def fit(x, y):\n    return 1"))
    assert heard.verdicts() == {"q1": "passed", "q2": "wrong"}
    assert heard.ended == [""]
    json.dumps(heard.found)


def test_cells_as_they_were_run_count_and_may_hold_anything(work):
    cells = ("print('\ud800 ü')", "import numpy as np", honest.SCALE, "x = '" + "a" * 300_000 + "'")
    assert Heard(work(), "q1", cells).verdicts() == {"q1": "passed"}


def test_what_is_wrong_with_the_request_is_told(work, tmp_path):
    heard = Heard(work(), "q9")
    assert heard.verdicts() == {} and "choose one of: tiny.q1, tiny.q2" in heard.ended[0]
    heard = Heard(tmp_path / "nowhere.ipynb")
    assert heard.verdicts() == {} and "No such file" in heard.ended[0]


def test_a_stop_acts_at_once_tells_nothing_more_and_leaves_nothing(work):
    before = left_behind()
    heard = Heard(work(q1=ENDLESS))
    started = below(heard.apart._process.pid, 4)  # fork server, judge, its kernel, the answer
    asked = time.monotonic()
    heard.apart.stop()
    assert time.monotonic() - asked < 0.1
    assert heard.apart.wait(PATIENCE)
    assert not psutil.wait_procs(started, timeout=5)[1]
    assert (heard.found, heard.ended) == ([], [])
    assert left_behind() == before


def test_a_check_that_is_killed_is_told_and_what_it_started_ends_too(work):
    heard = Heard(work(q1=ENDLESS))
    started = below(heard.apart._process.pid, 4)
    heard.apart._process.kill()
    assert heard.verdicts() == {} and "ended too early" in heard.ended[0]
    assert not psutil.wait_procs(started, timeout=10)[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_check_ends_with_the_kernel_that_asked_for_it_even_if_that_ignores_interrupts(
    work, number
):
    program = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "from pathlib import Path; from ftkit.grading.apart import Apart; "
        "Apart(Path(sys.argv[1]), '', (), print, print); time.sleep(600)"
    )
    kernel = subprocess.Popen([sys.executable, "-c", program, str(work(q1=ENDLESS))])
    started = below(kernel.pid, 5)
    kernel.send_signal(number)
    kernel.wait()
    assert not psutil.wait_procs(started, timeout=PATIENCE)[1]
