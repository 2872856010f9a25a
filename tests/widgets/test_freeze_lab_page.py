"""The freeze lab in a real JupyterLab: by mouse, by keyboard, reloaded, and without its kernel."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

LAB = """
import ftkit
from ftkit.widgets import FreezeLab
lab = FreezeLab(ftkit.Recipe(train_size=120, epochs=3, device="cpu"))
lab
"""
LONG = LAB.replace("epochs=3", "epochs=150")
TRAINED = 120_000


@pytest.fixture
def lab(notebook):
    """A lab on a page, measured and ready."""

    def open_(cell=LAB, **options):
        page = notebook(cell, **options)
        page.run_all()
        page.tab.wait_for_selector(".ft-lab .ft-depth")
        return page

    return open_


def figures(page):
    return page.tab.locator(".ft-figures").inner_text()


def test_the_slider_tells_at_each_depth_what_learns_what_it_takes_and_what_is_frozen(lab):
    page = lab()
    assert "frozen up to layer4" in page.tab.locator(".ft-depth-said").inner_text()
    assert "514 parameters" in figures(page)
    page.tab.locator(".ft-depth").press("Home")
    assert "everything learns" in page.tab.locator(".ft-depth-said").inner_text()
    assert "2,799,394 parameters" in figures(page)
    page.tab.get_by_role("button", name="last block").click()
    assert "frozen up to layer3" in page.tab.locator(".ft-depth-said").inner_text()
    assert page.tab.locator(".ft-block.ft-frozen").count() == 4
    page.tab.wait_for_function(
        "() => !document.querySelector('.ft-figures').innerText.includes('measuring')",
        timeout=TRAINED,
    )
    assert figures(page).count("≈") == 3
    assert page.errors == [] and page.outputs_with_errors() == []


def test_train_runs_both_frameworks_from_the_click_to_the_row_with_its_audit(lab):
    page = lab()
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)
    row = page.tab.locator(".ft-rows tbody tr").inner_text()
    assert row.count("%") == 2 and "bit-equal" in row
    assert page.tab.locator(".ft-plots path.ft-line.ft-pytorch").count() >= 2
    assert page.tab.locator(".ft-plots path.ft-line.ft-tensorflow").count() >= 2
    assert page.tab.locator(".ft-train").is_enabled()
    page.tab.locator(".ft-name").fill("my first")
    page.tab.locator(".ft-name").press("Tab")
    page.tab.locator(".ft-save").click()
    page.tab.wait_for_function(
        "() => document.querySelector('.ft-note').innerText.includes('Written to')"
    )
    assert list(page.server.folder.glob("freeze_lab/*/summary.json"))
    page.tab.locator(".ft-remove").click()
    page.tab.wait_for_function("() => !document.querySelector('.ft-rows tbody tr')")
    assert page.errors == []


def test_stop_ends_a_run_within_a_second_and_keeps_what_there_is(lab):
    page = lab(LONG)
    page.tab.locator(".ft-depth").press("Home")
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_function(
        "() => document.querySelector('.ft-plots path.ft-line')", timeout=TRAINED
    )
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=3000)
    assert "stopped" in page.tab.locator(".ft-rows tbody tr").inner_text()


def test_a_page_that_is_reloaded_in_mid_run_shows_everything_again(lab):
    page = lab(LONG)
    page.tab.locator(".ft-depth").press("Home")
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_function(
        "() => document.querySelectorAll('.ft-plots path.ft-line').length >= 2", timeout=TRAINED
    )
    page.menu("File", "Save Notebook")
    page.open()
    page.tab.wait_for_selector(".ft-lab .ft-bar", timeout=30_000)
    assert page.tab.locator(".ft-stop").is_enabled()
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=60_000)


def test_without_its_kernel_no_control_pretends_to_work_and_no_worker_is_left(lab):
    page = lab(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-bar", timeout=TRAINED)
    page.menu("Kernel", "Restart Kernel")
    page.tab.locator(".jp-Dialog .jp-mod-accept").click()
    page.tab.wait_for_selector(".ft-lab.ft-gone", timeout=20_000)
    assert page.tab.locator(".ft-train").is_disabled()
    assert "run this cell again" in page.tab.locator(".ft-dead").inner_text()


def test_the_keyboard_alone_is_enough_and_deletes_no_cell(lab):
    page = lab()
    page.tab.locator(".ft-depth").focus()
    page.tab.keyboard.press("ArrowLeft")
    assert "frozen up to layer3" in page.tab.locator(".ft-depth-said").inner_text()
    page.tab.keyboard.press("d")
    page.tab.keyboard.press("d")
    assert page.tab.locator(".jp-CodeCell").count() == 1
    for _ in range(30):
        page.tab.keyboard.press("Tab")
        if page.tab.evaluate("document.activeElement.className") == "ft-train":
            break
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_the_window_in_both_themes(lab, width, theme, tmp_path):
    page = lab()
    page.tab.set_viewport_size({"width": width, "height": 900})
    if theme == "dark":
        page.dark()
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)
    box = page.tab.locator(".ft-lab").bounding_box()
    inner = page.tab.locator(".ft-lab").evaluate("root => root.scrollWidth")
    assert inner <= box["width"] + 1
    page.tab.screenshot(path=tmp_path / f"freeze_lab-{theme}-{width}.png")
