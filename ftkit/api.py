"""What a script or a notebook calls."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from html import escape
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from ftkit.data import Dataset
from ftkit.engine.compare import Experiment, OnEvent, stream
from ftkit.engine.compare import compare as run_comparison
from ftkit.engine.comparison import Comparison
from ftkit.engine.session import Session
from ftkit.engine.sweep import Sweep
from ftkit.engine.sweep import sweep as run_sweep
from ftkit.environments import BACKENDS, check_backends
from ftkit.errors import FtkitError
from ftkit.history import Event, Run
from ftkit.recipe import Recipe
from ftkit.report import depths
from ftkit.report.kept import kept_lines, reasons
from ftkit.report.table import by_strategy, rows, text_table
from ftkit.report.verdict import match_lines
from ftkit.writing import writable_folder, write_bytes, write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_WIDTH = 100


class _Shown:
    """What a notebook and a prompt show of results: their table."""

    def table(self) -> str:
        """The results as text."""
        raise NotImplementedError  # each kind has its own

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.table())}</pre>"


class Results(_Shown, Comparison):
    """What a comparison found, with ways to look at it."""

    def table(self) -> str:
        """The runs and the verdict on the match, as text."""
        kept = kept_lines(by_strategy(self), _WIDTH)
        said = [*reasons(by_strategy(self)), *match_lines(self)]
        lines = (fill(line, _WIDTH, subsequent_indent="  ") for line in said)
        return "\n".join([text_table(self, _WIDTH), *kept, *([""] if kept else []), *lines])

    def plot(self) -> Figure:
        """The curves of both frameworks, one column per strategy."""
        from ftkit.report.plots import curves

        return curves(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per run.

        Raises:
            FtkitError: If pandas is not installed.
        """
        return _frame(rows(self))

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        return {
            "recipe": self.recipe.to_dict(),
            "data": _about(self.dataset),
            "runs": [run.summary() for run in self.runs],
            "match": [match.to_dict() for match in self.match],
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }

    def save(self, folder: str | Path) -> Path:
        """Writes ``summary.json``, ``history.json``, ``curves.png`` and ``report.html``.

        Numbers that are not finite, such as the loss of a run that diverged, become ``null``.

        Raises:
            FtkitError: If the folder cannot be written.
        """
        from ftkit.report.page import page

        path = _save(self, folder)
        write_bytes(path / "curves.png", lambda file: self.plot().savefig(file, format="png"))
        write_text(path / "report.html", page(self))
        return path


def compare(
    recipe: Recipe | None = None,
    backends: Sequence[str] = BACKENDS,
    on_event: OnEvent | None = None,
    cache: bool = True,
    cache_memory: int | None = None,
    export: str | Path | None = None,
) -> Results:
    """Runs a recipe in each backend, each in a process of its own, and holds them side by side.

    Args:
        recipe: What to run; None runs the default recipe.
        backends: ``"pytorch"``, ``"tensorflow"`` or both.
        on_event: Called with each :class:`~ftkit.history.Run` and event as they happen.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory, the rest on disk; None takes a quarter of
            what is free.
        export: A folder for the final weights of each run, as safetensors in torchvision's names:
            ``pytorch-fine-tuning.safetensors``. Each run then says where its own are.

    Raises:
        FtkitError: If the recipe or a backend cannot be used, or the folder cannot be written.
    """
    folder = None if export is None else Path(export)
    found = run_comparison(recipe or Recipe(), backends, on_event, cache, cache_memory, folder)
    return Results(**vars(found))


class SweepResults(_Shown, Sweep):
    """What a sweep over freeze depths found, with ways to look at it."""

    def table(self) -> str:
        """A line per depth, as text."""
        return depths.text_table(self)

    def plot(self) -> Figure:
        """Accuracy and cost against freeze depth."""
        return depths.picture(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per run.

        Raises:
            FtkitError: If pandas is not installed.
        """
        return _frame(depths.rows(self))

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds: what a comparison's does, and a record per depth."""
        return {
            "recipe": self.recipe.to_dict(),
            "data": _about(self.dataset),
            "seeds": list(self.seeds),
            "depths": depths.depth_records(self),
            "runs": [run.summary() for run in self.runs],
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }

    def save(self, folder: str | Path) -> Path:
        """Writes ``summary.json``, ``history.json`` and ``sweep.png``.

        Raises:
            FtkitError: If the folder cannot be written.
        """
        path = _save(self, folder)
        write_bytes(path / "sweep.png", lambda file: self.plot().savefig(file, format="png"))
        return path


def sweep(
    recipe: Recipe | None = None,
    seeds: int = 3,
    freeze_depths: Sequence[int] | None = None,
    backends: Sequence[str] = BACKENDS,
    on_event: OnEvent | None = None,
    cache: bool = True,
    cache_memory: int | None = None,
) -> SweepResults:
    """Fine-tunes at every freeze depth in each backend; what is frozen is computed once for all.

    Args:
        recipe: What to run; None sweeps the default recipe. Its strategies, phases and freeze
            depth are not used.
        seeds: How many seeds, from the recipe's on.
        freeze_depths: Which depths; None takes all.
        backends: ``"pytorch"``, ``"tensorflow"`` or both.
        on_event: Called with each :class:`~ftkit.history.Run` and event as they happen.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory, the rest on disk; None takes a quarter of
            what is free.

    Raises:
        FtkitError: If the recipe, a depth or a backend cannot be used.
    """
    found = run_sweep(
        recipe or Recipe(), seeds, freeze_depths, backends, on_event, cache, cache_memory
    )
    return SweepResults(**vars(found))


def run(
    recipe: Recipe | None = None,
    backend: str = "pytorch",
    on_event: OnEvent | None = None,
    cache: bool = True,
    cache_memory: int | None = None,
    export: str | Path | None = None,
) -> Results:
    """Runs a recipe in one backend, in a process of its own; else as :func:`compare`.

    Raises:
        FtkitError: If the recipe or the backend cannot be used.
    """
    return compare(recipe, (backend,), on_event, cache, cache_memory, export)


def events(
    recipe: Recipe | None = None,
    backends: Sequence[str] = BACKENDS,
    cache: bool = True,
    cache_memory: int | None = None,
) -> Iterator[tuple[Run, Event]]:
    """The stream of events, for those who draw their own.

    Stop listening (``break``, or ``close()``) to stop the run within a batch.

    Args:
        recipe: What to run; None runs the default recipe.
        backends: Where.
        cache: Whether what is frozen is computed once and kept.
        cache_memory: Bytes of it to hold in memory, the rest on disk; None takes a quarter of
            what is free.

    Yields:
        The run so far, which has taken in the event, and the event.

    Raises:
        FtkitError: If the recipe or a backend cannot be used.
    """
    check_backends(backends)
    experiment = Experiment(recipe or Recipe(), backends, cache, cache_memory)
    with (
        Session(backends) as session,
        closing(stream(experiment, session, [])) as happening,
    ):
        yield from happening


def _save(results: Results | SweepResults, folder: str | Path) -> Path:
    """Writes what every kind of results has, and gives the folder."""
    path = writable_folder(Path(folder))
    write_text(path / "summary.json", _json(results.summary()))
    write_text(path / "history.json", _json({"runs": [run.to_dict() for run in results.runs]}))
    return path


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "class_names": list(dataset.class_names),
        "train_pictures": len(dataset.train),
        "val_pictures": len(dataset.val),
        "image_size": dataset.image_size,
        "skipped": list(dataset.skipped),
    }


def _frame(records: list[dict[str, object]]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise FtkitError("to_frame() needs pandas. Install it with: pip install pandas") from error
    return pd.DataFrame(records)


def _json(values: Any) -> str:
    return json.dumps(_finite(values), indent=1, allow_nan=False)


def _finite(values: Any) -> Any:
    if isinstance(values, float):
        return values if math.isfinite(values) else None
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return values
