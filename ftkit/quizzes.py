"""The course's quizzes: questions as records, read from JSON, and the marking of answers.

A quiz is a file ``NAME.json``::

    {"title": "…", "questions": [
      {"id": "one", "kind": "single", "text": "…", "choices": [
        {"text": "…", "right": true, "why": "…"}, {"text": "…", "why": "…"}]},
      {"id": "two", "kind": "several", "text": "…", "why": "…", "choices": [
        {"text": "…", "right": true}, {"text": "…", "why": "…"}]},
      {"id": "three", "kind": "number", "text": "…", "answer": 514, "tolerance": 0,
       "unit": "parameters", "why": "…", "hint": "…",
       "traps": [{"value": 512, "tolerance": 0, "why": "…"}]}]}

Of a single choice every choice says why. Of several, each wrong one does, and the question says why
the right ones are. Of a number, the question says why and has a hint for wrong answers; a trap is a
wrong number that many arrive at, with a word of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ftkit.errors import FtkitError, unknown_name

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable  # Python 3.11's place for it

LANGUAGE = "en"
MOST, LEAST = 6, 3
"""Questions of a quiz."""

Answer = float | list[int]


@dataclass(frozen=True)
class Choice:
    """One of the answers to choose from.

    Attributes:
        text: What it says.
        right: Whether it is right.
        why: Said when it is chosen; empty where the question says it.
    """

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Trap:
    """A wrong number that many arrive at.

    Attributes:
        value: The number.
        tolerance: How far from it an answer may lie.
        why: What went wrong.
    """

    value: float
    tolerance: float
    why: str


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        id: Its name within the quiz, which stays when others come or go.
        kind: ``"single"`` choice, ``"several"`` choices, or a ``"number"``.
        text: What is asked.
        choices: What there is to choose from; none for a number.
        answer: The number.
        tolerance: How far from it an answer may lie.
        unit: What stands behind the number.
        why: Said when the answer is right; empty for a single choice.
        hint: Said of a wrong number.
        traps: Wrong numbers with a word of their own.
    """

    id: str
    kind: Literal["single", "several", "number"]
    text: str
    choices: tuple[Choice, ...] = ()
    answer: float = 0.0
    tolerance: float = 0.0
    unit: str = ""
    why: str = ""
    hint: str = ""
    traps: tuple[Trap, ...] = ()


@dataclass(frozen=True)
class Paper:
    """A quiz.

    Attributes:
        name: The notebook's.
        title: What it is about.
        questions: In order.
    """

    name: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Verdict:
    """What is told about an answer: not more than the answer asks for.

    Attributes:
        verdict: ``"right"``, ``"partly"`` or ``"wrong"``.
        sentences: Why.
    """

    verdict: Literal["right", "partly", "wrong"]
    sentences: tuple[str, ...]


def names() -> list[str]:
    """Every quiz of the course, in its order."""
    found = (item.name for item in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))


def quiz(name: str) -> Paper:
    """A quiz of the course.

    Raises:
        FtkitError: If there is none of this name, or its file breaks a rule.
    """
    if name not in names():
        raise unknown_name("quiz", name, names())
    return parse(name, (_folder() / f"{name}.json").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    """Where the quizzes are: in the wheel, or in a checkout that was not installed."""
    try:
        course = files("ftkit.course")
    except ModuleNotFoundError:
        course = Path(__file__).parents[1] / "notebooks"
    return course / "quizzes" / LANGUAGE


def mark(question: Question, given: Any) -> Verdict:
    """Judges an answer.

    Args:
        question: The question.
        given: The numbers of the choices, from 0; or a number, or its text.

    Raises:
        FtkitError: If that is no answer to this kind of question.
    """
    answer = answer_of(question, given)
    if isinstance(answer, float):
        return _mark_number(question, answer)
    chosen = [question.choices[number] for number in answer]
    if question.kind == "single":
        return Verdict("right" if chosen[0].right else "wrong", (chosen[0].why,))
    wrong = [item for item in chosen if not item.right]
    missing = sum(item.right for item in question.choices) - (len(chosen) - len(wrong))
    if not wrong and not missing:
        return Verdict("right", (question.why,))
    said = [f"“{item.text}”: {item.why}" for item in wrong]
    if not wrong:
        said = [f"What you chose is right, but not all: {_count(missing)} missing."]
    elif missing:
        said.append(f"And {_count(missing)} missing.")
    return Verdict("partly" if len(wrong) < len(chosen) else "wrong", tuple(said))


def answer_of(question: Question, given: Any) -> Answer:
    """An answer in the form that is kept.

    Raises:
        FtkitError: If that is no answer to this kind of question.
    """
    if question.kind == "number":
        return _number(given)
    if (
        not isinstance(given, Sequence)
        or not given
        or not all(type(item) is int and 0 <= item < len(question.choices) for item in given)
        or (question.kind == "single" and len(given) != 1)
    ):
        few = "one answer" if question.kind == "single" else "at least one answer"
        raise FtkitError(f"Choose {few} first.")
    return sorted(set(given))


def _number(given: Any) -> float:
    """A number as people type it: ``2,799,394``, ``0,5`` and ``75 %`` too."""
    text = str(given).strip().removesuffix("%").replace(" ", "")
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FtkitError("Type a number first, such as 0.5 or 1200.")
    return value


def _mark_number(question: Question, value: float) -> Verdict:
    if _near(value, question.answer, question.tolerance):
        return Verdict("right", (question.why,))
    for trap in question.traps:
        if _near(value, trap.value, trap.tolerance):
            return Verdict("wrong", (trap.why,))
    return Verdict("wrong", (question.hint,))


def _near(value: float, wanted: float, tolerance: float) -> bool:
    return abs(value - wanted) <= tolerance + 1e-9 * max(1.0, abs(wanted))


def _count(missing: int) -> str:
    return "one right answer is" if missing == 1 else f"{missing} right answers are"


def parse(name: str, text: str) -> Paper:
    """A quiz from the text of its file.

    Raises:
        FtkitError: If the text breaks a rule; it says which, and in which question.
    """
    where = f"quiz {name}"
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise FtkitError(f"{where}: expected JSON; {error}.") from error
    fields = _Fields(data, where)
    title = fields.text("title")
    questions = [
        _question(_Fields(item, f"{where}, question {number}"))
        for number, item in enumerate(fields.items("questions"), 1)
    ]
    fields.end()
    if not LEAST <= len(questions) <= MOST:
        raise FtkitError(
            f"{where}: expected {LEAST} to {MOST} questions; there are {len(questions)}."
        )
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        raise FtkitError(f"{where}: expected an id of its own for each question; got {ids}.")
    return Paper(name, title, tuple(questions))


class _Fields:
    """The fields of one object of the file, each asked for once."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise FtkitError(f"{where}: expected an object in braces; got {data!r}.")
        self.left = dict(data)
        self.where = where

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.wrong(f"{name!r} must be a text; got {value!r}")
        return value

    def number(self, name: str) -> float:
        value = self._take(name, None)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self.wrong(f"{name!r} must be a number; got {value!r}")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._take(name, False)
        if type(value) is not bool:
            raise self.wrong(f"{name!r} must be true or false; got {value!r}")
        return value

    def items(self, name: str, default: list[Any] | None = None) -> list[Any]:
        value = self._take(name, default)
        if not isinstance(value, list):
            raise self.wrong(f"{name!r} must be a list; got {value!r}")
        return value

    def end(self) -> None:
        if self.left:
            raise self.wrong(f"there is no room for {', '.join(map(repr, self.left))}")

    def wrong(self, what: str) -> FtkitError:
        return FtkitError(f"{self.where}: {what}.")

    def _take(self, name: str, default: Any) -> Any:
        if name not in self.left and default is None:
            raise self.wrong(f"{name!r} is missing")
        return self.left.pop(name, default)


def _question(fields: _Fields) -> Question:
    own, kind, text = fields.text("id"), fields.text("kind"), fields.text("text")
    fields.where += f" ({own!r})"
    if kind == "number":
        question = Question(
            own,
            "number",
            text,
            answer=fields.number("answer"),
            tolerance=fields.number("tolerance"),
            unit=fields.text("unit", ""),
            why=fields.text("why"),
            hint=fields.text("hint"),
            traps=tuple(
                _trap(_Fields(item, f"{fields.where}, trap {number}"))
                for number, item in enumerate(fields.items("traps", []), 1)
            ),
        )
        _check_number(question, fields)
    elif kind == "single" or kind == "several":
        why = fields.text("why") if kind == "several" else ""
        choices = tuple(
            _choice(_Fields(item, f"{fields.where}, choice {number}"), kind)
            for number, item in enumerate(fields.items("choices"), 1)
        )
        question = Question(
            own, "single" if kind == "single" else "several", text, choices, why=why
        )
        _check_choices(question, fields)
    else:
        raise fields.wrong(f"'kind' must be single, several or number; got {kind!r}")
    fields.end()
    return question


def _choice(fields: _Fields, kind: str) -> Choice:
    text, right = fields.text("text"), fields.flag("right")
    why = "" if kind == "several" and right else fields.text("why")
    fields.end()
    return Choice(text, right, why)


def _trap(fields: _Fields) -> Trap:
    trap = Trap(fields.number("value"), fields.number("tolerance"), fields.text("why"))
    fields.end()
    return trap


def _check_choices(question: Question, fields: _Fields) -> None:
    texts = [choice.text for choice in question.choices]
    if not 2 <= len(texts) <= 6 or len(set(texts)) < len(texts):
        raise fields.wrong(f"expected 2 to 6 different choices; got {texts}")
    right = sum(choice.right for choice in question.choices)
    if question.kind == "single" and right != 1:
        raise fields.wrong(f"a single choice has one right answer; here {right} are")
    if question.kind == "several" and not 0 < right < len(texts):
        raise fields.wrong(f"some of the choices must be right and some wrong; {right} are right")


def _check_number(question: Question, fields: _Fields) -> None:
    ways = (question.tolerance, *(trap.tolerance for trap in question.traps))
    if min(ways) < 0:
        raise fields.wrong(f"a tolerance is not negative; got {min(ways)}")
    for trap in question.traps:
        if abs(trap.value - question.answer) <= trap.tolerance + question.tolerance:
            raise fields.wrong(f"the trap {trap.value:g} takes in right answers")
