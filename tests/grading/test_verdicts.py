"""What reports and evidence add up to."""

from __future__ import annotations

import pytest

from ftkit.grading.master import Cell
from ftkit.grading.verdicts import Evidence, Report, settle

HIDDEN = "### BEGIN HIDDEN TESTS\nassert f(2)\n### END HIDDEN TESTS"
TESTS = (
    Cell("a", "test", "assert f(1)", question="q", points=1, title="visible"),
    Cell("b", "test", HIDDEN, question="q", points=2, title="hidden"),
)
FAILED = "AssertionError: 3 is not 4"


def result(a, b, evidence=None):
    reports = {
        name: Report(name, message is None, message or "")
        for name, message in (("a", a), ("b", b))
        if message != "missing"
    }
    got = settle("q", TESTS, reports, evidence or Evidence())
    return got.verdict, got.points


@pytest.mark.parametrize(
    ("a", "b", "evidence", "wanted"),
    [
        (None, None, Evidence(), ("passed", 3)),
        (None, FAILED, Evidence(), ("partly", 1)),
        (FAILED, None, Evidence(), ("partly", 2)),
        (FAILED, FAILED, Evidence(), ("wrong", 0)),
        (FAILED, FAILED, Evidence(raised=1), ("wrong", 0)),
        ("AnswerError: x", "AnswerError: x", Evidence(raised=2), ("crashed", 0)),
        ("AnswerError: x", FAILED, Evidence(raised=1), ("wrong", 0)),
        ("NameError: f", "NameError: f", Evidence(attempted=False), ("not attempted", 0)),
        (None, None, Evidence(attempted=False), ("not attempted", 0)),
        (FAILED, FAILED, Evidence(unfinished=True), ("not attempted", 0)),
        (None, FAILED, Evidence(unfinished=True), ("partly", 1)),
        (None, FAILED, Evidence(breach="timed out"), ("timed out", 1)),
        (None, FAILED, Evidence(breach="tampered"), ("tampered", 0)),
        (None, None, Evidence(breach="tampered"), ("tampered", 0)),
        (None, None, Evidence(breach="crashed"), ("crashed", 3)),
        (None, None, Evidence(breach="crashed", started=False), ("crashed", 0)),
        (None, "missing", Evidence(), ("partly", 1)),
    ],
)
def test_a_verdict_follows_from_what_was_reported(a, b, evidence, wanted):
    assert result(a, b, evidence) == wanted


def test_a_hidden_tests_message_is_for_the_teacher_only():
    reports = {"a": Report("a", True), "b": Report("b", False, "AssertionError: f(2) is 5")}
    got = settle("q", TESTS, reports, Evidence())
    assert [test.message for test in got.tests] == ["", ""] and "f(2) is 5" in got.private
