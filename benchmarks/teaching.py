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
COLUMNS = ("scratch", "feature extraction", "last block and head", "everything")
LAST_BLOCK = 4  # of five: stem, layer1 to layer3 stay frozen


def accuracies(recipe: ftkit.Recipe, backend: str) -> list[float]:
    """Validation accuracy at the end of the four runs, in the order of the columns."""
    whole = replace(recipe, strategies=("scratch", "feature-extraction", "fine-tuning"))
    partly = replace(recipe, strategies=("fine-tuning",), freeze_depth=LAST_BLOCK)
    with progress(sys.stderr) as show:
        scratch, extraction, everything = ftkit.run(whole, backend, show).runs
        (last_block,) = ftkit.run(partly, backend, show).runs
    found = []
    for run in (scratch, extraction, last_block, everything):
        if run.val_accuracy is None:
            raise ftkit.FtkitError(f"A run did not end: {run.error}")
        found.append(run.val_accuracy)
    return found


def table(recipe: ftkit.Recipe, sizes: tuple[int, ...], backend: str, seeds: int) -> str:
    """A Markdown table: a row per number of training pictures, mean and standard deviation."""
    lines = [f"| pictures | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for size in sizes:
        rows = [
            accuracies(replace(recipe, train_size=size, seed=seed), backend)
            for seed in range(seeds)
        ]
        cells = [
            f"{statistics.mean(column):.3f} ± {statistics.pstdev(column):.3f}"
            for column in zip(*rows, strict=True)
        ]
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
