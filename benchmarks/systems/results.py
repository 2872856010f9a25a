"""The file of results, and the tables made from it."""

from __future__ import annotations

import json
import platform
import statistics
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from systems.jobs import JOBS, SYSTEMS, Measurement

from ftkit.errors import FtkitError
from ftkit.writing import write_text

# Other processes cost a run more than the cores they take: threads that spin at a barrier wait for
# one that does not run.
DISTURBING_SHARE = 0.05
CLOSING = "<!-- /bench -->"


class Results:
    """The file of results: every run, written after each.

    Attributes:
        runs: Each run as a dictionary.
    """

    def __init__(self, path: Path, settings: dict[str, Any], resume: bool) -> None:
        """Opens or begins the file.

        Raises:
            FtkitError: If there is one that would be lost, or that holds other settings.
        """
        self._path = path
        self._about = {"settings": settings, "machine": machine()}
        self.runs: list[dict[str, Any]] = []
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        if not resume:
            raise FtkitError(
                f"{path} exists, and its runs would be lost. Go on with it (--resume), choose "
                "another file (--out), or delete it."
            )
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            found, self.runs = held["settings"], held["runs"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FtkitError(
                f"Expected results of an earlier run in {path}; {error!r}. Choose another file "
                "(--out), or delete it."
            ) from error
        if held.get("machine") != self._about["machine"]:
            raise FtkitError(
                f"The runs in {path} come from another machine ({held.get('machine')}). Choose "
                "another file (--out)."
            )
        other = [name for name in settings if settings[name] != found.get(name)]
        if other:
            told = ", ".join(f"{name}: {found.get(name)}, now {settings[name]}" for name in other)
            raise FtkitError(
                f"The runs in {path} were made with other settings ({told}); figures of both "
                "cannot stand in one table. Choose another file (--out), or the same settings."
            )

    def done(self, item: Measurement, repeat: int) -> bool:
        """Whether a run is there that neither failed nor was disturbed by other processes."""
        return any(run["repeat"] == repeat and not disturbed(run) for run in self.of(item))

    def of(self, item: Measurement) -> list[dict[str, Any]]:
        """The runs of a row that did not fail."""
        return self.of_row(item.job, item.row)

    def of_row(self, job: str, row: tuple[str, str]) -> list[dict[str, Any]]:
        """The runs of a system and case in a job that did not fail."""
        runs = [run for run in self.runs if (run["job"], run["system"], run["case"]) == (job, *row)]
        return [run for run in runs if not run.get("error")]

    def add(self, run: dict[str, Any]) -> None:
        """Takes in a run, in the place of one that failed, and writes the file."""
        names = ("job", "system", "case", "repeat")
        self.runs = [old for old in self.runs if any(old[name] != run[name] for name in names)]
        self.runs.append(run)
        write_text(self._path, json.dumps({**self._about, "runs": self.runs}, indent=1))


def machine() -> dict[str, Any]:
    """What the figures depend on, beside the software."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
    }


def table(job: str, rows: list[Measurement], results: Results) -> str:
    """A job's Markdown table: medians over the runs of each row."""
    medians = {item.row: _median(results.of(item)) for item in rows if results.of(item)}
    costs = {item.row: _cost(item, results.of(item)) for item in rows if results.of(item)}
    passes = job == "feature-extraction"
    head = ["", "seconds", "range", "CPU seconds", "peak MB", "val. accuracy", "of which, seconds"]
    head += [JOBS[job]] if JOBS[job] else []
    head += ["bare passes"] if passes else []
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for item in rows:
        runs = results.of(item)
        if not runs:
            tried = any((run["job"], run["system"], run["case"]) == (job, *item.row)
                        for run in results.runs)  # fmt: skip
            told = "failed" if tried else "not measured"
            lines.append(f"| {item.label} | {told} |" + " |" * (len(head) - 2))
            continue
        star = "*" * any(map(disturbed, runs))
        cells = [item.label, _seconds(medians[item.row]) + star, _range(runs)]
        cells += [_seconds(_median(runs, "cpu_seconds")), f"{_median(runs, _peak(job)):,.0f}"]
        cells += [f"{_median(runs, 'val_accuracy'):.1%}", _parts(runs)]
        if JOBS[job]:
            cells.append(_ratio(costs[item.row], costs.get(item.against or ("", ""))))
        if passes:
            backend = SYSTEMS[item.system].backend
            bare = [
                seconds
                for (name, _), seconds in medians.items()
                if SYSTEMS[name].family == "bare" and SYSTEMS[name].backend == backend
            ]
            cells.append(_ratio(medians[item.row], min(bare, default=None)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(runs: list[dict[str, Any]], name: str = "wall_seconds") -> float:
    return statistics.median(run[name] for run in runs)


def _peak(job: str) -> str:
    """Peak memory of all processes; where memory is the matter, of the worker alone."""
    return "peak_children_mb" if job == "memory" else "peak_all_mb"


def _cost(item: Measurement, runs: list[dict[str, Any]]) -> float:
    """What a job's rows are compared by."""
    if item.job == "memory":
        return _median(runs, _peak(item.job))
    if item.job == "growth":  # drawing the pictures is no cost of training
        return statistics.median(run["parts"]["job"] for run in runs)
    return _median(runs)


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _range(runs: list[dict[str, Any]]) -> str:
    walls = [run["wall_seconds"] for run in runs]
    return f"{_seconds(min(walls))} to {_seconds(max(walls))}"


def _parts(runs: list[dict[str, Any]]) -> str:
    names = runs[0]["parts"]
    found = {name: statistics.median(run["parts"][name] for run in runs) for name in names}
    return ", ".join(f"{name} {_seconds(value)}" for name, value in found.items())


def _ratio(seconds: float, reference: float | None) -> str:
    return f"{seconds / reference:.2f}" if reference else ""


def provenance(job: str, rows: list[Measurement], results: Results, command: str) -> str:
    """When, where and with what a table was measured."""
    runs = [run for item in rows for run in results.of(item)]
    if not runs:
        return "Not measured."
    here = machine()
    versions: dict[str, set[str]] = {}
    for run in runs:
        for name, version in run["versions"].items():
            versions.setdefault(name, set()).add(version)
    told = ", ".join(f"{name} {' and '.join(sorted(versions[name]))}" for name in sorted(versions))
    commits = ", ".join(dict.fromkeys(run["commit"] or "unknown" for run in runs))
    rounds = len({run["repeat"] for run in runs})
    return (
        f"Measured {max(run['date'] for run in runs)[:10]} on {here['cpu']}, {here['cores']} cores "
        f"({here['threads']} threads), {here['memory_gib']} GiB, {here['system']}; "
        f"{rounds} round{'s' * (rounds > 1)}; {told}; commit {commits}. "
        f"Memory is {runs[0]['memory']}. {_disturbances(runs)}\n\n`{command}`"
    )


def disturbed(run: dict[str, Any]) -> bool:
    """Whether other processes took a share of the machine that a measurement would show."""
    return share_of_others(run) > DISTURBING_SHARE


def share_of_others(run: dict[str, Any]) -> float:
    """The share of the machine that other processes took during a run."""
    return float(run["other_cpu_seconds"] / run["wall_seconds"] / (psutil.cpu_count() or 1))


def _disturbances(runs: list[dict[str, Any]]) -> str:
    """What there is to tell about other processes."""
    most = max(map(share_of_others, runs))
    told = f"Other processes took at most {most:.0%} of the machine during a run"
    count = sum(map(disturbed, runs))
    if not count:
        return f"{told}."
    return f"{told}; a star marks rows with disturbed runs, {count} of {len(runs)}."


def write_docs(path: Path, blocks: dict[str, str]) -> None:
    """Puts each job's table between its markers in a Markdown file.

    Raises:
        FtkitError: If the file or a marker is missing.
    """
    text = read_docs(path, list(blocks))
    for job, block in blocks.items():
        before, opening, rest = text.partition(_opening(job))
        _, closing, after = rest.partition(CLOSING)
        text = f"{before}{opening}{block}\n{closing}{after}"
    write_text(path, text)


def read_docs(path: Path, jobs: list[str]) -> str:
    """The text of a Markdown file that has a place for each job's table.

    Raises:
        FtkitError: If the file or a marker is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FtkitError(
            f"Expected a Markdown file at {path} (--docs); {error.strerror or error}."
        ) from error
    for job in jobs:
        _, opening, rest = text.partition(_opening(job))
        if not opening or CLOSING not in rest.partition("<!-- bench:")[0]:
            raise FtkitError(
                f"Expected the line {_opening(job).strip()} and after it the line {CLOSING} in "
                f"{path}; they are not there. Put them where the table is to stand."
            )
    return text


def _opening(job: str) -> str:
    return f"<!-- bench:{job} -->\n"
