"""Wrong answers that an exercise's author wrote, and what each of them deserves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftkit.grading import master
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Exercise
from ftkit.grading.verdicts import VERDICTS


@dataclass(frozen=True)
class Wrong:
    """One wrong answer to one question; all other questions are answered rightly."""

    name: str
    framework: str
    question: str
    source: str
    verdict: str
    points: float


def read(folder: Path, exercise: Exercise) -> list[Wrong]:
    """Reads the wrong answers beside a master: ``wrong/NAME.py``.

    Each is a percent script. Its cells stand in the place of answer cells:
    ``# %% id="q1" verdict="partly" points=1``, with ``framework="pytorch"`` where the frameworks'
    answers differ.

    Raises:
        GradingError: If a file is not well formed.
    """
    found = []
    for path in sorted((folder / "wrong").glob("*.py")):
        try:
            for cell in master.cells(path.read_text(encoding="utf-8")):
                found += _of_cell(path.stem, *cell, exercise)
        except GradingError as error:
            raise GradingError(f"{path}: {error}") from None
    return found


def _of_cell(name: str, options: dict[str, object], source: str, exercise: Exercise) -> list[Wrong]:
    given = dict(options)
    framework = given.pop("framework", "")
    question, verdict, points = (given.pop(key, None) for key in ("id", "verdict", "points"))
    frameworks = [one for one in exercise.frameworks if framework in ("", one)]
    if given or not frameworks or verdict not in VERDICTS or not isinstance(points, (int, float)):
        raise GradingError(
            'Expected \'# %% id="q1" verdict="wrong" points=0\', and framework= if they differ; '
            f"got {options}."
        )
    made = []
    for one in frameworks:
        known = [cell.id for cell in exercise.questions(one)]
        if question not in known:
            raise GradingError(f"Expected a question of {known}; got {question!r}.")
        made.append(Wrong(name, one, str(question), source, str(verdict), float(points)))
    return made
