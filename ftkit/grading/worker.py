"""The inside of a worker: runs an answer and calls what it defined, over one socket.

Everything here shares a process with the student's code, which may change any of it. That is no
harm: it holds no expected value, and a forged reply is only a different answer.
"""

from __future__ import annotations

import contextlib
import linecache
import socket
import traceback
from types import CodeType
from typing import Any

from ftkit.grading import wire

_MESSAGE_LENGTH, _TRACEBACK_LENGTH = 600, 4000
_ANSWER, _OTHER = "your answer", "another cell"


def serve(channel: socket.socket) -> None:
    """Answers requests until the other side hangs up."""
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    names["get_ipython"], names["display"] = lambda: _Shell(names), lambda *_, **__: None
    while True:
        try:
            request = wire.receive(channel)
        except wire.Closed:
            return
        reply = _reply(request, names)
        try:
            wire.send(channel, reply)
        except wire.Closed:
            return
        except Exception as error:  # of a value that cannot be sent, or will not become an array
            wire.send(channel, {"error": _described(error)})


def _reply(request: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    try:
        if request["do"] == "prepare":
            for number, part in enumerate(request["parts"]):
                exec(_compiled(part, f"setup cell {number}"), names)
            return {"ok": None}
        if request["do"] == "run":
            for number, part in enumerate(request["before"]):
                with contextlib.suppress(Exception):  # a broken part only matters if it is used
                    exec(_compiled(part, f"{_OTHER} ({number})"), names)
            exec(_compiled(request["answer"], _ANSWER), names)
            missing = [name for name in request["exports"] if name not in names]
            if missing:
                raise NameError(f"The answer does not define {', '.join(missing)}.")
            values = {name: names[name] for name in request["exports"]}
            return {"ok": {n: None if callable(v) else ["value", v] for n, v in values.items()}}
        result = names[request["name"]](*request["args"], **request["kwargs"])
        return {"ok": result}
    except BaseException as error:
        return {"error": _described(error)}


def _compiled(source: str, name: str) -> CodeType:
    """Code whose text ``inspect`` finds, as it does in a notebook: TensorFlow's AutoGraph asks."""
    lines = [f"{line}\n" for line in source.split("\n")]
    linecache.cache[name] = (len(source), None, lines, name)
    return compile(source, name, "exec", dont_inherit=True)


def _described(error: BaseException) -> dict[str, Any]:
    """An error as plain text, whatever its class does when asked."""
    line, text, trace = 0, "", ""
    try:
        text = str(error)[:_MESSAGE_LENGTH].encode(errors="replace").decode()
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == _ANSWER]
        line = int((own[-1].lineno if own else getattr(error, "lineno", 0)) or 0)
        shown = [f"  line {f.lineno} of {f.filename}, in {f.name}" for f in frames
                 if f.filename.startswith((_ANSWER, _OTHER))]  # fmt: skip
        trace = "\n".join(shown)[-_TRACEBACK_LENGTH:].encode(errors="replace").decode()
    except BaseException:
        text = text or "(its message cannot be shown)"
    known = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    return {
        "type": str.__str__(type(error).__name__)[:100].encode(errors="replace").decode(),
        "builtin": known[0] if known else "Exception",
        "message": text,
        "line": line,
        "trace": trace,
    }


class _Shell:
    """What takes IPython's place: magics do nothing, those that wrap code run it."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Runs the code of ``%%time`` and its like."""
        if name in ("time", "timeit", "capture", "prun"):
            exec(_compiled(cell, _ANSWER), self._names)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None
