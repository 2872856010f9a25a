"""Filling the cache: what is downloaded, what is not, and what is said of it."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ftkit import fetching
from ftkit.backbones import checkpoints
from ftkit.backbones.checkpoints import CHECKPOINTS, Checkpoint
from ftkit.downloads import HDF5, Download, cached, check, state
from ftkit.errors import FtkitError
from ftkit.fetching import fetch_all, fetchable, listing


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: no socket is left open

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.asked = []


def numbers(named, file):
    """A content, which begins as files of its kind do."""
    begin = HDF5 if file.endswith(".h5") else b""
    return begin + f"the numbers of {named} in {file}".encode()


def small(item, folder):
    """The same publication with a small content, which the folder then holds."""
    file = item.download.url.rpartition("/")[2]
    content = numbers(item.named, file)
    (folder / file).write_bytes(content)
    kind = item.download.digest.partition(":")[0]
    digest = kind and f"{kind}:{hashlib.new(kind, content, usedforsecurity=False).hexdigest()}"
    download = Download(item.download.url, item.download.place, digest, item.download.megabytes)
    return Checkpoint(download, item.top1, item.source, item.named)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A mirror with small files in place of the published ones, and an empty cache."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    published = {
        name: {weights: small(item, folder) for weights, item in found.items()}
        for name, found in CHECKPOINTS.items()
    }
    for module in (checkpoints, fetching):
        monkeypatch.setattr(module, "CHECKPOINTS", published)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "cache"))
    with Server(folder) as serving:
        monkeypatch.setenv("FTKIT_MIRROR", f"http://127.0.0.1:{serving.server_port}")
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield serving
        finally:
            serving.shutdown()
            thread.join()


def fetched(*names, weights="imagenet"):
    return fetch_all(names, weights, lambda name, done, total: None)


def download_of(name, weights):
    return checkpoints.CHECKPOINTS[name][weights].download


def spoil(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 16]) + content[1:])


# What is downloaded


def test_all_that_is_named_is_downloaded_once_and_told_with_its_place(server, tmp_path):
    lines = fetched("resnet18", "vgg16", "resnet18")
    checkpoints_folder = tmp_path / "cache" / "torch" / "hub" / "checkpoints"
    assert lines == [
        f"resnet18, IMAGENET1K_V1: {checkpoints_folder / 'resnet18-f37072fd.pth'}",
        f"vgg16, IMAGENET1K_V1: {checkpoints_folder / 'vgg16-397923af.pth'}",
    ]
    assert server.asked == ["/resnet18-f37072fd.pth", "/vgg16-397923af.pth"]
    for name in ("resnet18", "vgg16"):
        path = cached(download_of(name, "imagenet"))
        assert path.read_bytes() == numbers("IMAGENET1K_V1", path.name)


def test_what_is_there_is_not_asked_for_again(server):
    first = fetched("resnet18")
    server.asked.clear()
    assert fetched("resnet18") == first
    assert server.asked == []


def test_progress_is_told_by_the_files_name(server):
    told = []
    fetch_all(["resnet18"], "imagenet", lambda *happened: told.append(happened))
    size = cached(download_of("resnet18", "imagenet")).stat().st_size
    assert told[-1] == ("resnet18-f37072fd.pth", size, size)


def test_a_damaged_file_is_downloaded_again_though_its_size_is_right(server):
    fetched("resnet18")
    download = download_of("resnet18", "imagenet")
    whole = cached(download).read_bytes()
    spoil(cached(download))
    assert state(download) == "verified"  # by its size and its receipt alone
    server.asked.clear()
    fetched("resnet18")
    assert server.asked == ["/resnet18-f37072fd.pth"]
    assert cached(download).read_bytes() == whole
    assert check(download) == "verified"


@pytest.mark.parametrize(
    ("weights", "files"),
    [
        ("imagenet", ["resnet50-0676ba61.pth"]),
        ("imagenet-v2", ["resnet50-11ad3fa6.pth"]),
        (
            "native",
            ["resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "resnet50-0676ba61.pth"],
        ),
    ],
)
def test_native_takes_the_files_of_both_zoos_and_the_others_torchvisions(server, weights, files):
    lines = fetched("resnet50", weights=weights)
    assert server.asked == [f"/{file}" for file in files]
    assert [line.rpartition("/")[2] for line in lines] == files


def test_a_file_of_which_nobody_published_a_checksum_is_held_to_what_came_first(server):
    fetched("mobilenet_v2", weights="native")
    download = download_of("mobilenet_v2", "native")
    assert download.digest == ""
    assert check(download) == "verified"
    spoil(cached(download))
    server.asked.clear()
    fetched("mobilenet_v2", weights="native")
    assert server.asked == [f"/{cached(download).name}"]
    assert check(download) == "verified"


def test_a_file_laid_there_by_hand_is_kept_and_said_to_be(server):
    path = cached(download_of("resnet18", "imagenet"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    assert fetched("resnet18") == [f"resnet18, IMAGENET1K_V1: {path} (laid there by hand)"]
    assert server.asked == []
    assert path.read_bytes() == b"mine"


def test_a_mirror_that_serves_another_file_is_refused(server, tmp_path):
    (tmp_path / "mirror" / "resnet18-f37072fd.pth").write_text("log in here", encoding="utf-8")
    with pytest.raises(FtkitError, match="Expected a file with sha256:"):
        fetched("resnet18")
    assert state(download_of("resnet18", "imagenet")) == "absent"


def test_a_login_page_is_not_taken_for_the_file_that_has_no_checksum(server, tmp_path):
    download = download_of("mobilenet_v2", "native")
    file = download.url.rpartition("/")[2]
    (tmp_path / "mirror" / file).write_text("<html>log in here</html>", encoding="utf-8")
    with pytest.raises(FtkitError, match="Expected an HDF5 file from http://127.0.0.1"):
        fetched("mobilenet_v2", weights="native")
    assert state(download) == "absent"


def test_pets_are_fetched_by_name_beside_weights(server, monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "fetch_pets", lambda on_progress: tmp_path / "pets")
    lines = fetched("pets", "resnet18", "pets")
    assert lines[0] == f"pets: {tmp_path / 'pets'}"
    assert len(lines) == 2


# What is refused before anything is downloaded


@pytest.mark.parametrize(
    ("names", "weights", "message"),
    [
        ((), "imagenet", "Expected what to fetch, of: resnet18, .*, pets; got nothing."),
        (("resnet18", "vgg61"), "imagenet", "name to fetch 'vgg61'. Did you mean 'vgg16'"),
        (("resnet18", "resnet_s"), "imagenet", "resnet_s needs no fetching: its weights come"),
        (("resnet18",), "imagnet", "Unknown published weights 'imagnet'. Did you mean 'imagenet'"),
        (("resnet18",), "bundled", "Unknown published weights 'bundled'"),
        (("resnet50", "vgg16"), "imagenet-v2", "There are no imagenet-v2 weights of vgg16"),
        (("resnet50", "resnet18"), "native", "keras.applications has no resnet18"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_downloaded(
    server, tmp_path, names, weights, message
):
    with pytest.raises(FtkitError, match=message):
        fetched(*names, weights=weights)
    assert server.asked == []
    assert not (tmp_path / "cache").exists()


def test_every_published_backbone_can_be_fetched_and_pets():
    assert fetchable() == (*CHECKPOINTS, "pets")


# What is there


def columns():
    """State, name and weights of each file in the list, by its name."""
    lines = listing()[1:]
    return {line.split()[-1]: tuple(line.split()[:3]) for line in lines}


def test_the_list_has_a_line_for_each_file_and_names_the_folder(server, tmp_path):
    lines = listing()
    assert lines[0] == f"cache: {tmp_path / 'cache'}"
    files = [item for found in CHECKPOINTS.values() for item in found.values()]
    assert len(lines) == 1 + len(files) + 1
    assert lines[1].split() == [
        "absent",
        "resnet18",
        "imagenet",
        "47",
        "MB",
        "resnet18-f37072fd.pth",
    ]
    assert lines[-1].split()[:4] == ["absent", "pets", "811", "MB"]
    assert {line.split()[0] for line in lines[1:]} == {"absent"}
    assert not (tmp_path / "cache").exists()


def test_the_list_says_what_is_verified_damaged_begun_and_laid_there_by_hand(server):
    fetched("resnet18", "resnet34", "vgg16")
    cached(download_of("resnet34", "imagenet")).write_bytes(b"cut")
    cached(download_of("resnet50", "imagenet")).write_bytes(b"mine")
    beside = cached(download_of("convnext_tiny", "imagenet"))
    beside.with_name(f"{beside.name}.part").write_bytes(b"beg")
    found = columns()
    assert found["resnet18-f37072fd.pth"] == ("verified", "resnet18", "imagenet")
    assert found["vgg16-397923af.pth"] == ("verified", "vgg16", "imagenet")
    assert found["resnet34-b627a593.pth"][0] == "damaged"
    assert found["resnet50-0676ba61.pth"][0] == "unverified"
    assert found["resnet50-11ad3fa6.pth"] == ("absent", "resnet50", "imagenet-v2")
    assert found["convnext_tiny-983f1562.pth"][0] == "partial"


def test_a_damaged_file_of_the_right_size_is_listed_as_damaged_once_it_was_checked(server):
    fetched("resnet18")
    download = download_of("resnet18", "imagenet")
    spoil(cached(download))
    check(download)
    assert columns()["resnet18-f37072fd.pth"][0] == "damaged"
