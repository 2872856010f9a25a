"""Grades a class: finds submissions, runs them, keeps each grade as it comes."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftkit.grading import build, store, submissions
from ftkit.grading.desk import Given
from ftkit.grading.errors import GradingError
from ftkit.grading.master import Exercise
from ftkit.grading.runner import JudgeFault, Runner, new_seed
from ftkit.grading.sandbox import places, probe
from ftkit.grading.submissions import Submission
from ftkit.grading.verdicts import Result, fault, refused

_ATTEMPTS = 2


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

    Raises:
        GradingError: For bad input, or if answers cannot be confined.
    """
    level, warnings = _level(level, allow_unsandboxed)
    if level != "plain":
        places.check_unseen([secret, source, out])
    out.mkdir(parents=True, exist_ok=True)
    with _Alone(out / ".lock"):
        work = out / ".work"
        submissions.clear(work)
        work.mkdir()
        kept = store.Store(out / "grades.sqlite")
        try:
            found, passed_over = submissions.find(source, exercise.name, work / "unpacked")
            _run(found, exercise, kept, work, jobs, level, show)
            results = {one.student: _ordered(exercise, kept, one.student) for one in found}
        finally:
            kept.close()
            submissions.clear(work)
    return Class(exercise, tuple(found), results, level, (*warnings, *passed_over))


def _level(level: str | None, allowed: bool) -> tuple[str, list[str]]:
    found, why = (level, {}) if level else probe.strongest()
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
                    resumed = not _grade_one(one, exercise, kept, runner, level)
                except Exception as error:  # one submission must not end the class's grading
                    _give_up(one, exercise, kept, level, error)
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


def _grade_one(
    one: Submission, exercise: Exercise, kept: store.Store, runner: Runner, level: str
) -> bool:
    """Grades what of a submission is not graded yet; tells whether there was anything."""
    digest = one.digest()
    keys = {
        framework: {
            cell.id: store.key(digest, build.judge_hash(exercise, framework), cell.id)
            for cell in exercise.questions(framework)
        }
        for framework in exercise.frameworks
    }
    if any(all(kept.has(one.student, q, k) for q, k in own.items()) for own in keys.values()):
        return False
    began = time.monotonic()
    try:
        taken: dict[str, Any] = (
            {"unreadable": one.problem} if one.problem else runner.intake(one.path)
        )
    except JudgeFault as error:
        taken = {"fault": str(error)}
    framework = taken.get("framework", exercise.frameworks[0])
    seed = new_seed()
    pending = {q for q, k in keys[framework].items() if not kept.has(one.student, q, k)}

    def keep(result: Result) -> None:
        if result.question in pending:
            pending.discard(result.question)
            how = store.Circumstances(seed, level, time.monotonic() - began)
            kept.put(one.student, keys[framework][result.question], result, how)

    if "answers" not in taken:
        for question in sorted(pending):
            tests = exercise.tests(framework, question)
            keep(
                refused(question, tests, taken["unreadable"])
                if "unreadable" in taken
                else fault(question, tests, taken["fault"])
            )
        return True
    answers = {
        name: Given(a["source"], tuple(a["before"]), a["problem"], tuple(a["notes"]))
        for name, a in taken["answers"].items()
    }
    for attempt in range(1, _ATTEMPTS + 1):
        last = attempt == _ATTEMPTS
        runner.judge(
            framework,
            answers,
            seed,
            lambda result, last=last: (  # type: ignore[misc]
                keep(result) if last or result.verdict != "grader fault" else None
            ),
        )
        if not pending:
            break
    return True


def _give_up(
    one: Submission, exercise: Exercise, kept: store.Store, level: str, error: Exception
) -> None:
    """Notes the grader's own error as its fault, for the next run to try again."""
    framework = exercise.frameworks[0]
    known = {result.question for result in kept.results(one.student)}
    for cell in exercise.questions(framework):
        if cell.id not in known:
            result = fault(cell.id, exercise.tests(framework, cell.id), repr(error))
            kept.put(one.student, "", result, store.Circumstances(0, level, 0.0))


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
