"""The worker at every level that this machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from ftkit.grading.master import Limits
from ftkit.grading.sandbox import places, probe
from ftkit.grading.workers import LEVELS, Breach, Zygote, ZygoteFault

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


def run(zygote, answer, *calls, **limits):
    worker = zygote.worker(Limits(**{"seconds": 5, "call_seconds": 2, "memory_mb": 300, **limits}))
    try:
        first = worker.ask({"do": "run", "before": [], "answer": answer, "exports": ["f"]})
        if "error" in first:
            return first
        asked = {"do": "call", "name": "f", "kwargs": {}}
        return [worker.ask({**asked, "args": list(args)}) for args in calls] or first
    finally:
        worker.end()


def test_arrays_go_in_and_come_out(zygote):
    replies = run(zygote, "def f(x): return {'twice': 2 * x}", [np.arange(3.0)], [np.ones(2)])
    assert [list(reply["ok"]["twice"]) for reply in replies] == [[0, 2, 4], [2, 2]]


def test_a_value_comes_back_as_a_value(zygote):
    assert run(zygote, "f = [1, 2.5, 'x']") == {"ok": {"f": ["value", [1, 2.5, "x"]]}}


def test_each_worker_is_fresh_and_finds_an_empty_folder(zygote):
    spoil = "import os, numpy\nnumpy.mark = 1\nopen('left', 'w').write('x')\nos.mkdir('d')\nf = 1"
    look = "import os, numpy\nf = [hasattr(numpy, 'mark'), os.listdir('.')]"
    assert run(zygote, spoil)["ok"]
    assert run(zygote, look) == {"ok": {"f": ["value", [False, []]]}}


def test_a_breach_ends_one_worker_and_the_next_one_works(zygote):
    with pytest.raises(Breach) as caught:
        run(zygote, "def f(): raise SystemExit\nimport os\nos._exit(3)")
    assert caught.value.verdict == "crashed"
    assert run(zygote, "f = 1")["ok"]


def test_the_budget_is_shared_by_all_calls(zygote):
    with pytest.raises(Breach) as caught:
        run(zygote, "import time\ndef f(): time.sleep(.4); return 1", *[[]] * 9, seconds=1)
    assert caught.value.verdict == "timed out"


def test_after_a_breach_every_question_gets_the_same_answer(zygote):
    worker = zygote.worker(Limits(seconds=5, call_seconds=2))
    request = {"do": "run", "before": [], "answer": "import os; os._exit(0)", "exports": []}
    for _ in range(2):
        with pytest.raises(Breach, match="ended its own process"):
            worker.ask(request)
    worker.end()


def test_only_the_answers_own_time_counts(zygote):
    worker = zygote.worker(Limits(seconds=1, call_seconds=1))
    worker.ask({"do": "run", "before": [], "answer": "def f(): return 1", "exports": ["f"]})
    time.sleep(1.2)  # the judge is at work
    assert worker.ask({"do": "call", "name": "f", "args": [], "kwargs": {}}) == {"ok": 1}
    worker.end()


def test_what_comes_before_an_answer_takes_none_of_its_time(zygote):
    worker = zygote.worker(Limits(seconds=0.5, call_seconds=0.5))
    slow = {"do": "prepare", "parts": ["import time", "time.sleep(1)", "there = 1"]}
    assert worker.ask(slow, 20) == {"ok": None}
    run = {"do": "run", "before": [], "answer": "f = there", "exports": ["f"]}
    assert worker.ask(run) == {"ok": {"f": ["value", 1]}}
    assert "error" in worker.ask({"do": "prepare", "parts": ["1 / 0"]}, 20)
    worker.end()


def test_the_text_of_an_answer_can_be_read_as_in_a_notebook(zygote):
    answer = "import inspect\n\ndef f():\n    return inspect.getsource(f)"
    assert run(zygote, answer, [])[0] == {"ok": "def f():\n    return inspect.getsource(f)\n"}


def test_after_a_late_reply_a_zygote_is_not_asked_again(tmp_path, monkeypatch):
    with Zygote("plain", tmp_path) as zygote:
        monkeypatch.setattr("ftkit.grading.workers._END_SECONDS", 0.0)
        with pytest.raises(ZygoteFault):
            zygote.worker(Limits())
        assert not zygote.alive()


def test_an_error_is_told_with_its_line_and_built_in_kind(zygote):
    reply = run(zygote, "class Own(ValueError): pass\ndef f():\n    raise Own('why')", [])
    error = reply[0]["error"]
    assert (error["type"], error["builtin"], error["message"]) == ("Own", "ValueError", "why")
    assert error["line"] == 3 and "line 3" in error["trace"]


def test_what_must_stay_unseen_must_not_lie_with_python(tmp_path):
    from ftkit.grading.errors import GradingError

    places.check_unseen([tmp_path, places.HIDDEN / "one" / "master.py"])
    with pytest.raises(GradingError, match="Keep exercises"):
        places.check_unseen([places.PACKAGE / "grading"])


EMPTIES = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ftkit.grading.sandbox import landlock, seccomp
folder = Path(sys.argv[2])
landlock.abi = lambda: 2  # what Linux 5.19 to 6.1 have, which does not ask who cuts a file short
landlock.restrict([folder / "library"], [], [folder / "scratch"], [])
seccomp.install()
for path in (folder / "neighbour", folder / "library" / "module.py"):
    for empty in (lambda: os.truncate(path, 0), lambda: os.open(path, os.O_RDONLY | os.O_TRUNC)):
        try:
            empty()
        except OSError:
            pass
open(folder / "scratch" / "own", "w").truncate(7)
"""


def test_no_file_is_emptied_where_landlock_is_too_old_to_forbid_it(tmp_path):
    from ftkit.grading.sandbox import landlock

    if not landlock.abi():
        pytest.skip("the kernel offers no Landlock")
    for name in ("neighbour", "library/module.py", "scratch/own"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    root = places.PACKAGE.parent
    subprocess.run([sys.executable, "-c", EMPTIES, root, tmp_path], check=True)
    assert (tmp_path / "neighbour").read_text() == "text"
    assert (tmp_path / "library" / "module.py").read_text() == "text"
    assert (tmp_path / "scratch" / "own").stat().st_size == 7


PRINTS = """
import sys
from pathlib import Path
from ftkit.grading.master import Limits
from ftkit.grading.workers import Zygote
with Zygote("plain", Path(sys.argv[1])) as zygote:
    worker = zygote.worker(Limits())
    answer = "print('x' * 99, flush=True); f = 1"
    print(worker.ask({"do": "run", "before": [], "answer": answer, "exports": ["f"]}))
    worker.end()
"""


def test_an_answer_may_print_where_the_grader_has_no_standard_input(tmp_path):
    command = ["sh", "-c", 'exec "$0" "$@" <&-', sys.executable, "-c", PRINTS, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "{'ok': {'f': ['value', 1]}}\n", done.stderr


READS = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ftkit.grading.master import Limits
from ftkit.grading.sandbox import places
from ftkit.grading.workers import Zygote
assert places.HIDDEN == Path(sys.argv[1], "ftkit", "exercises")
with Zygote(sys.argv[2], Path(sys.argv[3])) as zygote:
    for path in (places.HIDDEN / "one" / "master.py", places.PACKAGE / "version.py"):
        worker = zygote.worker(Limits())
        answer = f"text = open({str(path)!r}).read()"
        reply = worker.ask({"do": "run", "before": [], "answer": answer, "exports": ["text"]})
        worker.end()
        print(path.name, "ok" if "ok" in reply else reply["error"]["builtin"])
"""


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_the_masters_that_are_installed_with_ftkit_are_not_seen_and_the_rest_is(level, tmp_path):
    problem = probe.trial(level)
    if problem:
        pytest.skip(problem)
    installed = tmp_path / "installed"
    large = shutil.ignore_patterns("bundled", "__pycache__")
    shutil.copytree(places.PACKAGE, installed / "ftkit", ignore=large)
    master = installed / "ftkit" / "exercises" / "one" / "master.py"
    master.parent.mkdir(parents=True, exist_ok=True)
    master.write_text("the solution", encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-c", READS, installed, level, tmp_path / "scratch"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    first, second = done.stdout.splitlines()
    assert first.startswith("master.py ") and "ok" not in first, done.stderr
    assert second == "version.py ok"
