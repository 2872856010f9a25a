"""The freeze diagram: the blocks of the network in order, and which of them learn in each phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftkit.backbones.catalogue import architecture
from ftkit.engine.comparison import Comparison
from ftkit.errors import FtkitError
from ftkit.freezing import resolve
from ftkit.history import Run
from ftkit.recipe import Phase
from ftkit.report import formats

SPAN = 840.0
LEAST = 80.0
GAP = 4.0


@dataclass(frozen=True)
class Box:
    """One block of the diagram.

    Attributes:
        block: Its name.
        x: Left edge.
        width: Width: to scale with its parameters, but never too narrow to read.
        parameters: Its parameters in short.
        state: Whether it learns whole, in part, or not.
        learning_width: How much of the width stands for parameters that learn.
        batch_norm: Modes of its batch norm; empty where it has none.
    """

    block: str
    x: float
    width: float
    parameters: str
    state: Literal["learns", "learns in part", "frozen"]
    learning_width: float
    batch_norm: str


@dataclass(frozen=True)
class Row:
    """One phase of one strategy.

    Attributes:
        strategy: The recipe's name for it.
        title: Which phase, and how long and fast it learns.
        learning: How many parameters learn.
        source: Whose audit it is drawn from, or that it is planned only.
        boxes: The blocks in order.
        width: Width of all together.
    """

    strategy: str
    title: str
    learning: str
    source: str
    boxes: tuple[Box, ...]
    width: float

    @property
    def description(self) -> str:
        """The diagram in words."""
        parts = (f"{box.block} ({box.parameters}): {box.state}" for box in self.boxes)
        return f"{self.strategy}, {self.title}. {'; '.join(parts)}."


def diagram(comparison: Comparison) -> list[Row]:
    """One row per strategy and phase; two where the frameworks' audits are not alike."""
    rows: list[Row] = []
    for strategy in dict.fromkeys(run.strategy for run in comparison.runs):
        runs = [run for run in comparison.runs if run.strategy == strategy]
        phases, plans = _planned(comparison, strategy)
        count = max([len(phases), *(len(run.audits) for run in runs)])
        for index in range(count):
            phase = phases[index] if index < len(phases) else None
            title = _title(index, count, phase)
            for source, blocks in _sources(runs, index, plans):
                rows.append(_row(strategy, title, source, blocks))
    return rows


def _sources(
    runs: Sequence[Run], index: int, plans: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The blocks of a phase as each framework's audit found them; as planned without one."""
    groups: list[tuple[list[str], dict[str, Any]]] = []
    for run in runs:
        if index >= len(run.audits):
            continue
        blocks = run.audits[index]["blocks"]
        alike = (names for names, other in groups if _facts(other) == _facts(blocks))
        if (names := next(alike, None)) is not None:
            names.append(formats.framework(run.backend))
        else:
            groups.append(([formats.framework(run.backend)], blocks))
    for names, blocks in groups:
        yield f"audited in {formats.listed(names)}", blocks
    if not groups and index < len(plans):
        yield "as planned; no run finished this phase", plans[index]


def _facts(blocks: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (name, row["parameters"], row["trainable_parameters"], sorted(row["batch_norm"]))
        for name, row in blocks.items()
    ]


def _planned(
    comparison: Comparison, strategy: str
) -> tuple[tuple[Phase, ...], list[dict[str, Any]]]:
    """The recipe's phases, and the blocks of each in the form of an audit."""
    recipe = comparison.recipe
    try:
        network = architecture(recipe.backbone, recipe.head, len(comparison.dataset.class_names))
        phases = recipe.phases_of(strategy, network)
        resolved = [resolve(phase.freeze, network) for phase in phases]
    except FtkitError:
        return (), []
    plans = []
    for states in resolved:
        blocks: dict[str, dict[str, Any]] = {}
        for state in states:
            row = blocks.setdefault(
                state.layer.block, {"parameters": 0, "trainable_parameters": 0, "batch_norm": []}
            )
            row["parameters"] += state.layer.parameters
            row["trainable_parameters"] += state.layer.parameters if state.learns else 0
            if state.batch_norm and state.batch_norm not in row["batch_norm"]:
                row["batch_norm"].append(state.batch_norm)
        plans.append(blocks)
    return phases, plans


def _title(index: int, count: int, phase: Phase | None) -> str:
    which = "one phase" if count == 1 else f"phase {index + 1} of {count}"
    if phase is None:
        return which
    pace = f"{formats.times(phase.epochs, 'epoch')}, learning rate {phase.lr:g}"
    if phase.schedule != "constant":
        pace += f" ({phase.schedule})"
    rates = [f"{block} ×{rate:g}" for block, rate in phase.block_rates.items()]
    return f"{which}: {pace}" + (f"; {formats.listed(rates)}" if rates else "")


def _row(strategy: str, title: str, source: str, blocks: dict[str, Any]) -> Row:
    sizes = [row["parameters"] for row in blocks.values()]
    widths = scaled(sizes)
    boxes = []
    x = 0.0
    for (block, row), width in zip(blocks.items(), widths, strict=True):
        share = row["trainable_parameters"] / row["parameters"] if row["parameters"] else 0.0
        boxes.append(
            Box(
                block=block,
                x=round(x, 1),
                width=round(width, 1),
                parameters=formats.short_count(row["parameters"]),
                state="learns" if share == 1 else "learns in part" if share else "frozen",
                learning_width=round(width * share, 1),
                batch_norm=" + ".join(row["batch_norm"]),
            )
        )
        x += width + GAP
    learning = sum(row["trainable_parameters"] for row in blocks.values())
    share = learning / sum(sizes) if sum(sizes) else 0.0
    shown = formats.percent(share) if not 0 < share < 0.001 else "less than 0.1%"
    counts = f"{formats.count(learning)} of {formats.count(sum(sizes))} parameters learn ({shown})"
    return Row(strategy, title, counts, source, tuple(boxes), round(x - GAP, 1))


def scaled(sizes: Sequence[int]) -> list[float]:
    """Widths in proportion to the sizes, each at least :data:`LEAST`.

    What the narrow ones take beyond their share is taken from the others in proportion.
    """
    span = max(SPAN - GAP * (len(sizes) - 1), LEAST * len(sizes))
    narrow: set[int] = set()
    while True:
        rest = sum(size for index, size in enumerate(sizes) if index not in narrow)
        room = span - LEAST * len(narrow)
        widths = [
            LEAST if index in narrow or not rest else room * size / rest
            for index, size in enumerate(sizes)
        ]
        found = {index for index, width in enumerate(widths) if width < LEAST}
        if not found:
            return widths
        narrow |= found
