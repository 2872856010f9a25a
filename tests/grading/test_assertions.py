"""What tests of exercises assert with."""

from __future__ import annotations

import numpy as np
import pytest

from ftkit.grading.assertions import assert_close


@pytest.mark.parametrize(
    ("actual", "wanted", "tolerance"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-9], {}),
        (2, 2.0, {}),
        ([True, False], np.array([True, False]), {}),
        (np.array([True, False]), [1.0, 0.0], {}),
        (1 + 1j, 1 + 1j, {}),
        ([3], [4], {"atol": 1}),
    ],
)
def test_what_is_close_passes(actual, wanted, tolerance):
    assert_close(actual, wanted, **tolerance)


@pytest.mark.parametrize(
    ("actual", "wanted", "tolerance"),
    [
        (3.0, [3.0, 3.0], {}),
        ([np.nan], [np.nan], {}),
        ([np.inf], [1.0], {"atol": 1e300}),
        ("3", 3.0, {}),
        (np.array([None]), [0.0], {}),
        (np.array([-(2**63)]), np.array([0]), {}),  # its absolute value is itself
        (np.uint8([0]), np.uint8([255]), {"atol": 1}),  # wraps around
        (np.array([True]), np.array([False]), {}),
    ],
)
def test_what_is_not_close_fails(actual, wanted, tolerance):
    with pytest.raises(AssertionError, match="Expected"):
        assert_close(actual, wanted, **tolerance)
