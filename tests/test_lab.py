"""The course in a learner's folder, and JupyterLab on it, as a program."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import PurePosixPath

import psutil
import pytest
from jupyter_client import BlockingKernelClient

from ftkit import lab
from ftkit.errors import FtkitError

FTKIT = [sys.executable, "-m", "ftkit"]
START_SECONDS = 60
ADDRESS = re.compile(rf"(http://127\.0\.0\.1:\d+)/lab/tree/{lab.FIRST}\?token=(\w+)")


@pytest.fixture
def course(monkeypatch):
    """Lets the course hold other notebooks: a function that takes them, ``__`` for ``/``."""

    def is_now(**notebooks):
        held = {f"{name.replace('__', '/')}.ipynb": text for name, text in notebooks.items()}
        monkeypatch.setattr(lab, "course", lambda: held)

    is_now(one=b"one", two=b"two")
    return is_now


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and lab.OWN not in path.parts
    }


def test_the_course_is_copied_into_a_new_folder(course, tmp_path):
    brought = lab.bring(tmp_path / "new" / "folder")
    assert contents(brought.folder) == {"one.ipynb": b"one", "two.ipynb": b"two"}
    assert brought.copied == ["one.ipynb", "two.ipynb"]


def test_the_course_that_ftkit_carries_has_the_first_notebook():
    notebooks = lab.course()
    assert lab.FIRST in notebooks
    assert all(json.loads(content)["cells"] for content in notebooks.values())


def test_the_course_holds_a_starter_of_each_exercise_for_both_frameworks():
    starters = {name for name in lab.course() if name.startswith("exercises/")}
    assert len(starters) == 12
    assert {
        "exercises/ex2_freeze_depth.pytorch.ipynb",
        "exercises/ex2_freeze_depth.tensorflow.ipynb",
    } <= starters
    assert not any("demo" in name for name in starters)


def links(notebook):
    """Where a notebook's text leads to, but for other sites and places in itself."""
    text = "\n".join(
        "".join(cell["source"])
        for cell in json.loads(notebook)["cells"]
        if cell["cell_type"] == "markdown"
    )
    return [to for to in re.findall(r"\]\(([^)\s]+)\)", text) if not to.startswith(("http", "#"))]


def test_every_link_of_the_course_leads_to_a_file_of_the_learners_folder():
    held = lab.course()
    for name, content in held.items():
        for to in links(content):
            assert (PurePosixPath(name).parent / to).as_posix() in held, f"{name}: {to}"


def test_every_notebook_ends_with_the_way_to_an_exercise():
    for name, content in lab.course().items():
        if not name.startswith("exercises/"):
            last = json.loads(content)["cells"][-1]
            assert "**Next:**" in "".join(last["source"]), name
            assert any(to.startswith("exercises/") for to in links(content)), name


def test_exercises_are_copied_into_a_folder_of_their_own_by_the_same_rules(course, tmp_path):
    course(exercises__one=b"one", exercises__two=b"two")
    assert lab.bring(tmp_path).copied == ["exercises/one.ipynb", "exercises/two.ipynb"]
    (tmp_path / "exercises" / "one.ipynb").write_bytes(b"mine")
    course(exercises__one=b"newer", exercises__two=b"newer")
    assert lab.bring(tmp_path).waiting == ["exercises/one.ipynb", "exercises/two.ipynb"]
    brought = lab.bring(tmp_path, update=True)
    assert contents(tmp_path) == {
        "exercises/one.ipynb": b"mine",
        "exercises/one.new.ipynb": b"newer",
        "exercises/two.ipynb": b"newer",
    }
    assert brought.beside == ["exercises/one.new.ipynb"]
    assert lab.bring(tmp_path, update=True).beside == []
    course(exercises__one=b"newest", exercises__two=b"newer")
    lab.bring(tmp_path, update=True)
    assert contents(tmp_path)["exercises/one.new.ipynb"] == b"newest"


def test_a_file_in_the_place_of_the_folder_of_exercises_is_told_and_stays(course, tmp_path):
    (tmp_path / "exercises").write_text("mine")
    course(exercises__one=b"one")
    with pytest.raises(FtkitError, match="Expected a folder that can be written at .*exercises"):
        lab.bring(tmp_path)
    assert (tmp_path / "exercises").read_text() == "mine"


def test_what_the_learner_changed_stays_when_the_course_is_copied_again(course, tmp_path):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    course(one=b"newer", two=b"newer")
    brought = lab.bring(tmp_path)
    assert contents(tmp_path) == {"one.ipynb": b"mine", "two.ipynb": b"two"}
    assert brought.waiting == ["one.ipynb", "two.ipynb"]


def test_a_file_that_was_there_before_the_course_stays(course, tmp_path):
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    for update in (False, True):
        lab.bring(tmp_path, update)
        assert (tmp_path / "one.ipynb").read_bytes() == b"mine"
    assert (tmp_path / "one.new.ipynb").read_bytes() == b"one"


def test_a_notebook_that_the_learner_removed_comes_back(course, tmp_path):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").unlink()
    assert lab.bring(tmp_path).copied == ["one.ipynb"]
    assert (tmp_path / "one.ipynb").read_bytes() == b"one"


def test_an_update_replaces_what_the_learner_has_not_touched(course, tmp_path):
    lab.bring(tmp_path)
    course(one=b"newer", two=b"two")
    brought = lab.bring(tmp_path, update=True)
    assert contents(tmp_path) == {"one.ipynb": b"newer", "two.ipynb": b"two"}
    assert brought.replaced == ["one.ipynb"]


def test_an_update_brings_a_newer_version_beside_what_the_learner_changed(course, tmp_path):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    (tmp_path / "two.ipynb").write_bytes(b"mine too")  # of which there is no newer version
    course(one=b"newer", two=b"two")
    brought = lab.bring(tmp_path, update=True)
    assert contents(tmp_path) == {
        "one.ipynb": b"mine",
        "one.new.ipynb": b"newer",
        "two.ipynb": b"mine too",
    }
    assert brought.beside == ["one.new.ipynb"]


def test_an_update_brings_each_version_once(course, tmp_path):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    course(one=b"newer")
    lab.bring(tmp_path, update=True)
    (tmp_path / "one.new.ipynb").unlink()
    assert lab.bring(tmp_path, update=True).beside == []
    assert not (tmp_path / "one.new.ipynb").exists()


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (b"second", {"one.new.ipynb": b"third"}),
        (b"my notes", {"one.new.ipynb": b"my notes", "one.new-2.ipynb": b"third"}),
    ],
    ids=["untouched", "changed"],
)
def test_a_version_beside_gives_way_to_a_newer_one_unless_the_learner_changed_it(
    course, tmp_path, beside, expected
):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    course(one=b"second")
    lab.bring(tmp_path, update=True)
    (tmp_path / "one.new.ipynb").write_bytes(beside)
    course(one=b"third")
    lab.bring(tmp_path, update=True)
    assert contents(tmp_path) == {"one.ipynb": b"mine", "two.ipynb": b"two", **expected}


def test_a_learner_who_took_the_newer_version_over_gets_the_next_in_its_place(course, tmp_path):
    lab.bring(tmp_path)
    (tmp_path / "one.ipynb").write_bytes(b"mine")
    course(one=b"second")
    lab.bring(tmp_path, update=True)
    (tmp_path / "one.new.ipynb").replace(tmp_path / "one.ipynb")
    course(one=b"third")
    assert lab.bring(tmp_path, update=True).replaced == ["one.ipynb"]


@pytest.mark.parametrize("record", [None, "no JSON", "[]"])
def test_without_its_record_an_update_takes_every_notebook_for_the_learners(
    course, tmp_path, record
):
    lab.bring(tmp_path)
    path = tmp_path / lab.OWN / "course.json"
    if record is None:
        path.unlink()
    else:
        path.write_text(record)
    course(one=b"newer", two=b"two")
    brought = lab.bring(tmp_path, update=True)
    assert (tmp_path / "one.ipynb").read_bytes() == b"one"
    assert (brought.replaced, brought.beside) == ([], ["one.new.ipynb"])


def test_a_link_that_leads_nowhere_is_not_written_through(course, tmp_path):
    (tmp_path / "one.ipynb").symlink_to(tmp_path / "elsewhere")
    for update in (False, True):
        lab.bring(tmp_path, update)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = subprocess.run(
        [*FTKIT, "lab", tmp_path / "file", "--no-browser"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert re.fullmatch(r"ftkit: Expected a folder that can be written at .*\n", done.stderr)


def test_a_port_that_is_taken_is_told_before_anything_is_copied(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*FTKIT, "lab", tmp_path / "new", "--port", port], capture_output=True, text=True
        )
    assert done.returncode == 2
    assert f"Expected port {port} to be free" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_cannot_be_is_told(port):
    with pytest.raises(FtkitError, match=f"must lie in 1..65535; got {port}"):
        lab.check(port)


def test_what_is_not_installed_is_told_with_how_to_install_it(monkeypatch):
    find = lab.importlib.util.find_spec
    monkeypatch.setattr(
        lab.importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else find(name)
    )
    with pytest.raises(FtkitError, match=r"needs jupyterlab, not .* pip install 'ftkit\[lab\]'"):
        lab.check()


def listens(port):
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


class Opened:
    """``ftkit lab`` as it runs, on a port and with settings of its own."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.home = folder / "home"
        self.home.mkdir()
        self.folder = folder / "course"
        environment = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
        self.process = subprocess.Popen(
            [*FTKIT, "lab", self.folder, "--no-browser", "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment, "HOME": str(self.home)},
            start_new_session=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            found = ADDRESS.search(line)
            if found:
                self.address, self.url, self.token = found.group(0, 1, 2)
                self.wait(lambda: listens(port))
                return
        raise AssertionError(self.said)

    def wait(self, condition):
        """Waits until a condition holds: on a busy machine an address is told before it answers."""
        until = time.monotonic() + START_SECONDS
        while not condition():
            assert time.monotonic() < until, self.said
            time.sleep(0.1)

    def ask(self, path, data=None, token=None):
        headers = {"Authorization": f"token {token or self.token}"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def start_kernel(self):
        """Starts a kernel, waits until it is ready, and gives all processes below ``ftkit lab``."""
        started = json.loads(self.ask("/api/kernels", b"{}"))["id"]
        client = BlockingKernelClient()
        client.load_connection_file(str(next(self.home.rglob(f"kernel-{started}.json"))))
        client.start_channels(hb=False)  # a busy machine's late heartbeat would count as death
        client.wait_for_ready(timeout=START_SECONDS)
        client.stop_channels()
        below = psutil.Process(self.process.pid).children(recursive=True)
        assert any("ipykernel_launcher" in " ".join(item.cmdline()) for item in below)
        return below

    def close(self):
        self.process.terminate()
        return self.process.communicate(timeout=30)


@pytest.fixture
def opened(tmp_path):
    found = Opened(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_jupyterlab_serves_the_course_until_a_signal_and_leaves_no_process(opened, number):
    below = opened.start_kernel()
    with urllib.request.urlopen(opened.address, timeout=20) as page:
        assert "JupyterLab" in page.read().decode()
    opened.process.send_signal(number)
    said, _ = opened.process.communicate(timeout=30)
    assert opened.process.returncode == 0, said
    assert not psutil.wait_procs(below, timeout=5)[1]
    assert f"The course is in {opened.folder}" in opened.said
    assert "Traceback" not in said


def test_jupyterlab_is_the_learners_own_and_finds_ftkit(opened):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opened.ask("/api/contents", token="another")
    names = [item["name"] for item in json.loads(opened.ask("/api/contents"))["content"]]
    assert sorted(names) == sorted({PurePosixPath(name).parts[0] for name in lab.course()})
    kernels = json.loads(opened.ask("/api/kernelspecs"))
    assert kernels["kernelspecs"]["python3"]["spec"]["argv"][0] == sys.executable
    for plugin, values in lab.SETTINGS.items():
        found = json.loads(opened.ask(f"/lab/api/settings/{plugin}"))["schema"]["properties"]
        assert {name: found[name]["default"] for name in values} == values
    written = {path.name for path in opened.home.rglob("*") if path.is_file()}
    assert not any(name.endswith((".jupyterlab-settings", "kernel.json")) for name in written)


def test_when_jupyterlab_ends_by_itself_so_does_ftkit_lab(opened):
    below = opened.start_kernel()
    opened.ask("/api/shutdown", b"{}")
    said, _ = opened.process.communicate(timeout=30)
    assert opened.process.returncode == 0, said
    assert not psutil.wait_procs(below, timeout=5)[1]
