"""The folder that an answer may write in: how much is in it, and how it is emptied."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

_MOST_FILES, _MOST_LEVELS = 10_000, 32


def size(folder: Path, enough: int) -> int:
    """Bytes in a folder, or more than enough if its files are too many or nested too deeply."""
    total = files = 0
    waiting = [(str(folder), 0)]
    while waiting:
        where, level = waiting.pop()
        with suppress(OSError), os.scandir(where) as entries:
            for entry in entries:
                files += 1
                if files > _MOST_FILES or level > _MOST_LEVELS or total > enough:
                    return enough + 1
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, level + 1))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def empty(folder: Path) -> None:
    """Removes what is in a folder, however deep: folders inside others are moved up first."""
    while entries := list(folder.iterdir()):
        for entry in entries:
            if not _is_folder(entry):
                entry.unlink()
                continue
            for inner in list(entry.iterdir()):
                if _is_folder(inner):
                    inner.rename(folder / secrets.token_hex(16))
                else:
                    inner.unlink()
            entry.rmdir()


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, which is then opened to its owner."""
    if path.is_symlink() or not path.is_dir():
        return False
    path.chmod(0o700)
    return True
