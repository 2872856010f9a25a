"""Grades a class: finds submissions, runs them, keeps each grade as it comes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftkit.grading import marking, store, submissions
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Exercise
from ftkit.grading.roster import Assigned
from ftkit.grading.runner import Runner
from ftkit.grading.sandbox import places, probe
from ftkit.grading.submissions import Submission
from ftkit.grading.verdicts import Result


@dataclass(frozen=True)
class Progress:
    """How far grading has come, told as each submission ends."""

    done: int
    total: int
    student: str
    results: tuple[Result, ...]
    resumed: bool
    """Whether its grades were there already."""


@dataclass(frozen=True)
class Class:
    """What came of it."""

    exercise: Exercise
    submissions: tuple[Submission, ...]
    results: dict[str, list[Result]]
    """By student."""
    level: str
    warnings: tuple[str, ...]
    answers: dict[str, store.Handed] = field(default_factory=dict)
    """By student."""

    @property
    def faults(self) -> int:
        """Questions that the grader could not judge."""
        return sum(r.verdict == "grader fault" for rs in self.results.values() for r in rs)


def grade(
    source: Path,
    exercise: Exercise,
    secret: Path,
    out: Path,
    jobs: int = 1,
    allow_unsandboxed: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
    level: str | None = None,
    assigned: Assigned | None = None,
) -> Class:
    """Grades every submission that is not graded yet.

    Args:
        source: A folder or zip of submissions.
        exercise: What they answer.
        secret: Where its master is, which answers must not see.
        out: For ``grades.sqlite``.
        jobs: Submissions at a time.
        allow_unsandboxed: Whether answers may run in a plain process if nothing better works.
        show: Told of each submission.
        level: How answers are confined; the strongest way that works if it is not given.
        assigned: Whose variant is which, if the release had variants.

    Raises:
        GradingError: For bad input, or if answers cannot be confined.
    """
    if not hasattr(os, "fork"):
        raise GradingError("ftkit grade needs Linux or macOS; on Windows, use WSL2.")
    if out.resolve() == source.resolve():
        raise GradingError(
            f"Results cannot be written into {source}, among the submissions; give another folder."
        )
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    with _Alone(out / ".lock"):
        work = out / ".work"
        submissions.clear(work)
        work.mkdir()
        try:
            level, warnings = _level(level, allow_unsandboxed, work)
            if level != "plain":
                places.check_unseen([secret, source, out])
            found, passed_over = submissions.find(source, exercise.name, work / "unpacked")
            with closing(store.Store(out / "grades.sqlite")) as kept:
                _run(found, exercise, assigned, kept, work, jobs, level, show)
                results = {one.student: _ordered(exercise, kept, one.student) for one in found}
                answers = {one.student: kept.answers(one.student) for one in found}
        finally:
            submissions.clear(work)
            if made and not (out / "grades.sqlite").exists():  # refused: leave nothing
                (out / ".lock").unlink()
                out.rmdir()
    warnings += _without_record(results)
    return Class(exercise, tuple(found), results, level, (*warnings, *passed_over), answers)


def _without_record(results: dict[str, list[Result]]) -> list[str]:
    affected = [
        student
        for student, own in results.items()
        if any(one.private.startswith(marking.NO_RECORD) for one in own)
    ]
    if not affected:
        return []
    return [
        f"{len(affected)} notebooks say that they are of a release with variants "
        f"({', '.join(affected[:3])}), and were judged by the default. Give its record, which "
        "stands beside the release, with --variants, and they are graded again."
    ]


def _level(level: str | None, allowed: bool, work: Path) -> tuple[str, list[str]]:
    found, why = (level, {}) if level else probe.strongest(work)
    if found != "plain":
        return found, []
    reasons = "; ".join(f"{name}: {reason}" for name, reason in why.items())
    if not allowed:
        raise GradingError(
            "Answers cannot be confined on this machine, and would run with all your rights "
            f"({reasons}). Use Linux or WSL2 with bubblewrap or a kernel of 5.13 or newer; or "
            "give --allow-unsandboxed if you trust every student."
        )
    return found, [
        f"UNSANDBOXED: answers ran with all your rights, and could read and change whatever you "
        f"can ({reasons})."
    ]


def _run(
    found: list[Submission],
    exercise: Exercise,
    assigned: Assigned | None,
    kept: store.Store,
    work: Path,
    jobs: int,
    level: str,
    show: Callable[[Progress], None],
) -> None:
    waiting: queue.SimpleQueue[Submission] = queue.SimpleQueue()
    for one in found:
        waiting.put(one)
    lock, done, stop = threading.Lock(), [0], threading.Event()
    failures: list[BaseException] = []
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def lane(number: int) -> None:
        own = tuple(cores[number::jobs]) or tuple(cores)  # no lane can slow another one down
        runner = Runner(exercise, level, work / f"lane-{number}", own)
        try:
            while not stop.is_set():
                try:
                    one = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    resumed = not marking.grade(one, exercise, assigned, kept, runner, level)
                except Exception as error:  # one submission must not end the class's grading
                    marking.give_up(one, exercise, assigned, kept, level, error)
                    resumed = False
                with lock:
                    done[0] += 1
                    results = tuple(kept.results(one.student))
                    show(Progress(done[0], len(found), one.student, results, resumed))
        except BaseException as error:
            failures.append(error)
            stop.set()
        finally:
            runner.close()

    lanes = [threading.Thread(target=lane, args=(n,)) for n in range(max(1, jobs))]
    for thread in lanes:
        thread.start()
    try:
        for thread in lanes:
            thread.join()
    except BaseException:
        stop.set()
        for thread in lanes:
            thread.join()
        raise
    if failures:
        raise failures[0]


def _ordered(exercise: Exercise, kept: store.Store, student: str) -> list[Result]:
    order = [c.id for c in exercise.cells if c.kind == "answer"]
    return sorted(
        (r for r in kept.results(student) if r.question in order),
        key=lambda r: order.index(r.question),
    )


class _Alone:
    """Holds a folder for one grader at a time; the system lets go when it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> None:
        import fcntl

        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise GradingError(
                f"Another ftkit grade is at work in {self._path.parent}; wait for it, or choose "
                "another folder."
            ) from None

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
