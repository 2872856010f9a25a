"""Oxford-IIIT Pet: its layout read as torchvision reads it, and fetched into the cache."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ftkit import downloads
from ftkit.data import load, pets
from ftkit.data.pets import fetch_pets, load_pets, pets_state
from ftkit.downloads import Download, Unreachable
from ftkit.errors import FtkitError

PUBLISHED = pets.DOWNLOADS
SIZE = 16
TRAIN = (  # in no alphabetical order, as little as ids are in the order of the lines
    "american_pit_bull_terrier_10 3 2 2",
    "Abyssinian_100 1 1 1",
    "Abyssinian_9 1 1 1",
    "american_bulldog_7 2 2 1",
    "Bengal_3 4 1 2",
    "american_bulldog_71 2 2 1",
    "Bengal_12 4 1 2",
    "american_pit_bull_terrier_2 3 2 2",
)
TEST = (
    "Bengal_1 4 1 2",
    "american_bulldog_1 2 2 1",
    "Abyssinian_1 1 1 1",
    "american_pit_bull_terrier_1 3 2 2",
)


def pixels(name: str) -> np.ndarray:
    """The noise that is the picture of that name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def names(lines) -> list[str]:
    return [line.split()[0] for line in lines]


def lay(cache: Path, train=TRAIN, test=TEST) -> Path:
    """The layout in a cache folder, its pictures lossless under the name .jpg."""
    folder = cache / "data" / "oxford-iiit-pet"
    for part in ("images", "annotations"):
        (folder / part).mkdir(parents=True)
    for name in names((*train, *test)):
        Image.fromarray(pixels(name)).save(folder / "images" / f"{name}.jpg", format="PNG")
    for part, lines in (("trainval", train), ("test", test)):
        write(folder, part, lines)
    return folder


def write(folder: Path, part: str, lines) -> None:
    text = "".join(f"{line}\n" for line in lines)
    (folder / "annotations" / f"{part}.txt").write_text(text, encoding="utf-8")


def pack(folder: Path, archive: Path, *more: tarfile.TarInfo | str) -> bytes:
    """An archive of a folder (or of nothing), and of further members: links, or files by name."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        if folder.exists():
            tar.add(folder, folder.name)
        for member in more:
            if isinstance(member, str):
                info = tarfile.TarInfo(member)
                info.size = 5
                tar.addfile(info, io.BytesIO(b"taken"))
            else:
                tar.addfile(member)
    return archive.read_bytes()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def downloads_at(address: str, digests: dict[str, str]) -> tuple[Download, ...]:
    return tuple(
        Download(f"{address}/{Path(one.place).name}", one.place, digest, None)
        for one, digest in zip(PUBLISHED, digests.values(), strict=True)
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache folder that is not there yet, and no network."""
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("FTKIT_MIRROR", raising=False)
    nobody = dict.fromkeys(("images", "annotations"), "md5:" + "0" * 32)
    monkeypatch.setattr(pets, "DOWNLOADS", downloads_at("http://127.0.0.1:1", nobody))
    return tmp_path / "cache"


@pytest.fixture
def folder(cache) -> Path:
    """The layout in the cache."""
    return lay(cache)


@pytest.fixture
def archives(cache, tmp_path) -> Path:
    """Both archives where a download would have put them."""
    made = lay(tmp_path / "made")
    for part in ("images", "annotations"):
        pack(made / part, place(cache, part))
    return cache / "data" / "oxford-iiit-pet"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Both archives on a web server here; yields the paths that were asked of it."""
    made, asked = lay(tmp_path / "made"), []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    digests = {}
    for part in ("images", "annotations"):
        content = pack(made / part, tmp_path / "served" / f"{part}.tar.gz")
        digests[part] = f"md5:{hashlib.md5(content).hexdigest()}"
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.02,))
        thread.start()
        address = f"http://127.0.0.1:{web.server_address[1]}"
        monkeypatch.setattr(pets, "DOWNLOADS", downloads_at(address, digests))
        yield asked
        web.shutdown()
        thread.join()


def place(cache: Path, part: str) -> Path:
    return cache / "data" / "oxford-iiit-pet" / f"{part}.tar.gz"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# As torchvision reads it

ASK_TORCHVISION = """
import json, sys
import numpy as np
from torchvision.datasets import OxfordIIITPet

answer = {"resources": OxfordIIITPet._RESOURCES}
for split in ("trainval", "test"):
    data = OxfordIIITPet(sys.argv[1], split, ["category", "binary-category"])
    answer[split] = {
        "pet-breeds": data.classes,
        "pets": data.bin_classes,
        "labels": [target for image, target in data],
        "images": [np.asarray(image).tolist() for image, target in data],
    }
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def torchvision_says(tmp_path_factory):
    """A cache folder with the layout, and what torchvision reads there, in a process of its own."""
    cache = tmp_path_factory.mktemp("compared")
    lay(cache)
    told = subprocess.run(
        [sys.executable, "-c", ASK_TORCHVISION, str(cache / "data")],
        capture_output=True,
        text=True,
        check=True,
    )
    return cache, json.loads(told.stdout)


@pytest.mark.parametrize(("name", "kind"), [("pet-breeds", 0), ("pets", 1)])
def test_classes_labels_pictures_and_their_order_are_those_of_torchvision(
    torchvision_says, monkeypatch, name, kind
):
    cache, told = torchvision_says
    monkeypatch.setenv("FTKIT_CACHE", str(cache))
    dataset = load_pets(name, SIZE)
    assert dataset.name == name
    assert dataset.skipped == ()
    for part, split in (("trainval", dataset.train), ("test", dataset.val)):
        assert list(dataset.class_names) == told[part][name]
        assert split.labels.tolist() == [label[kind] for label in told[part]["labels"]]
        assert split.images.tolist() == told[part]["images"]


def test_the_archives_are_the_published_ones_that_torchvision_names(torchvision_says):
    _, told = torchvision_says
    assert [[one.url, one.digest] for one in PUBLISHED] == [
        [url, f"md5:{md5}"] for url, md5 in told["resources"]
    ]
    assert [one.place for one in PUBLISHED] == [
        "data/oxford-iiit-pet/images.tar.gz",
        "data/oxford-iiit-pet/annotations.tar.gz",
    ]


# The lists


def test_trainval_is_train_and_test_is_val_in_the_order_of_the_lists(folder):
    dataset = load_pets("pets", SIZE)
    for split, lines in ((dataset.train, TRAIN), (dataset.val, TEST)):
        assert np.array_equal(split.images, [pixels(name) for name in names(lines)])
        assert split.labels.tolist() == [int(line.split()[2]) - 1 for line in lines]
    assert dataset.class_names == ("Cat", "Dog")


def test_with_a_part_of_the_breeds_the_labels_count_those_that_occur_in_either_list(cache):
    train = ("yorkshire_terrier_1 37 2 25", "Bengal_1 6 1 2")
    lay(cache, train, ("beagle_1 5 2 4", "yorkshire_terrier_2 37 2 25"))
    dataset = load_pets("pet-breeds", SIZE)
    assert dataset.class_names == ("Beagle", "Bengal", "Yorkshire Terrier")
    assert dataset.train.labels.tolist() == [2, 1]
    assert dataset.val.labels.tolist() == [0, 2]


def test_comments_empty_lines_and_the_marks_of_an_editor_are_no_pictures(folder):
    path = folder / "annotations" / "trainval.txt"
    before = load_pets("pet-breeds", SIZE)
    lines = ["#Image CLASS-ID SPECIES BREED ID", "", *TRAIN[:3], "  # half", "  ", *TRAIN[3:]]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    after = load_pets("pet-breeds", SIZE)
    assert np.array_equal(after.train.images, before.train.images)
    assert np.array_equal(after.train.labels, before.train.labels)


@pytest.mark.parametrize(
    "line",
    [
        "Bengal_1",
        "Bengal_1 4 1",
        "Bengal_1 4 1 2 5",
        "Bengal_1 four 1 2",
        "Bengal_1 0 1 2",
        "Bengal_1 38 1 2",
        "Bengal_1 -4 1 2",
        "Bengal_1 4 3 2",
        "Bengal_1 4 0 2",
        "Bengal_1 4 1 0",
        "Bengal 4 1 2",
        "_1 4 1 2",
        "../annotations/Bengal_1 4 1 2",
        "..\\annotations\\Bengal_1 4 1 2",
    ],
)
@pytest.mark.parametrize("part", ["trainval", "test"])
def test_a_malformed_line_or_an_id_out_of_range_is_an_error_that_shows_it(folder, part, line):
    write(folder, part, [*TEST, line])
    with pytest.raises(FtkitError) as caught:
        load_pets("pets", SIZE)
    message = str(caught.value)
    assert f"in line 5 of {folder / 'annotations' / part}.txt" in message
    assert repr(line) in message
    assert f"remove {folder} and run: ftkit fetch pets" in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Bombay_1 4 1 4", "line 5 of .*test.txt has 4 for Bombay, .* 3 .*, 4 Bengal"),
        ("Bengal_2 5 1 2", "line 5 of .*test.txt has 5 for Bengal, .* 4 Bengal, 5 Bengal"),
    ],
)
def test_one_id_for_two_breeds_or_two_ids_for_one_is_an_error_across_the_lists(
    folder, line, message
):
    write(folder, "test", [*TEST, line])
    with pytest.raises(FtkitError, match=message):
        load_pets("pet-breeds", SIZE)


@pytest.mark.parametrize("part", ["trainval", "test"])
def test_a_list_that_is_missing_or_empty_is_an_error_that_names_it(folder, part):
    path = folder / "annotations" / f"{part}.txt"
    path.write_text("# nothing\n")
    with pytest.raises(FtkitError, match=f"a line per picture in .*{part}.txt; got none"):
        load_pets("pets", SIZE)
    path.unlink()
    with pytest.raises(FtkitError, match=f"list of pictures at .*{part}.txt; No such file"):
        load_pets("pets", SIZE)


@pytest.mark.parametrize(("name", "only"), [("pets", "Cat"), ("pet-breeds", "Bengal")])
def test_a_single_class_is_an_error(cache, name, only):
    lay(cache, ("Bengal_1 4 1 2",), ("Bengal_2 4 1 2",))
    with pytest.raises(FtkitError, match=f"at least two classes .* for {name}; got {only} only"):
        load_pets(name, SIZE)


# The pictures


def test_missing_and_broken_pictures_are_skipped_and_the_others_keep_their_labels(cache):
    train = [f"{name}_{n} {cls} {cls} 1" for n in range(15) for name, cls in (("a", 1), ("b", 2))]
    test = [f"{name}_{n} {cls} {cls} 1" for n in (50, 51) for name, cls in (("b", 2), ("a", 1))]
    folder = lay(cache, train, test)
    gone, broken = folder / "images" / "a_3.jpg", folder / "images" / "b_50.jpg"
    gone.unlink()
    broken.write_text("<html>")
    dataset = load_pets("pets", SIZE)
    assert dataset.skipped == (f"{gone}: No such file or directory", f"{broken}: not a picture")
    for split, lines in ((dataset.train, train), (dataset.val, test)):
        kept = [line for line in lines if line.split()[0] not in ("a_3", "b_50")]
        assert np.array_equal(split.images, [pixels(name) for name in names(kept)])
        assert split.labels.tolist() == [int(line.split()[2]) - 1 for line in kept]


def test_more_than_a_tenth_missing_is_an_error_that_says_how_to_get_them_again(folder):
    for name in names(TRAIN[:2]):
        (folder / "images" / f"{name}.jpg").unlink()
    with pytest.raises(FtkitError, match="2 of 12 are not") as caught:
        load_pets("pets", SIZE)
    assert f"remove {folder} and run: ftkit fetch pets" in str(caught.value)
    assert "american_pit_bull_terrier_10.jpg: No such file" in str(caught.value)


def test_a_part_without_a_readable_picture_is_an_error(cache):
    train = [f"{name}_{n} {cls} {cls} 1" for n in range(5) for name, cls in (("a", 1), ("b", 2))]
    folder = lay(cache, train, ("a_9 1 1 1",))
    (folder / "images" / "a_9.jpg").unlink()
    with pytest.raises(FtkitError, match="The val part of 'pets' holds no picture"):
        load_pets("pets", SIZE)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG")]
)
def test_pictures_of_another_kind_under_the_name_jpg_are_read(folder, mode, kind):
    white = Image.new("RGB", (40, 30), "white").convert(mode)
    white.save(folder / "images" / "Abyssinian_1.jpg", format=kind)
    dataset = load_pets("pets", SIZE)
    assert dataset.skipped == ()
    assert dataset.val.images[2].min() >= 253


def test_pictures_have_the_size_asked_for(folder):
    dataset = load_pets("pet-breeds", 9)
    assert dataset.train.images.shape == (8, 9, 9, 3)
    assert dataset.val.images.shape == (4, 9, 9, 3)
    assert dataset.train.images.dtype == np.uint8


# By name


@pytest.mark.parametrize(("name", "classes"), [("pets", 2), ("pet-breeds", 4)])
def test_load_knows_the_name_and_gives_a_stratified_part(folder, name, classes):
    whole, part = load(name, SIZE, 0), load(name, SIZE, 0, 4)
    assert len(whole.class_names) == classes
    assert np.bincount(part.train.labels).tolist() == [4 // classes] * classes
    assert np.array_equal(part.val.images, whole.val.images)


def test_an_unknown_name_or_a_size_below_1_is_refused_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr(downloads, "fetch", None)
    with pytest.raises(FtkitError, match="Did you mean 'pet-breeds'"):
        load_pets("pet-breed", SIZE)
    with pytest.raises(FtkitError, match="at least 1 pixel; got 0"):
        load_pets("pets", 0)


# Fetching


def test_what_lies_in_the_cache_is_used_as_it_is_and_nothing_is_written(folder, cache):
    before = files_below(cache)
    assert pets_state() == "ready"
    assert fetch_pets() == folder
    assert len(load_pets("pets", SIZE).train) == len(TRAIN)
    assert files_below(cache) == before


def test_loading_fetches_what_is_not_there_and_says_so_on_standard_error(server, cache, capsys):
    dataset = load_pets("pets", SIZE)
    assert np.array_equal(dataset.train.images, [pixels(name) for name in names(TRAIN)])
    shown = capsys.readouterr()
    assert "images.tar.gz" in shown.err
    assert shown.out == ""
    assert sorted(server) == ["/annotations.tar.gz", "/images.tar.gz"]
    load_pets("pet-breeds", SIZE)
    assert len(server) == 2


def test_fetching_tells_its_progress_and_leaves_the_folders_without_the_archives(server, cache):
    told: dict[str, list[int]] = {}
    found = fetch_pets(lambda name, done, total: told.setdefault(name, []).append(done))
    assert found == cache / "data" / "oxford-iiit-pet"
    assert sorted(told) == ["annotations.tar.gz", "images.tar.gz"]
    assert all(done == sorted(done) and done[-1] > 0 for done in told.values())
    assert pets_state() == "ready"
    kept = [name for name in files_below(found) if not name.endswith(".lock")]
    assert kept == files_below(cache.parent / "made" / "data" / "oxford-iiit-pet")
    assert fetch_pets() == found
    assert len(server) == 2


def test_only_the_half_that_is_not_there_is_fetched(server, cache, folder):
    for path in (folder / "annotations").iterdir():
        path.unlink()
    (folder / "annotations").rmdir()
    assert pets_state() == "partial"
    fetch_pets()
    assert server == ["/annotations.tar.gz"]
    assert pets_state() == "ready"


def test_without_a_network_one_error_names_the_command_and_the_bundled_task():
    with pytest.raises(FtkitError) as caught:
        load_pets("pets", SIZE)
    message = str(caught.value)
    assert "Oxford-IIIT Pet is not in the cache" in message
    assert "127.0.0.1:1/images.tar.gz could not be reached" in message
    assert "`ftkit fetch pets`" in message
    assert "drawn-pets" in message
    with pytest.raises(Unreachable):
        fetch_pets()


def test_two_at_once_fetch_once_and_the_second_waits_until_all_is_unpacked(server, monkeypatch):
    real, inside, seen = tarfile.data_filter, threading.Event(), []

    def slow(member, path):
        inside.set()
        if not seen:
            seen.append(member)
            threading.Event().wait(0.4)
        return real(member, path)

    monkeypatch.setattr(tarfile, "data_filter", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch_pets)
        assert inside.wait(10)
        second = pool.submit(fetch_pets)
        assert first.result() == second.result()
    assert sorted(server) == ["/annotations.tar.gz", "/images.tar.gz"]
    assert len(load_pets("pets", SIZE).train) == len(TRAIN)


def test_the_state_is_told_in_words(archives, cache):
    assert pets_state() == "unverified"
    place(cache, "images").rename(place(cache, "images").with_suffix(".gz.part"))
    assert pets_state() == "partial"
    place(cache, "images").with_suffix(".gz.part").unlink()
    assert pets_state() == "partial"
    place(cache, "annotations").unlink()
    assert pets_state() == "absent"


def test_the_state_tells_what_is_whole_but_not_unpacked_from_what_is_damaged(
    archives, cache, monkeypatch
):
    digests = {
        part: f"md5:{hashlib.md5(place(cache, part).read_bytes()).hexdigest()}"
        for part in ("images", "annotations")
    }
    monkeypatch.setattr(pets, "DOWNLOADS", downloads_at("http://127.0.0.1:1", digests))
    for download in pets.DOWNLOADS:
        assert downloads.check(download) == "verified"
    assert pets_state() == "not unpacked"
    place(cache, "annotations").write_bytes(b"cut")
    assert pets_state() == "damaged"
    place(cache, "images").unlink()
    assert pets_state() == "damaged"


def test_a_cache_that_cannot_be_made_or_locked_is_an_error(archives, cache):
    (archives / "unpacking.lock").mkdir()
    with pytest.raises(FtkitError, match=f"could not be unpacked in {archives}: .*FTKIT_CACHE"):
        fetch_pets()
    shutil.rmtree(cache)
    cache.write_text("a file")
    with pytest.raises(FtkitError, match="Expected a folder that can be written"):
        fetch_pets()


# Unpacking


def test_archives_laid_in_the_cache_are_unpacked_without_a_network_and_stay(archives, cache):
    dataset = load_pets("pet-breeds", SIZE)
    assert np.array_equal(dataset.val.images, [pixels(name) for name in names(TEST)])
    assert place(cache, "images").exists()
    assert place(cache, "annotations").exists()


def test_what_macos_adds_to_archives_is_left_out(archives, cache, tmp_path):
    made = tmp_path / "made" / "data" / "oxford-iiit-pet" / "annotations"
    extra = ("._annotations", "annotations/._list.txt", "annotations/trimaps/._Bengal_1.png")
    pack(made, place(cache, "annotations"), *extra)
    fetch_pets()
    assert files_below(archives / "annotations") == ["test.txt", "trainval.txt"]


def bad_members(outside: Path) -> dict[str, list[tarfile.TarInfo | str]]:
    up = "../../../../outside"
    return {
        "two dots": [f"images/{up}/x.jpg"],
        "two dots that stay near": ["images/../x.jpg"],
        "two dots at the start": ["../images/x.jpg"],
        "an absolute path": [f"{outside}/x.jpg"],
        "a link to elsewhere": [link("images/door", str(outside)), "images/door/x.jpg"],
        "a link within": [link("images/x.jpg", "Bengal_1.jpg")],
        "a link upwards": [link("images/door", up), "images/door/x.jpg"],
        "a link for the folder": [link("images", str(outside)), "images/x.jpg"],
        "a hard link to elsewhere": [link("images/x.jpg", f"{up}/secret", tarfile.LNKTYPE)],
        "a device": [link("images/x.jpg", "", tarfile.CHRTYPE)],
        "another folder": ["x.jpg"],
        "a longer name": ["images2/x.jpg"],
    }


@pytest.mark.parametrize("kind", bad_members(Path("/")))
@pytest.mark.parametrize("whole", [True, False])
def test_an_archive_of_anything_but_plain_files_in_its_folder_is_refused(
    archives, cache, tmp_path, kind, whole
):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("mine")
    images = tmp_path / "made" / "data" / "oxford-iiit-pet" / "images"
    pack(images if whole else tmp_path / "no", place(cache, "images"), *bad_members(outside)[kind])
    before = files_below(tmp_path)
    with pytest.raises(FtkitError, match="images.tar.gz"):
        fetch_pets()
    after = [name for name in files_below(tmp_path) if not name.endswith(".lock")]
    assert after == before
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert not (archives / "images").exists()
    assert pets_state() == "unverified"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "sound archive"),
        (b"", "sound archive"),
        ("half", "sound archive"),
        ("nothing", "Expected a folder images/ in .*; got none"),
        ("a file", "Expected a folder images/ in .*; got none"),
    ],
)
def test_an_archive_that_is_none_or_not_whole_is_an_error_that_says_what_to_remove(
    archives, cache, tmp_path, content, message
):
    path = place(cache, "images")
    if content == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif isinstance(content, str):
        pack(tmp_path / "no", path, *(["images"] if content == "a file" else []))
    else:
        path.write_bytes(content)
    with pytest.raises(FtkitError, match=message) as caught:
        fetch_pets()
    assert f"Remove {path} and run: ftkit fetch pets" in str(caught.value)
    left = [entry.name for entry in archives.iterdir() if not entry.name.endswith(".lock")]
    assert sorted(left) == ["annotations.tar.gz", "images.tar.gz"]


def test_a_full_disk_is_an_error_that_keeps_the_archive(archives, cache, monkeypatch):
    real = tarfile.TarFile.makefile

    def full(self, member, path):
        real(self, member, path)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "makefile", full)
        with pytest.raises(FtkitError, match="No space left on device. Make room"):
            fetch_pets()
    left = [entry.name for entry in archives.iterdir() if not entry.name.endswith(".lock")]
    assert sorted(left) == ["annotations.tar.gz", "images.tar.gz"]
    fetch_pets()
    assert pets_state() == "ready"


def test_a_process_killed_while_it_unpacks_leaves_nothing_that_looks_whole(archives, cache):
    program = (
        "import os, tarfile\n"
        "from ftkit.data.pets import fetch_pets\n"
        "real, seen = tarfile.data_filter, []\n"
        "def killed(member, path):\n"
        "    seen.append(member)\n"
        "    return real(member, path) if len(seen) < 5 else os._exit(9)\n"
        "tarfile.data_filter = killed\n"
        "fetch_pets()\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (9, "")
    half = [path for path in archives.rglob("*.jpg") if path.is_file()]
    assert half
    assert not (archives / "images").exists()
    assert pets_state() == "unverified"
    (half[0].parent / "left over.jpg").write_bytes(b"")
    fetch_pets()
    assert pets_state() == "ready"
    assert sorted(path.stem for path in archives.rglob("*.jpg")) == sorted(names((*TRAIN, *TEST)))
    assert sorted(path.name for path in archives.iterdir() if path.is_dir()) == [
        "annotations",
        "images",
    ]


def test_an_interruption_cleans_up(archives, monkeypatch):
    def interrupted(member, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile, "data_filter", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch_pets()
    assert [path for path in archives.iterdir() if path.is_dir()] == []


def test_a_python_that_cannot_unpack_safely_is_refused_before_the_download(server, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(FtkitError, match="Update it: 3.10.12, 3.11.4"):
        load_pets("pets", SIZE)
    assert server == []
