"""What is kept of a learner's tries."""

from __future__ import annotations

import threading

import pytest

from ftkit.grading import tries


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FTKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_question_that_passed_stays_passed_and_keeps_its_most_points():
    tries.record("ex.q1", "a", "passed", 2, 2)
    assert tries.record("ex.q1", "b", "wrong", 0, 2).verdict == "passed"
    assert tries.load()["ex.q1"].points == 2


def test_an_answer_that_was_taken_away_and_put_back_is_no_new_try():
    for source, verdict in (("a", "wrong"), ("", "not attempted"), ("a", "wrong")):
        last = tries.record("ex.q1", source, verdict, 0, 2)
        assert (last.tries, last.verdict) == (1, "wrong")


def test_checks_that_end_at_once_keep_each_others_tries():
    threads = [
        threading.Thread(target=tries.record, args=(f"ex.q{number}", "a", "wrong", 0, 1))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries.load()) == 20


@pytest.mark.parametrize("content", ["{", "[]", '{"ex.q1": 1}', '{"ex.q1": {"other": 1}}'])
def test_a_damaged_file_counts_as_none_and_is_replaced(state, content):
    state.mkdir()
    (state / "tries.json").write_text(content)
    assert tries.load() == {}
    assert tries.record("ex.q1", "a", "wrong", 0, 1).tries == 1
    assert tries.load()["ex.q1"].tries == 1


def test_where_nothing_can_be_kept_a_try_is_still_told(state):
    state.write_text("a file in the way")
    assert tries.record("ex.q1", "a", "wrong", 0, 1).tries == 1
    assert tries.load() == {}
