"""Tries an exercise as its author must: by its solution, its starter and its wrong answers.

Everything goes the way of a student's submission: intake, judge, sandbox.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ftkit.grading import build, leaks, master, variants, wrong
from ftkit.grading.errors import GradingError
from ftkit.grading.master import MODULES, Exercise
from ftkit.grading.regions import STUB
from ftkit.grading.runner import Runner, given, new_seed
from ftkit.grading.sandbox import probe
from ftkit.grading.verdicts import Result

MOST_SECONDS = 60.0
"""For grading a solution, all questions together, on two cores."""
CHECKS = ("solution", "starter", "wrong answer", "variant", "copied answer", "time", "release")


@dataclass(frozen=True)
class Finding:
    """What one check of one thing showed."""

    check: str
    """One of ``CHECKS``."""
    what: str
    wanted: str
    got: str
    holds: bool
    why: str = ""
    """What the grader tells the teacher of it, if it does not hold."""


@dataclass(frozen=True)
class Report:
    """What was found of an exercise in one framework."""

    exercise: str
    framework: str
    findings: tuple[Finding, ...]
    seconds: dict[str, float]
    """What grading the solution took, by question, with the framework in memory."""
    budgets: dict[str, float]
    """What each question may take."""

    def of(self, check: str) -> list[Finding]:
        """The findings of one check."""
        return [one for one in self.findings if one.check == check]

    @property
    def failed(self) -> list[Finding]:
        """Those that do not hold."""
        return [one for one in self.findings if not one.holds]


class Trial:
    """Grades notebooks of one exercise in one framework, as ``ftkit grade`` does; with ``with``."""

    def __init__(self, exercise: Exercise, framework: str) -> None:
        """Makes one.

        Raises:
            GradingError: If the framework is not installed.
        """
        if importlib.util.find_spec(MODULES[framework]) is None:
            raise GradingError(
                f"{exercise.name} cannot be tried in {framework}, which is not installed. Install "
                f"it, or name another one with --framework."
            )
        self.exercise, self.framework = exercise, framework
        self._folder = tempfile.TemporaryDirectory(prefix="ftkit-validate-")
        where = Path(self._folder.name)
        self._notebook = where / "notebook.ipynb"
        self._runner = Runner(exercise, probe.strongest()[0], where / "lane")

    def __enter__(self) -> Trial:
        """Gives itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Ends its processes and removes its files."""
        self._runner.close()
        self._folder.cleanup()

    def grade(
        self, notebook: dict[str, Any], variant: Exercise | None = None
    ) -> dict[str, tuple[Result, float]]:
        """What each question earns, and the seconds that it took.

        Args:
            notebook: A submission.
            variant: Whose judge; the default's if it is None.
        """
        self._notebook.write_text(build.dumps(notebook), encoding="utf-8")
        taken = self._runner.intake(self._notebook, variant)
        if "unreadable" in taken:
            raise GradingError(f"{self.exercise.name}: {taken['unreadable']}")
        settled: dict[str, tuple[Result, float]] = {}
        last = [time.monotonic()]

        def settle(result: Result) -> None:
            now = time.monotonic()
            settled[result.question] = (result, now - last[0])
            last[0] = now

        self._runner.judge(self.framework, given(taken), new_seed(), settle, variant)
        return settled


def validate(path: Path, framework: str) -> Report:
    """Tries an exercise in one framework.

    Args:
        path: Its folder, or its master.
        framework: One of the exercise's.
    """
    exercise = master.read(path)
    folder = path if path.is_dir() else path.parent
    with Trial(exercise, framework) as trial:
        findings = _starter(trial)  # after it the framework is in memory, as it is in a class
        began = time.monotonic()
        solved = trial.grade(build.solution(exercise, framework))
        taken = time.monotonic() - began
        findings += [_earns_all("solution", name, result) for name, (result, _) in solved.items()]
        findings += _wrong_answers(trial, wrong.read(folder, exercise))
        findings += _variants(trial)
    enough = f"at most {MOST_SECONDS:g} s"
    findings.append(Finding("time", "in all", enough, f"{taken:.1f} s", taken <= MOST_SECONDS))
    findings.append(_release(exercise, framework))
    return Report(
        exercise.name,
        framework,
        tuple(findings),
        {name: seconds for name, (_, seconds) in solved.items()} | {"in all": taken},
        {cell.id: cell.limits.seconds for cell in exercise.questions(framework)}
        | {"in all": MOST_SECONDS},
    )


def _starter(trial: Trial) -> list[Finding]:
    """As it is it is not attempted, and a stub that does nothing at all earns nothing."""
    blank = build.starter(trial.exercise, trial.framework)
    found = [
        _earns("starter", name, result, "not attempted", 0)
        for name, (result, _) in trial.grade(blank).items()
    ]
    ids = [cell.id for cell in trial.exercise.questions(trial.framework)]
    stubs = {cell["id"]: cell["source"] for cell in blank["cells"] if cell["id"] in ids}
    emptied = {name: stub.replace(STUB[-1], "pass") for name, stub in stubs.items()}
    results = trial.grade(_with(blank, emptied))
    return [*found, *(_nothing("starter", f"{n}, emptied", r) for n, (r, _) in results.items())]


def _wrong_answers(trial: Trial, answers: list[wrong.Wrong]) -> list[Finding]:
    """The answers of one file go together, each in its question; the other questions are blank."""
    own = [one for one in answers if one.framework == trial.framework]
    found = []
    for file in dict.fromkeys(one.name for one in own):
        wrongs = [one for one in own if one.name == file]
        blank = build.starter(trial.exercise, trial.framework)
        results = trial.grade(_with(blank, {one.question: one.source for one in wrongs}))
        for one in wrongs:
            result = results[one.question][0]
            what = f"{one.name}, {one.question}"
            found.append(_earns("wrong answer", what, result, one.verdict, one.points))
    return found


def _variants(trial: Trial) -> list[Finding]:
    """Each variant's solution earns all of it, and another variant's nothing."""
    exercise, framework = trial.exercise, trial.framework
    found = []
    for values, others in variants.apart(exercise) if exercise.variants else []:
        own, other = variants.filled(exercise, values), variants.filled(exercise, others)
        told = ", ".join(f"{name}={_short(value)}" for name, value in values.items())
        blank = build.starter(own, framework)
        right, copied = _solutions(own, framework), _solutions(other, framework)
        touched = _varied(exercise, own, framework)
        results = trial.grade(_with(blank, {name: right[name] for name in touched}), own)
        found += [
            _earns_all("variant", f"{name} with {told}", results[name][0]) for name in touched
        ]
        differ = [name for name in right if right[name] != copied[name]]
        results = trial.grade(_with(blank, {name: copied[name] for name in differ}), own)
        found += [
            _nothing("copied answer", f"{name} with {told}", results[name][0]) for name in differ
        ]
    return found


def _varied(a: Exercise, b: Exercise, framework: str) -> list[str]:
    """The questions of which the answer or a test differs."""

    def texts(exercise: Exercise, question: str) -> list[str]:
        kept = (question, *(test.id for test in exercise.tests(framework, question)))
        return [cell.source for cell in exercise.of(framework) if cell.id in kept]

    ids = [cell.id for cell in a.questions(framework)]
    return [name for name in ids if texts(a, name) != texts(b, name)]


def _solutions(exercise: Exercise, framework: str) -> dict[str, str]:
    solved = {cell["id"]: cell["source"] for cell in build.solution(exercise, framework)["cells"]}
    return {cell.id: solved[cell.id] for cell in exercise.questions(framework)}


def _with(notebook: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    for cell in notebook["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    return notebook


def _release(exercise: Exercise, framework: str) -> Finding:
    shown = leaks.find(build.starter(exercise, framework), exercise)
    lines = len(leaks.kept_back(exercise, framework))
    return Finding(
        "release",
        f"{lines} lines that are kept back",
        "none in the starter",
        f"{len(shown) or 'none'} in the starter",
        not shown,
        "; ".join(shown),
    )


def _earns_all(check: str, what: str, result: Result) -> Finding:
    return _earns(check, what, result, "passed", result.max_points)


def _earns(check: str, what: str, result: Result, verdict: str, points: float) -> Finding:
    holds = (result.verdict, result.points) == (verdict, points)
    why = "; ".join(part for part in (result.detail, result.private) if part)
    return Finding(
        check, what, f"{verdict}, {points:g}", _told(result), holds, "" if holds else why
    )


def _nothing(check: str, what: str, result: Result) -> Finding:
    holds = result.points == 0 and result.verdict != "grader fault"
    earned = [f"it earns {test.points:g} for: {test.title}" for test in result.tests if test.points]
    why = "" if holds else "\n".join(earned) or result.private
    return Finding(check, what, "no points", _told(result), holds, why)


def _told(result: Result) -> str:
    return f"{result.verdict}, {result.points:g}"


def _short(value: Any) -> str:
    first = next(iter(value.values())) if isinstance(value, dict) and value else value
    return str(first)[:40]


def table(report: Report) -> str:
    """The report for a terminal: a line per question, then the other checks, then what failed."""
    lines = [
        f"{report.exercise}, {report.framework}",
        f"  {'question':<12} {'solution':<22} {'starter':<22} {'seconds':>8} {'at most':>8}",
    ]
    got = {(one.check, one.what): one.got for one in report.findings}
    for name, most in report.budgets.items():
        told = f"{got.get(('solution', name), ''):<22} {got.get(('starter', name), ''):<22}"
        lines.append(f"  {name:<12} {told} {report.seconds.get(name, 0):>8.1f} {most:>8g}")
    for check, says in _SAYS.items():
        found = report.of(check)
        if found:
            lines.append(f"  {sum(one.holds for one in found)} of {len(found)} {says}")
    release = report.of("release")[0]
    lines.append(f"  release: of {release.what}, {release.got}")
    lines += _failures(report.failed)
    return "\n".join(lines)


_SAYS = {
    "wrong answer": "wrong answers earn what their files say",
    "variant": "solutions of variants earn everything",
    "copied answer": "solutions of another variant earn nothing",
}


def _failures(failed: Collection[Finding]) -> list[str]:
    lines = []
    for one in failed:
        lines.append(f"  FAILED {one.check}: {one.what}: expected {one.wanted}; got {one.got}")
        lines += [f"      {line}" for line in one.why[:600].split("\n") if line]
    return lines
