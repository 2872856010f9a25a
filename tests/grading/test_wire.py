"""What crosses between judge and worker."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

from ftkit.grading import wire


def message(header: object, body: bytes = b"", raw: bool = False) -> bytes:
    text = header if raw else json.dumps(header).encode()
    return struct.pack(">4sIQ", b"FTW1", len(text), len(body)) + text + body


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -5, 2**63, 1.5, float("inf"), "", "naïve ☃", [], (), {}, 2 + 3j),
        *([1, [2, (3, None)]], {"a": {"b": [1]}, 3: "x"}, ("t",), ["l", "d"], {"l": ["a", 0]}),
    ],
)
def test_plain_values_come_back_as_they_were(value):
    back = wire.decode(wire.encode(value))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("name", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_arrays_come_back_bit_for_bit_in_every_type(name, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(name)
    back = wire.decode(wire.encode({"x": array}))["x"]
    assert back.dtype == array.dtype and back.shape == shape and back.tobytes() == array.tobytes()
    assert back.flags.writeable


def test_other_byte_orders_and_strides_arrive_as_native_arrays():
    array = np.arange(12, dtype=">f8").reshape(3, 4).T[::2]
    back = wire.decode(wire.encode(array))
    assert (back == array).all() and back.dtype == np.dtype("float64") and back.flags.c_contiguous


def test_text_lists_and_tuples_of_other_classes_arrive_as_plain_ones():
    point = namedtuple("point", "x y")
    for value, plain in (
        (np.str_("cat"), "cat"),
        (np.array(["cat", "dog"])[1], "dog"),
        (point(1, [2.0]), (1, [2.0])),
        (type("Own", (list,), {})([1, 2]), [1, 2]),
    ):
        back = wire.decode(wire.encode(value))
        assert back == plain and type(back) is type(plain)


def test_what_arrives_is_a_true_array_never_a_subclass():
    class Always(np.ndarray):
        def __eq__(self, other):
            return np.ones(self.shape, bool)

    back = wire.decode(wire.encode(np.zeros(3).view(Always)))
    assert type(back) is np.ndarray and not (back == 1).any()


def test_a_type_derived_from_text_or_number_is_not_taken_for_one():
    class Text(str):
        def __eq__(self, other):
            return True

    class Whole(int):
        pass

    for value in (Text("x"), Whole(3), object(), {1.5: 2}, {1, 2}, b"x", lambda: 1, "\ud800"):
        with pytest.raises(wire.WireError):
            wire.encode(value)
    for array in (np.array([object()]), np.array(["x"]), np.zeros(2, "M8[s]"), np.zeros((1,) * 9)):
        with pytest.raises(wire.WireError):
            wire.encode(array)


def test_what_is_too_large_or_deep_is_not_sent():
    deep: list = []
    for _ in range(40):
        deep = [deep]
    loop: list = []
    loop.append(loop)
    caps = wire.Caps(body_bytes=100, header_bytes=200)
    cases = [
        *((value, wire.CAPS) for value in (deep, loop, 2**70, [0] * 200_000)),
        *((value, caps) for value in (np.zeros(13), "x" * 300)),
    ]
    for value, limits in cases:
        with pytest.raises(wire.WireError):
            wire.encode(value, limits)


DEEP = b'{"arrays":[],"value":' + b'["l",' * 50 + b"1" + b"]" * 50 + b"}"
BAD = {
    "nothing": b"",
    "garbage": b"x" * 100,
    "short": message({"value": 1, "arrays": []})[:-1],
    "long": message({"value": 1, "arrays": []}) + b"x",
    "huge header": struct.pack(">4sIQ", b"FTW1", 2**32 - 1, 0),
    "huge body": struct.pack(">4sIQ", b"FTW1", 2, 2**63) + b"{}",
    "not json": message(b"{", raw=True),
    "not utf-8": message(b"\xff\xfe", raw=True),
    "deep json": message(b"[" * 1_000_000, raw=True),
    "deep value": message(DEEP, raw=True),
    "many digits": message(b'{"arrays":[],"value":' + b"9" * 4000 + b"}", raw=True),
    "too many digits for json": message(b'{"arrays":[],"value":' + b"9" * 5000 + b"}", raw=True),
    "not a dict": message([1]),
    "more keys": message({"value": 1, "arrays": [], "x": 1}),
    "no tag": message({"value": [1], "arrays": []}),
    "empty": message({"value": [], "arrays": []}),
    "unknown tag": message({"value": ["z", 1], "arrays": []}),
    "json object": message({"value": {"a": 1}, "arrays": []}),
    "odd dict": message({"value": ["d", "a"], "arrays": []}),
    "same key": message({"value": ["d", "a", 1, "a", 2], "arrays": []}),
    "list as key": message({"value": ["d", ["l"], 1], "arrays": []}),
    "true as key": message({"value": ["d", True, 1], "arrays": []}),
    "surrogate": message({"value": "\ud800", "arrays": []}),
    "array out of range": message({"value": ["a", 0], "arrays": []}),
    "negative array": message({"value": ["a", -1], "arrays": [["int8", [1]]]}, b"x"),
    "array twice": message({"value": ["l", ["a", 0], ["a", 0]], "arrays": [["int8", [1]]]}, b"x"),
    "object dtype": message({"value": ["a", 0], "arrays": [["object", [1]]]}, b"x" * 8),
    "dtype O": message({"value": ["a", 0], "arrays": [["O", [1]]]}, b"x" * 8),
    "dtype not text": message({"value": ["a", 0], "arrays": [[["f8"], [1]]]}, b"x" * 8),
    "negative side": message({"value": ["a", 0], "arrays": [["int8", [-1]]]}, b"x"),
    "true as side": message({"value": ["a", 0], "arrays": [["int8", [True]]]}, b"x"),
    "float side": message({"value": ["a", 0], "arrays": [["int8", [1.0]]]}, b"x"),
    "overflowing shape": message({"value": ["a", 0], "arrays": [["int8", [2**31 - 1] * 4 + [0]]]}),
    "larger than body": message({"value": ["a", 0], "arrays": [["int8", [99]]]}, b"x"),
    "body left over": message({"value": 1, "arrays": [["int8", [1]]]}, b"xy"),
    "nine dimensions": message({"value": 1, "arrays": [["int8", [1] * 9]]}, b"x"),
    "boolean 7": message({"value": ["a", 0], "arrays": [["bool", [1]]]}, b"\x07"),
    "half complex": message({"value": ["c", 1.0], "arrays": []}),
}


@pytest.mark.parametrize("case", BAD)
def test_bytes_that_are_no_message_are_refused(case):
    with pytest.raises(wire.WireError):
        wire.decode(BAD[case])


def test_random_damage_gives_a_value_or_the_one_error_and_nothing_else():
    rng = random.Random(0)
    good = wire.encode({"a": np.arange(6.0), "b": [1, (2, "x")], "c": 1j})
    refused = 0
    for _ in range(5000):
        damaged = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.2:
            damaged = damaged[: rng.randrange(len(damaged))]
        try:
            wire.decode(bytes(damaged))
        except wire.WireError:
            refused += 1
    assert refused > 2500


def test_a_stated_size_costs_no_memory_and_a_drip_does_not_move_the_deadline():
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip():
        theirs.sendall(struct.pack(">4sIQ", b"FTW1", 1000, 100 << 20))
        while not stop.wait(0.02):
            theirs.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    begin = time.monotonic()
    with pytest.raises(wire.Late):
        wire.receive(ours, begin + 0.3)
    assert time.monotonic() - begin < 1
    stop.set()
    thread.join()
    theirs.close()
    with pytest.raises(wire.Closed):
        while True:
            wire.receive(ours, time.monotonic() + 1, wire.Caps(header_bytes=10**9))
    ours.close()


def test_values_follow_one_another_on_a_channel():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for value in (1, "two", [3.0]):
            wire.send(theirs, value)
        assert [wire.receive(ours) for _ in range(3)] == [1, "two", [3.0]]
