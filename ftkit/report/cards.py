"""What there is to know about each backbone, as text."""

from __future__ import annotations

from textwrap import fill

from rich.table import Table

from ftkit.architecture import Architecture, Head
from ftkit.backbones.catalogue import BACKBONES, architecture, backbone
from ftkit.backbones.checkpoints import CHECKPOINTS, PUBLISHED
from ftkit.downloads import cached, state
from ftkit.recipe import SMALLEST_IMAGE
from ftkit.report.formats import count, percent, short_count
from ftkit.report.table import plain_lines, plain_table

_WIDTH = 100
_STATES = {
    "absent": "not in the cache",
    "partial": "begun, not all there",
    "verified": "in the cache",
    "unverified": "in the cache, laid there by hand",
    "damaged": "in the cache, damaged",
}


def models_table() -> str:
    """One line per backbone: its size, its cost, and how good its published weights are."""
    table = plain_table()
    table.add_column("backbone")
    for title in ("year", "pixels", "parameters", "mult-adds", "top-1", "top-1, Keras"):
        table.add_column(title, justify="right")
    table.add_column("weights")
    for name, spec in BACKBONES.items():
        made = architecture(name, Head(), 1000)
        published = CHECKPOINTS.get(name, {})
        weights = ["bundled"] * spec.bundled + [item for item in PUBLISHED if item in published]
        tops = [published.get("imagenet"), published.get("native")]
        table.add_row(
            name,
            str(spec.year),
            str(spec.image_size),
            short_count(_backbone_parameters(made)),
            short_count(sum(made.multiplications(spec.image_size).values())),
            *(f"{item.top1:.1f}%" if item else "-" for item in tops),
            ", ".join(weights),
        )
    lines = [
        _text(table),
        "Parameters without the classifier; multiply-adds of one picture with one for 1,000 "
        "classes. Top-1: accuracy on ImageNet of torchvision's first weights (imagenet) and of "
        "keras.applications' (native), as published: https://docs.pytorch.org/vision/stable/"
        "models.html and https://keras.io/api/applications/.",
        "The bundled weights know drawn shapes, not photographs. More about one: ftkit models NAME",
    ]
    return lines[0] + "\n".join(fill(line, _WIDTH, break_long_words=False) for line in lines[1:])


def model_card(name: str, classes: int = 2) -> str:
    """Everything about one backbone, its blocks, and what freezing each depth leaves to train.

    Args:
        name: The backbone.
        classes: Outputs of the head that is counted in.

    Raises:
        FtkitError: If there is no such backbone.
    """
    spec = backbone(name)
    made = architecture(name, Head(), classes)
    scaling = spec.scaling
    least = max(made.smallest_image, SMALLEST_IMAGE)
    facts = [
        ("paper", f"{spec.year}, https://arxiv.org/abs/{spec.paper}"),
        (
            "pictures",
            f"{spec.image_size} x {spec.image_size} pixels, at least {least}; "
            "bicubic, their middle square",
        ),
        ("input", f"RGB, (pixel / 255 - {_numbers(scaling.mean)}) / {_numbers(scaling.std)}"),
        ("parameters", f"{count(_backbone_parameters(made))} without a classifier"),
        (
            "mult-adds",
            f"{count(sum(made.multiplications(spec.image_size).values()))} for one picture",
        ),
    ]
    if spec.keras:
        facts.append(
            ("in Keras", f"keras.applications.{spec.keras.function}: {spec.keras.differs}")
        )
    if spec.bundled:
        facts.append(("bundled", f"ftkit/backbones/bundled/{name}.md says how they were made"))
    for weights, item in CHECKPOINTS.get(name, {}).items():
        place = cached(item.download)
        size = f", {item.download.megabytes:.0f} MB" if item.download.megabytes else ""
        facts.append(
            (
                weights,
                f"{item.named}, top-1 {item.top1:.1f}% ({item.source}){size}, "
                f"{_STATES[state(item.download)]}: {place}",
            )
        )
    lines = [f"{name}: {spec.about}", ""]
    for title, text in facts:
        lines.append(
            fill(
                f"{title:<12}{text}",
                _WIDTH,
                subsequent_indent=" " * 12,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n".join(lines) + "\n\n" + _blocks(made, spec.image_size)


def _blocks(made: Architecture, image_size: int) -> str:
    """The blocks in order; each row also says what is left when it and all before are frozen."""
    table = plain_table()
    for title in ("depth", "block", "output", "parameters", "mult-adds", "left to train", ""):
        table.add_column(title, justify="left" if title in ("block", "output") else "right")
    costs = made.multiplications(image_size)
    outputs = {}
    for item, (height, width) in zip(made.operations, made.sizes(image_size)):
        vector = height == width == 1
        outputs[item.block] = f"{item.channels}" if vector else f"{height}x{width}x{item.channels}"
    left = made.parameters
    table.add_row("0", "(nothing frozen)", "", "", "", count(left), "100%")
    for depth, block in enumerate((*made.blocks, made.head_block), 1):
        own = sum(layer.parameters for layer in made.layers if layer.block == block)
        left -= own
        frozen = block != made.head_block
        table.add_row(
            str(depth) if frozen else "",
            block,
            outputs[block],
            count(own),
            short_count(costs[block]),
            count(left) if frozen else "",
            percent(left / made.parameters) if frozen else "",
        )
    return _text(table) + fill(
        f"A row with a depth says what is left to train when its block and all before it are "
        f"frozen (--freeze-depth), with a head for {made.classes} classes.",
        _WIDTH,
        break_on_hyphens=False,
    )


def _backbone_parameters(made: Architecture) -> int:
    return sum(layer.parameters for layer in made.layers if layer.block != made.head_block)


def _numbers(values: tuple[float, ...]) -> str:
    return "[" + " ".join(f"{value:g}" for value in values) + "]"


def _text(table: Table) -> str:
    return "\n".join(plain_lines(table, _WIDTH)) + "\n\n"
