"""The difference lab in a real JupyterLab: by mouse, by keyboard, reloaded, and stopped."""

from __future__ import annotations

import psutil
import pytest

pytestmark = pytest.mark.browser

LAB = """
import ftkit
from ftkit.widgets import DifferenceLab
lab = DifferenceLab(ftkit.Recipe(train_size=80, batch_size=8, epochs=1, precision="fp64",
                                 strategies=("feature-extraction",), device="cpu"))
lab
"""
# Everything learns: what trains on kept output may be over before a page has been reloaded.
LONG = LAB.replace("epochs=1", "epochs=190").replace("feature-extraction", "fine-tuning")
TRAINED = 120_000


@pytest.fixture
def lab(opener):
    """A lab on a page."""
    return opener(LAB, ".ft-differences .ft-difference:enabled")


def row(page, name):
    return page.tab.locator(f'.ft-rows tbody tr[data-difference="{name}"]')


def test_a_choice_shows_what_each_framework_does_and_the_line_that_does_it(lab):
    page = lab()
    detail = page.tab.locator(".ft-detail")
    assert "keras/src/optimizers/sgd.py, SGD.update_step" in detail.inner_text()
    page.tab.get_by_label("cross-entropy").check()
    assert "from_logits=False" in detail.inner_text()
    assert page.errors == [] and page.outputs_with_errors() == []


def test_train_runs_the_matched_recipe_and_then_the_difference_up_to_a_row(lab):
    page = lab()
    page.tab.get_by_label("adam-epsilon").check()
    page.tab.locator(".ft-train").click()
    row(page, "adam-epsilon").wait_for(timeout=TRAINED)
    apart, matched = (
        float(row(page, "adam-epsilon").locator("td").nth(at).inner_text().split()[0])
        for at in (2, 3)
    )
    assert apart > 1e-6 > 1e-9 > matched
    losses, gaps = (page.tab.locator(".ft-plots .ft-canvas").nth(at) for at in (0, 1))
    assert losses.locator("path.ft-line.ft-faint").count() == 2
    assert losses.locator("path.ft-line:not(.ft-faint)").count() == 2
    assert gaps.locator("path.ft-line.ft-matched").count() == 1
    page.tab.wait_for_selector(".ft-train:enabled[aria-disabled=false]")
    page.tab.get_by_label("head-init").check()
    assert losses.locator("path.ft-line").count() == 0
    row(page, "adam-epsilon").get_by_role("button").click()
    assert losses.locator("path.ft-line").count() == 4
    assert page.tab.get_by_label("adam-epsilon", exact=True).is_checked()
    assert page.errors == []


def test_a_page_that_is_reloaded_in_mid_run_shows_the_run_and_can_stop_it(lab):
    page = lab(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-plots path.ft-line", timeout=TRAINED)
    page.save()
    page.open()
    page.tab.wait_for_selector(".ft-differences .ft-bar", timeout=30_000)
    page.tab.wait_for_selector(".ft-plots path.ft-line")
    page.tab.locator(".ft-stop").click()
    page.tab.wait_for_selector(".ft-train:enabled[aria-disabled=false]", timeout=10_000)


def test_after_a_restart_in_mid_run_no_control_pretends_to_work_and_no_worker_is_left(lab):
    page = lab(LONG)
    page.tab.locator(".ft-train").click()
    page.tab.wait_for_selector(".ft-train[aria-disabled=true]")
    workers = page.workers()
    page.restart(".ft-differences")
    assert page.all_dead(".ft-differences")
    assert not page.tab.locator(".ft-bar").first.is_visible()
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_the_keyboard_alone_is_enough_and_deletes_no_cell(lab):
    page = lab()
    page.tab.locator(".ft-difference").first.focus()
    page.tab.keyboard.press("ArrowDown")
    assert "adam.py" in page.tab.locator(".ft-detail").inner_text()
    page.tab.keyboard.press("d")
    page.tab.keyboard.press("d")
    assert page.tab.locator(".jp-CodeCell").count() == 1
    page.tab_to("ft-train", 5)
    page.tab.keyboard.press("Enter")
    row(page, "adam-epsilon").wait_for(timeout=TRAINED)
    assert page.tab.evaluate("document.activeElement.className") == "ft-train"


def test_it_fits_the_window_in_both_themes(lab, tmp_path):
    page = lab()
    page.tab.locator(".ft-train").click()
    row(page, "sgd-momentum").wait_for(timeout=TRAINED)
    for look in page.looks():
        assert page.fits(".ft-differences"), look
        page.tab.screenshot(path=tmp_path / f"difference_lab-{look}.png")
