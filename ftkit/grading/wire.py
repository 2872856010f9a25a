"""What crosses between judge and worker: a JSON header and raw arrays, and nothing that can act.

A message is ``FTW1``, the header's length (4 bytes) and the body's (8 bytes), both big-endian, the
header, the body. The header holds ``value``, a tree of plain values, and ``arrays``, each a dtype
of a whitelist and a shape; the body holds the arrays' bytes one after another, C order, little
endian. In the tree, text, numbers, booleans and null stand for themselves; a list ``[tag, ...]`` is
anything else:

=========  ===================================================
``"l"``    list: its values
``"t"``    tuple: its values
``"d"``    dict: key, value, key, value; keys are text or whole numbers
``"a"``    array: its number in ``arrays``
``"c"``    complex number: two floats
=========  ===================================================
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"FTW1"
_HEAD = struct.Struct(">4sIQ")
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Caps:
    """The most that a message may hold."""

    header_bytes: int = 4 << 20
    body_bytes: int = 128 << 20
    nodes: int = 100_000
    depth: int = 32
    dimensions: int = 8
    digits: int = 64
    """Of a whole number, in bits."""


CAPS = Caps()
PASSED_ON = Caps(header_bytes=2 * CAPS.header_bytes)
"""For a value that is sent on: written anew, its header may be longer: 25 bytes a part at most."""

INTAKE = Caps(header_bytes=64 << 20)
"""For what is found in a notebook: the answers to all questions, a megabyte each at most."""


class WireError(Exception):
    """A value that cannot be sent, or bytes that are no message."""


class Closed(Exception):
    """The other side is gone."""


class Late(Exception):
    """The deadline passed before the message was whole."""


def encode(value: Any, caps: Caps = CAPS) -> bytes:
    """A value as one message.

    Takes whatever NumPy can make an array of, tensors of a framework too.

    Raises:
        WireError: If the value, or a part of it, is of no type that can be sent, or too large.
    """
    encoder = _Encoder(caps)
    tree = encoder.tree(value, 0)
    arrays = [[array.dtype.name, list(array.shape)] for array in encoder.arrays]
    text = json.dumps({"value": tree, "arrays": arrays}, ensure_ascii=False)
    try:
        header = text.encode()
    except UnicodeEncodeError:
        raise WireError("Text with lone surrogates cannot be sent.") from None
    size = sum(array.nbytes for array in encoder.arrays)
    if len(header) > caps.header_bytes or size > caps.body_bytes:
        raise WireError(
            f"The value is too large to be sent: {len(header)} bytes of plain values (at most "
            f"{caps.header_bytes}), {size} of arrays (at most {caps.body_bytes})."
        )
    body = (array.tobytes() for array in encoder.arrays)
    return b"".join([_HEAD.pack(MAGIC, len(header), size), header, *body])


def decode(message: bytes, caps: Caps = CAPS) -> Any:
    """The value of a message.

    Raises:
        WireError: If the bytes are anything but one whole message within the caps.
    """
    header_size, body_size = _sizes(message[: _HEAD.size], caps)
    if len(message) != _HEAD.size + header_size + body_size:
        raise WireError(f"{len(message)} bytes are not the length that the message states.")
    start = _HEAD.size + header_size
    try:
        header = json.loads(message[_HEAD.size : start].decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"The header is no JSON: {type(error).__name__}.") from None
    if not isinstance(header, dict) or header.keys() != {"value", "arrays"}:
        raise WireError("The header does not hold 'value' and 'arrays'.")
    return _Decoder(_arrays(header["arrays"], message[start:], caps), caps).value(header["value"])


def send(channel: socket.socket, value: Any, caps: Caps = CAPS) -> None:
    """Sends a value.

    Raises:
        WireError: If it cannot be sent; nothing was.
        Closed: If the other side is gone.
    """
    message = encode(value, caps)
    try:
        channel.sendall(message)
    except TimeoutError:
        raise Late from None
    except OSError:
        raise Closed from None


def receive(channel: socket.socket, deadline: float | None = None, caps: Caps = CAPS) -> Any:
    """Waits for one value.

    Args:
        channel: A stream socket.
        deadline: By ``time.monotonic``; a sender that drips byte by byte does not move it.
        caps: The most that is taken; a message that states more is refused before it is read.

    Raises:
        WireError: If what arrives is no message.
        Closed: If the other side is gone.
        Late: If the deadline passed.
    """
    head = _exactly(channel, _HEAD.size, deadline)
    return decode(head + _exactly(channel, sum(_sizes(head, caps)), deadline), caps)


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    taken = bytearray()  # grows with what arrives, not with what was promised
    while len(taken) < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Late
            channel.settimeout(left)
        else:
            channel.settimeout(None)
        try:
            part = channel.recv(min(_CHUNK, size - len(taken)))
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        taken += part
    return bytes(taken)


def _sizes(head: bytes, caps: Caps) -> tuple[int, int]:
    if len(head) != _HEAD.size:
        raise WireError("The message ends before its header.")
    magic, header, body = _HEAD.unpack(head)
    if magic != MAGIC:
        raise WireError(f"Expected a message that begins with {MAGIC!r}; got {magic!r}.")
    if header > caps.header_bytes or body > caps.body_bytes:
        raise WireError(f"The message states {header} + {body} bytes, which is too many.")
    return header, body


class _Encoder:
    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.nodes = 0
        self.arrays: list[np.ndarray[Any, Any]] = []

    def tree(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > self.caps.nodes or depth > self.caps.depth:
            raise WireError(
                f"The value has more than {self.caps.nodes} parts or {self.caps.depth} levels; "
                "return an array instead."
            )
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            if value.bit_length() > self.caps.digits:
                raise WireError(f"Whole numbers of over {self.caps.digits} bits cannot be sent.")
            return value
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind is np.str_:
            return str.__str__(value)
        if isinstance(value, (list, tuple)):  # a torch.Size and a named tuple are tuples
            tag = "l" if isinstance(value, list) else "t"
            return [tag, *(self.tree(part, depth + 1) for part in value)]
        if isinstance(value, dict):
            flat = [self.key(part) if i % 2 == 0 else self.tree(part, depth + 1)
                    for pair in value.items() for i, part in enumerate(pair)]  # fmt: skip
            return ["d", *flat]
        return ["a", self.array(value)]

    def key(self, key: Any) -> str | int:
        if type(key) is str or (type(key) is int and key.bit_length() <= self.caps.digits):
            return key
        raise WireError(f"A dict's keys must be text or whole numbers; got {type(key).__name__}.")

    def array(self, value: Any) -> int:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
        plain = hasattr(value, "__array__") or hasattr(value, "__array_interface__")
        array = np.asarray(value) if plain else None
        if array is None or array.dtype.name not in DTYPES:
            what = type(value).__name__ if array is None else f"an array of {array.dtype}"
            raise WireError(
                f"{what} cannot be sent; expected numbers, text, lists, dicts or arrays of numbers."
            )
        if array.ndim > self.caps.dimensions:
            raise WireError(f"An array of {array.ndim} dimensions cannot be sent.")
        self.arrays.append(np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C"))
        return len(self.arrays) - 1


def _arrays(listed: Any, body: bytes, caps: Caps) -> list[np.ndarray[Any, Any]]:
    if not isinstance(listed, list) or len(listed) > caps.nodes:
        raise WireError("'arrays' is no list, or too long.")
    arrays, at = [], 0
    for entry in listed:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
            raise WireError("An array is not given as [dtype, shape].")
        name, shape = entry
        if not (
            isinstance(name, str)
            and name in DTYPES
            and len(shape) <= caps.dimensions
            and all(type(side) is int and 0 <= side < 2**31 for side in shape)
        ):
            raise WireError("An array's dtype or shape is not allowed.")
        size = math.prod(shape) * np.dtype(name).itemsize
        if size > len(body) - at or math.prod(side or 1 for side in shape) >= 2**40:
            raise WireError("An array is larger than the body.")
        part = np.frombuffer(body[at : at + size], dtype=np.dtype(name).newbyteorder("<"))
        if name == "bool" and size and part.view(np.uint8).max() > 1:
            raise WireError("A boolean is neither 0 nor 1.")
        arrays.append(part.reshape(shape).astype(name))
        at += size
    if at != len(body):
        raise WireError("The body is longer than its arrays.")
    return arrays


class _Decoder:
    def __init__(self, arrays: list[np.ndarray[Any, Any]], caps: Caps) -> None:
        self.arrays, self.caps = arrays, caps
        self.nodes = 0
        self.used: set[int] = set()

    def value(self, tree: Any, depth: int = 0) -> Any:
        self.nodes += 1
        if self.nodes > self.caps.nodes or depth > self.caps.depth:
            raise WireError("The value has too many parts or levels.")
        if tree is None or isinstance(tree, (bool, float)):
            return tree
        if isinstance(tree, (int, str)):
            return self.plain(tree)
        if not isinstance(tree, list) or not tree or not isinstance(tree[0], str):
            raise WireError("A part of the value has no tag.")
        tag, parts = tree[0], tree[1:]
        if tag == "l":
            return [self.value(part, depth + 1) for part in parts]
        if tag == "t":
            return tuple(self.value(part, depth + 1) for part in parts)
        if tag == "d" and len(parts) % 2 == 0:
            return self.dict(parts, depth)
        if tag == "a" and len(parts) == 1 and type(parts[0]) is int:
            number = parts[0]
            if 0 <= number < len(self.arrays) and number not in self.used:
                self.used.add(number)
                return self.arrays[number]
        if tag == "c" and len(parts) == 2 and all(type(part) is float for part in parts):
            return complex(*parts)
        raise WireError(f"A part of the value tagged {tag[:8]!r} is not well formed.")

    def plain(self, value: int | str) -> int | str:
        if isinstance(value, int) and value.bit_length() > self.caps.digits:
            raise WireError("A whole number is too long.")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise WireError("Text holds lone surrogates.") from None
        return value

    def dict(self, parts: list[Any], depth: int) -> Any:
        made: Any = {}
        for key, part in zip(parts[::2], parts[1::2], strict=True):
            if type(key) not in (str, int) or self.plain(key) in made:
                raise WireError("A dict's key is no text or whole number, or is there twice.")
            made[key] = self.value(part, depth + 1)
        return made
