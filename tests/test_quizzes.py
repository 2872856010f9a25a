"""Questions as records: the rules of their files, and the marking of answers."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from ftkit import quizzes
from ftkit.errors import FtkitError
from ftkit.quizzes import Verdict, answer_of, mark, names, parse, quiz

SINGLE = {
    "id": "colour",
    "kind": "single",
    "text": "What colour?",
    "choices": [
        {"text": "red", "right": True, "why": "It is."},
        {"text": "blue", "why": "That is the sky."},
    ],
}
SEVERAL = {
    "id": "fruit",
    "kind": "several",
    "text": "Which are fruit?",
    "why": "Both grow on trees.",
    "choices": [
        {"text": "apple", "right": True},
        {"text": "pear", "right": True},
        {"text": "stone", "why": "it is hard."},
    ],
}
NUMBER = {
    "id": "half",
    "kind": "number",
    "text": "Half of one?",
    "answer": 0.5,
    "tolerance": 0.01,
    "why": "1 / 2.",
    "hint": "Divide.",
    "traps": [{"value": 2, "tolerance": 0, "why": "That is twice."}],
}
PAPER = {"title": "A title", "questions": [SINGLE, SEVERAL, NUMBER]}


def paper(change=lambda data: None):
    data = copy.deepcopy(PAPER)
    change(data)
    return parse("test", json.dumps(data))


def question(kind):
    return next(item for item in paper().questions if item.kind == kind)


def test_every_notebook_of_the_course_has_a_quiz():
    assert names() == [
        "00_start_here",
        "01_why_transfer",
        "02_pytorch_step_by_step",
        "03_tensorflow_step_by_step",
        "04_freeze_depth",
        "05_two_phases_and_learning_rates",
        "06_batch_norm",
        "07_side_by_side",
        "08_backbones",
        "09_reading_predictions",
        "10_common_mistakes",
    ]


@pytest.mark.parametrize("name", names())
def test_every_quiz_of_the_course_keeps_the_rules_and_can_be_answered(name):
    found = quiz(name)
    assert 3 <= len(found.questions) <= 6
    for item in found.questions:
        right = [number for number, choice in enumerate(item.choices) if choice.right]
        assert mark(item, right or item.answer).verdict == "right"
        for trap in item.traps:
            assert mark(item, trap.value) == Verdict("wrong", (trap.why,))


@pytest.mark.parametrize("name", names())
def test_every_answer_to_every_question_of_the_course_gets_a_sentence(name):
    for item in quiz(name).questions:
        answers = [[number] for number in range(len(item.choices))] or [item.answer, 1e9]
        for answer in answers:
            said = mark(item, answer).sentences
            assert said and all(sentence.endswith((".", "?")) for sentence in said)
            assert all(sentence.count("`") % 2 == 0 for sentence in (*said, item.text))


def test_a_quiz_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(
        FtkitError, match="Unknown quiz '04_freeze'. Did you mean '04_freeze_depth'"
    ):
        quiz("04_freeze")


def test_quizzes_are_found_in_a_checkout_that_was_not_installed(monkeypatch):
    def missing(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(quizzes, "files", missing)
    assert "00_start_here" in names()
    assert quiz("00_start_here").questions


def test_quizzes_are_found_in_the_package_of_the_course(monkeypatch, tmp_path):
    folder = tmp_path / "quizzes" / "en"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text(json.dumps(PAPER), encoding="utf-8")
    monkeypatch.setattr(quizzes, "files", {"ftkit.course": Path(tmp_path)}.__getitem__)
    assert names() == ["mine"]
    assert quiz("mine").title == "A title"


def test_each_choice_of_a_single_choice_has_its_own_answer():
    assert mark(question("single"), [0]) == Verdict("right", ("It is.",))
    assert mark(question("single"), [1]) == Verdict("wrong", ("That is the sky.",))


@pytest.mark.parametrize(
    ("chosen", "verdict", "said"),
    [
        ([0, 1], "right", ("Both grow on trees.",)),
        ([1], "partly", ("What you chose is right, but not all: one right answer is missing.",)),
        ([0, 1, 2], "partly", ("“stone”: it is hard.",)),
        ([0, 2], "partly", ("“stone”: it is hard.", "And one right answer is missing.")),
        ([2], "wrong", ("“stone”: it is hard.", "And 2 right answers are missing.")),
    ],
)
def test_of_several_choices_each_wrong_one_is_answered_and_missing_ones_are_counted_not_named(
    chosen, verdict, said
):
    assert mark(question("several"), chosen) == Verdict(verdict, said)


@pytest.mark.parametrize("given", [0.5, 0.51, "0.49", " 0,5 ", "0.5 %"])
def test_a_number_is_right_within_its_tolerance_however_it_is_typed(given):
    assert mark(question("number"), given) == Verdict("right", ("1 / 2.",))


@pytest.mark.parametrize(("given", "said"), [(0.52, "Divide."), ("2", "That is twice.")])
def test_a_wrong_number_gets_a_hint_or_the_word_on_its_trap(given, said):
    assert mark(question("number"), given) == Verdict("wrong", (said,))


def test_thousands_may_be_set_apart():
    assert answer_of(question("number"), "2,799,394") == 2799394
    assert answer_of(question("number"), "1 000.5") == 1000.5


@pytest.mark.parametrize("given", ["", "many", "nan", "inf", None, [1]])
def test_what_is_no_number_is_asked_for_again(given):
    with pytest.raises(FtkitError, match="Type a number first"):
        mark(question("number"), given)


@pytest.mark.parametrize("given", [[], None, "0", [3], [-1], [True], [0.0], [[0]]])
def test_what_is_no_choice_is_asked_for_again(given):
    with pytest.raises(FtkitError, match="Choose at least one answer first"):
        mark(question("several"), given)


def test_two_answers_to_a_single_choice_are_asked_for_again():
    with pytest.raises(FtkitError, match="Choose one answer first"):
        mark(question("single"), [0, 1])


def remove(*path):
    def change(data):
        for part in path[:-1]:
            data = data[part]
        del data[path[-1]]

    return change


def put(value, *path):
    def change(data):
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = value

    return change


CHOICES = ("questions", 0, "choices")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("title"), "quiz test: 'title' is missing"),
        (put("", "title"), "'title' must be a text; got ''"),
        (put(1, "extra"), "quiz test: there is no room for 'extra'"),
        (remove("questions", 0), "expected 3 to 6 questions; there are 2"),
        (put([SINGLE] * 7, "questions"), "expected 3 to 6 questions; there are 7"),
        (put("half", "questions", 0, "id"), "an id of its own"),
        (put("essay", "questions", 0, "kind"), r"question 1 \('colour'\): 'kind' must be single"),
        (put("text", "questions", 0), "question 1: expected an object in braces; got 'text'"),
        (remove(*CHOICES, 1, "why"), r"question 1 \('colour'\), choice 2: 'why' is missing"),
        (remove(*CHOICES, 0, "why"), "choice 1: 'why' is missing"),
        (put("red", *CHOICES, 1, "text"), "expected 2 to 6 different choices"),
        (put(False, *CHOICES, 0, "right"), "a single choice has one right answer; here 0 are"),
        (put(True, *CHOICES, 1, "right"), "a single choice has one right answer; here 2 are"),
        (put("yes", *CHOICES, 1, "right"), "'right' must be true or false; got 'yes'"),
        (put("x", "questions", 0, "why"), "there is no room for 'why'"),
        (remove("questions", 1, "why"), r"question 2 \('fruit'\): 'why' is missing"),
        (put("x", "questions", 1, "choices", 0, "why"), "choice 1: there is no room for 'why'"),
        (remove("questions", 1, "choices", 2, "why"), "choice 3: 'why' is missing"),
        (remove("questions", 1, "choices", 2), "some of the choices must be right and some wrong"),
        (remove("questions", 2, "hint"), r"question 3 \('half'\): 'hint' is missing"),
        (put("0.5", "questions", 2, "answer"), "'answer' must be a number; got '0.5'"),
        (put(True, "questions", 2, "answer"), "'answer' must be a number; got True"),
        (put(-1, "questions", 2, "tolerance"), "a tolerance is not negative; got -1"),
        (put(0.5, "questions", 2, "traps", 0, "value"), "the trap 0.5 takes in right answers"),
        (remove("questions", 2, "traps", 0, "why"), "trap 1: 'why' is missing"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_the_rule_and_the_place(change, message):
    with pytest.raises(FtkitError, match=message):
        paper(change)


def test_a_file_that_is_no_json_is_refused():
    with pytest.raises(FtkitError, match="quiz test: expected JSON"):
        parse("test", "{")
