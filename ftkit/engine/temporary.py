"""Folders for what a process shares with its workers; none stays behind, however it ends."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import weakref
import zlib
from pathlib import Path

import psutil

IN_MEMORY = Path("/dev/shm")
SHARE_OF_MEMORY = 0.125  # of what is free, for what need not be in memory


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that ends with this process; :func:`remove_orphans` takes that of a killed one."""
    made = tempfile.TemporaryDirectory(
        prefix=f"{_prefix()}{os.getpid()}-", ignore_cleanup_errors=True
    )
    weakref.finalize(made, shutil.rmtree, _twin(Path(made.name)), ignore_errors=True)
    return made


def folder_within(folder: Path, nbytes: int) -> Path:
    """A new folder that goes when a :func:`temporary_folder` is removed by :func:`remove`.

    Args:
        folder: The temporary folder; in any other, nothing is kept in memory.
        nbytes: What will be written. Where it is small beside what is free, the new folder is in
            memory, which is written several times faster; never where `TMPDIR` says where
            temporary files go.
    """
    if folder.name.startswith(_prefix()) and _fits_in_memory(nbytes):
        twin = _twin(folder)
        twin.mkdir(mode=0o700, exist_ok=True)
        folder = twin
    return Path(tempfile.mkdtemp(dir=folder))


def remove(made: tempfile.TemporaryDirectory[str]) -> None:
    """Removes a temporary folder with all that is within."""
    shutil.rmtree(_twin(Path(made.name)), ignore_errors=True)
    made.cleanup()


def remove_orphans() -> None:
    """Removes the temporary folders of processes that were killed before they could."""
    prefix = _prefix()
    for place in {Path(tempfile.gettempdir()), IN_MEMORY}:
        for folder in place.glob(f"{prefix}*-*"):
            owner = folder.name.removeprefix(prefix).partition("-")[0]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)


def _fits_in_memory(nbytes: int) -> bool:
    if any(name in os.environ for name in ("TMPDIR", "TEMP", "TMP")):
        return False
    if not os.access(IN_MEMORY, os.W_OK | os.X_OK):
        return False
    free = min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available)
    return nbytes <= free * SHARE_OF_MEMORY


def _twin(folder: Path) -> Path:
    """Where what belongs to a temporary folder is kept in memory."""
    return IN_MEMORY / folder.name


def _prefix() -> str:
    """Beginning of a folder's name: a process's number says nothing on another machine."""
    return f"ftkit-session-{zlib.crc32(platform.node().encode()):08x}-"
