"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ftkit.errors import FtkitError


def writable_folder(path: Path) -> Path:
    """The folder, made if need be, once a file could be made in it.

    Raises:
        FtkitError: If it cannot be made or written.
    """
    path = path.expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise FtkitError(
            f"Expected a folder that can be written at {path}; {error.strerror or error}. "
            "Choose another folder, or change its permissions."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file: to a temporary one first, which then takes the name."""
    write_bytes(path, lambda file: file.write(text.encode("utf-8")))


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
