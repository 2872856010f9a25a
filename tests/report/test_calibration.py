"""Reliability diagrams and their error, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.report.calibration import Bin, calibration_error, reliability


def test_predictions_are_gathered_by_confidence_with_their_means():
    confidence = np.array([0.55, 0.59, 0.95, 0.91, 0.93])
    right = np.array([True, False, True, True, False])
    first, second = reliability(confidence, right)
    assert (first.low, first.high, first.pictures, first.accuracy) == (0.5, 0.6, 2, 0.5)
    assert first.confidence == pytest.approx(0.57)
    assert (second.pictures, second.accuracy) == (3, pytest.approx(2 / 3))
    assert second.confidence == pytest.approx(0.93)


def test_a_bin_holds_its_upper_bound_and_not_its_lower():
    found = reliability(np.array([0.0, 0.5, 0.5000001, 1.0]), np.ones(4, bool), bins=2)
    assert [(item.low, item.high, item.pictures) for item in found] == [(0, 0.5, 2), (0.5, 1, 2)]


def test_the_error_weighs_each_bin_by_its_pictures():
    found = [Bin(0.5, 0.6, 1, 0.6, 0.0), Bin(0.9, 1.0, 3, 0.9, 1.0)]
    assert calibration_error(found) == pytest.approx((1 * 0.6 + 3 * 0.1) / 4)


def test_who_is_right_as_often_as_he_says_has_no_error():
    confidence = np.full(100, 0.75)
    right = np.arange(100) % 4 > 0
    assert calibration_error(reliability(confidence, right)) == pytest.approx(0)
    assert calibration_error(reliability(confidence, ~right)) == pytest.approx(0.5)


def test_what_is_no_number_counts_nowhere():
    found = reliability(np.array([np.nan, 0.8]), np.array([True, False]))
    assert [item.pictures for item in found] == [1]
    assert calibration_error(reliability(np.array([np.nan]), np.array([True]))) is None
