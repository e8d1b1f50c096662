# SPDX-License-Identifier: Apache-2.0
"""The judge: a stock client reads both sides and says where they differ. It shares no code with krmirror.

Compared for every record of every partition: offset, key, value, headers, timestamp, timestamp type. Checksums
of the batches are checked by the client (check.crcs). How many records must be there is the caller's to say:
two empty sides are no proof.
"""
import time
from array import array
from hashlib import blake2b

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, TopicPartition

READ_DEADLINE = 180


class Differ(AssertionError):
    """Both sides are not the same."""


def digest(message, timestamp_type=True):
    """64 bits over all that must be equal, each part with its length, null unlike empty."""
    kind, ms = message.timestamp()
    if not timestamp_type:
        # Format v0 has no time; the client says 0 there, and -1 where a newer format says that there is none.
        kind, ms = 0, -1 if kind == TIMESTAMP_NOT_AVAILABLE else ms
    h = blake2b(b"%d %d" % (kind, ms), digest_size=8)
    for part in (message.key(), message.value()):
        h.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    for name, value in message.headers() or ():
        name = name.encode()
        h.update(b"h%d:%b" % (len(name), name))
        h.update(b"-" if value is None else b"%d:%b" % (len(value), value))
    return int.from_bytes(h.digest(), "little")


class Log:
    """What a client sees of one partition: two columns, offsets and digests."""

    def __init__(self):
        self.offsets = array("q")
        self.digests = array("Q")

    def __len__(self):
        return len(self.offsets)

    def table(self):
        return dict(zip(self.offsets, self.digests))


def consumer(cluster, isolation="read_committed"):
    return Consumer(cluster.client(**{
        "group.id": "judge", "enable.auto.commit": False, "enable.partition.eof": True, "check.crcs": True,
        "auto.offset.reset": "error", "isolation.level": isolation, "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": 4194304, "queued.max.messages.kbytes": 131072}))


def scan(cluster, topic, ranges, see, isolation="read_committed", deadline=READ_DEADLINE):
    """Calls see(message) for each record of {partition: (start, end)}, in order within a partition."""
    open_ranges = {p: (s, e) for p, (s, e) in ranges.items() if e > s}
    if not open_ranges:
        return
    c = consumer(cluster, isolation)
    try:
        c.assign([TopicPartition(topic, p, s) for p, (s, e) in open_ranges.items()])
        until = time.monotonic() + deadline
        while open_ranges:
            if time.monotonic() > until:
                raise AssertionError(f"reading {topic} at {cluster.bootstrap}: not at the end of partitions "
                                     f"{sorted(open_ranges)} within {deadline} s")
            for m in c.consume(5000, 0.2):
                p = m.partition()
                err = m.error()
                if err is not None and err.code() != KafkaError._PARTITION_EOF:
                    if err.retriable() or err.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                        continue
                    raise KafkaException(err)
                if p not in open_ranges:
                    continue
                if err is None and m.offset() < open_ranges[p][1]:
                    see(m)
                # Control records are not seen: the end of the partition is what says that all was read.
                if m.offset() >= open_ranges[p][1] - (1 if err is None else 0):
                    del open_ranges[p]
    finally:
        c.close()


def read(cluster, topic, ranges, isolation="read_committed", deadline=READ_DEADLINE, timestamp_type=True):
    """{partition: Log}"""
    logs = {p: Log() for p in ranges}

    def see(m):
        log = logs[m.partition()]
        log.offsets.append(m.offset())
        log.digests.append(digest(m, timestamp_type))
    scan(cluster, topic, ranges, see, isolation, deadline)
    return logs


def read_records(cluster, topic, ranges, isolation="read_committed"):
    """{partition: [(offset, key, value, headers, timestamp, timestamp type)]}, for small topics."""
    records = {p: [] for p in ranges}

    def see(m):
        kind, ms = m.timestamp()
        records[m.partition()].append((m.offset(), m.key(), m.value(), m.headers(), ms, kind))
    scan(cluster, topic, ranges, see, isolation)
    return records


def whole(cluster, topic, partitions=None):
    """{partition: (start, end)} now."""
    starts, ends = cluster.starts(topic, partitions), cluster.ends(topic, partitions)
    return {p: (starts[p], ends[p]) for p in ends}


def first_differences(a, b, limit=5):
    """The first offsets at which two Logs differ, with what is wrong there."""
    if a.offsets == b.offsets and a.digests == b.digests:
        return []
    left, right = a.table(), b.table()
    out = []
    if len(left) != len(a) or len(right) != len(b):
        out.append("an offset was delivered twice")
    for offset in sorted(left.keys() | right.keys()):
        if left.get(offset) == right.get(offset):
            continue
        kind = "missing" if offset not in right else "extra" if offset not in left else "content"
        out.append(f"offset {offset}: {kind}")
        if len(out) >= limit:
            break
    return out or ["order"]


def explain(source, destination, topic, destination_topic, partition, offset):
    """Both records of one offset, for the message of a failure."""
    sides = []
    for cluster, name in ((source, topic), (destination, destination_topic)):
        start, end = whole(cluster, name, [partition])[partition]
        got = read_records(cluster, name, {partition: (max(start, offset), min(end, offset + 1))})[partition]
        sides.append(repr(got[0])[:300] if got else "none")
    return f"source {sides[0]} | destination {sides[1]}"


BOTH = ("read_committed", "read_uncommitted")


def assert_equal(source, destination, topic, destination_topic=None, expect=None, partitions=None, upto=None,
                 ends=True, deadline=READ_DEADLINE, levels=BOTH[:1], timestamp_type=True):
    """Fails unless both sides hold the same records at the same offsets. Returns how many were compared.

    expect: how many records there must be, as a sum or {partition: count}; it must be given and not be zero.
    upto: {partition: end} compares only below those offsets. ends: the log ends must be equal too.
    levels: what a read_committed consumer gets from the source is what a consumer of each of these isolation levels
    must get from the destination; BOTH where the source has transactions. timestamp_type: False where the source has
    log append time, or none at all: only the times themselves must be equal.
    """
    assert expect, "say how many records are expected: nothing compared is no proof"
    dst_topic = destination_topic or topic
    src_parts = source.partitions(topic) if partitions is None else list(partitions)
    if partitions is None:
        dst_parts = destination.partitions(dst_topic)
        if src_parts != dst_parts:
            raise Differ(f"{topic}: partitions {len(src_parts)} at the source, {len(dst_parts)} at the destination")
    src, dst = whole(source, topic, src_parts), whole(destination, dst_topic, src_parts)
    if upto is not None:
        src, dst = ({p: (s, min(e, upto[p])) for p, (s, e) in r.items()} for r in (src, dst))
    wrong = [f"partition {p}: source [start, end) {src[p]}, destination {dst[p]}"
             for p in src_parts if (src[p] != dst[p] if ends else src[p][0] != dst[p][0])]
    how = {"deadline": deadline, "timestamp_type": timestamp_type}
    a = read(source, topic, src, **how)
    copies = {level: read(destination, dst_topic, dst, level, **how) for level in levels}
    for p, level in [(p, level) for p in src_parts for level in levels]:
        found = first_differences(a[p], copies[level][p])
        if not found:
            continue
        line = f"partition {p}, {level}: {len(a[p])} and {len(copies[level][p])} records; " + "; ".join(found)
        if found[0].startswith("offset") and len(wrong) < 5:
            offset = int(found[0].split()[1].rstrip(":"))
            line += "\n    " + explain(source, destination, topic, dst_topic, p, offset)
        wrong.append(line)
    if wrong:
        raise Differ(f"{topic} and {dst_topic} differ in {len(wrong)} places:\n  " + "\n  ".join(wrong[:20]))
    counts = {p: len(log) for p, log in a.items()}
    wanted = expect if isinstance(expect, dict) else {"sum": expect}
    have = counts if isinstance(expect, dict) else {"sum": sum(counts.values())}
    if {k: v for k, v in wanted.items() if v} != {k: v for k, v in have.items() if v}:
        raise Differ(f"{topic}: both sides are the same, but {have} records are there, {wanted} expected")
    return sum(counts.values())


def newest(rows):
    """{key: (offset, the record)} of read_records' rows."""
    return {row[1]: row for row in rows}


def assert_equal_compacted(source, destination, topic, expect, levels=BOTH):
    """For topics that cleaners of both sides compact at their own pace: what both sides have at an offset is equal,
    what one side lacks has a later record of its key there, and each key's newest record is equal.

    expect: {partition: how many keys}. Both sides must be at rest, with equal ends.
    """
    src, dst = whole(source, topic), whole(destination, topic)
    wrong = [f"partition {p}: end {src[p][1]}, at the destination {dst[p][1]}" for p in src if src[p][1] != dst[p][1]]
    a = read_records(source, topic, src)
    for level in levels:
        b = read_records(destination, topic, dst, level)
        for p in src:
            wrong += [f"partition {p}, {level}: {line}" for line in _compacted_differences(a[p], b[p])][:10]
    keys = {p: len(newest(rows)) for p, rows in a.items()}
    if keys != expect:
        wrong.append(f"keys {keys}, {expect} expected")
    if wrong:
        raise Differ(f"{topic} differs:\n  " + "\n  ".join(wrong[:20]))


def _compacted_differences(a, b):
    left, right = {r[0]: r for r in a}, {r[0]: r for r in b}
    for offset in sorted(left.keys() & right.keys()):
        if left[offset] != right[offset]:
            yield f"offset {offset}: {left[offset]!r} and {right[offset]!r}"
    for mine, others, side in ((left, newest(b), "destination"), (right, newest(a), "source")):
        for offset, row in sorted(mine.items()):
            later = others.get(row[1])
            if later is None or later[0] < offset:
                yield f"offset {offset}: missing at the {side}, and nothing newer of key {row[1]!r} is there"
