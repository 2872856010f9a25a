"""Which pictures a filter or a cell of a confusion matrix finds, and in what order."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.errors import FtkitError
from ftkit.report.predictions import (
    Cell,
    Predictions,
    guesses,
    predictions_of,
    readable_strategies,
)

# Six pictures: both sure and right; both sure and wrong; both hardly right; apart; both right;
# both hardly wrong. Rows: the probability of class 1.
TRUTH = np.array([1, 0, 1, 0, 0, 1])
ONES = np.array([[0.99, 0.95, 0.55, 0.30, 0.25, 0.45], [0.98, 0.97, 0.52, 0.85, 0.24, 0.45]])


def made(ones=ONES, backends=("pytorch", "tensorflow")):
    predicted = (ones > 0.5).astype(np.int64)
    confidence = np.where(predicted, ones, 1 - ones)
    margin = 2 * confidence - 1
    return Predictions("s", backends, ("cat", "dog"), TRUTH, predicted, confidence, margin)


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        ("right", [0, 4, 2]),
        ("wrong", [1, 3, 5]),
        ("uncertain", [2, 5]),
        ("disagree", [3]),
    ],
)
def test_a_filter_finds_its_pictures_in_its_order(which, numbers):
    assert made().chosen(which).tolist() == numbers
    assert made().count(which) == len(numbers)


def test_a_mistake_of_one_framework_alone_ranks_by_its_own_confidence():
    ones = np.array([[0.9, 0.1, 0.9, 0.1, 0.1, 0.9], [0.2, 0.1, 0.9, 0.7, 0.1, 0.9]])
    assert made(ones).chosen("wrong").tolist() == [0, 3]


def test_a_cell_finds_what_its_framework_took_for_that_class():
    assert made().chosen("all", Cell("tensorflow", 0, 1)).tolist() == [1, 3]
    assert made().chosen("all", Cell("pytorch", 0, 1)).tolist() == [1]
    assert made().chosen("disagree", Cell("pytorch", 0, 1)).tolist() == []


def test_the_cells_of_a_matrix_hold_as_many_pictures_as_they_say():
    found = made()
    for backend in found.backends:
        matrix = found.matrix(backend)
        for truth in range(2):
            for predicted in range(2):
                cell = Cell(backend, truth, predicted)
                assert len(found.chosen("all", cell)) == matrix[truth, predicted]
        assert matrix.sum() == len(TRUTH)


def test_no_filter_of_that_name():
    with pytest.raises(FtkitError, match=r"Unknown filter 'worng'. Did you mean 'wrong'\?"):
        made().chosen("worng")


def test_a_network_that_diverged_is_never_sure_and_breaks_nothing():
    found = made(np.where(np.arange(6) == 0, np.nan, ONES))
    assert np.isnan(found.confidence[0, 0])
    assert found.chosen("wrong").tolist() == [1, 3, 5, 0]
    assert "NaN" in guesses(found, 0)[0]


def test_predictions_are_those_of_the_runs_that_ended(comparison):
    found = predictions_of(comparison, "fine-tuning")
    runs = [run for run in comparison.runs if run.strategy == "fine-tuning"]
    assert found.backends == tuple(run.backend for run in runs)
    for row, run in enumerate(runs):
        assert found.predicted[row].tolist() == run.val_predictions
        odds = np.array(run.end.val_probabilities)
        assert np.array_equal(found.confidence[row], odds.max(1))
        np.testing.assert_allclose(found.margin[row], np.abs(odds[:, 0] - odds[:, 1]))


def test_without_a_name_it_is_the_most_accurate_strategy(comparison):
    assert readable_strategies(comparison) == list(comparison.recipe.strategies)
    assert predictions_of(comparison).strategy == "fine-tuning"


def test_what_cannot_be_read_is_refused(build, failed):
    broken = build(["scratch"])
    broken.runs = [failed("pytorch", "scratch", "it broke", steps=3)]
    with pytest.raises(FtkitError, match="Expected results with predictions"):
        predictions_of(broken)
    with pytest.raises(FtkitError, match="Unknown strategy with predictions 'two-phase'"):
        predictions_of(build(["scratch"]), "two-phase")


def test_one_framework_that_failed_leaves_the_other(build, failed):
    half = build(["scratch"])
    half.runs[0] = failed("pytorch", "scratch", "it broke")
    found = predictions_of(half)
    assert found.backends == ("tensorflow",)
    assert found.count("disagree") == 0
