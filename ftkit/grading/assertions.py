"""What tests assert with: no broadcasting, and no number that hides another."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_close(actual: Any, wanted: Any, rtol: float = 1e-7, atol: float = 0.0) -> None:
    """Checks that two arrays have one shape and, number by number, nearly one value.

    Unlike ``numpy.testing.assert_allclose`` it takes no scalar for an array; NaN is close to
    nothing, and neither objects nor text count as numbers.

    Args:
        actual: What arrived.
        wanted: What was expected, of the same shape.
        rtol: Largest difference in parts of ``wanted``.
        atol: Largest difference, added to that.

    Raises:
        AssertionError: If they differ; the message says where.
    """
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    if actual.dtype.kind not in "biufc":
        raise AssertionError(f"Expected numbers; got {actual.dtype}.")
    if actual.shape != wanted.shape:
        raise AssertionError(f"Expected shape {wanted.shape}; got {actual.shape}.")
    kind = np.result_type(actual, wanted)
    if kind.kind in "biu":  # whole numbers wrap around, and booleans have no difference
        kind = np.dtype(float)
    near = np.abs(np.subtract(actual, wanted, dtype=kind)) <= atol + rtol * np.abs(wanted)
    if not near.all():
        at = tuple(int(i) for i in np.argwhere(~near)[0])
        place = f" at {list(at)}" if at else ""
        raise AssertionError(
            f"Expected {wanted[at]:.6g}{place}; got {actual[at]:.6g}. "
            f"{int((~near).sum())} of {near.size} numbers differ."
        )
