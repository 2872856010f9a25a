"""The Check button of an exercise in a real JupyterLab: by mouse, by keyboard, without a kernel."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ftkit.grading import build, master, tries

pytestmark = pytest.mark.browser

TINY = Path(__file__).parents[1] / "grading" / "tiny.py"
WRONG, RIGHT = "def scale(x):\n    return x", "def scale(x):\n    return 2 * x + 1"
FIT = "def fit(x, y):\n    return {'weight': np.linalg.lstsq(x, y, rcond=None)[0]}"
ENDLESS = "def scale(x):\n    while True:\n        pass"
VERDICT_MS = 60_000


@pytest.fixture(autouse=True)
def nothing_tried(server, monkeypatch):
    monkeypatch.setenv("FTKIT_STATE", str(server.state))
    tries.path().unlink(missing_ok=True)


@pytest.fixture
def exercise(notebook, server):
    """The starter with answers in it, open on a page, its Check shown."""
    folder = server.folder / "exercises"
    folder.mkdir(exist_ok=True)
    made = []

    def open_(**answers):
        starter = build.starter(master.read(TINY), "pytorch")
        for cell in starter["cells"]:
            cell["source"] = answers.get(cell["id"], cell["source"])
        starter["cells"] = [
            c for c in starter["cells"] if not c["id"].endswith(("visible", "hidden"))
        ]
        path = folder / f"tiny_{len(list(folder.iterdir()))}.ipynb"
        path.write_text(json.dumps(starter))
        made.append(path)
        page = notebook(name=f"exercises/{path.name}")
        run_first(page)
        return page

    yield open_
    for path in made:
        path.unlink()


def run_first(page):
    """Runs the cell with the Check button alone."""
    page.tab.locator(".jp-CodeCell").first.click()
    page.menu("Run", "Run Selected Cell")
    page.tab.wait_for_selector(".ft-checker .ft-check:enabled", timeout=30_000)


def question(page, name):
    return page.tab.locator(f".ft-checker .ft-question[data-question={name}]")


def verdict(page, name, words):
    """Waits for a verdict, and gives all that is told of the question."""
    question(page, name).locator(".ft-verdict", has_text=words).wait_for(timeout=VERDICT_MS)
    return question(page, name).inner_text()


def check_all(page):
    page.tab.locator(".ft-checker .ft-check-all").click()


def idle(page):
    page.tab.locator(".ft-checker .ft-stop").wait_for(state="hidden", timeout=VERDICT_MS)


def test_check_all_gives_each_question_its_verdict_by_sign_and_word(exercise):
    page = exercise(q1=WRONG, q2=FIT)
    assert question(page, "q1").locator(".ft-verdict").inner_text() == "○ not checked yet"
    check_all(page)
    told = verdict(page, "q1", "wrong, 0 of 1 points")
    assert "✗ wrong" in told and "✗ fails: scale([1, 2]) is [3, 5]" in told
    assert "Expected 3 at [0]; got 1" in told and "Hint 1: What is twice 3?" in told
    assert "✓ passed" in verdict(page, "q2", "passed, 1 of 1 points")
    idle(page)
    score = page.tab.locator(".ft-checker .ft-score").inner_text()
    assert score == "1 of 2 passed, 1 of 2 points of the visible tests."
    assert page.errors == [] and page.outputs_with_errors() == []


def test_an_answer_that_was_run_and_not_saved_counts(exercise):
    page = exercise(q1=WRONG)
    question(page, "q1").locator(".ft-check").click()
    verdict(page, "q1", "wrong")
    idle(page)
    cell = page.tab.locator(".jp-CodeCell").filter(has_text="def scale").locator(".cm-content")
    cell.click()
    page.tab.keyboard.press("Control+a")
    page.tab.keyboard.insert_text(RIGHT)
    page.tab.keyboard.press("Control+Enter")
    page.ready()
    question(page, "q1").locator(".ft-check").click()
    verdict(page, "q1", "passed")
    assert "return 2" not in (page.server.folder / page.name).read_text()


def test_the_keyboard_alone_checks_and_stops_within_a_second_and_deletes_no_cell(exercise):
    page = exercise(q1=ENDLESS)
    keys = page.tab.keyboard
    cells = page.tab.locator(".jp-CodeCell").count()
    page.tab.locator(".ft-checker .ft-check-all").focus()
    keys.press("d")
    keys.press("d")
    keys.press("Enter")
    page.tab.locator(".ft-checker .ft-said", has_text="Checking q1, q2").wait_for()
    keys.press("Tab")
    assert page.tab.evaluate("document.activeElement.className") == "ft-stop"
    asked = time.monotonic()
    keys.press("Enter")
    page.tab.locator(".ft-checker .ft-note", has_text="Stopped").wait_for(timeout=5_000)
    assert time.monotonic() - asked < 1
    assert page.tab.evaluate("document.activeElement.className") == "ft-check-all"
    assert page.tab.locator(".jp-CodeCell").count() == cells


def test_while_a_check_runs_the_kernel_answers(exercise):
    page = exercise(q1=ENDLESS)
    check_all(page)
    page.tab.locator(".ft-checker .ft-said", has_text="Checking").wait_for()
    asked = time.monotonic()
    page.tab.locator(".jp-CodeCell").nth(1).click()
    page.menu("Run", "Run Selected Cell")
    prompt = page.tab.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt")
    prompt.filter(has_text="[2]").wait_for(timeout=10_000)
    assert time.monotonic() - asked < 5
    assert page.tab.locator(".ft-checker .ft-stop").is_visible()
    page.tab.locator(".ft-checker .ft-stop").click()
    idle(page)


def test_a_reload_in_mid_check_shows_what_goes_on_and_then_the_verdict(exercise):
    page = exercise(q1=ENDLESS, q2=FIT)
    page.save()
    check_all(page)
    page.tab.locator(".ft-checker .ft-said", has_text="Checking").wait_for()
    page.open()
    page.tab.wait_for_selector(".ft-checker .ft-check:enabled", timeout=30_000)
    assert "timed out" in verdict(page, "q1", "timed out")
    verdict(page, "q2", "passed")


def test_after_a_restart_no_control_pretends_to_work_and_the_cell_tells_what_was_found(exercise):
    page = exercise(q1=RIGHT)
    question(page, "q1").locator(".ft-check").click()
    verdict(page, "q1", "passed")
    idle(page)
    page.tab.evaluate("document.querySelector('.ft-checker').dataset.old = 'yes'")
    page.menu("Kernel", "Shut Down Kernel")
    page.tab.wait_for_selector(".ft-checker.ft-gone", timeout=20_000)
    assert all(one.is_disabled() for one in page.tab.locator(".ft-checker button").all())
    page.menu("Kernel", "Restart Kernel…")
    accept = page.tab.locator(".jp-Dialog .jp-mod-accept")
    if accept.is_visible():
        accept.click()
    page.ready()
    run_first(page)
    page.tab.wait_for_selector(".ft-checker:not([data-old]) .ft-check:enabled", timeout=30_000)
    assert "passed before, 1 of 1 points" in verdict(page, "q1", "passed before")


def test_a_picture_of_the_verdicts_stays_in_the_saved_notebook(exercise):
    page = exercise(q1=RIGHT)
    question(page, "q1").locator(".ft-check").click()
    verdict(page, "q1", "passed")
    idle(page)
    page.save("q1 (scale): passed, 1 of 1 points")


def test_it_fits_the_window_in_both_themes(exercise, tmp_path):
    page = exercise(q1=WRONG, q2=FIT)
    check_all(page)
    verdict(page, "q1", "wrong")
    verdict(page, "q2", "passed")
    for look in page.looks():
        assert page.fits(".ft-checker"), look
        page.tab.locator(".ft-checker").screenshot(path=tmp_path / f"check-{look}.png")


def test_the_table_of_the_course_looks_again_and_fits_a_narrow_window(notebook, tmp_path):
    page = notebook("from ftkit.widgets import CourseProgress\nCourseProgress()", width=800)
    page.run_all()
    page.tab.wait_for_selector(".ft-course table")
    row = page.tab.locator(".ft-course tr").filter(has_text="ex6_translate")
    assert "q3 ○ not tried" in row.inner_text()
    tries.record("ex6_translate.q3", "a", "passed", 1, 1)
    page.tab.locator(".ft-course .ft-look").focus()
    page.tab.keyboard.press("Enter")
    row.filter(has_text="q3 ✓ passed").wait_for(timeout=10_000)
    assert page.fits(".ft-course")
    page.tab.locator(".ft-course").screenshot(path=tmp_path / "course.png")
    assert page.errors == []
