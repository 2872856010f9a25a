"""How far a learner is with the course: which quizzes are answered, which exercises passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from ftkit.answers import FILE, Damaged, Standing, standings
from ftkit.grading import installed, tries
from ftkit.grading.findings import SIGNS
from ftkit.grading.master import Exercise
from ftkit.grading.tries import Try
from ftkit.quizzes import names, quiz
from ftkit.report.table import plain_lines, plain_table

COURSE = Path("ftkit-course")
"""Where ``ftkit lab`` puts the course if it is not told otherwise."""
WIDEST = 10_000  # a line is as long as it has to be
LEGEND = "✓ passed   ◐ partly   ✗ tried, not passed   ○ not tried"


@dataclass(frozen=True)
class Task:
    """An exercise, and what its questions came to, in whichever framework."""

    name: str
    title: str
    questions: dict[str, Try]
    """By the question's id; those that were never tried too."""

    @property
    def passed(self) -> int:
        """How many questions passed."""
        return sum(one.verdict == "passed" for one in self.questions.values())


@dataclass(frozen=True)
class Coursework:
    """How far a learner is; prints as a table."""

    folder: Path
    """The course folder, where answers to quizzes are kept."""
    quizzes: tuple[Standing, ...]
    exercises: tuple[Task, ...]
    note: str = ""
    """What the learner should know about it."""

    def __str__(self) -> str:
        return "\n".join(
            [
                *_table(
                    ("quiz", "answered", "right"),
                    [
                        (one.name, f"{one.answered} of {one.questions}", str(one.right))
                        for one in self.quizzes
                    ],
                ),
                "",
                *_table(
                    ("exercise", "passed", "questions"),
                    [
                        (one.name, f"{one.passed} of {len(one.questions)}", "   ".join(marks(one)))
                        for one in self.exercises
                    ],
                ),
                "",
                LEGEND,
                summary(self),
                *([self.note] if self.note else []),
            ]
        )


def coursework(start: Path) -> Coursework:
    """How far the learner is whose course lies in a folder or around it.

    Args:
        start: The course folder, a folder in it, or the one that holds ``ftkit-course``.
    """
    folder, note = course_folder(start), ""
    if not (folder / FILE.parent).is_dir():
        note = f"There is no course in {folder}: ftkit lab copies it, and quizzes are kept there."
    try:
        answered = standings(folder)
    except Damaged as error:
        note, papers = str(error), [(name, quiz(name)) for name in names()]
        answered = [Standing(name, one.title, len(one.questions), 0, 0) for name, one in papers]
    return Coursework(folder, tuple(answered), tuple(_tasks(tries.load())), note)


def course_folder(start: Path) -> Path:
    """The course folder that a folder lies in, else the one in it; else the folder itself."""
    start = start.resolve()
    for folder in (start, *start.parents, start / COURSE):
        if (folder / FILE.parent).is_dir():
            return folder
    return start


def summary(work: Coursework) -> str:
    """All of it in one sentence."""
    questions = sum(one.questions for one in work.quizzes)
    right = sum(one.right for one in work.quizzes)
    passed = sum(one.passed for one in work.exercises)
    asked = sum(len(one.questions) for one in work.exercises)
    return (
        f"{right} of {questions} questions of the quizzes are answered rightly; "
        f"{passed} of {asked} questions of the exercises have passed."
    )


def marks(task: Task) -> list[str]:
    """A sign for each question of an exercise."""
    return [f"{name} {sign(one)}" for name, one in task.questions.items()]


def sign(one: Try) -> str:
    """What a question came to, as in the legend."""
    return SIGNS.get(one.verdict, "✗")


def _tasks(kept: dict[str, Try]) -> Iterator[Task]:
    """The exercises of the course, and what else was tried."""
    course = installed.exercises()
    for exercise in course:
        asked = dict.fromkeys(_questions(exercise))
        yield _task(exercise.name, exercise.title, asked, kept)
    others: dict[str, dict[str, None]] = {}
    for name in sorted(kept):
        exercise_name, _, question = name.rpartition(".")
        if exercise_name not in {one.name for one in course}:
            others.setdefault(exercise_name, {})[question] = None
    for other, questions in others.items():
        yield _task(other, other, questions, kept)


def _task(name: str, title: str, asked: dict[str, None], kept: dict[str, Try]) -> Task:
    return Task(name, title, {one: kept.get(f"{name}.{one}", Try()) for one in asked})


def _questions(exercise: Exercise) -> Iterator[str]:
    for framework in exercise.frameworks:
        for cell in exercise.questions(framework):
            yield cell.id


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of text in columns."""
    table = plain_table()
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return plain_lines(table, WIDEST)
