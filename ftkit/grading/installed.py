"""The exercises that come with ftkit, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ftkit.grading import build, master
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Exercise

_FOR_AUTHORS = "demo"
"""It shows how an exercise is written, and is none of the course."""


def folder() -> Path:
    """Where the masters are: in the wheel, or in a checkout that was not installed."""
    try:
        return Path(str(files("ftkit.exercises")))
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "exercises"


def names() -> list[str]:
    """The exercises of the course, in its order."""
    found = (path.parent.name for path in folder().glob("*/master.py"))
    return sorted(name for name in found if name != _FOR_AUTHORS)


def find(typed: str | Path) -> Path:
    """Where a master is: a path if there is one, else an exercise of ftkit's by name.

    Raises:
        GradingError: If there is neither.
    """
    path = Path(typed).expanduser()
    if path.is_file() or (path / "master.py").is_file():
        return path
    name = str(typed).strip("/")
    if name in (*names(), _FOR_AUTHORS):
        return folder() / name
    raise GradingError(
        f"Expected the path of a master, its folder, or one of ftkit's own: {', '.join(names())}; "
        f"got {str(typed)!r}."
    )


def exercises() -> list[Exercise]:
    """The exercises of the course, read."""
    return [master.read(folder() / name) for name in names()]


def starters() -> dict[str, str]:
    """The text of each exercise's starter notebook, by its file name, for each framework."""
    return {
        f"{exercise.name}.{framework}.ipynb": build.dumps(build.starter(exercise, framework))
        for exercise in exercises()
        for framework in exercise.frameworks
    }
