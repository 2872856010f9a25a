"""Plots are drawn for every odd comparison, without a warning and without global state."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from io import BytesIO

import pytest
from matplotlib.figure import Figure

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.report.plots import curves

Build = Callable[..., Comparison]
Fail = Callable[..., Run]


def drawn(figure: Figure) -> None:
    """Draws the figure with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO(), format="svg")


def lose(run: Run, value: float, start: int) -> None:
    run.steps[start:] = [dataclasses.replace(step, loss=value) for step in run.steps[start:]]


def test_each_strategy_has_a_column_with_both_frameworks(comparison: Comparison) -> None:
    figure = curves(comparison)
    drawn(figure)
    assert len(figure.axes) == 3 * 4
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["PyTorch", "TensorFlow"]
    solid, dashed = figure.axes[0].get_lines()[:2]
    assert not solid.is_dashed() and dashed.is_dashed()
    assert solid.get_color() != dashed.get_color()


def test_the_bound_ends_with_the_steps_that_it_is_about(build: Build) -> None:
    axes = curves(build(["fine-tuning"])).axes[1]
    bound = next(line for line in axes.get_lines() if line.get_label() == "bound")
    assert list(bound.get_xdata()) == [0.5, 40.5]
    assert list(bound.get_ydata()) == [1e-5, 1e-5]


def test_a_new_phase_is_marked_where_it_begins(build: Build) -> None:
    losses, _, accuracies = curves(build(["two-phase"])).axes
    assert " phase 2" in [text.get_text() for text in losses.texts]
    assert losses.texts[0].get_position()[0] == 24.5
    assert accuracies.texts[0].get_position()[0] == 2.5


def test_one_framework_has_no_row_of_differences_and_keeps_its_colour(build: Build) -> None:
    alone = curves(build(["scratch", "two-phase"], backends=["tensorflow"]))
    drawn(alone)
    assert len(alone.axes) == 2 * 2
    both = curves(build(["scratch"]))
    colours = [figure.axes[0].get_lines()[-1].get_color() for figure in (alone, both)]
    assert colours[0] == colours[1]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30, 0.0])
@pytest.mark.parametrize("start", [0, 10])
def test_losses_that_break_out_are_drawn(build: Build, value: float, start: int) -> None:
    comparison = build(["scratch", "fine-tuning"])
    for run in comparison.runs[:2]:
        lose(run, value, start)
    figure = curves(comparison)
    drawn(figure)
    said = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert ("no finite loss from step" in said) == (not math.isfinite(value))


def test_no_difference_at_all_is_drawn_at_zero_and_said(build: Build) -> None:
    comparison = build(["scratch"], shift=0.0)
    comparison.match[0] = dataclasses.replace(comparison.match[0], noise_floor=0.0)
    figure = curves(comparison)
    drawn(figure)
    axes = figure.axes[1]
    assert "exactly the same at every step" in [text.get_text() for text in axes.texts]
    assert axes.get_ylim()[0] < 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_bound_that_is_no_number_is_left_out(build: Build, value: float) -> None:
    comparison = build(["scratch"])
    comparison.match[0] = dataclasses.replace(
        comparison.match[0], bound=value, noise_floor=value, largest_difference=value
    )
    figure = curves(comparison)
    drawn(figure)
    assert "bound" not in [line.get_label() for line in figure.axes[1].get_lines()]


def test_one_step_is_drawn_as_a_point(build: Build) -> None:
    comparison = build(["scratch"])
    for run in comparison.runs:
        del run.steps[1:], run.epochs[1:]
    comparison.match[0] = dataclasses.replace(comparison.match[0], steps=1, at_step=0)
    figure = curves(comparison)
    drawn(figure)
    assert figure.axes[0].get_lines()[0].get_marker() == "o"


def test_failed_runs_are_drawn_as_far_as_they_came(build: Build, failed: Fail) -> None:
    comparison = build(["scratch", "fine-tuning"])
    comparison.runs[0] = failed("pytorch", "scratch", "boom")
    comparison.runs[1] = failed("tensorflow", "scratch", "boom")
    comparison.runs[3] = failed("tensorflow", "fine-tuning", "boom", steps=5)
    comparison.match.clear()
    drawn(curves(comparison))
    drawn(curves(comparison, dark=True))


def test_a_comparison_without_runs_is_drawn_empty(build: Build) -> None:
    comparison = build(["scratch"])
    comparison.runs.clear()
    comparison.match.clear()
    drawn(curves(comparison))


def test_plots_leave_pyplot_alone() -> None:
    code = "import sys, ftkit.report.page; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
