# SPDX-License-Identifier: Apache-2.0
"""Topics that the broker's own cleaner compacts soon, and looking at what it left."""
import os
import random
import re
import struct
import time

from confluent_kafka import Producer

from .produce import CODECS, EPOCH_MS
from .raw import Raw
from .util import wait_until

# Segments roll by the time of the records, which are 1 ms apart: every 50 records, whatever their size.
CONFIG = {"cleanup.policy": "compact", "segment.ms": "50", "min.cleanable.dirty.ratio": "0.00001",
          "min.compaction.lag.ms": "0", "delete.retention.ms": "86400000"}
CLEANER_DEADLINE = 90


class Keyed:
    """Writes keyed records and knows which of them a finished cleaner must leave."""

    def __init__(self, cluster, topic, partition=0, seed=3, transactional_id=None):
        self.cluster, self.topic, self.partition = cluster, topic, partition
        self.rng = random.Random(seed)
        self.transactional_id = transactional_id
        self.newest = {}     # key: number of its last visible record
        self.first = 0
        self.count = 0       # visible records written
        self.closed_ms = 0   # the latest time of a record that closed a segment by the clock

    def _producer(self, codec):
        config = {"compression.type": codec, "enable.idempotence": True, "linger.ms": 200, "batch.num.messages": 20}
        if self.transactional_id:
            config["transactional.id"] = f"{self.transactional_id}-{codec}"
        p = Producer(self.cluster.client(**config))
        if self.transactional_id:
            p.init_transactions(60)
        return p

    def write(self, keys, count, tombstones=0.05):
        """count records over `keys` keys, in batches of at most 20, by one producer per codec in turns; the batches of
        one producer are superseded by those of the next. In transactions where there is an id: each fourth aborted."""
        producers = [self._producer(c) for c in CODECS]
        turn = 0
        while count > 0:
            p, n = producers[turn % len(producers)], min(count, self.rng.randrange(5, 60))
            commit = turn % 4 != 3
            if self.transactional_id:
                p.begin_transaction()
            for i in range(self.first, self.first + n):
                key = b"key %d" % self.rng.randrange(keys)
                value = None if self.rng.random() < tombstones else b"value %d " % i + b"x" * (i % 50)
                p.produce(self.topic, value, key, self.partition, timestamp=EPOCH_MS + i)
                if commit or not self.transactional_id:
                    self.newest[key] = i
                    self.count += 1
            assert p.flush(60) == 0
            if self.transactional_id:
                p.commit_transaction(60) if commit else p.abort_transaction(60)
            self.first += n
            count -= n
            turn += 1

    def supersede(self):
        """One producer's last batch is superseded by another producer: the cleaner keeps it without records, as long
        as the producer counts as active."""
        for turn in range(2):
            p = self._producer(CODECS[turn])
            if self.transactional_id:
                p.begin_transaction()
            for i in range(self.first, self.first + 5):
                key = b"twice %d" % (i % 5)
                p.produce(self.topic, b"turn %d" % turn, key, self.partition, timestamp=EPOCH_MS + i)
                self.newest[key] = i
                self.count += 1
            self.first += 5
            assert p.flush(60) == 0
            if self.transactional_id:
                p.commit_transaction(60)

    def close_segments(self, now=False):
        """Records with keys of their own, in two more segments: all that was written before can be cleaned then.
        Behind a marker, which has the time of the broker's clock, a segment rolls by such times only: where there are
        transactions, and with `now` (a mirror's fills have markers too), each of the two is later than all before."""
        p = self._producer("none")
        for turn in range(2):
            self.first += 100  # in time
            if self.transactional_id:
                p.begin_transaction()
            self.closed_ms = max(self.closed_ms, int(time.time() * 1000)) + 1000
            key = b"last %d" % self.first
            p.produce(self.topic, b"last", key, self.partition,
                      timestamp=self.closed_ms if now or self.transactional_id else EPOCH_MS + self.first)
            assert p.flush(60) == 0
            if self.transactional_id:
                p.commit_transaction(60)
            self.newest[key] = self.first
            self.count += 1


def headers(cluster, topic, partition=0, start=0):
    """[(base offset, last offset, records, attributes)] of all batches, as the broker has them."""
    c = Raw(cluster.bootstrap)
    out = []
    try:
        end = cluster.ends(topic, [partition])[partition]
        while start < end:
            _, _, parts = c.fetch(topic, [(partition, start, 1 << 20, -1)])
            _, error, *_, records = parts[0]
            assert error == 0, f"fetch of {topic}/{partition} at {start}: error {error}"
            got = list(split(records))
            assert got, f"no batch at {start}, and the end is {end}"
            out += [h for h in got if h[1] >= start]
            start = got[-1][1] + 1
    finally:
        c.close()
    return out


def split(records):
    """The batch headers of a records field."""
    at = 0
    while at + 61 <= len(records):
        base, length = struct.unpack_from(">qi", records, at)
        if at + 12 + length > len(records):
            return
        attributes, delta = struct.unpack_from(">hi", records, at + 21)
        count, = struct.unpack_from(">i", records, at + 57)
        yield base, base + delta, count, attributes
        at += 12 + length


def shapes(batches):
    """Which kinds of holes these batches have: between, inside, empty."""
    found = set()
    for before, b in zip([None, *batches], batches):
        if before is not None and b[0] > before[1] + 1:
            found.add("between")
        if 0 < b[2] <= b[1] - b[0]:
            found.add("inside")
        if b[2] == 0:
            found.add("empty")
    return found


def cleaned_to(cluster, topic, partition=0):
    """Where the broker's cleaner has recorded that it came to; 0: it has not run there."""
    if cluster.kind == "sandbox":
        with open(cluster.log, errors="replace") as f:
            found = re.findall(rf"cleaned topic={re.escape(topic)} partition={partition} to=(\d+)", f.read())
        return int(found[-1]) if found else 0
    path = os.path.join(cluster.brokers[0].dir, "data", "cleaner-offset-checkpoint")
    try:
        with open(path) as f:
            rows = [line.rsplit(" ", 2) for line in f]
    except FileNotFoundError:
        return 0
    return next((int(r[2]) for r in rows if len(r) == 3 and r[0] == topic and int(r[1]) == partition), 0)


def wait_cleaned(cluster, topic, count, wanted=("between", "inside"), partition=0):
    """Until the cleaner has left so many visible records, in batches with these kinds of holes."""
    from . import judge

    def left():
        return len(judge.read(cluster, topic, {partition: judge.whole(cluster, topic, [partition])[partition]})[partition])
    wait_until(lambda: left() == count, CLEANER_DEADLINE,
               lambda: f"{count} records left by the cleaner in {topic}/{partition}: {left()}", every=0.5)
    found = shapes(headers(cluster, topic, partition))
    assert found >= set(wanted), f"holes of the kinds {sorted(found)}, not {wanted}"
