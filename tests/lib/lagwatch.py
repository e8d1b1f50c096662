# SPDX-License-Identifier: Apache-2.0
"""How far a mirror is behind in time, measured from outside by stock clients' ListOffsets."""
import threading
import time
from collections import deque

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec


class LagWatch:
    """While it is entered: samples both ends of some topics. `worst` is the longest that an offset which was seen at
    the source took to be at the destination, in seconds; a sample takes its time, so it reads high, never low."""

    def __init__(self, source, destination, topics, every=0.1):
        self.topics, self.every = topics, every
        self.clients = [AdminClient(c.client()) for c in (source, destination)]
        self.partitions = {t: source.partitions(t) for t in topics}
        self.waiting = {(t, p): deque() for t in topics for p in self.partitions[t]}
        self.worst, self.where, self.samples, self.error = 0.0, None, 0, None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _ends(self, client, level):
        wanted = {TopicPartition(t, p): OffsetSpec.latest() for t, p in self.waiting}
        got = client.list_offsets(wanted, isolation_level=level, request_timeout=10)
        return {(tp.topic, tp.partition): f.result(10).offset for tp, f in got.items()}

    def sample(self):
        # The destination first: what it has now was at the source before.
        copied = self._ends(self.clients[1], IsolationLevel.READ_UNCOMMITTED)
        now = time.monotonic()
        for at, queue in self.waiting.items():
            while queue and queue[0][0] <= copied[at]:
                queue.popleft()
            if queue and now - queue[0][1] > self.worst:
                self.worst, self.where = now - queue[0][1], f"{at[0]}/{at[1]} at {copied[at]} of {queue[-1][0]}"
        asked = time.monotonic()
        for at, end in self._ends(self.clients[0], IsolationLevel.READ_COMMITTED).items():
            queue = self.waiting[at]
            if not queue or queue[-1][0] < end:
                queue.append((end, asked))
        self.samples += 1

    def _run(self):
        while not self._stop.wait(self.every):
            try:
                self.sample()
            except KafkaException as e:
                self.error = self.error or e

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join(30)
