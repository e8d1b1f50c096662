# SPDX-License-Identifier: Apache-2.0
"""A source that serves damaged and lying batches: the lane stops with the offset and a reason, nothing wrong is
written, and neither its neighbours nor the worker suffer."""
import struct
import time

import pytest

from lib import forge
from lib.forge import GZIP, LOG_APPEND_TIME, LZ4, SNAPPY, ZSTD, Forged, record, xerial, zipped, zstd_of_zeros
from lib.produce import produce
from lib.raw import varint
from lib.util import wait_until

pytestmark = [pytest.mark.real_only]

THREE = record(0) + record(1) + record(2)
INT_MAX = 2**31 - 1
PAD = b"\0" * 40

LIES = {
    "crc": Forged(THREE, break_crc=True),
    "crc-compressed": Forged(zipped(THREE), GZIP, break_crc=True),
    "deltas": Forged(record(0) + record(2) + record(1)),
    "deltas-compressed": Forged(zipped(record(0) + record(2) + record(1)), GZIP),
    "first-delta-1": Forged(record(1) + record(2) + record(3)),
    "count-low-compressed": Forged(zipped(THREE), GZIP, count=2),
    "count-high-compressed": Forged(zipped(THREE), GZIP, count=4),
    "count-and-delta-apart": Forged(zipped(THREE), GZIP, count=2, last_delta=2),
    "count-2^31-1": Forged(THREE, count=INT_MAX),
    "count-2^31-1-compressed": Forged(zipped(THREE), GZIP, count=INT_MAX),
    "count-negative": Forged(THREE, count=-3, last_delta=2),
    "delta-negative": Forged(THREE, last_delta=-1),
    "record-length-negative": Forged(record(0) + record(1) + record(2, length=-5)),
    "record-length-2-gib": Forged(record(0) + record(1) + record(2, length=INT_MAX)),
    "bytes-behind-the-last": Forged(THREE + PAD),
    "gzip-garbage": Forged(b"\x1f\x8b" + b"\xee" * 60, GZIP),
    "gzip-cut": Forged(zipped(THREE)[:-9] + b"", GZIP),
    "snappy-block-of-4-gib": Forged(xerial(b"\xff\xff\xff\xff\x0f" + PAD), SNAPPY),
    "snappy-raw-of-4-gib": Forged(b"\xff\xff\xff\xff\x0f" + PAD, SNAPPY),
    "snappy-frame-longer-than-the-batch": Forged(b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, INT_MAX) + PAD, SNAPPY),
    "lz4-garbage": Forged(b"\x04\x22\x4d\x18" + b"\xee" * 60, LZ4),
    "zstd-content-of-2^62": Forged(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**62) + PAD, ZSTD),
    "codec-5": Forged(THREE, 5),
}


def mirrored(doors, lies, times=None):
    """A partition for each lie: ten records, the forged batch, ten more. The last partition is all good."""
    site, proxies = doors("source")
    topic, good = site.topic("bad"), len(lies)
    site.source.create_topic(topic, good + 1)
    produce(site.source, topic, 10 * (good + 1), good + 1)
    swap = forge.Swap(proxies.all[0])
    swap.times = times
    for p, f in enumerate(lies):
        swap.add(p, forge.placeholder(site.source, topic, p, f.size, 3), f)
    produce(site.source, topic, 10 * (good + 1), good + 1, first=1000)
    site.create_link()
    site.create_mirror(topic)
    return site, topic, swap, site.worker()


def stopped(site, topic, swap, worker, names):
    """Each with its offset, and nothing behind it; the good partition is equal."""
    for p, lie in enumerate(names):
        row = site.wait_partition(topic, p, state="FAILED")
        error = row["mirror_topic_error"]
        assert swap.served[p] > 0, lie
        assert row["reason"] in ("CORRUPT_SOURCE_BATCH", "UNSUPPORTED_MESSAGE_FORMAT", "RECORD_TOO_LARGE"), (lie, row)
        if lie.startswith("crc"):
            assert row["reason"] == "CORRUPT_SOURCE_BATCH", (lie, row)
            assert swap.served[p] >= 2, f"{lie}: it must be fetched once more before the lane stops"
    errors = {r["partition"]: r["error"] for r in site.describe(topic)}
    ends = site.destination.ends(topic)
    for p, lie in enumerate(names):
        assert any(f"offset {n}" in errors[p] for n in (10, 11, 12, 13)), (lie, errors[p])
        assert ends[p] == 10, f"{lie}: {ends[p] - 10} offsets of a batch that lies were written; {errors[p]}"
    site.assert_equal(topic, 10 * len(names), partitions=range(len(names)), upto=dict.fromkeys(ends, 10), ends=False)
    site.wait_caught_up(topic, partitions=[len(names)])
    site.assert_equal(topic, 20, partitions=[len(names)])
    worker.check_alive()
    assert worker.resident() < 200 << 20, f"{worker.resident() >> 20} MiB"


def test_lies(doors):
    site, topic, swap, worker = mirrored(doors, list(LIES.values()))
    stopped(site, topic, swap, worker, list(LIES))


def test_lies_that_must_be_rewritten(doors):
    """The same with LogAppendTime, which our own rewriter has to unpack."""
    lies = {k: Forged(f.payload, f.attributes | LOG_APPEND_TIME, f.count, f.last_delta, f.break_crc)
            for k, f in LIES.items() if f.attributes}
    site, topic, swap, worker = mirrored(doors, list(lies.values()))
    stopped(site, topic, swap, worker, list(lies))


def test_crc_that_was_bad_once(doors):
    """Damage on the way: fetched once more, and good."""
    site, topic, swap, worker = mirrored(doors, [LIES["crc"]], times=1)
    site.wait_caught_up(topic)
    assert swap.served[0] == 1
    site.assert_equal(topic, 43)
    assert "CORRUPT" not in worker.text()


def test_the_source_is_mended(doors):
    """When it serves good batches again, resume opens the lane anew and all is copied."""
    site, topic, swap, worker = mirrored(doors, [LIES["count-high-compressed"]])
    stopped(site, topic, swap, worker, ["count-high-compressed"])
    swap.times = 0
    site.ok("mirror", "resume", topic, "--link", site.link)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 43)


def zeros(delta, n):
    """A record whose value is n zeros, around which it is told."""
    fields = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(n)
    return varint(len(fields) + n + 1) + fields, n, varint(0)


def test_a_megabyte_that_unpacks_to_four_gigabytes(doors):
    """46 records of 90 MB, in nested frames of zstd; LogAppendTime, so that our own rewriter has to unpack it. The lane
    stops, in memory and time that do not depend on what it claims, and the lane beside it flows."""
    n = 46
    forged = Forged(zstd_of_zeros(zeros(i, 90_000_000) for i in range(n)), ZSTD | LOG_APPEND_TIME, count=n)
    assert 1_000_000 < forged.size < 1_100_000
    site, proxies = doors("source")
    topic = site.topic("bomb")
    site.source.create_topic(topic, 2, config={"max.message.bytes": "2000000"})
    produce(site.source, topic, 10, 2, only=[0])
    forge.Swap(proxies.all[0]).add(0, forge.placeholder(site.source, topic, 0, forged.size, n), forged)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    worst, began = 0, time.monotonic()

    def over():
        nonlocal worst
        worker.check_alive()
        worst = max(worst, worker.resident())
        return site.describe(topic)[0]["state"] == "FAILED"
    wait_until(over, 120, "the bomb stops its lane", every=0.05)
    print(f"stopped after {time.monotonic() - began:.1f} s, {worst >> 20} MiB")
    row = site.describe(topic)[0]
    assert row["reason"] == "CORRUPT_SOURCE_BATCH" and "offset 10" in row["mirror_topic_error"], row
    assert worst < 400 << 20, f"{worst >> 20} MiB"
    assert site.destination.ends(topic)[0] == 10
    produce(site.source, topic, 100, 2, only=[1])
    site.wait_caught_up(topic, partitions=[1])
    site.assert_equal(topic, 100, partitions=[1])


@pytest.mark.parametrize("rewritten", (False, True), ids=("as-it-is", "rewritten"))
def test_bomb(doors, counts, rewritten):
    """Records of 90 MB of zeros each, zipped a thousandfold: one small, 4.5 GB full. Our memory stays bounded; a
    broker that takes the batch has all of it right, one that does not stops the lane."""
    n = counts(1, 50)
    one = [record(i, b"\0" * 90_000_000) for i in range(n)]
    forged = Forged(zipped(b"".join(one)), GZIP | (LOG_APPEND_TIME if rewritten else 0), count=n)
    site, proxies = doors("source")
    topic = site.topic("bomb")
    site.source.create_topic(topic, 1, config={"max.message.bytes": "100000000"})
    forge.Swap(proxies.all[0]).add(0, forge.placeholder(site.source, topic, 0, forged.size, n), forged)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    worst = 0

    def over():
        nonlocal worst
        worker.check_alive()
        worst = max(worst, worker.resident())
        return site.describe(topic)[0]["state"] == "FAILED" or site.destination.ends(topic)[0] == n
    wait_until(over, 120, "the bomb is refused or copied", every=0.05)
    assert worst < 500 << 20, f"{worst >> 20} MiB"
    assert site.destination.ends(topic)[0] in (0, n)
