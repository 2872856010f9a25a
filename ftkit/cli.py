"""The command line: one function per command, each a call into the library."""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any

from ftkit import __version__, api, lab
from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES
from ftkit.backbones.checkpoints import PUBLISHED
from ftkit.backbones.weights import FILES
from ftkit.coursework import COURSE, coursework
from ftkit.data import NAMES
from ftkit.differences import SWITCHES
from ftkit.downloads import progress_bars
from ftkit.engine.compare import PATIENCE_SECONDS
from ftkit.engine.pretrain import pretrain
from ftkit.environments import BACKENDS
from ftkit.errors import FtkitError, RunBrokeOff
from ftkit.fetching import fetch_all, fetchable, listing
from ftkit.grading import commands as grading
from ftkit.grading.errors import GradingError
from ftkit.progress import progress
from ftkit.recipe import (
    AUGMENTATIONS,
    DEVICES,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    STRATEGIES,
    Recipe,
)
from ftkit.report.cards import model_card, models_table
from ftkit.writing import check_writable

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        0; 1 if a run failed; 2 for bad input; 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a class may have a name that they cannot show
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    interrupt = _Interrupt()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signalled, interrupt)
    options.typed = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code: int = options.command(options)
        return code
    except (FtkitError, GradingError) as error:
        print(f"ftkit: {error}", file=sys.stderr)
        return EXIT_FAILED if isinstance(error, RunBrokeOff) else EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("ftkit: interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED


def compare(options: argparse.Namespace) -> int:
    """``ftkit compare``."""
    recipe = _recipe(options)
    check_writable(options.out)
    with progress() as show:
        results = api.compare(
            recipe,
            _names(options.backends),
            show,
            options.cache,
            options.cache_memory,
            options.export,
        )
    return _finish(results, options.out, "report.html, curves.png, summary.json, history.json")


def sweep(options: argparse.Namespace) -> int:
    """``ftkit sweep``."""
    recipe = _recipe(options)
    check_writable(options.out)
    with progress() as show:
        results = api.sweep(
            recipe,
            options.seeds,
            options.depths,
            _names(options.backends),
            show,
            options.cache,
            options.cache_memory,
        )
    return _finish(results, options.out, "sweep.png, summary.json, history.json")


def make_weights(options: argparse.Namespace) -> int:
    """``ftkit pretrain``."""
    recipe = replace(_recipe(options), strategies=("scratch",), weights="random")
    typed = shlex.join(["ftkit", *_without_out(options.typed)])
    with progress() as show:
        made = pretrain(recipe, options.backend, options.out, typed, show)
    print(made.card.read_text(encoding="utf-8"))
    print(f"Written to {made.weights} and {made.card}")
    return 0


def models(options: argparse.Namespace) -> int:
    """``ftkit models``."""
    if options.classes < 1:
        raise FtkitError(f"--classes must be at least 1; got {options.classes}.")
    print(model_card(options.name, options.classes) if options.name else models_table())
    return 0


def fetch(options: argparse.Namespace) -> int:
    """``ftkit fetch``."""
    if options.list:
        print("\n".join(listing()))
        return 0
    with progress_bars() as show:
        lines = fetch_all(options.names, options.weights, show)
    print("\n".join(lines))
    return 0


def open_course(options: argparse.Namespace) -> int:
    """``ftkit lab``."""
    lab.check(options.port)
    brought = lab.bring(options.folder, options.update)
    print("\n".join(brought.lines()), flush=True)
    return lab.serve(brought.folder, options.port, options.browser)


def show_progress(options: argparse.Namespace) -> int:
    """``ftkit progress``."""
    if not options.folder.is_dir():
        raise FtkitError(f"Expected the course folder; {options.folder} is none.")
    print(coursework(options.folder))
    return 0


def _finish(results: api.Results | api.SweepResults, folder: Path, files: str) -> int:
    """Shows and writes what was found, and gives the exit code.

    Raises:
        KeyboardInterrupt: If nothing was, because it was ended before the first run.
    """
    if not results.runs:
        raise KeyboardInterrupt
    print(results.table().rstrip("\n"), flush=True)
    out = results.save(folder)
    for skipped in results.dataset.skipped:
        print(f"Skipped, because it could not be read: {skipped}")
    print(f"\nWritten to {out}: {files}")
    if results.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if any(run.status == "failed" for run in results.runs) else 0


class _Interrupt:
    """Ends a command as Ctrl-C does; pressed again while it writes what there is, it waits."""

    def __init__(self) -> None:
        self._asked = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal.

        Raises:
            KeyboardInterrupt: Unless another one is being seen to.
        """
        now = time.monotonic()
        if self._asked and now - self._asked < PATIENCE_SECONDS:
            return
        self._asked = now
        print("ftkit: stopping, and writing what there is", file=sys.stderr)
        raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ftkit", description="Transfer learning in PyTorch and TensorFlow, side by side."
    )
    parser.add_argument("--version", action="version", version=f"ftkit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    comparing = commands.add_parser(
        "compare",
        help="run one recipe in both frameworks and compare",
        description="Runs fine-tuning strategies in PyTorch and TensorFlow from the same start.",
        allow_abbrev=False,
    )
    _add_recipe_options(comparing, Recipe(), Path("out"))
    add = comparing.add_argument
    _add_running_options(comparing)
    add("--strategies", metavar="A,B", help=f"of {', '.join(STRATEGIES)} (all)")
    add("--freeze-depth", type=int, metavar="N", help="blocks that stay frozen when fine-tuning")
    add("--export", type=Path, metavar="DIR", help="write each run's final weights there")
    comparing.set_defaults(command=compare)

    sweeping = commands.add_parser(
        "sweep",
        help="fine-tune at every freeze depth",
        description="Fine-tunes at every freeze depth; what is frozen is computed once for all.",
        allow_abbrev=False,
    )
    _add_recipe_options(sweeping, Recipe(), Path("sweep"))
    _add_running_options(sweeping)
    sweeping.add_argument("--seeds", type=int, default=3, metavar="N", help="how many (3)")
    sweeping.add_argument(
        "--depths", type=_whole_numbers, metavar="A,B", help="which freeze depths (all)"
    )
    sweeping.set_defaults(command=sweep)

    showing = commands.add_parser(
        "models",
        help="the backbones, or one of them",
        description="Lists the backbones; with a name, its card, blocks and freeze depths.",
        allow_abbrev=False,
    )
    showing.add_argument("name", nargs="?", metavar="NAME", help="a backbone (all)")
    showing.add_argument("--classes", type=int, default=2, metavar="N", help="of the head (2)")
    showing.set_defaults(command=models)

    fetching = commands.add_parser(
        "fetch",
        help="fill the cache for work without a network",
        description="Downloads published weights and data into the cache (FTKIT_CACHE).",
        allow_abbrev=False,
    )
    fetching.add_argument("names", nargs="*", metavar="NAME", help=", ".join(fetchable()))
    fetching.add_argument(
        "--weights", default="imagenet", metavar="NAME", help=f"{', '.join(PUBLISHED)} (imagenet)"
    )
    fetching.add_argument("--list", action="store_true", help="show what is in the cache")
    fetching.set_defaults(command=fetch)

    opening = commands.add_parser(
        "lab",
        help="open the course in JupyterLab",
        description="Copies the course into a folder, never over your work, and opens it.",
        allow_abbrev=False,
    )
    opening.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=COURSE,
        metavar="DIR",
        help=f"your folder ({COURSE})",
    )
    opening.add_argument(
        "--update",
        action="store_true",
        help="bring newer versions: in place of notebooks that you have not changed, else beside",
    )
    opening.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only say where it is"
    )
    opening.add_argument("--port", type=int, metavar="N", help="where it listens (a free one)")
    opening.set_defaults(command=open_course)

    going = commands.add_parser(
        "progress",
        help="how far you are with the course",
        description="Shows which quizzes are answered, and which exercises passed or were tried.",
        allow_abbrev=False,
    )
    going.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help=f"your copy of the course (the one around here, or {COURSE})",
    )
    going.set_defaults(command=show_progress)

    pretraining = commands.add_parser(
        "pretrain",
        help="make a backbone's bundled weights",
        description="Trains a backbone from random weights and writes safetensors and a card.",
        allow_abbrev=False,
    )
    source = Recipe(
        data="shapes",
        train_size=40_000,
        epochs=14,
        batch_size=64,
        optimizer="adamw",
        lr=0.002,
        schedule="cosine",
        weight_decay=0.05,
        augment="flip-crop",
    )
    _add_recipe_options(pretraining, source, Path("weights"))
    pretraining.add_argument("--backend", default="pytorch", help="which framework trains")
    pretraining.set_defaults(command=make_weights, recipe=None)
    grading.add(commands)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser, base: Recipe, out: Path) -> None:
    add = parser.add_argument
    parser.set_defaults(base=base)
    add("--data", metavar="NAME|DIR", help=f"{', '.join(NAMES)} or a folder ({base.data})")
    add("--backbone", metavar="NAME", help=f"{', '.join(BACKBONES)} ({base.backbone})")
    add("--epochs", type=int, metavar="N", help=f"passes over the pictures ({base.epochs})")
    add("--batch-size", type=int, metavar="N", help=f"pictures per step ({base.batch_size})")
    add("--image-size", type=int, metavar="PX", help="pixels on a side (the backbone's own)")
    add(
        "--train-size",
        type=int,
        metavar="N",
        help=f"training pictures to use ({base.train_size or 'all'})",
    )
    add("--seed", type=int, metavar="N", help=f"decides all that is random ({base.seed})")
    add("--precision", metavar="P", help=f"{' or '.join(PRECISIONS)} ({base.precision})")
    add("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} ({base.optimizer})")
    add("--lr", type=float, metavar="RATE", help=f"learning rate ({base.learning_rate:g})")
    add("--weight-decay", type=float, metavar="X", help=f"weight decay ({base.weight_decay:g})")
    add("--schedule", metavar="NAME", help=f"{', '.join(SCHEDULES)} ({base.schedule})")
    add(
        "--label-smoothing",
        type=float,
        metavar="X",
        help=f"share for all classes ({base.label_smoothing:g})",
    )
    add("--augment", metavar="NAME", help=f"{', '.join(AUGMENTATIONS)} ({base.augment})")
    add(
        "--views",
        type=int,
        metavar="N",
        help="with flip-crop: N fixed versions of each picture, one an epoch, so that what is "
        "frozen can be computed once (new ones in every epoch)",
    )
    add("--device", metavar="NAME", help=f"{', '.join(DEVICES)} ({base.device})")
    add("--out", type=Path, default=out, metavar="DIR", help=f"where to write ({out})")


def _add_running_options(parser: argparse.ArgumentParser) -> None:
    """What comparing and sweeping have in common beyond the recipe's own options."""
    add = parser.add_argument
    add("--recipe", type=Path, metavar="FILE", help="start from the recipe in a summary.json")
    add(
        "--weights",
        metavar="NAME|FILE",
        help=f"bundled, {', '.join(PUBLISHED)}, random, or a file ({', '.join(FILES)})",
    )
    add("--head", type=int, metavar="UNITS", help="units of a hidden layer in the head (none)")
    add("--dropout", type=float, metavar="RATE", help="dropout in the head (0)")
    add("--batch-norm", metavar="MODE", help="auto, inference, statistics or train (auto)")
    add("--frozen-batch-norm", metavar="MODE", help="inference, statistics or train (inference)")
    add("--differences", metavar="A,B", help=f"to switch on: {', '.join(SWITCHES)}")
    add("--backends", default=",".join(BACKENDS), metavar="A,B", help="where to run (both)")
    add(
        "--no-cache",
        dest="cache",
        action="store_false",
        help="compute what is frozen again in every epoch",
    )
    add(
        "--cache-memory",
        type=_bytes,
        metavar="SIZE",
        help="of it to hold in memory, such as 2G; the rest goes to disk (a quarter of what is "
        "free)",
    )


def _bytes(text: str) -> int:
    """A size such as ``500M`` or ``2G``, in units of 1024."""
    found = re.fullmatch(
        r"(\d{1,12}(?:\.\d{1,3})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE
    )
    if not found:
        raise argparse.ArgumentTypeError(f"expected a size such as 500M, 2G or 0; got {text!r}")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(name) for name in _names(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers such as 0,2,5; got {text!r}"
        ) from None


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe of the file or the defaults, changed by what was given."""
    recipe = Recipe.read(options.recipe) if options.recipe else options.base
    given: dict[str, Any] = {
        name: value
        for name, value in vars(options).items()
        if name in Recipe.__dataclass_fields__ and value is not None
    }
    for name in ("strategies", "differences"):
        if name in given:
            given[name] = _names(given[name])
    head, dropout = given.pop("head", None), vars(options).get("dropout")
    if head is not None or dropout is not None:
        given["head"] = Head(
            hidden=recipe.head.hidden if head is None else head,
            dropout=recipe.head.dropout if dropout is None else dropout,
        )
    changed: Recipe = replace(recipe, **given)
    return changed


def _without_out(arguments: Sequence[str]) -> list[str]:
    """What was typed, but where to write: that is the machine's business, not the model card's."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and argument != "--out" and not argument.startswith("--out="):
            kept.append(argument)
        skip = argument == "--out"
    return kept


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
