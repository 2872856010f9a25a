"""The freeze lab in a real JupyterLab: by mouse, by keyboard, reloaded, and without its kernel."""

from __future__ import annotations

import psutil
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
FREE = ".ft-train:enabled[aria-disabled=false]"


@pytest.fixture
def lab(opener):
    """A lab on a page, measured and ready."""
    return opener(LAB, ".ft-lab .ft-depth:enabled")


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
    page.tab.wait_for_selector(FREE)
    assert page.tab.locator(".ft-plots .ft-end").all_text_contents() == ["1", "1"]
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
    page.save()
    page.open()
    page.tab.wait_for_selector(".ft-lab .ft-bar", timeout=30_000)
    assert page.tab.locator(".ft-stop").is_enabled()
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=60_000)


def test_without_its_kernel_no_control_pretends_to_work_and_no_worker_is_left(lab):
    page = lab(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-bar", timeout=TRAINED)
    workers = page.workers()
    page.restart(".ft-lab")
    assert "run this cell again" in page.tab.locator(".ft-dead").inner_text()
    assert page.all_dead(".ft-lab")
    assert not page.tab.locator(".ft-bar").first.is_visible()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_a_run_that_ends_while_the_kernel_is_silent_leaves_train_free_and_stop_not(lab):
    page = lab(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-bar", timeout=TRAINED)
    kernel = page.server.kernel(page.name)
    kernel.suspend()
    try:
        page.tab.wait_for_selector(".ft-lab.ft-gone", timeout=20_000)
        assert page.tab.locator(".ft-stop").is_disabled()
    finally:
        kernel.resume()
    page.tab.wait_for_selector(".ft-lab:not(.ft-gone)", timeout=20_000)
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=20_000)
    page.tab.wait_for_selector(FREE)
    assert page.tab.locator(".ft-stop").get_attribute("aria-disabled") == "true"
    assert page.tab.locator(".ft-epochs").is_enabled()


def test_before_the_kernel_has_answered_no_control_pretends_to_work(notebook):
    page = notebook(LAB.replace("\nlab\n", "\ndisplay(lab)\nimport time; time.sleep(5)\n"))
    page.menu("Run", "Run All Cells")
    page.tab.wait_for_selector(".ft-lab .ft-train", timeout=60_000)
    assert page.tab.locator(".ft-train").is_disabled()
    page.tab.wait_for_selector(FREE, timeout=20_000)


def test_a_run_that_waits_for_another_lab_says_so_and_can_be_stopped(lab):
    page = lab(f"{LONG}\nother = FreezeLab(lab.recipe)\ndisplay(lab, other)\n")
    first, second = (page.tab.locator(".ft-lab").nth(at) for at in (0, 1))
    first.locator(".ft-depth").press("Home")  # what trains on kept output is soon over
    first.locator(".ft-train").click()
    first.locator(".ft-bar").first.wait_for(timeout=TRAINED)
    second.locator(".ft-train").click()
    second.get_by_text("It begins as soon as the workers are free.").wait_for()
    assert second.locator(".ft-train").get_attribute("aria-disabled") == "true"
    second.locator(".ft-stop").click()
    second.get_by_text("Stopped before it began.").wait_for(timeout=10_000)
    assert first.locator(".ft-bar").count() == 2
    first.locator(".ft-stop").click()
    first.locator(".ft-rows tbody tr").wait_for(timeout=20_000)


def test_a_row_keeps_the_name_being_typed_and_its_curves_stand_out_while_it_has_the_focus(lab):
    page = lab()
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)
    page.tab.wait_for_selector(FREE)
    page.tab.locator(".ft-depth").press("ArrowLeft")
    page.tab.locator(".ft-train").click()
    page.tab.locator("[data-row='1'] .ft-name").fill("half a na")
    page.tab.wait_for_selector(".ft-rows [data-row='2']", timeout=TRAINED)
    assert page.tab.evaluate("document.activeElement.value") == "half a na"
    lit = page.tab.locator(".ft-plots path.ft-lit")
    assert {one.get_attribute("data-of") for one in lit.all()} == {"1"} and lit.count() == 4
    page.tab.locator("[data-row='2'] .ft-audit").hover()
    assert {one.get_attribute("data-of") for one in lit.all()} == {"2"}
    page.tab.locator("[data-row='2'] .ft-remove").press("Enter")
    page.tab.wait_for_selector(".ft-rows [data-row='2']", state="detached")
    assert page.tab.evaluate("document.activeElement.className") == "ft-remove"
    assert page.tab.locator("[data-row='1'] .ft-name").input_value() == "half a na"


def test_the_keyboard_alone_is_enough_and_deletes_no_cell(lab):
    page = lab()
    page.tab.locator(".ft-depth").focus()
    page.tab.keyboard.press("ArrowLeft")
    assert "frozen up to layer3" in page.tab.locator(".ft-depth-said").inner_text()
    page.tab.keyboard.press("d")
    page.tab.keyboard.press("d")
    assert page.tab.locator(".jp-CodeCell").count() == 1
    page.tab_to("ft-train")
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector(".ft-train[aria-disabled=true]")
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)
    assert page.tab.evaluate("document.activeElement.className") == "ft-train"


def test_it_fits_the_window_in_both_themes(lab, tmp_path):
    page = lab()
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-rows tbody tr", timeout=TRAINED)
    for look in page.looks():
        assert page.fits(".ft-lab"), look
        page.tab.screenshot(path=tmp_path / f"freeze_lab-{look}.png")
