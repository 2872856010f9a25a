"""What a run will take, told before it starts."""

from __future__ import annotations

import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.engine.estimate import NUMBER, Speed, need_of, speed_of, work_of
from ftkit.freezing import FreezePlan
from ftkit.history import Run, Step
from ftkit.recipe import Phase

NETWORK = architecture("resnet_s", Head(), 2)
SIZE, BATCH, TRAIN, VAL = 64, 32, 400, 200
COSTS = NETWORK.multiplications(SIZE)
ALL, HEAD = sum(COSTS.values()), COSTS["head"]
DEEPEST = len(NETWORK.blocks)


def work(depth=0, epochs=3, views=1, **freeze):
    phase = Phase(epochs, FreezePlan(depth=depth, **freeze), 0.1)
    return work_of(phase, NETWORK, SIZE, BATCH, TRAIN, VAL, views)


def need(depth=0, optimizer="adamw", views=1, precision="fp32", **freeze):
    phase = Phase(3, FreezePlan(depth=depth, **freeze), 0.1)
    return need_of(phase, NETWORK, SIZE, BATCH, TRAIN, VAL, optimizer, views, precision)


def test_where_everything_learns_a_step_is_three_passes_and_nothing_is_computed_once():
    found = work(0)
    assert (found.once, found.steps, found.epochs) == (0, 13, 3)
    assert found.step == pytest.approx(TRAIN / 13 * 3 * ALL)
    assert found.judging == VAL * ALL


def test_where_only_the_head_learns_the_rest_is_computed_once():
    found = work(DEEPEST)
    assert found.once == (TRAIN + VAL) * (ALL - HEAD)
    assert found.step == pytest.approx(TRAIN / 13 * 3 * HEAD)


def test_without_a_cache_what_is_frozen_is_computed_in_every_step_but_not_its_gradients():
    found = work(DEEPEST, views=0)
    assert found.once == 0
    assert found.step == pytest.approx(TRAIN / 13 * (ALL + 2 * HEAD))


def test_moving_statistics_leave_nothing_to_be_kept():
    assert work(3, frozen_batch_norm="statistics").once == 0
    assert work(3, frozen_batch_norm="statistics").step > work(3).step


def test_each_block_that_is_frozen_makes_steps_cheaper():
    steps = [work(depth).step for depth in range(DEEPEST + 1)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == len(steps)


def test_the_weights_are_held_once_and_what_learns_again_for_its_gradients_and_moments():
    numbers = sum(layer.parameters for layer in NETWORK.layers)
    held = need(0)
    assert held.weights > NUMBER * numbers  # running statistics too
    assert held.learning == NUMBER * 3 * numbers
    assert need(0, "sgd").learning == NUMBER * 2 * numbers
    assert need(DEEPEST).learning == NUMBER * 3 * 514


def test_what_is_kept_is_a_row_for_each_picture():
    assert need(DEEPEST).kept == NUMBER * (TRAIN + VAL) * 256
    assert need(0).kept == need(3, views=0).kept == 0
    assert need(1).kept > need(DEEPEST).kept


def test_of_each_view_of_a_training_picture_a_row_is_computed_and_kept_and_of_the_others_one():
    assert need(DEEPEST, views=2).kept == NUMBER * (2 * TRAIN + VAL) * 256
    assert work(DEEPEST, views=2).once == (2 * TRAIN + VAL) * (ALL - HEAD)
    assert work(DEEPEST, views=2).step == work(DEEPEST).step


def test_in_float64_all_takes_twice_as_much_and_in_bfloat16_the_maps_take_half():
    single, double, half = (need(3, precision=name) for name in ("fp32", "fp64", "bf16"))
    assert double.total == 2 * single.total
    assert half.maps == single.maps / 2
    assert half.total - half.maps == single.total - single.maps


def test_all_is_the_sum_of_its_parts():
    held = need(3)
    assert held.total == held.weights + held.learning + held.maps + held.kept


def run_of(seconds):
    run = Run("pytorch", "depth-0")
    for number, value in enumerate(seconds):
        run.add(Step(0, 0, number, 0.5, 16, 32, 0.1, value))
    return run


def test_three_short_runs_give_the_speed_that_foretells_all_of_them():
    truth = Speed(judging=4e9, training=1e9, step=0.002, start=0.5, start_head=0.1)
    works = (work(DEEPEST, 1), work(0, 1), work(DEEPEST, 1, views=0))
    own = truth.step
    usual = own + (works[1].step - works[0].step) / truth.training
    passing = own + (works[2].step - works[0].step) / truth.judging
    head = run_of([own + 0.1, own, own])
    whole = run_of([usual + 0.5, usual, usual, usual])
    found = speed_of(head, whole, run_of([9.0, passing, passing]), *works)
    assert found is not None
    for name in ("judging", "training", "step", "start", "start_head"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name))
    expected = 0.5 * work(0).share + 0.1 * (1 - work(0).share)
    expected += 3 * (13 * (own + works[1].step / truth.training) + VAL * ALL / truth.judging)
    assert truth.seconds(work(0)) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("which", range(3))
def test_runs_that_are_too_short_tell_no_speed(which, steps):
    runs = [run_of([1.0] * (steps if number == which else 3)) for number in range(3)]
    assert speed_of(*runs, work(DEEPEST), work(0), work(DEEPEST, views=0)) is None
