"""The cache by itself: what it computes, what it finds again, and what it must never find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backends.caching import Cache
from ftkit.backends.recording import Recorder
from ftkit.data import store
from ftkit.data.batches import Activations, view, views_ahead
from ftkit.data.dataset import Dataset, Split
from ftkit.freezing import FreezePlan, resolve
from ftkit.history import Computing, Kept
from ftkit.recipe import Phase, Recipe

NETWORK = architecture("resnet_s", Head(), 2)
TRAIN, VAL, SIZE = 6, 4, 8
NUMBERS = SIZE * SIZE * 3  # in a row, at every depth
TRAIN_BYTES, VAL_BYTES = TRAIN * NUMBERS * 4, VAL * NUMBERS * 4
ONE_SET = TRAIN_BYTES + VAL_BYTES
RECIPE = Recipe(batch_size=2)
FLIPS = replace(RECIPE, augment="flip")
CROPS = replace(RECIPE, augment="flip-crop", views=2)


def dataset(train=TRAIN, val=VAL, size=SIZE):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (train + val, size, size, 3), dtype=np.uint8)
    labels = np.arange(train + val, dtype=np.int64) % 2
    parts = Split(images[:train], labels[:train]), Split(images[train:], labels[train:])
    return Dataset("noise", ("one", "other"), *parts)


DATA = dataset()
LARGE = dataset(3, 2, 1024)  # pictures that are looked at one by one


class Front:
    """In the place of a network: each block adds 1 to the first numbers of a picture.

    Attributes:
        passes: Start, ends and rows of each time that it computed something.
    """

    def __init__(self):
        self.passes = []

    def __call__(self, start, ends):
        def compute(inputs):
            assert type(inputs) is np.ndarray and inputs.flags.c_contiguous
            assert inputs.dtype == (np.float32 if start else np.uint8)
            self.passes.append((start, ends, len(inputs)))
            return [expected(inputs, end - start) for end in ends]

        return compute

    @property
    def rows(self):
        return sum(rows for *_, rows in self.passes)


def expected(inputs, blocks):
    return inputs.reshape(len(inputs), -1)[:, :NUMBERS].astype(np.float32) + blocks


def tensors_of(network=NETWORK, **changed):
    """The fingerprints of a network's tensors."""
    return {**dict.fromkeys(network.shapes, "as it was"), **changed}


@dataclass
class Found:
    """What a phase got from the cache."""

    kept: Kept
    computing: list[Computing]
    train: Split | Activations
    val: Split | Activations
    passes: list[tuple[int, tuple[int, ...], int]]
    rows: int


def run(
    cache,
    *plans,
    recipe=RECIPE,
    data=DATA,
    network=NETWORK,
    tensors=None,
    epochs=9,
    stop_after=99,
    front=Front,
):
    """Asks for the inputs of each phase of a run; what learns in one has changed in the next.

    A plan may be the freeze depth alone.
    """
    plans = [FreezePlan(depth=plan) if isinstance(plan, int) else plan for plan in plans]
    phases = tuple(Phase(epochs, plan, 0.1) for plan in plans)
    tensors = tensors_of(network) if tensors is None else tensors
    found = []
    with Recorder(network, data, recipe, phases) as recorder:
        for phase in phases:
            states, events, computed = resolve(phase.freeze, network), [], front()
            recorder.start_phase(phase, states)

            def stop(events=events):
                return len(events) >= stop_after

            asked = cache.inputs(recorder, states, tensors, computed, stop)
            while True:
                try:
                    events.append(next(asked))
                except StopIteration as end:
                    sources = end.value
                    break
            *computing, kept = events
            assert isinstance(kept, Kept)
            assert all(isinstance(event, Computing) for event in computing)
            assert {event.phase for event in events} == {recorder.phase}
            found.append(Found(kept, computing, *sources, computed.passes, computed.rows))
            learned = {state.layer.name for state in states if state.learns}
            tensors = {
                name: f"{value}, {recorder.phase}" if name.rpartition(".")[0] in learned else value
                for name, value in tensors.items()
            }
    return found


def one(cache, plan=3, **options):
    """The only phase of a run."""
    (found,) = run(cache, plan, **options)
    return found


def holds(source, split, depth):
    """Whether activations are those of these pictures at this depth."""
    assert isinstance(source, Activations)
    assert (source.depth, source.labels.tolist()) == (depth, split.labels.tolist())
    return np.array_equal(source.values[0 : len(split)], expected(split.images, depth))


@pytest.fixture(autouse=True)
def disk(monkeypatch, tmp_path):
    """The folder of disk shelves."""
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def full_disk(monkeypatch, disk):
    """A disk without any room."""
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))


# Once computed, found again


def test_activations_are_computed_once_and_found_again():
    cache = Cache()
    first, again = one(cache), one(cache)
    assert first.passes == [(0, (3,), TRAIN), (0, (3,), VAL)]
    assert again.passes == []
    assert (first.kept.reused, again.kept.reused) == (False, True)
    for found in (first, again):
        assert holds(found.train, DATA.train, 3) and holds(found.val, DATA.val, 3)


def test_what_is_kept_is_told():
    kept = one(Cache(), 5).kept
    assert kept.seconds > 0
    assert replace(kept, seconds=0.0) == Kept(
        0, boundary="layer4, pooled", depth=5, bytes=ONE_SET, place="memory", views=1, exact=True
    )


def test_it_tells_how_far_it_is():
    told = one(Cache(), data=LARGE).computing
    assert [(event.done, event.total) for event in told] == [(done, 5) for done in range(1, 6)]


def test_rows_that_come_in_many_batches_stand_in_their_places():
    found = one(Cache(), data=LARGE)
    assert [rows for *_, rows in found.passes] == [1] * 5
    assert holds(found.train, LARGE.train, 3) and holds(found.val, LARGE.val, 3)


def test_pictures_in_a_file_are_taken_as_well(tmp_path):
    store.save(DATA, tmp_path)
    cache = Cache()
    assert holds(one(cache, data=store.open_stored(tmp_path)).train, DATA.train, 3)
    assert one(cache).kept.reused  # they are the same pictures


@pytest.mark.parametrize("recipe", [FLIPS, CROPS], ids=["flip", "flip-crop"])
def test_each_view_of_each_training_picture_has_a_row_and_validation_pictures_have_one(recipe):
    found, views = one(Cache(), recipe=recipe), views_ahead(recipe)
    assert (found.kept.views, found.kept.exact) == (2, recipe is FLIPS)
    assert found.train.views == views
    pictures = [view(DATA.train, recipe, views, number, slice(0, TRAIN)) for number in (0, 1)]
    assert not np.array_equal(*pictures)
    rows = found.train.values[0 : 2 * TRAIN]
    assert np.array_equal(rows, expected(np.concatenate(pictures), 3))
    assert holds(found.val, DATA.val, 3)
    assert found.rows == 2 * TRAIN + VAL


@pytest.mark.parametrize(
    "recipe", [FLIPS, CROPS, replace(CROPS, views=1)], ids=["flip", "two crops", "one crop"]
)
def test_validation_pictures_that_are_trained_on_too_are_judged_as_they_are(recipe):
    same = replace(DATA, val=DATA.train)
    assert holds(one(Cache(), data=same, recipe=recipe).val, DATA.train, 3)


# Reasons to keep nothing


@pytest.mark.parametrize(
    ("plan", "cache", "options", "reason"),
    [
        (0, {}, {}, "the first block is not frozen, or not still"),
        (
            FreezePlan(depth=3, frozen_batch_norm="statistics"),
            *({}, {}, "the first block is not frozen, or not still"),
        ),
        (FreezePlan(("layer1",)), {}, {}, "the first block is not frozen, or not still"),
        (3, {"enabled": False}, {}, "the cache is switched off"),
        (
            *(3, {}, {"recipe": replace(CROPS, views=None)}),
            "flip-crop draws new pictures in every epoch; --views N would train on N fixed ones "
            "of each",
        ),
        (3, {}, {"epochs": 1}, "one epoch computes it once anyway"),
        (
            *(3, {}, {"epochs": 2, "recipe": FLIPS}),
            "2 epochs would not save a pass over 2 views of each picture",
        ),
        (3, {"steps": 2}, {}, "the run ends before it has seen every picture"),
    ],
)
def test_where_nothing_would_be_won_the_pictures_stay_and_the_reason_is_told(
    plan, cache, options, reason
):
    chosen = Cache()
    for name, value in cache.items():
        setattr(chosen, name, value)
    found = one(chosen, plan, **options)
    assert (found.train, found.val) == (DATA.train, DATA.val)
    assert (found.passes, found.computing) == ([], [])
    assert found.kept == Kept(0, reason=reason)


@pytest.mark.parametrize(
    ("steps", "options"),
    [(None, {"epochs": 2}), (None, {"epochs": 3, "recipe": FLIPS}), (3, {})],
    ids=["two epochs", "three epochs of two views", "steps for every picture"],
)
def test_a_little_more_and_it_is_worth_while(steps, options):
    cache = Cache()
    cache.steps = steps
    assert one(cache, **options).kept.boundary == "layer2"


def test_few_epochs_are_worth_while_where_another_run_or_a_later_phase_needs_the_same():
    cache = Cache()
    cache.depths = (3,)
    assert one(cache, epochs=1).kept.boundary == "layer2"
    first, second = run(Cache(), 3, 2, epochs=1)
    assert (first.kept.boundary, second.kept.boundary) == ("layer2", "layer1")
    assert (second.kept.reused, second.passes) == (True, [])


@pytest.mark.parametrize(("steps", "epochs"), [(None, 1), (2, 9)], ids=["one epoch", "few steps"])
def test_what_is_there_already_is_found_however_short_the_run(steps, epochs):
    cache = Cache()
    one(cache)
    cache.steps = steps
    found = one(cache, epochs=epochs)
    assert (found.kept.reused, found.passes) == (True, [])


def test_what_computes_is_made_once_for_both_splits():
    made = []

    class Counting(Front):
        def __call__(self, start, ends):
            made.append((start, ends))
            return super().__call__(start, ends)

    one(Cache(), front=Counting)
    assert made == [(0, (3,))]


# What may be found again, and what not


def test_any_change_in_front_of_the_boundary_computes_anew_and_none_behind_it():
    cache = Cache()
    one(cache)
    blocks = {
        f"{layer.name}.{key}": layer.block for layer in NETWORK.layers for key in layer.shapes
    }
    in_front = {name for name, block in blocks.items() if block in ("stem", "layer1", "layer2")}
    assert 0 < len(in_front) < len(blocks)
    for name in blocks:
        found = one(cache, tensors=tensors_of(**{name: "moved"}))
        assert found.rows == (TRAIN + VAL if name in in_front else 0), name


def brightened(part):
    """The dataset with one number of one picture changed."""
    split = getattr(DATA, part)
    images = split.images.copy()
    images[-1, -1, -1, -1] ^= 1
    return replace(DATA, **{part: Split(images, split.labels)})


def quartered():
    """The same bytes as four times as many pictures of half the size."""

    def split(part):
        return Split(part.images.reshape(-1, SIZE // 2, SIZE // 2, 3), np.repeat(part.labels, 4))

    return replace(DATA, train=split(DATA.train), val=split(DATA.val))


@pytest.mark.parametrize(
    ("before", "after", "rows"),
    [
        ({}, {"data": brightened("train")}, TRAIN),
        ({}, {"data": brightened("val")}, VAL),
        ({}, {"data": quartered()}, 4 * (TRAIN + VAL)),
        ({}, {"recipe": replace(RECIPE, precision="fp64")}, TRAIN + VAL),
        ({}, {"recipe": replace(RECIPE, precision="bf16")}, TRAIN + VAL),
        ({}, {"recipe": replace(RECIPE, device="cpu")}, TRAIN + VAL),
        ({}, {"recipe": replace(RECIPE, differences=("input-scaling",))}, TRAIN + VAL),
        ({}, {"recipe": FLIPS}, 2 * TRAIN),
        ({"recipe": FLIPS}, {"recipe": CROPS}, 2 * TRAIN),
        ({"recipe": CROPS}, {"recipe": replace(CROPS, seed=1)}, 2 * TRAIN),
        ({"recipe": CROPS}, {"recipe": replace(CROPS, views=3)}, 3 * TRAIN),
        ({}, {"recipe": replace(CROPS, views=1)}, TRAIN),
    ],
    ids=[
        *("a pixel to train on", "a pixel to judge by", "more and smaller pictures"),
        *("fp64", "bf16", "device", "difference", "flips", "crops for flips"),
        *("seed of the crops", "number of crops", "one crop"),
    ],
)
def test_what_the_activations_depend_on_computes_anew_just_what_depends_on_it(before, after, rows):
    cache = Cache()
    one(cache, **before)
    changed = one(cache, **after)
    assert (changed.rows, changed.kept.reused) == (rows, False)
    assert one(cache, **before).rows == 0  # what was there stays


def with_head(head, classes=2):
    return {"network": architecture("resnet_s", head, classes)}


@pytest.mark.parametrize(
    "after",
    [
        with_head(Head(16, 0.5)),
        with_head(Head(dropout=0.5)),
        with_head(Head(), 7),
        {"recipe": replace(RECIPE, lr=0.5, optimizer="sgd", schedule="linear")},
        {"recipe": replace(RECIPE, batch_size=3, label_smoothing=0.1)},
        {"recipe": replace(RECIPE, seed=1)},
        {"recipe": replace(RECIPE, strategies=("scratch",), data="elsewhere")},
        {"epochs": 3},
        {"data": replace(DATA, train=Split(DATA.train.images, 1 - DATA.train.labels))},
    ],
    ids=[
        *("hidden layer", "dropout", "classes", "optimizer", "batches", "seed", "names"),
        *("epochs", "labels"),
    ],
)
@pytest.mark.parametrize("depth", [3, 5])
def test_what_only_the_rest_of_the_network_depends_on_finds_it_again(depth, after):
    cache = Cache()
    one(cache, depth)
    found = one(cache, depth, **after)
    assert (found.rows, found.kept.reused) == (0, True)
    assert found.train.labels is after.get("data", DATA).train.labels


def test_networks_of_two_zoos_share_nothing_even_with_the_same_weights():
    cache, data = Cache(), dataset(size=32)
    networks = [architecture("vgg16", Head(), 2, zoo) for zoo in ("torchvision", "keras")]
    assert networks[0].shapes == networks[1].shapes
    for network in networks:
        assert one(cache, network=network, data=data).rows == TRAIN + VAL


# Several boundaries


def test_what_other_runs_need_is_kept_on_the_way():
    cache = Cache()
    cache.depths = (0, 1, 3, 5)
    assert one(cache, 5).passes == [(0, (1, 3, 5), TRAIN), (0, (1, 3, 5), VAL)]
    for depth in (3, 1, 5):
        found = one(cache, depth)
        assert (found.kept.reused, found.passes) == (True, [])
        assert holds(found.train, DATA.train, depth) and holds(found.val, DATA.val, depth)


def test_what_later_phases_need_is_kept_on_the_way():
    first, *later = run(Cache(), 5, 3, 1, 0)
    assert first.passes == [(0, (1, 3, 5), TRAIN), (0, (1, 3, 5), VAL)]
    assert [found.kept.depth for found in later] == [3, 1, 0]
    assert [found.passes for found in later] == [[], [], []]
    assert holds(later[1].val, DATA.val, 1)


def test_what_has_learned_since_is_computed_anew_from_the_last_boundary_in_front_of_it():
    first, second, third = run(Cache(), 5, 1, 3)
    assert first.passes == [(0, (1, 5), TRAIN), (0, (1, 5), VAL)]
    assert second.passes == []
    assert third.passes == [(1, (3,), TRAIN), (1, (3,), VAL)]
    assert holds(third.train, DATA.train, 3)


def test_weights_that_have_learned_are_not_those_that_other_runs_start_from():
    cache = Cache()
    cache.depths = (1, 2, 4)
    _, last = run(cache, 1, 4)
    assert last.passes == [(1, (4,), TRAIN), (1, (4,), VAL)]


def test_a_deeper_boundary_is_computed_from_the_deepest_in_front_of_it():
    cache = Cache()
    for depth, start in ((1, 0), (2, 1), (5, 2)):
        found = one(cache, depth)
        assert found.passes == [(start, (depth,), TRAIN), (start, (depth,), VAL)]
        assert holds(found.train, DATA.train, depth) and holds(found.val, DATA.val, depth)


def test_from_views_that_are_there_all_are_computed_deeper():
    cache = Cache()
    one(cache, 2, recipe=FLIPS)
    found = one(cache, 4, recipe=FLIPS)
    assert found.passes == [(2, (4,), 2 * TRAIN), (2, (4,), VAL)]
    mirrored = found.train.values[TRAIN : 2 * TRAIN]
    assert np.array_equal(mirrored, expected(DATA.train.images[:, :, ::-1], 4))


# Room


@pytest.mark.parametrize(
    ("memory", "places"),
    [
        (ONE_SET, ("memory", "memory")),
        (ONE_SET - 1, ("memory", "disk")),
        (TRAIN_BYTES - 1, ("disk", "memory")),
        (0, ("disk", "disk")),
    ],
)
def test_what_memory_has_no_room_for_goes_to_disk(memory, places):
    cache = Cache(memory=memory)
    for reused in (False, True):
        found = one(cache)
        assert (found.train.values.place, found.val.values.place) == places
        assert found.kept.place == ("disk" if "disk" in places else "memory")
        assert found.kept.reused == reused
        assert holds(found.train, DATA.train, 3) and holds(found.val, DATA.val, 3)


def test_without_a_budget_it_takes_a_quarter_of_the_memory_that_is_free(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4000))
    assert Cache().memory == 1000
    assert Cache(memory=0).memory == 0


def test_what_it_holds_itself_counts_as_free(monkeypatch):
    cache = Cache(memory=10 * ONE_SET)
    one(cache)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4000))
    assert cache.share() == (4000 + ONE_SET) // 4


def test_what_was_used_longest_ago_makes_room_first():
    cache = Cache(memory=2 * ONE_SET)
    weights = {name: tensors_of(**{"conv1.weight": name}) for name in "abc"}
    for name, rows in (("a", 10), ("b", 10), ("a", 0), ("c", 10), ("a", 0), ("b", 10)):
        found = one(cache, tensors=weights[name])
        assert (found.rows, found.kept.place) == (rows, "memory"), name


def test_room_is_made_for_all_that_is_computed_at_once():
    cache = Cache(memory=2 * ONE_SET)
    one(cache, tensors=tensors_of(**{"conv1.weight": "another"}))
    cache.depths = (1,)
    assert one(cache, 3).kept.place == "memory"
    shallower = one(cache, 1).kept
    assert (shallower.place, shallower.reused) == ("memory", True)


def test_what_a_deeper_pass_starts_from_stays_for_both_parts():
    cache = Cache(memory=ONE_SET)
    one(cache, 2)
    assert one(cache, 4).passes == [(2, (4,), TRAIN), (2, (4,), VAL)]


def test_what_would_not_fit_in_memory_anyway_drives_nothing_out_of_it():
    weights = tensors_of(**{"conv1.weight": "another"})
    cache = Cache(memory=2 * ONE_SET)
    one(cache, tensors=weights)
    assert one(cache, data=dataset(200, 4)).kept.place == "disk"
    assert one(cache, tensors=weights).rows == 0


def test_what_a_phase_needs_makes_no_room_for_what_is_only_for_later(full_disk):
    cache = Cache(memory=ONE_SET)
    cache.depths = (1, 5)
    assert one(cache, 5).kept.boundary == "layer4, pooled"
    assert one(cache, 5).kept.reused
    assert one(cache, 1).rows == TRAIN + VAL


def test_where_there_is_no_room_at_all_the_pictures_stay_and_the_folder_is_named(full_disk, disk):
    found = one(Cache(memory=ONE_SET - 1))
    assert (found.train, found.val) == (DATA.train, DATA.val)
    message = f"neither the set memory nor the disk of {disk} has room for it"
    assert found.kept == Kept(0, reason=message)


# Ends in the middle


@pytest.mark.parametrize(("batches", "again"), [(1, 5), (2, 5), (4, 2)])
def test_a_stop_gives_the_pictures_back_and_leaves_nothing_half_done(batches, again):
    cache = Cache()
    stopped = one(cache, data=LARGE, stop_after=batches)
    assert (stopped.train, stopped.val) == (LARGE.train, LARGE.val)
    assert stopped.kept == Kept(0, reason="the run was stopped")
    assert stopped.rows == batches
    found = one(cache, data=LARGE)
    assert (found.rows, found.kept.reused) == (again, False)
    assert holds(found.train, LARGE.train, 3) and holds(found.val, LARGE.val, 3)


class Breaking(Front):
    """A front that breaks off after its first batch."""

    def __call__(self, start, ends):
        compute = super().__call__(start, ends)

        def broken(inputs):
            if self.passes:
                raise RuntimeError("out of memory")
            return compute(inputs)

        return broken


def test_an_error_on_the_way_leaves_nothing_half_done():
    cache = Cache()
    with pytest.raises(RuntimeError, match="out of memory"):
        one(cache, data=LARGE, front=Breaking)
    found = one(cache, data=LARGE)
    assert found.rows == 5
    assert holds(found.train, LARGE.train, 3)
