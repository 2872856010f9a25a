"""What a comparison found: the runs of each framework, and whether they match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftkit.data.dataset import Dataset
from ftkit.history import Run
from ftkit.recipe import Recipe


@dataclass(frozen=True)
class Match:
    """How far two frameworks parted in one strategy, and how far they may.

    Attributes:
        strategy: The recipe's name for it.
        backends: The two frameworks.
        steps: Steps compared from the start: the contract speaks of the first 40.
        largest_difference: Largest absolute difference of the loss at any of them.
        at_step: Where it was, from 0.
        largest_difference_of_run: The same over all steps that both runs made.
        noise_floor: Largest difference at any of those steps when the same framework runs again
            with every initial weight moved by one unit in the last place, in up to eight ways
            (see :func:`ftkit.engine.compare.noise_floor`); None where neither the contract nor
            an explanation needs one.
        bound: The largest difference that the contract allows.
        rule: How the bound comes about, in words.
        same_predictions: Share of the validation pictures that both runs give the same label.
        holds: Whether the difference is within the bound; None where the contract says nothing
            about the run, such as on a GPU or with a difference switched on.
    """

    strategy: str
    backends: tuple[str, str]
    steps: int
    largest_difference: float
    at_step: int
    largest_difference_of_run: float
    noise_floor: float | None
    bound: float
    rule: str
    same_predictions: float | None
    holds: bool | None

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON types."""
        return asdict(self)


@dataclass
class Comparison:
    """Everything that a comparison found.

    Attributes:
        recipe: What was run.
        dataset: The pictures that it was run on.
        runs: One record per framework and strategy, in the order of running.
        match: One record per strategy that ran in two frameworks.
        interrupted: Whether it was ended early by Ctrl-C.
        notes: What there is to tell about the weights.
    """

    recipe: Recipe
    dataset: Dataset
    runs: list[Run]
    match: list[Match]
    interrupted: bool = False
    notes: tuple[str, ...] = ()


def computed_in(recipe: Recipe, runs: Sequence[Run]) -> str:
    """The precision of some runs of a recipe: what ``"auto"`` came to, ``"bf16"`` if it did once.

    Args:
        recipe: The recipe.
        runs: Those that have ended tell it.
    """
    told = {run.end.precision for run in runs if run.end}
    if recipe.precision != "auto":
        return recipe.precision
    return "fp32" if told == {"fp32"} else "bf16"
