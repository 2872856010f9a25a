"""Grades one submission: reads it, runs its judge, keeps what each question earned."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ftkit.grading import build, store, variants
from ftkit.grading.master import Exercise
from ftkit.grading.roster import Assigned
from ftkit.grading.runner import JudgeFault, Runner, given, new_seed
from ftkit.grading.submissions import Submission
from ftkit.grading.verdicts import Result, fault, refused

_ATTEMPTS = 2
NO_RECORD = "the notebook is of a release with variants, but was judged by the default"


def grade(
    one: Submission,
    exercise: Exercise,
    assigned: Assigned | None,
    kept: store.Store,
    runner: Runner,
    level: str,
) -> bool:
    """Grades what of a submission is not graded yet.

    Args:
        one: The submission.
        exercise: What it answers.
        assigned: Whose variant is which, if there are variants.
        kept: Where grades and answers are kept as they come.
        runner: What reads it and runs its judge.
        level: How the runner confines answers.

    Returns:
        Whether there was anything to grade.
    """
    if assigned:
        own = assigned.of(exercise, one.student, one.lms_id)
        if own is None:
            _all_faults(one, exercise, kept, level, _UNASSIGNED)
            return True
        exercise = own
    digest = one.digest()
    keys = _keys(digest, exercise)
    graded = any(all(kept.has(one.student, q, k) for q, k in own.items()) for own in keys.values())
    if graded and kept.has_answers(one.student, digest):
        return False
    began = time.monotonic()
    try:
        taken = _intake(one, exercise, runner)
    except JudgeFault as error:
        taken = {"fault": str(error)}
    framework = taken.get("framework", exercise.frameworks[0])
    answers = given(taken)
    if "fault" not in taken:
        sources = {q: "\n".join((*a.before, a.source)) for q, a in answers.items() if a.source}
        every = {question: sources.get(question, "") for question in keys[framework]}
        kept.put_answers(one.student, digest, store.Handed(framework, every))
    if graded:
        return False
    read = "answers" in taken
    told = _of_variant(taken["variant"], exercise, assigned) if read else ""
    seed = new_seed()
    pending = {q for q, k in keys[framework].items() if not kept.has(one.student, q, k)}

    def keep(result: Result) -> None:
        if result.question in pending:
            pending.discard(result.question)
            how = store.Circumstances(seed, level, time.monotonic() - began)
            private = "; ".join(part for part in (told, result.private) if part)
            key = keys[framework][result.question]
            kept.put(one.student, key, replace(result, private=private), how)

    if not read:
        for question in sorted(pending):
            tests = exercise.tests(framework, question)
            keep(
                refused(question, tests, taken["unreadable"])
                if "unreadable" in taken
                else fault(question, tests, taken["fault"])
            )
        return True
    left = _ATTEMPTS
    while pending and left:
        left -= 1
        faults: dict[str, Result] = {}

        def settled(result: Result, faults: dict[str, Result] = faults) -> None:
            if result.verdict == "grader fault":
                faults[result.question] = result
            else:
                keep(result)

        culprit = runner.judge(framework, answers, seed, settled, exercise)
        if culprit in faults and len(pending) > 1:
            keep(faults[culprit])
            answers.pop(culprit, None)  # the others are judged without what stopped the judge
            left = _ATTEMPTS
        elif not left:
            for result in faults.values():
                keep(result)
    return True


_UNASSIGNED = (
    "The record of the release has no such student. Add the student to the roster, with the name "
    "of this folder or the platform's id, and release once more: the others' variants stay."
)


def _intake(one: Submission, exercise: Exercise, runner: Runner) -> dict[str, Any]:
    """What was handed in; of several notebooks the one that answers most."""
    if one.problem:
        return {"unreadable": one.problem}
    taken = [runner.intake(path, exercise) for path in (one.path, *one.others)]
    return max(taken, key=lambda part: sum(bool(a.source) for a in given(part).values()))


def _of_variant(mark: str, exercise: Exercise, assigned: Assigned | None) -> str:
    """What the teacher should know of the variant that a notebook says it is.

    It is only told, never believed.
    """
    if assigned is None:
        return NO_RECORD if mark and exercise.variants else ""
    if mark == variants.mark(exercise):
        return ""
    whose = " or ".join(assigned.marks(exercise).get(mark, [])[:3])
    return f"the notebook is not this student's, but {whose or 'of no variant that is known'}"


def give_up(
    one: Submission,
    exercise: Exercise,
    assigned: Assigned | None,
    kept: store.Store,
    level: str,
    error: Exception,
) -> None:
    """Notes the grader's own error as its fault, for the next run to try again.

    What was graded of this very submission stays; the grades of an earlier one do not.
    """
    own = assigned.of(exercise, one.student, one.lms_id) if assigned else exercise
    keys = _keys(one.digest(), own or exercise).values()
    graded = {q for each in keys for q, k in each.items() if kept.has(one.student, q, k)}
    _all_faults(one, exercise, kept, level, repr(error), graded)


def _keys(digest: str, exercise: Exercise) -> dict[str, dict[str, str]]:
    """What each question's grade depends on, by framework."""
    return {
        framework: {
            cell.id: store.key(digest, build.judge_hash(exercise, framework), cell.id)
            for cell in exercise.questions(framework)
        }
        for framework in exercise.frameworks
    }


def _all_faults(
    one: Submission,
    exercise: Exercise,
    kept: store.Store,
    level: str,
    why: str,
    but: Collection[str] = (),
) -> None:
    framework = exercise.frameworks[0]
    for cell in exercise.questions(framework):
        if cell.id not in but:
            result = fault(cell.id, exercise.tests(framework, cell.id), why)
            kept.put(one.student, "", result, store.Circumstances(0, level, 0.0))
