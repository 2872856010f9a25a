"""How long, with how much memory: ftkit beside four other systems, on the same pictures.

Run `make bench`, or `python benchmarks/speed.py` (`--help` for options). Every measurement runs in
a process of its own, started for it. Systems take turns, round by round, and each round starts
with another one, so that no system has the machine at its best. Each run goes to the JSON file as
soon as it ends; `--resume` goes on with a file. What each system does, and where its documentation
says so, stands at the top of its script in `benchmarks/systems`.

No picture is augmented, in no system: the tutorial's RandomResizedCrop is replaced by Resize and
CenterCrop, so that all see the same pictures and none can be blamed for drawing others. Threads are
left at each framework's default. Starting a process and importing are outside the clock; listing,
reading and decoding pictures, building the network and loading its weights are inside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from safetensors.numpy import save_file
from systems.bars import bars_table
from systems.jobs import BACKBONE, JOBS, SYSTEMS, Measurement, Plan
from systems.results import (
    Results,
    disturbed,
    provenance,
    read_docs,
    share_of_others,
    table,
    write_docs,
)

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors
from ftkit.data.drawn import TASKS, draw
from ftkit.environments import interpreter
from ftkit.errors import FtkitError, unknown_name

SYSTEMS_FOLDER = Path(__file__).with_name("systems")
VAL_START = 10_000_000  # drawn pictures to judge by, as ftkit.data.load numbers them
JPEG_QUALITY = 95
LOG_CHARACTERS = 2000
BARS = "bars"  # what the docs call the table of what is to be reached
QUIET_PERCENT = 5  # of the machine, taken by others: below it, a measurement may start
# What changes a figure; a file of results belongs to one choice of these.
SETTINGS = (
    "data",
    "train",
    "val",
    "image_size",
    "batch_size",
    "epochs",
    "sweep_epochs",
    "pets",
    "weights",
    "seed",
)


def commit() -> str:
    """The commit of this copy, with `-dirty` if files have changed; empty outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    with suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(
            command, cwd=SYSTEMS_FOLDER, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()
    return ""


def measure(item: Measurement, work: Path, seconds: float) -> dict[str, Any]:
    """Runs a system's script in a process of its own.

    Args:
        item: What to run.
        work: Where it may leave files.
        seconds: How long it may take.

    Returns:
        The figures, or the reason why there are none.
    """
    system = SYSTEMS[item.system]
    source, target, log = (work / name for name in ("task.json", "result.json", "log.txt"))
    target.unlink(missing_ok=True)
    source.write_text(json.dumps(asdict(item.task)), encoding="utf-8")
    python = sys.executable if system.family == "ours" else interpreter(system.backend)
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work)),
        **system.environment,
    }
    command = [python, str(SYSTEMS_FOLDER / system.script), str(source), str(target)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
    if code == 0 and target.exists():
        return dict(json.loads(target.read_text(encoding="utf-8")))
    said = log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:].strip()
    if code is None:
        return {"error": f"took more than {seconds:.0f} seconds (--timeout)", "log": said}
    return {"error": said.rpartition("\n")[2] or f"exit code {code}", "log": said}


def settle(seconds: float) -> None:
    """Waits until other processes leave the machine alone, but not longer than that."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and psutil.cpu_percent(interval=1) > QUIET_PERCENT:
        continue


def outcome(figures: dict[str, Any]) -> str:
    """A run's result in a few words."""
    if figures.get("error"):
        return str(figures["error"])
    told = f"{figures['wall_seconds']:.2f} s"
    share = share_of_others(figures)
    return f"{told}, disturbed: others took {share:.0%}" if disturbed(figures) else told


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all below it, if it still runs."""
    if process.poll() is not None:
        return
    with suppress(psutil.Error):
        tree = psutil.Process(process.pid).children(recursive=True)
        for child in tree:
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def prepare(options: argparse.Namespace, work: Path) -> Plan:
    """Writes the pictures, unless they are given, and the weights that all systems start from.

    Raises:
        FtkitError: If the given folder or file does not fit.
    """
    folder = Path(options.data).resolve() if options.data else work / "pictures"
    if not options.data:
        for part, count, start in (("train", options.train, 0), ("val", options.val, VAL_START)):
            write_pictures(folder / part, count, options.image_size, options.seed, start)
    names = [
        sorted(path.name for path in (folder / part).glob("*") if path.is_dir())
        for part in ("train", "val")
    ]
    if names[0] != names[1] or len(names[0]) < 2:
        raise FtkitError(
            f"Expected the same two or more class folders in {folder / 'train'} and "
            f"{folder / 'val'}; got {names[0]} and {names[1]}. Give --data such a folder."
        )
    network = architecture(BACKBONE, Head(), len(names[0]))
    weights = str(Path(options.weights).resolve()) if options.weights else "random"
    tensors = work / "start.safetensors"
    save_file(initial_tensors(network, weights, options.seed), tensors)
    return Plan(options, str(folder), str(tensors), len(names[0]))


def write_pictures(folder: Path, count: int, size: int, seed: int, start: int) -> None:
    """Draws cats and dogs, one sub-folder for each."""
    names = TASKS["drawn-pets"].class_names
    for name in names:
        (folder / name).mkdir(parents=True)
    for number in range(start, start + count):
        (picture,), (label,) = draw("drawn-pets", 1, size, seed, number)
        path = folder / names[label] / f"{number:08}.jpg"
        Image.fromarray(picture).save(path, quality=JPEG_QUALITY)


def parse() -> tuple[argparse.Namespace, str]:
    """The options, and what is to be typed, for any job, to get the same settings."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    families = dict.fromkeys(system.family for system in SYSTEMS.values())
    add = parser.add_argument
    add("--jobs", nargs="+", default=list(JOBS), help=f"of {', '.join(JOBS)}; all if none is named")
    add("--systems", nargs="+", default=list(families), help=f"of {', '.join(families)}; or one of "
        f"{', '.join(SYSTEMS)}")  # fmt: skip
    add("--repeats", type=int, default=3, help="rounds")
    add("--data", help="folder with train/ and val/; drawn cats and dogs if none is given")
    add("--train", type=int, default=1000, help="training pictures to draw")
    add("--val", type=int, default=400, help="validation pictures to draw")
    add("--image-size", type=int, default=224, help="pixels on a side")
    add("--batch-size", type=int, default=32)
    add("--epochs", type=int, default=10, help="of feature extraction")
    add("--sweep-epochs", type=int, default=5, help="of each depth of the sweep")
    add("--pets", type=int, default=400, help="small pictures of the slider")
    add("--weights", help="file for resnet18; random weights if none is given")
    add("--seed", type=int, default=0)
    add("--settle", type=float, default=10, help="seconds to wait for a quiet machine, at most")
    add("--timeout", type=float, default=7200, help="seconds that one measurement may take")
    add("--out", type=Path, default=Path("out/bench.json"), help="file of results")
    add(
        "--resume",
        action="store_true",
        help="go on with the file of results: measure what is "
        "missing, failed, or was disturbed by other processes",
    )
    add("--docs", type=Path, help="Markdown file whose marked tables to replace")
    options = parser.parse_args()
    for job in options.jobs:
        if job not in JOBS:
            raise unknown_name("job", job, JOBS)
    for name in options.systems:
        if name not in (*families, *SYSTEMS):
            raise unknown_name("system", name, (*families, *SYSTEMS))
    chosen = {name for name, system in SYSTEMS.items() if system.family in options.systems}
    options.systems = chosen | (set(options.systems) & set(SYSTEMS))
    words = ["python benchmarks/speed.py"]
    for name in SETTINGS:
        value = getattr(options, name)
        if value != parser.get_default(name):
            words.append(f"--{name.replace('_', '-')} {value}")
    return options, " ".join(words)


def measure_all(
    rows: list[Measurement], options: argparse.Namespace, results: Results, work: Path
) -> None:
    """Every row, round by round; each round begins with another row."""
    for repeat in range(options.repeats):
        turn = repeat % max(len(rows), 1)
        for item in rows[turn:] + rows[:turn]:
            if results.done(item, repeat):
                continue
            settle(options.settle)
            told = f"{item.job}, round {repeat + 1} of {options.repeats}: {item.label}"
            print(f"{told} ...", file=sys.stderr, end=" ", flush=True)
            figures = measure(item, work, options.timeout)
            print(outcome(figures), file=sys.stderr)
            about = {
                "job": item.job,
                "system": item.system,
                "case": item.case,
                "repeat": repeat,
                "date": time.strftime("%Y-%m-%d %H:%M:%S"),
                "commit": commit(),
                "task": asdict(item.task),
            }
            results.add({**about, **figures})


def main() -> None:
    """Measures, prints the tables, and writes them where they are asked for."""
    options, command = parse()
    settings = {name: getattr(options, name) for name in SETTINGS}
    if options.docs:
        read_docs(
            options.docs, [*options.jobs, BARS]
        )  # a missing marker shows now, not hours later
    results = Results(options.out, settings, options.resume)
    with tempfile.TemporaryDirectory(prefix="ftkit-bench-", ignore_cleanup_errors=True) as folder:
        plan = prepare(options, Path(folder))
        rows = {job: list(plan.measurements(job)) for job in options.jobs}
        for job in options.jobs:
            measure_all(rows[job], options, results, Path(folder))
    blocks = {}
    for job in options.jobs:
        if rows[job]:
            known = provenance(job, rows[job], results, f"{command} --jobs {job}")
            blocks[job] = f"{table(job, rows[job], results)}\n\n{known}"
            print(f"## {job}\n\n{blocks[job]}\n")
    blocks[BARS] = bars_table(results)
    print(f"## {BARS}\n\n{blocks[BARS]}\n")
    if options.docs:
        write_docs(options.docs, blocks)


def run_benchmark(measure: Callable[[], None]) -> None:
    """Runs a benchmark that may be stopped and gone on with, and tells in words what ends it."""
    try:
        measure()
    except FtkitError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\nStopped. What was measured is kept: --resume goes on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run_benchmark(main)
