"""An exercise's one source: a percent script, from which every notebook of it is built.

A percent script is plain Python in which a line ``# %%`` begins a cell; Jupytext and most editors
open it as a notebook, linters read it, and a change shows as a change of lines. The options of a
cell stand after ``# %%`` and on lines below it that begin with ``#|``, as ``name=value``, each
value in JSON. ``README.md`` of this package lists them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftkit.grading import regions, variants
from ftkit.grading.errors import GradingError

MODULES = {"pytorch": "torch", "tensorflow": "tensorflow"}
"""What a framework's notebooks import."""
FRAMEWORKS = tuple(MODULES)
KINDS = ("markdown", "setup", "answer", "test", "judge", "code")
_BEGIN = re.compile(r"# %%(?P<markdown>\s*\[markdown\])?(?P<options>.*)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPTION = re.compile(r"\s*([a-z_]+)=")


@dataclass(frozen=True)
class Limits:
    """What a question may use."""

    seconds: float = 30.0
    """In all, from running the answer cell on."""
    call_seconds: float = 10.0
    """For one call, or for running the answer cell."""
    memory_mb: int = 2048
    """Of data, without what the preloaded framework takes."""


@dataclass(frozen=True)
class Cell:
    """A cell of the master."""

    id: str
    kind: str
    source: str
    framework: str = ""
    """The only framework whose notebooks have it; empty for both."""
    judge: bool = True
    """For ``setup``: whether the judge runs it too."""
    question: str = ""
    """For ``test``: the id of the answer cell that it judges."""
    points: float = 0.0
    title: str = ""
    """For ``test``: what holds when it passes, in words that the student may read."""
    exports: tuple[str, ...] = ()
    """For ``answer``: the names that it must define."""
    hints: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def hidden(self) -> bool:
        """Whether the student must not learn what the test holds."""
        return self.kind == "judge" or regions.has_hidden_tests(self.source)


@dataclass(frozen=True)
class Exercise:
    """A master that was read."""

    name: str
    title: str
    minutes: int
    frameworks: tuple[str, ...]
    cells: tuple[Cell, ...]
    variants: dict[str, Any] = field(default_factory=dict)
    """The parameters that may differ from student to student, with the values that there are."""
    values: dict[str, Any] = field(default_factory=dict)
    """What its cells were filled with."""
    template: tuple[Cell, ...] = ()
    """Its cells before that; empty without parameters."""

    def of(self, framework: str) -> tuple[Cell, ...]:
        """The cells of one framework's notebooks, in order."""
        return tuple(cell for cell in self.cells if cell.framework in ("", framework))

    def questions(self, framework: str) -> tuple[Cell, ...]:
        """The answer cells, in order."""
        return tuple(cell for cell in self.of(framework) if cell.kind == "answer")

    def tests(self, framework: str, question: str) -> tuple[Cell, ...]:
        """The tests of one question, in order."""
        return tuple(
            cell for cell in self.of(framework) if cell.kind == "test" and cell.question == question
        )


def read(path: Path) -> Exercise:
    """Reads a master.

    Args:
        path: The script, or its folder, where it is called ``master.py``.

    Raises:
        GradingError: If it is not there or not well formed; the message gives the line.
    """
    path = path / "master.py" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GradingError(
            f"Expected an exercise's master at {path}; {error}. Name its folder or the script."
        ) from None
    try:
        return parse(text, path.parent.name if path.name == "master.py" else path.stem)
    except GradingError as error:
        raise GradingError(f"{path}: {error}") from None


def parse(text: str, name: str) -> Exercise:
    """Makes an exercise of a master's text.

    Raises:
        GradingError: If it is not well formed.
    """
    header, made = None, []
    for line, (kind, options, source) in _split(text):
        try:
            if header is None:
                header = _header(kind, options)
            else:
                made.append(_cell(kind, options, source))
        except GradingError as error:
            raise GradingError(f"line {line}: {error}") from None
    assert header is not None
    exercise = Exercise(name=name, cells=tuple(made), **header)
    if exercise.variants:
        variants.check(exercise.variants, exercise.cells)
        exercise = replace(exercise, template=exercise.cells)
        exercise = variants.filled(exercise, variants.default(exercise.variants))
    for framework in exercise.frameworks:
        _check(exercise, framework)
    return exercise


def cells(text: str) -> list[tuple[dict[str, Any], str]]:
    """The options and the source of each code cell of any percent script.

    Raises:
        GradingError: If it has none, or options that are no JSON.
    """
    return [(options, source) for _, (kind, options, source) in _split(text) if kind == "code"]


def _split(text: str) -> list[tuple[int, tuple[str, dict[str, Any], str]]]:
    """Each cell's kind, options and source, with the line that it begins in."""
    lines = text.split("\n")
    begins = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    if not begins:
        raise GradingError("Expected cells that begin with '# %%'; got none.")
    found = []
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        first = begin + 1
        while first < end and lines[first].startswith("#|"):
            first += 1
        more = [line.removeprefix("#|") for line in lines[begin + 1 : first]]
        try:
            kind, options = _options(" ".join([lines[begin], *more]))
        except GradingError as error:
            raise GradingError(f"line {begin + 1}: {error}") from None
        found.append((begin + 1, (kind, options, "\n".join(lines[first:end]).strip("\n"))))
    return found


def _options(line: str) -> tuple[str, dict[str, Any]]:
    match = _BEGIN.fullmatch(line)
    if not match:
        raise GradingError(f"Expected '# %%' and options such as id=\"q1\"; got {line!r}.")
    rest, options = match["options"], {}
    while rest.strip():
        named = _OPTION.match(rest)
        try:
            if not named:
                raise ValueError
            value, used = json.JSONDecoder().raw_decode(rest[named.end() :])
        except ValueError:
            raise GradingError(
                f"Expected name=value, each value in JSON; got {rest.strip()!r}."
            ) from None
        options[named[1]] = value
        rest = rest[named.end() + used :]
    return options.pop("kind", "markdown" if match["markdown"] else "code"), options


def _header(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    wanted = {"title": str, "minutes": int, "frameworks": list, "variants": dict}
    options = {"variants": {}, **options}
    if kind != "exercise" or {n: type(v) for n, v in options.items()} != wanted:
        raise GradingError(
            'Expected the first cell to be \'# %% kind="exercise" title="…" minutes=20 '
            'frameworks=["pytorch","tensorflow"]\', and variants={…} where students\' exercises '
            f"differ; got kind={kind!r} with {options}."
        )
    if not options["frameworks"] or set(options["frameworks"]) - set(FRAMEWORKS):
        raise GradingError(f"Expected frameworks of {FRAMEWORKS}; got {options['frameworks']}.")
    return {**options, "frameworks": tuple(options["frameworks"])}


_KNOWN: dict[str, dict[str, type | tuple[type, ...]]] = {
    "markdown": {},
    "code": {},
    "judge": {},
    "setup": {"judge": bool},
    "test": {"question": str, "points": (int, float), "title": str},
    "answer": {
        "exports": list,
        "hints": list,
        "seconds": (int, float),
        "call_seconds": (int, float),
        "memory_mb": int,
    },
}


def _cell(kind: str, options: dict[str, Any], source: str) -> Cell:
    if kind not in KINDS:
        raise GradingError(f"Expected a kind of {', '.join(KINDS)}; got {kind!r}.")
    known = {"id": str, "framework": str, **_KNOWN[kind]}
    for name, value in options.items():
        if name not in known or not isinstance(value, known[name]):
            raise GradingError(
                f"Expected of a cell of kind {kind!r} the options {', '.join(known)}; "
                f"got {name}={value!r}."
            )
    if not _ID.fullmatch(options.get("id", "")):
        raise GradingError(
            "Expected id=\"…\" of letters, digits, '_' and '-', 64 at most; "
            f"got {options.get('id')!r}."
        )
    if options.get("framework", "") not in ("", *FRAMEWORKS):
        raise GradingError(f"Expected framework of {FRAMEWORKS}; got {options['framework']!r}.")
    if kind == "markdown":
        source = "\n".join(line.removeprefix("#").removeprefix(" ") for line in source.split("\n"))
    regions.check(source)
    given = dict(options)
    limits = {n: given.pop(n) for n in ("seconds", "call_seconds", "memory_mb") if n in given}
    for name in ("exports", "hints"):
        if name in given:
            given[name] = tuple(str(value) for value in given[name])
    return Cell(kind=kind, source=source, limits=Limits(**limits), **given)


def _check(exercise: Exercise, framework: str) -> None:
    """Checks what only shows with all cells at hand."""
    cells = exercise.of(framework)
    ids = [cell.id for cell in cells]
    for cell in cells:
        if ids.count(cell.id) > 1:
            raise GradingError(f"Cell id {cell.id!r} is there twice for {framework}; rename one.")
        if cell.kind == "answer" and not (
            cell.exports
            and all(name.isidentifier() for name in cell.exports)
            and regions.has_solution(cell.source)
        ):
            raise GradingError(
                f"Answer cell {cell.id!r} must name what it defines in exports, and hold a "
                "'### BEGIN SOLUTION'."
            )
    known = {question.id for question in exercise.questions(framework)}
    for cell in cells:
        if cell.kind == "test" and (cell.question not in known or not cell.title):
            raise GradingError(
                f"Test cell {cell.id!r} must have a title, and question= one of {sorted(known)}."
            )
    for question in exercise.questions(framework):
        tests = exercise.tests(framework, question.id)
        if sum(test.points for test in tests) <= 0:
            raise GradingError(f"Question {question.id!r} has no test that earns a point.")
        if [test.hidden for test in tests] != sorted(test.hidden for test in tests):
            raise GradingError(
                f"Question {question.id!r}: put hidden tests after the visible ones, so that an "
                "answer cannot carry hidden inputs into the message of a visible test."
            )
