"""How a check tells what it found."""

from __future__ import annotations

import pytest

from ftkit.grading.findings import SIGNS, WORDS, Checked, finding
from ftkit.grading.verdicts import VERDICTS, Outcome, Result

HINTS = ("one", "two", "three")


def found(verdict="wrong", *tests, hints=HINTS, due=1, trace="", **more):
    outcomes = tuple(Outcome(title, not said, 1, 1, said) for title, said in tests)
    result = Result("q1", verdict, sum(t.passed for t in outcomes), 2, tests=outcomes, **more)
    return finding(result, hints, due, trace)


def test_every_verdict_that_a_check_can_come_to_has_a_sign_and_words():
    assert set(SIGNS) == set(WORDS) == set(VERDICTS) - {"unreadable"}


def test_a_failed_test_is_told_by_its_title_and_by_what_was_expected_without_its_exception():
    told = found("partly", ("it adds", "AssertionError: Expected 3; got 1"), ("it is fast", ""))
    assert told.report()[:3] == ["✗ it adds", "✓ it is fast", "Expected 3; got 1"]
    assert told.says == "partly, 1 of 2 points: some of the visible tests hold"


def test_an_exception_of_the_answer_is_told_as_such():
    said = "ValueError: Your answer raised ValueError: no (line 2 of your answer)"
    told = found("crashed", ("it adds", said))
    assert told.lines == ("Your answer raised ValueError: no (line 2 of your answer)",)


def test_a_test_that_cannot_use_a_result_says_that_the_exception_is_its_own():
    told = found("wrong", ("it adds", "TypeError: 'NoneType' object is not subscriptable"))
    assert told.lines == (
        "The test cannot use what your answer gives: "
        "TypeError: 'NoneType' object is not subscriptable",
    )


def test_an_assertion_without_a_message_leaves_the_title_alone():
    assert found("wrong", ("it adds", "AssertionError: ")).lines == ()


def test_without_a_message_what_the_grader_saw_is_told():
    told = found("timed out", ("it adds", ""), detail="It took more than 5 seconds.")
    assert told.lines == ("It took more than 5 seconds.",)


@pytest.mark.parametrize("verdict", ["passed", "not attempted", "grader fault"])
def test_no_hint_is_given_where_none_helps(verdict):
    told = found(verdict, ("it adds", ""), due=2, private="the judge is gone")
    assert told.hints == ()
    assert not any("hint" in line for line in told.report())
    assert ("the judge is gone" in told.lines) is (verdict == "grader fault")


@pytest.mark.parametrize(
    ("due", "last"),
    [
        (1, "2 more hints come with further answers."),
        (2, "1 more hint comes with further answers."),
        (3, "hint 3: three"),
        (9, "hint 3: three"),
    ],
)
def test_hints_are_numbered_and_it_is_told_how_many_are_left(due, last):
    told = found("wrong", ("it adds", "AssertionError: no"), due=due)
    assert told.report()[2:][: len(told.hints)] == [
        f"hint {number}: {hint}" for number, hint in enumerate(HINTS[:due], 1)
    ]
    assert told.report()[-1] == last


def test_a_trace_and_notes_stand_between_what_went_wrong_and_the_hints():
    told = found(
        "wrong",
        ("it adds", "AssertionError: no"),
        trace="  line 2 of your answer, in f\n",
        notes=("2 cells answer it; the last one counts.",),
    )
    assert told.report()[1:4] == [
        "no",
        "  line 2 of your answer, in f",
        "2 cells answer it; the last one counts.",
    ]


def test_a_report_names_every_question_with_its_sign_and_ends_with_the_sum():
    checked = Checked("ex", (found("passed", ("it adds", "")), found("not attempted")))
    lines = str(checked).split("\n")
    assert lines[0] == "✓ ex.q1: passed, 1 of 2 points: every visible test holds"
    assert lines[1].startswith("○ ex.q1: not attempted, 0 of 2 points: write your answer")
    assert lines[2] == "1 of 2 passed. Hidden tests are added when it is graded."
    assert not checked.passed
    assert str(Checked("ex", (found("not attempted"),))).endswith("0 of 1 passed.")
