"""Plain data comes back as it was; bytes of strangers make plain data or an error, and nothing else."""

from __future__ import annotations

import doctest
import enum
import math
import random
import struct
import unittest
from typing import Any, List, NamedTuple

import dugnad
from dugnad import BadAnswer, _blake3, aio, executor, grid
from dugnad.calls import plain
from dugnad.calls.parcel import read_answer

PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)


class Point(NamedTuple):
    x: int


class Colour(enum.IntEnum):
    RED = 1


def some(draw: random.Random, depth: int = 0) -> Any:
    """Any plain value."""
    kinds = 8 if depth > 3 else 13
    kind = draw.randrange(kinds)
    scalar = (
        None,
        draw.random() < 0.5,
        draw.randrange(-(1 << draw.randrange(1, 200)), 1 << draw.randrange(1, 200)),
        draw.choice([0.0, -0.0, math.inf, 1e-310, draw.random()]),
        complex(draw.random(), -0.0),
        "".join(chr(draw.randrange(1, 0xD800)) for _ in range(draw.randrange(9))) + draw.choice(["", "\ud800"]),
        draw.getrandbits(64).to_bytes(8, "little")[: draw.randrange(9)],
        draw.randrange(256),
    )
    if kind < len(scalar):
        return scalar[kind]
    members = [some(draw, depth + 1) for _ in range(draw.randrange(5))]
    flat = [draw.choice(scalar) for _ in range(draw.randrange(5))]
    return (members, tuple(members), dict(zip(flat, members)), set(flat), frozenset(flat))[kind - len(scalar)]


def only_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(only_plain(key) and only_plain(one) for key, one in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(only_plain(one) for one in value)
    return type(value) in PLAIN


class PlainData(unittest.TestCase):
    def test_values_come_back_as_they_were(self) -> None:
        draw = random.Random(7)
        for _ in range(3000):
            value = some(draw)
            back = plain.loads(plain.dumps(value))
            self.assertEqual(back, value)
            self.assertEqual(plain.dumps(back), plain.dumps(value))
            self.assertIs(type(back), type(value))
        self.assertTrue(math.isnan(plain.loads(plain.dumps(math.nan))))

    def test_equal_sets_have_equal_bytes(self) -> None:
        words = [str(number) for number in range(100)]
        self.assertEqual(plain.dumps(set(words)), plain.dumps(set(reversed(words))))

    def test_what_is_not_plain_is_named_with_its_place(self) -> None:
        for value in (Point(1), Colour.RED, object(), bytearray()):
            with self.assertRaisesRegex(plain.NotPlain, type(value).__name__):
                plain.dumps(value)
        with self.assertRaisesRegex(plain.NotPlain, r"the value\['a'\]\[1\] is a .*range"):
            plain.dumps({"a": [1, range(3)]})
        deep: Any = []
        for _ in range(plain.DEPTH_MAX + 1):
            deep = [deep]
        with self.assertRaisesRegex(plain.NotPlain, "nested deeper"):
            plain.dumps(deep)

    def test_bytes_of_strangers_make_plain_data_or_an_error(self) -> None:
        draw = random.Random(11)
        refused = 0
        for _ in range(20_000):
            data = bytearray(plain.dumps(some(draw)))
            for _ in range(draw.randrange(1, 4)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            if draw.random() < 0.2:
                del data[draw.randrange(len(data)) :]
            try:
                self.assertTrue(only_plain(plain.loads(bytes(data))))
            except plain.Malformed:
                refused += 1
        self.assertGreater(refused, 1000)

    def test_nothing_is_reserved_for_what_has_not_come(self) -> None:
        many, deep, unhashable = b"\xff\xff\xff\xff", b"l\x01\0\0\0" * 5000 + b"N", b"e\x01\0\0\0l\0\0\0\0"
        for bad in (b"l" + many, b"b" + many, deep, unhashable, b"", b"NN"):
            with self.assertRaises(plain.Malformed):
                plain.loads(bad)

    def test_answers_that_do_not_fit_are_no_answers(self) -> None:
        one = plain.dumps(1)
        error = {"type": "E", "text": "", "traceback": "", "printed": ""}
        self.assertEqual(read_answer(plain.dumps({"values": [one], "spent": 5, "error": None}), 1).values, [1])
        bad: List[Any] = [
            {"values": [one, one], "spent": 5, "error": None},
            {"values": [], "spent": 5, "error": None},
            {"values": [one], "spent": -5, "error": None},
            {"values": [one], "spent": 5, "error": error},
            {"values": [b"\x80\x04."], "spent": 5, "error": None},
            {"values": [one], "error": None},
            {"values": 5, "spent": 5, "error": None},
            {"values": [], "spent": 5, "error": {"type": "E"}},
            [],
        ]
        for said in bad:
            with self.assertRaises(BadAnswer):
                read_answer(plain.dumps(said), 1)

    def test_blake3_is_the_same_either_way(self) -> None:
        for length, begins in ((0, "af1349b9f5f9a1a6"), (1, "2d3adedff11b61f1"), (1024, "42214739f095a406"),
                               (3072, "b98cb0ff3623be03"), (31744, "62b6960e1a44bcc1")):
            data = bytes(at % 251 for at in range(length))
            self.assertEqual(_blake3.digest_slowly(data).hex()[:16], begins, length)
            self.assertEqual(_blake3.digest(data), _blake3.digest_slowly(data))

    def test_examples_in_the_documentation(self) -> None:
        tried = [doctest.testmod(module, verbose=False) for module in (dugnad, _blake3, aio, executor, grid, plain)]
        self.assertEqual(sum(one.failed for one in tried), 0)
        self.assertGreater(sum(one.attempted for one in tried), 2)


class Frames(unittest.TestCase):
    def test_small_inputs_travel_together_within_the_limits(self) -> None:
        from dugnad import _frames

        blobs = [bytes(16 << 10)] * 1500 + [b""] * 40_000
        seen = []
        for body, count in _frames.batches(blobs):
            self.assertLessEqual(len(body), _frames.BATCH_BYTES_MAX)
            self.assertLessEqual(count, _frames.BATCH_BLOBS_MAX)
            at = 0
            for _ in range(count):
                (length,) = struct.unpack_from("<I", body, at)
                seen.append(length)
                at += 4 + length
            self.assertEqual(at, len(body))
        self.assertEqual(seen, [len(blob) for blob in blobs])
