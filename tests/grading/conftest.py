"""A class whose students try everything, graded once for all tests that look at it."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import attacks
import honest
import pytest

from ftkit.grading import build, master
from ftkit.grading.grade import grade
from ftkit.grading.sandbox import probe

TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="session")
def exercise():
    return master.read(TINY)


@pytest.fixture(scope="session")
def solved(exercise):
    """Makes a notebook with right answers."""
    made = build.solution(exercise, "pytorch")
    return lambda: copy.deepcopy(made)


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

    def close(self):
        self._stop.set()
        self._thread.join()
        self._listener.close()
        self._datagrams.close()


@pytest.fixture(scope="session")
def the_class(tmp_path_factory, exercise, solved):
    """Everybody's submissions, graded with two at a time."""
    if sys.platform != "linux":
        pytest.skip("answers are confined on Linux only")
    level = os.environ.get("FTKIT_TEST_LEVEL") or probe.strongest()[0]
    folder = tmp_path_factory.mktemp("class")
    shutil.copy(TINY, folder / "master.py")
    submissions = folder / "submissions"
    wires = Tripwires(folder)
    put(submissions, "honest neighbour", solved())
    before = wires.neighbour.read_bytes()
    filled = {
        "{master!r}": repr(str(folder / "master.py")),
        "{neighbour!r}": repr(str(wires.neighbour)),
        "{outside!r}": repr(str(wires.outside)),
        "{outside}": str(wires.outside),
        "{port}": str(wires.port),
    }
    for name, (edit, _, _) in attacks.ATTACKS.items():
        notebook = solved()
        edit(notebook)
        for one in notebook["cells"]:
            for blank, value in filled.items():
                one["source"] = one["source"].replace(blank, value)
        put(submissions, f"attack {name.replace('/', '-')}", notebook)
    for name, edit in honest.EDITS.items():
        notebook = solved()
        edit(notebook)
        put(submissions, f"honest {name}", notebook)
    for name, encode in honest.ENCODED.items():
        put(submissions, f"honest {name}", encode(solved()))
    for name, data in attacks.UNREADABLE.items():
        put(submissions, f"unreadable {name}", data)
    bad = solved()
    honest.answer(attacks.BAD)(bad)
    for name, text in attacks.FOLDER_FILES.items():
        beside = put(submissions, f"beside {name}", bad).parent
        (beside / name).write_text(text)
    _special_files(submissions, folder, solved)
    out = folder / "results"
    graded = grade(submissions, exercise, folder / "master.py", out, jobs=2, level=level)
    wires.close()
    wires.unchanged = wires.neighbour.read_bytes() == before
    return graded, out, wires


def _special_files(submissions, folder, solved):
    target = folder / "solution.ipynb"
    target.write_text(json.dumps(solved()))
    for name in ("a link", "a pipe", "a folder", "a huge file", "nothing", "a link to a device"):
        (submissions / f"unreadable {name}").mkdir()
    (submissions / "unreadable a link" / "notebook.ipynb").symlink_to(target)
    (submissions / "unreadable a link to a device" / "notebook.ipynb").symlink_to("/dev/zero")
    os.mkfifo(submissions / "unreadable a pipe" / "notebook.ipynb")
    (submissions / "unreadable a folder" / "notebook.ipynb").mkdir()
    with (submissions / "unreadable a huge file" / "notebook.ipynb").open("wb") as file:
        file.truncate(200 << 20)


def processes():
    """What runs that the grader started, as ``ps`` tells."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    ours = (
        "ftkit.grading.zygote",
        "ftkit.grading.forkserver",
        "bwrap --unshare-all",
        "/.work/lane",
    )
    return [line for line in listed.stdout.splitlines() if any(name in line for name in ours)]
