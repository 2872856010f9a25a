"""Final weights are written where asked, and workers tell from them where the networks look."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import ftkit
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors
from ftkit.engine.compare import Experiment, weights_file
from ftkit.engine.explain import explain
from ftkit.engine.live import Busy, Live
from ftkit.engine.session import Session
from ftkit.engine.worker import explain_job
from ftkit.errors import FtkitError, RunBrokeOff
from ftkit.history import Explained, Run, event_from_dict
from ftkit.recipe import Recipe

BACKENDS = ("pytorch", "tensorflow")
CLASSES = 2


@pytest.fixture(scope="module")
def small(pictures):
    return Recipe(
        data=str(pictures),
        image_size=32,
        batch_size=4,
        epochs=1,
        device="cpu",
        precision="fp64",
        strategies=("feature-extraction", "fine-tuning"),
    )


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    """A comparison with its weights, and their folder."""
    folder = tmp_path_factory.mktemp("exported") / "weights"
    return ftkit.compare(small, export=folder), folder


@pytest.fixture(scope="module")
def session():
    with Session(BACKENDS) as started:
        yield started


def asked(results, strategy="fine-tuning", count=4):
    """What :func:`explain` takes of the first pictures, for their true classes."""
    runs = {run.backend: run for run in results.runs if run.strategy == strategy}
    val = results.dataset.val
    labels = dict.fromkeys(runs, val.labels[:count])
    return results.recipe, runs, CLASSES, val.images[:count], labels


def test_each_run_says_where_its_weights_are_and_still_does_behind_json(exported):
    results, folder = exported
    assert len(results.runs) == len(list(folder.iterdir())) == 4
    for run in results.runs:
        assert run.weights == str(folder / f"{run.backend}-{run.strategy}.safetensors")
        assert Run.from_dict(json.loads(json.dumps(run.to_dict()))).weights == run.weights


def test_the_weights_are_those_of_the_end_in_torchvisions_names(exported):
    results, folder = exported
    made = architecture(results.recipe.backbone, results.recipe.head, CLASSES)
    start = initial_tensors(made, "bundled", 0)
    for backend in BACKENDS:
        tuned = load_file(weights_file(folder, backend, "fine-tuning"))
        kept = load_file(weights_file(folder, backend, "feature-extraction"))
        assert {name: value.shape for name, value in tuned.items()} == made.shapes
        assert not np.array_equal(tuned["conv1.weight"], start["conv1.weight"])
        assert np.array_equal(kept["conv1.weight"], start["conv1.weight"])
    with safe_open(weights_file(folder, "pytorch", "fine-tuning"), "numpy") as file:
        assert file.metadata() == {"zoo": "torchvision"}


def test_a_run_whose_weights_nobody_wants_has_none(session, small):
    assert Run("pytorch", "scratch").weights == ""
    job = Experiment(small).job(session.folder, "fine-tuning", "pytorch")
    assert job["export"] is None


def test_a_folder_that_cannot_be_written_is_refused_before_anything_starts(small, tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FtkitError, match="Expected a folder that can be written"):
        ftkit.compare(small, export=file)


def test_both_frameworks_tell_where_they_look_and_it_is_the_same(exported, session):
    results, _ = exported
    one, other = (explain(session, *asked(results))[name] for name in BACKENDS)
    assert one.shape == (4, 1, 1) and one.dtype == np.float32  # 32 pixels leave one place
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * one.max())
    earlier = explain(session, *asked(results), "layer2")["tensorflow"]
    assert earlier.shape == (4, 4, 4)
    assert list(session.folder.glob("explain-*")) == []


def test_each_framework_is_asked_for_classes_of_its_own(exported, session):
    results, _ = exported
    recipe, runs, classes, images, labels = asked(results)
    turned = {**labels, "tensorflow": 1 - labels["tensorflow"]}
    first = explain(session, recipe, runs, classes, images, labels, "layer3")
    second = explain(session, recipe, runs, classes, images, turned, "layer3")
    assert np.array_equal(first["pytorch"], second["pytorch"])
    assert not np.array_equal(first["tensorflow"], second["tensorflow"])


def test_weights_that_are_not_there_are_named_before_a_worker_is_asked(exported, session):
    results, _ = exported
    recipe, runs, *rest = asked(results)
    none = {name: replace(run, weights="") for name, run in runs.items()}
    with pytest.raises(FtkitError, match="These results carry no weights"):
        explain(session, recipe, none, *rest)
    gone = {name: replace(run, weights="/nowhere/at.safetensors") for name, run in runs.items()}
    with pytest.raises(FtkitError, match="pytorch fine-tuning at /nowhere/at.safetensors"):
        explain(session, recipe, gone, *rest)


def test_weights_that_do_not_fit_are_told_and_the_worker_goes_on(exported, session, tmp_path):
    results, _ = exported
    recipe, runs, *rest = asked(results)
    file = tmp_path / "other.safetensors"
    save_file({"some": np.zeros(3, np.float32)}, file)
    broken = {name: replace(run, weights=str(file)) for name, run in runs.items()}
    with pytest.raises(RunBrokeOff, match="pytorch could not tell where its network looks"):
        explain(session, recipe, broken, *rest)
    assert explain(session, recipe, runs, *rest)["pytorch"].shape == (4, 1, 1)


@pytest.mark.parametrize("zoo", ["torchvision", "keras"])
def test_the_weights_say_whose_network_they_belong_to(zoo, tmp_path):
    class Backend:
        def build(self, architecture, tensors, *rest):
            self.built = architecture

        def grad_cam(self, network, images, labels, block):
            return np.zeros((len(images), 2, 2))

    backend, told = Backend(), []
    weights, pictures = tmp_path / "weights.safetensors", tmp_path / "pictures.safetensors"
    save_file({"some": np.zeros(3, np.float32)}, weights, {"zoo": zoo})
    given = {"images": np.zeros((3, 8, 8, 3), np.uint8), "labels": np.zeros(3, np.int64)}
    save_file(given, pictures)
    job = {
        "recipe": Recipe(backbone="resnet50").to_dict(),
        "classes": 5,
        "tensors": str(weights),
        "pictures": str(pictures),
        "block": None,
        "file": str(tmp_path / "maps.safetensors"),
    }
    explain_job(backend, job, told.append)
    assert backend.built.keras_layers == (zoo == "keras")
    assert backend.built.classes == 5
    assert [event_from_dict(item) for item in told] == [Explained(job["file"])]
    assert load_file(job["file"])["maps"].shape == (3, 2, 2)


def test_nothing_trains_in_workers_that_are_lent_and_a_live_run_writes_its_weights(small, tmp_path):
    live = Live(("pytorch",))
    experiment = Experiment(small, ("pytorch",))
    try:
        with live.borrowed():
            assert live.busy
            with pytest.raises(Busy):
                live.train(experiment, "fine-tuning", lambda *_: None)
        (run,) = live.train(experiment, "fine-tuning", lambda *_: None, export=tmp_path)
        with pytest.raises(Busy), live.borrowed():
            pass
        assert live.wait(60)
        assert load_file(run.weights)["fc.weight"].shape == (CLASSES, 256)
        assert run.weights == str(tmp_path / "pytorch-fine-tuning.safetensors")
    finally:
        live.close()
