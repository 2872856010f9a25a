"""A sweep over freeze depths, as records, as a text table and as one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ftkit.engine.compare import COMPARED_STEPS, loss_differences
from ftkit.engine.sweep import Sweep
from ftkit.environments import BACKENDS
from ftkit.freezing import FreezePlan, resolve, trainable_parameters
from ftkit.history import Run
from ftkit.report import formats
from ftkit.report.ink import LIGHT, Ink, axes_in
from ftkit.report.kept import reasons
from ftkit.report.table import note, plain_lines, plain_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 100


@dataclass(frozen=True)
class Spread:
    """Some numbers, one for each seed.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation, over them alone (divided by ``n``).
        count: How many.
    """

    mean: float
    deviation: float
    count: int


def backends_of(sweep: Sweep) -> list[str]:
    """The frameworks that ran, in order."""
    return list(dict.fromkeys(run.backend for run in sweep.runs))


def spread(runs: Sequence[Run], value: Callable[[Run], float | None]) -> Spread | None:
    """A figure of the runs that came to their end; None where none did."""
    found = [value(run) for run in runs if run.status == "done"]
    numbers = [number for number in found if number is not None]
    if not numbers:
        return None
    return Spread(fmean(numbers), pstdev(numbers), len(numbers))


def training_seconds(run: Run) -> float:
    """Seconds of a run without the pass that it shares with others."""
    return run.seconds - run.pass_seconds


def frozen_until(sweep: Sweep, depth: int) -> str:
    """The last frozen block in words."""
    return sweep.architecture.blocks[depth - 1] if depth else "(nothing)"


def trainable(sweep: Sweep, depth: int) -> int:
    """Weights that learn at a depth."""
    return trainable_parameters(resolve(FreezePlan(depth=depth), sweep.architecture))


def parting(sweep: Sweep, depth: int) -> float | None:
    """The largest difference between the frameworks' losses over the first 40 steps, any seed."""
    both = [sweep.at(depth, backend) for backend in backends_of(sweep)]
    if len(both) < 2:
        return None
    gaps = []
    for one, other in zip(*both):
        shared = min(COMPARED_STEPS, len(one.steps), len(other.steps))
        if shared:
            gaps.append(float(loss_differences(one, other, shared).max()))
    return max(gaps, default=None)


def kept_at(sweep: Sweep, depth: int) -> str:
    """Size of the frozen blocks' output that was computed once, and where it was kept."""
    found = [item for run in sweep.runs for item in run.kept if item.boundary]
    held = [item for item in found if item.depth == depth]
    if not held:
        return formats.MISSING
    disk = any(item.place == "disk" for item in held)
    return formats.size(held[0].bytes) + ", disk" * disk


def rows(sweep: Sweep) -> list[dict[str, object]]:
    """One record per run, numbers as they are; None where a run did not get that far."""
    return [
        {
            "framework": run.backend,
            "depth": depth,
            "frozen until": frozen_until(sweep, depth),
            "trainable": trainable(sweep, depth),
            "seed": run.seed,
            "val accuracy": run.val_accuracy,
            "val loss": run.val_loss,
            "seconds": run.seconds,
            "pass seconds": run.pass_seconds,
            "status": run.status,
            "error": run.error,
        }
        for depth in sweep.depths
        for backend in backends_of(sweep)
        for run in sweep.at(depth, backend)
    ]


def text_table(sweep: Sweep) -> str:
    """A line per depth: accuracy and seconds of each framework, and how far their losses part."""
    names = backends_of(sweep)
    table = plain_table(gap=1)
    for title in ("depth", "frozen until", "trainable"):
        table.add_column(title, justify="left" if title == "frozen until" else "right")
    for what in ("accuracy", "seconds"):
        for backend in names:
            title = f"{formats.framework(backend)}\n{what}"
            table.add_column(title, justify="right", no_wrap=True)
    table.add_column("frozen\noutput", justify="right")
    if len(names) > 1:
        table.add_column("losses\npart by", justify="right")
    for depth in sweep.depths:
        cells = [str(depth), frozen_until(sweep, depth), formats.count(trainable(sweep, depth))]
        cells += [_share(spread(sweep.at(depth, name), _accuracy)) for name in names]
        cells += [_seconds(spread(sweep.at(depth, name), training_seconds)) for name in names]
        cells.append(kept_at(sweep, depth))
        if len(names) > 1:
            cells.append(formats.difference(parting(sweep, depth)))
        table.add_row(*map(Text, cells))
    said = [*remarks(sweep), *reasons(sweep.runs)]
    said += [*filter(None, map(note, sweep.runs)), *sweep.notes]
    if sweep.interrupted:
        said.append("The sweep was ended early; what it did not reach is missing.")
    lines = plain_lines(table, _WIDTH)
    for text in said:
        lines += ["", *textwrap.wrap(text, _WIDTH, subsequent_indent="  ")]
    return "\n".join(lines) + "\n"


def remarks(sweep: Sweep) -> list[str]:
    """What the numbers of the table mean, and what was shared."""
    count = len(sweep.seeds)
    spread_of = f"mean and standard deviation of {count} seeds" if count > 1 else "one seed"
    epochs = formats.times(sweep.recipe.epochs, "epoch")
    said = [f"Accuracy on the validation pictures after {epochs}, {spread_of}."]
    for backend in backends_of(sweep):
        runs = [run for run in sweep.runs if run.backend == backend]
        passes = [item for run in runs for item in run.kept if item.boundary and not item.reused]
        reused = sum(item.boundary != "" and item.reused for run in runs for item in run.kept)
        if passes:
            seconds = sum(item.seconds for item in passes)
            said.append(
                f"{formats.framework(backend)} computed what is frozen in "
                f"{formats.times(len(passes), 'pass', 'passes')} of {seconds:.1f} s together, not "
                f"in the table's seconds; {formats.times(reused, 'run')} found it there."
            )
    return said


def picture(sweep: Sweep) -> Figure:
    """Accuracy and cost against freeze depth, both frameworks, with the spread over the seeds."""
    from matplotlib.ticker import PercentFormatter

    from ftkit.report.plots import Picture

    ink = LIGHT
    figure = Picture(figsize=(max(7.2, 0.95 * len(sweep.depths)), 6.2), layout="constrained")
    figure.set_facecolor(ink.paper)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for axes in (above, below):
        axes_in(axes, ink)
    for backend in backends_of(sweep):
        _draw(above, sweep, backend, _accuracy, ink)
        _draw(below, sweep, backend, training_seconds, ink)
    above.yaxis.set_major_formatter(PercentFormatter(1))
    above.set_ylabel("validation accuracy")
    below.set_ylabel("seconds of training")
    below.set_ylim(bottom=0)
    remark = {"loc": "left", "fontsize": 9, "color": ink.faint}
    if any(run.pass_seconds for run in sweep.runs):
        below.set_title(
            "Without the pass through the frozen blocks that the depths share", **remark
        )
    below.set_xlabel("freeze depth: frozen from the picture up to this block")
    names = [ink.drawable(frozen_until(sweep, depth)) for depth in sweep.depths]
    labels = [f"{depth}\n{name}" for depth, name in zip(sweep.depths, names)]
    below.set_xticks(list(sweep.depths), labels)
    count = len(sweep.seeds)
    if count > 1:
        above.set_title(f"Mean of {count} seeds; the band is one standard deviation", **remark)
    if above.get_lines():
        above.legend(frameon=False, fontsize=9, labelcolor=ink.text)
    return figure


def _draw(
    axes: Axes,
    sweep: Sweep,
    backend: str,
    value: Callable[[Run], float | None],
    ink: Ink,
) -> None:
    found = [(depth, spread(sweep.at(depth, backend), value)) for depth in sweep.depths]
    points = [(depth, item) for depth, item in found if item is not None]
    where = [depth for depth, _ in points]
    means = [item.mean for _, item in points]
    style = ink.line(BACKENDS.index(backend), single=True)
    axes.plot(where, means, label=formats.framework(backend), **style)
    low = [item.mean - item.deviation for _, item in points]
    high = [item.mean + item.deviation for _, item in points]
    axes.fill_between(where, low, high, color=style["color"], alpha=0.18, linewidth=0)


def _accuracy(run: Run) -> float | None:
    return run.val_accuracy


def _share(found: Spread | None) -> str:
    if found is None:
        return formats.MISSING
    plus = f" ± {found.deviation * 100:.1f}" if found.count > 1 else ""
    return f"{formats.percent(found.mean)}{plus}"


def _seconds(found: Spread | None) -> str:
    return formats.MISSING if found is None else f"{found.mean:,.1f}"


def depth_records(sweep: Sweep) -> list[dict[str, Any]]:
    """What ``summary.json`` says of each depth and framework."""
    records = []
    for depth in sweep.depths:
        for backend in backends_of(sweep):
            runs = sweep.at(depth, backend)
            accuracy = spread(runs, _accuracy)
            seconds = spread(runs, training_seconds)
            records.append(
                {
                    "depth": depth,
                    "frozen_until": frozen_until(sweep, depth),
                    "backend": backend,
                    "trainable_parameters": trainable(sweep, depth),
                    "val_accuracy": accuracy and accuracy.mean,
                    "val_accuracy_deviation": accuracy and accuracy.deviation,
                    "training_seconds": seconds and seconds.mean,
                    "runs": accuracy.count if accuracy else 0,
                    "losses_part_by": parting(sweep, depth),
                }
            )
    return records
