"""A sweep over freeze depths: one pass for all, the same numbers as one by one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import ftkit
from ftkit.engine import compare
from ftkit.errors import FtkitError
from ftkit.recipe import Recipe

DEPTHS, SEEDS = (0, 3, 5), 2
BACKENDS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def divided(pictures, tmp_path_factory):
    """The pictures with a fifth of them set apart: no seed chooses them."""
    folder = tmp_path_factory.mktemp("divided")
    for number, path in enumerate(sorted(pictures.glob("*/*.png"))):
        target = folder / ("train" if number % 5 else "val") / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture(scope="module")
def recipe(divided):
    """Six steps an epoch; all seeds see the same pictures."""
    return Recipe(
        data=str(divided), image_size=32, batch_size=4, epochs=2, device="cpu", seed=0, lr=1e-4
    )


@pytest.fixture(scope="module")
def swept(recipe):
    told = []
    results = ftkit.sweep(recipe, SEEDS, DEPTHS, on_event=lambda run, event: told.append(run.name))
    return results, list(dict.fromkeys(told))


def test_every_depth_runs_in_every_framework_with_every_seed_the_deepest_first(swept):
    results, told = swept
    assert told == [
        f"{backend} depth-{depth}, seed {seed}"
        for seed in range(SEEDS)
        for backend in BACKENDS
        for depth in sorted(DEPTHS, reverse=True)
    ]
    assert [run.name for run in results.runs] == told
    assert {run.status for run in results.runs} == {"done"}
    assert results.depths == DEPTHS and results.seeds == (0, 1)


def test_what_is_frozen_is_computed_in_one_pass_for_all_depths(swept):
    results, _ = swept
    for backend in BACKENDS:
        first, *others = [run for run in results.runs if run.backend == backend]
        assert [item.reused for item in first.kept] == [False]
        # The second seed trains on the same pictures from the same weights.
        found = [item.reused for run in others for item in run.kept if item.boundary]
        assert found == [True] * 3
        assert not any(item.boundary for item in results.at(0, backend)[0].kept)


def test_each_depth_gives_what_it_gives_alone_and_without_a_cache(swept, recipe):
    results, _ = swept
    for depth in DEPTHS:
        alone = ftkit.compare(
            Recipe.from_dict({**recipe.to_dict(), "strategies": [f"depth-{depth}"]}),
            ("pytorch",),
            cache=False,
        ).runs[0]
        together = results.at(depth, "pytorch")[0]
        apart = np.abs(np.subtract(alone.step_losses, together.step_losses)).max()
        assert apart <= 1e-5
        assert alone.val_predictions == together.val_predictions
        assert alone.audits[0]["trainable_parameters"] == together.trainable_parameters


def test_seeds_differ_and_frameworks_do_not(swept):
    results, _ = swept
    for depth in DEPTHS:
        one, other = results.at(depth, "pytorch")
        assert one.step_losses != other.step_losses
        for mine, yours in zip(results.at(depth, "pytorch"), results.at(depth, "tensorflow")):
            assert np.abs(np.subtract(mine.step_losses, yours.step_losses)).max() <= 1e-4


def test_it_is_shown_as_a_table_a_picture_and_a_summary(swept, tmp_path):
    results, _ = swept
    table = " ".join(results.table().split())
    assert "layer2" in table and "mean and standard deviation of 2 seeds" in table
    assert results.to_frame().shape[0] == len(DEPTHS) * SEEDS * 2
    out = results.save(tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == [
        "history.json",
        "summary.json",
        "sweep.png",
    ]
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [item["depth"] for item in summary["depths"]] == [0, 0, 3, 3, 5, 5]
    assert len(summary["runs"]) == len(results.runs)
    assert Recipe.read(out / "summary.json") == results.recipe


def test_pictures_that_are_the_same_for_every_seed_are_read_once(recipe, monkeypatch):
    read = []

    def counted(*given):
        read.append(given)
        return load(*given)

    load = compare.load
    monkeypatch.setattr(compare, "load", counted)
    results = ftkit.sweep(replace(recipe, epochs=1), 2, (5,), ("pytorch",))
    assert len(read) == 1
    # In one epoch it pays for the other seed alone.
    assert [run.kept[0].reused for run in results.runs] == [False, True]


def test_interrupted_it_holds_what_there_is(recipe):
    def interrupt(run, event):
        if run.strategy == "depth-1" and event.kind == "step":
            raise KeyboardInterrupt

    results = ftkit.sweep(recipe, 2, (5, 1), ("pytorch",), interrupt)
    assert results.interrupted
    assert [(run.strategy, run.status) for run in results.runs] == [
        ("depth-5", "done"),
        ("depth-1", "stopped"),
    ]
    assert "ended early" in results.table()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "at least one seed; got 0"),
        ({"freeze_depths": ()}, "at least one freeze depth; got none"),
        ({"freeze_depths": (6,)}, "between 0 .* and 5 .*; got 6"),
        ({"freeze_depths": (-1,)}, "between 0 .* and 5 .*; got -1"),
    ],
)
def test_what_cannot_be_swept_is_refused(recipe, options, message):
    with pytest.raises(FtkitError, match=message):
        ftkit.sweep(recipe, **options)
