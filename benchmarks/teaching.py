"""Does transfer show? Validation accuracy by strategy and number of training pictures.

Run `python benchmarks/teaching.py` (`--help` for options). Each figure is the mean over three
seeds: each seed draws its own pictures, head and batches. All strategies share one recipe.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import ftkit
from ftkit.progress import progress
from ftkit.writing import write_text

TASKS = {"drawn-pets": (40, 100, 400), "new-shapes": (60, 120, 300)}
COLUMNS = {
    "scratch": ("scratch", None),
    "feature extraction": ("feature-extraction", None),
    "last block and head": ("fine-tuning", 4),
    "everything": ("fine-tuning", None),
}


def accuracy(recipe: ftkit.Recipe, backend: str, strategy: str, depth: int | None) -> float:
    """Validation accuracy at the end of one run."""
    recipe = replace(recipe, strategies=(strategy,), freeze_depth=depth)
    with progress(sys.stderr) as show:
        (run,) = ftkit.run(recipe, backend, show).runs
    if run.val_accuracy is None:
        raise ftkit.FtkitError(f"The run did not end: {run.error}")
    return run.val_accuracy


def table(recipe: ftkit.Recipe, sizes: tuple[int, ...], backend: str, seeds: int) -> str:
    """A Markdown table: a row per number of training pictures, mean and standard deviation."""
    lines = [f"| pictures | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for size in sizes:
        cells = []
        for strategy, depth in COLUMNS.values():
            found = [
                accuracy(replace(recipe, train_size=size, seed=seed), backend, strategy, depth)
                for seed in range(seeds)
            ]
            spread = f" ± {statistics.stdev(found):.3f}" if seeds > 1 else ""
            cells.append(f"{statistics.mean(found):.3f}{spread}")
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measures every table, prints it, and writes it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="*", default=list(TASKS), help="drawn-pets, new-shapes")
    parser.add_argument("--sizes", nargs="*", type=int, help="training pictures")
    parser.add_argument("--backend", default="pytorch")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    recipe = ftkit.Recipe(weights=options.weights, epochs=20, batch_size=16)
    told = []
    for data in options.data:
        sizes = tuple(options.sizes or TASKS[data])
        found = table(replace(recipe, data=data), sizes, options.backend, options.seeds)
        told.append(f"{data}\n\n{found}\n")
        print(told[-1], flush=True)
    if options.out:
        write_text(options.out, "\n".join(told))


if __name__ == "__main__":
    main()
