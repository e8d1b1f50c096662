# SPDX-License-Identifier: Apache-2.0
"""Batches that no broker would take, served in the place of ones that it has: a placeholder of the same size is
produced to the source, and a proxy puts the forged bytes there in every Fetch answer that has it.

Size, base offset and leader epoch are the placeholder's; all else is free, and the CRC holds unless it is what lies.
"""
import gzip
import struct

from .proxy import FETCH
from .raw import Raw, crc32c, varint

HEADER = 61
TIME = 1704067200000
GZIP, SNAPPY, LZ4, ZSTD, LOG_APPEND_TIME = 1, 2, 3, 4, 8


def record(delta, value=b"value", length=None):
    """One record of format v2. length: what it says of itself, in place of the truth."""
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body) if length is None else length) + body


def zipped(records):
    return gzip.compress(records, 6, mtime=0)


def zstd_of_zeros(records, block=16 << 10):
    """Records of zeros, (what stands before them, how many zeros, what behind), each in a frame of its own whose zeros
    are blocks that repeat one byte: 16 KiB in four bytes."""
    def head(kind, size, last=False):
        return struct.pack("<I", size << 3 | kind << 1 | last)[:3]

    def frame(before, zeros, behind):
        full, rest = divmod(zeros, block)
        out = b"\x28\xb5\x2f\xfd\x00\x38" + head(0, len(before)) + before + (head(1, block) + b"\0") * full
        return out + head(1, rest) + b"\0" + head(0, len(behind), last=True) + behind
    return b"".join(frame(*r) for r in records)


def xerial(block):
    """Snappy as the Java client frames it, of one block as it stands."""
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block


class Forged:
    """attributes, count and last_delta as the header shall say them, and the bytes behind it."""

    def __init__(self, payload, attributes=0, count=3, last_delta=None, break_crc=False):
        self.payload, self.attributes, self.count = payload, attributes, count
        self.last_delta = count - 1 if last_delta is None else last_delta
        self.break_crc = break_crc

    @property
    def size(self):
        return HEADER + len(self.payload)

    def over(self, real):
        """The bytes that are served where `real` stands."""
        tail = struct.pack(">hiqqqhii", self.attributes, self.last_delta, TIME, TIME, -1, -1, -1,
                           self.count) + self.payload
        crc = crc32c(tail) ^ (1 if self.break_crc else 0)
        out = real[:16] + struct.pack(">bI", 2, crc) + tail
        assert len(out) == len(real)
        return out


def placeholder(cluster, topic, partition, size, records):
    """Produces a batch of exactly so many bytes and records, not compressed; returns it as the broker has it. No two
    partitions' are the same."""
    time = TIME + 1 + partition

    first = b"".join(record(i, b"p") for i in range(records - 1))
    bodies = (first + record(records - 1, b"p" * n) for n in range(max(0, size - 100 - 10 * records), size))
    body = next(b for b in bodies if HEADER + len(b) >= size)
    tail = struct.pack(">hiqqqhii", 0, records - 1, time, time, -1, -1, -1, records) + body
    data = struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail
    assert len(data) == size, f"no batch of {records} records has {size} bytes"
    c = Raw(cluster.bootstrap)
    try:
        error, base, *_ = c.produce(topic, partition, data)
        assert error == 0, f"the placeholder was refused: {error}"
        stored = c.fetch(topic, [(partition, base, size + 1000, -1)])[2][0][-1]
        real = stored[:size]
        assert struct.unpack_from(">q", real)[0] == base and real[21:] == data[21:]
        return real
    finally:
        c.close()


class Swap:
    """Serves forged batches where their placeholders stand. `served` counts, by the partition's number."""

    def __init__(self, proxy):
        self.batches, self.served, self.times = {}, {}, None
        proxy.change[FETCH] = self

    def add(self, partition, real, forged):
        self.batches[partition] = (real, forged.over(real))
        self.served[partition] = 0

    def __call__(self, version, body):
        for partition, (real, forged) in self.batches.items():
            if real in body and (self.times is None or self.served[partition] < self.times):
                self.served[partition] += 1
                body = body.replace(real, forged)
        return body
