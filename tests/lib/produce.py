# SPDX-License-Identifier: Apache-2.0
"""Producers: stock clients that write what the mirror must carry."""
import random

from confluent_kafka import Producer

from .raw import Raw, batch

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
# A fixed start, so that a failing run can be read: 2024-01-01T00:00:00Z.
EPOCH_MS = 1704067200000
BIG = 20000


class Delivery:
    """Counts what was acknowledged; the first failure is kept."""

    def __init__(self):
        self.count = 0
        self.error = None

    def __call__(self, error, message):
        if error is None:
            self.count += 1
        elif self.error is None:
            self.error = error


def record(rng, i, size=None, headers=True):
    """(key, value, headers) of record i: null and empty keys and values, headers of all kinds come by."""
    kind = i % 16
    key = (None, b"", b"k%d" % (i % 97), rng.randbytes(1 + i % 40))[i % 4]
    if size is not None:
        value = rng.randbytes(max(1, size // 4)).hex().encode()[:size].ljust(size, b".")
    elif kind == 5:
        value = None
    elif kind == 6:
        value = b""
    else:
        value = b"value %d " % i + b"x" * (i % 211)
    if not headers or kind < 8:
        return key, value, None
    return key, value, [("h%d" % h, (None, b"", b"%d" % i, b"\x00\xff")[(h + i) % 4]) for h in range(kind - 7)]


def produce(cluster, topic, count, partitions=1, codec="none", idempotent=True, size=None, headers=True,
            seed=0, first=0, timestamp=EPOCH_MS, only=None, config=None):
    """Writes records first..first+count-1 round robin over the partitions and waits for all acknowledgements.

    size: of every value; None varies it, with null and empty ones between. timestamp: of record 0, one ms more
    for each; None leaves it to the client. only: partitions to write to. Returns {partition: records written}.
    """
    rng = random.Random(seed)
    done = Delivery()
    settings = {"compression.type": codec, "enable.idempotence": idempotent, "acks": "all", "linger.ms": 20,
                "message.max.bytes": 1000000, "queue.buffering.max.messages": 200000,
                "queue.buffering.max.kbytes": 262144, "message.timeout.ms": 120000}
    producer = Producer(cluster.client(**{**settings, **(config or {})}))
    targets = list(range(partitions)) if only is None else list(only)
    written = dict.fromkeys(targets, 0)
    for i in range(first, first + count):
        key, value, head = record(rng, i, size, headers)
        p = targets[i % len(targets)]
        more = {} if timestamp is None else {"timestamp": timestamp + i}
        if head:
            more["headers"] = head
        while True:
            try:
                producer.produce(topic, value, key, p, on_delivery=done, **more)
                break
            except BufferError:
                producer.poll(0.1)
        written[p] += 1
        if i % 1000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left or done.error or done.count != count:
        raise AssertionError(f"produced {done.count} of {count} to {topic}, {left} left, first error {done.error}")
    return written


def advance(cluster, topic, partition, count):
    """Offsets that will be deleted: records without a use, in few large batches."""
    raw = Raw(cluster.bootstrap)
    try:
        full = batch(min(BIG, count), key=b"gone")
        for _ in range(count // BIG):
            assert raw.produce(topic, partition, full)[0] == 0
        if count % BIG:
            assert raw.produce(topic, partition, batch(count % BIG, key=b"gone"))[0] == 0
    finally:
        raw.close()


def transaction(cluster, topic, batches, transactional_id, partitions=1, commit=True):
    """Writes each count of `batches` in a transaction of its own. commit: True, False, or None to leave the last
    one open (the producer is then returned and must be kept)."""
    producer = Producer(cluster.client(**{"transactional.id": transactional_id, "acks": "all"}))
    producer.init_transactions(30)
    for n, count in enumerate(batches):
        producer.begin_transaction()
        for i in range(count):
            producer.produce(topic, b"txn %d %d" % (n, i), b"k%d" % i, i % partitions, timestamp=EPOCH_MS + i)
        producer.flush(30)
        if commit is None and n == len(batches) - 1:
            return producer
        if commit is False:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    return None


class Load:
    """A producer that keeps writing from its own thread until stop(): `with Load(cluster, "t", 6) as load:`."""

    def __init__(self, cluster, topic, partitions=1, rate=2000, idempotent=True, codec="lz4", size=200,
                 config=None):
        import threading
        self.cluster, self.topic, self.partitions = cluster, topic, partitions
        self.rate, self.size = rate, size
        self.done = Delivery()
        self.sent = 0
        self.left = None
        self.producer = Producer(cluster.client(**{
            "compression.type": codec, "enable.idempotence": idempotent, "acks": "all", "linger.ms": 5,
            "message.timeout.ms": 300000, **(config or {})}))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        rng = random.Random(1)
        per_tick = max(1, self.rate // 50)
        while not self._stop.wait(0.02):
            for _ in range(per_tick):
                key, value, headers = record(rng, self.sent, self.size)
                more = {"headers": headers} if headers else {}
                try:
                    self.producer.produce(self.topic, value, key, self.sent % self.partitions, on_delivery=self.done,
                                          timestamp=EPOCH_MS + self.sent, **more)
                except BufferError:
                    break
                self.sent += 1
            self.producer.poll(0)
        self.left = self.producer.flush(300)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        """Stops and waits for all acknowledgements. Returns how many records were acknowledged."""
        self._stop.set()
        self._thread.join(330)
        if self.left or self.done.error:
            raise AssertionError(f"load on {self.topic}: {self.left} left, first error {self.done.error}")
        return self.done.count
