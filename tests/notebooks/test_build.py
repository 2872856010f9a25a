"""How notebooks are built from their sources, and when they count as stale."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "notebooks" / "sources" / "build.py"

SOURCE = """\
# A title

```python
# NBVAL_CHECK_OUTPUT
1 + 1
```

Text between.

```python
from pathlib import Path

Path("file").write_text("x")
print(Path("file").resolve())
```
"""


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folders(tmp_path):
    """An empty folder for sources, and one for notebooks."""
    for name in ("sources", "notebooks"):
        (tmp_path / name).mkdir()
    return tmp_path / "sources", tmp_path / "notebooks"


@pytest.fixture(scope="module")
def built(build, tmp_path_factory):
    """A notebook that was built from :data:`SOURCE`."""
    path = tmp_path_factory.mktemp("built") / "one.md"
    path.write_text(SOURCE)
    return build.executed(build.cells_of(path))


def test_the_committed_notebooks_have_the_cells_of_their_sources(build):
    assert list(build.stale(ROOT / "notebooks/sources/en", ROOT / "notebooks/en")) == []


def test_a_built_notebook_is_not_stale(build, built, folders):
    sources, notebooks = folders
    (sources / "one.md").write_text(SOURCE)
    build.write(built, notebooks / "one.ipynb")
    assert list(build.stale(sources, notebooks)) == []


@pytest.mark.parametrize(
    "change",
    [("1 + 1", "1 + 2"), ("A title", "Another"), ("Text between.\n", "")],
    ids=["code", "text", "fewer cells"],
)
def test_a_source_that_has_changed_since_makes_its_notebook_stale(build, built, folders, change):
    sources, notebooks = folders
    (sources / "one.md").write_text(SOURCE.replace(*change))
    build.write(built, notebooks / "one.ipynb")
    (told,) = build.stale(sources, notebooks)
    assert told == "one.ipynb is not as its source: make notebooks ONLY=one"


def test_a_notebook_that_is_missing_or_has_no_source_is_told(build, built, folders):
    sources, notebooks = folders
    (sources / "one.md").write_text(SOURCE)
    build.write(built, notebooks / "two.ipynb")
    first, second = build.stale(sources, notebooks)
    assert first.startswith("one.ipynb is missing")
    assert second.startswith("two.ipynb has no source")


def test_a_notebook_that_was_not_run_is_told(build, folders):
    sources, notebooks = folders
    (sources / "one.md").write_text(SOURCE)
    build.write(build.cells_of(sources / "one.md"), notebooks / "one.ipynb")
    (told,) = build.stale(sources, notebooks)
    assert told.startswith("one.ipynb was not run")


def test_cells_have_ids_that_follow_from_their_text_and_differ(build, folders):
    sources, _ = folders
    for name, text in (("one", SOURCE), ("two", f"{SOURCE}\n{SOURCE}")):
        (sources / f"{name}.md").write_text(text)
    one, two = (
        [cell.id for cell in build.cells_of(sources / f"{name}.md").cells]
        for name in ("one", "two")
    )
    assert one[1] == two[1]
    assert len(set(two)) == len(two)


def test_cells_run_in_a_folder_of_their_own_whose_name_is_not_kept(built):
    assert not Path("file").exists()
    (printed,) = built.cells[-1].outputs
    assert printed.text == "./file\n"


def test_what_varies_from_run_to_run_is_not_kept(build, built, tmp_path):
    again = tmp_path / "one.md"
    again.write_text(SOURCE)
    repeated = build.executed(build.cells_of(again))
    assert nbformat.writes(repeated) == nbformat.writes(built)


def test_a_widget_leaves_its_picture_and_no_dead_view(build, tmp_path):
    source = tmp_path / "one.md"
    source.write_text(
        "```python\n"
        "from ftkit.widgets.frame import Frame\n"
        "from matplotlib.figure import Figure\n"
        "\n"
        "class Small(Frame):\n"
        "    _esm = 'export default {}'\n"
        "    def still(self):\n"
        "        return Figure(), 'in words'\n"
        "\n"
        "Small()\n"
        "```\n"
    )
    notebook = build.executed(build.cells_of(source))
    (output,) = notebook.cells[0].outputs
    assert sorted(output.data) == ["image/png", "text/plain"]
    assert "widgets" not in notebook.metadata


def as_png(values, **options):
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "PNG", **options)
    return buffer.getvalue()


def differences(png, found):
    one, other = (np.asarray(Image.open(BytesIO(item)).convert("RGB")) for item in (png, found))
    return np.abs(np.subtract(one, other, dtype=np.float64))


def test_a_plot_takes_less_room_in_as_many_pixels_and_the_same_colours(build):
    colours = np.array([[255, 255, 255, 255], [0, 114, 178, 255], [213, 94, 0, 255]], np.uint8)
    png = as_png(colours[np.random.default_rng(0).integers(0, 3, (90, 120))])
    kind, found = build.smaller(png)
    assert kind == "image/png" and len(found) < len(png) / 2
    assert not differences(png, found).any()


def test_a_photograph_becomes_a_jpeg_that_looks_the_same(build):
    rng = np.random.default_rng(0)
    rows = np.linspace(0, 255, 96)
    ramps = np.stack([np.add.outer(rows, rows) / 2, *np.meshgrid(rows, rows[::-1])], -1)
    png = as_png((ramps + rng.normal(0, 4, ramps.shape)).clip(0, 255).astype(np.uint8))
    kind, found = build.smaller(png)
    assert kind == "image/jpeg" and len(found) < len(png) / 2
    assert differences(png, found).mean() < 4


def test_a_picture_stays_that_shines_through_or_is_small_already(build):
    clear = np.zeros((8, 8, 4), np.uint8)
    for png in (as_png(clear), as_png(np.zeros((1, 1), np.uint8), optimize=True)):
        assert build.smaller(png) == ("image/png", png)


def test_a_cell_that_fails_ends_the_build_and_nothing_is_written(build, folders, monkeypatch):
    sources, notebooks = folders
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(build, "NOTEBOOKS", notebooks)
    (sources / "en").mkdir()
    (sources / "en" / "one.md").write_text("```python\n1 / 0\n```\n")
    assert build.main([]) == 1
    assert list(notebooks.rglob("*.ipynb")) == []


def test_a_process_that_outlives_the_kernel_is_ended_and_fails_the_build(
    build, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "ENDING_SECONDS", 1)
    source = tmp_path / "one.md"
    source.write_text(
        "```python\n"
        "import subprocess, sys\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "process = subprocess.Popen(command, start_new_session=True)\n"
        "print(process.pid)\n"
        "```\n"
    )
    notebook = build.cells_of(source)
    with subprocess.Popen(["sleep", "600"]) as of_the_caller:
        with pytest.raises(build.Failure, match="1 processes outlived"):
            build.executed(notebook)
        assert of_the_caller.poll() is None
        of_the_caller.kill()
    (printed,) = notebook.cells[0].outputs
    ended = time.monotonic() + 30  # who inherits a dead process may take a moment to bury it
    while psutil.pid_exists(int(printed.text)):
        assert time.monotonic() < ended
        time.sleep(0.05)


def test_the_check_says_so_and_fails_where_a_notebook_is_stale(build, folders, monkeypatch, capsys):
    sources, notebooks = folders
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(build, "NOTEBOOKS", notebooks)
    for folder in folders:
        (folder / "en").mkdir()
    assert build.main(["--check"]) == 0
    (sources / "en" / "one.md").write_text(SOURCE)
    assert build.main(["--check"]) == 1
    assert "one.ipynb is missing" in capsys.readouterr().out
    assert "torch" not in sys.modules
