"""A comparison as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import base64
import json
import math
from io import BytesIO
from typing import Any

import jinja2
import matplotlib

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.report import formats
from ftkit.report.confusion import WRITTEN_OUT, confusion_matrix, most_confused
from ftkit.report.freeze_diagram import diagram
from ftkit.report.kept import kept_columns, kept_rows, reasons
from ftkit.report.plots import curves
from ftkit.report.samples import best_strategy, finished, samples
from ftkit.report.table import by_strategy, notes
from ftkit.report.verdict import verdict

_MOST_STEPS = 500
"""With more steps than this, curves are drawn in pixels, which take less room than lines."""

_EXPLAINED = {
    "scratch": "starts from random weights and trains all of them: what there is to beat.",
    "feature-extraction": "keeps the pretrained backbone as it is and trains a new head on it.",
    "fine-tuning": "trains the new head and the pretrained blocks together.",
    "two-phase": "trains the head alone first, then also the last blocks at a lower rate.",
    "custom": "follows the phases that the recipe lists.",
}


def page(comparison: Comparison) -> str:
    """The report as HTML.

    Args:
        comparison: What to report.

    Returns:
        The whole file. Names of classes, files and errors are escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ftkit.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["fmt"] = formats
    strategies = list(dict.fromkeys(run.strategy for run in comparison.runs))
    shown = best_strategy(comparison)
    return environment.get_template("page.html.j2").render(
        recipe=comparison.recipe,
        dataset=comparison.dataset,
        runs=by_strategy(comparison),
        frameworks=_frameworks(comparison),
        sentence=_sentence(comparison),
        verdict=verdict(comparison),
        matches=comparison.match,
        explained=[(name, _EXPLAINED[name]) for name in strategies if name in _EXPLAINED],
        facts=_facts(comparison),
        notes=notes(comparison),
        strategies=strategies,
        curves=[_curves(comparison, strategy) for strategy in strategies],
        diagram=diagram(comparison),
        kept_columns=kept_columns(),
        kept=kept_rows(by_strategy(comparison)),
        computed_again=reasons(by_strategy(comparison)),
        samples_of=shown,
        samples=samples(comparison, shown) if shown else [],
        confusions=[item for strategy in strategies for item in _confusions(comparison, strategy)],
        machines=_machines(comparison),
        recipe_json=json.dumps(comparison.recipe.to_dict(), indent=2, ensure_ascii=False),
    )


def _frameworks(comparison: Comparison) -> list[str]:
    return [formats.framework(name) for name in dict.fromkeys(r.backend for r in comparison.runs)]


def _sentence(comparison: Comparison) -> str:
    """The recipe in a sentence."""
    recipe, dataset = comparison.recipe, comparison.dataset
    size = dataset.image_size
    return (
        f"{_start(recipe)} learns to tell {_classes(dataset.class_names)} apart from "
        f"{formats.times(len(dataset.train), 'training picture')} of {size} × {size} pixels and "
        f"is judged by {formats.times(len(dataset.val), 'validation picture')}. "
        f"{_pace(recipe)}"
    )


def _start(recipe: Recipe) -> str:
    if set(recipe.strategies) == {"scratch"} or recipe.weights == "random":
        return f"A {recipe.backbone} with random weights"
    return f"A {recipe.backbone} with pretrained weights ({recipe.weights})"


def _classes(names: tuple[str, ...]) -> str:
    return formats.listed(list(names)) if len(names) <= 6 else f"{len(names)} classes"


def _pace(recipe: Recipe) -> str:
    epochs = "" if recipe.phases else f"{formats.times(recipe.epochs, 'epoch')} in "
    return (
        f"It is trained with {recipe.optimizer}, {epochs}batches of {recipe.batch_size}, "
        f"at a learning rate of {recipe.learning_rate:g}, in {recipe.precision}, "
        f"with seed {recipe.seed}."
    )


def _facts(comparison: Comparison) -> list[tuple[str, str, str]]:
    """A few numbers to begin with, each as label, value and remark."""
    facts = []
    done = [run for run in comparison.runs if run.val_accuracy is not None]
    if done:
        best = max(done, key=lambda run: run.val_accuracy or 0.0)
        where = f"{formats.framework(best.backend)}, {best.strategy}"
        facts.append(("Best validation accuracy", formats.percent(best.val_accuracy), where))
    found = [item for item in comparison.match if math.isfinite(item.largest_difference)]
    if found:
        worst = max(found, key=lambda item: item.largest_difference)
        remark = f"{worst.strategy}, first {formats.times(worst.steps, 'step')}"
        value = formats.difference(worst.largest_difference)
        facts.append(("Largest difference of the loss", value, remark))
    same = [item for item in comparison.match if item.same_predictions is not None]
    if same:
        least = min(same, key=lambda item: item.same_predictions or 0.0)
        value = formats.percent(least.same_predictions)
        facts.append(("Same predictions", value, f"at least, in {least.strategy}"))
    audited = [run for run in comparison.runs if run.audits]
    if audited:
        held = sum(all(audit["holds"] for audit in run.audits) for run in audited)
        value = f"{held} of {len(audited)}"
        facts.append(("Runs whose freeze audit holds", value, "only what may learn has moved"))
    return facts


def _curves(comparison: Comparison, strategy: str) -> dict[str, str]:
    """The curves of one strategy for light and dark pages, and in words."""
    pictures = {}
    runs = [run for run in comparison.runs if run.strategy == strategy]
    crowded = any(len(run.steps) > _MOST_STEPS for run in runs)
    for name, dark in (("light", False), ("dark", True)):
        buffer = BytesIO()
        # Fixed identifiers and no date: the same comparison gives the same file.
        with matplotlib.rc_context({"svg.hashsalt": "ftkit"}):
            figure = curves(comparison, [strategy], dark=dark)
            if crowded:
                figure.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
            else:
                figure.savefig(buffer, format="svg", metadata={"Date": None})
        encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
        pictures[name] = f"data:image/{'png' if crowded else 'svg+xml'};base64,{encoded}"
    said = [_in_words(run) for run in runs]
    return {"strategy": strategy, "words": f"Curves of {strategy}. {' '.join(said)}", **pictures}


def _in_words(run: Run) -> str:
    name = formats.framework(run.backend)
    if not run.steps:
        return f"{name} made no step."
    first, last = formats.loss(run.steps[0].loss), formats.loss(run.steps[-1].loss)
    made = formats.times(len(run.steps), "step")
    said = f"{name}: training loss from {first} to {last} in {made}"
    if run.val_accuracy is None:
        return f"{said}."
    return f"{said}, validation accuracy {formats.percent(run.val_accuracy)} at the end."


def _confusions(comparison: Comparison, strategy: str) -> list[dict[str, Any]]:
    """The confusion matrix of each finished run, or its worst pairs."""
    names = comparison.dataset.class_names
    items = []
    for run in finished(comparison, strategy):
        labels = comparison.dataset.val.labels
        matrix = confusion_matrix(labels, run.val_predictions, len(names))
        items.append(
            {
                "title": f"{formats.framework(run.backend)}, {strategy}",
                "right": int(matrix.trace()),
                "of": int(matrix.sum()),
                "rows": matrix.tolist() if len(names) <= WRITTEN_OUT else None,
                "pairs": most_confused(matrix, names),
            }
        )
    return items


def _machines(comparison: Comparison) -> list[dict[str, Any]]:
    """Device and versions of each framework, once each."""
    found: list[dict[str, Any]] = []
    for run in comparison.runs:
        if run.end:
            versions = ", ".join(f"{name} {value}" for name, value in run.end.versions.items())
            name = formats.framework(run.backend)
            device = f"{run.end.device} in {run.end.precision}"
            item = {"framework": name, "device": device, "versions": versions}
            if item not in found:
                found.append(item)
    return found
