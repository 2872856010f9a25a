"""What was computed once is listed with its cost, and what was not with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ftkit.api import Results
from ftkit.engine.comparison import Comparison
from ftkit.history import Kept, PhaseStart, Run
from ftkit.report.kept import kept_columns, kept_lines, kept_rows, reasons
from ftkit.report.page import page

Build = Callable[..., Comparison]
OFF = "the cache is switched off"


def run_of(strategy: str, *kept: Kept, depth: int = 3, backend: str = "pytorch") -> Run:
    """A run whose phases, each frozen up to a depth, trained on these."""
    run = Run(backend, strategy)
    for number, item in enumerate(kept):
        run.add(PhaseStart(number, (), depth, 10, 20, 1, 3, 3))
        run.add(item)
    return run


MADE = Kept(0, "layer4, pooled", 5, 2_700_000_000, 12.34, "disk", views=2)
THERE = Kept(1, "layer3", 4, 820_000, 0.01, "memory", reused=True)
CROPS = Kept(0, "layer3", 4, 900, 1.0, "memory", views=8, exact=False)


def test_each_phase_that_trains_on_what_was_kept_has_a_row_and_no_other_has() -> None:
    runs = [
        run_of("two-phase", MADE, THERE),
        run_of("fine-tuning", Kept(0, reason=OFF)),
        run_of("fine-tuning", CROPS, backend="tensorflow"),
    ]
    pooled = ("1", "layer4, pooled", "2", "2.7 GB", "disk", "12.3 s")
    assert kept_rows(runs) == [
        ("two-phase", "PyTorch", *pooled),
        ("two-phase", "PyTorch", "2", "layer3", "1", "820 kB", "memory", "was there"),
        ("fine-tuning", "TensorFlow", "1", "layer3", "8, fixed", "900 B", "memory", "1.0 s"),
    ]
    assert {len(row) for row in kept_rows(runs)} == {len(kept_columns())}


def test_a_reason_is_told_once_with_the_strategies_that_it_holds_for() -> None:
    other = "the run ends before it has seen every picture"
    runs = [
        run_of(strategy, Kept(0, reason=reason), backend=backend)
        for strategy, reason in (("depth-5", OFF), ("depth-3", other), ("depth-1", OFF))
        for backend in ("pytorch", "tensorflow")
    ]
    assert reasons(runs) == [
        f"Computed again in every epoch in depth-5 and depth-1: {OFF}.",
        f"Computed again in every epoch in depth-3: {other}.",
    ]


def test_where_a_reason_holds_for_one_framework_or_phase_alone_it_says_so() -> None:
    full = "there is not enough memory"
    runs = [
        run_of("two-phase", MADE, THERE),
        run_of("two-phase", MADE, Kept(1, reason=full), backend="tensorflow"),
    ]
    told = f"Computed again in every epoch in two-phase (TensorFlow, phase 2): {full}."
    assert reasons(runs) == [told]


def test_no_reason_is_told_where_nothing_is_frozen_or_all_was_kept() -> None:
    unfrozen = run_of("scratch", Kept(0, reason=OFF), depth=0)
    assert reasons([unfrozen, run_of("two-phase", MADE, THERE), Run("pytorch", "none")]) == []


def test_a_run_that_was_stopped_in_its_pass_is_not_said_to_compute_in_every_epoch() -> None:
    stopped = run_of("two-phase", Kept(0, reason="the run was stopped"))
    stopped.status = "stopped"
    assert not any("in every epoch" in line for line in reasons([stopped]))


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_has_a_title_and_a_line_per_row_and_cuts_nothing(width: int) -> None:
    runs = [run_of("feature-extraction", MADE, THERE), run_of("depth-2", CROPS)]
    lines = kept_lines(runs, width)
    assert lines[0] == "What is frozen was computed once"
    assert max(map(len, lines)) <= width
    assert all(title in lines[1] for title in kept_columns())
    for row, line in zip(kept_rows(runs), lines[3:], strict=True):
        assert re.split(r"  +", line.strip()) == list(row)


def test_where_nothing_was_kept_there_is_no_table() -> None:
    assert kept_lines([run_of("scratch", Kept(0, reason=OFF)), Run("pytorch", "none")], 100) == []


# In the results and on the page


def shown(comparison: Comparison) -> str:
    """The text of a comparison's results, its lines joined."""
    return " ".join(Results(**vars(comparison)).table().split())


def test_the_results_and_the_page_say_what_was_computed_once(comparison: Comparison) -> None:
    text, html = shown(comparison), page(comparison)
    assert "What is frozen was computed once" in text
    assert text.count("layer4, pooled") == 4  # two strategies in two frameworks
    assert "<h3>Computed once</h3>" in html
    rows = re.findall(r"<tr><th scope=\"row\">.*layer4, pooled.*</tr>", html)
    assert len(rows) == 4
    assert all(row.count("<td") + 1 == len(kept_columns()) for row in rows)
    assert "in every epoch" not in text + html


def test_the_results_and_the_page_say_why_nothing_was(build: Build) -> None:
    comparison = build(["feature-extraction", "scratch"])
    for run in comparison.runs:
        run.kept[:] = [Kept(0, reason=f"{OFF} <b>")]
    said = f"Computed again in every epoch in feature-extraction: {OFF}"
    assert f"{said} <b>." in shown(comparison)
    assert f"{said} &lt;b&gt;." in page(comparison)
    assert "What is frozen was computed once" not in shown(comparison)


def test_nothing_is_said_of_it_where_nothing_is_frozen(build: Build) -> None:
    comparison = build(["scratch"])
    assert "computed" not in shown(comparison).lower()
    assert "<h3>Computed once</h3>" not in page(comparison)
