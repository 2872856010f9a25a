"""The prediction browser without a page: what it shows at each choice, and when it asks workers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.data.dataset import Dataset, Split
from ftkit.engine.comparison import Comparison
from ftkit.engine.live import Busy
from ftkit.errors import FtkitError, RunBrokeOff
from ftkit.history import Run, RunEnd
from ftkit.recipe import Recipe
from ftkit.widgets import PredictionBrowser, prediction_browser
from ftkit.widgets.prediction_view import map_sizes, readable_block

BACKENDS = ("pytorch", "tensorflow")
COUNT = 60


def results_of(
    strategies=("scratch", "fine-tuning"), backends=BACKENDS, classes=2, weights="", count=COUNT
):
    """Runs that are right in four of five pictures, and disagree in the last."""
    rng = np.random.default_rng(3)
    labels = np.arange(count) % classes
    images = rng.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    split = Split(images, labels.astype(np.int64))
    dataset = Dataset("made", tuple(f"class {n}" for n in range(classes)), split, split)
    runs = []
    for strategy in strategies:
        for backend in backends:
            said = np.where(np.arange(count) % 5 == 0, (labels + 1) % classes, labels)
            if backend == "tensorflow":
                said[-1] = (said[-1] + 1) % classes
            odds = np.full((count, classes), 0.3 / (classes - 1))
            odds[np.arange(count), said] = 0.7
            run = Run(backend, strategy, weights=weights)
            run.add(RunEnd(False, odds.tolist(), 1.0, "cpu", {}))
            runs.append(run)
    return Comparison(Recipe(strategies=tuple(strategies)), dataset, runs, [])


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "some.safetensors"
    file.touch()
    return str(file)


@pytest.fixture
def asked(monkeypatch):
    """What workers were asked, in the place of workers; ``refuse`` holds errors to raise first."""

    class Asked(list):
        pass

    found = Asked()
    found.refuse, found.gate = [], threading.Event()
    found.gate.set()

    class Workers:
        @contextmanager
        def borrowed(self):
            if found.refuse and isinstance(found.refuse[0], Busy):
                raise found.refuse.pop(0)
            yield None

    def explain(session, recipe, runs, classes, images, labels, block):
        if found.refuse:
            raise found.refuse.pop(0)
        found.gate.wait(5)
        found.append((images, labels, block, {name: run.strategy for name, run in runs.items()}))
        return {name: np.full((len(images), 2, 2), 1.0, np.float32) for name in runs}

    monkeypatch.setattr(prediction_browser, "shared", lambda backends: Workers())
    monkeypatch.setattr(prediction_browser, "explain", explain)
    return found


def numbers(browser):
    return [item["number"] for item in browser.shown["pictures"]]


def looks(browser):
    return [guess["look"] for item in browser.shown["pictures"] for guess in item["guesses"]]


# Which pictures


def test_it_begins_with_the_first_page_of_all_pictures():
    browser = PredictionBrowser(results_of())
    assert numbers(browser) == list(range(24))
    assert (browser.shown["total"], browser.shown["first"]) == (COUNT, 0)


def test_only_the_pictures_of_one_page_are_sent_and_all_that_is_sent_is_json():
    browser = PredictionBrowser(results_of(count=400))
    told = json.dumps([browser.view, browser.choice, browser.shown], allow_nan=False)
    assert told.count("data:image/png") == 24 + 1  # and the scale of the maps
    assert len(told) < 700_000


def test_paging_ends_with_the_last_page_and_a_new_filter_begins_with_the_first():
    browser = PredictionBrowser(results_of())
    browser.choose(page=2)
    assert numbers(browser) == list(range(48, 60))
    browser.choose(page=9)
    assert numbers(browser) == list(range(48, 60))
    browser.choose(filter="wrong")
    assert browser.shown["first"] == 0
    assert sorted(numbers(browser)) == [*range(0, 60, 5), 59]


def test_a_card_tells_truth_prediction_and_confidence_of_each_framework():
    card = PredictionBrowser(results_of()).shown["pictures"][0]
    assert card["truth"] == "class 0"
    assert [guess["backend"] for guess in card["guesses"]] == list(BACKENDS)
    assert {(g["predicted"], g["confidence"], g["right"]) for g in card["guesses"]} == {
        ("class 1", "70.0%", False)
    }


def test_a_cell_of_a_matrix_shows_as_many_pictures_as_it_says():
    browser = PredictionBrowser(results_of())
    matrix = browser.view["frameworks"][0]["matrix"]
    browser.choose(cell={"backend": "pytorch", "truth": 0, "predicted": 1})
    assert browser.shown["total"] == matrix[0][1] == 6
    assert all(item["truth"] == "class 0" for item in browser.shown["pictures"])


def test_the_filters_say_how_many_pictures_they_find():
    found = {
        item["name"]: item["pictures"] for item in PredictionBrowser(results_of()).view["filters"]
    }
    assert found == {"all": 60, "right": 47, "wrong": 13, "uncertain": 0, "disagree": 1}


def test_one_framework_alone_cannot_disagree():
    view = PredictionBrowser(results_of(backends=("pytorch",))).view
    assert [item["name"] for item in view["filters"]] == ["all", "right", "wrong", "uncertain"]


def test_of_many_classes_the_pairs_that_are_mistaken_most_stand_in_the_matrixs_place():
    (item, _) = PredictionBrowser(results_of(classes=20)).view["frameworks"]
    assert item["matrix"] is None
    assert item["pairs"][0].keys() == {"truth", "predicted", "pictures", "of"}
    assert item["pairs"][0]["predicted"] == (item["pairs"][0]["truth"] + 1) % 20


def test_another_strategy_changes_all_that_is_shown():
    results = results_of()
    worse = results.runs[0].end.val_probabilities
    worse[:] = [row[::-1] for row in worse]
    browser = PredictionBrowser(results, "fine-tuning")
    before = browser.view["frameworks"][0]["accuracy"]
    browser.choose(strategy="scratch")
    assert browser.view["frameworks"][0]["accuracy"] == pytest.approx(1 - before)
    assert browser.predictions.strategy == "scratch"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"filter": "worng"}, "Unknown filter 'worng'"),
        ({"strategy": "two-phase"}, "Unknown strategy 'two-phase'"),
        ({"block": "fc"}, "Unknown block 'fc'"),
        ({"colour": "red"}, "Unknown choice 'colour'"),
        ({"look": True}, "These results carry no weights. Run it with ftkit.compare"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(wrong, message):
    with pytest.raises(FtkitError, match=message):
        PredictionBrowser(results_of()).choose(**wrong)


# Where the networks look


@pytest.mark.parametrize(
    ("backbone", "size", "block"),
    [
        ("resnet_s", 64, "layer3"),  # layer4 has 2 × 2
        ("resnet_s", 128, "layer4"),
        ("resnet_s", 8, "layer4"),
        ("vgg16", 224, "block5"),
        ("inception_s", 64, "Mixed_6b"),
    ],
)
def test_it_begins_with_the_last_map_that_tells_more_than_in_which_quarter(backbone, size, block):
    network = architecture(backbone, Head(), 2)
    assert readable_block(network, size) == block
    assert min(map_sizes(network, size)[block]) >= 4 or size == 8


def test_nothing_is_asked_before_somebody_wants_to_see_it(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(page=1)
    assert browser.wait(5)
    assert asked == [] and set(looks(browser)) == {None}


def test_the_pictures_of_the_page_are_asked_for_what_each_framework_took_them_for(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(look=True, block="layer3")
    assert browser.wait(5)
    ((images, labels, block, runs),) = asked
    shown = numbers(browser)
    assert np.array_equal(images[: len(shown)], browser.results.dataset.val.images[shown])
    for row, backend in enumerate(BACKENDS):
        predicted = browser.predictions.predicted[row, shown]
        assert np.array_equal(labels[backend][: len(shown)], predicted)
    assert (block, runs) == ("layer3", dict.fromkeys(BACKENDS, browser.predictions.strategy))
    assert all(item["picture"].startswith("data:image/png") for item in looks(browser))
    assert not browser.shown["waiting"]


def test_for_the_truth_the_true_classes_are_asked_for(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(look=True, asked="truth")
    assert browser.wait(5)
    (_, labels, *_) = asked[0]
    truth = browser.predictions.labels[numbers(browser)]
    assert all(np.array_equal(labels[name][: len(truth)], truth) for name in BACKENDS)


def test_what_was_seen_once_is_not_asked_again(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    for changes in ({"look": True}, {"page": 1}, {"page": 0}, {"look": False}, {"look": True}):
        browser.choose(**changes)
        assert browser.wait(5)
    assert len(asked) == 2
    assert None not in looks(browser)


def test_a_page_turned_while_the_workers_compute_is_seen_too(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    asked.gate.clear()
    browser.choose(look=True)
    browser.choose(page=1)
    assert browser.shown["waiting"]
    asked.gate.set()
    assert browser.wait(5)
    assert numbers(browser)[0] == 24 and None not in looks(browser)


def test_while_the_workers_train_it_waits_for_them(asked, weights):
    asked.refuse = [Busy("busy"), Busy("busy")]
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(look=True)
    assert browser.wait(5)
    assert len(asked) == 1 and None not in looks(browser)


def test_what_went_wrong_is_said_and_can_be_tried_again(asked, weights):
    asked.refuse = [RunBrokeOff("pytorch could not tell: it broke")]
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(look=True)
    assert browser.wait(5)
    assert browser.shown["note"] == "pytorch could not tell: it broke"
    assert not browser.shown["waiting"]
    browser.choose(page=1)
    assert browser.wait(5)
    assert browser.shown["note"] == "" and None not in looks(browser)


def test_what_nobody_foresaw_is_said_too_and_leaves_nothing_waiting(asked, weights):
    asked.refuse = [ValueError("no such map")]
    browser = PredictionBrowser(results_of(weights=weights))
    browser.choose(look=True)
    assert browser.wait(5)
    assert browser.shown["note"] == "ValueError: no such map"
    assert not browser.shown["waiting"]


def test_results_without_weights_say_how_to_get_them_and_lost_weights_where_they_were(tmp_path):
    assert 'export="weights"' in PredictionBrowser(results_of()).view["no_weights"]
    gone = str(tmp_path / "gone.safetensors")
    assert gone in PredictionBrowser(results_of(weights=gone)).view["no_weights"]


# What stays in the notebook


def test_the_picture_that_stays_shows_where_the_networks_look_once_that_was_wanted(asked, weights):
    browser = PredictionBrowser(results_of(weights=weights))
    plain, text = browser.still()
    assert "60 validation pictures" in text
    browser.choose(look=True)
    assert browser.wait(5)
    looked, _ = browser.still()
    assert looked.get_figheight() > plain.get_figheight()
