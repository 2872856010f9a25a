"""The table holds every run, fits its width, and the verdict says what was found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.report import formats
from ftkit.report.table import note, rows, text_table
from ftkit.report.verdict import match_lines, verdict

Build = Callable[..., Comparison]
Fail = Callable[..., Run]


def test_there_is_one_row_per_run_with_its_numbers(comparison: Comparison) -> None:
    found = rows(comparison)
    assert [(row["framework"], row["strategy"]) for row in found] == [
        (run.backend, run.strategy) for run in comparison.runs
    ]
    first = found[0]
    assert first["trainable"] == first["total"] == comparison.runs[0].total_parameters
    assert first["val accuracy"] == comparison.runs[0].epochs[-1].val_accuracy
    assert (first["peak memory MB"], first["status"], first["error"]) == (812.4, "done", "")


@pytest.mark.parametrize("width", [100, 90, 80, 72, 60])
def test_the_text_keeps_within_its_width_and_cuts_nothing(
    comparison: Comparison, width: int
) -> None:
    text = text_table(comparison, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and "\x1b" not in text
    for run in comparison.runs:
        assert formats.framework(run.backend) in text and run.strategy in text
        assert formats.percent(run.val_accuracy) in text


def test_at_100_columns_no_measured_figure_is_left_out(comparison: Comparison) -> None:
    text = text_table(comparison, 100)
    for figure in ("trainable", "val acc.", "val loss", "seconds", "images/s", "peak MB"):
        assert figure in text


def test_the_text_is_plain_even_where_colour_is_forced(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = text_table(comparison)
    assert "\x1b" not in text and text.isascii()


def test_a_failed_run_shows_its_status_and_the_whole_reason(build: Build, failed: Fail) -> None:
    comparison = build(["scratch"])
    reason = "[bold]out of memory[/bold] :boom: " + "at address 0xdeadbeef " * 8
    comparison.runs[1] = failed("tensorflow", "scratch", reason, steps=3)
    text = text_table(comparison)
    row = next(line for line in text.splitlines() if line.strip().startswith("TensorFlow"))
    assert "failed" in row and "NaN" not in row
    assert reason.strip() in " ".join(text.split())
    assert rows(comparison)[1]["error"] == reason


def test_a_stopped_run_says_how_far_it_came(build: Build) -> None:
    run = build(["scratch"]).runs[0]
    run.status = "stopped"
    assert note(run).startswith("PyTorch scratch was stopped on request after 48 steps.")


def test_a_run_whose_loss_is_lost_says_from_where_on(build: Build) -> None:
    run = build(["scratch"]).runs[0]
    run.steps[5] = dataclasses.replace(run.steps[5], loss=math.nan)
    assert "not a finite number from step 6 on" in note(run)


def test_the_last_line_says_that_the_match_holds(comparison: Comparison) -> None:
    lines = match_lines(comparison)
    assert len(lines) == 5
    assert "within the bound of 1.0e-05" in lines[0] and "Noise floor 2.0e-06" in lines[0]
    assert lines[-1].startswith("The match holds in scratch, feature-extraction, fine-tuning and")


def test_the_last_line_names_where_the_frameworks_part(build: Build) -> None:
    comparison = build(["scratch", "fine-tuning"], shift=1e-3)
    last = match_lines(comparison)[-1]
    assert last.startswith("PyTorch and TensorFlow part in scratch (the loss differs by")
    assert verdict(comparison).state == "parts"


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_exact_and_lost_losses_are_told_in_words(build: Build, value: float) -> None:
    comparison = build(["scratch"])
    comparison.match[0] = dataclasses.replace(
        comparison.match[0], largest_difference=value, holds=value == 0
    )
    said = " ".join(match_lines(comparison))
    assert ("exactly the same loss" in said) == (value == 0)
    assert ("not a number" in said) == (value != 0)


def test_one_framework_alone_is_not_comparable(build: Build) -> None:
    lines = match_lines(build(["scratch"], backends=["pytorch"]))
    assert lines == ["Not comparable, because only PyTorch ran."]


def test_a_failed_run_is_the_reason_why_nothing_is_compared(build: Build, failed: Fail) -> None:
    comparison = build(["scratch", "fine-tuning"])
    comparison.runs[1] = failed("tensorflow", "scratch", "no memory")
    comparison.match.pop(0)
    said = match_lines(comparison)[-1]
    assert said.startswith("The match holds in fine-tuning.")
    assert "TensorFlow failed in scratch" in said


def test_a_difference_switched_on_means_that_no_bound_applies(build: Build) -> None:
    comparison = build(["scratch"], differences=("adam-epsilon",))
    comparison.match[0] = dataclasses.replace(comparison.match[0], holds=None)
    lines = match_lines(comparison)
    assert "No bound applies" in lines[0]
    assert lines[-1].startswith("Not comparable") and "adam-epsilon" in lines[-1]


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_bfloat16_is_outside_the_contract_and_the_verdict_says_so(
    build: Build, precision: str
) -> None:
    comparison = build(["scratch"], precision=precision, shift=1e-4)
    for run in comparison.runs:
        assert run.end is not None
        run.end = dataclasses.replace(run.end, precision="bf16")
    rule = "the contract is about fp32 and fp64"
    comparison.match[0] = dataclasses.replace(
        comparison.match[0], bound=math.inf, rule=rule, noise_floor=None, holds=None
    )
    lines = match_lines(comparison)
    assert f"No bound applies: {rule}." in lines[0]
    assert verdict(comparison).state == "none"
    assert lines[-1].startswith("Not comparable, because bfloat16 rounds to three digits")
    assert lines[-1].endswith("the contract is about fp32 and fp64.")


def test_percentages_round_to_a_whole_only_when_they_are() -> None:
    assert [formats.percent(share) for share in (1, 0.9999, 0.5, 0, None, math.nan)] == [
        "100%",
        "99.9%",
        "50.0%",
        "0.0%",
        "-",
        "NaN",
    ]


def test_short_counts_stay_short() -> None:
    numbers = (514, 999, 4768, 131_712, 999_950, 2_799_394, 11_177_538, 1_200_000_000)
    assert [formats.short_count(number) for number in numbers] == [
        "514",
        "999",
        "4.77K",
        "131.7K",
        "1.00M",
        "2.80M",
        "11.2M",
        "1.20B",
    ]


def test_sizes_have_the_unit_that_leaves_few_digits() -> None:
    sizes = (0, 999, 1000, 9_940, 820_400, 2_700_000, 750_000_000, 2_700_000_000, 31 * 10**11)
    assert [formats.size(number) for number in sizes] == [
        *("0 B", "999 B", "1.0 kB", "9.9 kB", "820 kB", "2.7 MB", "750 MB", "2.7 GB", "3,100 GB"),
    ]


def test_a_number_of_things_has_their_plural() -> None:
    assert [formats.times(number, "run") for number in (0, 1, 1000)] == [
        *("0 runs", "1 run", "1,000 runs"),
    ]
    assert [formats.times(number, "pass", "passes") for number in (1, 2)] == ["1 pass", "2 passes"]


def test_a_comparison_that_was_ended_early_says_so(build: Build) -> None:
    comparison = build(["scratch"])
    comparison.interrupted = True
    assert "ended early" in text_table(comparison)


def test_a_verdict_may_come_as_numpys_own_kind_of_truth(build: Build) -> None:
    comparison = build(["scratch"])
    comparison.match[0] = dataclasses.replace(comparison.match[0], holds=np.False_)
    assert verdict(comparison).state == "parts"
