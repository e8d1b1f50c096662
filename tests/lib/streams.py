# SPDX-License-Identifier: Apache-2.0
"""Kafka Streams' own WordCountDemo, exactly once, fed by a stock producer."""
import os
import signal
import subprocess
import threading

from confluent_kafka import Producer

from .jvm import CACHE, JVM
from .krm import properties
from .util import Timeout, die_with_parent, wait_until

VERSION = "4.3.0"
DEMO = "org.apache.kafka.streams.examples.wordcount.WordCountDemo"
INPUT, OUTPUT = "streams-plaintext-input", "streams-wordcount-output"   # the demo's own names
WORDS = ("all streams lead to kafka hello kafka streams join kafka summit the quick brown fox jumps over the lazy dog "
         "it was the best of times it was the worst of times").split()


class WordCount:
    """The demo on one cluster. Its topics: INPUT, OUTPUT, and two of its own that it creates."""

    def __init__(self, cluster, dir, commit_ms=100, partitions=2):
        self.cluster, self.dir, self.partitions = cluster, str(dir), partitions
        self.app = f"wordcount-{os.path.basename(self.dir)}"
        self.topics = [INPUT, OUTPUT]
        self.config = properties(os.path.join(self.dir, "wordcount.properties"), {
            "bootstrap.servers": cluster.bootstrap, "application.id": self.app,
            "processing.guarantee": "exactly_once_v2", "commit.interval.ms": commit_ms,
            "state.dir": os.path.join(self.dir, "state"), "replication.factor": 1, "num.stream.threads": 1,
            # What the demo reads is deleted behind it; the mirror's log start must follow.
            "repartition.purge.interval.ms": 2000})
        self.log = os.path.join(self.dir, "wordcount.log")
        self.process = None
        self.lines = 0
        self._stop = threading.Event()
        self._feeder = None

    def start(self, deadline=90):
        """Returns when it has created its topics and counts."""
        jars = os.path.join(CACHE, "streams", VERSION)
        if not os.path.exists(os.path.join(jars, ".made-from")):
            raise FileNotFoundError(f"no jars of Kafka Streams {VERSION} in {jars}: run tools/deps")
        for t in (INPUT, OUTPUT):
            self.cluster.create_topic(t, self.partitions, config={"cleanup.policy": "compact"} if t == OUTPUT else {})
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*JVM, "-Xmx256m", "-cp", os.path.join(jars, "*"), DEMO, self.config],
                                            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            cwd=self.dir, start_new_session=True, preexec_fn=die_with_parent)
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

        def counts():
            assert self.process.poll() is None, f"WordCountDemo ended:\n{self.tail()}"
            self.topics = [INPUT, OUTPUT, *(t for t in self.cluster.topics() if t.startswith(self.app + "-"))]
            return len(self.topics) == 4 and sum(self.cluster.stable_ends(OUTPUT).values()) > 0
        wait_until(counts, deadline, lambda: f"WordCountDemo counts: {self.topics}\n{self.tail()}", every=0.5)
        return self

    def _feed(self):
        producer = Producer(self.cluster.client(**{"linger.ms": 5}))
        while not self._stop.wait(0.01):
            at = self.lines % (len(WORDS) - 6)
            producer.produce(INPUT, " ".join(WORDS[at:at + 5]).encode(), b"%d" % self.lines,
                             self.lines % self.partitions)
            self.lines += 1
            producer.poll(0)
        assert producer.flush(60) == 0

    def stop(self, deadline=60):
        """Stops feeding, waits until all is counted, and ends the demo as a user would: it commits what it has."""
        self._stop.set()
        self._feeder.join(60)
        words = self.lines * 5
        wait_until(lambda: self.counted() >= words, deadline,
                   lambda: f"{words} words counted: {self.counted()}\n{self.tail()}", every=0.5)
        self.end(deadline)

    def counted(self):
        """Committed records of the output: one per word, for nothing is cached."""
        from . import judge
        ends = {p: (0, e) for p, e in self.cluster.stable_ends(OUTPUT).items()}
        return sum(map(len, judge.read(self.cluster, OUTPUT, ends).values()))

    def end(self, deadline=60):
        self._stop.set()
        p, self.process = self.process, None
        if p is None:
            return
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(deadline)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Timeout(f"WordCountDemo did not end within {deadline} s:\n{self.tail()}") from None

    def remove(self):
        """The demo's topics have fixed names: the next scenario on this cluster starts from none."""
        self.end()
        for t in self.topics:
            if self.cluster.has_topic(t):
                self.cluster.delete_topic(t)

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-20:])
