"""Files that are either whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """Writes a UTF-8 file: to a temporary one first, which then takes the name.

    Args:
        path: Where.
        text: What.
        mode: Who may read it, less what the system's mask takes away.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch(mode)
        part.write_bytes(text.encode("utf-8", "backslashreplace"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
