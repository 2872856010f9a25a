"""What each framework difference is worth: how far the loss curves part when it is switched on.

Run `python benchmarks/differences.py`. Each row is one recipe in float64, 40 steps, in both
frameworks; without the switch the same recipe must agree to 1e-9, and the last column shows it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import ftkit
from ftkit.differences import SWITCHES
from ftkit.progress import progress

DEAD = 1e-6


def parting(recipe: ftkit.Recipe) -> tuple[float, float]:
    """Largest difference of the loss, at any step, and of the validation loss at any epoch."""
    with progress(sys.stderr) as show:
        first, second = ftkit.compare(recipe, on_event=show).runs
    losses = zip(first.step_losses, second.step_losses, strict=True)
    epochs = zip(first.epochs, second.epochs, strict=True)
    return (
        max(abs(one - other) for one, other in losses),
        max(abs(one.val_loss - other.val_loss) for one, other in epochs),
    )


def main() -> None:
    """Measures every switch and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("switches", nargs="*", default=list(SWITCHES), help="all, if none is named")
    common = ftkit.Recipe(
        train_size=160, batch_size=8, epochs=2, precision="fp64", strategies=("fine-tuning",)
    )
    print("| switch | training loss parts by | validation loss | both, switched off |")
    print("|---|---|---|---|")
    for name in parser.parse_args().switches:
        recipe = ftkit.Recipe.from_dict({**common.to_dict(), **SWITCHES[name].shown_by})
        step, val = parting(replace(recipe, differences=(name,)))
        off = max(parting(recipe))
        if max(step, val) < DEAD:
            raise ftkit.FtkitError(f"{name} changes nothing in this recipe: {recipe}")
        print(f"| `{name}` | {step:.1e} | {val:.1e} | {off:.1e} |", flush=True)


if __name__ == "__main__":
    main()
