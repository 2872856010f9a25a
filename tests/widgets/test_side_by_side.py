"""The two sources as records: what a page shows, and whether the explanations are still true."""

from __future__ import annotations

import json

import pytest

from ftkit.errors import FtkitError
from ftkit.widgets.remarks import REMARKS
from ftkit.widgets.side_by_side import (
    BACKENDS,
    STEPS,
    Piece,
    SideBySide,
    remarks_on,
    step_text,
    step_view,
)

PIECES = [(step, piece) for step in STEPS.values() for piece in step.pieces]


def piece_named(step: str, name: str) -> Piece:
    (found,) = [piece for piece in STEPS[step].pieces if piece.name == name]
    return found


def text_of(half: dict) -> str:
    return "".join(said for _, said in half["words"])


@pytest.mark.parametrize("remark", REMARKS, ids=lambda remark: f"{remark.step}: {remark.title}")
def test_what_a_remark_quotes_still_stands_in_its_function(remark):
    piece = piece_named(remark.step, remark.name)
    quoted = {name: getattr(remark, name) for name in BACKENDS if getattr(remark, name)}
    assert quoted
    for backend, code in quoted.items():
        source = piece.source(backend)
        assert source is not None
        assert source.line_of(code) not in source.docstring
    assert remark.title and remark.text.endswith(".")


@pytest.mark.parametrize("remark", REMARKS, ids=lambda remark: f"{remark.step}: {remark.title}")
def test_a_remark_speaks_of_lines_that_differ(remark):
    assert remark.pytorch != remark.tensorflow


def test_every_step_has_remarks():
    assert {remark.step for remark in REMARKS} == set(STEPS)


@pytest.mark.parametrize(("step", "piece"), PIECES, ids=lambda item: item.name)
def test_a_function_is_shown_whole_and_with_its_own_line_numbers(step, piece):
    view = next(
        item
        for item in step_view(step.name)["pieces"]
        if item["name"] == piece.name.split(".", 1)[1]
    )
    for backend in BACKENDS:
        source = piece.source(backend)
        shown = [row[backend] for row in view["rows"] if backend in row]
        lines = source.lines if source else ()
        assert [text_of(half) for half in shown] == list(lines)
        assert [half["line"] for half in shown] == [
            source.start + number for number in range(len(lines))
        ]


def test_what_only_one_backend_has_says_what_the_other_has_instead():
    alone = [(step, piece) for step, piece in PIECES if piece.absent]
    assert alone
    for step, piece in alone:
        ((backend, instead),) = piece.absent
        (view,) = [
            item for item in step_view(step.name)["pieces"] if piece.name.endswith(item["name"])
        ]
        assert view["heads"][backend] == {"absent": instead}
        assert all(backend not in row for row in view["rows"])


@pytest.mark.parametrize("step", STEPS)
def test_every_explanation_has_a_mark_and_every_mark_an_explanation(step):
    view = step_view(step)
    numbers = [remark["number"] for remark in view["remarks"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == sum(len(remarks_on(step, piece.name)) for piece in STEPS[step].pieces)
    marks = [
        number
        for piece in view["pieces"]
        for row in piece["rows"]
        for backend in BACKENDS
        for number in row.get(backend, {}).get("marks", [])
    ]
    assert sorted(set(marks)) == numbers


def test_marks_are_numbered_from_top_to_bottom():
    for step in STEPS:
        first_seen = []
        for piece in step_view(step)["pieces"]:
            for row in piece["rows"]:
                for backend in BACKENDS:
                    first_seen += row.get(backend, {}).get("marks", [])
        assert list(dict.fromkeys(first_seen)) == sorted(set(first_seen)), step


def test_lines_that_are_explained_together_stand_side_by_side():
    (piece,) = [item for item in step_view("train")["pieces"] if item["name"] == "make_step"]
    beside = {
        text_of(row["pytorch"]).strip(): text_of(row["tensorflow"]).strip()
        for row in piece["rows"]
        if all(row.get(name, {}).get("marks") for name in BACKENDS)
    }
    assert beside["loss.backward()"] == "gradients = tape.gradient(loss, variables)"
    assert beside["optimizer.step()"] == "optimizer.apply(gradients, variables)"


def test_a_row_says_whether_its_lines_are_the_same_or_only_alike():
    rows = step_view("freeze")["pieces"][0]["rows"]
    kinds = {}
    for row in rows:
        for backend in BACKENDS:
            if backend in row:
                kinds[backend, text_of(row[backend]).strip()] = row["kind"]
    assert kinds["pytorch", "for state in states:"] == "same"
    assert kinds["tensorflow", "layer.trainable = state.learns"] == "like"
    assert kinds["pytorch", "network.model.train()"] == "alone"


def test_a_widget_opens_on_the_step_that_is_asked_for():
    assert SideBySide().step == "load"
    assert SideBySide("freeze").step == "freeze"


def test_a_step_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(FtkitError, match="Unknown step 'trian'. Did you mean 'train'"):
        SideBySide("trian")


def test_the_page_gets_plain_data_of_every_step():
    widget = SideBySide()
    assert [step["name"] for step in widget.steps] == list(STEPS)
    assert json.loads(json.dumps(widget.steps)) == widget.steps


def test_what_stays_in_the_notebook_is_the_open_step_as_text():
    widget = SideBySide()
    widget.step = "train"
    figure, text = widget.still()
    assert figure is None
    assert text == step_text("train")
    assert "PyTorch, ftkit/backends/pytorch/training.py" in text
    assert "        loss.backward()\n" in text
    assert "        gradients = tape.gradient(loss, variables)\n" in text
    assert "Old gradients: PyTorch adds" in text
