"""Builds the course's notebooks from their Markdown sources, or checks that they are built.

`python notebooks/sources/build.py [NAME …]` runs each source from start to end in a kernel of its
own and writes the notebook with its outputs; `--check` runs nothing, and says which notebooks do
not have the cells of their sources.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from ftkit.lab import LANGUAGE, OWN, jupyter_environment
from ftkit.writing import write_text

SOURCES = Path(__file__).parent
NOTEBOOKS = SOURCES.parent
CELL_SECONDS = 300
ENDING_SECONDS = 20
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
UNSEEN = 0.3  # mean difference of a colour's 0..255: a plot's in 256 colours, not a photograph's
QUALITY = 90
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ftkit)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


class Failure(Exception):
    """A notebook that cannot be built."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds or checks.

    Returns:
        0, or 1 if a notebook could not be built or is not as its source.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 00_start_here (all)")
    parser.add_argument("--language", default=LANGUAGE, metavar="NAME", help=f"({LANGUAGE})")
    parser.add_argument("--check", action="store_true", help="only compare cells with sources")
    options = parser.parse_args(arguments)
    if options.check:
        told = list(stale(SOURCES / options.language, NOTEBOOKS / options.language))
        print("\n".join(told) or "Every notebook has the cells of its source.")
        return 1 if told else 0
    every = sorted((SOURCES / options.language).glob("*.md"))
    unknown = set(options.names) - {path.stem for path in every}
    if unknown:
        parser.error(f"there is no source called {', '.join(sorted(unknown))}")
    failed = False
    for path in every:
        if options.names and path.stem not in options.names:
            continue
        print(path.stem, end=" ", flush=True)
        started = time.monotonic()
        try:
            built = executed(cells_of(path))
        except Failure as error:
            failed = True
            print(f"failed: {error}", flush=True)
            continue
        write(built, NOTEBOOKS / options.language / f"{path.stem}.ipynb")
        print(f"{time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def cells_of(source: Path) -> Any:
    """The notebook of a source, not run yet; a cell's id follows from its text."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="md")
    notebook.metadata = nbformat.from_dict(METADATA)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        seen[cell.source] = seen.get(cell.source, 0) + 1
        text = f"{cell.cell_type} {seen[cell.source]} {cell.source}"
        cell.id = hashlib.sha256(text.encode()).hexdigest()[:12]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def executed(notebook: Any) -> Any:
    """The notebook with its outputs, without what changes from run to run for no reason.

    Raises:
        Failure: If a cell fails, or a process outlives the kernel.
    """
    with tempfile.TemporaryDirectory(prefix="ftkit-notebook-") as folder:
        work, own = Path(folder) / "ftkit-course", Path(folder) / "own"
        (work / OWN).mkdir(parents=True)
        os.environ.update(jupyter_environment(own))  # the kernel of this interpreter
        os.environ["FTKIT_STATE"] = str(own)  # a beginner's
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(work)}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
        )
        before = set(psutil.Process().children(recursive=True))  # who calls may have its own
        started: set[psutil.Process] = set()
        try:
            with client.setup_kernel():
                try:
                    for index, cell in enumerate(notebook.cells):
                        client.execute_cell(cell, index)
                finally:
                    started = set(psutil.Process().children(recursive=True)) - before
        except CellExecutionError as error:
            raise Failure(COLOURS.sub("", str(error))) from error
        left = psutil.wait_procs(started, timeout=ENDING_SECONDS)[1]
        for process in left:
            process.kill()
        if left:
            raise Failure(f"{len(left)} processes outlived the kernel; they were ended")
        clean(notebook, {str(work): ".", folder: "…", str(Path.home()): "~"})
    return notebook


def clean(notebook: Any, paths: dict[str, str]) -> None:
    """Takes out of the outputs what differs from run to run, and what shows nothing later.

    A widget lives only in its session; a picture of it stays. Pictures take less room.

    Args:
        notebook: Changed in place.
        paths: What to write instead of the names of folders.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if not _only_widget(output)]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
            output.pop("transient", None)
            if "image/png" in output.get("data", {}):
                kind, picture = smaller(base64.b64decode(output.data.pop("image/png")))
                output.data[kind] = base64.b64encode(picture).decode("ascii")
            for holder in (output, output.get("data", {})):
                for name, value in holder.items():
                    if isinstance(value, str) and not name.startswith("image/"):
                        holder[name] = _without(value, paths)


def smaller(png: bytes) -> tuple[str, bytes]:
    """A picture in fewer bytes, and its type; what is lost is not seen.

    A plot is shown as well in 256 colours. A picture that is not, as it holds photographs or the
    like, becomes a JPEG.
    """
    best = "image/png", png
    with Image.open(BytesIO(png)) as found:
        if found.mode == "RGBA" and found.getextrema()[3][0] < 255:
            return best  # something shines through
        whole = found.convert("RGB")
    few = whole.quantize(256, dither=Image.Dither.NONE)
    lost = np.subtract(whole, few.convert("RGB"), dtype=np.float64)
    buffer = BytesIO()
    if np.abs(lost).mean() <= UNSEEN:
        few.save(buffer, "PNG", optimize=True)
        made = "image/png", buffer.getvalue()
    else:
        whole.save(buffer, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
        made = "image/jpeg", buffer.getvalue()
    return min(best, made, key=lambda one: len(one[1]))


def stale(sources: Path, notebooks: Path) -> Iterator[str]:
    """What does not fit together, a sentence for each; nothing is run.

    Args:
        sources: The folder of a language's Markdown.
        notebooks: The folder of its notebooks.
    """
    names = sorted(
        {path.stem for path in sources.glob("*.md")}
        | {path.stem for path in notebooks.glob("*.ipynb")}
    )
    for name in names:
        source, built = sources / f"{name}.md", notebooks / f"{name}.ipynb"
        if not source.exists():
            yield f"{built.name} has no source {source.name}: remove it."
        elif not built.exists():
            yield f"{built.name} is missing: make notebooks ONLY={name}"
        else:
            found = nbformat.read(built, as_version=4)
            if _cells(found) != _cells(cells_of(source)):
                yield f"{built.name} is not as its source: make notebooks ONLY={name}"
            elif any(
                cell.cell_type == "code" and cell.execution_count is None for cell in found.cells
            ):
                yield f"{built.name} was not run: make notebooks ONLY={name}"


def write(notebook: Any, path: Path) -> None:
    """Writes a notebook, whole or not at all."""
    nbformat.validate(notebook)
    path.parent.mkdir(exist_ok=True)
    write_text(path, nbformat.writes(notebook) + "\n")


def _cells(notebook: Any) -> list[tuple[Any, ...]]:
    """What a source decides of each cell."""
    return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def _only_widget(output: Any) -> bool:
    return WIDGET in output.get("data", {}) and not {"image/png", "text/html"} & set(output.data)


def _without(text: str, paths: dict[str, str]) -> str:
    for path in sorted(paths, key=len, reverse=True):
        text = re.sub(re.escape(path), paths[path], text)
    return text


if __name__ == "__main__":
    sys.exit(main())
