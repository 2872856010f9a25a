"""Downloads against a server that cuts, lies, stalls and changes its mind."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import ftkit
from ftkit import transfer
from ftkit.downloads import (
    Download,
    Unreachable,
    cache_folder,
    cached,
    check,
    fetch,
    progress_bars,
    state,
)
from ftkit.errors import FtkitError

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Answer:
    """How one request is answered, where it is not as it should be."""

    status: int = 0  # an error
    location: str = ""  # a redirect
    cut: int | None = None  # bytes of the body after which the connection ends
    hold: int | None = None  # bytes of the body after which the gate has to open
    lie: int = 0  # bytes promised beyond those that come
    start: int | None = None  # where a part starts, whatever was asked
    piece: int = 1 << 20  # bytes sent at once
    pause: float = 0.0  # seconds between pieces


class Server(ThreadingHTTPServer):
    """Serves one content under every path, and writes down what it was asked."""

    daemon_threads = False  # closing waits for them: no socket is left open

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        self.content = CONTENT
        self.headers: dict[str, str] = {"ETag": '"one"'}
        self.ranges = True  # whether it can send a part
        self.compares = True  # whether it minds If-Range
        self.says_length = True
        self.says_total = True  # beside the range of a part
        self.answers: list[Answer] = []  # one for each of the next requests
        self.usual = Answer()  # after those
        self.gate = threading.Event()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent = 0

    def url(self, path: str = "/files/net.pth") -> str:
        return f"{self.scheme}://localhost:{self.server_port}{path}"

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, {k.title(): v for k, v in self.headers.items()}))
        answer = server.answers.pop(0) if server.answers else server.usual
        if answer.location:
            self.send_response(302)
            self.send_header("Location", answer.location)
            self.end_headers()
        elif answer.status:
            self.send_error(answer.status)
        else:
            self.give(answer)

    def give(self, answer: Answer) -> None:
        server, headers = self.server, dict(self.server.headers)
        body, status = server.content, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, *headers.values())
        if asked and server.ranges and (same or not server.compares):
            start = int(asked[1]) if answer.start is None else answer.start
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            total = len(body) if server.says_total else "*"
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{total}"
            body, status = body[start:], 206
        if server.says_length:
            headers["Content-Length"] = str(len(body) + answer.lie)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked was killed
            self.send(body[: answer.cut], answer)

    def send(self, body: bytes, answer: Answer) -> None:
        at = 0
        while at < len(body):
            if at == answer.hold:
                self.server.gate.wait(20)
            end = at + answer.piece
            if answer.hold is not None and at < answer.hold:
                end = min(end, answer.hold)
            self.server.sent += len(body[at:end])  # first: who asked may look at it at once
            self.wfile.write(body[at:end])
            at = end
            time.sleep(answer.pause)


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Server]:
    with Server() as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A cache of its own, no mirror, no proxy, and no time lost between tries."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftkit_mirror"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PAUSES", (0.01, 0.01, 0.01))


def published(server, digest=f"sha256:{SHA256[:8]}", path="/files/net.pth"):
    return Download(server.url(path), "torch/hub/net.pth", digest, 0.3)


def beside(download, ending):
    return Path(f"{cached(download)}{ending}")


def there(download):
    """The names in the file's folder, without the lock's, which stays."""
    folder = cached(download).parent
    return sorted({path.name for path in folder.glob("*")} - {"net.pth.lock"})


def lay(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def receipt(download):
    return json.loads(beside(download, ".json").read_text(encoding="utf-8"))


WHOLE = ["net.pth", "net.pth.json"]
HALF = ["net.pth.part", "net.pth.part.json"]


# Where files are


def test_the_cache_is_the_systems_or_the_folder_that_is_named(tmp_path, monkeypatch):
    download = Download("https://x.org/a/net.pth", "torch/hub/net.pth", "sha256:00000000", None)
    assert cache_folder() == tmp_path / "cache"
    assert cached(download) == tmp_path / "cache" / "torch" / "hub" / "net.pth"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("FTKIT_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FTKIT_CACHE", "near")
    assert cache_folder() == tmp_path / "near"
    monkeypatch.delenv("FTKIT_CACHE")
    assert cache_folder().is_absolute()
    assert "ftkit" in cache_folder().parts
    assert list(tmp_path.iterdir()) == []  # asking makes nothing


@pytest.mark.parametrize("digest", ["sha256:", "sha256:f37072f", "md5:5c4f", "sha1:" + "0" * 40])
def test_a_digest_that_proves_too_little_is_refused(digest):
    with pytest.raises(FtkitError, match=f"hexadecimal digits.* got '{digest}'. Copy"):
        Download("https://x.org/net.pth", "net.pth", digest, None)


# A download that goes well


@pytest.mark.parametrize(
    "digest", [f"sha256:{SHA256[:8]}", f"sha256:{SHA256}", f"md5:{MD5}"], ids=lambda d: d[:14]
)
def test_a_file_is_fetched_once_with_a_receipt_and_nothing_else(server, digest):
    download = published(server, digest)
    assert state(download) == check(download) == "absent"
    assert fetch(download) == cached(download)
    assert cached(download).read_bytes() == CONTENT
    assert there(download) == WHOLE
    assert state(download) == check(download) == "verified"
    kept = receipt(download)
    assert (kept["url"], kept["sha256"], kept["bytes"]) == (download.url, SHA256, len(CONTENT))
    fetch(download)
    [(path, headers)] = server.asked
    assert path == "/files/net.pth"
    assert headers["User-Agent"] == f"ftkit/{ftkit.__version__}"
    assert "Range" not in headers


@pytest.mark.parametrize("says_length", [True, False])
def test_progress_starts_at_nothing_grows_and_ends_with_all_bytes(server, says_length):
    server.says_length = says_length
    calls = []
    fetch(published(server), lambda *call: calls.append(call))
    names, done, totals = zip(*calls)
    assert set(names) == {"net.pth"}
    assert list(done) == sorted(done)
    assert (done[0], done[-1]) == (0, len(CONTENT))
    assert set(totals[:-1]) == {len(CONTENT) if says_length else None}
    assert totals[-1] == len(CONTENT)
    calls.clear()
    fetch(published(server), lambda *call: calls.append(call))
    assert calls == []


def test_a_redirect_is_followed(server):
    server.answers = [Answer(location="/elsewhere/net.pth")]
    assert fetch(published(server)).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/files/net.pth", "/elsewhere/net.pth"]


def test_a_mirror_is_asked_for_the_name_alone_and_its_file_is_checked(server, monkeypatch):
    monkeypatch.setenv("FTKIT_MIRROR", server.url("/"))
    download = Download(
        "https://nowhere.invalid/models/net.pth?version=1", "net.pth", f"md5:{MD5}", None
    )
    assert fetch(download).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/net.pth"]
    assert receipt(download)["url"] == download.url
    cached(download).unlink()
    server.content = OTHER
    with pytest.raises(FtkitError, match=f"md5:{MD5} from {server.url('/net.pth')}; what came"):
        fetch(download)
    assert not cached(download).exists()


def test_a_proxy_from_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    url = "http://nowhere.invalid/net.pth"
    fetch(Download(url, "net.pth", f"md5:{MD5}", None))
    assert [path for path, _ in server.asked] == [url]


# Cut connections


@pytest.mark.parametrize("says_total", [True, False])
def test_a_cut_download_goes_on_where_it_broke_off(server, says_total):
    server.says_total = says_total
    server.answers = [Answer(cut=100_000), Answer(cut=50_000)]
    calls = []
    path = fetch(published(server), lambda *call: calls.append(call))
    assert path.read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-", "bytes=150000-"]
    assert {headers.get("If-Range") for _, headers in server.asked[1:]} == {'"one"'}
    assert server.sent == len(CONTENT)
    assert there(published(server)) == WHOLE
    assert {total for _, _, total in calls} == {len(CONTENT)}
    done = [done for _, done, _ in calls]
    assert done == sorted(done)


def test_a_server_that_always_cuts_is_given_up_and_a_later_call_goes_on(server):
    server.usual = Answer(cut=50_000)
    download = published(server)
    with pytest.raises(Unreachable, match="was cut after 200000 of 300000 bytes.*is kept") as error:
        fetch(download)
    assert str(cached(download)) in str(error.value)
    assert len(server.asked) == 4
    assert there(download) == HALF
    assert state(download) == check(download) == "partial"
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked[4:] == ["bytes=200000-", "bytes=250000-"]


def test_a_server_that_sends_no_parts_starts_again(server):
    server.ranges = False
    server.answers = [Answer(cut=100_000)]
    assert fetch(published(server)).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-"]
    assert server.sent == 100_000 + len(CONTENT)


def test_a_connection_that_ends_at_once_is_tried_again(server):
    server.answers = [Answer(cut=0), Answer(cut=0)]
    assert fetch(published(server)).read_bytes() == CONTENT


def test_fewer_bytes_than_promised_are_never_a_whole_file(server):
    server.ranges = False
    server.usual = Answer(lie=7)
    with pytest.raises(Unreachable, match="cut after 300000 of 300007 bytes"):
        fetch(published(server))
    assert not cached(published(server)).exists()


def test_a_part_that_lacks_nothing_is_taken(server):
    server.answers = [Answer(lie=7)]  # everything came, and more was promised
    assert fetch(published(server)).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=300000-"]
    assert server.sent == len(CONTENT)


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server):
    download = published(server)
    lay(beside(download, ".part"), OTHER + OTHER)
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=600000-", None]


def test_silence_is_a_cut_connection(server, monkeypatch):
    monkeypatch.setattr(transfer, "SILENCE", 0.2)
    server.answers = [Answer(hold=100_000)]
    assert fetch(published(server)).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-"]


def test_a_slow_server_is_waited_for_while_bytes_come(server, monkeypatch):
    monkeypatch.setattr(transfer, "SILENCE", 0.3)
    server.usual = Answer(piece=30_000, pause=0.06)
    done = []
    fetch(published(server), lambda name, so_far, total: done.append(so_far))
    assert len(server.asked) == 1
    assert len(set(done)) > 5


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(server, status):
    server.answers = [Answer(status=status), Answer(status=status)]
    assert fetch(published(server)).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_server_that_stays_in_trouble_is_given_up_and_the_part_is_kept(server):
    download = published(server)
    server.answers = [Answer(cut=100_000)]
    server.usual = Answer(status=503)
    with pytest.raises(Unreachable, match="could not be fetched: the server answered 503 Service"):
        fetch(download)
    assert len(server.asked) == 4
    assert there(download) == HALF


# Parts of another version


def broken_off(server, download):
    """Leaves a part of 100 000 bytes behind, and forgets what was asked."""
    server.answers = [Answer(cut=100_000), *[Answer(status=500)] * 3]
    with pytest.raises(Unreachable):
        fetch(download)
    assert beside(download, ".part").stat().st_size == 100_000
    server.asked.clear()
    server.sent = 0


@pytest.mark.parametrize("compares", [True, False], ids=["If-Range minded", "If-Range ignored"])
@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
def test_a_part_of_an_earlier_version_is_not_gone_on_from(server, name, compares):
    server.compares = compares
    server.content = OTHER
    server.headers = {name: '"one"' if name == "ETag" else "Mon, 05 Jan 2026 10:00:00 GMT"}
    download = published(server)
    broken_off(server, download)
    server.content = CONTENT
    server.headers = {name: '"two"' if name == "ETag" else "Tue, 06 Jan 2026 10:00:00 GMT"}
    done = []
    assert fetch(download, lambda _, so_far, __: done.append(so_far)).read_bytes() == CONTENT
    assert server.ranges_asked == (["bytes=100000-"] if compares else ["bytes=100000-", None])
    assert done[0] == 0


def test_a_weak_etag_is_not_asked_by(server):
    server.headers = {"ETag": 'W/"one"'}
    download = published(server)
    broken_off(server, download)
    assert fetch(download).read_bytes() == CONTENT
    [(_, headers)] = server.asked
    assert headers["Range"] == "bytes=100000-"
    assert "If-Range" not in headers


def test_a_mixture_that_only_the_checksum_can_tell_is_thrown_away_once(server):
    server.headers = {}
    server.content = OTHER
    download = published(server)
    broken_off(server, download)
    server.content = CONTENT
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=100000-", None]


def test_a_part_from_one_server_is_gone_on_from_at_another(server, monkeypatch):
    download = published(server)
    broken_off(server, download)
    with serving() as mirror:
        mirror.headers = {"ETag": '"of the mirror"'}
        monkeypatch.setenv("FTKIT_MIRROR", mirror.url(""))
        assert fetch(download).read_bytes() == CONTENT
        assert mirror.ranges_asked == ["bytes=100000-"]
        assert mirror.sent == 200_000
    assert server.asked == []


def test_another_range_than_asked_is_not_added(server):
    server.answers = [Answer(cut=100_000), Answer(start=99_999)]
    done = []
    path = fetch(published(server), lambda _, so_far, __: done.append(so_far))
    assert path.read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-", None]
    assert done[done.index(100_000) + 1] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 3}'])
def test_notes_on_a_part_that_cannot_be_read_do_not_matter(server, text):
    download = published(server)
    broken_off(server, download)
    beside(download, ".part.json").write_text(text, encoding="utf-8")
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked == ["bytes=100000-"]


# What cannot be fetched


@pytest.mark.parametrize("resumed", [False, True])
def test_a_wrong_file_is_refused_with_both_checksums_and_no_part_stays(server, resumed):
    download = published(server)
    if resumed:
        broken_off(server, download)
    server.content = OTHER
    got = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(FtkitError, match=f"{download.digest} from .*sha256:{got}.*lay it at") as e:
        fetch(download)
    assert not isinstance(e.value, Unreachable)
    assert str(cached(download)) in str(e.value)
    assert there(download) == []
    assert state(download) == "absent"
    assert len(server.asked) == 1 + resumed


@pytest.mark.parametrize("status", [401, 403, 404, 410, 416])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_file_that_the_server_refuses_is_an_error_at_once(server, monkeypatch, status, mirrored):
    if mirrored:
        monkeypatch.setenv("FTKIT_MIRROR", server.url("/files"))
    server.usual = Answer(status=status)
    download = published(server)
    with pytest.raises(FtkitError, match=f"{server.url()}; the server answered {status}") as error:
        fetch(download)
    assert not isinstance(error.value, Unreachable)
    assert ("FTKIT_MIRROR" in str(error.value)) == mirrored
    assert len(server.asked) == 1
    assert there(download) == []


def test_a_part_goes_when_the_file_is_gone(server):
    download = published(server)
    broken_off(server, download)
    server.usual = Answer(status=404)
    with pytest.raises(FtkitError, match="404"):
        fetch(download)
    assert there(download) == []


def refusing_port():
    with Server() as server:
        return server.server_port  # free again on leaving


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://localhost:{port}", "refused"),
        ("http://", "no host given"),
        ("http://localhost:80x0", "nonnumeric port"),
        ("http://localhost:99999", ""),  # systems differ in what they say
        ("http://" + "a" * 70 + ".org", "too long"),
        ("http://local host", "control characters"),
    ],
)
def test_without_a_server_it_is_said_at_once_in_one_line_with_another_way(
    monkeypatch, address, why
):
    monkeypatch.setattr(transfer, "PAUSES", (60.0,))
    address = address.format(port=refusing_port())
    download = Download(f"{address}/net.pth", "net.pth", f"md5:{MD5}", None)
    with pytest.raises(Unreachable, match=f"/net.pth could not be reached: .*({why})") as error:
        fetch(download)
    assert str(error.value).startswith(download.url)
    assert str(error.value).endswith(f"fetch the file elsewhere and lay it at {cached(download)}.")
    assert "\n" not in str(error.value)
    assert "kept" not in str(error.value)
    assert there(download) == []


def test_a_name_that_nobody_knows_is_said_at_once(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(transfer, "PAUSES", (60.0,))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    download = Download("https://nobody.invalid/net.pth", "net.pth", f"md5:{MD5}", None)
    with pytest.raises(Unreachable, match="nobody.* could not be reached: Name or service not kn"):
        fetch(download)


def test_a_network_that_goes_away_midway_is_waited_for_and_the_part_is_kept(server):
    download = published(server)
    server.answers = [Answer(cut=100_000)]

    def gone(name, done, total):
        if done:
            server.socket.close()  # takes no further connection

    with pytest.raises(Unreachable, match="could not be reached: .*what arrived is kept"):
        fetch(download, gone)
    assert there(download) == HALF


def test_a_network_that_comes_back_midway_is_used(server, monkeypatch):
    server.answers = [Answer(cut=100_000)]
    real, calls = socket.getaddrinfo, []

    def sometimes(*args, **options):
        calls.append(args)
        if len(calls) in (2, 3):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", sometimes)
    assert fetch(published(server)).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-"]


def test_a_connection_that_is_reset_before_the_request_is_tried_again():
    tries = []

    def reset_each():
        for _ in range(4):
            connection, _ = listener.accept()
            tries.append(connection.recv(100))
            now = struct.pack("ii", 1, 0)  # linger for no time: a reset, not an orderly end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reset_each, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/net.pth"
        with pytest.raises(Unreachable, match="net.pth could not be fetched: Connection reset"):
            fetch(Download(url, "net.pth", f"md5:{MD5}", None))
        thread.join(10)
    assert len(tries) == 4


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://x.org/a", "/net.pth", "data:,x"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_only_the_web_is_asked(monkeypatch, url, mirrored):
    if mirrored:
        monkeypatch.setenv("FTKIT_MIRROR", url)
    download = Download("http://x.org/a" if mirrored else url, "a", f"md5:{MD5}", None)
    with pytest.raises(FtkitError, match=f"http:// or https://; got '{url}") as error:
        fetch(download)
    assert ("FTKIT_MIRROR" in str(error.value)) == mirrored


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_no_redirect_leads_out_of_the_web(server, location):
    server.usual = Answer(location=location)
    with pytest.raises(FtkitError, match=f"the server answered 302.*{location}"):
        fetch(published(server))
    assert there(published(server)) == []


def test_a_redirect_in_circles_ends(server):
    server.usual = Answer(location="/files/net.pth")
    with pytest.raises(FtkitError, match="302"):
        fetch(published(server))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A key and a certificate of localhost's own, made for this session."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl makes the certificate, and is not here")
    key, path = (tmp_path_factory.mktemp("tls") / name for name in ("key.pem", "both.pem"))
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command = [openssl, "req", *options.split(), "-subj", "/CN=localhost", "-keyout", key]
    for extension in ("subjectAltName=DNS:localhost", "keyUsage=digitalSignature,keyCertSign"):
        command += ["-addext", extension]
    subprocess.run([*command, "-out", path], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def test_https_needs_a_certificate_that_is_trusted_and_is_never_left(certificate, monkeypatch):
    with serving(certificate) as server, serving() as plain:
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(published(server))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        server.answers = [Answer(location=plain.url())]
        with pytest.raises(FtkitError, match=f"302 .*{plain.url()}"):
            fetch(published(server))
        assert plain.asked == []
        plain.answers = [Answer(location=server.url())]
        assert fetch(published(plain)).read_bytes() == CONTENT
        server.answers = [Answer(cut=100_000)]
        download = Download(server.url(), "again.pth", f"md5:{MD5}", None)
        assert fetch(download).read_bytes() == CONTENT
        assert server.ranges_asked[-1] == "bytes=100000-"


# Folders and disks


@pytest.mark.parametrize("below", ["", "cache"])
def test_a_folder_that_cannot_be_made_is_said_with_the_way_out(
    server, tmp_path, monkeypatch, below
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(FtkitError, match="can be read and written at .*set FTKIT_CACHE"):
        fetch(published(server))
    assert server.asked == []


def test_a_folder_where_the_file_should_be_is_said(server):
    (cached(published(server)) / "in it").mkdir(parents=True)
    with pytest.raises(FtkitError, match="can be read and written at"):
        fetch(published(server))


# Several at once, and processes that end in the middle


def fetching(server, *before):
    """Starts a process that fetches the file and prints where it is."""
    program = (
        "import signal, sys\n"
        # A background job of a shell inherits a SIGINT that is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from ftkit.downloads import Download, fetch\n"
        "print('started', flush=True)\n"
        f"{chr(10).join(before)}\n"
        f"print(fetch({published(server)!r}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def part_holds(download, size):
    part = beside(download, ".part")
    return part.exists() and part.stat().st_size >= size


def test_of_two_processes_one_downloads_and_the_other_finds_it_there(server):
    server.usual = Answer(hold=100_000)
    download = published(server)
    processes = [fetching(server), fetching(server)]
    for process in processes:
        assert process.stdout.readline() == "started\n"
    wait_until(lambda: part_holds(download, 50_000))
    time.sleep(0.3)  # the other has come to the lock
    assert [process.poll() for process in processes] == [None, None]
    server.gate.set()
    for process in processes:
        said, errors = process.communicate(timeout=20)
        assert (said, errors, process.returncode) == (f"{cached(download)}\n", "", 0)
    assert len(server.asked) == 1
    assert server.sent == len(CONTENT)
    assert cached(download).read_bytes() == CONTENT


def test_of_two_threads_one_downloads_and_the_other_finds_it_there(server):
    server.usual = Answer(hold=100_000)
    download = published(server)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(download).read_bytes()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: part_holds(download, 50_000))
    time.sleep(0.2)
    assert found == []
    server.gate.set()
    for thread in threads:
        thread.join(20)
    assert found == [CONTENT, CONTENT]
    assert len(server.asked) == 1


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_ended_midway_leaves_a_part_and_the_next_goes_on(server, sent):
    server.answers = [Answer(hold=200_000)]
    download = published(server)
    process = fetching(server)
    wait_until(lambda: part_holds(download, 150_000))
    process.send_signal(sent)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -sent
    assert ("KeyboardInterrupt" in errors) == (sent == signal.SIGINT)
    assert there(download) == HALF
    assert state(download) == "partial"
    assert server.sent == 200_000
    assert fetch(download).read_bytes() == CONTENT  # the lock of the one that ended is no more
    assert re.fullmatch(r"bytes=1\d{5}-|bytes=200000-", server.ranges_asked[1])
    assert there(download) == WHOLE
    assert server.sent < 1.5 * len(CONTENT)


def test_ctrl_c_is_passed_on_and_the_next_call_goes_on(server):
    server.answers = [Answer(piece=50_000, pause=0.02)]
    download = published(server)

    def interrupt(name, done, total):
        if done >= 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(download, interrupt)
    assert there(download) == HALF
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked[1].startswith("bytes=1")


class Ended(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", range(10))
@pytest.mark.parametrize("before", ["absent", "damaged"])
def test_wherever_it_ends_nothing_wrong_counts_as_verified(server, monkeypatch, step, before):
    download = published(server)
    if before == "damaged":
        fetch(download)
        flip_a_bit(cached(download))
    assert check(download) == before
    left = [step]

    def mortal(change):
        def changed(*args, **options):
            left[0] -= 1
            if left[0] < 0:  # nothing happens after the end
                raise Ended
            return change(*args, **options)

        return changed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", mortal(Path.unlink))
        patch.setattr(Path, "replace", mortal(Path.replace))
        with pytest.raises(Ended):
            fetch(download)
    assert state(download) in (before, "partial", "verified")
    if state(download) == "verified":
        assert cached(download).read_bytes() == CONTENT
    assert fetch(download).read_bytes() == CONTENT
    assert state(download) == check(download) == "verified"


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX can")
def test_a_disk_that_is_full_is_said_and_what_arrived_is_kept(server):
    download = published(server)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    _, errors = fetching(server, limit).communicate(timeout=20)
    assert "FtkitError: Expected a folder that can be read and written at" in errors
    assert "File too large. Make room" in errors
    assert there(download) == HALF
    assert fetch(download).read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=100000-"]


# What is there


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found_by_hashing_and_the_file_is_then_fetched_again(server):
    download = published(server)
    fetch(download)
    flip_a_bit(cached(download))
    assert state(download) == "verified"  # by its size: nothing is hashed
    assert check(download) == state(download) == check(download) == "damaged"
    assert fetch(download).read_bytes() == CONTENT
    assert state(download) == check(download) == "verified"
    assert len(server.asked) == 2


def test_a_file_that_lost_its_end_is_damaged_without_hashing_and_fetched_again(server):
    download = published(server)
    fetch(download)
    cached(download).write_bytes(CONTENT[:-1])
    assert state(download) == check(download) == "damaged"
    assert fetch(download).read_bytes() == CONTENT
    assert state(download) == check(download) == "verified"


def test_a_damaged_file_stays_damaged_while_it_cannot_be_fetched(server):
    download = published(server)
    fetch(download)
    flip_a_bit(cached(download))
    assert check(download) == "damaged"
    server.usual = Answer(status=503)
    with pytest.raises(Unreachable):
        fetch(download)
    assert state(download) == check(download) == "damaged"


def test_a_damaged_file_that_is_put_right_by_hand_is_verified_again(server):
    download = published(server)
    fetch(download)
    flip_a_bit(cached(download))
    assert check(download) == "damaged"
    flip_a_bit(cached(download))
    assert check(download) == state(download) == "verified"


def test_the_published_file_laid_there_by_hand_is_verified_once_it_is_checked(server):
    download = published(server)
    lay(cached(download), CONTENT)
    assert state(download) == "unverified"
    assert there(download) == ["net.pth"]
    assert check(download) == state(download) == "verified"
    assert receipt(download)["sha256"] == SHA256
    assert there(download) == WHOLE


def test_another_file_laid_there_by_hand_is_used_and_stays_unverified(server):
    download = published(server)
    lay(cached(download), OTHER)
    assert state(download) == check(download) == state(download) == "unverified"
    assert fetch(download).read_bytes() == OTHER
    assert there(download) == ["net.pth"]
    assert server.asked == []


def test_a_receipt_vouches_for_no_other_publication(server):
    old = published(server)
    fetch(old)
    new = published(server, f"sha256:{hashlib.sha256(OTHER).hexdigest()[:8]}")
    assert state(new) == check(new) == "unverified"
    assert state(old) == "verified"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": 3}'])
def test_a_receipt_that_cannot_be_read_is_none(server, text):
    download = published(server)
    fetch(download)
    beside(download, ".json").write_text(text, encoding="utf-8")
    assert state(download) == "unverified"
    assert check(download) == state(download) == "verified"


def test_a_folder_for_reading_only_can_be_used_and_checked(server, monkeypatch):
    good, bad = (Download(server.url(), name, f"md5:{MD5}", None) for name in ("good", "bad"))
    fetch(good)
    fetch(bad)
    flip_a_bit(cached(bad))
    beside(good, ".json").unlink()
    beside(good, ".lock").unlink(missing_ok=True)

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)  # root may write where others may not
    monkeypatch.setattr(Path, "mkdir", refused)
    assert fetch(good).read_bytes() == CONTENT
    assert check(good) == "verified"
    assert check(bad) == "damaged"
    assert not beside(good, ".json").exists()


# What is shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def a_wide_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")


def shown(stream, *calls):
    with progress_bars(stream) as show:
        for call in calls:
            show(*call)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_elsewhere_than_on_a_terminal_a_line_says_when_it_starts_and_one_when_it_is_there(server):
    stream = io.StringIO()
    with progress_bars(stream) as show:
        fetch(published(server), show)
    assert stream.getvalue() == "net.pth: downloading 0.3 MB\nnet.pth: all 0.3 MB here\n"


def test_lines_say_what_was_there_already_and_when_it_starts_again():
    said = shown(
        io.StringIO(),
        ("a", 20_000_000, 44_700_000),
        ("a", 44_700_000, 44_700_000),
        ("a", 0, 44_700_000),
        ("b", 0, None),
        ("b", 9, None),
        ("b", 9, 9),
    )
    assert said.splitlines() == [
        "a: downloading 44.7 MB, 20.0 MB of them are here",
        "a: all 44.7 MB here",
        "a: downloading 44.7 MB",
        "b: downloading",
        "b: all 0.0 MB here",
    ]


def test_a_terminal_gets_a_bar_with_the_bytes_for_each_file(a_wide_terminal):
    said = shown(
        Terminal(), ("[a]", 0, 44_700_000), ("[a]", 20_000_000, 44_700_000), ("b", 5, None)
    )
    assert re.search(r"\[a\] .*20.0/44.7 MB", said)
    assert re.search(r"b .*5/\? bytes", said)
    said = shown(Terminal(), ("a", 9, None), ("a", 44_700_000, 44_700_000))
    assert re.search(r"a .*44.7/44.7 MB", said)


def test_without_a_stream_it_is_standard_error(monkeypatch, capsys):
    with progress_bars() as show:
        show("a", 0, 1_000_000)
    assert capsys.readouterr() == ("", "a: downloading 1.0 MB\n")
