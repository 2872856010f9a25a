"""Names and numbers as people read them, the same in every table, plot and page."""

from __future__ import annotations

import math

_TITLES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
MISSING = "-"


def framework(backend: str) -> str:
    """``"pytorch"`` as the framework writes itself: ``"PyTorch"``."""
    return _TITLES.get(backend, backend)


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; only a whole is called ``100%``."""
    if share is None:
        return MISSING
    if not math.isfinite(share):
        return "NaN"
    if share == 1:
        return "100%"
    return f"{min(share * 100, 99.9) if share < 1 else share * 100:.1f}%"


def count(number: int | None) -> str:
    """A whole number with its thousands set apart: ``2,799,394``."""
    return MISSING if number is None else f"{number:,}"


def short_count(number: int | None) -> str:
    """A whole number in at most five characters: ``514``, ``74.0K``, ``2.80M``."""
    if number is None:
        return MISSING
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        # 999,950 would round to 1000.0K, so a unit begins a little below its own size.
        if number >= size * 0.99995 and number >= 1000:
            scaled = number / size
            return f"{scaled:.2f}{unit}" if scaled < 9.995 else f"{scaled:.1f}{unit}"
    return str(number)


def loss(value: float | None) -> str:
    """A loss with four decimals, or three digits where it is large."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.3g}"


def difference(value: float | None) -> str:
    """A small difference with two digits: ``3.1e-07``; ``0`` is exact."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    return "0" if value == 0 else f"{value:.1e}"


def rate(value: float | None) -> str:
    """Pictures per second, or any number of which three digits are enough."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def listed(names: list[str]) -> str:
    """Names in a sentence: ``"a, b and c"``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def times(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: ``"1 step"``, ``"40 steps"``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def size(number: int) -> str:
    """Bytes in a unit that leaves at most four digits: ``"820 kB"``, ``"2.7 GB"``."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= factor:
            return (
                f"{number / factor:,.1f} {unit}"
                if number < 10 * factor
                else (f"{number / factor:,.0f} {unit}")
            )
    return f"{number} B"
