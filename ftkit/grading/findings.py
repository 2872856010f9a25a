"""What a learner's check found, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftkit.grading.verdicts import Result

SIGNS = {
    "passed": "✓",
    "partly": "◐",
    "wrong": "✗",
    "not attempted": "○",
    "crashed": "✗",
    "timed out": "✗",
    "out of memory": "✗",
    "tampered": "✗",
    "grader fault": "?",
}
WORDS = {
    "passed": "every visible test holds",
    "partly": "some of the visible tests hold",
    "wrong": "it runs, but its results are not right",
    "not attempted": "write your answer in its cell, in place of NotImplementedError",
    "crashed": "it could not be run to its end",
    "timed out": "it took too long and was stopped",
    "out of memory": "it took too much memory and was stopped",
    "tampered": "it sent something other than an answer",
    "grader fault": "the check itself failed; your answer is not to blame",
}
_KIND = re.compile(r"(?P<kind>\w+): ?(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """What was found of one question."""

    question: str
    verdict: str
    points: float
    max_points: float
    """Of its visible tests."""
    tests: tuple[tuple[bool, str], ...] = ()
    """Whether each visible test holds, and what it says."""
    lines: tuple[str, ...] = ()
    """What went wrong first."""
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    """Those that are due."""
    hints_left: int = 0
    trace: str = ""
    """Where an exception was raised; shown only if asked for."""

    @property
    def says(self) -> str:
        """The verdict in a few words, with the points."""
        points = f"{self.points:g} of {self.max_points:g} points"
        return f"{self.verdict}, {points}: {WORDS[self.verdict]}"

    def report(self) -> list[str]:
        """All of it, line by line."""
        lines = [f"{'✓' if holds else '✗'} {title}" for holds, title in self.tests]
        lines += [*self.lines, *(line for line in self.trace.split("\n") if line), *self.notes]
        lines += [f"hint {number}: {hint}" for number, hint in enumerate(self.hints, 1)]
        if self.hints and self.hints_left:
            lines.append(more_hints(self.hints_left))
        return lines


@dataclass(frozen=True)
class Checked:
    """What a check found, question by question; prints as a short report."""

    exercise: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every question passed."""
        return all(found.verdict == "passed" for found in self.findings)

    def __str__(self) -> str:
        lines: list[str] = []
        for found in self.findings:
            lines.append(f"{SIGNS[found.verdict]} {self.exercise}.{found.question}: {found.says}")
            lines += [f"    {line}" for line in found.report()]
        return "\n".join([*lines, summary(self.findings)])

    __repr__ = __str__


def finding(result: Result, hints: tuple[str, ...], due: int, trace: str = "") -> Finding:
    """Puts a result into words.

    Args:
        result: The result of a question's visible tests.
        hints: All that there are for the question.
        due: How many of them to give.
        trace: Where an exception was raised.
    """
    told = result.verdict not in ("passed", "not attempted")
    helps = told and result.verdict != "grader fault"
    shown = hints[:due] if helps else ()
    return Finding(
        result.question,
        result.verdict,
        result.points,
        result.max_points,
        tuple((test.passed, test.title) for test in result.tests) if told else (),
        tuple(_lines(result)) if told else (),
        result.notes,
        shown,
        len(hints) - len(shown),
        trace if told else "",
    )


def more_hints(left: int) -> str:
    """That there is more help to come."""
    return f"{left} more hint{'s come' if left > 1 else ' comes'} with further answers."


def summary(findings: tuple[Finding, ...]) -> str:
    """How many passed, and what that means."""
    passed = sum(found.verdict == "passed" for found in findings)
    said = f"{passed} of {len(findings)} passed."
    return said + (" Hidden tests are added when it is graded." if passed else "")


def _lines(result: Result) -> list[str]:
    """What went wrong first, without the names of exceptions that only a test raises."""
    if result.verdict == "grader fault":
        return [result.private]
    messages = [test.message for test in result.tests if test.message]
    said = _KIND.fullmatch(messages[0]) if messages else None
    if not messages or not said:
        shown = messages[0] if messages else result.detail
    elif said["kind"] == "AssertionError" or said["text"].startswith("Your answer "):
        shown = said["text"]
    else:
        shown = f"The test cannot use what your answer gives: {messages[0]}"
    return [line for line in shown.split("\n") if line.strip()]
