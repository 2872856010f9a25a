"""What a class is given: starters without solutions and hidden tests, one for all or for each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from ftkit.grading import build, leaks, roster, variants
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Exercise
from ftkit.grading.pages.writing import write


@dataclass(frozen=True)
class Released:
    """What was written."""

    files: tuple[Path, ...]
    record: Path | None
    """The teacher's own, if there are variants."""


def release(
    exercise: Exercise,
    out: Path,
    frameworks: tuple[str, ...] = (),
    students: list[roster.Student] | None = None,
    varied: bool = False,
) -> Released:
    """Writes an exercise's starters.

    Args:
        exercise: What is handed out.
        out: The folder for it. What is there already stays; a file that would become another one
            is refused.
        frameworks: Of which; all of the exercise's if it is empty.
        students: Those who get a folder each; without them all get the same files.
        varied: Whether each of them gets a variant.

    Raises:
        GradingError: If it cannot be, or if a starter would show what is kept back.
    """
    frameworks = frameworks or exercise.frameworks
    _check(exercise, frameworks, students, varied)
    record = Path(f"{out.resolve()}.variants.json") if varied else None
    assigned = None
    if record:
        fresh = roster.Assigned(exercise.name, secrets.token_hex(32))
        known = roster.load(record, exercise) if record.exists() else fresh
        assigned = roster.assign(exercise, students or [], known)
    texts: dict[Path, str] = {}
    everyone: list[roster.Student | None] = [*students] if students else [None]
    for student in everyone:
        own = exercise
        if student and assigned:
            own = variants.filled(exercise, assigned.values[student.name])
        chosen = (student.framework,) if student and student.framework else frameworks
        for framework in chosen:
            made = build.starter(own, framework)
            found = leaks.find(made, own)
            if found:
                raise GradingError(
                    f"Nothing was written: the starter of {exercise.name} for {framework} would "
                    f"show what is kept back. {'; '.join(found[:3])}"
                )
            folder = out / student.name if student else out
            texts[folder / f"{exercise.name}.{framework}.ipynb"] = build.dumps(made)
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise GradingError(
                f"{path} is there already, and is not what would be written. Nothing was written; "
                "choose another folder, or remove the old release."
            )
    if record and assigned:
        record.parent.mkdir(parents=True, exist_ok=True)
        roster.write(record, assigned)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, text)
    return Released(tuple(texts), record)


def _check(
    exercise: Exercise,
    frameworks: tuple[str, ...],
    students: list[roster.Student] | None,
    varied: bool,
) -> None:
    asked = {*frameworks, *(one.framework for one in students or [] if one.framework)}
    if asked - set(exercise.frameworks):
        raise GradingError(
            f"{exercise.name} is written for {', '.join(exercise.frameworks)}; "
            f"got {', '.join(sorted(asked))}."
        )
    if varied and students is None:
        raise GradingError("Variants are given to students: name them with --roster FILE.")
    if varied and not exercise.variants:
        raise GradingError(
            f"{exercise.name} has no variants. Release it without --variants, or declare them in "
            "its master's first cell, as ftkit/grading/README.md tells."
        )
