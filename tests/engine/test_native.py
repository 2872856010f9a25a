"""Published weights in a comparison: each framework's own, or torchvision's in both."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import ftkit
from ftkit.backbones.checkpoints import checkpoint
from ftkit.downloads import cached
from ftkit.engine.compare import Experiment
from ftkit.errors import FtkitError
from ftkit.recipe import Recipe
from ftkit.report.verdict import verdict

BACKENDS = ("pytorch", "tensorflow")

# MobileNetV2 of each zoo with random weights, in the format in which that zoo publishes. Signals
# keep their size on the way, as they do not with the weights that the zoos draw.
RANDOM = """
import sys
sys.path.pop(0)
import numpy as np

rng = np.random.default_rng(0)

def random(name, shape, inputs):
    if len(shape) > 1:
        return rng.normal(0, np.sqrt(2 / inputs), shape)
    positive = "var" in name or "gamma" in name or name.endswith("weight")
    return rng.uniform(0.5, 1.5, shape) if positive else rng.normal(0, 0.3, shape)
"""
IN_PYTORCH = """
import torch, torchvision

tensors = torchvision.models.mobilenet_v2(weights=None).state_dict()
for name, value in tensors.items():
    if value.is_floating_point():
        value.copy_(torch.from_numpy(random(name, value.shape, value[0].numel())))
torch.save(tensors, sys.argv[1])
"""
IN_TENSORFLOW = """
import h5py, keras
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

rng = np.random.default_rng(1)
network = keras.applications.MobileNetV2(weights=None, include_top=False)
for value in network.weights:
    inputs = np.prod(value.shape[:2 if "depthwise" in value.path else -1])
    value.assign(random(value.name, value.shape, inputs))
with h5py.File(sys.argv[1], "w") as file:
    save_weights_to_hdf5_group(file, network)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with MobileNetV2's files of both zoos laid there by hand, and no network."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTKIT_CACHE", str(folder))
        patch.setenv("FTKIT_MIRROR", "http://127.0.0.1:9")
        for program, weights, keras in (
            (IN_PYTORCH, "imagenet", False),
            (IN_TENSORFLOW, "native", True),
        ):
            path = cached(checkpoint("mobilenet_v2", weights, keras).download)
            path.parent.mkdir(parents=True)
            done = subprocess.run(
                [sys.executable, "-c", RANDOM + program, str(path)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            )
            assert done.returncode == 0, done.stderr[-2000:]
        yield folder


@pytest.fixture(scope="module")
def recipe(cache, pictures):
    """The head of MobileNetV2 on 24 pictures of 64 pixels, 6 steps."""
    return Recipe(
        data=str(pictures),
        backbone="mobilenet_v2",
        weights="native",
        image_size=64,
        batch_size=4,
        epochs=1,
        strategies=("feature-extraction",),
        device="cpu",
    )


@pytest.fixture(scope="module")
def native(recipe):
    return ftkit.compare(recipe)


@pytest.fixture(scope="module")
def shared(recipe):
    return ftkit.compare(replace(recipe, weights="imagenet"))


# Before any framework starts


def test_under_native_each_framework_gets_its_own_network_weights_and_scaling(recipe, tmp_path):
    experiment = Experiment(recipe)
    strategy = "feature-extraction"
    assert experiment.native(strategy)
    starts, jobs = [], []
    for backend in BACKENDS:
        starts.append(experiment.initial(strategy, backend))
        jobs.append(experiment.job(tmp_path, strategy, backend))
    assert [job["zoo"] for job in jobs] == ["torchvision", "keras"]
    first, second = (experiment.network(strategy, backend) for backend in BACKENDS)
    assert (first.keras_layers, second.keras_layers) == (False, True)
    assert first.scaling != second.scaling
    assert starts[0].keys() == starts[1].keys() == first.shapes.keys()
    same = {key for key in starts[0] if np.array_equal(starts[0][key], starts[1][key])}
    assert same == {"classifier.1.weight", "classifier.1.bias"}


def test_under_imagenet_both_start_from_the_same_tensors(recipe):
    experiment = Experiment(replace(recipe, weights="imagenet"))
    assert not experiment.native("feature-extraction")
    first, second = (experiment.initial("feature-extraction", backend) for backend in BACKENDS)
    assert first.keys() == second.keys()
    for key in first:
        assert first[key].tobytes() == second[key].tobytes(), key
    networks = [experiment.network("feature-extraction", backend) for backend in BACKENDS]
    assert networks[0] == networks[1]


def test_only_what_starts_from_published_weights_is_of_the_frameworks_own(recipe):
    experiment = Experiment(replace(recipe, strategies=("scratch", "feature-extraction")))
    assert not experiment.native("scratch")
    assert experiment.native("feature-extraction")


def test_alone_each_framework_needs_only_its_own_file(recipe):
    for backend in BACKENDS:
        experiment = Experiment(recipe, (backend,))
        assert not experiment.native("feature-extraction")
        assert len(experiment.notes) == 1


def test_native_is_refused_where_keras_has_no_such_network(recipe):
    with pytest.raises(FtkitError, match="keras.applications has no resnet18"):
        Experiment(replace(recipe, backbone="resnet18"))


def test_without_the_file_and_without_a_network_it_is_refused_before_pictures_are_read(recipe):
    away = replace(recipe, backbone="vgg16", data="no/such/folder")
    with pytest.raises(FtkitError, match="native weights of vgg16 are not in the cache"):
        Experiment(away)


# What runs


@pytest.mark.parametrize("weights", ["native", "shared"])
def test_both_frameworks_run_to_the_end_and_only_the_head_moves(weights, request):
    results = request.getfixturevalue(weights)
    assert [(run.backend, run.status) for run in results.runs] == [(b, "done") for b in BACKENDS]
    for run in results.runs:
        assert len(run.steps) == 6
        assert np.isfinite(run.step_losses).all()
        assert np.std(run.step_losses) > 1e-2  # the pictures come through
        [audit] = run.audits
        assert audit["holds"]
        moved = {name for block in audit["blocks"].values() for name in block["moved"]}
        assert moved == {"classifier.1.weight", "classifier.1.bias"}


def test_of_native_runs_no_match_is_claimed_and_it_says_why(native):
    [match] = native.match
    assert match.holds is None
    assert match.largest_difference > 1e-2
    found = verdict(native)
    assert found.state == "none"
    assert found.sentence == (
        "Not comparable, because each framework ran the network and the weights of its own zoo "
        "(--weights native)."
    )
    assert found.sentence in " ".join(native.table().split())


def test_from_torchvisions_weights_in_both_the_match_holds(shared):
    [match] = shared.match
    assert match.holds
    assert (match.rule, match.bound, match.steps) == ("float32, head only", 1e-5, 6)
    assert match.largest_difference <= 1e-5
    assert verdict(shared).state == "holds"


def test_weights_that_were_laid_in_the_cache_by_hand_are_told(native, shared):
    paths = [
        cached(checkpoint("mobilenet_v2", "native", keras).download) for keras in (False, True)
    ]
    ending = "was not downloaded by ftkit and is not known to be the published file."
    assert native.notes == tuple(f"{path} {ending}" for path in paths)
    assert shared.notes == native.notes[:1]
    assert native.summary()["notes"] == list(native.notes)


def test_in_pytorch_both_runs_are_the_same_run(native, shared):
    first, second = native.runs[0], shared.runs[0]
    assert first.step_losses == second.step_losses
    assert native.runs[1].step_losses != shared.runs[1].step_losses
