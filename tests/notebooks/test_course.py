"""Every notebook of the course runs from start to end, and prints what it printed before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from ftkit.lab import jupyter_environment

FOLDER = Path(__file__).parents[2] / "notebooks" / "en"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CHECKED = "# NBVAL_CHECK_OUTPUT"


def nbval(notebook, folder):
    """Runs a copy of a notebook in a folder, and compares the cells that ask for it."""
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, path.name],
        cwd=folder,
        env={**os.environ, **jupyter_environment(folder)},
        capture_output=True,
        text=True,
    )


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_start_to_end(path, tmp_path, no_process_left):
    done = nbval(read(path), tmp_path)
    assert done.returncode == 0, done.stdout
    assert no_process_left()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_cells_whose_output_is_compared(path):
    cells = [cell for cell in read(path).cells if cell.source.startswith(CHECKED)]
    assert cells
    assert all(cell.outputs for cell in cells)


@pytest.mark.parametrize("changed", [False, True], ids=["as it was stored", "another"])
def test_another_output_than_the_stored_one_fails(tmp_path, changed):
    notebook = read(FOLDER / "00_start_here.ipynb")
    checked = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith(CHECKED))
    notebook.cells = notebook.cells[: checked + 1]
    if changed:
        (output,) = notebook.cells[checked].outputs
        output.text = output.text.replace("cat", "cow")
    done = nbval(notebook, tmp_path)
    assert done.returncode == (1 if changed else 0), done.stdout
    assert ("cow" in done.stdout) is changed
