"""What tests of a class share: its exercise, its folders, and what nobody may touch."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import psutil

TINY = Path(__file__).with_name("tiny.py")


def put(folder, student, data):
    (folder / student).mkdir(parents=True)
    text = json.dumps(data) if isinstance(data, dict) else data
    file = folder / student / "notebook.ipynb"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return file


class Tripwires:
    """What nobody may touch: a folder, a neighbour's file, a port, the list of processes."""

    def __init__(self, folder):
        self.outside = folder / "outside"
        self.neighbour = folder / "submissions" / "honest neighbour" / "notebook.ipynb"
        self.calls = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = self._listener.getsockname()[1]
        self._datagrams.bind(("127.0.0.1", self.port))
        for listener in (self._listener, self._datagrams):
            listener.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        while not self._stop.is_set():
            for take in (self._accept, lambda: self._datagrams.recv(1)):
                with suppress(TimeoutError):
                    take()
                    self.calls += 1

    def _accept(self):
        self._listener.accept()[0].close()

    def targets(self, master):
        """What attacks aim at."""
        return {
            "{master!r}": repr(str(master)),
            "{neighbour!r}": repr(str(self.neighbour)),
            "{outside!r}": repr(str(self.outside)),
            "{outside}": str(self.outside),
            "{port}": str(self.port),
        }

    def untouched(self):
        """Whether nobody reached any of it."""
        return not self.outside.exists() and self.calls == 0

    def close(self):
        self._stop.set()
        self._thread.join()
        self._listener.close()
        self._datagrams.close()


def processes():
    """What the graders of these tests started, lost ones included, and others' graders did not."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            chain = [one.pid for one in process.parents()]
            if any(name in words for name in _OURS) and (os.getpid() in chain or _lost(process)):
                found.append(words)
    return found


_OURS = (
    "ftkit.grading.zygote",
    "ftkit.grading.forkserver",
    "bwrap --unshare-all",
    "/.work/lane",
)


def _lost(process):
    """Whether whoever started it is gone, so that nobody knows whose it is."""
    started = [one for one in process.parents() if one.pid != 1]
    top = started[-1] if started else process
    return any(name in " ".join(top.cmdline()) for name in _OURS)
