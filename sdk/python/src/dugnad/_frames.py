"""The frames of the binary routes: many small inputs in one request, many results in one answer.

A batch is `u32 length, bytes` repeated; a stream of results `u32 length of a mark, u64 length, mark, bytes`
repeated, where the mark is JSON; all little-endian. Lengths come from the other side: they are checked, and
nothing is reserved before the bytes have come.
"""

from __future__ import annotations

import json
import struct
from typing import Iterable, Iterator, List, Tuple

from . import records
from ._node import Stream
from .errors import BadAnswer

# Largest blob in a batch, bytes; larger ones are uploaded one by one.
BATCH_BLOB_BYTES_MAX = 16 << 10
# Largest batch with its frames, bytes, and the most blobs in one.
BATCH_BYTES_MAX = 16 << 20
BATCH_BLOBS_MAX = 16_384
# What is told of a unit is no longer, bytes.
MARK_BYTES_MAX = 64 << 10
# Longest output of a unit that any node allows, bytes.
OUTPUT_BYTES_MAX = 1 << 30
# In place of a length: no output comes.
NO_OUTPUT = (1 << 64) - 1

_HEADER = struct.Struct("<IQ")


def batches(blobs: Iterable[bytes]) -> Iterator[Tuple[bytes, int]]:
    """The bodies of as many requests as it takes, with the number of blobs in each."""
    frames: List[bytes] = []
    size = 0
    for blob in blobs:
        if frames and (size + 4 + len(blob) > BATCH_BYTES_MAX or len(frames) == 2 * BATCH_BLOBS_MAX):
            yield b"".join(frames), len(frames) // 2
            frames, size = [], 0
        frames += [struct.pack("<I", len(blob)), blob]
        size += 4 + len(blob)
    if frames:
        yield b"".join(frames), len(frames) // 2


def results(stream: Stream) -> Iterator[records.Result]:
    """The results in a stream, until it ends."""
    while True:
        header = stream.read(_HEADER.size)
        if not header:
            return
        mark_bytes, output_bytes = _HEADER.unpack(header)
        if mark_bytes > MARK_BYTES_MAX:
            raise BadAnswer(stream.route, f"a mark of {mark_bytes} bytes")
        try:
            mark = json.loads(stream.read(mark_bytes))
        except ValueError as error:
            raise BadAnswer(stream.route, str(error)) from error
        output = None
        if output_bytes != NO_OUTPUT:
            if output_bytes > OUTPUT_BYTES_MAX:
                raise BadAnswer(stream.route, f"an output of {output_bytes} bytes")
            output = stream.read(output_bytes)
            if len(output) != output_bytes:
                raise BadAnswer(stream.route, "it ends within a result")
        if isinstance(mark, dict):
            mark.pop("output", None)
        told = records.read(records.Result, mark, stream.route)
        yield records.Result(**{**told.__dict__, "output": output})
