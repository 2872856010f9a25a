"""What a sandboxed answer may see: Python, its packages, ftkit, and nothing of the teacher's."""

from __future__ import annotations

import site
import sys
from collections.abc import Iterable
from pathlib import Path

import ftkit.grading
from ftkit.grading.errors import GradingError

PACKAGE = Path(ftkit.grading.__file__).resolve().parent.parent
"""The folder ``ftkit`` itself."""
HIDDEN = PACKAGE / "exercises"
"""The masters that come with ftkit: the one thing below the package that is not seen."""

SYSTEM = tuple(Path(name) for name in ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin"))
ETC = tuple(
    Path("/etc", name)
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives")
)
DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "random", "urandom", "full"))
ABOUT_THE_MACHINE = (
    Path("/sys/devices/system/cpu"),
    *(Path("/proc", name) for name in ("self", "cpuinfo", "meminfo", "stat", "filesystems")),
    Path("/proc/sys/vm/overcommit_memory"),
)


def boot(module: str) -> list[str]:
    """The command that runs a module of this very ftkit in a process of its own.

    ``-I`` keeps the environment and the current folder out of it.
    """
    code = (
        "import runpy, sys; root = sys.argv.pop(1); "
        "root in sys.path or sys.path.insert(0, root); "
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    return [sys.executable, "-I", "-c", code, str(PACKAGE.parent)]


def import_path() -> str:
    """What a kernel needs in ``PYTHONPATH`` to find this very ftkit; nothing if it is installed."""
    installed = {Path(name).resolve() for name in site.getsitepackages()}
    return "" if PACKAGE.parent in installed else str(PACKAGE.parent)


def python_paths() -> list[Path]:
    """Where the interpreter and its packages are."""
    found = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]
    found += [Path(name) for name in site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        found.append(Path(site.getusersitepackages()))
    found.append(PACKAGE)
    kept: list[Path] = []
    for path in found:
        if path.exists() and not any(path.is_relative_to(k) for k in (*kept, *SYSTEM)):
            kept.append(path)
    return kept


def apart_from(hidden: Path, paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """What may be seen of paths without what is hidden, which may lie deep in one of them.

    Args:
        hidden: A file or folder.
        paths: What may be seen otherwise.

    Returns:
        Those that may be seen with all that is below them, and folders that may be listed only:
        the ones that lead to what is hidden. Their names can be read, ``hidden`` among them.
    """
    whole, listed = [], []
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        found = path.resolve()
        if found == hidden:
            continue
        if hidden.exists() and hidden.is_relative_to(found):
            listed.append(path)
            waiting += path.iterdir()
        else:
            whole.append(path)
    return whole, listed


def check_unseen(secret: Iterable[Path]) -> None:
    """Checks that a sandboxed answer would not see these paths.

    Raises:
        GradingError: If one lies where the interpreter or its packages are.
    """
    for path in secret:
        if path.resolve().is_relative_to(HIDDEN):
            continue
        for seen in (*python_paths(), *SYSTEM):
            if path.resolve().is_relative_to(seen.resolve()):
                raise GradingError(
                    f"{path} lies in {seen}, which answers must be able to read. "
                    "Keep exercises and submissions outside Python's own folders."
                )
