"""Transfer learning that can be seen: one recipe, PyTorch and TensorFlow, the same numbers.

Importing ftkit imports no framework; each runs in a process of its own.
"""

from ftkit.api import Results, SweepResults, compare, events, run, sweep
from ftkit.architecture import Head
from ftkit.errors import FtkitError
from ftkit.freezing import FreezePlan
from ftkit.recipe import Phase, Recipe
from ftkit.version import __version__

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
