"""The catalogue of differences: complete entries, and no switch that nothing reads."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import ftkit
from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors
from ftkit.data.batches import SHUFFLE_BUFFER, epoch_batches
from ftkit.data.dataset import Split
from ftkit.differences import SWITCHES
from ftkit.errors import FtkitError
from ftkit.recipe import Recipe

PACKAGE = Path(ftkit.__file__).parent
CATALOGUE = PACKAGE / "differences.py"


def reads(name: str, source: str) -> bool:
    """Whether a program asks if a name is among some names: ``"dropout" in differences``."""
    return any(
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Constant)
        and node.left.value == name
        and isinstance(node.ops[0], (ast.In, ast.NotIn))
        for node in ast.walk(ast.parse(source))
    )


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_is_read_somewhere(name):
    files = [path for path in PACKAGE.rglob("*.py") if path != CATALOGUE]
    assert any(reads(name, path.read_text(encoding="utf-8")) for path in files)


def test_a_name_that_is_merely_mentioned_counts_as_unread():
    assert reads("dropout", 'if "dropout" not in recipe.differences: pass')
    assert not reads("dropout", 'print("dropout")  # "dropout" in differences')


@pytest.mark.parametrize("difference", SWITCHES.values(), ids=str)
def test_every_difference_says_what_either_framework_does(difference):
    assert SWITCHES[difference.name] is difference
    assert difference.pytorch and difference.keras and difference.matched
    assert difference.pytorch != difference.keras


LINES = [
    (difference.name, framework, line)
    for difference in SWITCHES.values()
    for framework, lines in (
        ("pytorch", difference.pytorch_lines),
        ("keras", difference.keras_lines),
    )
    for line in lines
]
OWN_PACKAGES = {"pytorch": ("torch", "torchvision"), "keras": ("keras", "tensorflow")}


def holds(source: str, inside: str, text: str) -> bool:
    """Whether a function or class of a program, by its dotted name, has a line in it."""
    node = ast.parse(source)
    for name in filter(None, inside.split(".")):
        found = [item for item in node.body if getattr(item, "name", None) == name]
        if not found:
            return False
        node = found[-1]
    part = ast.get_source_segment(source, node) if inside else source
    return "".join(text.split()) in "".join(part.split())


@pytest.mark.parametrize(
    "name, framework, line", LINES, ids=lambda value: getattr(value, "file", value)
)
def test_the_quoted_line_stands_in_the_installed_framework(name, framework, line):
    package, _, path = line.file.partition("/")
    assert package in OWN_PACKAGES[framework]
    found = importlib.util.find_spec(package)  # looks it up, imports nothing
    if found is None:
        pytest.skip(f"{package} is not installed")
    file = Path(found.origin).parent / path
    assert file.is_file()
    assert holds(file.read_text(encoding="utf-8"), line.inside, line.text)


def test_a_line_that_stands_elsewhere_is_not_found():
    source = "class A:\n    def f(self):\n        return 1 + \\\n            2\n\nx = 3\n"
    assert holds(source, "A.f", "return 1 + \\ 2") and holds(source, "", "x = 3")
    assert not holds(source, "A.f", "x = 3")
    assert not holds(source, "A.g", "return 1")


@pytest.mark.parametrize("difference", SWITCHES.values(), ids=str)
def test_every_difference_quotes_both_frameworks_and_says_where_it_shows(difference):
    assert difference.pytorch_lines and difference.keras_lines and difference.seen


@pytest.mark.parametrize("difference", SWITCHES.values(), ids=str)
def test_what_a_difference_needs_to_show_is_part_of_a_recipe_for_any_network(difference):
    for backbone in ("resnet_s", "vgg_s", "inception_s"):
        entries = {**Recipe(backbone=backbone).to_dict(), **difference.shown_by}
        recipe = Recipe.from_dict(entries)
        for strategy in recipe.strategies:
            assert recipe.phases_of(strategy, architecture(backbone, recipe.head, 2))


def test_a_recipe_takes_the_names_of_switches_and_no_others():
    assert Recipe(differences=tuple(SWITCHES)).differences == tuple(SWITCHES)
    with pytest.raises(FtkitError, match="Did you mean 'head-init'"):
        Recipe(differences=("head-inti",))


def test_the_switched_head_is_glorots_with_a_bias_of_zero():
    made = architecture("resnet_s", Head(), 2)
    matched = initial_tensors(made, "random", 0)
    switched = initial_tensors(made, "random", 0, glorot_head=True)
    assert {name for name in matched if not np.array_equal(matched[name], switched[name])} == {
        "fc.weight",
        "fc.bias",
    }
    assert not switched["fc.bias"].any()
    limit = np.sqrt(6 / (256 + 2))
    assert 0.9 * limit < np.abs(switched["fc.weight"]).max() <= limit
    assert np.abs(matched["fc.weight"]).max() <= 1 / np.sqrt(256)


def order(count: int, buffered: bool) -> list[int]:
    numbers = np.arange(count)
    images = np.zeros((count, 1, 1, 3), np.uint8)
    split = Split(images, numbers.astype(np.int64))
    batches = epoch_batches(split, Recipe(batch_size=64), 0, (), buffered)
    return [int(label) for batch in batches for label in batch.labels]


def test_a_buffer_gives_every_picture_once_and_none_before_it_is_in_the_buffer():
    count = SHUFFLE_BUFFER + 500
    buffered, whole = order(count, True), order(count, False)
    assert sorted(buffered) == sorted(whole) == list(range(count))
    assert buffered != whole
    assert all(number < SHUFFLE_BUFFER + place for place, number in enumerate(buffered))
    assert any(number >= SHUFFLE_BUFFER + place for place, number in enumerate(whole))


def test_a_buffer_that_holds_all_pictures_changes_nothing():
    assert order(100, True) == order(100, False) != list(range(100))
