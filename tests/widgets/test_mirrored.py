"""Reading the two backends' sources, and lining them up."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from ftkit.errors import FtkitError
from ftkit.widgets import mirrored
from ftkit.widgets.mirrored import Source, align, coloured, likeness, read


def source(text: str, docstring: range = range(0)) -> Source:
    return Source("file.py", "name", 1, tuple(text.split("\n")), docstring)


@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
def test_a_function_is_read_as_it_stands_in_its_file(backend):
    found = read(backend, "training", "make_step")
    whole = (mirrored.FOLDER / backend / "training.py").read_text(encoding="utf-8").split("\n")
    assert list(found.lines) == whole[found.start - 1 : found.start - 1 + len(found.lines)]
    assert found.lines[0].startswith("def make_step(")
    assert found.lines[-1] == "    return step"
    assert found.path == f"ftkit/backends/{backend}/training.py"


def test_a_method_moves_to_the_left_margin_and_keeps_its_line_number():
    found = read("pytorch", "backbones", "Network.preprocess")
    whole = (mirrored.FOLDER / "pytorch" / "backbones.py").read_text(encoding="utf-8").split("\n")
    assert found.lines[0].startswith("def preprocess(")
    assert whole[found.start - 1] == "    " + found.lines[0]


def test_the_docstring_is_told_apart_and_nothing_else():
    found = read("pytorch", "optimizers", "set_rate")
    said = [found.lines[number] for number in found.docstring]
    assert said == [
        '    """Sets the learning rate of the next step, each block\'s by its factor."""'
    ]


def test_what_is_not_there_is_named():
    with pytest.raises(FtkitError, match="function or class Network.nothing in .*backbones.py"):
        read("pytorch", "backbones", "Network.nothing")


def test_reading_the_sources_loads_no_framework():
    program = (
        "import sys; from ftkit.widgets.mirrored import read; "
        "read('pytorch', 'training', 'train'); read('tensorflow', 'training', 'train'); "
        "print(*[name for name in ('torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_a_quotation_that_is_gone_or_there_twice_is_an_error():
    text = source("loss.backward()\nstep()\nstep()")
    assert text.line_of("loss.backward()\nstep()\nst") == 2
    for code, times in (("gone()", 0), ("step()", 2)):
        with pytest.raises(FtkitError, match=f"there {times} times"):
            text.line_of(code)


def test_every_line_of_both_appears_once_and_in_order():
    left, right = read("pytorch", "training", "train"), read("tensorflow", "training", "train")
    pairs = align(left, right)
    assert [i for i, _ in pairs if i is not None] == list(range(len(left.lines)))
    assert [j for _, j in pairs if j is not None] == list(range(len(right.lines)))


def test_lines_that_say_the_same_stand_side_by_side_and_others_alone():
    left = source("start(x)\nzero_grad()\nloss = cross_entropy(logits, labels)\nend(x)")
    right = source("start(x)\nloss = tf.cross_entropy(labels, logits)\ncount += 1\nend(x)")
    assert align(left, right) == [(0, 0), (1, None), (2, 1), (None, 2), (3, 3)]


def test_an_anchor_brings_lines_together_that_have_no_word_in_common():
    left, right = source("a = 1\nbackward()\nb = 2"), source("a = 1\ngradient = tape(x)\nb = 2")
    assert (1, 1) not in align(left, right)
    assert align(left, right, ((1, 1),)) == [(0, 0), (1, 1), (2, 2)]


def test_a_docstring_is_never_paired_with_code():
    left, right = source('"""the same words"""', range(0, 1)), source('"""the same words"""')
    assert align(left, right) == [(0, None), (None, 0)]


def test_the_same_line_is_more_alike_than_a_similar_one_and_that_than_another():
    line = "drops = [model.get_layer(layer.name) for layer in layers]"
    near = "drops = [model.get_submodule(layer.name) for layer in layers]"
    assert likeness(line, "    " + line) > likeness(line, near) > likeness(line, "return step") == 0


def test_colours_change_no_letter_of_the_source():
    text = inspect.getsource(mirrored)
    lines = ["".join(said for _, said in words) for words in coloured(text)]
    assert lines == text.split("\n")


def test_words_are_told_apart_as_an_editor_does():
    (words,) = coloured('def f(x): return "text" + str(1)  # why')
    assert ["keyword", "def"] in words
    assert ["def", "f"] in words
    assert ["string", '"text"'] in words
    assert ["builtin", "str"] in words
    assert ["number", "1"] in words
    assert ["comment", "# why"] in words


def test_a_string_over_several_lines_is_a_string_on_each():
    lines = coloured('"""one\ntwo"""\nx')
    assert lines[0] == [["string", '"""one']]
    assert lines[1] == [["string", 'two"""']]
