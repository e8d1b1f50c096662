# SPDX-License-Identifier: Apache-2.0
"""Transactional producers that take turns on the same partitions: commits, aborts, empty transactions, open ones."""
import random

from confluent_kafka import Producer

from .produce import EPOCH_MS, record
from .raw import Raw

DEADLINE = 60


def producer(cluster, transactional_id, codec="none", **config):
    """A transactional producer that is ready to begin."""
    p = Producer(cluster.client(**{"transactional.id": transactional_id, "acks": "all", "linger.ms": 0,
                                   "compression.type": codec, "transaction.timeout.ms": 600000, **config}))
    p.init_transactions(DEADLINE)
    return p


class Writer:
    """One producer and the transaction that it is in."""

    def __init__(self, cluster, topic, name, partitions, codec):
        self.topic, self.partitions = topic, partitions
        self.producer = producer(cluster, name, codec)
        self.written = None     # by partition, in the open transaction; None: not in one

    def write(self, rng, first, count):
        if self.written is None:
            self.producer.begin_transaction()
            self.written = dict.fromkeys(range(self.partitions), 0)
        for i in range(first, first + count):
            key, value, headers = record(rng, i)
            p = rng.randrange(self.partitions)
            self.producer.produce(self.topic, value, key, p, timestamp=EPOCH_MS + i,
                                  **({"headers": headers} if headers else {}))
            self.written[p] += 1
        # At the broker before anybody else has its turn: the batches of the producers then lie between each other.
        assert self.producer.flush(DEADLINE) == 0

    def end(self, commit):
        """What a consumer gets of it, by partition."""
        if commit:
            self.producer.commit_transaction(DEADLINE)
        else:
            self.producer.abort_transaction(DEADLINE)
        written, self.written = self.written, None
        return written if commit else {}


class Interleaved:
    """A crowd of transactional producers on the partitions of one topic.

    run() writes; `visible` counts by partition what a read_committed consumer must get; leave_open() leaves the
    transaction of one producer open, and finish() ends it.
    """

    CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, cluster, topic, partitions=1, producers=3, seed=1, name="txn"):
        self.cluster, self.topic, self.partitions = cluster, topic, partitions
        self.rng = random.Random(seed)
        self.name = f"{name}-{topic}"
        self.visible = dict.fromkeys(range(partitions), 0)
        self.first = 0
        self.writers = [Writer(cluster, topic, f"{self.name}-{n}", partitions, self.CODECS[n % 5])
                        for n in range(producers)]
        self.plain = Producer(cluster.client(**{"linger.ms": 0}))
        self.open = None

    @property
    def expect(self):
        return sum(self.visible.values())

    def _saw(self, written):
        for p, n in written.items():
            self.visible[p] += n

    def _plain_records(self, count):
        """Records of a producer without transactions come between."""
        for i in range(self.first, self.first + count):
            p = i % self.partitions
            self.plain.produce(self.topic, b"plain %d" % i, b"p%d" % i, p, timestamp=EPOCH_MS + i)
            self.visible[p] += 1
        self.first += count
        assert self.plain.flush(DEADLINE) == 0

    def run(self, transactions):
        """That many transactions, of which about a third is aborted; some empty ones between. All are ended."""
        ended = 0
        free = [w for w in self.writers if w is not self.open]
        while ended < transactions or any(w.written is not None for w in free):
            w = self.rng.choice(free)
            turn = self.rng.random()
            if w.written is not None and (turn < 0.4 or ended >= transactions):
                self._saw(w.end(commit=self.rng.random() < 0.66))
                ended += 1
            elif ended < transactions and turn < 0.9:
                count = self.rng.randrange(1, 12)
                w.write(self.rng, self.first, count)
                self.first += count
            elif turn < 0.95:
                self._plain_records(self.rng.randrange(1, 4))
            else:
                empty(self.cluster, self.topic, range(self.partitions), f"{self.name}-empty",
                      commit=self.rng.random() < 0.5)
        return self

    def leave_open(self, count=5):
        self.open = self.writers[0]
        self.open.write(self.rng, self.first, count)
        self.first += count

    @property
    def held(self):
        """The partitions on which the open transaction has written."""
        return [p for p, n in self.open.written.items() if n > 0]

    def finish(self, commit=True):
        self._saw(self.open.end(commit))
        self.open = None


def empty(cluster, topic, partitions, transactional_id, commit=True):
    """A transaction that writes nothing but its marker; no stock client writes one, applications that crash do."""
    c = Raw(cluster.bootstrap)
    try:
        c = _to_coordinator(c, transactional_id)
        pid, epoch = c.init_producer(transactional_id)
        c.add_partitions(transactional_id, pid, epoch, topic, partitions)
        c.end_transaction(transactional_id, pid, epoch, commit)
    finally:
        c.close()


def _to_coordinator(c, transactional_id):
    address = c.transaction_coordinator(transactional_id)
    c.close()
    return Raw(address)
