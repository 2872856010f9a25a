"""What a judge notebook uses: proxies for a student's answers, and inputs that nobody can guess."""

from __future__ import annotations

import builtins
import hashlib
import os
import socket
from typing import Any

import numpy as np

from ftkit.grading import wire

DESK = "desk.sock"
"""The socket on which the grader serves, in the folder that the judge runs in."""


class AnswerError(Exception):
    """The answer gave no result: it raised an exception, was stopped, or is not there."""


def answer(question: str, *names: str) -> Any:
    """Runs a question's answer in its own worker.

    Args:
        question: The id of the answer cell.
        names: What it must define.

    Returns:
        For each name a function whose calls the worker carries out, or the value as plain types
        and arrays; for one name that itself, not a tuple.

    Raises:
        AnswerError: If the answer is missing or cannot be run.
    """
    made = _ask({"do": "answer", "question": question, "exports": list(names)})
    found = tuple(
        made[name][1] if made[name] is not None else _proxy(question, name) for name in names
    )
    return found[0] if len(found) == 1 else found


def hidden_rng(question: str) -> np.random.Generator:
    """A source of inputs for hidden tests, other numbers in every run.

    The run's seed is kept with the grade; outside the grader there is none, and chance decides.
    """
    seed = os.environ.get("FTKIT_GRADING_SEED")
    if seed is None:
        return np.random.default_rng()
    salt = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big")
    return np.random.default_rng([int(seed), salt])


def _proxy(question: str, name: str) -> Any:
    def proxy(*args: Any, **kwargs: Any) -> Any:
        call = {"do": "call", "question": question, "name": name}
        return _ask({**call, "args": list(args), "kwargs": kwargs})

    proxy.__name__ = proxy.__qualname__ = name
    return proxy


def _ask(request: dict[str, Any]) -> Any:
    desk = _desk()
    wire.send(desk, request)
    reply = wire.receive(desk, caps=wire.PASSED_ON)
    if "error" not in reply:
        return reply["ok"]
    raise _error(reply["error"])


def _error(told: dict[str, Any]) -> AnswerError:
    """The error as an ``AnswerError`` that is also of the built-in kind that the answer raised.

    So a test may expect ``ValueError`` of the proxy as it would of the function itself.
    """
    kind = getattr(builtins, told["builtin"], None)
    made: type[AnswerError] = AnswerError
    if kind in (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, RuntimeError,
                NotImplementedError, AttributeError, ArithmeticError, LookupError):  # fmt: skip
        made = type(told["builtin"], (AnswerError, kind), {"__str__": Exception.__str__})
    return made(told["shown"])


_connection: socket.socket | None = None


def _desk() -> socket.socket:
    global _connection
    if _connection is None:
        _connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _connection.connect(os.environ.get("FTKIT_GRADING_DESK", DESK))
    return _connection
