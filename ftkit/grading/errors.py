"""The one error that the grader raises for bad input."""

from __future__ import annotations


class GradingError(Exception):
    """Input that the grader cannot work with.

    The message says what was expected, what arrived and what to do.
    """
