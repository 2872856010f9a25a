"""What differs from student to student: a master's parameters, and who has which values of them.

A master declares parameters in its first cell, ``variants={"errors": [2, 1, 3], "seed": 10000}``;
``{{errors}}`` in a cell, a title or a hint is the place of a value. A list holds the values that
there are, a whole number N stands for the seeds from 0 to N - 1. The first value is the default,
which the exercise has as long as nobody asks for variants; students' variants draw from the others,
so that what is known of the default helps with none of them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ftkit.grading.errors import GradingError

if TYPE_CHECKING:
    from ftkit.grading.master import Cell, Exercise

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PLACE = re.compile(rf"\{{\{{\s*({_NAME})((?:\.{_NAME})*)\s*\}}\}}")


def check(declared: dict[str, Any], cells: Iterable[Cell]) -> None:
    """Checks what a master declares, and that its cells use that and nothing else.

    Raises:
        GradingError: If a parameter has too few values, or a place no parameter.
    """
    for name, values in declared.items():
        plain = isinstance(values, int) and not isinstance(values, bool)
        told = values if isinstance(values, list) else [_written(values)] if not plain else []
        distinct = {_written(value) for value in told}
        keys = {tuple(value) if isinstance(value, dict) else () for value in told}
        enough = values >= 3 if plain else len(distinct) == len(told) >= 3
        if not re.fullmatch(_NAME, name) or not enough or len(keys) > 1:
            raise GradingError(
                f"Variant {name!r}: expected three values or more, all different, objects with "
                "the same keys in the same order, or a whole number of seeds from 3 on; got "
                f"{_written(values)}. The first is the default; variants draw from the others."
            )
    used = {place[1] for cell in cells for text in _texts(cell) for place in _PLACE.finditer(text)}
    for name in sorted(used.symmetric_difference(declared)):
        raise GradingError(
            f"Variant {name!r} is declared, but no cell has {{{{{name}}}}}."
            if name in declared
            else f"{{{{{name}}}}} stands in a cell, but the first cell declares no such variant."
        )


def default(declared: dict[str, Any]) -> dict[str, Any]:
    """The values without variants: each parameter's first."""
    return {name: _alternatives(values)[0] for name, values in declared.items()}


def drawn(exercise: Exercise, student: str, secret: str) -> dict[str, Any]:
    """A student's values, the same each time, which nobody can tell without the secret."""
    made = {}
    for name, values in exercise.variants.items():
        message = json.dumps([exercise.name, student, name]).encode()
        number = int.from_bytes(hmac.digest(secret.encode(), message, hashlib.sha256), "big")
        others = _alternatives(values)[1:]
        made[name] = others[number % len(others)]
    return made


def apart(exercise: Exercise) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of variants that differ in every parameter, in which each value but a seed occurs."""
    others = {name: list(_alternatives(v)[1:][:50]) for name, v in exercise.variants.items()}
    lists = [len(o) for name, o in others.items() if isinstance(exercise.variants[name], list)]
    return [
        (
            {name: values[n % len(values)] for name, values in others.items()},
            {name: values[(n + 1) % len(values)] for name, values in others.items()},
        )
        for n in range(max(lists, default=2))
    ]


def filled(exercise: Exercise, values: dict[str, Any]) -> Exercise:
    """The exercise with a value in each place.

    Raises:
        GradingError: If the values are not those of its parameters.
    """
    if values.keys() != exercise.variants.keys():
        raise GradingError(
            f"{exercise.name} has the variants {', '.join(exercise.variants) or '(none)'}; got "
            f"values of {', '.join(values) or '(none)'}. Release it once more if it has changed."
        )
    if not values:
        return exercise
    cells = tuple(
        replace(
            cell,
            source=_fill(cell.source, values, code=cell.kind != "markdown"),
            title=_fill(cell.title, values),
            hints=tuple(_fill(hint, values) for hint in cell.hints),
        )
        for cell in exercise.template
    )
    return replace(exercise, cells=cells, values=values)


def mark(exercise: Exercise) -> str:
    """A name for a variant's values, which its notebooks carry; empty for the default."""
    if exercise.values == default(exercise.variants):
        return ""
    return hashlib.sha256(_written(exercise.values).encode()).hexdigest()[:12]


def _alternatives(values: Any) -> Any:
    return values if isinstance(values, list) else range(values)


def _texts(cell: Cell) -> tuple[str, ...]:
    return (cell.source, cell.title, *cell.hints)


def _fill(text: str, values: dict[str, Any], code: bool = False) -> str:
    """The text with values: as Python writes them in code, as people do elsewhere."""

    def put(place: re.Match[str]) -> str:
        value: Any = values[place[1]]
        for key in place[2].split(".")[1:]:
            if not isinstance(value, dict) or key not in value:
                raise GradingError(f"{place[0]}: the variant has no {key!r}; got {value!r}.")
            value = value[key]
        return repr(value) if code else _words(value)

    return _PLACE.sub(put, text)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
