"""The race as a figure: a line for each backbone and framework, told apart by more than colour."""

from __future__ import annotations

from ftkit.history import Epoch, Kept, Run
from ftkit.report.race import Entry, climb, race


def run_of(backend, accuracies, seconds=2.0):
    run = Run(backend, "two-phase")
    for number, accuracy in enumerate(accuracies):
        run.add(Epoch(0, number, 0.5, 0.5, 0.5, accuracy, seconds))
    return run


def entry(name, size, *runs):
    return Entry(name, size, 10 * size, list(runs))


def test_accuracy_is_told_at_the_second_at_which_an_epoch_ended():
    assert climb(run_of("pytorch", [0.6, 0.7, 0.9])) == [(2.0, 0.6), (4.0, 0.7), (6.0, 0.9)]
    assert climb(run_of("pytorch", [])) == []


def test_what_was_computed_once_before_a_phase_delays_its_epochs_and_those_after_it():
    run = Run("pytorch", "two-phase")
    run.add(Kept(0, "layer4, pooled", 5, seconds=3.0))
    run.add(Epoch(0, 0, 0.5, 0.5, 0.5, 0.6, 1.0))
    run.add(Kept(1, "layer3", 4, seconds=0.5))
    for number, accuracy in ((1, 0.7), (2, 0.8)):
        run.add(Epoch(1, number, 0.5, 0.5, 0.5, accuracy, 2.0))
    assert climb(run) == [(4.0, 0.6), (6.5, 0.7), (8.5, 0.8)]


def test_every_run_has_a_line_of_its_own_and_its_last_accuracy_a_mark_at_its_size():
    entries = [
        entry("small", 1_000, run_of("pytorch", [0.6, 0.7]), run_of("tensorflow", [0.5, 0.8])),
        entry("large", 9_000, run_of("pytorch", [0.9]), run_of("tensorflow", [])),
    ]
    figure = race(entries)
    figure.canvas.draw()
    time, size = figure.axes
    lines = {line.get_label(): line for line in time.get_lines()}
    assert list(lines) == ["small, PyTorch", "small, TensorFlow", "large, PyTorch"]
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines.values()}
    assert len(looks) == 3
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in size.get_lines()] == [
        (1_000, 0.7),
        (1_000, 0.8),
        (9_000, 0.9),
    ]


def test_a_race_in_which_no_epoch_ended_is_drawn_too():
    figure = race([entry("small", 1_000, run_of("pytorch", []))])
    figure.canvas.draw()
    assert not figure.axes[0].get_lines()
