"""Landlock: which files a process may read and write, by the kernel's own unprivileged means."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE_FILE, _TRUNCATE, _IOCTL = 1 << 1, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_NEWEST_BIT = {1: 12, 2: 13, 3: 14, 4: 14}


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    if os.uname().sysname != "Linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, 0, 1)))


def restrict(
    readable: Iterable[Path],
    listable: Iterable[Path],
    writable: Iterable[Path],
    devices: Iterable[Path],
) -> None:
    """Leaves this process, for good, only these paths, no network and nobody to signal.

    Args:
        readable: Files and folders to read and map; those that are missing are passed over.
        listable: Folders whose names, and those of folders below, may be read, and no file.
        writable: Folders to do anything in.
        devices: Files to read and write.

    Raises:
        OSError: If the kernel refuses.
    """
    version = abi()
    everything = (1 << (_NEWEST_BIT.get(version, 15) + 1)) - 1
    network = 3 if version >= 4 else 0  # bind and connect over TCP
    scoped = 3 if version >= 6 else 0  # abstract sockets and signals
    attributes = struct.pack("QQQ", everything, network, scoped)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock refused its rules")
    try:
        for paths, rights in (
            (readable, _READ),
            (listable, _READ_DIR),
            (writable, everything & ~_EXECUTE),
            (devices, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & everything),
        ):
            for path in paths:
                _allow(libc, ruleset, path, rights)
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.syscall(_RESTRICT, ruleset, 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock refused to restrict")
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights &= -1 if path.is_dir() else _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, opened)
        if libc.syscall(_ADD, ruleset, 1, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock refused a rule for {path}")
    finally:
        os.close(opened)
