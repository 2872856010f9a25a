"""A quiz in a real JupyterLab: by mouse, by keyboard, reloaded, and in two notebooks at once."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.browser

QUIZ = "from ftkit.widgets import Quiz\nQuiz('00_start_here')"


@pytest.fixture
def quiz(opener, server):
    """A quiz on a page, without answers of another test."""
    (server.folder / ".ftkit" / "progress.json").unlink(missing_ok=True)
    return opener(QUIZ, ".ft-quiz .ft-check:enabled")


def question(page, name):
    return page.tab.locator(f".ft-question[data-question={name}]")


def verdict(page, name, word):
    """Waits for a verdict, and gives its sentences."""
    found = question(page, name).locator(".ft-verdict", has_text=word)
    found.wait_for(timeout=10_000)
    return found.inner_text()


def number(page, value):
    question(page, "head-size").locator(".ft-number").fill(value)
    question(page, "head-size").locator(".ft-check").click()


def kept(page):
    return json.loads((page.server.folder / ".ftkit" / "progress.json").read_text())


def test_a_wrong_answer_is_explained_and_a_right_one_counts(quiz):
    page = quiz()
    number(page, "512")
    assert "Each output also has a bias." in verdict(page, "head-size", "Not yet")
    assert page.tab.locator(".ft-score").inner_text() == "1 of 4 answered, 0 right."
    number(page, "514")
    assert "2 × 257" in verdict(page, "head-size", "Right.")
    assert page.tab.locator(".ft-score").inner_text() == "1 of 4 answered, 1 right."
    assert kept(page) == {
        "00_start_here": {"head-size": {"answer": 514.0, "right": True, "tries": 2}}
    }
    assert page.errors == [] and page.outputs_with_errors() == []


def test_several_choices_are_judged_together(quiz):
    page = quiz()
    asked = question(page, "reused")
    asked.get_by_label("The weights of its convolutions").check()
    asked.locator(".ft-check").click()
    assert "one right answer is missing" in verdict(page, "reused", "Partly right.")
    asked.get_by_label("The running mean and variance of its batch norm").check()
    asked.locator(".ft-check").click()
    verdict(page, "reused", "✓ Right.")


def test_no_right_answer_is_in_the_page_before_it_is_given(quiz):
    page = quiz()
    held = page.tab.content()
    assert "2 × 257" not in held
    number(page, "514")
    verdict(page, "head-size", "Right.")
    assert "2 × 257" in page.tab.content()


def test_the_keyboard_alone_is_enough_and_deletes_no_cell(quiz):
    page = quiz()
    keys = page.tab.keyboard
    question(page, "reused").locator("input").first.focus()
    keys.press("Space")
    keys.press("d")
    keys.press("d")
    page.tab_to("ft-check", 5)
    keys.press("Enter")
    assert question(page, "reused").locator("input").first.is_checked()
    question(page, "reused").locator(".ft-verdict strong").wait_for()
    keys.press("Tab")
    assert page.tab.evaluate("document.activeElement.className") == "ft-number"
    keys.type("514")
    keys.press("Enter")
    verdict(page, "head-size", "Right.")
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Space")
    keys.press("ArrowDown")
    assert question(page, "matched").locator("input:checked").get_attribute("value") == "1"
    assert page.tab.locator(".jp-CodeCell").count() == 1


def test_answers_are_there_again_in_a_new_kernel_and_after_a_reload(quiz):
    page = quiz()
    number(page, "512")
    verdict(page, "head-size", "Not yet")
    page.save()
    page.open()
    page.tab.wait_for_selector(".ft-quiz .ft-check:enabled", timeout=30_000)
    verdict(page, "head-size", "Not yet")
    assert question(page, "head-size").locator(".ft-number").input_value() == "512"
    page.tab.evaluate("document.querySelector('.ft-quiz').dataset.old = 'yes'")
    page.menu("Kernel", "Restart Kernel and Run All Cells…")
    page.tab.locator(".jp-Dialog .jp-mod-accept").click()
    page.tab.wait_for_selector(".ft-quiz:not([data-old]) .ft-check:enabled", timeout=60_000)
    verdict(page, "head-size", "Not yet")
    assert question(page, "head-size").locator(".ft-number").input_value() == "512"


def test_two_notebooks_that_are_open_at_once_keep_each_others_answers(quiz):
    one, other = quiz(), quiz(QUIZ.replace("00_start_here", "06_batch_norm"))
    number(one, "514")
    question(other, "momentum").locator(".ft-number").fill("2.2")
    question(other, "momentum").locator(".ft-check").click()
    verdict(one, "head-size", "Right.")
    verdict(other, "momentum", "Right.")
    assert set(kept(one)) == {"00_start_here", "06_batch_norm"}


def test_a_damaged_file_of_answers_is_told_of_in_the_page(quiz, server):
    (server.folder / ".ftkit").mkdir(exist_ok=True)
    (server.folder / ".ftkit" / "progress.json").write_text("{", encoding="utf-8")
    page = quiz()
    assert "cannot be read" in page.tab.locator(".ft-note").inner_text()
    number(page, "514")
    verdict(page, "head-size", "Right.")
    assert "was damaged" in page.tab.locator(".ft-note").inner_text()


def test_without_its_kernel_no_control_pretends_to_work(quiz):
    page = quiz()
    page.menu("Kernel", "Shut Down Kernel")
    page.tab.wait_for_selector(".ft-quiz.ft-gone", timeout=20_000)
    assert question(page, "head-size").locator(".ft-check").is_disabled()


def test_it_fits_the_window_in_both_themes(quiz, tmp_path):
    page = quiz()
    number(page, "512")
    verdict(page, "head-size", "Not yet")
    for look in page.looks():
        assert page.fits(".ft-quiz"), look
        page.tab.screenshot(path=tmp_path / f"quiz-{look}.png")
