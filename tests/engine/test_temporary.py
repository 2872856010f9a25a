"""Temporary folders, on disk and in memory: none stays behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ftkit.engine import temporary
from ftkit.engine.temporary import folder_within, remove, remove_orphans, temporary_folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where folders go on disk and in memory in these tests."""
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    for place in (disk, memory):
        place.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(temporary, "IN_MEMORY", memory)
    return disk, memory


def test_what_is_small_goes_into_memory_and_what_is_large_to_disk(places):
    disk, memory = places
    folder = temporary_folder()
    assert memory in folder_within(Path(folder.name), 1000).parents
    assert disk in folder_within(Path(folder.name), 2**60).parents
    remove(folder)
    assert not any(any(place.iterdir()) for place in places)


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_all_goes_where_the_environment_says(name, places, monkeypatch):
    monkeypatch.setenv(name, str(places[0]))
    folder = temporary_folder()
    assert folder_within(Path(folder.name), 1000).parent == Path(folder.name)
    remove(folder)


def test_a_machine_without_a_folder_in_memory_uses_the_disk(places):
    places[1].rmdir()
    folder = temporary_folder()
    assert folder_within(Path(folder.name), 1000).parent == Path(folder.name)
    remove(folder)


def test_in_a_folder_of_somebody_else_nothing_goes_elsewhere(places, tmp_path):
    assert folder_within(tmp_path, 1000).parent == tmp_path


def test_a_folder_that_nobody_holds_any_more_is_removed_whole(places):
    folder = temporary_folder()
    folder_within(Path(folder.name), 1000)
    folder.cleanup()
    del folder
    gc.collect()
    assert not any(any(place.iterdir()) for place in places)


@pytest.mark.parametrize(
    ("end", "left"),
    [("", 0), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 1)],
    ids=["ends", "is killed"],
)
def test_folders_go_with_their_process_or_when_orphans_are_removed(end, left, places):
    lines = f"""
import tempfile
from pathlib import Path
from ftkit.engine import temporary
tempfile.tempdir = {str(places[0])!r}
temporary.IN_MEMORY = Path({str(places[1])!r})
folder = temporary.temporary_folder()
temporary.folder_within(Path(folder.name), 1000)
{end}
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", lines])
    assert [len(list(place.iterdir())) for place in places] == [left, left]
    remove_orphans()
    assert [len(list(place.iterdir())) for place in places] == [0, 0]
