"""The grader's commands for the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftkit.grading.errors import GradingError

if TYPE_CHECKING:
    from ftkit.grading.grade import Progress

_EXIT_NOT_ALL, _EXIT_INTERRUPTED = 1, 130


def add(commands: Any) -> None:
    """Adds ``grade`` and ``check`` to the subcommands of a parser."""
    grading = commands.add_parser(
        "grade",
        help="grade a class's notebooks",
        description="Grades submissions; started again, it goes on where it was.",
        allow_abbrev=False,
    )
    option = grading.add_argument
    option("submissions", type=Path, metavar="SUBMISSIONS", help="a folder, or a platform's zip")
    option("--exercise", required=True, metavar="NAME", help="one of ftkit's, or a path")
    option("--out", type=Path, required=True, metavar="RESULTS", help="where to write")
    option("--jobs", type=int, default=1, metavar="N", help="submissions at a time (1)")
    option(
        "--allow-unsandboxed",
        action="store_true",
        help="run answers with all your rights where they cannot be confined",
    )
    grading.set_defaults(command=grade)

    checking = commands.add_parser(
        "check",
        help="check an exercise that you work on",
        description="Runs the visible tests of an exercise's notebook and gives hints.",
        allow_abbrev=False,
    )
    option = checking.add_argument
    option("notebook", type=Path, metavar="NOTEBOOK", help="the starter that you work in")
    option("--question", default="", metavar="Q", help="such as q1 (all)")
    option("--trace", action="store_true", help="show where an exception was raised")
    checking.set_defaults(command=check)


def grade(options: argparse.Namespace) -> int:
    """``ftkit grade``."""
    from ftkit.grading import grade as grading
    from ftkit.grading import installed, master
    from ftkit.grading.pages import html

    if options.jobs < 1:
        raise GradingError(f"--jobs must be at least 1; got {options.jobs}.")
    where = installed.find(options.exercise)
    exercise = master.read(where)
    folder = where if where.is_dir() else where.parent
    try:
        graded = grading.grade(
            options.submissions,
            exercise,
            folder,
            options.out,
            options.jobs,
            options.allow_unsandboxed,
            _told,
        )
    except KeyboardInterrupt:
        print("ftkit: stopped; give the same command again to go on", file=sys.stderr)
        return _EXIT_INTERRUPTED
    for warning in graded.warnings:
        print(f"ftkit: {warning}", file=sys.stderr)
    names = html.write_all(graded, options.out)
    print(f"Written to {options.out}: grades.sqlite, {', '.join(names)}")
    if graded.faults:
        print(
            f"ftkit: {graded.faults} questions could not be judged, which is the grader's fault; "
            "give the same command again to grade them",
            file=sys.stderr,
        )
    return _EXIT_NOT_ALL if graded.faults else 0


def check(options: argparse.Namespace) -> int:
    """``ftkit check``."""
    from ftkit.grading.checking import check_notebook

    checked = check_notebook(options.notebook, options.question, options.trace)
    print(checked)
    return 0 if checked.passed else _EXIT_NOT_ALL


def _told(progress: Progress) -> None:
    """A line per submission, and how many are left."""
    verdicts = ", ".join(f"{r.question} {r.verdict}" for r in progress.results)
    again = " (as before)" if progress.resumed else ""
    print(f"[{progress.done}/{progress.total}] {progress.student}: {verdicts}{again}", flush=True)
