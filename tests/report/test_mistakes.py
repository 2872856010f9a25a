"""The figure of a strategy's predictions, and the same in words."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pytest

from ftkit.report.mistakes import SHOWN, figure_of, summary_of
from ftkit.report.predictions import predictions_of


def drawn(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO(), format="png", dpi=50)
    return figure


def pictures(figure):
    """How many pictures stand among the mistakes."""
    return sum(len(axes.images) for axes in figure.subfigs[0].axes)


def test_the_figure_shows_the_surest_mistakes_a_matrix_for_each_framework_and_calibration(
    comparison,
):
    found = predictions_of(comparison, "scratch")
    figure = drawn(figure_of(found, comparison.dataset))
    assert pictures(figure) == min(SHOWN, found.count("wrong")) == SHOWN
    below = figure.subfigs[1].axes
    assert [axes.get_title() for axes in below] == ["PyTorch", "TensorFlow", "Calibration"]
    told = [int(text.get_text()) for text in below[0].texts]
    assert told == found.matrix("pytorch").ravel().tolist()
    line = below[2].get_lines()[1]
    assert list(line.get_ydata()) == [item.accuracy for item in found.bins("pytorch")]


def test_where_the_networks_look_stands_beneath_the_pictures_that_have_it(comparison):
    found = predictions_of(comparison, "scratch")
    first, second = (int(number) for number in found.chosen("wrong")[:2])
    heat = {(backend, first): np.eye(2, dtype=np.float32) for backend in found.backends}
    heat["pytorch", second] = np.eye(2, dtype=np.float32)
    figure = drawn(figure_of(found, comparison.dataset, heat))
    assert pictures(figure) == SHOWN + 3


@pytest.mark.parametrize("classes", [("a",) * 1 + ("b",), tuple("abcd"), tuple("abcdefghijklmn")])
@pytest.mark.parametrize("backends", [("pytorch",), ("pytorch", "tensorflow")])
def test_any_number_of_classes_and_frameworks_is_drawn(build, classes, backends):
    comparison = build(["scratch"], backends=backends, class_names=classes)
    drawn(figure_of(predictions_of(comparison), comparison.dataset))


def test_without_a_mistake_it_says_so(build):
    comparison = build(["scratch"])
    for run in comparison.runs:
        perfect = np.eye(2)[comparison.dataset.val.labels]
        run.end.val_probabilities[:] = perfect.tolist()
    found = predictions_of(comparison)
    assert pictures(drawn(figure_of(found, comparison.dataset))) == 0
    text = summary_of(found, comparison.dataset)
    assert "No mistake." in text and "48 right (100%), expected calibration error 0.0%" in text


def test_the_words_tell_what_was_right_what_is_apart_and_the_surest_mistakes(comparison):
    found = predictions_of(comparison, "scratch")
    lines = summary_of(found, comparison.dataset).splitlines()
    right = int(found.right[0].sum())
    assert lines[0] == "scratch on drawn-pets: 48 validation pictures."
    assert lines[1].startswith(f"PyTorch: {right} right (")
    assert "The frameworks take 0 pictures for different classes." in lines
    number = int(found.chosen("wrong")[0])
    truth = found.class_names[found.labels[number]]
    assert lines[-SHOWN].startswith(f"  {number}, {truth}: PyTorch: ")
