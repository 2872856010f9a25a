"""In float32 only rounding is left: the bounds of the contract, judged by ``match_runs``."""

from __future__ import annotations

import pytest

from ftkit.engine.compare import Experiment, match_runs, stream
from ftkit.recipe import Recipe


@pytest.fixture
def matched(runs, pictures, figure, monkeypatch, tmp_path):
    """Runs a recipe through the engine's own comparison."""
    monkeypatch.setattr(runs.session, "folder", tmp_path)

    def hold(group, **options):
        defaults = {"data": pictures, "epochs": 2, "batch_size": 8, "device": "cpu"}
        experiment = Experiment(Recipe(**{**defaults, **options}))
        made = []
        for _run, _event in stream(experiment, runs.session, made):
            pass
        (strategy,) = experiment.recipe.strategies
        match = match_runs(experiment, runs.session, strategy, made)
        assert match is not None and match.steps == 40
        figure(f"fp32 {group}: loss", match.largest_difference)
        if match.noise_floor is not None:
            figure(f"fp32 {group}: noise floor", match.noise_floor)
        assert match.holds, match
        return match

    return hold


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_head_alone_within_1e_5(matched, optimizer):
    match = matched(
        f"head only, {optimizer}", strategies=("feature-extraction",), optimizer=optimizer
    )
    assert match.bound == 1e-5
    assert match.same_predictions == 1


@pytest.mark.parametrize("batch_norm", ["inference", "train"])
@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 1e-2), ("adamw", 1e-3)])
def test_everything_within_three_times_the_noise_floor(matched, optimizer, lr, batch_norm):
    match = matched(
        f"everything, {optimizer} {lr:g}, batch norm {batch_norm}",
        strategies=("fine-tuning",),
        optimizer=optimizer,
        lr=lr,
        batch_norm=batch_norm,
    )
    assert match.noise_floor is not None


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_whole_two_phase_run_gives_99_percent_the_same_predictions(matched, optimizer):
    match = matched(
        f"two-phase, {optimizer}",
        data="drawn-pets",
        train_size=160,
        strategies=("two-phase",),
        epochs=2,
        optimizer=optimizer,
    )
    assert match.same_predictions >= 0.99
