"""How long grading takes: ftkit beside nbgrader on the same notebooks, and what the sandbox costs.

Run `make bench-grading`, or `python benchmarks/grading.py` (`--help` for options). A class whose
notebooks are all right is graded by `ftkit grade --jobs 2`, confined as strictly as the machine
can, and by `nbgrader autograde`, each as one command for all; releasing the exercise to nbgrader is
outside the clock. nbgrader runs the notebooks in this Python, so that both use the same PyTorch.
Graders take turns, round by round. Each run goes to the JSON file as soon as it ends; `--resume`
goes on with a file.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from graders import answers
from graders.classes import WORKS, Pupils
from speed import commit, outcome, run_benchmark, settle
from systems.measuring import Clock
from systems.results import Results, disturbed, machine, read_docs, write_docs

from ftkit.errors import unknown_name
from ftkit.grading import master
from ftkit.grading.sandbox import probe
from ftkit.grading.workers import LEVELS

PARTS = (*WORKS, "sandbox", "preload")
FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
ANSWERS, TRAININGS = 50, 5


@dataclass(frozen=True)
class Job:
    """Something to measure.

    Attributes:
        system: Who does it.
        case: In which way.
        work: Does it, and may return figures of its own.
        check: Looks at the outcome, outside the clock.
    """

    system: str
    case: str
    work: Callable[[], dict[str, float] | None]
    check: Callable[[], None] = lambda: None


def jobs_of(part: str, options: argparse.Namespace, folder: Path) -> list[Job]:
    """What a part measures."""
    jobs = []
    if part in WORKS:
        pupils = Pupils(WORKS[part], options.students, folder / part, options.nbgrader)
        jobs.append(Job("ours", "", pupils.grade_by_ours, pupils.check_ours))
        if options.nbgrader:
            jobs.append(Job("nbgrader", "", pupils.grade_by_nbgrader, pupils.check_nbgrader))
    elif part == "sandbox":
        pupils = Pupils(WORKS["light"], options.students, folder / part, None)
        for level in LEVELS:
            if level == "plain" or not probe.trial(level):
                whole = partial(pupils.grade_confined, level)
                jobs.append(Job("whole", level, whole, pupils.check_ours))
                single = partial(answers.confined, level, folder, ANSWERS)
                jobs.append(Job("answers", level, single))
    else:
        demo, level = master.read(WORKS["torch"].master), probe.strongest()[0]
        for framework in FRAMEWORKS:
            for case, kept in (("in memory", True), ("imported", False)):
                train = partial(answers.trained, demo, framework, level, folder, kept, TRAININGS)
                jobs.append(Job(framework, case, train))
    return jobs


def measure(part: str, options: argparse.Namespace, results: Results, folder: Path) -> None:
    """A part's rows, round by round; each round begins with another row."""
    jobs = jobs_of(part, options, folder)
    for repeat in range(options.rounds):
        turn = repeat % len(jobs)
        for job in jobs[turn:] + jobs[:turn]:
            row = [
                run
                for run in results.of_row(part, (job.system, job.case))
                if run["repeat"] == repeat
            ]
            if row and not disturbed(row[0]):
                continue
            settle(options.settle)
            told = (
                f"{part}, round {repeat + 1} of {options.rounds}: {job.system} {job.case}".rstrip()
            )
            print(f"{told} ...", file=sys.stderr, end=" ", flush=True)
            with Clock(uncounted=True) as clock:
                own = job.work()
            job.check()
            figures = {**clock.figures(), **(own or {})}
            print(outcome(figures), file=sys.stderr)
            about = {"job": part, "system": job.system, "case": job.case, "repeat": repeat}
            when = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "commit": commit()}
            results.add({**about, **when, **figures})


def median(results: Results, part: str, system: str, case: str, name: str) -> float | None:
    """The median of a figure over the rounds; None where nothing was measured."""
    runs = results.of_row(part, (system, case))
    return statistics.median(run[name] for run in runs) if runs else None


def shown(value: float | None, form: str = "{:.2f}") -> str:
    """A figure in a table's cell."""
    return "" if value is None else form.format(value)


def tables(results: Results, options: argparse.Namespace) -> str:
    """The three tables, and when and where they were measured."""
    lines = [
        f"Seconds per submission, {options.students} in one command.\n",
        "| notebooks | ftkit | nbgrader | times faster | to be reached | ftkit, a minute |",
        "|---|---|---|---|---|---|",
    ]
    for part, work in WORKS.items():
        ours, theirs = (
            median(results, part, system, "", "wall_seconds") for system in ("ours", "nbgrader")
        )
        count = options.students
        each = [value / count if value else None for value in (ours, theirs)]
        ratio = theirs / ours if ours and theirs else None
        bar = f"{work.bar:g}" if work.bar else ""
        a_minute = shown(60 * count / ours if ours else None, "{:.0f}")
        lines.append(
            f"| {work.label} | {shown(each[0])} | {shown(each[1])} | {shown(ratio, '{:.1f}')} "
            f"| {bar} | {a_minute} |"
        )
    lines += [
        "\nWhat the sandbox costs: the light notebooks one at a time; then a single answer, from "
        "asking for its process to that one's end.\n",
        "| confined by | a notebook, s | beside none | an answer, ms | starting, once, ms |",
        "|---|---|---|---|---|",
    ]
    plain = median(results, "sandbox", "whole", "plain", "wall_seconds")
    for level in LEVELS:
        whole = median(results, "sandbox", "whole", level, "wall_seconds")
        single, start = (
            median(results, "sandbox", "answers", level, name) for name in ("answer_ms", "start_ms")
        )
        each_whole = whole / options.students if whole else None
        lines.append(
            f"| {level if level != 'plain' else 'nothing'} | {shown(each_whole)} "
            f"| {shown(whole / plain if whole and plain else None)} | {shown(single, '{:.1f}')} "
            f"| {shown(start, '{:.0f}')} |"
        )
    lines += [
        "\nAn answer that trains a head, in a process of its own: forked with the framework in "
        "memory, or importing it.\n",
        "| framework | in memory, s | imported, s | loading it once, s |",
        "|---|---|---|---|",
    ]
    for framework, label in FRAMEWORKS.items():
        kept, fresh = (
            median(results, "preload", framework, case, "answer")
            for case in ("in memory", "imported")
        )
        once = median(results, "preload", framework, "in memory", "start")
        lines.append(f"| {label} | {shown(kept)} | {shown(fresh)} | {shown(once)} |")
    return "\n".join([*lines, "", provenance(results, options)])


def provenance(results: Results, options: argparse.Namespace) -> str:
    """When and where it was measured."""
    if not results.runs:
        return "Not measured."
    here = machine()
    rounds = len({run["repeat"] for run in results.runs})
    commits = ", ".join(dict.fromkeys(run["commit"] or "unknown" for run in results.runs))
    count = sum(map(disturbed, results.runs))
    told = f"{count} of {len(results.runs)} runs were disturbed by other processes"
    return (
        f"Measured {max(run['date'] for run in results.runs)[:10]} on {here['cpu']}, "
        f"{here['cores']} cores ({here['threads']} threads), {here['memory_gib']} GiB, "
        f"{here['system']}; medians of {rounds} rounds; commit {commits}; {told}.\n\n"
        f"`python benchmarks/grading.py --students {options.students} --rounds {options.rounds}`"
    )


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--parts", nargs="+", default=list(PARTS), help=f"of {', '.join(PARTS)}; all by default")
    add("--students", type=int, default=12, help="notebooks in a class")
    add("--rounds", type=int, default=3)
    add("--nbgrader", type=Path, help="environment that has nbgrader; without it ftkit alone")
    add("--settle", type=float, default=10, help="seconds to wait for a quiet machine, at most")
    add("--out", type=Path, default=Path("out/grading.json"), help="file of results")
    add("--resume", action="store_true", help="go on with the file of results")
    add("--docs", type=Path, help="Markdown file whose marked table to replace")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            raise unknown_name("part", part, PARTS)
    if options.nbgrader:
        options.nbgrader = options.nbgrader.absolute()
    return options


def main() -> None:
    """Measures, prints the tables, and writes them where they are asked for."""
    options = parse()
    if options.docs:
        read_docs(options.docs, ["grading"])
    results = Results(options.out, {"students": options.students}, options.resume)
    with tempfile.TemporaryDirectory(prefix="ftkit-bench-", ignore_cleanup_errors=True) as folder:
        for part in options.parts:
            measure(part, options, results, Path(folder))
    text = tables(results, options)
    print(text)
    if options.docs:
        write_docs(options.docs, {"grading": text})


if __name__ == "__main__":
    run_benchmark(main)
