"""The quiz as a learner and a page meet it, without a browser."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ftkit.answers import FILE, Given, give, given
from ftkit.coursework import COURSE, coursework
from ftkit.errors import FtkitError
from ftkit.quizzes import names, quiz
from ftkit.widgets.quiz import Quiz, score, told_of, view_of

NAME = "00_start_here"


@pytest.fixture(autouse=True)
def course_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(widget, question, answer):
    widget.handle({"do": "answer", "question": question, "answer": answer})
    return widget.told[question]


def right_answer(widget, question):
    (found,) = [item for item in widget.paper.questions if item.id == question]
    return [number for number, choice in enumerate(found.choices) if choice.right]


@pytest.mark.parametrize("name", names())
def test_the_page_is_told_the_same_whatever_is_right(name):
    paper = quiz(name)
    other = replace(
        paper,
        questions=tuple(
            replace(
                item,
                choices=tuple(replace(one, right=not one.right, why="?") for one in item.choices),
                answer=item.answer + 1,
                tolerance=item.tolerance + 1,
                why="?",
                hint="?",
                traps=(),
            )
            for item in paper.questions
        ),
    )
    assert view_of(other) == view_of(paper)


def test_neither_the_page_nor_the_notebook_holds_an_answer_that_was_not_given(course_folder):
    widget = Quiz(NAME)
    ask(widget, "head-size", "512")
    held = json.dumps([widget.view, widget.told, widget.draft, widget.note, widget.still()[1]])
    for question in widget.paper.questions:
        for sentence in (question.why, question.hint, *(item.why for item in question.choices)):
            assert not sentence or sentence not in held
    assert "514" not in held


def test_an_answer_is_judged_kept_and_found_by_the_next_notebook(course_folder):
    widget = Quiz(NAME)
    assert ask(widget, "head-size", " 514 ")["verdict"] == "right"
    assert given(course_folder, NAME) == {"head-size": Given(514.0, True, 1)}
    again = Quiz(NAME)
    assert again.told == widget.told
    assert again.told["head-size"]["answer"] == 514.0


def test_a_wrong_answer_gets_its_own_sentence_and_may_be_tried_again():
    widget = Quiz(NAME)
    told = ask(widget, "head-size", 512)
    assert told["verdict"] == "wrong"
    assert told["sentences"] == ["Those are the weights. Each output also has a bias."]
    told = ask(widget, "head-size", 514)
    assert (told["verdict"], told["right"], told["tries"]) == ("right", True, 2)


def test_no_answer_at_all_is_asked_for_and_not_kept(course_folder):
    widget = Quiz(NAME)
    told = ask(widget, "validation", [])
    assert told == {"verdict": "none", "sentences": ["Choose one answer first."]}
    assert not (course_folder / FILE).exists()
    assert score(widget.paper, given(course_folder, NAME)) == "0 of 4 answered, 0 right."


def test_an_answer_that_is_none_takes_nothing_from_the_one_before_it():
    widget = Quiz(NAME)
    ask(widget, "head-size", 514)
    told = ask(widget, "head-size", "")
    assert (told["verdict"], told["right"], told["tries"]) == ("none", True, 1)


def test_a_damaged_file_of_answers_is_told_of_and_the_quiz_goes_on(course_folder):
    (course_folder / FILE).parent.mkdir()
    (course_folder / FILE).write_text("{", encoding="utf-8")
    widget = Quiz(NAME)
    assert "the file cannot be read" in widget.note
    told = ask(widget, "validation", right_answer(widget, "validation"))
    assert told["verdict"] == "right"
    assert "was damaged" in widget.note
    assert given(course_folder, NAME)["validation"].right
    ask(widget, "validation", right_answer(widget, "validation"))
    assert widget.note == ""


def test_a_folder_that_cannot_be_written_is_told_of_and_the_quiz_goes_on(course_folder):
    (course_folder / ".ftkit").write_text("in the way", encoding="utf-8")
    widget = Quiz(NAME)
    told = ask(widget, "head-size", 514)
    assert (told["verdict"], told["tries"]) == ("right", 1)
    assert "Expected a folder that can be written" in widget.note
    assert widget.still()[1].splitlines()[1] == "1 of 4 answered, 1 right."


def test_answers_of_the_same_quiz_in_another_notebook_are_taken_in_with_the_next(course_folder):
    here, there = Quiz(NAME), Quiz(NAME)
    ask(there, "head-size", 514)
    ask(here, "validation", right_answer(here, "validation"))
    assert set(here.told) == {"head-size", "validation"}
    assert set(given(course_folder, NAME)) == {"head-size", "validation"}


def test_answers_stay_in_the_folder_where_the_quiz_was_made(course_folder, monkeypatch, tmp_path):
    widget = Quiz(NAME)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    ask(widget, "head-size", 514)
    assert given(course_folder, NAME)
    assert list(elsewhere.iterdir()) == []


def test_a_notebook_in_a_sub_folder_of_the_course_goes_on_with_the_same_answers(
    course_folder, monkeypatch
):
    ask(Quiz(NAME), "head-size", 514)
    inside = course_folder / "mine" / "again"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    widget = Quiz(NAME)
    assert widget.told["head-size"]["answer"] == 514.0
    ask(widget, "validation", right_answer(widget, "validation"))
    assert set(given(course_folder, NAME)) == {"head-size", "validation"}
    assert [path.name for path in course_folder.rglob(FILE.name)] == [FILE.name]


def test_a_quiz_beside_the_course_is_kept_where_the_progress_is_read(course_folder):
    (course_folder / COURSE / FILE.parent).mkdir(parents=True)
    ask(Quiz(NAME), "head-size", 514)
    (answered,) = [one for one in coursework(course_folder).quizzes if one.name == NAME]
    assert (answered.answered, answered.right) == (1, 1)
    assert not (course_folder / FILE.parent).exists()


def test_a_kept_answer_that_no_longer_fits_its_question_is_left_out(course_folder):
    give(course_folder, NAME, "validation", [17], True)
    give(course_folder, NAME, "a question that is gone", [0], True)
    paper = quiz(NAME)
    assert told_of(paper, given(course_folder, NAME)) == {}


def test_what_stays_in_the_notebook_is_the_questions_and_the_score():
    widget = Quiz(NAME)
    ask(widget, "head-size", 514)
    figure, text = widget.still()
    assert figure is None
    assert text.startswith("Quiz: A first run\n1 of 4 answered, 1 right.\n\n1. You take a network")
    assert "   - The weights of its convolutions" in text


def test_a_quiz_that_there_is_not_is_refused():
    with pytest.raises(FtkitError, match="Unknown quiz 'start'"):
        Quiz("start")
