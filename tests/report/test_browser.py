"""The report in a real browser. Without Chromium these are skipped, unless one is required."""

from __future__ import annotations

import pytest

from ftkit.report.page import page

pytestmark = pytest.mark.browser


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
