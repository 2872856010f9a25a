"""Grades on disk."""

from __future__ import annotations

import sqlite3

from ftkit.grading import store
from ftkit.grading.verdicts import Outcome, Result

HOW = store.Circumstances(seed=2**62, level="bubblewrap", seconds=1.0)
TEST = Outcome("it holds", True, 1.0, 1.0)


def test_a_grade_comes_back_as_it_was_put(tmp_path):
    kept = store.Store(tmp_path / "g.sqlite")
    result = Result("q1", "partly", 1.0, 3.0, "why", (TEST,), ("a note",), "private")
    kept.put("ann", "key", result, HOW)
    assert kept.results("ann") == [result] and kept.results("bob") == []
    kept.close()
    rows = sqlite3.connect(tmp_path / "g.sqlite").execute("SELECT seed, level FROM grades")
    assert rows.fetchall() == [(str(2**62), "bubblewrap")]


def test_a_grade_counts_for_its_own_key_only_and_a_fault_never(tmp_path):
    kept = store.Store(tmp_path / "g.sqlite")
    kept.put("ann", "key", Result("q1", "wrong", 0.0, 3.0), HOW)
    kept.put("ann", "key", Result("q2", "grader fault", 0.0, 3.0), HOW)
    assert kept.has("ann", "q1", "key")
    assert not kept.has("ann", "q1", "other") and not kept.has("bob", "q1", "key")
    assert not kept.has("ann", "q2", "key")
    kept.close()


def test_the_key_moves_with_submission_judge_and_question():
    keys = {
        store.key(*parts)
        for parts in (("a", "b", "q"), ("x", "b", "q"), ("a", "x", "q"), ("a", "b", "x"))
    }
    assert len(keys) == 4


def test_answers_are_those_of_the_last_submission(tmp_path):
    kept = store.Store(tmp_path / "g.sqlite")
    assert kept.answers("ann") == store.Handed("", {}) and not kept.has_answers("ann", "d1")
    kept.put_answers("ann", "d1", store.Handed("pytorch", {"q1": "a", "q2": "b"}))
    kept.put_answers("ann", "d2", store.Handed("tensorflow", {"q1": ""}))
    assert kept.answers("ann") == store.Handed("tensorflow", {"q1": ""})
    assert kept.has_answers("ann", "d2") and not kept.has_answers("ann", "d1")
    kept.close()
