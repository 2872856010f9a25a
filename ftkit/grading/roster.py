"""Who is in a class, and which variant each student was given."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftkit.grading import variants
from ftkit.grading.errors import GradingError
from ftkit.grading.master import FRAMEWORKS, Exercise
from ftkit.grading.pages import writing

_COLUMNS = ("student", "id", "framework")


@dataclass(frozen=True)
class Student:
    """A row of a roster."""

    name: str
    """Of the folder, too, and as submissions name the student."""
    id: str = ""
    """The number by which the platform knows the student."""
    framework: str = ""
    """The only one that the student gets a notebook of; empty for all."""


def read(path: Path) -> list[Student]:
    """Reads ``roster.csv``: a column ``student``, and if there are such ``id`` and ``framework``.

    Columns stand apart by commas, semicolons or tabs.

    Raises:
        GradingError: If it is not well formed, or names no folder could have.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GradingError(f"Expected a roster in UTF-8 at {path}; {error}.") from None
    first = text.partition("\n")[0]
    between = max(",;\t", key=first.count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=between))
    if not rows or "student" not in rows[0]:
        raise GradingError(
            f"{path}: expected a first line with the columns {', '.join(_COLUMNS)} (the last two "
            f"may be missing) and a line per student; got {text[:80]!r}."
        )
    students = [Student(*((row.get(name) or "").strip() for name in _COLUMNS)) for row in rows]
    seen: dict[str, str] = {}
    for line, one in enumerate(students, 2):
        if not _is_folder(one.name):
            raise GradingError(
                f"{path}, line {line}: {one.name!r} cannot be a folder's name; write it without "
                "slashes, colons, a dot at either end and control characters, 80 at most."
            )
        if one.framework not in ("", *FRAMEWORKS):
            raise GradingError(
                f"{path}, line {line}: expected a framework of {FRAMEWORKS}; got {one.framework!r}."
            )
        for what in (f"student {_plain(one.name)!r}", f"id {one.id!r}" if one.id else ""):
            if what and what in seen:
                raise GradingError(f"{path}: {seen[what]!r} and {one.name!r} are both {what}.")
            seen[what] = one.name
    return students


@dataclass(frozen=True)
class Assigned:
    """The teacher's record of a release: never in it, for it holds everybody's values."""

    exercise: str
    secret: str
    """What the values were drawn with; other students' values can be drawn later."""
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By student."""
    ids: dict[str, str] = field(default_factory=dict)
    """The student by the platform's number."""

    def student(self, name: str, id_: str = "") -> str:
        """The student as the roster writes the name; empty if it has no such student."""
        if id_ in self.ids:  # two may have one name
            return self.ids[id_]
        if name in self.values:
            return name
        alike = [known for known in self.values if _plain(known) == _plain(name)]
        return alike[0] if len(alike) == 1 else ""

    def of(self, exercise: Exercise, name: str, id_: str = "") -> Exercise | None:
        """A student's variant; None if the roster has no such student."""
        known = self.student(name, id_)
        return variants.filled(exercise, self.values[known]) if known else None

    def marks(self, exercise: Exercise) -> dict[str, list[str]]:
        """Who has a variant, by its mark."""
        found: dict[str, list[str]] = {}
        for name, values in self.values.items():
            mark = variants.mark(variants.filled(exercise, values))
            found.setdefault(mark, []).append(name)
        return found


def assign(exercise: Exercise, students: Iterable[Student], earlier: Assigned) -> Assigned:
    """Draws values for students who have none yet; those of an earlier release stay."""
    values, ids = dict(earlier.values), dict(earlier.ids)
    for one in students:
        values.setdefault(one.name, variants.drawn(exercise, one.name, earlier.secret))
        if one.id:
            ids[one.id] = one.name
    return Assigned(exercise.name, earlier.secret, values, ids)


def write(path: Path, assigned: Assigned) -> None:
    """Writes the record, for its owner's eyes."""
    text = json.dumps({"format": 1, **vars(assigned)}, indent=1, ensure_ascii=False) + "\n"
    writing.write(path, text, 0o600)


def load(path: Path, exercise: Exercise) -> Assigned:
    """Reads the record of an exercise's release.

    Raises:
        GradingError: If it is none, or another exercise's, or the exercise has changed since.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        made = Assigned(
            str(kept["exercise"]), str(kept["secret"]), dict(kept["values"]), dict(kept["ids"])
        )
        known = {str(name): dict(values) for name, values in made.values.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GradingError(
            f"Expected at {path} what ftkit release --variants wrote beside its folder; {error!r}."
        ) from None
    if made.exercise != exercise.name:
        raise GradingError(f"{path} is of {made.exercise}; you asked for {exercise.name}.")
    for values in known.values():
        variants.filled(exercise, values)
    return made


def _plain(name: str) -> str:
    """A name without what platforms change in it."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _is_folder(name: str) -> bool:
    return (
        0 < len(name) <= 80
        and name.isprintable()
        and not set(name) & set('/\\:*?"<>|')
        and name == name.strip(". ")
        and name != "__MACOSX"
        and bool(_plain(name))
    )
