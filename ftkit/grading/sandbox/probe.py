"""Which way of confining answers works on this machine: found out by trying to break out of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ftkit.grading.master import Limits
from ftkit.grading.sandbox import bubblewrap, landlock, seccomp
from ftkit.grading.workers import LEVELS, Breach, Zygote, ZygoteFault

_ATTACKS = {
    "reads the teacher's files": "open({secret!r}).read()",
    "writes outside its folder": "open({outside!r}, 'w')",
    "empties the teacher's files": "import os; os.truncate({secret!r}, 0)",
    "opens a connection": "import socket; socket.socket().connect(('127.0.0.1', 9))",
    "starts a process": "import os; os.fork() or os._exit(0)",
    "signals another process": "import os; os.kill(1, 0)",
}


def strongest(folder: Path | None = None) -> tuple[str, dict[str, str]]:
    """The strongest level that holds here.

    Args:
        folder: Where to put files for the trial; the system's folder for such if it is not given.

    Returns:
        The level, and for each stronger one why it does not.
    """
    why: dict[str, str] = {}
    for level in LEVELS[:-1]:
        problem = trial(level, folder)
        if not problem:
            return level, why
        why[level] = problem
    return "plain", why


def trial(level: str, folder: Path | None = None) -> str:
    """Tries a level.

    Args:
        level: One of ``LEVELS``.
        folder: As for ``strongest``.

    Returns:
        Why it does not hold; nothing if it does.
    """
    if level == "bubblewrap" and not bubblewrap.found():
        return "bubblewrap (bwrap) is not installed"
    if not seccomp.supported():
        return "seccomp is known here for Linux on x86_64 and aarch64 only"
    if level == "landlock" and not landlock.abi():
        return "the kernel offers no Landlock"
    with tempfile.TemporaryDirectory(prefix="ftkit-probe-", dir=folder) as own:
        secret, outside, scratch = (Path(own, n) for n in ("secret", "outside", "scratch"))
        secret.write_text("secret")
        scratch.mkdir()
        try:
            with Zygote(level, scratch) as zygote:
                if _run(zygote, "x = 1") != "ran":
                    return "a harmless answer did not run in it"
                for name, code in _ATTACKS.items():
                    filled = code.format(secret=str(secret), outside=str(outside))
                    if _run(zygote, filled) == "ran" or outside.exists():
                        return f"an answer in it {name}"
        except ZygoteFault as fault:
            return str(fault)
    return ""


def _run(zygote: Zygote, code: str) -> str:
    worker = zygote.worker(Limits(seconds=10, call_seconds=10, memory_mb=512))
    try:
        reply = worker.ask({"do": "run", "before": [], "answer": code, "exports": []})
        return "ran" if "ok" in reply else "refused"
    except Breach:
        return "ended"
    finally:
        worker.end()
