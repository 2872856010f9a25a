"""The trusted process that reads submissions and runs judges, one forked child for each.

It has pytest, nbval, the Jupyter client and the kernel in memory, so that a child begins at once.
What a child meets, a file that makes the reader crash or a judge that hangs, ends with that child.
"""

from __future__ import annotations

import gc
import importlib
import os
import re
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ftkit.grading import extract, kernels, notebooks, wire
from ftkit.grading.sandbox import limits

_INTAKE_SECONDS = 30.0
_INTAKE_MEMORY = 1 << 30
_JUDGE_MEMORY = 2 << 30
_PRELOADED = (
    *("pytest", "nbval.plugin", "IPython.core.inputtransformer2", "jupyter_client.manager"),
    *("nbformat.v4", "fastjsonschema", "ftkit.grading.judge_plugin", "ftkit.grading.judging"),
    *(f"_pytest.{name}" for name in ("helpconfig", "junitxml", "pastebin", "threadexception")),
    *(f"_pytest.{name}" for name in ("faulthandler", "logging", "setuponly", "skipping")),
    *kernels.PRELOADED,
)
_UNNEEDED = ("rfc3987_syntax", "debugpy")
"""What jsonschema and ipykernel import where they find it: 2 s and 0.2 s for nothing that a judge
does."""
_NO_CELLS = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
INI = "[pytest]\naddopts =\n"


def main(control: socket.socket, grader: int) -> None:
    """Serves the grader, the process of that number, until it hangs up."""
    limits.die_with_parent(grader)  # which may have ended before this process came so far
    load()
    wire.send(control, {"ready": True})
    while True:
        try:
            request = wire.receive(control)
        except wire.Closed:
            return
        if request["do"] == "intake":
            reply = _forked(partial(_intake, request), control, _INTAKE_SECONDS)
        else:
            reply = _forked(partial(_judge, request), control, request["seconds"])
        wire.send(control, reply, wire.INTAKE)


def load() -> None:
    """Imports what the children need, and nothing that takes long and serves none of them."""
    for module in _UNNEEDED:
        sys.modules[module] = None  # type: ignore[assignment]  # as if it were not installed
    for module in _PRELOADED:
        importlib.import_module(module)
    importlib.import_module("nbformat").reads(_NO_CELLS, 4)  # it keeps the validator it makes
    gc.collect()
    gc.freeze()


def _forked(work: Callable[[], Any], control: socket.socket, seconds: float) -> dict[str, Any]:
    """What ``work`` returns in a child, or how the child ended instead."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            control.close()
            os.setsid()
            limits.die_with_parent(parent)
            wire.send(theirs, _outcome(work), wire.INTAKE)
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
        finally:
            os._exit(code)
    theirs.close()
    until = time.monotonic() + seconds
    reply: dict[str, Any] = {"gone": "it ended early"}
    try:
        while not select.select([ours], [], [], 0.2)[0]:
            if time.monotonic() > until or select.select([control], [], [], 0)[0]:
                raise wire.Late
        reply = wire.receive(ours, until, wire.INTAKE)
    except wire.Late:
        reply = {"gone": f"it took more than {seconds:g} seconds"}
    except (wire.Closed, wire.WireError):
        pass
    finally:
        ours.close()
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return reply


def _outcome(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"ok": work()}
    except Exception as error:  # of the grader's own
        return {"failed": repr(error)}


def _intake(request: dict[str, Any]) -> dict[str, Any]:
    """Reads a submission and finds its answers."""
    limits.limit(_INTAKE_MEMORY, int(_INTAKE_SECONDS), 1 << 20)
    try:
        return _answers(request)
    except notebooks.Unreadable as error:
        return {"unreadable": str(error)}
    except (RecursionError, MemoryError):
        return {"unreadable": "The file cannot be read as a notebook."}


def _answers(request: dict[str, Any]) -> dict[str, Any]:
    data = notebooks.read_bytes(Path(os.fsdecode(request["path"].encode("utf-8"))))
    submitted = notebooks.parse(data)
    framework = submitted.framework if submitted.framework in request["spec"] else ""
    framework = framework or next(iter(request["spec"]))
    spec = request["spec"][framework]
    wanted = [extract.Wanted(q["id"], tuple(q["exports"]), q["stub"]) for q in spec["questions"]]
    found = extract.answers(submitted, wanted, spec["reserved"])
    mark = submitted.ours.get("variant")
    return {
        "framework": framework,
        "variant": mark if isinstance(mark, str) and re.fullmatch("[0-9a-f]{1,64}", mark) else "",
        "answers": {
            name: {
                "source": answer.source,
                "before": list(answer.before),
                "problem": answer.problem,
                "notes": list(answer.notes),
            }
            for name, answer in found.items()
        },
    }


def _judge(request: dict[str, Any]) -> int:
    """Runs nbval on the judge notebook in a folder of trusted files."""
    import pytest

    limits.limit_memory(_JUDGE_MEMORY)  # what answers give may be large
    folder = Path(request["folder"])
    os.chdir(folder)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in [n for n in os.environ if n.startswith(("PYTEST_", "JUPYTER", "IPYTHON"))]:
        del os.environ[name]
    tempfile.tempdir = None  # connection files go with the folder, even if all is killed
    os.environ |= {
        "TMPDIR": str(folder),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": request["ipython"],
        "FTKIT_GRADING_SEED": str(request["seed"]),
        "PYTHONPATH": request["python_path"],
    }
    if sys.platform == "linux":  # elsewhere system libraries may not be used after a fork
        kernels.prepare()
    words = ["-c", "own.ini", "--rootdir", str(folder), "--noconftest", "-q", "--color=no"]
    words += ["-p", "nbval.plugin", "-p", "ftkit.grading.judge_plugin", "-p", "no:cacheprovider"]
    words += ["-p", "no:unraisableexception"]  # its collections of garbage cost 0.2 s
    words += ["--nbval", "--nbval-current-env"]
    words += [f"--nbval-cell-timeout={request['cell_seconds']}", "judge.ipynb"]
    return int(pytest.main(words))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
