"""Gets a file over HTTP into a part file, and goes on where a connection was cut."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ftkit.errors import FtkitError
from ftkit.version import __version__
from ftkit.writing import write_text

SILENCE = 30.0
"""Seconds without a byte after which a connection counts as cut."""
PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each further try within one call."""
BLOCK = 1 << 18
"""Bytes read at a time, at most."""

OnProgress: TypeAlias = Callable[[str, int, int | None], None]
"""Takes a file's name, its bytes so far (resumed ones included), and all its bytes if known."""


class Unreachable(FtkitError):
    """A file that could not be fetched now: no network, or a server that does not serve."""


class _Cut(Exception):
    """A connection that broke off, or (``never``) that could not be made at all."""

    def __init__(self, why: object, never: bool = False) -> None:
        super().__init__(" ".join(str(getattr(why, "strerror", None) or why or repr(why)).split()))
        self.never = never


def transfer(url: str, path: Path, on_progress: OnProgress) -> bool:
    """Makes the part file beside ``path`` whole, with several tries.

    Args:
        url: Where to ask.
        path: Where the file will be.
        on_progress: Called as bytes arrive.

    Returns:
        Whether any try went on from a part that was there.

    Raises:
        Unreachable: If all tries fail; what arrived is kept.
        FtkitError: If the server has no such file.
    """
    part = beside(path, ".part")
    resumed = False
    for number, pause in enumerate((*PAUSES, None)):
        resumed = resumed or part.exists()
        try:
            _receive(url, part, lambda done, total: on_progress(path.name, done, total))
            return resumed
        except HTTPError as error:
            error.close()
            verb, why = "fetched", f"the server answered {error.code} {error.reason}"
            if error.code == 416 and part.exists():  # nothing is missing, or it is another file
                if error.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
                    return True
                discard(part)
                continue
            if error.code < 500 and error.code not in (408, 429):
                if error.code in (404, 410):  # else a proxy may have said so: the part may serve
                    discard(part)
                raise FtkitError(
                    f"Expected the file {url}; {why}. Check the address"
                    f"{' in FTKIT_MIRROR' if os.environ.get('FTKIT_MIRROR') else ''}, or fetch "
                    f"the file elsewhere and lay it at {path}."
                ) from error
        except _Cut as cut:
            verb, why = "reached" if cut.never else "fetched", str(cut)
            if cut.never and number == 0:
                break
        if pause is not None:
            time.sleep(pause)
    kept = " (what arrived is kept)" if part.exists() else ""
    raise Unreachable(
        f"{url} could not be {verb}: {why}. Try again later{kept}, or fetch the file "
        f"elsewhere and lay it at {path}."
    )


def _receive(url: str, part: Path, say: Callable[[int, int | None], None]) -> None:
    """Asks once for what the part file lacks, and adds it."""
    done = part.stat().st_size if part.exists() else 0
    known = read_json(beside(part, ".json"))
    if known.get("url") != url:
        known = {}  # another server's names for its versions say nothing here
    headers = {"User-Agent": f"ftkit/{__version__}"}
    if done:
        headers["Range"] = f"bytes={done}-"
        etag = known.get("ETag") or "W/"
        same = known.get("Last-Modified") if etag.startswith("W/") else etag
        if same:
            headers["If-Range"] = same
    with _open(url, headers) as response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        versions = {name: response.headers.get(name, "") for name in ("ETag", "Last-Modified")}
        if response.status == 206:
            value = response.headers.get("Content-Range", "")
            sent = re.match(r"bytes (\d+)-(\d+)/(\d+|\*)", value)
            stale = any(now and (known.get(name) or now) != now for name, now in versions.items())
            if not sent or int(sent[1]) != done or stale:
                discard(part)
                raise _Cut("the server went on with another file or from another byte")
            total = int(sent[2]) + 1 if sent[3] == "*" else int(sent[3])
        else:
            discard(part)
            write_json(beside(part, ".json"), {"url": url, **versions})
            done = 0
        with part.open("ab") as file:
            say(done, total)
            while block := _next(response):
                file.write(block)
                done += len(block)
                say(done, total)
    if total is not None and done < total:
        raise _Cut(f"the connection was cut after {done} of {total} bytes")


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    try:
        opener, request = build_opener(_Redirects), Request(url, headers=headers)
        response: HTTPResponse = opener.open(request, timeout=SILENCE)
        return response
    except HTTPError:
        raise
    except URLError as error:
        why = error.reason
        cut = isinstance(why, ConnectionError) and not isinstance(why, ConnectionRefusedError)
        raise _Cut(why, never=not cut) from error
    except (ValueError, OverflowError, InvalidURL) as error:  # no such host or port can be
        raise _Cut(error, never=True) from error
    except (OSError, HTTPException) as error:
        raise _Cut(error) from error


def _next(response: HTTPResponse) -> bytes:
    try:
        return response.read1(BLOCK)
    except (OSError, HTTPException) as error:
        raise _Cut(error) from error


class _Redirects(HTTPRedirectHandler):
    """Follows to http and https, and from https only to https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in {"https", urlsplit(req.full_url).scheme}:
            raise HTTPError(newurl, code, f"{msg}, and sends to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def beside(path: Path, ending: str) -> Path:
    """The file of that name and another ending."""
    return path.with_name(path.name + ending)


def discard(part: Path) -> None:
    """Removes a part file and what is known of it."""
    part.unlink(missing_ok=True)
    beside(part, ".json").unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
