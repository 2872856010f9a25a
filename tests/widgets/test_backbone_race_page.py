"""The backbone race in a real JupyterLab: a whole race, stopped, reloaded, by keyboard."""

from __future__ import annotations

import psutil
import pytest

pytestmark = pytest.mark.browser

RACE = """
import ftkit
from ftkit.widgets import BackboneRace
race = BackboneRace(("resnet_s", "vgg_s"), ftkit.Recipe(train_size=80, epochs=2, device="cpu",
                    image_size=32, strategies=("feature-extraction",)))
race
"""
# Everything learns: what trains on kept output may be over before a page has been reloaded.
LONG = RACE.replace("epochs=2", "epochs=190").replace("feature-extraction", "fine-tuning")
TRAINED = 120_000


@pytest.fixture
def race(opener):
    """A race on a page."""
    return opener(RACE, ".ft-race .ft-train:enabled")


def cells(page, name):
    return page.tab.locator(f'.ft-rows tr[data-backbone="{name}"] td').all_inner_texts()


def finished(page):
    page.tab.wait_for_function(
        """() => document.querySelectorAll(".ft-plots .ft-canvas path.ft-line").length >= 8
            && document.querySelector(".ft-train:enabled[aria-disabled=false]")""",
        timeout=TRAINED,
    )


def test_a_race_draws_a_line_and_a_mark_for_each_backbone_and_framework(race):
    page = race()
    page.tab.locator(".ft-train").click()
    finished(page)
    time, size = (page.tab.locator(".ft-plots .ft-canvas").nth(at) for at in (0, 1))
    assert time.locator("path.ft-line").count() == 4
    assert size.locator("path.ft-mark").count() == 4
    assert size.locator("path.ft-mark.ft-second").count() == 2
    for name in ("resnet_s", "vgg_s"):
        assert sum("%" in text for text in cells(page, name)) == 2
    assert page.errors == [] and page.outputs_with_errors() == []


def test_a_run_ends_when_its_budget_is_over_and_the_row_says_so(race):
    page = race(LONG)
    page.tab.locator(".ft-budget").fill("1")
    page.tab.locator(".ft-budget").press("Tab")
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_function(
        "() => document.querySelector('.ft-ended')?.innerText.includes('budget over')",
        timeout=TRAINED,
    )
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-train:enabled[aria-disabled=false]", timeout=10_000)


def test_a_page_that_is_reloaded_in_mid_run_shows_the_race_and_can_stop_it(race):
    page = race(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-plots path.ft-line", timeout=TRAINED)
    page.save()
    page.open()
    page.tab.wait_for_selector(".ft-race .ft-bar", timeout=30_000)
    page.tab.wait_for_selector(".ft-plots path.ft-line")
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_function(
        "() => document.querySelector('.ft-note').innerText === 'Stopped.'", timeout=10_000
    )


def test_after_a_restart_in_mid_run_no_control_pretends_to_work_and_no_worker_is_left(race):
    page = race(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-train[aria-disabled=true]")
    workers = page.workers()
    page.restart(".ft-race")
    assert page.all_dead(".ft-race")
    assert not page.tab.locator(".ft-bar").first.is_visible()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_the_keyboard_alone_is_enough_and_deletes_no_cell(race):
    page = race()
    page.tab.locator(".ft-epochs").focus()
    page.tab.keyboard.press("d")
    page.tab.keyboard.press("d")
    assert page.tab.locator(".jp-CodeCell").count() == 1
    page.tab_to("ft-train", 5)
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector(".ft-train[aria-disabled=true]")
    finished(page)
    assert page.tab.evaluate("document.activeElement.className") == "ft-train"


def test_it_fits_the_window_in_both_themes(race, tmp_path):
    page = race()
    page.tab.locator(".ft-train").click()
    finished(page)
    for look in page.looks():
        assert page.fits(".ft-race"), look
        page.tab.screenshot(path=tmp_path / f"backbone_race-{look}.png")
    assert page.errors == []
