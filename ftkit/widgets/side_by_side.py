"""The mirrored backends in two columns: what is the same, what differs, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import traitlets
from matplotlib.figure import Figure

from ftkit.environments import BACKENDS
from ftkit.errors import unknown_name
from ftkit.report.formats import framework
from ftkit.widgets.frame import Frame, script
from ftkit.widgets.mirrored import Source, align, coloured, read
from ftkit.widgets.remarks import REMARKS, Remark


@dataclass(frozen=True)
class Piece:
    """A function that both backends have, or one of them.

    Attributes:
        name: The function, by its file: ``"training.make_step"``.
        absent: What the backend that lacks it has instead, by backend.
    """

    name: str
    absent: tuple[tuple[str, str], ...] = ()

    def source(self, backend: str) -> Source | None:
        """Its text in a backend; None where that has none."""
        if backend in dict(self.absent):
            return None
        file, _, name = self.name.partition(".")
        return read(backend, file, name)


@dataclass(frozen=True)
class Step:
    """A step of transfer learning.

    Attributes:
        name: What :class:`SideBySide` calls it.
        title: What its tab says.
        text: What happens in it.
        pieces: The functions that do it.
    """

    name: str
    title: str
    text: str
    pieces: tuple[Piece, ...]


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(
            "load",
            "Load",
            "Choose a device, build the network, and fill it with the pretrained numbers.",
            (Piece("devices.pick_device"), Piece("backbones.build"), Piece("backbones.load")),
        ),
        Step(
            "freeze",
            "Freeze",
            "Say which layers learn, and how each batch norm behaves.",
            (
                Piece("freezing.apply_freeze"),
                Piece("freezing.batch_norm_modes"),
                Piece(
                    "layers.BatchNorm.call",
                    (("pytorch", "torch.nn.BatchNorm2d, which comes with PyTorch, does this."),),
                ),
            ),
        ),
        Step(
            "head",
            "Replace the head",
            "Put a new last layer, for the new classes, behind the backbone.",
            (
                Piece("families.make_model"),
                Piece(
                    "families._head",
                    (("tensorflow", "_Writer.write, below, writes the head like any layer."),),
                ),
                Piece(
                    "families._Writer.write",
                    (("pytorch", "torchvision's own classes hold the layers."),),
                ),
            ),
        ),
        Step(
            "train",
            "Train",
            "Forward, loss, backward, update: one step, its optimiser, and the loop around it.",
            (
                Piece("training.make_step"),
                Piece(
                    "training.cross_entropy",
                    (("pytorch", "torch.nn.functional.cross_entropy does this."),),
                ),
                Piece("optimizers.make_optimizer"),
                Piece("optimizers.set_rate"),
                Piece("training.train"),
            ),
        ),
        Step(
            "predict",
            "Predict",
            "Scale the pictures, run the network in inference mode, and judge what it says.",
            (
                Piece("backbones.Network.preprocess"),
                Piece("prediction.predictor"),
                Piece("prediction.predict"),
                Piece("prediction.evaluate"),
            ),
        ),
    )
}


class SideBySide(Frame):
    """The source of both backends, step by step, with the differences explained.

    The page needs no answer from the kernel: all steps are sent at once.

    Args:
        step: The step to open: ``"load"``, ``"freeze"``, ``"head"``, ``"train"`` or
            ``"predict"``; None opens the first.

    Raises:
        FtkitError: If there is no such step.
    """

    _esm = script("draw.js", "side_by_side.js")

    steps: traitlets.List[Any] = traitlets.List().tag(sync=True)
    step = traitlets.Unicode().tag(sync=True)

    def __init__(self, step: str | None = None) -> None:
        chosen = next(iter(STEPS)) if step is None else step
        if chosen not in STEPS:
            raise unknown_name("step", chosen, STEPS)
        super().__init__(steps=[step_view(name) for name in STEPS], step=chosen)
        self.observe(lambda _: self.keep(), "step")

    def still(self) -> tuple[Figure | None, str]:
        """Both sources of the step that is open, and what differs."""
        return None, step_text(self.step)


@cache
def step_view(name: str) -> dict[str, Any]:
    """What a page shows of a step: its functions row by row, and its remarks in their order."""
    step = STEPS[name]
    remarks: list[dict[str, Any]] = []
    pieces = [_piece_view(name, piece, remarks) for piece in step.pieces]
    return {
        "name": name,
        "title": step.title,
        "text": step.text,
        "pieces": pieces,
        "remarks": remarks,
    }


def step_text(name: str) -> str:
    """A step as plain text: its functions in each framework, and the remarks."""
    step = STEPS[name]
    parts = [f"{step.title}: {step.text}"]
    for backend in BACKENDS:
        for piece in step.pieces:
            source = piece.source(backend)
            if source is not None:
                head = f"{framework(backend)}, {source.path}, line {source.start}"
                parts.append(f"{head}\n{'-' * len(head)}\n{source.text}")
    said = [
        f"{item['number']}. {item['title']}: {item['text']}" for item in step_view(name)["remarks"]
    ]
    return "\n\n".join([*parts, "What differs in meaning\n" + "\n".join(said)])


def remarks_on(step: str, piece: str) -> list[Remark]:
    """The remarks on a function of a step."""
    return [item for item in REMARKS if (item.step, item.name) == (step, piece)]


def _piece_view(step: str, piece: Piece, remarks: list[dict[str, Any]]) -> dict[str, Any]:
    """A function's rows; its remarks are added to the list, numbered on from it."""
    sources = {backend: piece.source(backend) for backend in BACKENDS}
    spoken_of = [
        (item, {name: _line(sources[name], getattr(item, name)) for name in BACKENDS})
        for item in remarks_on(step, piece.name)
    ]
    pairs = _pairs(sources, [places for _, places in spoken_of])

    def row_of(places: dict[str, int | None]) -> int:
        return next(
            number
            for number, pair in enumerate(pairs)
            if any(
                place is not None and place == at
                for place, at in zip((places[name] for name in BACKENDS), pair)
            )
        )

    marks: dict[tuple[str, int], list[int]] = {}
    for item, places in sorted(spoken_of, key=lambda both: row_of(both[1])):
        number = len(remarks) + 1
        remarks.append({"number": number, "title": item.title, "text": item.text})
        for backend, place in places.items():
            if place is not None:
                marks.setdefault((backend, place), []).append(number)
    colours = {name: coloured(source.text) if source else [] for name, source in sources.items()}
    rows = []
    for pair in pairs:
        row: dict[str, Any] = {"kind": _kind(sources, pair)}
        for backend, at in zip(BACKENDS, pair):
            source = sources[backend]
            if at is not None and source is not None:
                row[backend] = {
                    "line": source.start + at,
                    "words": colours[backend][at],
                    "doc": at in source.docstring,
                    "marks": marks.get((backend, at), []),
                }
        rows.append(row)
    absent = dict(piece.absent)
    heads = {
        name: {"path": source.path, "line": source.start, "name": source.name}
        if source
        else {"absent": absent[name]}
        for name, source in sources.items()
    }
    return {"name": piece.name.partition(".")[2], "heads": heads, "rows": rows}


def _line(source: Source | None, code: str) -> int | None:
    return source.line_of(code) if source is not None and code else None


def _pairs(
    sources: dict[str, Source | None], places: list[dict[str, int | None]]
) -> list[tuple[int | None, int | None]]:
    left, right = (sources[name] for name in BACKENDS)
    if left is None or right is None:
        only = left or right
        assert only is not None
        count = range(len(only.lines))
        return [(at, None) if right is None else (None, at) for at in count]
    anchors = [(item["pytorch"], item["tensorflow"]) for item in places]
    both = tuple((i, j) for i, j in anchors if i is not None and j is not None)
    return align(left, right, both)


def _kind(sources: dict[str, Source | None], pair: tuple[int | None, int | None]) -> str:
    """``"same"`` word for word, ``"like"`` but spelled otherwise, or ``"alone"``."""
    left, right = (
        source.lines[at].strip() if source is not None and at is not None else None
        for source, at in zip(sources.values(), pair)
    )
    if left is None or right is None:
        return "alone"
    return "same" if left == right else "like"
