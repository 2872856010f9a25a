"""Published files: fetched once, resumed when cut, checked, and kept for every later run.

Beside a file ``NAME`` in the cache folder there may be ``NAME.json``, the receipt of what was
downloaded; ``NAME.part`` and ``NAME.part.json``, what a broken download goes on from; and
``NAME.lock``, which stays: removing it could let two processes in at once.

``FTKIT_CACHE`` names another cache folder. ``FTKIT_MIRROR``, such as ``http://teacher:8000``, is
asked for ``NAME`` in place of the published address; the published checksum still has to match.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias
from urllib.parse import urlsplit

from filelock import FileLock
from platformdirs import user_cache_path
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ftkit.errors import FtkitError
from ftkit.paths import typed_path
from ftkit.transfer import (
    BLOCK,
    OnProgress,
    Unreachable,
    beside,
    discard,
    read_json,
    transfer,
    write_json,
)

__all__ = [
    "Download",
    "OnProgress",
    "State",
    "Unreachable",
    "cache_folder",
    "cached",
    "check",
    "fetch",
    "progress_bars",
    "state",
]

HDF5 = b"\x89HDF\r\n\x1a\n"
"""How each HDF5 file begins."""

State: TypeAlias = Literal["absent", "partial", "verified", "unverified", "damaged"]


@dataclass(frozen=True)
class Download:
    """A published file.

    Attributes:
        url: Its published address, ``http`` or ``https``.
        place: Its path below the cache folder, with ``/``.
        digest: ``"sha256:"`` and 8 hexadecimal digits or more of the published checksum, from its
            start; or ``"md5:"`` and all 32; or nothing, where nobody published one: what came
            first is then what later checks hold the file to.
        megabytes: Its published size in 10^6 bytes, for messages and lists only.

    Raises:
        FtkitError: If the digest has another form.
    """

    url: str
    place: str
    digest: str
    megabytes: float | None

    def __post_init__(self) -> None:
        if not re.fullmatch("sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}|", self.digest):
            raise FtkitError(
                f"Expected 'sha256:' and 8 to 64 hexadecimal digits, or 'md5:' and 32, for "
                f"{self.url}; got {self.digest!r}. Copy the published checksum."
            )

    def hashes(self, path: Path) -> dict[str, str]:
        """A file's SHA-256, and its checksum of the published kind, as hexadecimal digits.

        Raises:
            OSError: If the file cannot be read.
        """
        kinds = {"sha256", self.digest.partition(":")[0] or "sha256"}
        running = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                for one in running.values():
                    one.update(block)
        return {kind: one.hexdigest() for kind, one in running.items()}

    def published(self, hashes: dict[str, Any]) -> bool:
        """Whether these are the hashes of the published file."""
        kind, _, digits = self.digest.partition(":")
        return str(hashes.get(kind, "")).startswith(digits)


def cache_folder() -> Path:
    """Where downloads are kept: ``$FTKIT_CACHE``, or the system's place for caches. Not made.

    Raises:
        FtkitError: If ``FTKIT_CACHE`` is no path.
    """
    chosen = os.environ.get("FTKIT_CACHE")
    return typed_path(chosen).absolute() if chosen else user_cache_path("ftkit")


def cached(download: Download) -> Path:
    """Where the file is, or would be.

    Raises:
        FtkitError: If ``FTKIT_CACHE`` is no path.
    """
    return cache_folder() / download.place


def state(download: Download) -> State:
    """What is there, by sizes and the receipt; nothing is hashed.

    Returns:
        ``"verified"`` if the file was downloaded (or checked) and has its size; ``"damaged"`` if
        it has not, or if :func:`check` found it changed; ``"unverified"`` if it was laid there by
        hand; ``"partial"`` if a download broke off; ``"absent"`` otherwise.

    Raises:
        FtkitError: If the cache folder cannot be read.
    """
    path = cached(download)
    with _said(path):
        if not path.is_file():
            return "partial" if beside(path, ".part").exists() else "absent"
        receipt = _receipt(download)
        if not receipt:
            return "unverified"
        whole = receipt.get("bytes") == path.stat().st_size and not receipt.get("damaged")
        return "verified" if whole else "damaged"


def check(download: Download) -> State:
    """What is there, by hashing it; the receipt notes what was found, if it can be written.

    Returns:
        As :func:`state`. A file laid there by hand is ``"verified"`` if it is the published one.

    Raises:
        FtkitError: If the file cannot be read.
    """
    path = cached(download)
    before = state(download)
    if before in ("absent", "partial"):
        return before
    with _said(path):
        hashes = download.hashes(path)
        size = path.stat().st_size
    receipt = _receipt(download)
    after: State
    if receipt:
        after = "verified" if hashes["sha256"] == receipt.get("sha256") else "damaged"
    else:
        known = download.digest and download.published(hashes)
        after = "verified" if known else "unverified"
    if after != before:
        with suppress(FtkitError):  # a folder that a class shares may be for reading only
            if after == "damaged":
                write_json(beside(path, ".json"), {**receipt, "damaged": True})
            else:
                _write_receipt(download, hashes, size)
    return after


def fetch(download: Download, on_progress: OnProgress | None = None) -> Path:
    """Makes sure that the file is there, and downloads it if it is not or is damaged.

    A download goes on where an earlier one broke off. If another process or thread is at the same
    file, this one waits and finds it there. A file that is there is not hashed again: whoever has
    to be certain calls :func:`check` first.

    Args:
        download: What to fetch.
        on_progress: Called as bytes arrive, and once all are there; not if there is nothing to do.

    Returns:
        Its path.

    Raises:
        Unreachable: If there is no network, or the server fails for all tries. What arrived is
            kept for the next call.
        FtkitError: If the server has no such file, what it gives is not the published file, or
            the cache folder cannot be written.
    """
    path = cached(download)
    if state(download) in ("verified", "unverified"):
        return path
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(beside(path, ".lock")):
            if state(download) not in ("verified", "unverified"):
                _fetch_locked(download, path, on_progress or (lambda name, done, total: None))
    return path


def _fetch_locked(download: Download, path: Path, on_progress: OnProgress) -> None:
    part = beside(path, ".part")
    url = _address(download)
    resumed = transfer(url, path, on_progress)
    hashes = download.hashes(part)
    if resumed and not download.published(hashes):  # two versions in one file, perhaps
        discard(part)
        transfer(url, path, on_progress)
        hashes = download.hashes(part)
    if not download.digest and path.suffix == ".h5":  # the least that can be asked
        with part.open("rb") as file:
            if file.read(len(HDF5)) != HDF5:
                discard(part)
                raise FtkitError(
                    f"Expected an HDF5 file from {url}; something else came. Open the address in "
                    f"a browser, or fetch the file elsewhere and lay it at {path}."
                )
    if not download.published(hashes):
        discard(part)
        kind = download.digest.partition(":")[0]
        raise FtkitError(
            f"Expected a file with {download.digest} from {url}; what came has {kind}:"
            f"{hashes[kind]}. Some networks answer with a page of their own: open the address in "
            f"a browser and log in, then try again, or fetch the file elsewhere and lay it at "
            f"{path}."
        )
    size = part.stat().st_size
    path.unlink(missing_ok=True)  # damaged: the new receipt must not vouch for it
    _write_receipt(download, hashes, size)
    part.replace(path)
    discard(part)
    on_progress(path.name, size, size)


def _address(download: Download) -> str:
    """Where to ask: the mirror if there is one, else the published address."""
    url, mirror = download.url, os.environ.get("FTKIT_MIRROR")
    if mirror:
        url = f"{mirror.rstrip('/')}/{urlsplit(url).path.rpartition('/')[2]}"
    if not url.lower().startswith(("http://", "https://")):
        raise FtkitError(
            f"Expected an address that starts with http:// or https://; got {url!r}. "
            f"{'Change or unset FTKIT_MIRROR.' if mirror else 'Give the published address.'}"
        )
    return url


def _receipt(download: Download) -> dict[str, Any]:
    """The receipt of this very publication; empty if there is none."""
    receipt = read_json(beside(cached(download), ".json"))
    return receipt if download.published(receipt) else {}


def _write_receipt(download: Download, hashes: dict[str, str], size: int) -> None:
    receipt = {"url": download.url, "bytes": size, **hashes}
    write_json(beside(cached(download), ".json"), receipt)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Says of a file that cannot be read or written what to do."""
    try:
        yield
    except OSError as error:
        raise FtkitError(
            f"Expected a folder that can be read and written at {path.parent}; "
            f"{error.strerror or error}. Make room, change its permissions, or set FTKIT_CACHE to "
            "another folder."
        ) from error


class _Bars:
    """One bar per file, with its bytes, the speed and the time left."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(escape(name), total=total)
        self._bars.update(self._tasks[name], total=total, completed=done)


class _Lines:
    """A line when a file starts and one when it is there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._whole: dict[str, bool] = {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        whole = done == total
        if self._whole.get(name) == whole:
            return
        self._whole[name] = whole
        size = f" {total / 1e6:.1f} MB" if total else ""
        resumed = f", {done / 1e6:.1f} MB of them are here" if done else ""
        said = f"all{size} here" if whole else f"downloading{size}{resumed}"
        print(f"{name}: {said}", file=self._stream, flush=True)


@contextmanager
def progress_bars(stream: TextIO | None = None) -> Iterator[OnProgress]:
    """Shows downloads: bars if the stream is a terminal, a few plain lines elsewhere.

    Args:
        stream: Where to; standard error if None.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _Lines(stream)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(file=stream),
    ) as bars:
        yield _Bars(bars)
