"""Progress: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import re

import pytest

from ftkit.history import Computing, Epoch, Kept, PhaseStart, Run, RunEnd, RunFailed, Step
from ftkit.progress import Bars, Lines, progress

EVENTS = [
    PhaseStart(0, (), 0, 10, 10, epochs=1, steps=2, run_steps=2),
    Step(0, 0, 0, 0.75, 1, 2, 0.1, 0.01),
    Step(0, 0, 1, 0.625, 1, 2, 0.1, 0.01),
    Epoch(0, 0, 0.6875, 0.5, 0.5, 0.875, 1.25),
    RunEnd(False, [], 1.0, "cpu", {}),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream, events, strategy="scratch"):
    """What a run's events look like, without the codes that move the cursor and colour."""
    run = Run("pytorch", strategy)
    with progress(stream) as show:
        for event in events:
            run.add(event)
            show(run, event)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_a_terminal_gets_bars_and_anything_else_lines():
    with progress(Terminal()) as show:
        assert isinstance(show, Bars)
    with progress(io.StringIO()) as show:
        assert isinstance(show, Lines)


def test_without_a_stream_it_is_standard_error(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress() as show:
        assert isinstance(show, Bars)


@pytest.fixture(autouse=True)
def a_wide_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")


def test_lines_tell_each_epoch_once_and_nothing_of_the_steps():
    assert shown(io.StringIO(), EVENTS) == (
        "pytorch scratch: epoch 1, training loss 0.6875, validation loss 0.5000, "
        "accuracy 0.875, 1.2 s\n"
    )


def test_lines_tell_what_was_computed_once_and_what_that_cost():
    passed = [Computing(0, done, 30) for done in (10, 20, 30)]
    kept = Kept(0, "layer4, pooled", 5, 4096, 1.25, "memory")
    said = shown(io.StringIO(), [EVENTS[0], *passed, kept])
    assert said == "pytorch scratch: computed once up to layer4, pooled, 1.2 s\n"


@pytest.mark.parametrize(
    "kept",
    [
        Kept(0, "layer2", 3, 4096, 0.25, "memory", reused=True),
        Kept(0, reason="the cache is switched off"),
    ],
    ids=["found", "nothing kept"],
)
def test_lines_tell_nothing_where_nothing_was_computed(kept):
    assert shown(io.StringIO(), [EVENTS[0], kept]) == ""


@pytest.mark.parametrize("events", [EVENTS[:2], []], ids=["midway", "at the start"])
def test_lines_tell_that_a_run_failed_and_why(events):
    said = shown(io.StringIO(), [*events, RunFailed("the worker ended", "")])
    assert said == "pytorch scratch: failed, the worker ended\n"


def test_a_bar_ends_full_with_the_accuracy():
    said = shown(Terminal(), EVENTS)
    assert "pytorch scratch" in said
    assert "100%" in said
    assert "val. accuracy 0.875" in said


def test_a_bar_midway_shows_the_share_done_and_the_loss():
    said = shown(Terminal(), EVENTS[:2])
    assert "50%" in said
    assert "loss 0.750" in said


def test_a_bar_tells_how_much_of_what_is_frozen_is_computed_and_does_not_move():
    said = shown(Terminal(), [EVENTS[0], Computing(0, 1200, 2400)])
    assert re.search(r" 0% computing what is frozen, 1,200/2,400", said.rpartition("scratch")[2])
    later = shown(Terminal(), [EVENTS[0], Computing(0, 9, 9), Kept(0), EVENTS[1]])
    assert "loss 0.750" in later.rpartition("pytorch scratch")[2]


def test_the_bar_of_two_phases_counts_the_steps_of_both():
    first, second = (PhaseStart(n, (), 0, 10, 10, 1, steps=2, run_steps=4) for n in (0, 1))
    said = shown(Terminal(), [first, *EVENTS[1:4], second])
    assert "50%" in said
    assert "100%" not in said


@pytest.mark.parametrize("reason", ["[/job:localhost] broke", "[red]x", "[[{{node a}}]] [Op:B]"])
def test_a_reason_with_brackets_is_shown_as_it_is(reason):
    said = shown(Terminal(), [RunFailed(reason, "")], strategy="s").replace("\n", " ")
    assert f"failed: {reason}" in said


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        (
            [Run("pytorch", "scratch"), Run("pytorch", "two-phase")],
            ("pytorch scratch", "pytorch two-phase"),
        ),
        (
            [Run("pytorch", "depth-2", seed) for seed in (0, 1)],
            ("pytorch depth-2, seed 0", "pytorch depth-2, seed 1"),
        ),
    ],
    ids=["strategies", "seeds"],
)
def test_runs_have_a_bar_each(runs, names):
    stream = Terminal()
    with progress(stream) as show:
        for run in runs:
            show(run, EVENTS[0])
    assert names[1] in stream.getvalue().rpartition(names[0])[2]
