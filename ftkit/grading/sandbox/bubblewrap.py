"""The outer wall, where bubblewrap works: own file tree, network, processes, users."""

from __future__ import annotations

import shutil
from pathlib import Path

from ftkit.grading.sandbox import places

_SCRATCHES = (Path("/tmp"), Path("/scratch"))


def scratch() -> Path:
    """Inside: the one place that can be written, in memory; it hides no package from an answer."""
    seen = places.python_paths()
    return next(p for p in _SCRATCHES if not any(path.is_relative_to(p) for path in seen))


def found() -> bool:
    """Whether the program is there; whether it works only shows by running it."""
    return shutil.which("bwrap") is not None


def command(program: list[str], environment: dict[str, str], scratch_bytes: int) -> list[str]:
    """The command that runs a program inside."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    words += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += ["--perms", "0755", "--dir", "/etc"]
    for path in places.SYSTEM:
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            words += ["--ro-bind", str(path), str(path)]
    for path in (*places.ETC, *places.python_paths()):
        words += ["--ro-bind-try", str(path), str(path)]
    if places.HIDDEN.exists():
        words += ["--perms", "0000", "--tmpfs", str(places.HIDDEN)]
        words += ["--remount-ro", str(places.HIDDEN)]
    words += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    words += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    words += ["--perms", "0700", "--size", str(scratch_bytes), "--tmpfs", str(scratch())]
    return [*words, "--remount-ro", "/", "--chdir", str(scratch()), "--", *program]
