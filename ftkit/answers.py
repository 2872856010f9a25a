"""What a learner has answered, kept in the course folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from ftkit.errors import FtkitError
from ftkit.quizzes import Answer, names, quiz
from ftkit.writing import writable_folder, write_text

FILE = Path(".ftkit") / "progress.json"
LOCK_SECONDS = 5.0


class Damaged(FtkitError):
    """The file of answers cannot be read."""


@dataclass(frozen=True)
class Given:
    """An answer that was given.

    Attributes:
        answer: The last one: the numbers of the choices, or a number.
        right: Whether it, or one before it, was right.
        tries: How many were given.
    """

    answer: Answer
    right: bool
    tries: int


@dataclass(frozen=True)
class Standing:
    """How far a learner is with a quiz.

    Attributes:
        name: The quiz.
        title: What it is about.
        questions: How many it has.
        answered: How many of them were answered.
        right: How many were answered rightly.
    """

    name: str
    title: str
    questions: int
    answered: int
    right: int


def given(folder: Path, name: str) -> dict[str, Given]:
    """What was answered in a quiz, by the question's id.

    Raises:
        Damaged: If the file cannot be read.
    """
    return _read(folder / FILE).get(name, {})


def give(folder: Path, name: str, question: str, answer: Answer, right: bool) -> str:
    """Keeps an answer beside all others, also those of notebooks that are open elsewhere.

    A damaged file is set aside, so that nothing in it is lost.

    Args:
        folder: The course folder.
        name: The quiz.
        question: The question's id.
        answer: The answer.
        right: Whether it is right.

    Returns:
        What to tell the learner; empty if there is nothing.

    Raises:
        FtkitError: If it cannot be kept.
    """
    path, note = folder / FILE, ""
    writable_folder(path.parent)
    try:
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=LOCK_SECONDS):
            try:
                everything = _read(path)
            except Damaged:
                aside = _free_name(path)
                path.replace(aside)
                everything = {}
                note = f"{path} was damaged. It is now {aside.name}, and your answers begin anew."
            quiz_ = everything.setdefault(name, {})
            last = quiz_.get(question, Given(answer, False, 0))
            quiz_[question] = Given(answer, right or last.right, last.tries + 1)
            write_text(path, json.dumps(_plain(everything), indent=1) + "\n")
    except OSError as error:  # filelock's Timeout is one
        raise FtkitError(
            f"Your answer could not be kept in {path}: {error}. It counts in this notebook until "
            "its kernel ends."
        ) from error
    return note


def standings(folder: Path) -> list[Standing]:
    """How far a learner is with each quiz of the course, in its order.

    Raises:
        Damaged: If the file cannot be read.
    """
    found = []
    for name in names():
        paper, kept = quiz(name), given(folder, name)
        told = [kept[item.id] for item in paper.questions if item.id in kept]
        found.append(
            Standing(
                name,
                paper.title,
                len(paper.questions),
                len(told),
                sum(item.right for item in told),
            )
        )
    return found


def _read(path: Path) -> dict[str, dict[str, Given]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path) from error
    try:
        return {
            str(name): {str(key): _given(item) for key, item in questions.items()}
            for name, questions in json.loads(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> Damaged:
    return Damaged(
        f"Expected the answers that you gave in {path}; the file cannot be read. With your next "
        "answer it is set aside, and a new one begun."
    )


def _given(item: dict[str, Any]) -> Given:
    answer, right, tries = item["answer"], item["right"], item["tries"]
    fits = type(answer) in (int, float) or (
        isinstance(answer, list) and all(type(number) is int for number in answer)
    )
    if not fits or type(right) is not bool or type(tries) is not int:
        raise ValueError(item)
    return Given(answer if isinstance(answer, list) else float(answer), right, tries)


def _plain(everything: dict[str, dict[str, Given]]) -> dict[str, dict[str, Any]]:
    return {
        name: {key: vars(item) for key, item in questions.items()}
        for name, questions in everything.items()
    }


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    return free
