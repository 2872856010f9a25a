"""A sweep over freeze depths: a line per depth, records, and one picture, whatever is missing."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from ftkit.api import SweepResults
from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.engine.sweep import Sweep
from ftkit.history import Kept, Run
from ftkit.recipe import Recipe
from ftkit.report.depths import (
    Spread,
    depth_records,
    parting,
    picture,
    rows,
    spread,
    text_table,
    training_seconds,
)

Build = Callable[..., Sweep]
Fail = Callable[..., Run]
BLOCKS = {0: "(nothing)", 3: "layer2", 5: "layer4"}


def drawn(figure: Figure) -> Figure:
    """Draws the figure with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO(), format="png")
    return figure


def line_of(sweep: Sweep, depth: int) -> str:
    """The table's line of a depth."""
    lines = text_table(sweep).splitlines()
    return next(line for line in lines if line.split()[:2] == [str(depth), BLOCKS[depth]])


def said(sweep: Sweep) -> str:
    """The table's text, its lines joined."""
    return " ".join(text_table(sweep).split())


def fail(sweep: Sweep, depth: int, backend: str, failed: Fail) -> None:
    """Lets all runs of a depth in a framework break off after three steps."""
    for run in sweep.at(depth, backend):
        broken = failed(backend, run.strategy, "no memory", steps=3)
        broken.seed = run.seed
        sweep.runs[sweep.runs.index(run)] = broken


# Figures


def test_the_spread_of_one_seed_is_none_and_of_several_their_own(build_sweep: Build) -> None:
    sweep = build_sweep(seeds=(0, 1, 2))
    runs = sweep.at(3, "pytorch")
    assert spread(runs[:1], lambda run: run.val_accuracy) == Spread(0.65, 0.0, 1)
    found = spread(runs, lambda run: run.val_accuracy)
    assert found is not None
    assert found.mean == pytest.approx(0.67)
    assert found.deviation == pytest.approx(0.02 * math.sqrt(2 / 3))
    assert found.count == 3


@pytest.mark.parametrize("status", ["failed", "stopped", "running"])
def test_only_runs_that_came_to_their_end_count(build_sweep: Build, status: str) -> None:
    runs = build_sweep().at(3, "pytorch")
    runs[1].status = status  # type: ignore[assignment]
    assert spread(runs, lambda run: run.val_accuracy) == Spread(0.65, 0.0, 1)
    assert spread(runs[1:], lambda run: run.val_accuracy) is None
    assert spread(runs, lambda run: None) is None


def test_the_pass_that_all_depths_share_is_not_in_the_seconds_of_training(
    build_sweep: Build,
) -> None:
    sweep = build_sweep()
    for depth in (0, 3, 5):
        assert training_seconds(sweep.at(depth, "pytorch")[0]) == 10 - depth


def test_losses_part_by_the_most_that_they_do_in_any_seed_in_the_first_40_steps(
    build_sweep: Build,
) -> None:
    sweep = build_sweep(shift=0.0)
    assert parting(sweep, 3) == 0
    last = sweep.at(3, "tensorflow")[1].steps
    last[40] = replace(last[40], loss=9.0)
    assert parting(sweep, 3) == 0
    last[39] = replace(last[39], loss=last[39].loss + 0.25)
    assert parting(sweep, 3) == pytest.approx(0.25)
    assert parting(sweep, 5) == 0
    assert parting(build_sweep(backends=["tensorflow"]), 3) is None


@pytest.mark.parametrize("step", [0, 5])
def test_a_loss_that_is_no_number_in_one_framework_is_not_passed_over(
    build_sweep: Build, step: int
) -> None:
    sweep = build_sweep()
    steps = sweep.at(3, "tensorflow")[0].steps
    steps[step] = replace(steps[step], loss=math.nan)
    assert not math.isfinite(parting(sweep, 3) or 0.0)


# The table and the records


def test_there_is_a_line_per_depth_with_its_figures(build_sweep: Build) -> None:
    sweep = build_sweep()
    assert line_of(sweep, 5).split()[:9] == [
        *("5", "layer4", "514"),
        *("76.0%", "±", "1.0", "77.0%", "±", "1.0"),
    ]
    assert line_of(sweep, 5).split()[9:11] == ["5.0", "5.0"]
    assert line_of(sweep, 0).split()[2] == f"{sweep.architecture.parameters:,}"
    text = text_table(sweep)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text and "\x1b" not in text
    assert "after 4 epochs, mean and standard deviation of 2 seeds." in said(sweep)


def test_the_table_says_how_large_the_frozen_output_is_and_why_none_was_kept(
    build_sweep: Build,
) -> None:
    sweep = build_sweep()
    assert "Computed again" not in said(sweep)
    for run in sweep.at(3, "pytorch"):
        run.kept[:] = [Kept(0, "layer2", 3, 2_700_000_000, 1.0, "disk")]
    assert "2.7 GB, disk" in line_of(sweep, 3)
    for run in (*sweep.at(3, "pytorch"), *sweep.at(3, "tensorflow")):
        run.kept[:] = [Kept(0, reason="the cache is switched off")]
    assert "GB" not in line_of(sweep, 3)
    assert "in every epoch in depth-3: the cache is switched off." in said(sweep)


def test_one_seed_has_no_spread(build_sweep: Build) -> None:
    sweep = build_sweep(seeds=(7,))
    assert "±" not in text_table(sweep)
    assert "after 4 epochs, one seed." in said(sweep)


def test_one_epoch_is_told_in_the_singular(build_sweep: Build) -> None:
    sweep = build_sweep()
    sweep.recipe = replace(sweep.recipe, epochs=1)
    assert "after 1 epoch, " in said(sweep)


def test_one_framework_alone_has_no_columns_of_the_other(build_sweep: Build) -> None:
    sweep = build_sweep(backends=["tensorflow"])
    text = text_table(sweep)
    assert "PyTorch" not in text and "part by" not in text
    assert line_of(sweep, 3).split()[3:] == ["67.0%", "±", "1.0", "7.0", "3.0", "MB"]


def test_the_passes_are_told_once_for_each_framework_and_not_counted_in_the_table(
    build_sweep: Build,
) -> None:
    text = said(build_sweep())
    for framework in ("PyTorch", "TensorFlow"):
        told = f"{framework} computed what is frozen in 2 passes of 4.0 s together, not in the"
        assert told in text
    assert text.count("2 runs found it there.") == 2


def test_a_depth_that_failed_has_dashes_and_its_reason(build_sweep: Build, failed: Fail) -> None:
    sweep = build_sweep(seeds=(0,))
    fail(sweep, 3, "pytorch", failed)
    assert line_of(sweep, 3).split()[3:7] == ["-", "66.0%", "-", "7.0"]
    assert "PyTorch depth-3, seed 0 failed after 3 steps: no memory." in said(sweep)


def test_of_several_seeds_the_one_that_failed_is_named(build_sweep: Build, failed: Fail) -> None:
    sweep = build_sweep(seeds=(0, 1, 2))
    fail(sweep, 3, "pytorch", failed)
    sweep.runs[:] = [run for run in sweep.runs if run.status == "done" or run.seed == 1]
    assert "seed 1" in said(sweep)


def test_a_sweep_that_was_ended_early_says_so_and_has_dashes_where_it_did_not_get(
    build_sweep: Build,
) -> None:
    sweep = build_sweep(seeds=(0,))
    del sweep.runs[4:]
    sweep.interrupted = True
    assert "The sweep was ended early" in said(sweep)
    assert line_of(sweep, 5).split()[3:5] == ["75.0%", "76.0%"]
    assert line_of(sweep, 0).split()[3:5] == ["50.0%", "-"]


def test_the_records_of_a_depth_hold_its_figures_in_each_framework(build_sweep: Build) -> None:
    found = depth_records(build_sweep(shift=0.0))
    assert [(item["depth"], item["backend"]) for item in found] == [
        (depth, backend) for depth in (0, 3, 5) for backend in ("pytorch", "tensorflow")
    ]
    last = found[-1]
    assert last["val_accuracy"] == pytest.approx(0.77)
    assert last["val_accuracy_deviation"] == pytest.approx(0.01)
    assert {name: last[name] for name in last if not name.startswith("val_")} == {
        **{"depth": 5, "frozen_until": "layer4", "backend": "tensorflow"},
        **{"trainable_parameters": 514, "training_seconds": 5.0},
        **{"runs": 2, "losses_part_by": 0.0},
    }


def test_the_record_of_a_depth_that_failed_holds_no_figure(
    build_sweep: Build, failed: Fail
) -> None:
    sweep = build_sweep()
    fail(sweep, 3, "pytorch", failed)
    found = next(item for item in depth_records(sweep) if item["depth"] == 3)
    assert (found["val_accuracy"], found["training_seconds"], found["runs"]) == (None, None, 0)


def test_there_is_a_row_for_each_run(build_sweep: Build) -> None:
    sweep = build_sweep()
    found = rows(sweep)
    assert len(found) == len(sweep.runs) == 12
    assert {(row["framework"], row["depth"], row["seed"]) for row in found} == {
        (backend, depth, seed)
        for backend in ("pytorch", "tensorflow")
        for depth in (0, 3, 5)
        for seed in (0, 1)
    }
    first = found[0]
    assert (first["val accuracy"], first["seconds"], first["status"]) == (0.5, 10.0, "done")
    deepest = next(row for row in found if row["depth"] == 5)
    assert (deepest["seconds"], deepest["pass seconds"]) == (7.0, 2.0)


# The picture


def test_the_picture_has_accuracy_and_seconds_of_both_frameworks_at_each_depth(
    build_sweep: Build,
) -> None:
    figure = drawn(picture(build_sweep()))
    above, below = figure.axes
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["PyTorch", "TensorFlow"]
    for axes, first in ((above, 0.51), (below, 10)):
        lines = axes.get_lines()
        assert [list(line.get_xdata()) for line in lines] == [[0, 3, 5]] * 2
        assert lines[0].get_ydata()[0] == pytest.approx(first)
        assert lines[0].get_color() != lines[1].get_color()
    labels = [label.get_text() for label in below.get_xticklabels()]
    assert labels == [f"{depth}\n{block}" for depth, block in BLOCKS.items()]


@pytest.mark.parametrize("backbone", ["resnet_s", "inception_v3"])
def test_the_names_of_the_blocks_do_not_run_into_each_other(
    build_sweep: Build, backbone: str
) -> None:
    depths = range(len(architecture(backbone, Head(), 2).blocks) + 1)
    figure = drawn(picture(build_sweep(depths, [0], ["pytorch"], backbone=backbone)))
    labels = figure.axes[1].get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == len(depths)
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))


@pytest.mark.parametrize(("seeds", "wide"), [((0,), 0.0), ((0, 1), 0.02)])
def test_the_band_is_one_standard_deviation_to_either_side(
    build_sweep: Build, seeds: tuple[int, ...], wide: float
) -> None:
    above = picture(build_sweep(seeds=seeds)).axes[0]
    heights = above.collections[0].get_paths()[0].vertices[:, 1]
    at_zero = [height for height in heights if height < 0.6]
    assert max(at_zero) - min(at_zero) == pytest.approx(wide)
    assert (f"Mean of {len(seeds)} seeds" in above.get_title("left")) == (len(seeds) > 1)


def test_a_framework_alone_keeps_its_colour(build_sweep: Build) -> None:
    alone = drawn(picture(build_sweep(backends=["tensorflow"]))).axes[0].get_lines()
    both = picture(build_sweep()).axes[0].get_lines()
    assert [line.get_color() for line in alone] == [both[1].get_color()]


def test_depths_that_failed_or_were_not_reached_are_left_out_of_the_picture(
    build_sweep: Build, failed: Fail
) -> None:
    sweep = build_sweep(seeds=(0,))
    fail(sweep, 3, "pytorch", failed)
    del sweep.runs[5:]
    first, second = drawn(picture(sweep)).axes[0].get_lines()
    assert list(first.get_xdata()) == [0, 5]
    assert list(second.get_xdata()) == [3, 5]


@pytest.mark.parametrize("left", [0, 1], ids=["no run", "a run that failed"])
def test_a_sweep_without_figures_is_shown_empty(
    build_sweep: Build, failed: Fail, left: int
) -> None:
    sweep = build_sweep(seeds=(0,))
    fail(sweep, 5, "pytorch", failed)
    del sweep.runs[left:]
    sweep.interrupted = True
    assert "ended early" in said(sweep)
    drawn(picture(sweep))


# Written down


def test_a_sweep_is_saved_as_a_picture_and_two_files_of_strict_json(
    build_sweep: Build, failed: Fail, tmp_path
) -> None:
    sweep = build_sweep()
    fail(sweep, 0, "tensorflow", failed)
    results = SweepResults(**vars(sweep))
    folder = results.save(tmp_path / "new" / "out")
    found = sorted(path.name for path in folder.iterdir())
    assert found == ["history.json", "summary.json", "sweep.png"]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "summary.json").read_text(encoding="utf-8")
    summary = json.loads(text, parse_constant=pytest.fail)
    assert set(summary) == {
        *("recipe", "data", "seeds", "depths", "runs", "interrupted", "notes"),
    }
    assert summary["depths"] == depth_records(sweep)
    assert [run["seed"] for run in summary["runs"]] == [run.seed for run in sweep.runs]
    assert Recipe.read(folder / "summary.json") == sweep.recipe
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    assert [Run.from_dict(run) for run in history["runs"]] == sweep.runs


def test_the_results_are_shown_as_their_table_and_have_a_row_per_run(build_sweep: Build) -> None:
    sweep = build_sweep()
    results = SweepResults(**vars(sweep))
    assert repr(results) == results.table() == text_table(sweep)
    assert "(nothing)" in results._repr_html_()
    assert results.to_frame().to_dict("records") == rows(sweep)
