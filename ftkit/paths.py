"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path

from ftkit.errors import FtkitError


def typed_path(text: str | Path) -> Path:
    """The path, with ``~`` filled in; whether something is there is another question.

    Raises:
        FtkitError: If nothing could ever be there: a name too long, or the home of nobody.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise FtkitError(f"Expected a path; got {str(text)!r}: {why}. Check it.") from error
    return path
