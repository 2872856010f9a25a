"""Reading a submission in a process of its own."""

from __future__ import annotations

import os
import sys
import time

import honest
import pytest

from ftkit.grading.runner import JudgeFault, Runner

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory, exercise):
    made = Runner(exercise, "plain", tmp_path_factory.mktemp("intake") / "lane")
    yield made
    made.close()


def intake(runner, path, data):
    path.write_bytes(data)
    return runner.intake(path)


def test_answers_are_found_and_the_framework_known(runner, tmp_path, solved):
    found = intake(runner, tmp_path / "n.ipynb", honest.dumps(solved()).encode())
    assert found["framework"] == "pytorch" and set(found["answers"]) == {"q1", "q2"}
    assert "2 * np.asarray(x) + 1" in found["answers"]["q1"]["source"]


@pytest.mark.parametrize(
    "source",
    [
        *("(" * 10**5, "-" * 10**6 + "1", "x = " * 10**5 + "1", "a." * 10**5 + "b"),
        *("[" * 99 + "]" * 99, "lambda: " * 5000 + "1", "f'{" * 500, "if 1:\n " * 200),
        "1 " + "if 1 else 1 " * 5000,
    ],
)
def test_a_cell_made_to_break_the_parser_costs_at_most_itself(runner, tmp_path, solved, source):
    notebook = solved()
    honest.answer("scale = " + source)(notebook)
    found = intake(runner, tmp_path / "n.ipynb", honest.dumps(notebook).encode())
    assert "lstsq" in found["answers"]["q2"]["source"]


def test_a_cell_of_many_megabytes_costs_at_most_itself(runner, tmp_path, solved):
    notebook = solved()
    honest.answer(f"scale = '{'x' * 5_000_000}'")(notebook)
    found = intake(runner, tmp_path / "n.ipynb", honest.dumps(notebook).encode())
    assert "megabyte" in found["answers"]["q1"]["problem"]
    assert "lstsq" in found["answers"]["q2"]["source"] and not found["answers"]["q2"]["problem"]


def test_a_failure_of_the_reader_itself_is_the_graders_fault(runner, tmp_path, solved, monkeypatch):
    monkeypatch.setattr("ftkit.grading.runner._spec", lambda exercise: {"pytorch": {}})
    with pytest.raises(JudgeFault, match="KeyError"):
        intake(runner, tmp_path / "n.ipynb", honest.dumps(solved()).encode())


def test_files_that_never_end_are_refused_at_once(runner, tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "zero.ipynb").symlink_to("/dev/zero")
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate(1 << 40)
    began = time.monotonic()
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("pipe", "zero", "huge", "folder", "missing", "odd\udcff"):
        assert "unreadable" in runner.intake(tmp_path / f"{name}.ipynb")
    assert time.monotonic() - began < 2


def test_after_what_is_unreadable_the_next_one_is_read(runner, tmp_path, solved):
    assert "unreadable" in intake(runner, tmp_path / "a.ipynb", b"[" * 10**6)
    found = intake(runner, tmp_path / "b.ipynb", honest.dumps(solved()).encode())
    assert "answers" in found
