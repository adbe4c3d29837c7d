"""BLAKE3, by the package `blake3` where that is installed, else in Python alone: right, and slow (half a
minute for twenty megabytes). It is for a file that is fetched once."""

from __future__ import annotations

import struct
from typing import List, Sequence, Tuple

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
BLOCK, CHUNK = 64, 1024
M = 0xFFFFFFFF

# The message words of each of the seven rounds, two for each of the eight quarter rounds.
_SCHEDULE: List[Tuple[int, ...]] = [tuple(range(16))]
for _ in range(6):
    _SCHEDULE.append(tuple(_SCHEDULE[-1][at] for at in PERMUTATION))
_QUARTERS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def digest(data: bytes) -> bytes:
    """The 32 bytes that name `data`.

    >>> digest(b"").hex()
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
    """
    try:
        from blake3 import blake3
    except ImportError:
        return digest_slowly(data)
    return bytes(blake3(data).digest())


def digest_slowly(data: bytes) -> bytes:
    """The same, in Python alone."""
    stack: List[Sequence[int]] = []
    chunks = max(1, -(-len(data) // CHUNK))
    for number in range(chunks):
        piece = data[number * CHUNK : (number + 1) * CHUNK]
        last = number == chunks - 1
        value = _chunk(piece, number, ROOT if chunks == 1 else 0)
        # As many subtrees end here as the count of chunks has zeros at its end; the last joins all.
        done = number + 1
        while stack and (last or done % 2 == 0):
            root = ROOT if last and len(stack) == 1 else 0
            value = _compress(IV, [*stack.pop(), *value], 0, BLOCK, PARENT | root)
            done //= 2
        stack.append(value)
    return struct.pack("<8I", *stack[0])


def _chunk(piece: bytes, number: int, root: int) -> Sequence[int]:
    value: Sequence[int] = IV
    blocks = [piece[at : at + BLOCK] for at in range(0, len(piece), BLOCK)] or [b""]
    for at, block in enumerate(blocks):
        last = at == len(blocks) - 1
        flags = (CHUNK_START if at == 0 else 0) | ((CHUNK_END | root) if last else 0)
        words = struct.unpack("<16I", block.ljust(BLOCK, b"\0"))
        value = _compress(value, words, number, len(block), flags)
    return value


def _compress(value: Sequence[int], words: Sequence[int], counter: int, length: int, flags: int) -> Sequence[int]:
    v = [*value, *IV[:4], counter & M, counter >> 32, length, flags]
    for order in _SCHEDULE:
        for at, (a, b, c, d) in enumerate(_QUARTERS):
            x, y, z, w = v[a], v[b], v[c], v[d]
            x = (x + y + words[order[2 * at]]) & M
            w ^= x
            w = (w >> 16 | w << 16) & M
            z = (z + w) & M
            y ^= z
            y = (y >> 12 | y << 20) & M
            x = (x + y + words[order[2 * at + 1]]) & M
            w ^= x
            w = (w >> 8 | w << 24) & M
            z = (z + w) & M
            y ^= z
            v[a], v[b], v[c], v[d] = x, (y >> 7 | y << 25) & M, z, w
    return [v[at] ^ v[at + 8] for at in range(8)]
