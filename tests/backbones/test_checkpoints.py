"""Published checkpoints: what is said of them, and what is done with what is in the cache."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture
from ftkit.backbones.checkpoints import CHECKPOINTS, checkpoint
from ftkit.backbones.weights import Source, initial_tensors, locate
from ftkit.downloads import cached, check, state
from ftkit.errors import FtkitError

TORCH = {name: found for name, found in CHECKPOINTS.items() if "imagenet" in found}
KERAS = [name for name, found in CHECKPOINTS.items() if "native" in found]

# Prints what torchvision says of the weights of the networks named.
SAY = """
import json, sys
sys.path.pop(0)
from torchvision.models import get_model_weights

print(json.dumps({
    name: {
        weights.name: [
            weights.url,
            weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
            weights.meta["_file_size"],
        ]
        for weights in get_model_weights(name)
    }
    for name in sys.argv[1:]
}))
"""


@pytest.fixture(scope="module")
def torchvision():
    """Torchvision's own records, by backbone and name of the weights."""
    answer = subprocess.run(
        [sys.executable, "-c", SAY, *TORCH], capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, and nothing behind the mirror that is asked."""
    folder = tmp_path / "cache"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("FTKIT_CACHE", str(folder))
    monkeypatch.setenv("FTKIT_MIRROR", f"http://127.0.0.1:{port}")
    return folder


def lay(name, weights, content=b"laid by hand", keras=False):
    path = cached(checkpoint(name, weights, keras).download)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# What is said of them


@pytest.mark.parametrize("weights", ["imagenet", "imagenet-v2"])
def test_torchvisions_files_are_those_that_torchvision_names(torchvision, weights):
    named = {"imagenet": "IMAGENET1K_V1", "imagenet-v2": "IMAGENET1K_V2"}[weights]
    having = {name for name, records in torchvision.items() if named in records}
    assert {name for name in CHECKPOINTS if weights in CHECKPOINTS[name]} == having
    for name in sorted(having):
        url, top1, megabytes = torchvision[name][named]
        found = CHECKPOINTS[name][weights]
        assert found.named == named
        assert found.download.url == url
        digest = re.search(r"-([0-9a-f]{8})\.pth$", url)[1]
        assert found.download.digest == f"sha256:{digest}"
        assert found.top1 == top1
        assert found.download.megabytes == pytest.approx(megabytes * 2**20 / 1e6, abs=0.1), name


def test_every_backbone_has_bundled_weights_or_published_ones():
    bundled = {name for name, spec in BACKBONES.items() if spec.bundled}
    assert bundled | CHECKPOINTS.keys() == BACKBONES.keys()
    assert not bundled & CHECKPOINTS.keys()
    assert CHECKPOINTS.keys() == TORCH.keys()
    assert set(KERAS) == {name for name, spec in BACKBONES.items() if spec.keras}


def source_of(name):
    """The source of a network of the installed Keras, as text; nothing of it is imported."""
    module = {"resnet50": "resnet", "efficientnet_b0": "efficientnet", "convnext_tiny": "convnext"}
    package = Path(importlib.util.find_spec("keras").origin).parent
    path = package / "src" / "applications" / f"{module.get(name, name)}.py"
    return path.read_text(encoding="utf-8")


def joined(source):
    """Adjacent string literals made one, so that an address that fills two lines is found."""
    return re.sub(r"\"\s*\n\s*f?\"", "", source)


@pytest.mark.parametrize("name", KERAS)
def test_kerass_files_are_those_that_keras_names(name):
    found = CHECKPOINTS[name]["native"]
    source = joined(source_of(name))
    folder, _, file = found.download.url.rpartition("/")
    digits = found.download.digest.rpartition(":")[2]
    without_top = "top" in file
    assert re.search(rf"^def {found.named}\(", source, re.MULTILINE)
    assert found.named == BACKBONES[name].keras.function
    assert without_top == (name not in ("vgg16", "convnext_tiny"))
    if name in ("vgg16", "inception_v3"):  # the address in one piece, the hash where it is fetched
        assert f'"{folder}/{file}"' in source
        assert re.search(
            rf'"{file}",\s+\w+,\s+cache_subdir="models",\s+file_hash="{digits}"', source
        )
        return
    assert re.search(rf'^BASE_WEIGHTS?_PATH = \(?\s*"{folder}/"', source, re.MULTILINE)
    if name == "mobilenet_v2":
        pattern = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}_no_top.h5"
        assert file == pattern.replace("{float(alpha)}", "1.0").replace("{rows}", "224")
        assert pattern in source
        assert "file_hash" not in source and digits == ""
        return
    key, ending = {
        "resnet50": ("resnet50", "_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        "efficientnet_b0": ("b0", "_notop.h5"),
        "convnext_tiny": ("convnext_tiny", ".h5"),
    }[name]
    assert file.endswith(ending) and f'{ending}"' in source
    assert f'name="{file.removesuffix(ending)}"' in source
    hashes = re.search(rf'"{key}": \(\s+"(\w+)",\s+"(\w+)",', source)
    assert digits == hashes[2 if without_top else 1]


def test_addresses_are_https_and_no_two_files_share_a_place():
    items = [item for found in CHECKPOINTS.values() for item in found.values()]
    places = [item.download.place for item in items]
    assert len(set(places)) == len(places) == 16
    for item in items:
        assert urlsplit(item.download.url).scheme == "https"
        assert item.download.place.endswith(item.download.url.rpartition("/")[2])
        assert 60 < item.top1 < 90
        assert item.source.startswith("https://")


# Which of them a name means


def test_native_means_torchvisions_first_in_pytorch_and_kerass_in_tensorflow():
    for name in KERAS:
        assert checkpoint(name, "native") is CHECKPOINTS[name]["imagenet"]
        assert checkpoint(name, "native", keras=True) is CHECKPOINTS[name]["native"]


@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
def test_native_is_refused_in_both_frameworks_where_keras_has_none(cache, backend):
    with pytest.raises(FtkitError) as caught:
        locate("resnet18", "native", backend)
    assert str(caught.value) == (
        f"keras.applications has no resnet18; it has {', '.join(KERAS)}. "
        "Use --weights imagenet, or another backbone."
    )


@pytest.mark.parametrize("weights", ["imagenet", "imagenet-v2"])
def test_a_backbone_that_ftkit_made_up_has_no_published_weights_but_its_bundled_ones(
    cache, weights
):
    having = [name for name in CHECKPOINTS if weights in CHECKPOINTS[name]]
    with pytest.raises(FtkitError) as caught:
        locate("resnet_s", weights, "pytorch")
    assert str(caught.value) == (
        f"There are no {weights} weights of resnet_s; there are of {', '.join(having)}. "
        "--weights bundled is there for it. Choose one of these backbones, or other weights."
    )


def test_a_backbone_without_a_later_recipe_says_which_have_one(cache):
    with pytest.raises(FtkitError) as caught:
        locate("vgg16", "imagenet-v2", "tensorflow")
    assert str(caught.value) == (
        "There are no imagenet-v2 weights of vgg16; there are of resnet50, mobilenet_v2. "
        "Choose one of these backbones, or other weights."
    )


# What is in the cache


def test_a_file_laid_there_by_hand_is_used_and_told(cache):
    path = lay("resnet18", "imagenet")
    assert path == cache / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    source = locate("resnet18", "imagenet", "tensorflow")
    assert source == Source(
        "imagenet",
        "torchvision",
        path,
        f"{path} was not downloaded by ftkit and is not known to be the published file.",
    )


def test_under_native_each_framework_gets_its_own_file(cache):
    first, second = lay("vgg16", "imagenet"), lay("vgg16", "native", keras=True)
    sources = [locate("vgg16", "native", backend) for backend in ("pytorch", "tensorflow")]
    assert [(found.zoo, found.path) for found in sources] == [
        ("torchvision", first),
        ("keras", second),
    ]
    assert second == cache / "keras" / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"


def receipt(path, **entries):
    path.with_name(f"{path.name}.json").write_text(json.dumps(entries), encoding="utf-8")


@pytest.fixture
def downloaded(cache):
    """A file in the cache with the receipt of what was downloaded, as good as the published one."""
    path = lay("resnet18", "imagenet")
    known = checkpoint("resnet18", "imagenet").download.digest.partition(":")[2]
    receipt(path, sha256=known + "0" * 56, bytes=path.stat().st_size)
    assert state(checkpoint("resnet18", "imagenet").download) == "verified"
    return path


def test_a_file_that_has_changed_since_it_was_downloaded_is_refused(downloaded):
    with pytest.raises(FtkitError) as caught:
        locate("resnet18", "imagenet", "pytorch")
    assert str(caught.value) == (
        f"{downloaded} has changed since it was downloaded: it is damaged. Get it again: "
        "ftkit fetch resnet18."
    )
    assert check(checkpoint("resnet18", "imagenet").download) == "damaged"


def test_a_file_that_keras_gives_no_checksum_of_is_held_to_what_came_first(cache):
    path = lay("mobilenet_v2", "native", keras=True)
    download = checkpoint("mobilenet_v2", "native", keras=True).download
    hashes = download.hashes(path)
    receipt(path, url=download.url, bytes=path.stat().st_size, **hashes)
    assert locate("mobilenet_v2", "native", "tensorflow").note == ""
    path.write_bytes(b"LAID BY HAND")
    with pytest.raises(FtkitError, match="is damaged. Get it again: ftkit fetch mobilenet_v2"):
        locate("mobilenet_v2", "native", "tensorflow")


@pytest.mark.parametrize(
    ("name", "weights"), [(name, weights) for name in CHECKPOINTS for weights in CHECKPOINTS[name]]
)
def test_without_a_network_one_line_names_the_two_ways_without(cache, name, weights):
    with pytest.raises(FtkitError) as caught:
        locate(name, weights, "tensorflow")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"The {weights} weights of {name} are not in the cache, and http://")
    assert "could not be reached: Connection refused" in message
    small = "resnet_s or vgg_s or inception_s"
    assert f"Without a network use --weights bundled with --backbone {small};" in message
    command = f"ftkit fetch {name}" + ("" if weights == "imagenet" else f" --weights {weights}")
    assert message.endswith(f"or fill the cache where there is one: {command}.")


def test_random_and_bundled_weights_ask_for_no_network(cache):
    network = architecture("resnet_s", Head(), 2)
    bundled = initial_tensors(network, locate("resnet_s", "bundled", "tensorflow"), 0)
    random = initial_tensors(network, locate("resnet_s", "random", "tensorflow"), 0)
    assert not np.array_equal(bundled["conv1.weight"], random["conv1.weight"])
    assert not cache.exists()
