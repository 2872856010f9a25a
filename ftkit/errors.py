"""The one error that ftkit raises for bad input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FtkitError(Exception):
    """Input that ftkit cannot work with.

    The message says what was expected, what arrived and what to do. The command line prints it
    without a traceback and exits with code 2.
    """


class RunBrokeOff(FtkitError):
    """A run that had to end did not; the command line exits with code 1."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> FtkitError:
    """The error for a name that is not in a list, with the nearest name that is.

    Args:
        kind: What is named, in the singular: ``"backbone"``.
        name: What arrived.
        known: Every name that would have been right.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return FtkitError(f"Unknown {kind} {name!r}.{hint} Choose one of: {', '.join(names)}.")
