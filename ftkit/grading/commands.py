"""The grader's commands for the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ftkit.grading.errors import GradingError
from ftkit.grading.master import FRAMEWORKS

_EXIT_NOT_ALL, _EXIT_INTERRUPTED = 1, 130


def add(commands: Any) -> None:
    """Adds ``release``, ``grade``, ``check`` and ``validate`` to the subcommands of a parser."""
    releasing = commands.add_parser(
        "release",
        help="build what a class is given of an exercise",
        description="Writes an exercise's starters, without solutions and hidden tests.",
        allow_abbrev=False,
    )
    option = releasing.add_argument
    option("exercise", metavar="EXERCISE", help="one of ftkit's, or a path")
    option("--out", type=Path, required=True, metavar="DIR", help="where to write")
    option("--framework", choices=FRAMEWORKS, help="of which alone (all)")
    option(
        "--roster",
        type=Path,
        metavar="CSV",
        help="a folder for each student: columns student and, if need be, id and framework",
    )
    option(
        "--variants",
        action="store_true",
        help="each student's exercise differs; DIR.variants.json keeps how, for you alone",
    )
    releasing.set_defaults(command=release)

    validating = commands.add_parser(
        "validate",
        help="try exercises as their author must",
        description="Grades an exercise's solution, starter and wrong answers, and looks for "
        "leaks in its release.",
        allow_abbrev=False,
    )
    option = validating.add_argument
    option("exercises", nargs="+", metavar="EXERCISE", help="one of ftkit's, or a path")
    option("--framework", choices=FRAMEWORKS, help="in which alone (all)")
    validating.set_defaults(command=validate)

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
        "--variants",
        type=Path,
        metavar="FILE",
        help="what ftkit release --variants wrote beside its folder",
    )
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
    from ftkit.grading import installed, master, roster
    from ftkit.grading.pages import html
    from ftkit.grading.progress import shown
    from ftkit.grading.sandbox import places

    if options.jobs < 1:
        raise GradingError(f"--jobs must be at least 1; got {options.jobs}.")
    where = installed.find(options.exercise)
    exercise = master.read(where)
    folder = where if where.is_dir() else where.parent
    assigned = None
    if options.variants:
        places.check_unseen([options.variants])
        assigned = roster.load(options.variants, exercise)
    try:
        with shown() as show:
            graded = grading.grade(
                options.submissions,
                exercise,
                folder,
                options.out,
                options.jobs,
                options.allow_unsandboxed,
                show,
                assigned=assigned,
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


def release(options: argparse.Namespace) -> int:
    """``ftkit release``."""
    from ftkit.grading import installed, master, roster
    from ftkit.grading import release as releasing

    exercise = master.read(installed.find(options.exercise))
    made = releasing.release(
        exercise,
        options.out,
        (options.framework,) if options.framework else (),
        roster.read(options.roster) if options.roster else None,
        options.variants,
    )
    print(f"Written to {options.out}: {len(made.files)} notebooks")
    if made.record:
        print(
            f"Keep {made.record} to yourself: it holds everybody's variant, and "
            "ftkit grade needs it (--variants)"
        )
    return 0


def validate(options: argparse.Namespace) -> int:
    """``ftkit validate``."""
    from ftkit.grading import installed, master, validating

    failed = tried = 0
    for named in options.exercises:
        where = installed.find(named)
        frameworks = master.read(where).frameworks
        for framework in frameworks:
            if options.framework in (None, framework):
                report = validating.validate(where, framework)
                print(validating.table(report), flush=True)
                tried += len(report.findings)
                failed += len(report.failed)
    if not tried:
        raise GradingError(f"None of these exercises is written for {options.framework}.")
    print(f"{failed} of {tried} checks failed" if failed else f"All {tried} checks hold")
    return _EXIT_NOT_ALL if failed else 0


def check(options: argparse.Namespace) -> int:
    """``ftkit check``."""
    from ftkit.grading.checking import check_notebook

    checked = check_notebook(options.notebook, options.question, options.trace)
    print(checked)
    return 0 if checked.passed else _EXIT_NOT_ALL
