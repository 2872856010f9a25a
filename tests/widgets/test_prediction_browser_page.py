"""The prediction browser in a real JupyterLab: by mouse, by keyboard, with and without weights."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

MADE = """
from test_prediction_browser import results_of
from ftkit.widgets import PredictionBrowser
browser = PredictionBrowser(results_of())
browser
"""
TRAINED = """
import ftkit
from ftkit.widgets import PredictionBrowser
recipe = ftkit.Recipe(train_size=40, epochs=1, device="cpu", strategies=("feature-extraction",))
browser = PredictionBrowser(ftkit.compare(recipe, export="weights"))
browser
"""
SECONDS = 120_000


@pytest.fixture
def open_browser(opener):
    """A browser of predictions on a page."""
    return opener(MADE, ".ft-predictions:not(.ft-gone) .ft-card", SECONDS)


def cards(page):
    return page.tab.locator(".ft-card").count()


def shows(page, count, words):
    page.tab.wait_for_function(
        """([count, words]) => document.querySelectorAll(".ft-card").length === count
            && document.querySelector(".ft-chosen").innerText.includes(words)""",
        arg=[count, words],
    )


def test_filters_and_pages_change_the_pictures(open_browser):
    page = open_browser()
    assert cards(page) == 24 and page.tab.locator(".ft-place").inner_text() == "1–24 of 60"
    page.tab.locator(".ft-next").click()
    page.tab.wait_for_selector('.ft-card[data-number="24"]')
    page.tab.locator(".ft-filter-wrong").click()
    shows(page, 13, "Wrong: a framework is wrong")
    assert page.tab.locator(".ft-filter-wrong").get_attribute("aria-pressed") == "true"
    assert page.tab.locator(".ft-card .ft-sign[aria-label='wrong']").count() == 12 + 13
    page.tab.locator(".ft-filter-uncertain").click()
    page.tab.wait_for_selector(".ft-empty")
    assert page.errors == [] and page.outputs_with_errors() == []


def test_a_cell_of_the_matrix_is_reached_and_pressed_by_keyboard_alone(open_browser):
    page = open_browser()
    first = page.tab.locator(".ft-matrix").first.locator(".ft-cell").first
    first.focus()
    page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("Enter")
    shows(page, 6, "PyTorch: 6 pictures of class 0 taken for class 1")
    page.tab.keyboard.press("d")
    page.tab.keyboard.press("d")  # JupyterLab's keys for deleting the cell
    assert page.tab.locator(".ft-cell[aria-pressed='true']").count() == 1
    page.tab.keyboard.press("Space")
    shows(page, 24, "All: every picture")
    assert page.errors == []


def test_without_weights_the_switch_is_dead_and_says_what_to_do(open_browser):
    page = open_browser()
    assert page.tab.locator(".ft-look").is_disabled()
    assert 'export="weights"' in page.tab.locator(".ft-look-note").inner_text()


def test_both_frameworks_show_where_they_look(open_browser):
    page = open_browser(TRAINED)
    page.tab.locator(".ft-look").focus()
    page.tab.keyboard.press("Space")
    page.tab.wait_for_function(
        "() => document.querySelectorAll('.ft-looks img').length === 48", timeout=SECONDS
    )
    said = page.tab.locator(".ft-looks img").first.get_attribute("alt")
    assert said.startswith("PyTorch looks most at:")
    page.tab.locator(".ft-block-of").select_option("layer2")
    page.tab.wait_for_function(
        "() => document.querySelectorAll('.ft-looks img').length === 48", timeout=SECONDS
    )
    assert page.errors == [] and page.outputs_with_errors() == []


def test_it_fits_the_window_in_both_themes(open_browser, tmp_path):
    page = open_browser()
    for look in page.looks():
        assert page.fits(".ft-predictions"), look
        page.tab.screenshot(path=tmp_path / f"prediction_browser-{look}.png")
    assert page.errors == []
