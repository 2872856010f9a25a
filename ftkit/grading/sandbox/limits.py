"""What a process may use up, by ``setrlimit``, on any system that has it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

FILE_BYTES = 64 << 20
"""Largest file that an answer may write."""


def limit(memory_bytes: int, cpu_seconds: int, file_bytes: int = FILE_BYTES) -> None:
    """Limits this process for good.

    Args:
        memory_bytes: Of data beyond what it holds already.
        cpu_seconds: Of all threads together, from now on.
        file_bytes: Largest file that it may write.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + max(1, cpu_seconds)
    _set("RLIMIT_CPU", cpu, cpu + 2)
    limit_memory(memory_bytes)
    _set("RLIMIT_FSIZE", file_bytes)
    _set("RLIMIT_NOFILE", 256)
    _set("RLIMIT_CORE", 0)


def limit_memory(memory_bytes: int) -> None:
    """Limits what data this process, and each that it starts, may hold beyond what it holds now."""
    _set("RLIMIT_DATA", _data_bytes() + memory_bytes)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the one that started it ends (Linux).

    Args:
        parent: Its process id, in case it has ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def drop_capabilities() -> None:
    """Leaves root no more rights than any user has (Linux)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
            raise OSError(ctypes.get_errno(), "capabilities could not be dropped")


def _set(name: str, soft: int, hard: int | None = None) -> None:
    number = getattr(resource, name, None)
    if number is None:
        return
    ceiling = resource.getrlimit(number)[1]
    bounded = [n if ceiling == resource.RLIM_INFINITY else min(n, ceiling) for n in
               (soft, soft if hard is None else hard)]  # fmt: skip
    resource.setrlimit(number, (bounded[0], bounded[1]))


def _data_bytes() -> int:
    """What of the data limit this process has used already (0 where that is not known)."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmData:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0
