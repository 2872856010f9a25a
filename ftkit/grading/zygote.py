"""The process that workers are forked from, with a framework in memory.

It runs no student code. For each question it forks one worker, locks it, watches its memory, and
kills it when told. It ends, and its worker with it, when the grader hangs up.

Started with FD SCRATCH MODULE,MODULE LEVEL CORE,CORE GRADER, the last being the grader's process
number, or 0 where bubblewrap stands between.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftkit.grading import wire, worker
from ftkit.grading.sandbox import landlock, limits, places, scratches, seccomp

_POLL_SECONDS = 0.05
_MOST_THREADS = 512
_SEEN = places.apart_from(
    places.HIDDEN,
    [*places.SYSTEM, *places.ETC, *places.python_paths(), *places.ABOUT_THE_MACHINE],
)


class _Child:
    """The worker that lives now."""

    def __init__(self, pid: int, memory_bytes: int, scratch_bytes: int, on_disk: bool) -> None:
        self.pid = pid
        self.memory = _usage(pid)[0] + memory_bytes
        self.scratch, self.on_disk = scratch_bytes, on_disk
        self.ended: dict[str, Any] | None = None

    def poll(self, scratch: Path) -> None:
        """Sees whether it ended, and ends it if it takes too much."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._note(status, "")
                return
            memory, threads = _usage(self.pid)
            if memory > self.memory:
                self.kill("memory")
            elif threads > _MOST_THREADS:
                self.kill("threads")
            elif self._written(scratch) > self.scratch:
                self.kill("files")

    def _written(self, scratch: Path) -> int:
        mapped = _mapped(self.pid) if self.on_disk else 0  # bubblewrap's folder has a size
        return scratches.size(scratch, self.scratch) + _removed(self.pid) + mapped

    def kill(self, why: str) -> None:
        """Ends it at once."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._note(os.waitpid(self.pid, 0)[1], why)

    def _note(self, status: int, why: str) -> None:
        self.ended = {"code": os.waitstatus_to_exitcode(status), "why": why}


def main(
    control: socket.socket,
    scratch: Path,
    preload: list[str],
    seal: str,
    cores: list[int],
    grader: int,
) -> None:
    """Serves the grader until it hangs up."""
    limits.die_with_parent(grader or os.getppid())
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
            sizes = request["memory_bytes"], request["scratch_bytes"]
            child = _Child(pid, *sizes, on_disk=seal == "landlock")
            wire.send(control, {"pid": pid})
        elif child:
            child.poll(scratch)
            if child.ended is None and request["grace"]:
                _wait(child, scratch, request["grace"])
            child.kill("asked")
            scratches.empty(scratch)
            wire.send(control, child.ended)
            child = None
    if child:
        child.kill("asked")
    scratches.empty(scratch)


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
        kept = os.dup2(channel.fileno(), 3) if channel.fileno() != 3 else 3
        nothing = os.open("/dev/null", os.O_RDWR)  # after that, for it may not be number 3
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.closerange(4, 4096)
        channel.detach()
        os.chdir(scratch)
        limits.die_with_parent(zygote)
        limits.limit(asked["memory_bytes"], asked["cpu_seconds"])
        if seal != "plain":
            limits.drop_capabilities()
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # the zygote may see what it holds open
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


def _usage(pid: int) -> tuple[int, int]:
    """Bytes of memory that a process takes, the tables of its pages included, and its threads."""
    found = {"VmRSS": 0, "VmPTE": 0, "Threads": 0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")  # the process's own name is no line of its own
            if name in found:
                found[name] = int(value.split()[0])
    return (found["VmRSS"] + found["VmPTE"]) << 10, found["Threads"]


def _removed(pid: int) -> int:
    """Bytes of files that a process removed and still holds open, as far as that can be seen."""
    total = 0
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with suppress(OSError):
                held = os.stat(f"{folder}/{name}")  # noqa: PTH116
                if stat.S_ISREG(held.st_mode) and held.st_nlink == 0:
                    total += held.st_size
    return total


def _mapped(pid: int) -> int:
    """The most that files may hold which a process removed and has in its memory, open or not."""
    lines: list[bytes] = []
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/maps").read_bytes().splitlines()
    removed = {tuple(line.split()[3:5]) for line in lines if line.endswith(b" (deleted)")}
    return len(removed) * limits.FILE_BYTES


if __name__ == "__main__":
    main(
        socket.socket(fileno=int(sys.argv[1])),
        Path(sys.argv[2]),
        [name for name in sys.argv[3].split(",") if name],
        sys.argv[4],
        [int(core) for core in sys.argv[5].split(",") if core],
        int(sys.argv[6]),
    )
