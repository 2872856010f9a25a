"""A student's notebook, read as what it is: a file that may hold anything."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_BYTES = 32 << 20
_MOST_CELLS = 5000


class Unreadable(Exception):
    """A file that is no notebook; the message says why, in words for the student."""


@dataclass(frozen=True)
class Found:
    """A code cell of a submission."""

    ids: tuple[str, ...]
    """Its id and its ``grade_id``, as far as it has them."""
    source: str


@dataclass(frozen=True)
class Submitted:
    """What of a notebook counts."""

    cells: tuple[Found, ...]
    framework: str = ""
    ours: dict[str, Any] = field(default_factory=dict)
    """What the builder wrote into the notebook; only the learner's own check believes it."""


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file, without waiting on it and without following a link.

    Raises:
        Unreadable: If it is anything else, or too large.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        opened = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise Unreadable(f"The file cannot be opened: {why}.") from None
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise Unreadable("It is no regular file (a link, folder, pipe or device).")
        with os.fdopen(opened, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror}.") from None
    finally:
        os.close(opened)
    if len(data) > most:
        raise Unreadable(f"The file is larger than {most >> 20} MB; clear its outputs.")
    return data


def parse(data: bytes) -> Submitted:
    """The cells of a notebook.

    Raises:
        Unreadable: If it is none.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    try:
        notebook = json.loads(text)
    except RecursionError:
        raise Unreadable("The file is nested too deeply to be a notebook.") from None
    except ValueError as error:
        raise Unreadable(f"The file is no notebook: it is not valid JSON ({error}).") from None
    if not isinstance(notebook, dict):
        raise Unreadable("The file is JSON, but no notebook.")
    cells = _listed(notebook)
    if not cells:
        raise Unreadable("The notebook holds no cells.")
    found = []
    for cell in cells[:_MOST_CELLS]:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        about = _dict(cell.get("metadata"))
        ids = (cell.get("id"), _dict(about.get("nbgrader")).get("grade_id"))
        named = tuple(dict.fromkeys(i for i in ids if isinstance(i, str) and i))
        source = _text(cell.get("source", cell.get("input", "")))
        found.append(Found(named, source))
    ours = _dict(_dict(notebook.get("metadata")).get("ftkit"))
    framework = ours.get("framework")
    known = framework in ("pytorch", "tensorflow")
    return Submitted(tuple(found), str(framework) if known else _guess(found), ours)


def _listed(notebook: dict[str, Any]) -> list[Any]:
    cells = notebook.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = notebook.get("worksheets")  # nbformat 3
    parts = [_dict(s).get("cells") for s in sheets] if isinstance(sheets, list) else []
    return [cell for part in parts if isinstance(part, list) for cell in part]


def _guess(found: list[Found]) -> str:
    """The framework by what is imported."""
    text = "\n".join(cell.source for cell in found)
    uses = {
        "pytorch": len(re.findall(r"\btorch", text)),
        "tensorflow": len(re.findall(r"\b(?:tensorflow|keras|tf)\b", text)),
    }
    best = max(uses, key=lambda name: uses[name])
    return best if uses[best] else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    plain = value.replace("\r\n", "\n").replace("\r", "\n")
    return plain.encode("utf-8", "replace").decode("utf-8")  # lone surrogates become "?"
