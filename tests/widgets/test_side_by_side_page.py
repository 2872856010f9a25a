"""Both sources in a real JupyterLab: by mouse, by keyboard, narrow and dark."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

SIDE = "from ftkit.widgets import SideBySide\nSideBySide('train')"


@pytest.fixture
def side(opener):
    """Both sources of the training step on a page."""
    return opener(SIDE, ".ft-side .ft-row")


def line(page, backend, text):
    """The line of a backend that says this."""
    return page.tab.locator(f".ft-column-{backend} .ft-row", has_text=text).first


def explained(page):
    return page.tab.locator(".ft-saying").inner_text()


def test_lines_that_say_the_same_stand_level(side):
    page = side()
    for left, right in (
        ("loss.backward()", "tape.gradient(loss, variables)"),
        ("optimizer.step()", "optimizer.apply(gradients, variables)"),
    ):
        boxes = [
            line(page, backend, text).bounding_box()
            for backend, text in (("pytorch", left), ("tensorflow", right))
        ]
        assert abs(boxes[0]["y"] - boxes[1]["y"]) < 1
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 1
    assert page.errors == [] and page.outputs_with_errors() == []


def test_a_mark_explains_its_line_in_both_columns(side):
    page = side()
    assert "differ in meaning" in explained(page)
    line(page, "pytorch", "loss.backward()").locator(".ft-mark-button").click()
    assert "Backward, or a tape." in explained(page)
    chosen = page.tab.locator(".ft-row.ft-shown").all_inner_texts()
    assert len(chosen) == 2
    assert "loss.backward()" in chosen[0] and "tape.gradient" in chosen[1]
    page.tab.locator(".ft-after").click()
    assert "The update." in explained(page)
    page.tab.locator(".ft-before").click()
    assert "Backward, or a tape." in explained(page)


def test_next_goes_through_all_explanations_and_brings_each_line_into_view(side):
    page = side()
    seen = []
    count = page.tab.evaluate(
        "new Set([...document.querySelectorAll('.ft-mark-button')].map(b => b.dataset.number)).size"
    )
    for _ in range(count):
        page.tab.locator(".ft-after").click()
        seen.append(explained(page))
        inside = page.tab.evaluate(
            """() => {
                const code = document.querySelector(".ft-code").getBoundingClientRect();
                const line = document.querySelector(".ft-shown").getBoundingClientRect();
                return line.top >= code.top && line.bottom <= code.bottom;
            }"""
        )
        assert inside
    assert len(set(seen)) == count > 10
    page.tab.locator(".ft-after").click()
    assert explained(page) == seen[0]


def test_the_keyboard_alone_reaches_every_step_and_explanation_and_deletes_no_cell(side):
    page = side()
    keys = page.tab.keyboard
    page.tab.locator(".ft-tab[aria-selected=true]").focus()
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    selected = page.tab.locator(".ft-tab[aria-selected=true]")
    assert selected.get_attribute("data-step") == "freeze"
    assert selected.evaluate("tab => tab === document.activeElement")
    keys.press("d")
    keys.press("d")
    assert page.tab.locator(".jp-CodeCell").count() == 1
    page.tab_to("ft-mark-button", 8)
    assert "The mode is a flag of every module." in explained(page)
    keys.press("Shift+Tab")
    assert page.tab.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.tab.locator(".ft-tab[aria-selected=true]").focus()
    keys.press("End")
    assert "predict" in page.tab.locator(".ft-tab[aria-selected=true]").get_attribute("id")
    keys.press("Home")
    assert "pick_device" in page.tab.locator(".ft-panel h4").first.inner_text()


def test_the_kernel_learns_which_step_is_open(side):
    page = side()
    page.tab.get_by_role("tab", name="Predict").click()
    page.tab.wait_for_function(
        """() => [...document.querySelectorAll(".jp-RenderedText")].some(
            text => text.textContent.startsWith("Predict: Scale"))"""
    )


def test_docstrings_are_folded_until_they_are_asked_for(side):
    page = side()
    said = page.tab.get_by_text("One training step: forward, loss, backward, update.")
    assert not said.first.is_visible()
    page.tab.get_by_label("Docstrings").check()
    assert said.first.is_visible()


def test_tabs_and_panel_are_told_to_a_screen_reader(side):
    page = side()
    tab = page.tab.get_by_role("tab", name="4. Train", exact=True)
    assert tab.get_attribute("aria-selected") == "true"
    panel = page.tab.get_by_role("tabpanel", name="4. Train")
    assert panel.get_attribute("id") == tab.get_attribute("aria-controls")
    assert (
        page.tab.get_by_role("button", name="Difference 3, PyTorch, line", exact=False).count() == 1
    )


def test_it_fits_the_window_in_both_themes(side, tmp_path):
    page = side()
    line(page, "pytorch", "loss.backward()").locator(".ft-mark-button").click()
    for look in page.looks():
        assert page.fits(".ft-side") and page.fits(".ft-code"), look
        left, right = (
            page.tab.locator(f".ft-column-{name}").first.bounding_box()
            for name in ("pytorch", "tensorflow")
        )
        assert (right["y"] == left["y"]) == look.endswith("1280"), look
        page.tab.screenshot(path=tmp_path / f"side_by_side-{look}.png")
