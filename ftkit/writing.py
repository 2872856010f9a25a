"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from ftkit.errors import FtkitError
from ftkit.paths import typed_path


def writable_folder(path: Path) -> Path:
    """The folder, made if need be, once a file could be made in it.

    Raises:
        FtkitError: If it cannot be made or written.
    """
    path = typed_path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise FtkitError(
            f"Expected a folder that can be written at {path}; {error.strerror or error}. "
            "Choose another folder, or change its permissions."
        ) from error


def fresh_folder(path: Path) -> Path:
    """A folder that was not there before: ``name``, else ``name-2`` and so on.

    Raises:
        FtkitError: If it cannot be made.
    """
    folder = path = typed_path(path)
    writable_folder(path.parent)
    number = 1
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = path.with_name(f"{path.name}-{number}")


def check_writable(path: Path) -> None:
    """Tries whether a folder can be made and written, and leaves nothing behind.

    Raises:
        FtkitError: If it cannot.
    """
    path = typed_path(path)
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        writable_folder(path)
    finally:
        for folder in new:
            with suppress(OSError):  # it could not be made
                folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file: to a temporary one first, which then takes the name.

    What UTF-8 cannot hold, such as a file name in another encoding, is written as an escape.
    """
    write_bytes(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))


def write_bytes(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes what ``write`` gives to a temporary file, which then takes the name.

    Raises:
        FtkitError: If the file cannot be written; nothing half-written is left.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            write(file)
        part.replace(path)
    except OSError as error:
        raise FtkitError(
            f"{path} could not be written: {error.strerror or error}. "
            "Make room, or choose another folder."
        ) from error
    finally:
        part.unlink(missing_ok=True)
