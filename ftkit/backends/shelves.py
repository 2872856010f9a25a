"""Where activations are kept: arrays in memory, and files that no crash leaves behind."""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ftkit.downloads import cache_folder

SPARE_DISK = 2**30
"""Bytes of the disk that are left to everything else."""


class NoRoom(Exception):
    """There is no room; the message says where, in words that fit a sentence."""


class Shelf(Protocol):
    """Rows of numbers that are written once and read many times.

    Attributes:
        place: ``"memory"`` or ``"disk"``.
    """

    place: ClassVar[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """A copy of the rows of a slice, or of the numbers in an array."""

    def __setitem__(self, rows: slice, values: NDArray[Any]) -> None:
        """Writes rows."""


class MemoryShelf:
    """Rows in memory.

    Raises:
        NoRoom: If there is not enough of it.
    """

    place: ClassVar[str] = "memory"

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        try:
            self._values: NDArray[Any] = np.empty(shape, dtype)
        except MemoryError as error:
            raise NoRoom("there is not enough memory") from error
        self.shape = shape
        self.nbytes = self._values.nbytes

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """A copy of the rows of a slice, or of the numbers in an array."""
        return _copied(self._values, rows)

    def __setitem__(self, rows: slice, values: NDArray[Any]) -> None:
        """Writes rows."""
        self._values[rows] = values


class DiskShelf:
    """Rows in a memory-mapped file without a name: it goes when the process goes, however it ends.

    The system may keep its pages in memory while nobody else wants it, but the process holds
    none of them for longer than a batch.

    Args:
        shape: Rows first.
        dtype: Type of the numbers.
        folder: Where; the cache's folder if None, since temporary files often lie in memory.

    Raises:
        NoRoom: If the disk is too full, or cannot be written.
    """

    place: ClassVar[str] = "disk"

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike, folder: Path | None = None
    ) -> None:
        folder = cache_folder() if folder is None else folder
        self.shape = shape
        self.nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < self.nbytes + SPARE_DISK:
                raise NoRoom(f"neither the set memory nor the disk of {folder} has room for it")
            with tempfile.TemporaryFile(dir=folder, prefix="ftkit-activations-") as file:
                _reserve(file.fileno(), self.nbytes)
                self._map = mmap.mmap(file.fileno(), self.nbytes)
        except OSError as error:
            raise NoRoom(f"{folder} cannot hold it: {error.strerror or error}") from error
        self._values: NDArray[Any] = np.frombuffer(self._map, dtype).reshape(shape)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """A copy of the rows of a slice, or of the numbers in an array."""
        found = _copied(self._values, rows)
        self._let_go()
        return found

    def __setitem__(self, rows: slice, values: NDArray[Any]) -> None:
        """Writes rows."""
        self._values[rows] = values
        self._let_go()

    def _let_go(self) -> None:
        """Takes the file's pages out of the process's memory; what was written stays."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)


def _copied(values: NDArray[Any], rows: Any) -> NDArray[Any]:
    """Rows that nobody else writes to: an array of numbers copies by itself, a slice does not."""
    found: NDArray[Any] = values[rows]
    return found.copy() if isinstance(rows, slice) else found


def _reserve(file: int, size: int) -> None:
    """Takes the room on the disk now: a page that found none later would end the process."""
    os.ftruncate(file, size)
    if hasattr(os, "posix_fallocate"):  # neither on Windows nor on macOS
        os.posix_fallocate(file, 0, size)
