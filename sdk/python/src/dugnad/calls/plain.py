"""Plain data as bytes, and back: what functions on the grid return.

This file runs on both sides, so it imports nothing of this package. Bytes may come from strangers: reading
makes only None, bool, int, float, complex, str, bytes, list, tuple, dict, set and frozenset, never more
than there are bytes, and never deeper than `DEPTH_MAX`. Equal values have equal bytes, so that answers can be
compared: sets are written in the order of their members' bytes, dicts in their own.
"""

import struct
from typing import Any, List, Tuple

#: How deep lists and the like may be nested.
DEPTH_MAX = 100
#: Members of a set, or keys of a dict: strangers may choose such as take long to tell apart.
KEYS_MAX = 1 << 17
#: Members of a set, or keys of a dict: strangers may choose such as take long to tell apart.
KEYS_MAX = 1 << 17

TYPES = "None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset"


class NotPlain(TypeError):
    """A value is not plain data."""


class Malformed(ValueError):
    """Bytes are no plain data."""


def dumps(value: Any) -> bytes:
    """A value as bytes; `NotPlain` says what in it is not plain, and where.

    >>> loads(dumps({"primes": [2, 3, 5], "mean": 10 / 3}))
    {'primes': [2, 3, 5], 'mean': 3.3333333333333335}
    """
    out: List[bytes] = []
    _write(value, out, "the value", 0)
    return b"".join(out)


def loads(data: bytes) -> Any:
    """The value in bytes."""
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise Malformed("bytes are left over")
    return value


def _write(value: Any, out: List[bytes], where: str, depth: int) -> None:
    kind = type(value)
    if depth > DEPTH_MAX:
        raise NotPlain("%s is nested deeper than %d" % (where, DEPTH_MAX))
    if kind in (dict, set, frozenset) and len(value) > KEYS_MAX:
        raise NotPlain("%s has over %d members; return a list of pairs" % (where, KEYS_MAX))
    if value is None or kind is bool:
        out.append(b"N" if value is None else b"T" if value else b"F")
    elif kind is int:
        _write_bytes(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True), out)
    elif kind is float:
        out.append(b"f" + struct.pack("<d", value))
    elif kind is complex:
        out.append(b"c" + struct.pack("<dd", value.real, value.imag))
    elif kind is str:
        _write_bytes(b"s", value.encode("utf-8", "surrogatepass"), out)
    elif kind is bytes:
        _write_bytes(b"b", value, out)
    elif kind is list or kind is tuple:
        out.append((b"l" if kind is list else b"t") + struct.pack("<I", len(value)))
        for at, one in enumerate(value):
            _write(one, out, "%s[%d]" % (where, at), depth + 1)
    elif kind is dict:
        out.append(b"d" + struct.pack("<I", len(value)))
        for key, one in value.items():
            _write(key, out, "a key of " + where, depth + 1)
            _write(one, out, "%s[%r]" % (where, key), depth + 1)
    elif kind is set or kind is frozenset:
        members = []
        for one in value:
            member: List[bytes] = []
            _write(one, member, "a member of " + where, depth + 1)
            members.append(b"".join(member))
        out.append((b"e" if kind is set else b"z") + struct.pack("<I", len(value)))
        out.extend(sorted(members))
    else:
        name = "%s.%s" % (kind.__module__, kind.__qualname__)
        raise NotPlain("%s is a %s; only these types come back: %s" % (where, name, TYPES))


def _write_bytes(tag: bytes, data: bytes, out: List[bytes]) -> None:
    out.append(tag + struct.pack("<I", len(data)))
    out.append(data)


def _read(data: bytes, at: int, depth: int) -> Tuple[Any, int]:
    if depth > DEPTH_MAX:
        raise Malformed("nested deeper than %d" % DEPTH_MAX)
    tag, at = data[at : at + 1], at + 1
    if tag in (b"N", b"T", b"F"):
        return {b"N": None, b"T": True, b"F": False}[tag], at
    if tag == b"f":
        return struct.unpack("<d", _take(data, at, 8))[0], at + 8
    if tag == b"c":
        return complex(*struct.unpack("<dd", _take(data, at, 16))), at + 16
    count = struct.unpack("<I", _take(data, at, 4))[0]
    at += 4
    if tag in (b"i", b"s", b"b"):
        return _scalar(tag, _take(data, at, count)), at + count
    if tag not in (b"l", b"t", b"d", b"e", b"z"):
        raise Malformed("no value begins with %r" % tag)
    if tag in (b"d", b"e", b"z") and count > KEYS_MAX:
        raise Malformed("a set or dict of more than %d" % KEYS_MAX)
    members = []  # Each takes a byte or more, so there are never more than have come.
    for _ in range(2 * count if tag == b"d" else count):
        member, at = _read(data, at, depth + 1)
        members.append(member)
    return _whole(tag, members), at


def _scalar(tag: bytes, data: bytes) -> Any:
    if tag == b"i":
        return int.from_bytes(data, "little", signed=True)
    if tag == b"b":
        return bytes(data)
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Malformed(str(error)) from error


def _whole(tag: bytes, members: List[Any]) -> Any:
    try:
        if tag == b"d":
            return dict(zip(members[::2], members[1::2]))
        return {b"l": list, b"t": tuple, b"e": set, b"z": frozenset}[tag](members)
    except TypeError as error:
        raise Malformed(str(error)) from error


def _take(data: bytes, at: int, count: int) -> bytes:
    piece = data[at : at + count]
    if len(piece) != count:
        raise Malformed("it is cut off")
    return piece
