"""Shelves: rows come back as they were written; no file outlives its process, none fills memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from ftkit.backends.shelves import SPARE_DISK, DiskShelf, MemoryShelf, NoRoom

MEGABYTE = 10**6


@pytest.fixture(params=["memory", "disk"])
def make(request, tmp_path):
    """Makes a shelf of either kind."""
    if request.param == "memory":
        return MemoryShelf
    return lambda shape, dtype: DiskShelf(shape, dtype, tmp_path)


@pytest.fixture
def started():
    """Starts programs that import shelves, and ends them."""
    processes = []

    def start(program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 7), (50, 3, 3, 5)])
def test_rows_come_back_by_slice_and_by_number(make, shape, dtype):
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    shelf = make(shape, dtype)
    for start in (0, 20, 40):
        shelf[start : start + 20] = values[start : start + 20]
    assert (shelf.shape, shelf.nbytes) == (values.shape, values.nbytes)
    for rows in (slice(0, 50), slice(13, 14), np.array([49, 0, 7, 7]), np.arange(49, -1, -1)):
        found = shelf[rows]
        assert found.dtype == dtype
        assert np.array_equal(found, values[rows])


@pytest.mark.parametrize("rows", [slice(0, 4), np.arange(4)], ids=["slice", "numbers"])
def test_what_is_handed_out_is_a_copy(make, rows):
    shelf = make((4, 2), np.float32)
    shelf[0:4] = np.ones((4, 2), np.float32)
    shelf[rows][:] = 5
    assert np.array_equal(shelf[rows], np.ones((4, 2)))


def test_each_kind_says_where_it_is(tmp_path):
    shelves = MemoryShelf((1, 1), np.float32), DiskShelf((1, 1), np.float32, tmp_path)
    assert [shelf.place for shelf in shelves] == ["memory", "disk"]


def files_in(folder, process):
    """The files in a folder that a process has mapped, with a name or without."""
    return [item for item in process.memory_maps(grouped=False) if str(folder) in item.path]


def test_a_disk_shelf_is_kept_with_the_cache_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "new" / "cache"))
    shelf = DiskShelf((8, 2), np.float32)
    assert len(files_in(tmp_path / "new" / "cache", psutil.Process())) == 1
    del shelf
    assert files_in(tmp_path, psutil.Process()) == []  # its room on the disk is free again


def test_a_disk_shelf_has_no_name_and_is_gone_when_its_process_is_killed(started, tmp_path):
    process = started(
        "import sys, pathlib, numpy as np; from ftkit.backends.shelves import DiskShelf; "
        "shelf = DiskShelf((64, 1024), np.float32, pathlib.Path(sys.argv[1])); "
        "shelf[0:64] = np.ones((64, 1024), np.float32); print(flush=True); sys.stdin.read()",
        tmp_path,
    )
    assert process.stdout.readline() == "\n"
    assert len(files_in(tmp_path, psutil.Process(process.pid))) == 1
    assert list(tmp_path.iterdir()) == []
    process.kill()
    process.wait()
    assert list(tmp_path.iterdir()) == []


READING = """
import pathlib, sys
import numpy as np, psutil
from ftkit.backends.shelves import DiskShelf
process, rng = psutil.Process(), np.random.default_rng(0)
shelf = DiskShelf((64_000, 1000), np.float32, pathlib.Path(sys.argv[1]))
before = most = process.memory_info().rss
for start in range(0, 64_000, 1000):
    shelf[start : start + 1000] = np.full((1000, 1000), start, np.float32)
    most = max(most, process.memory_info().rss)
for rows in [*rng.permutation(64_000).reshape(-1, 100), *rng.permutation(64_000).reshape(64, -1)]:
    assert (shelf[rows][:, 0] == rows // 1000 * 1000).all()
    most = max(most, process.memory_info().rss)
print(shelf.nbytes, most - before)
"""


def test_a_large_disk_shelf_takes_no_more_memory_than_its_batches(started, tmp_path):
    size, grown = map(int, started(READING, tmp_path).communicate()[0].split())
    assert size == 256 * MEGABYTE
    assert grown < 64 * MEGABYTE


# No room


def test_more_than_there_is_memory_for_is_refused():
    with pytest.raises(NoRoom, match="there is not enough memory"):
        MemoryShelf((2**50, 4), np.float32)


@pytest.mark.parametrize(("left", "fits"), [(SPARE_DISK, True), (SPARE_DISK - 1, False)])
def test_a_disk_keeps_its_spare_room(monkeypatch, tmp_path, left, fits):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=left + 64))
    if fits:
        assert DiskShelf((4, 4), np.float32, tmp_path).nbytes == 64
    else:
        message = f"neither the set memory nor the disk of {tmp_path} has room for it"
        with pytest.raises(NoRoom, match=message):
            DiskShelf((4, 4), np.float32, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(NoRoom, match="file.below cannot hold it: Not a directory"):
        DiskShelf((4, 4), np.float32, tmp_path / "file" / "below")


def test_a_file_that_may_not_grow_so_large_is_refused_before_anything_is_written(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, hard))
    try:
        with pytest.raises(NoRoom, match=f"{tmp_path} cannot hold it: File too large"):
            DiskShelf((MEGABYTE, 2), np.float32, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
