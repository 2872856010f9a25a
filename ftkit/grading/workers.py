"""The grader's side of zygote and workers: start, ask within a deadline, end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ftkit.grading import wire
from ftkit.grading.master import Limits
from ftkit.grading.sandbox import bubblewrap, places

LEVELS = ("bubblewrap", "landlock", "plain")
"""How an answer is confined, the strongest first."""

_START_SECONDS, _END_SECONDS = 120.0, 20.0
_SCRATCH_BYTES = 256 << 20
_MOST_TEXT = 4000


class Breach(Exception):
    """A worker that ended, or was ended, before it had answered.

    Attributes:
        verdict: What that is called: crashed, timed out, out of memory, tampered.
        detail: What happened, in words that a student may read.
    """

    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(detail)
        self.verdict, self.detail = verdict, detail


class ZygoteFault(Exception):
    """The zygote did not start, or died: the grader's fault, not the student's."""


class Zygote:
    """A running zygote; workers are forked from it one at a time."""

    def __init__(
        self,
        level: str,
        scratch: Path,
        preload: tuple[str, ...] = (),
        cores: tuple[int, ...] = (),
    ) -> None:
        """Starts one.

        Args:
            level: One of ``LEVELS``.
            scratch: An empty folder that workers may write in, unless bubblewrap gives one.
            preload: Modules that every worker will find imported.
            cores: The processors that workers may compute on; one, whichever, if not given.

        Raises:
            ZygoteFault: If it does not start.
        """
        if level == "bubblewrap":
            scratch = bubblewrap.scratch()
        self.level = level
        ours, theirs = socket.socketpair()
        environment = _environment(scratch, len(cores) or 1)
        program = places.boot("ftkit.grading.zygote")
        program += [str(theirs.fileno()), str(scratch), ",".join(preload), level]
        program.append(",".join(str(core) for core in cores))
        program.append("0" if level == "bubblewrap" else str(os.getpid()))
        if level == "bubblewrap":
            program = bubblewrap.command(program, environment, _SCRATCH_BYTES)
            environment = {"PATH": os.environ.get("PATH", os.defpath)}
        try:
            self._process = subprocess.Popen(
                program,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ZygoteFault(f"The sandbox could not be started: {error}") from None
        finally:
            theirs.close()
        self._control = ours
        try:
            wire.receive(ours, time.monotonic() + _START_SECONDS)
        except (wire.WireError, wire.Closed, wire.Late):
            self._process.kill()
            said = self._process.communicate()[1].decode(errors="replace").strip()
            self.close()
            raise ZygoteFault(f"The sandbox ({level}) did not start: {said[-500:]}") from None

    def worker(self, limits: Limits) -> Worker:
        """Forks a worker.

        Raises:
            ZygoteFault: If the zygote is gone.
        """
        ours, theirs = socket.socketpair()
        try:
            self._ask(
                {
                    "do": "fork",
                    "memory_bytes": limits.memory_mb << 20,
                    "scratch_bytes": _SCRATCH_BYTES,
                    "cpu_seconds": int(limits.seconds * (os.cpu_count() or 1)) + 5,
                },
                theirs,
            )
        except ZygoteFault:
            ours.close()
            raise
        finally:
            theirs.close()
        return Worker(self, ours, limits)

    def alive(self) -> bool:
        """Whether it can fork another worker."""
        return self._process.poll() is None

    def end_worker(self, grace: float) -> dict[str, Any]:
        """Ends the worker and tells how it ended."""
        ended: dict[str, Any] = self._ask({"do": "end", "grace": grace})
        return ended

    def _ask(self, request: dict[str, Any], descriptor: socket.socket | None = None) -> Any:
        try:
            wire.send(self._control, request)
            if descriptor:
                socket.send_fds(self._control, [b"d"], [descriptor.fileno()])
            return wire.receive(self._control, time.monotonic() + _END_SECONDS)
        except (OSError, wire.WireError, wire.Closed, wire.Late) as error:
            self._process.kill()  # what it says from now on would answer another question
            self._process.wait()
            raise ZygoteFault(f"The sandbox's first process is gone: {error!r}") from None

    def close(self) -> None:
        """Ends it and all that came of it."""
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Worker:
    """One question's process."""

    def __init__(self, zygote: Zygote, channel: socket.socket, limits: Limits) -> None:
        self._zygote, self._channel, self._limits = zygote, channel, limits
        self._left = limits.seconds
        self._gone: Breach | None = None
        self._ended = False

    def ask(self, request: dict[str, Any], apart: float = 0.0) -> dict[str, Any]:
        """Sends a request and waits for its reply.

        Args:
            request: What ``worker.py`` understands.
            apart: The seconds that it may take, if they are not to count as the answer's.

        Returns:
            ``{"ok": value}``, or ``{"error": ...}`` if the answer raised an exception.

        Raises:
            Breach: If the worker broke a limit or ended; it then raises the same again.
            ZygoteFault: If the grader's own process is gone.
        """
        if self._gone:
            raise self._gone
        began = time.monotonic()
        allowed = apart or min(self._limits.call_seconds, self._left)
        try:
            self._channel.settimeout(max(0.001, allowed))
            wire.send(self._channel, request)
            reply = wire.receive(self._channel, began + allowed)
            if not apart:  # nor does what the judge takes in between
                self._left -= time.monotonic() - began
            if type(reply) is not dict or len(reply) != 1 or set(reply) - {"ok", "error"}:
                raise wire.WireError("A reply holds neither 'ok' nor 'error'.")
            return {"error": _checked(reply["error"])} if "error" in reply else reply
        except wire.Late:
            whole = allowed in (apart, self._limits.call_seconds)
            most = allowed if whole else self._limits.seconds
            self._gone = Breach("timed out", f"It took more than {most:g} seconds.")
            self.end()
        except wire.WireError:
            self._gone = Breach("tampered", "It sent something other than an answer.")
            self.end()
        except wire.Closed:
            self._gone = _how(self.end(grace=2.0), self._limits)
        raise self._gone

    def end(self, grace: float = 0.0) -> dict[str, Any]:
        """Ends the process; does nothing the second time."""
        if self._ended:
            return {}
        self._ended = True
        self._channel.close()
        return self._zygote.end_worker(grace)


def _checked(error: Any) -> dict[str, Any]:
    """An error as a worker describes it, no longer than an honest one."""
    wanted = {"type": str, "builtin": str, "message": str, "line": int, "trace": str}
    if type(error) is not dict or {n: type(v) for n, v in error.items()} != wanted:
        raise wire.WireError("An error is not described as it should be.")
    return {name: value[:_MOST_TEXT] if name != "line" else value for name, value in error.items()}


def _how(end: dict[str, Any], limits: Limits) -> Breach:
    """What the end of a worker means."""
    code, why = end["code"], end["why"]
    if why == "memory" or code == 98:
        return Breach("out of memory", f"It took more than {limits.memory_mb} MB of memory.")
    if why == "files":
        return Breach("crashed", f"It wrote over {_SCRATCH_BYTES >> 20} MB, or 10 000 files.")
    if why == "threads":
        return Breach("crashed", "It started more threads than any answer needs.")
    if why == "asked":
        return Breach("tampered", "It closed the connection on which its answers were awaited.")
    if code == -signal.SIGXCPU:
        return Breach("timed out", "It used up its processor time.")
    if code == -signal.SIGSYS:
        return Breach("tampered", "It asked the system for something that no answer needs.")
    if code < 0:  # real-time signals have numbers only
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return Breach("crashed", f"Its process was ended by {name}.")
    return Breach("crashed", "It ended its own process.")  # the code could hold hidden inputs


def _environment(scratch: Path, threads: int) -> dict[str, str]:
    count = str(threads)
    folder = str(scratch)
    return {
        "HOME": folder, "TMPDIR": folder, "USER": "student", "LOGNAME": "student",
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "MPLCONFIGDIR": folder,
        "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count, "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "",
        "PYTHONDONTWRITEBYTECODE": "1", "FTKIT_CACHE": f"{folder}/cache",
    }  # fmt: skip
