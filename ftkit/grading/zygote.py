"""The process that workers are forked from, with a framework in memory.

It runs no student code. For each question it forks one worker, locks it, watches its memory, and
kills it when told. It ends, and its worker with it, when the grader hangs up.

Started with FD SCRATCH MODULE,MODULE LEVEL CORE,CORE.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import secrets
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftkit.grading import wire, worker
from ftkit.grading.sandbox import landlock, limits, places, seccomp

_POLL_SECONDS = 0.05
_MOST_THREADS, _MOST_FILES, _MOST_LEVELS = 512, 10_000, 32
_SEEN = places.apart_from(
    places.HIDDEN,
    [*places.SYSTEM, *places.ETC, *places.python_paths(), *places.ABOUT_THE_MACHINE],
)
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class _Child:
    """The worker that lives now."""

    def __init__(self, pid: int, memory_bytes: int, scratch_bytes: int) -> None:
        self.pid = pid
        self.memory = _resident(pid) + memory_bytes
        self.scratch = scratch_bytes
        self.ended: dict[str, Any] | None = None

    def poll(self, scratch: Path) -> None:
        """Sees whether it ended, and ends it if it takes too much."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._note(status, "")
            elif _resident(self.pid) > self.memory:
                self.kill("memory")
            elif _size(scratch, self.scratch) > self.scratch:
                self.kill("files")
            elif _threads(self.pid) > _MOST_THREADS:
                self.kill("threads")

    def kill(self, why: str) -> None:
        """Ends it at once."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._note(os.waitpid(self.pid, 0)[1], why)

    def _note(self, status: int, why: str) -> None:
        self.ended = {"code": os.waitstatus_to_exitcode(status), "why": why}


def main(
    control: socket.socket, scratch: Path, preload: list[str], seal: str, cores: list[int]
) -> None:
    """Serves the grader until it hangs up."""
    limits.die_with_parent(os.getppid())
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # nobody of the same user may look inside
    for module in preload:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    wire.send(control, {"ready": True})
    child: _Child | None = None
    while True:
        waits = _POLL_SECONDS if child and child.ended is None else None
        if not select.select([control], [], [], waits)[0]:
            if child:
                child.poll(scratch)
            continue
        try:
            request = wire.receive(control)
        except wire.Closed:
            break
        if request["do"] == "fork":
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            zygote = os.getpid()
            pid = os.fork()
            if pid == 0:
                channel = socket.socket(fileno=descriptors[0])
                _become_worker(zygote, control, channel, scratch, request, seal)
            os.close(descriptors[0])
            child = _Child(pid, request["memory_bytes"], request["scratch_bytes"])
            wire.send(control, {"pid": pid})
        elif child:
            child.poll(scratch)
            if child.ended is None and request["grace"]:
                _wait(child, scratch, request["grace"])
            child.kill("asked")
            _empty(scratch)
            wire.send(control, child.ended)
            child = None
    if child:
        child.kill("asked")
    _empty(scratch)


def _wait(child: _Child, scratch: Path, seconds: float) -> None:
    """Lets a worker that hung up come to its end, so that its end can be told."""
    until = time.monotonic() + seconds
    while child.ended is None and time.monotonic() < until:
        child.poll(scratch)
        time.sleep(0.005)


def _become_worker(
    zygote: int,
    control: socket.socket,
    channel: socket.socket,
    scratch: Path,
    asked: dict[str, Any],
    seal: str,
) -> None:
    """Locks this process and serves; never returns."""
    code = 97
    try:
        control.close()
        nothing = os.open("/dev/null", os.O_RDWR)
        kept = os.dup2(channel.fileno(), 3) if channel.fileno() != 3 else 3
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.closerange(4, 4096)
        channel.detach()
        os.chdir(scratch)
        limits.die_with_parent(zygote)
        limits.limit(asked["memory_bytes"], asked["cpu_seconds"])
        if seal != "plain":
            limits.drop_capabilities()
        if seal != "plain" and landlock.abi():
            landlock.restrict(*_SEEN, [scratch], places.DEVICES)
        if seal != "plain":
            seccomp.install()
        worker.serve(socket.socket(fileno=kept))
        code = 0
    except MemoryError:
        code = 98
    except BaseException:
        code = 99
    finally:
        os._exit(code)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _threads(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        return int(status.split("Threads:")[1].split()[0])
    except (OSError, IndexError):
        return 0


def _size(folder: Path, enough: int) -> int:
    """Bytes in a folder, or more than enough if its files are too many or nested too deeply."""
    total = files = 0
    waiting = [(str(folder), 0)]
    while waiting:
        where, level = waiting.pop()
        with suppress(OSError), os.scandir(where) as entries:
            for entry in entries:
                files += 1
                if files > _MOST_FILES or level > _MOST_LEVELS or total > enough:
                    return enough + 1
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, level + 1))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def _empty(folder: Path) -> None:
    """Removes what is in a folder, however deep: folders inside others are moved up first."""
    while entries := list(folder.iterdir()):
        for entry in entries:
            if not _is_folder(entry):
                entry.unlink()
                continue
            for inner in list(entry.iterdir()):
                if _is_folder(inner):
                    inner.rename(folder / secrets.token_hex(16))
                else:
                    inner.unlink()
            entry.rmdir()


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, which is then opened to its owner."""
    if path.is_symlink() or not path.is_dir():
        return False
    path.chmod(0o700)
    return True


if __name__ == "__main__":
    main(
        socket.socket(fileno=int(sys.argv[1])),
        Path(sys.argv[2]),
        [name for name in sys.argv[3].split(",") if name],
        sys.argv[4],
        [int(core) for core in sys.argv[5].split(",") if core],
    )
