"""The verdict on the match: did both frameworks compute the same, and how is that known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ftkit.engine.compare import NOISE_FACTOR
from ftkit.engine.comparison import Comparison, Match, computed_in
from ftkit.history import Run
from ftkit.report.formats import difference, framework, listed, percent, times

_VISIBLE = 1e-3
"""A noise floor above this shows in the curves and in the predictions."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said about the match as a whole.

    Attributes:
        state: ``"holds"``, ``"parts"``, or ``"none"`` where nothing can be compared.
        headline: The verdict in a few words.
        sentence: The verdict in a plain sentence.
    """

    state: Literal["holds", "parts", "none"]
    headline: str
    sentence: str


def match_lines(comparison: Comparison) -> list[str]:
    """The verdict on the match, line by line.

    Returns:
        One line per strategy that ran in two frameworks, with the difference, the bound and where
        it comes from; then the verdict as a whole.
    """
    lines = [match_line(match) for match in comparison.match]
    return [*lines, verdict(comparison).sentence]


def match_line(match: Match) -> str:
    """What was found in one strategy."""
    first, second = (framework(backend) for backend in match.backends)
    parts = [f"{match.strategy}: {first} and {second} {_found(match)}"]
    if match.holds is None:
        parts.append(f"No bound applies: {match.rule}." if match.rule else "No bound applies.")
    else:
        said = "within" if match.holds else "beyond"
        parts.append(f"That is {said} the bound of {difference(match.bound)} ({match.rule}).")
    if match.noise_floor is not None:
        parts.append(f"Noise floor {difference(match.noise_floor)}.")
        if match.holds is False and match.largest_difference <= NOISE_FACTOR * match.noise_floor:
            parts.append("Rounding alone moves this run as far: it is chaotic.")
    if match.same_predictions is not None:
        same = percent(match.same_predictions)
        parts.append(f"Same prediction for {same} of the validation pictures.")
    return " ".join(parts)


def verdict(comparison: Comparison) -> Verdict:
    """The verdict over all strategies: one that parts outweighs any that hold."""
    parted = [match for match in comparison.match if match.holds is not None and not match.holds]
    held = [match.strategy for match in comparison.match if match.holds]
    open_ = _not_compared(comparison)
    if parted:
        worst = listed([f"{match.strategy} ({_excess(match)})" for match in parted])
        names = listed([framework(backend) for backend in parted[0].backends])
        return Verdict("parts", "The frameworks part", f"{names} part in {worst}.")
    if not held:
        because = "; ".join(dict.fromkeys(open_.values())) or "no strategy was run"
        return Verdict("none", "Not comparable", f"Not comparable, because {because}.")
    sentence = f"The match holds in {listed(held)}.{_chaos(comparison)}"
    for reason in dict.fromkeys(open_.values()):
        names = listed([strategy for strategy, why in open_.items() if why == reason])
        sentence += f" Nothing is claimed about {names}, because {reason}."
    return Verdict("holds", "The match holds", sentence)


def _chaos(comparison: Comparison) -> str:
    """That a match which holds may still look parted, where rounding alone parts the runs."""
    chaotic = [
        match for match in comparison.match if match.holds and (match.noise_floor or 0) > _VISIBLE
    ]
    if not chaotic:
        return ""
    names = listed([match.strategy for match in chaotic])
    most = difference(max(match.noise_floor or 0 for match in chaotic))
    return (
        f" In {names} rounding alone parts a run from itself by up to {most}: training is chaotic "
        "there, and the curves drift apart. In float64 (--precision fp64) they stay together "
        "much longer."
    )


def _found(match: Match) -> str:
    if match.steps == 0:
        return "have no step in common."
    where = f"the first {times(match.steps, 'step')}" if match.steps > 1 else "the first step"
    if match.largest_difference == 0:
        return f"have exactly the same loss over {where}."
    if not math.isfinite(match.largest_difference):
        return f"cannot be compared over {where}: a loss is not a number."
    at = f" (at step {match.at_step + 1})" if match.steps > 1 else ""
    most = difference(match.largest_difference)
    return f"differ by at most {most} in the loss over {where}{at}."


def _excess(match: Match) -> str:
    """By how much a match is missed, and where."""
    if not math.isfinite(match.largest_difference):
        return f"a loss is not a number at step {match.at_step + 1}"
    if match.largest_difference <= match.bound:
        return f"same prediction for only {percent(match.same_predictions)} of the pictures"
    most, bound = difference(match.largest_difference), difference(match.bound)
    return f"the loss differs by {most} at step {match.at_step + 1}, where {bound} is allowed"


def _not_compared(comparison: Comparison) -> dict[str, str]:
    """Strategies about which nothing can be said, each with the reason."""
    compared = {match.strategy for match in comparison.match if match.holds is not None}
    reasons: dict[str, str] = {}
    for strategy in dict.fromkeys(run.strategy for run in comparison.runs):
        if strategy not in compared:
            runs = [run for run in comparison.runs if run.strategy == strategy]
            reasons[strategy] = _reason(comparison, runs)
    return reasons


def _reason(comparison: Comparison, runs: list[Run]) -> str:
    broken = [run for run in runs if run.status != "done"]
    if len({run.backend for run in runs}) < 2:
        return f"only {framework(runs[0].backend)} ran"
    if broken:
        states = {"failed": "failed", "stopped": "was stopped", "running": "is still running"}
        run = broken[0]
        return f"{framework(run.backend)} {states[run.status]} in {run.strategy}"
    if comparison.interrupted:
        return "the comparison was ended early"
    if comparison.recipe.differences:
        names = listed(list(comparison.recipe.differences))
        return f"the recipe switches on what the frameworks do differently: {names}"
    if computed_in(comparison.recipe, runs) == "bf16":
        return "bfloat16 rounds to three digits: the contract is about fp32 and fp64"
    if comparison.recipe.weights_of(runs[0].strategy) == "native":
        return "each framework ran the network and the weights of its own zoo (--weights native)"
    if any(run.end and "cpu" not in run.end.device.lower() for run in runs):
        return "it ran on a GPU, where sums are taken in no fixed order"
    return "the contract says nothing about such a run"
