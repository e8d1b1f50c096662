# SPDX-License-Identifier: Apache-2.0
"""The producer ids that krmirror writes with. DESIGN 3 and 4: an on-disk format, written down a second time."""
import hashlib
import struct


def _of(*words):
    return int.from_bytes(hashlib.sha256(b"\0".join(words)).digest()[:8], "big") >> 3


def data_id(link, topic, partition):
    """As it stands in the batches of a partition."""
    return struct.pack(">q", 1 << 62 | _of(link.encode(), topic.encode(), b"%d" % partition))


def filler_id(link, topic, partition, rotation):
    """The number in its markers."""
    return 1 << 62 | 1 << 61 | _of(link.encode(), topic.encode(), b"%d" % partition, b"%d" % rotation)
