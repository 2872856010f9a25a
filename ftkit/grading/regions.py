"""Solutions and hidden tests inside a cell: what nbgrader's markers enclose."""

from __future__ import annotations

import re

from ftkit.grading.errors import GradingError

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
"""What takes a solution's place: nbgrader's own words, so that its releases look like ours."""

_MARKER = re.compile(r"\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\s*")


def without_solution(source: str) -> str:
    """The cell as a student gets it: each solution replaced by ``STUB`` at its indentation."""
    return _rewrite(source, "SOLUTION", STUB)


def without_hidden_tests(source: str) -> str:
    """The cell as a student gets it: without what only the judge may know."""
    return _rewrite(source, "HIDDEN TESTS", ())


def without_markers(source: str) -> str:
    """The whole cell, solution and hidden tests included, without the lines that mark them."""
    check(source)
    return "\n".join(line for line in source.split("\n") if not _MARKER.fullmatch(line)).strip("\n")


def has_solution(source: str) -> bool:
    """Whether a solution is marked."""
    return without_solution(source) != source


def has_hidden_tests(source: str) -> bool:
    """Whether hidden tests are marked."""
    return any(kind == "HIDDEN TESTS" for _, kind in _markers(source))


def check(source: str) -> None:
    """Checks that regions open and close in turn.

    Raises:
        GradingError: If one is left open, closed twice, or inside another.
    """
    open_region = ""
    for verb, kind in _markers(source):
        if (verb == "BEGIN") == bool(open_region) or (verb == "END" and kind != open_region):
            raise GradingError(
                f"Expected '### BEGIN {kind}' and '### END {kind}' in turn, none inside another; "
                f"got '### {verb} {kind}' "
                + (f"inside {open_region}." if open_region else "with nothing open.")
            )
        open_region = kind if verb == "BEGIN" else ""
    if open_region:
        raise GradingError(f"'### BEGIN {open_region}' is never closed; add its END line.")


def _markers(source: str) -> list[tuple[str, str]]:
    found = (_MARKER.fullmatch(line) for line in source.split("\n"))
    return [(match[1], match[2]) for match in found if match]


def _rewrite(source: str, kind: str, replacement: tuple[str, ...]) -> str:
    check(source)
    kept: list[str] = []
    inside = False
    for line in source.split("\n"):
        match = _MARKER.fullmatch(line)
        if match and match[2] == kind:
            inside = match[1] == "BEGIN"
            if inside:
                indent = line[: len(line) - len(line.lstrip())]
                kept += [indent + text for text in replacement]
        elif not inside:
            kept.append(line)
    return "\n".join(kept).strip("\n")
