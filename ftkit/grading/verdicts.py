"""What a question earned, and what that is called."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftkit.grading.master import Cell

VERDICTS = (
    "passed", "partly", "wrong", "not attempted", "crashed", "timed out", "out of memory",
    "tampered", "unreadable", "grader fault",
)  # fmt: skip


@dataclass
class Evidence:
    """What was seen of an answer while it ran."""

    attempted: bool = True
    breach: str = ""
    """The verdict on a worker that had to be ended, or ended itself."""
    detail: str = ""
    """The first thing that went wrong, in words for the student."""
    unfinished: bool = False
    """Whether it raised NotImplementedError."""
    started: bool = True
    """Whether the answer's own cell ran to its end."""
    raised: int = 0
    """How many calls raised an exception."""
    trace: str = ""


@dataclass(frozen=True)
class Report:
    """How a cell of the judge went."""

    cell: str
    passed: bool
    message: str = ""


@dataclass(frozen=True)
class Outcome:
    """One test, as feedback shows it."""

    title: str
    passed: bool
    points: float
    max_points: float
    message: str = ""
    """Empty for a hidden test, always: an error's text can carry hidden inputs out."""
    hidden: bool = False


@dataclass(frozen=True)
class Result:
    """A question's grade."""

    question: str
    verdict: str
    points: float
    max_points: float
    detail: str = ""
    tests: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = field(default=())
    private: str = ""
    """For the teacher only."""


def settle(
    question: str,
    tests: tuple[Cell, ...],
    reports: dict[str, Report],
    evidence: Evidence,
    notes: tuple[str, ...] = (),
) -> Result:
    """The grade of a question whose tests have all been reported.

    Only a test that was reported as passed earns its points; one that was skipped, was expected to
    fail or is missing does not. Nothing is earned by an answer that did not run to its end.
    """
    passed = {test.id: test.id in reports and reports[test.id].passed for test in tests}
    counts = evidence.attempted and evidence.started and evidence.breach != "tampered"
    shown = tuple(
        Outcome(
            title=test.title,
            passed=counts and passed[test.id],
            points=test.points if counts and passed[test.id] else 0.0,
            max_points=test.points,
            message=""
            if test.hidden or passed[test.id] or not evidence.started
            else _message(reports, test),
            hidden=test.hidden,
        )
        for test in tests
    )
    points, most = sum(t.points for t in shown), sum(t.max_points for t in shown)
    if not evidence.attempted or (evidence.unfinished and not points):
        verdict = "not attempted"
    elif evidence.breach:
        verdict = evidence.breach
    elif all(passed.values()):
        verdict = "passed"
    elif points:
        verdict = "partly"
    else:
        verdict = "crashed" if _only_raised(tests, reports, evidence) else "wrong"
    private = "; ".join(f"{t.id}: {_message(reports, t)}" for t in tests if not passed[t.id])
    return Result(question, verdict, points, most, evidence.detail, shown, notes, private)


def fault(question: str, tests: tuple[Cell, ...], why: str) -> Result:
    """The grade of a question that the grader could not judge: never the student's loss."""
    most = sum(test.points for test in tests)
    return Result(question, "grader fault", 0.0, most, private=why)


def refused(question: str, tests: tuple[Cell, ...], why: str) -> Result:
    """The grade of a question in a file that is no notebook."""
    return Result(question, "unreadable", 0.0, sum(test.points for test in tests), why)


def _message(reports: dict[str, Report], test: Cell) -> str:
    return reports[test.id].message if test.id in reports else "not run"


def _only_raised(tests: tuple[Cell, ...], reports: dict[str, Report], evidence: Evidence) -> bool:
    """Whether every test failed for an exception of the answer, not for a wrong result."""
    failed = [_message(reports, test) for test in tests]
    return evidence.raised > 0 and not any(
        text.startswith(("AssertionError", "not run")) for text in failed
    )
