"""The course in a folder of the learner's own, and JupyterLab on it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import FrameType

import psutil

from ftkit.environments import program
from ftkit.errors import FtkitError
from ftkit.grading import installed
from ftkit.writing import writable_folder, write_bytes, write_text

LANGUAGE = "en"
FIRST = "00_start_here.ipynb"
EXERCISES = "exercises"
"""Where the exercises' starters go in the learner's folder."""
OWN = ".ftkit"
"""Where ftkit keeps what is its own in the learner's folder."""
NEEDED = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget")
PATIENCE_SECONDS = 10.0
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},  # asks no website
    # Widgets show their last state when a notebook is opened again.
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    # A subshell of the kernel loses what a page that was reloaded asks for, now and then.
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
}


@dataclass
class Brought:
    """What copying the course did.

    Attributes:
        folder: The learner's folder.
        copied: Notebooks that were not there.
        replaced: Notebooks that the learner had not touched, now of the newer version.
        beside: Newer versions of notebooks that the learner works on, under names of their own.
        waiting: Notebooks of which there is a newer version, which was not asked for.
    """

    folder: Path
    copied: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """It in words."""
        told = [f"The course is in {self.folder}"]
        for what, names in (
            ("Copied", self.copied),
            ("Replaced by a newer version, as you had not changed it", self.replaced),
            ("Newer version, beside yours", self.beside),
            ("There is a newer version, which --update brings", self.waiting),
        ):
            told += [f"{what}: {', '.join(names)}"] if names else []
        return told


def course() -> dict[str, bytes]:
    """The notebooks that come with ftkit, by their path in the learner's folder.

    Starters of the exercises are built from their masters, as these are now.
    """
    notebooks = {
        found.name: found.read_bytes()
        for found in sorted(
            (files("ftkit.course") / LANGUAGE).iterdir(), key=lambda found: found.name
        )
        if found.name.endswith(".ipynb")
    }
    starters = installed.starters()
    return notebooks | {f"{EXERCISES}/{name}": starters[name].encode() for name in starters}


def bring(folder: str | Path, update: bool = False) -> Brought:
    """Copies the course into a folder, and never over anything that the learner has changed.

    What was copied is remembered by its digest, in ``.ftkit/course.json``. A newer version takes
    the place of a notebook that is still as it was copied, and else goes beside it, as
    ``NAME.new.ipynb``. Exercises go into ``exercises/`` by the same rules.

    Args:
        folder: The learner's folder; made if need be.
        update: Whether to bring newer versions of what is there.

    Raises:
        FtkitError: If the folder cannot be written.
    """
    brought = Brought(writable_folder(Path(folder)).resolve())
    record = writable_folder(brought.folder / OWN) / "course.json"
    known = _read(record)
    for name, content in course().items():
        path, newest = brought.folder / name, _digest(content)
        writable_folder(path.parent)
        if not os.path.lexists(path):
            _put(path, content)
            brought.copied.append(name)
        elif known.get(name) == newest:
            continue
        elif _digest_of(path) == newest:
            pass  # the learner's is this version already
        elif not update:
            brought.waiting.append(name)
            continue
        elif _digest_of(path) == known.get(name):
            _put(path, content)
            brought.replaced.append(name)
        else:
            beside = _beside(brought.folder, name, known)
            _put(brought.folder / beside, content)
            brought.beside.append(beside)
            known[beside] = newest
        known[name] = newest
    write_text(record, json.dumps(known, indent=1, sort_keys=True) + "\n")
    return brought


def serve(folder: Path, port: int | None = None, browser: bool = True) -> int:
    """Runs JupyterLab on the course until Ctrl-C, SIGTERM or its own end; nothing is left running.

    Its kernel is this interpreter, and its settings fit the course. Both lie in the folder's
    ``.ftkit``: the user's own kernels and settings stay as they are.

    Args:
        folder: With the course in it.
        port: Where to listen; None takes a free one.
        browser: Whether to open it in a browser.

    Returns:
        0, or 1 if JupyterLab failed.
    """
    own = folder.resolve() / OWN
    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        f"--LabApp.workspaces_dir={own / 'workspaces'}",
        "--ServerApp.log_level=WARN",
        *(["--no-browser"] if not browser else []),
        *([f"--port={port}", "--port-retries=0"] if port is not None else []),
        *(["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", program("jupyterlab.labapp"), *options],
        env={**os.environ, **jupyter_environment(own)},
        cwd=folder,
        start_new_session=True,  # Ctrl-C reaches us, and we decide
    )
    _listen_for_the_end()
    try:
        return 1 if process.wait() else 0
    except KeyboardInterrupt:
        return 0
    finally:
        _end(process)


def check(port: int | None = None) -> None:
    """Checks what :func:`serve` needs, before anything is written.

    Raises:
        FtkitError: If something is not installed, or the port cannot be had.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise FtkitError(
            f"ftkit lab needs {', '.join(missing)}, not installed in {sys.executable}. "
            "Install with: pip install 'ftkit[lab]'."
        )
    if port is None:
        return
    if not 0 < port < 2**16:
        raise FtkitError(f"--port must lie in 1..65535; got {port}.")
    with socket.socket() as probe:
        if os.name == "posix":  # a port whose last owner has just left is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise FtkitError(
                f"Expected port {port} to be free; {error.strerror}. Give another one with "
                "--port, or none: JupyterLab then finds a free one."
            ) from error


def jupyter_environment(folder: Path) -> dict[str, str]:
    """Writes a kernel and settings for the course, and gives the variables that lead there.

    The kernel is called ``python3``, as in every notebook, and comes before any other of that
    name: it is this interpreter, which finds ftkit.

    Args:
        folder: Where to write.
    """
    from ipykernel.kernelspec import get_kernel_dict  # an extra: not everyone has it

    kernel = writable_folder(folder / "jupyter" / "kernels" / "python3") / "kernel.json"
    described = {**get_kernel_dict(), "display_name": "Python 3 (ftkit)"}
    write_text(kernel, json.dumps(described, indent=1) + "\n")
    settings = writable_folder(folder / "jupyter" / "labconfig") / "default_setting_overrides.json"
    write_text(settings, json.dumps(SETTINGS, indent=1) + "\n")
    return {
        name: os.pathsep.join(filter(None, (str(folder / "jupyter"), os.environ.get(name))))
        for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH")
    }


def _read(record: Path) -> dict[str, str]:
    """Digests by file name; nothing is known where the record is missing or spoilt."""
    with suppress(OSError, ValueError):
        found = json.loads(record.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(name): str(digest) for name, digest in found.items()}
    return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str | None:
    """Of a file; None where it cannot be read."""
    try:
        return _digest(path.read_bytes())
    except OSError:
        return None


def _put(path: Path, content: bytes) -> None:
    write_bytes(path, lambda file: file.write(content))


def _beside(folder: Path, name: str, known: Mapping[str, str]) -> str:
    """A name beside a notebook: ``NAME.new.ipynb``; ``NAME.new-2.ipynb`` if that was changed."""
    stem = name.removesuffix(".ipynb")
    number, beside = 1, f"{stem}.new.ipynb"
    while os.path.lexists(folder / beside) and _digest_of(folder / beside) != known.get(beside):
        number += 1
        beside = f"{stem}.new-{number}.ipynb"
    return beside


def _listen_for_the_end() -> None:
    """Lets Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt, once."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    ending = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def asked(number: int, frame: FrameType | None) -> None:
        for signalled in ending:
            signal.signal(signalled, signal.SIG_IGN)  # it is ending already
        raise KeyboardInterrupt

    for signalled in ending:
        signal.signal(signalled, asked)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends JupyterLab, its kernels and their workers."""
    below: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(below, timeout=3)[1]:
        with suppress(psutil.NoSuchProcess):
            left.kill()
