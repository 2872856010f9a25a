"""A quiz: questions on the page, judged in the kernel, answers kept in the course folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.answers import Given, give, given
from ftkit.coursework import course_folder
from ftkit.errors import FtkitError
from ftkit.quizzes import Paper, Question, answer_of, mark, quiz
from ftkit.widgets.frame import Frame, script


class Quiz(Frame):
    """Questions with an answer to every answer.

    The page knows no right answer before it is given.

    Args:
        name: The notebook's name: ``"00_start_here"``.

    Attributes:
        paper: The quiz.

    Raises:
        FtkitError: If there is no such quiz.
    """

    _esm = script("draw.js", "quiz.js")

    view = traitlets.Dict().tag(sync=True)
    told = traitlets.Dict().tag(sync=True)
    draft = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str) -> None:
        self.paper = quiz(name)
        self._folder = course_folder(Path.cwd())
        self._given: dict[str, Given] = {}
        super().__init__(view=view_of(self.paper))
        try:
            self._given = given(self._folder, name)
        except FtkitError as error:
            self.note = str(error)
        self.told = told_of(self.paper, self._given)

    def handle(self, message: dict[str, Any]) -> None:
        """Judges an answer: ``{"do": "answer", "question": …, "answer": …}``."""
        if message["do"] == "answer":
            self.answer(str(message["question"]), message["answer"])

    def answer(self, question: str, said: Any) -> None:
        """Judges an answer and keeps it; what is wrong with it is told on the page.

        Args:
            question: The question's id.
            said: The numbers of the choices, from 0; or a number.
        """
        asked = next(item for item in self.paper.questions if item.id == question)
        try:
            answer = answer_of(asked, said)
        except FtkitError as error:
            before = self.told.get(question, {})  # what was answered before still counts
            now_told = {**before, "verdict": "none", "sentences": [str(error)]}
            self.told = {**self.told, question: now_told}
            return
        right = mark(asked, answer).verdict == "right"
        last = self._given.get(question, Given(answer, False, 0))
        now = {question: Given(answer, right or last.right, last.tries + 1)}
        try:
            self.note = give(self._folder, self.paper.name, question, answer, right)
            now = given(self._folder, self.paper.name)
        except FtkitError as error:
            self.note = str(error)
        self._given = {**self._given, **now}
        self.told = told_of(self.paper, self._given)
        self.keep()

    def still(self) -> tuple[Figure | None, str]:
        """The questions, and how many are answered."""
        lines = [f"Quiz: {self.paper.title}", score(self.paper, self._given)]
        for number, item in enumerate(self.paper.questions, 1):
            lines += ["", f"{number}. {item.text}"]
            lines += [f"   - {choice.text}" for choice in item.choices]
        return None, "\n".join(lines)


def view_of(paper: Paper) -> dict[str, Any]:
    """What a page is told of a quiz: nothing that gives an answer away."""
    return {
        "name": paper.name,
        "title": paper.title,
        "questions": [_question_view(item) for item in paper.questions],
    }


def _question_view(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "kind": question.kind,
        "text": question.text,
        "choices": [choice.text for choice in question.choices],
        "unit": question.unit,
    }


def told_of(paper: Paper, answers: dict[str, Given]) -> dict[str, Any]:
    """What a page is told of the answers that were given, by the question's id.

    An answer that no longer fits its question is left out.
    """
    told = {}
    for question in paper.questions:
        item = answers.get(question.id)
        if item is None:
            continue
        try:
            verdict = mark(question, item.answer)
        except FtkitError:
            continue
        told[question.id] = {
            "answer": item.answer,
            "verdict": verdict.verdict,
            "sentences": list(verdict.sentences),
            "right": item.right,
            "tries": item.tries,
        }
    return told


def score(paper: Paper, answers: dict[str, Given]) -> str:
    """How many questions are answered and how many rightly, in words."""
    found = [answers[item.id] for item in paper.questions if item.id in answers]
    right = sum(item.right for item in found)
    return f"{len(found)} of {len(paper.questions)} answered, {right} right."
