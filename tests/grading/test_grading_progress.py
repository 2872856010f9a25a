"""What grading shows of itself."""

from __future__ import annotations

import io

from ftkit.grading import progress
from ftkit.grading.grade import Progress
from ftkit.grading.verdicts import Result


class Terminal(io.StringIO):
    def isatty(self):
        return True


def ended(done, total, resumed=False, student="ann"):
    results = (Result("q1", "passed", 1.0, 1.0), Result("q2", "wrong", 0.0, 1.0))
    return Progress(done, total, student, results, resumed)


def test_elsewhere_each_submission_has_a_line():
    stream = io.StringIO()
    with progress.shown(stream) as show:
        show(ended(1, 2, resumed=True))
        show(ended(2, 2, student="[bold]bob"))
    assert stream.getvalue().splitlines() == [
        "[1/2] ann: q1 passed, q2 wrong (as before)",
        "[2/2] [bold]bob: q1 passed, q2 wrong",
    ]


def test_a_terminal_has_one_line_that_ends_with_all_done(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with progress.shown(stream) as show:
        for number in range(1, 4):
            show(ended(number, 3, student="[bold]bob"))
    told = stream.getvalue()
    assert "3/3" in told and "in all" in told and "[bold]bob" in told
    assert "q1" not in told and told.count("\n") <= 2


def test_the_pace_counts_what_was_graded_now_and_not_what_was_there():
    now = [0.0]
    pace = progress.Pace(lambda: now[0])
    now[0] = 0.5
    assert pace.told(ended(1, 10, resumed=True)) == "as before"
    now[0] = 10.0
    assert pace.told(ended(2, 10)) == "6 a minute, 1:20 left"
    now[0] = 12.0
    assert pace.told(ended(3, 10)) == "10 a minute, 0:42 left"
    assert pace.told(ended(10, 10)) == "0:12 in all"


def test_times_are_told_as_a_clock_tells_them():
    assert [progress.clock_time(s) for s in (0, 7.4, 750, 3723)] == [
        "0:00", "0:07", "12:30", "1:02:03",
    ]  # fmt: skip
