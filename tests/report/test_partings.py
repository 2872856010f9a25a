"""What a switched-on difference is worth, as numbers and as a figure."""

from __future__ import annotations

import math

import pytest

from ftkit.engine.compare import COMPARED_STEPS
from ftkit.history import Run, Step
from ftkit.recipe import Recipe
from ftkit.report.partings import Trial, gaps, largest, partings


def run_of(backend, losses):
    run = Run(backend, "fine-tuning")
    for number, loss in enumerate(losses):
        run.add(Step(0, 0, number, loss, 1, 2, 1e-3, 0.1))
    return run


def pair(first, second):
    return [run_of("pytorch", first), run_of("tensorflow", second)]


def trial(name="adam-epsilon", precision="fp64", apart=0.1):
    recipe = Recipe(precision=precision, differences=(name,))
    losses = [0.7, 0.5, 0.4]
    return Trial(name, recipe, pair(losses, losses), pair(losses, [0.7, 0.5 + apart, 0.4]))


def test_what_lies_between_two_runs_is_told_for_the_steps_that_both_made():
    assert gaps(pair([1.0, 2.0, 3.0], [1.0, 1.5])) == [0.0, 0.5]
    assert gaps([run_of("pytorch", [1.0])]) == []


def test_the_largest_is_that_of_the_first_forty_steps():
    same = [0.5] * COMPARED_STEPS
    assert largest(pair([*same, 9.0], [*same, 1.0])) == 0.0
    assert largest(pair([*same[1:], 9.0], [*same[1:], 1.0])) == 8.0
    assert largest(pair([], [])) is None


def test_a_loss_that_is_no_number_in_one_framework_parts_them_without_end():
    assert largest(pair([0.5, math.nan], [0.5, 0.4])) == math.inf


def test_the_precision_is_told_where_it_is_not_float64():
    assert trial().name == "adam-epsilon"
    assert trial(precision="fp32").name == "adam-epsilon, fp32"


@pytest.mark.parametrize("apart", [0.1, 0.0, math.nan, math.inf])
def test_a_trial_is_drawn_whatever_its_losses_are(apart):
    figure = partings([trial(apart=apart)])
    figure.canvas.draw()
    losses, between = figure.axes
    assert [line.get_label() for line in losses.get_lines()] == [
        "PyTorch",
        "TensorFlow",
        "matched, both",
    ]
    assert between.get_yscale() == "log"


def test_a_second_trial_adds_a_panel_with_the_largest_difference_of_each():
    figure = partings([trial(), trial("head-init", apart=0.2)])
    figure.canvas.draw()
    ranking = figure.axes[2]
    assert [item.get_text() for item in ranking.get_yticklabels()] == ["head-init", "adam-epsilon"]
    drawn = [line.get_xdata()[0] for line in ranking.get_lines()]
    assert drawn[0] == pytest.approx(0.2) and drawn[2] == pytest.approx(0.1)
