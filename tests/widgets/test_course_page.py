"""Notebooks of the course, opened in JupyterLab and run from top to bottom.

Every one of them is run by nbval in `tests/notebooks`; here it is the first.
``FTKIT_TEST_NOTEBOOKS=all`` opens them all, which takes a quarter of an hour.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "notebooks" / "en"
USUAL = ("00_start_here",)
NOTEBOOKS = [
    path
    for path in sorted(FOLDER.glob("*.ipynb"))
    if path.stem in USUAL or os.environ.get("FTKIT_TEST_NOTEBOOKS") == "all"
]
MOST_SECONDS = 400  # on a machine that has something else to do; the aim is 120
CELLS = "window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
ENDED = f"""() => {{
    const cells = {CELLS}.filter(cell => cell.cell_type === "code");
    return cells.every(cell => cell.execution_count !== null)
        || cells.some(cell => cell.outputs.some(output => output.output_type === "error"));
}}"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_the_browser_without_an_error_and_its_widgets_live(
    path, notebook, server
):
    course = nbformat.read(path, as_version=4)
    for cell in course.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(course, server.folder / path.name)
    page = notebook(name=path.name)
    page.menu("Run", "Run All Cells")
    page.tab.wait_for_function(ENDED, timeout=MOST_SECONDS * 1000, polling=500)
    cells = [cell for cell in page.tab.evaluate(f"() => {CELLS}") if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    views = sum("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in outputs)
    assert views >= 1  # each ends with a quiz
    page.tab.locator(".ft-quiz").first.scroll_into_view_if_needed()
    assert page.tab.locator(".ft-quiz input").first.is_enabled()
    assert page.errors == []
