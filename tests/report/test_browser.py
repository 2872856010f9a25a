"""The report in a real browser. Without Chromium these are skipped, unless one is required."""

from __future__ import annotations

import os
import shutil

import pytest

from ftkit.report.page import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("FTKIT_TEST_BROWSER") != "required",
        reason="Chromium is not installed",
    ),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [1280, 800, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_opens_without_network_or_error_and_fits_the_window(
    browser, comparison, tmp_path, width, scheme
):
    path = tmp_path / "report.html"
    path.write_text(page(comparison), encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for picture in tab.query_selector_all("img"):
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    assert tab.locator("table").first.is_visible()
    tab.close()
