"""Which answers of a class resemble each other more than chance would have it.

A hint where to look, and no verdict: a short task has few solutions. An answer is taken as the
sequence of its tokens, in which names, numbers and strings are all alike and comments are left out;
what counts are the runs of ``RUN`` tokens in it (the k-grams that winnowing picks from: Schleimer,
Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", 2003; a class is
small enough to keep them all). Runs that the starter shows count for nobody, nor do those that many
in the class have.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations

from ftkit.grading import build
from ftkit.grading.master import Exercise
from ftkit.grading.store import Handed

RUN = 8
"""Tokens in a row; fewer are chance."""
LEAST_SHARE = 0.6
_LEAST_RUNS = 40
"""Fewer runs in common, or in all, show nothing."""
_MANY, _MOST = 4, 25
"""What more than one in so many students wrote alike, or more than so many in all, is common."""
_MOST_TEXT = 100_000
_STRING = "[rbufRBUF]{0,2}(?:" + "|".join(
    rf"{q}{{3}}(?:\\.|[^\\])*?(?:{q}{{3}}|\\?\Z)|{q}(?:\\.|[^{q}\\\n])*{q}?" for q in "'\""
) + ")"  # fmt: skip
"""One that is never closed ends with its line or the text: to search on would take for ever."""
_TOKEN = re.compile(
    rf"(?P<passed>{_STRING}|#[^\n]*)|(?P<number>\d[\w.]*)|(?P<name>\w+)|(?P<sign>[^\s\w])",
    re.DOTALL,
)
_KEPT = {*keyword.kwlist, *(name for name in dir(builtins) if name.islower())}


@dataclass(frozen=True)
class Alike:
    """Two students whose answers to one question resemble each other."""

    students: tuple[str, str]
    question: str
    share: float
    """Of the shorter answer's runs, those that the other one has too."""
    runs: int
    """How many that are."""


def tokens(source: str) -> list[str]:
    """What an answer does, however it is named, laid out and commented.

    Names of attributes, built-in functions and keywords stay: which functions are called says more
    than how variables are called.
    """
    made: list[str] = []
    for match in _TOKEN.finditer(source[:_MOST_TEXT]):
        text, kind = match[0], match.lastgroup
        if kind == "name":
            made.append(text if text in _KEPT or made[-1:] == ["."] else "name")
        elif kind != "passed":
            made.append("0" if kind == "number" else text)
    return made


def alike(exercise: Exercise, answers: dict[str, Handed]) -> list[Alike]:
    """The pairs of students whose answers to a question are alike, most alike in length first.

    Args:
        exercise: What they answered.
        answers: By student.
    """
    found = []
    for framework in exercise.frameworks:
        shown = _shown(exercise, framework)
        for question in exercise.questions(framework):
            given = {
                student: _runs(handed.sources.get(question.id, "")) - shown
                for student, handed in answers.items()
                if handed.framework == framework
            }
            found += _pairs(question.id, {s: runs for s, runs in given.items() if runs})
    return sorted(found, key=lambda one: (-one.runs, one.question, one.students))


def _pairs(question: str, given: dict[str, set[int]]) -> list[Alike]:
    having: dict[int, list[str]] = defaultdict(list)
    for student in sorted(given):
        for run in given[student]:
            having[run].append(student)
    common = min(max(3, len(given) // _MANY), _MOST)
    rare = {run: students for run, students in having.items() if len(students) <= common}
    own = Counter(student for students in rare.values() for student in students)
    shared = Counter(pair for students in rare.values() for pair in combinations(students, 2))
    made = []
    for pair, runs in shared.items():
        share = runs / min(own[student] for student in pair)
        if runs >= _LEAST_RUNS and share >= LEAST_SHARE:
            made.append(Alike(pair, question, share, runs))
    return made


def _shown(exercise: Exercise, framework: str) -> set[int]:
    """The runs of what every student is given: cells of every kind, and hints."""
    cells = build.starter(exercise, framework)["cells"]
    hints = [hint for cell in exercise.questions(framework) for hint in cell.hints]
    return {run for text in (*(cell["source"] for cell in cells), *hints) for run in _runs(text)}


def _runs(source: str) -> set[int]:
    made = tokens(source)
    return {hash(tuple(made[n : n + RUN])) for n in range(len(made) - RUN + 1)}
