"""Looks in a notebook that is to be handed out for what students must not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ftkit.grading import regions
from ftkit.grading.master import Cell, Exercise

_LOOKS_LIKE_A_MARKER = re.compile(r"#+\s*(?:BEGIN|END)\s+(?:HIDDEN|SOLUTION)", re.IGNORECASE)
_OF_THE_JUDGE = ("ftkit.grading.judging", "hidden_rng")
_TOO_SHORT = 6
"""What has fewer characters, such as ``else:``, tells nothing."""


def kept_back(exercise: Exercise, framework: str, solutions: bool = True) -> set[str]:
    """The lines that stand in hidden tests, in cells of the judge and in solutions, only there.

    Args:
        exercise: Whose.
        framework: Of whose notebooks.
        solutions: Whether lines of solutions are among them.
    """
    shown: set[str] = set()
    back: set[str] = set()
    for cell in exercise.of(framework):
        whole = _lines(regions.without_markers(cell.source))
        seen = _lines(_shown(cell, solutions))
        shown |= seen
        back |= whole - seen if cell.kind != "judge" else whole
    return back - shown


def find(notebook: dict[str, Any], exercise: Exercise, solutions: bool = True) -> list[str]:
    """What of an exercise's secrets stands in a notebook, each with its place; none if all is well.

    Args:
        notebook: What was built.
        exercise: From what.
        solutions: Whether solutions are secret: they are in a starter.
    """
    framework = notebook["metadata"]["ftkit"]["framework"]
    back = kept_back(exercise, framework, solutions)
    found = []
    for place, text in _texts(notebook, ""):
        told = _lines(text)
        if ".hints[" not in place:  # a hint may quote the solution
            found += [f"{place}: {line!r} is kept back" for line in sorted(told & back)]
        found += [f"{place}: {line!r} looks like a marker" for line in sorted(told)
                  if _LOOKS_LIKE_A_MARKER.search(line)]  # fmt: skip
        found += [f"{place}: {name!r} is the judge's" for name in _OF_THE_JUDGE if name in text]
    return found


def _shown(cell: Cell, solutions: bool) -> str:
    if cell.kind == "judge":
        return ""
    seen = regions.without_hidden_tests(cell.source)
    return regions.without_solution(seen) if solutions else regions.without_markers(seen)


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.split("\n") if len(line.strip()) >= _TOO_SHORT}


def _texts(part: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each text in a notebook, wherever it stands, with its place."""
    if isinstance(part, str):
        yield place, part
    elif isinstance(part, dict):
        for name, value in part.items():
            yield from _texts(value, f"{place}.{name}" if place else name)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            named = value.get("id", number) if isinstance(value, dict) else number
            yield from _texts(value, f"{place}[{named}]")
