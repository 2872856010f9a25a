"""The judge's kernel, forked from a process that has it in memory: a new one takes half a second.

It is ipykernel's own, and to nbval one like any other. Student code never enters it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

from ftkit.grading.sandbox import limits

PRELOADED = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "tornado.platform.asyncio", "psutil"),
    *("IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect"),
    *("IPython.extensions.storemagic", "numpy.random"),
    "jupyter_client.provisioning.local_provisioner",
)
_LAUNCHER = "ipykernel_launcher"


class Process:
    """A child of this process, as jupyter_client wants to see one."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it lives."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Waits for its end."""
        return self._wait(0)

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def prepare() -> None:
    """Forks what becomes the kernel that jupyter_client starts next, and the only one.

    It is forked now because later there are threads and an event loop.
    """
    from jupyter_client.provisioning import local_provisioner

    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            os.setsid()  # jupyter_client signals its whole group
            limits.die_with_parent(parent)
            _become_kernel(theirs)
        finally:
            os._exit(1)
    theirs.close()

    def launch(command: list[str], env: dict[str, str], cwd: str, **_: Any) -> Process:
        words = [*command[command.index(_LAUNCHER) + 1 :], f"--IPKernelApp.parent_handle={parent}"]
        order = {"words": words, "cwd": cwd, "env": env}
        ours.sendall(json.dumps(order).encode())
        ours.close()
        return Process(pid)

    vars(local_provisioner)["launch_kernel"] = launch


def _become_kernel(orders: socket.socket) -> None:
    order = json.loads(b"".join(iter(lambda: orders.recv(1 << 16), b"")))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 2)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ |= order["env"]
    sys.argv = [_LAUNCHER, *order["words"]]
    import numpy as np
    from ipykernel.kernelapp import launch_new_instance

    np.random.seed()  # a fork would draw what its parent drew
    launch_new_instance()
