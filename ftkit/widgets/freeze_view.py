"""What a page shows of a freeze lab, as plain records: the network, each depth, runs and rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ftkit.data.batches import views_ahead
from ftkit.engine.compare import Experiment
from ftkit.engine.estimate import Speed, need_of, work_of
from ftkit.engine.sweep import strategy_of
from ftkit.freezing import POLICIES, resolve, still_depth, trainable_parameters
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.report import formats
from ftkit.widgets.background import bar_view

POINTS = 300
"""Points of a curve that a page gets at most."""


@dataclass
class Row:
    """One press of Train: what was asked, and what came of it.

    Attributes:
        number: Its own, from 1.
        name: What the learner calls it.
        recipe: What was run.
        strategy: Which of its strategies.
        runs: One for each framework.
    """

    number: int
    name: str
    recipe: Recipe
    strategy: str
    runs: list[Run]


def view_of(experiment: Experiment) -> dict[str, Any]:
    """What a page shows of the network and the pictures, whatever is chosen."""
    network, dataset = experiment.architecture, experiment.dataset
    costs = network.multiplications(dataset.image_size)
    names = [*network.blocks, network.head_block]
    parameters = dict.fromkeys(names, 0)
    for layer in network.layers:
        parameters[layer.block] += layer.parameters
    return {
        "backbone": network.name,
        "data": experiment.recipe.data,
        "train": len(dataset.train),
        "val": len(dataset.val),
        "classes": list(dataset.class_names),
        "size": dataset.image_size,
        "blocks": [
            {
                "name": name,
                "parameters": parameters[name],
                "share": parameters[name] / network.parameters,
                "said": formats.short_count(parameters[name]),
                "cost": costs[name] / max(1, sum(costs.values())),
                "multiplications": formats.short_count(costs[name]),
            }
            for name in names
        ],
        "total": network.parameters,
        "backends": list(experiment.backends),
        "policies": list(POLICIES),
    }


def figures_of(
    experiment: Experiment, recipe: Recipe, speeds: Mapping[str, Speed]
) -> dict[str, list[dict[str, Any]]]:
    """What each freeze depth costs, by the policy of frozen batch norm.

    Args:
        experiment: The pictures and the network.
        recipe: What is to run, but for these two.
        speeds: How fast each framework is, as far as it is known.

    Returns:
        For each policy a line for each depth: :func:`cost_of` the depth alone, and as
        ``two_phase`` that of a phase of the head before it. ``of`` tells for which epochs and
        policy of the other batch norms.
    """
    of = {"epochs": recipe.epochs, "learning": recipe.batch_norm}
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in POLICIES:
        found[policy] = []
        for depth in range(len(experiment.architecture.blocks) + 1):
            own = replace(recipe, frozen_batch_norm=policy, freeze_depth=depth)
            alone = cost_of(experiment, own, strategy_of(depth), speeds)
            both = cost_of(experiment, own, "two-phase", speeds)
            found[policy].append({"depth": depth, "of": of, **alone, "two_phase": both})
    return found


def cost_of(
    experiment: Experiment, recipe: Recipe, strategy: str, speeds: Mapping[str, Speed]
) -> dict[str, Any]:
    """What a strategy costs: what learns, what is kept, seconds and memory over its phases.

    ``trainable`` and ``frozen`` are those of the last phase, ``phases`` has what learns in each.
    """
    network, dataset = experiment.architecture, experiment.dataset
    views = views_ahead(recipe)
    count = views.count if views else 0
    sizes = (network, dataset.image_size, recipe.batch_size, len(dataset.train), len(dataset.val))
    phases = recipe.phases_of(strategy, network)
    states = [resolve(phase.freeze, network) for phase in phases]
    works = [work_of(phase, *sizes, count) for phase in phases]
    # The first pass keeps on its way what shallower phases after it need.
    works[1:] = [replace(work, once=0.0) for work in works[1:]]
    needs = [need_of(item, *sizes, recipe.optimizer, count, recipe.precision) for item in phases]
    learns = [trainable_parameters(found) for found in states]
    kept = [
        network.boundary_name(still_depth(found, network))
        for found, need in zip(states, needs)
        if need.kept
    ]
    return {
        "trainable": learns[-1],
        "frozen": network.parameters - learns[-1],
        "phases": learns,
        "kept": ", then up to ".join(dict.fromkeys(kept)),
        "seconds": {name: sum(map(speed.seconds, works)) for name, speed in speeds.items()},
        "memory": max(need.total for need in needs),
    }


def live_view(row: Row | None, note: str = "", waiting: bool = False) -> dict[str, Any]:
    """What a page shows of the run in progress.

    Args:
        row: The run; None if there is none.
        note: What else there is to say.
        waiting: Whether a run waits for its turn.
    """
    if row is None:
        return {"running": False, "waiting": waiting, "note": note}
    return {
        "running": True,
        "waiting": False,
        "note": note,
        "bars": [bar_view(run) for run in row.runs],
        "runs": [run_view(run) for run in row.runs],
    }


def run_view(run: Run) -> dict[str, Any]:
    """A run as a page draws it."""
    ends = {step.epoch: step.step + 1 for step in run.steps}
    return {
        "backend": run.backend,
        "status": run.status,
        "total": run.phases[-1].run_steps if run.phases else 0,
        "loss": thinned([[step.step + 1, step.loss] for step in run.steps]),
        "accuracy": [[ends.get(item.epoch, 0), item.val_accuracy] for item in run.epochs],
        "seconds": run.seconds,
    }


def thinned(points: list[list[float]], most: int = POINTS) -> list[list[float | None]]:
    """At most so many of the points, the last among them; numbers to five digits.

    What is not finite becomes None: JSON has no word for it.
    """
    stride = -(-len(points) // most) if points else 1
    chosen = points[::-1][::stride][::-1]
    return [[at, float(f"{value:.5g}") if math.isfinite(value) else None] for at, value in chosen]


def row_view(row: Row) -> dict[str, Any]:
    """A row of the table, with its curves."""
    first = row.runs[0]
    return {
        "number": row.number,
        "name": row.name,
        "depth": first.freeze_depth,
        "trainable": first.trainable_parameters,
        "epochs": len(first.epochs),
        "runs": [
            {**run_view(run), "val": run.val_accuracy, "audit": audit_of(run)} for run in row.runs
        ],
    }


def audit_of(run: Run) -> str:
    """What the audits of a run say in a few words."""
    if not run.audits:
        return "no phase was finished"
    if all(audit["holds"] for audit in run.audits):
        return "what was frozen stayed bit-equal"
    strayed = sum(len(audit["strayed"]) for audit in run.audits)
    return f"{formats.times(strayed, 'tensor')} moved that should not have"
