# SPDX-License-Identifier: Apache-2.0
"""krsandbox against Kafka's own tools, and request for request against a real broker."""
import os
import re
import time
import uuid

import pytest

from confluent_kafka import Consumer, Producer, TopicPartition

from lib import compaction
from lib.judge import read_records, whole
from lib.jvm import tool
from lib.kafka import KafkaCluster
from lib.raw import Raw, batch
from lib.sandbox import SandboxCluster
from lib.util import wait_until

JAVA = os.environ.get("KAFKA_VERSIONS", "3.9.1,4.3.0").split(",")
TOOLS = "org.apache.kafka.tools."
PRODUCER = {"3": "kafka.tools.ConsoleProducer", "4": "org.apache.kafka.tools.ConsoleProducer"}
CONFIG = "kafka.admin.ConfigCommand"

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    cluster = SandboxCluster(tmp_path_factory.mktemp("sandbox")).start()
    yield cluster
    cluster.stop()


def run(java, name, *args, input=None):
    got = tool(java, name, *args, input=input)
    out = got.stdout.decode()
    assert got.returncode == 0, f"{name}: {out}\n{got.stderr.decode()[-2000:]}"
    return out


@pytest.mark.parametrize("java", JAVA)
def test_topic_tools(sandbox, java):
    at, topic = ("--bootstrap-server", sandbox.bootstrap), f"tools-{uuid.uuid4().hex[:8]}"
    run(java, TOOLS + "TopicCommand", *at, "--create", "--topic", topic, "--partitions", "2",
        "--config", "cleanup.policy=compact")
    run(java, TOOLS + "TopicCommand", *at, "--alter", "--topic", topic, "--partitions", "3")
    described = run(java, TOOLS + "TopicCommand", *at, "--describe", "--topic", topic)
    assert re.search(r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: cleanup.policy=compact", described)
    assert described.count("Leader: 1") == 3
    run(java, CONFIG, *at, "--alter", "--entity-type", "topics", "--entity-name", topic,
        "--add-config", "cleanup.policy=delete,retention.ms=-1")
    assert "retention.ms=-1" in run(java, CONFIG, *at, "--describe", "--entity-type", "topics", "--entity-name", topic)
    run(java, PRODUCER[java[0]], *at, "--topic", topic, input=b"one\ntwo\nthree\n")
    ends = run(java, TOOLS + "GetOffsetShell", *at, "--topic", topic)
    assert sum(int(line.split(":")[2]) for line in ends.splitlines() if line.startswith(topic)) == 3
    run(java, TOOLS + "TopicCommand", *at, "--delete", "--topic", topic)
    assert topic not in run(java, TOOLS + "TopicCommand", *at, "--list").split()


@pytest.mark.parametrize("java", JAVA)
def test_group_tools(sandbox, java):
    at, topic, group = ("--bootstrap-server", sandbox.bootstrap), f"grouped-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    groups, patience = TOOLS + "consumer.group.ConsumerGroupCommand", ("--timeout", "30000")  # 5 s by default
    sandbox.create_topic(topic, 1)
    run(java, PRODUCER[java[0]], *at, "--topic", topic, input=b"".join(b"%d\n" % i for i in range(10)))
    run(java, TOOLS + "consumer.ConsoleConsumer", *at, "--topic", topic, "--group", group, "--from-beginning",
        "--max-messages", "6", "--timeout-ms", "20000")
    assert group in run(java, groups, *at, *patience, "--list").split()

    def row():
        out = run(java, groups, *at, *patience, "--describe", "--group", group)
        found = re.search(rf"{group}\s+{topic}\s+0\s+(\d+)\s+10\s+(\d+)", out)
        assert found, out
        return found.groups()
    assert row() == ("6", "4")
    assert "Empty" in run(java, groups, *at, *patience, "--describe", "--group", group, "--state")
    run(java, groups, *at, *patience, "--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "2",
        "--execute")
    assert row() == ("2", "8")
    run(java, groups, *at, *patience, "--delete", "--group", group)
    assert group not in run(java, groups, *at, *patience, "--list").split()


@pytest.mark.parametrize("java", JAVA)
def test_a_transactional_producer(sandbox, java):
    topic = sandbox.create_topic(f"txn-{uuid.uuid4().hex[:8]}", 1)
    got = tool(java, TOOLS + "ProducerPerformance", "--topic", topic, "--num-records", "10", "--record-size", "10",
               "--throughput", "-1", "--transactional-id", "x", "--transaction-duration-ms", "100", "--producer-props",
               f"bootstrap.servers={sandbox.bootstrap}")
    assert got.returncode == 0, got.stdout + got.stderr
    ends = run(java, TOOLS + "GetOffsetShell", "--bootstrap-server", sandbox.bootstrap, "--topic", topic)
    records = read_records(sandbox, topic, whole(sandbox, topic))[0]
    assert len(records) == 10
    # Each transaction ends with a marker.
    assert int(ends.split(":")[2]) > 10


def transactions(cluster, topic, group, count):
    """Commits and aborts by turns: {offset: value} of what is committed."""
    producer = Producer(cluster.client(**{"transactional.id": uuid.uuid4().hex, "acks": "all"}))
    consumer = Consumer(cluster.client(**{"group.id": group, "enable.auto.commit": False}))
    producer.init_transactions(30)
    kept = {}
    for n in range(count):
        commit = n % 3 != 1
        producer.begin_transaction()
        for i in range(n % 4):
            producer.produce(topic, b"%d %d" % (n, i), partition=0, on_delivery=lambda error, m, commit=commit: (
                kept.update({m.offset(): m.value()}) if commit and not error else None))
        producer.flush(30)
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, n)], consumer.consumer_group_metadata(), 30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    last = max(n for n in range(count) if n % 3 != 1)
    assert consumer.committed([TopicPartition(topic, 0)], 30)[0].offset == last
    consumer.close()
    return kept


def test_librdkafka_transactions(sandbox):
    topic = sandbox.create_topic(f"txn-{uuid.uuid4().hex[:8]}", 1)
    kept = transactions(sandbox, topic, uuid.uuid4().hex, 20)
    got = read_records(sandbox, topic, whole(sandbox, topic))[0]
    assert {r[0]: r[2] for r in got} == kept and len(kept) == 20
    # One marker for each transaction that had records.
    assert sandbox.ends(topic)[0] == sum(n % 4 for n in range(20)) + sum(n % 4 > 0 for n in range(20))


# -- the same requests to the sandbox and to a real broker ---------------------------------------------

@pytest.fixture(scope="module", params=JAVA)
def both(request, tmp_path_factory, sandbox):
    real = KafkaCluster(tmp_path_factory.mktemp("real"), request.param).start()
    yield sandbox, real
    real.stop()


class Side:
    """One cluster in a comparison: a fresh topic, a connection, and what it answered."""

    def __init__(self, cluster, partitions=2, config=None):
        self.cluster = cluster
        self.topic = cluster.create_topic(f"same-{uuid.uuid4().hex[:8]}", partitions, config=config)
        self.group = uuid.uuid4().hex
        self.raw = Raw(cluster.bootstrap)
        self.answers = []

    def settled(self):
        """A real broker answers 6 for a moment after a topic was made."""
        for p in self.cluster.partitions(self.topic):
            wait_until(lambda: self.raw.offset(self.topic, p, -1)[0] == 0, 20, f"{self.topic}/{p} has a leader")
        return self

    def say(self, what, answer):
        self.answers.append((what, answer))
        return answer


def compare(clusters, script, **kw):
    sides = [Side(c, **kw).settled() for c in clusters]
    for side in sides:
        try:
            script(side)
        finally:
            side.raw.close()
    ours, theirs = sides
    differ = [f"{a[0]}: sandbox {a[1]}, real {b[1]}" for a, b in zip(ours.answers, theirs.answers) if a != b]
    assert not differ, "\n" + "\n".join(differ)


def test_batches_are_judged_alike(both):
    def script(s):
        future = 4102444800000
        good = batch(2)
        cases = {
            "good": good, "base offset": batch(2, base=1), "magic 1": batch(2, magic=1), "magic 3": batch(2, magic=3),
            "delta": batch(2, delta=2), "negative delta": batch(2, delta=-1), "count 0": batch(2, count=0),
            "count and delta": batch(2, count=3, delta=2), "fewer": batch(2, count=1, delta=0),
            "control": batch(1, attributes=0x20), "crc": batch(2, crc=1), "two": good + good,
            "cut second": good + good[:-1], "empty": b"", "cut": good[:-1], "short": good[:16], "tiny": good[:20],
            "log append time": batch(2, attributes=8), "no timestamp": batch(2, ts=-1), "old": batch(2, ts=1),
            "delete horizon": batch(2, attributes=0x40), "future": batch(2, ts=future),
            "transactional": batch(1, attributes=0x10, pid=77, epoch=0, seq=0),
            "id without sequence": batch(1, pid=77, epoch=0, seq=-1), "no key": batch(1), "key": batch(1, key=b"k"),
            "large": batch(400),
        }
        # From 4.0 on the future has an end.
        if not s.cluster.version.startswith("3"):
            s.cluster.alter_topic(s.topic, message__timestamp__after__max__ms="9223372036854775807")
            wait_until(lambda: s.cluster.topic_config(s.topic)["message.timestamp.after.max.ms"] != "3600000", 20, "set")
            wait_until(lambda: s.raw.produce(s.topic, 1, batch(1, ts=future))[0] == 0, 20, "in force")
        for name, records in cases.items():
            s.say(name, s.raw.produce(s.topic, 0, records))
        s.say("acks", s.raw.produce(s.topic, 0, good, acks=2)[0])
        s.say("partition", s.raw.produce(s.topic, 9, good))
        s.say("topic", s.raw.produce("none-such", 0, good))
        for offset in range(0, s.raw.offset(s.topic, 0, -1)[2], 2):
            s.say(("log", offset), s.raw.fetch(s.topic, [(0, offset, 1, -1)]))
    compare(both, script, config={"max.message.bytes": "4096"})


def test_topic_settings_judge_alike(both):
    def script(s):
        s.say("no key", s.raw.produce(s.topic, 0, batch(2))[0])
        s.say("keys", s.raw.produce(s.topic, 0, batch(2, key=b"k"))[0])
        s.say("delete", s.raw.delete_records(s.topic, 0, -1))
    compare(both, script, config={"cleanup.policy": "compact"})

    def stamped(s):
        error, base, at, start = s.raw.produce(s.topic, 0, batch(2))
        s.say("stamped", (error, base, abs(at - time.time() * 1000) < 60000, start))
    compare(both, stamped, config={"message.timestamp.type": "LogAppendTime"})


def test_producers_are_fenced_alike(both):
    def script(s):
        def send(pid, epoch, seq, n=1):
            s.say(("produce", pid, epoch, seq, n), s.raw.produce(s.topic, 0, batch(n, pid=pid, epoch=epoch, seq=seq)))

        def mark(pid, epoch, coordinator):
            s.say(("mark", pid, epoch, coordinator), s.raw.markers(s.topic, [(pid, epoch, coordinator, 0)]))
        a, b, c, d = 1 << 62, (1 << 62) + 1, 3 << 61, 9
        for seq in (777, 777, 778, 780, 778, 779, 780, 781, 782, 783, 778, 779, 777):
            send(a, 0, seq)
        send(a, 0, 784, 3)
        send(a, 0, 784, 2)
        send(a, 0, 786, 1)
        send(a, 1, 5)
        send(a, 1, 0)
        send(a, 0, 787)
        send(b, 0, 2**31 - 2, 2)
        send(b, 0, 0)
        send(b, 0, 2**31 - 2, 2)
        send(d, 0, 2**31 - 1, 3)
        send(d, 0, 2)
        for epoch, coordinator in ((3, 64), (2, 100), (3, 63), (4, 63), (3, 64), (3, 96), (32767, 2**31 - 1)):
            mark(c, epoch, coordinator)
        mark(b, 0, 0)
        send(b, 0, 1)
        mark(b, 1, 0)
        send(b, 0, 2)
        send(b, 1, 2)
        send(b, 1, 0)
        mark(500, 0, 0)
        send(500, 0, 1)
        send(500, 0, 0)
        s.say("merged", s.raw.markers(s.topic, [(600, 1, 5, 0), (600, 0, 5, 0), (600, 1, 5, 0), (601, 0, 0, 1)]))
        error, producers = s.raw.producers(s.topic, 0)
        s.say("producers", (error, [(*p[:3], *p[4:]) for p in producers]))
        s.say("no partition", s.raw.producers(s.topic, 7))
        s.say("end", s.raw.offset(s.topic, 0, -1, replica=-3))
    compare(both, script)


def test_transactions_answer_alike(both):
    def script(s):
        r, t, x = s.raw, s.topic, f"txn-{uuid.uuid4().hex}"
        r.transaction_coordinator(x)
        r.init_producer(x + "0")

        def init(*args, **kw):
            """A broker says 51 until the markers of the last transaction are written."""
            got = r.ask_init_producer(*args, **kw)
            while got[0] == 51:
                time.sleep(0.02)
                got = r.ask_init_producer(*args, **kw)
            return got

        def end(who, pid, epoch, commit):
            got = r.ask_end(who, pid, epoch, commit)
            s.say(("end", epoch, commit), got)
            if got == 0:
                wait_until(lambda: r.describe_txn(who)[1].startswith("Complete"), 20, "the markers")

        # A broker begins a new segment where a marker of today follows old records.
        now = int(time.time() * 1000)

        def add(who, pid, epoch, parts, **kw):
            s.say(("add", epoch, parts, kw), r.ask_add_partitions(who, pid, epoch, t, parts, **kw))

        def send(pid, epoch, seq, n=1, attributes=0x10, partition=0, who=x):
            error, base, _, start = r.produce(t, partition, batch(n, pid=pid, epoch=epoch, seq=seq, ts=now,
                                                                  attributes=attributes), transactional_id=who)
            s.say(("send", epoch, seq, n, attributes, partition), (error, base, start))

        def state(pid):
            s.say("stable", (r.offset(t, 0, -1), r.offset(t, 0, -1, isolation=1)))
            _, known = r.producers(t, 0)
            s.say("open", [(p[1], p[2], p[4], p[5]) for p in known if p[0] == pid])
        for timeout in (0, -1, 900001):
            s.say(("timeout", timeout), r.ask_init_producer(x, timeout))
        s.say("empty", r.ask_init_producer(""))
        s.say("half", r.ask_init_producer(x, pid=5))
        error, pid, epoch = init(x)
        s.say("first", (error, epoch))
        s.say("fresh", r.describe_txn(x))
        s.say("unknown", r.describe_txn("none" + x))
        error, same, epoch = init(x)
        s.say("second", (error, same == pid, epoch))
        s.say("with", [g if i != 1 else g == pid for i, g in enumerate(init(x, pid=pid, epoch=1))])
        s.say("again", [g if i != 1 else g == pid for i, g in enumerate(init(x, pid=pid, epoch=1))])
        s.say("old", r.ask_init_producer(x, pid=pid, epoch=0))
        s.say("other", r.ask_init_producer(x, pid=pid + 1000, epoch=2))
        send(pid, 2, 0)                         # was not added
        add(x, pid, 2, [0, 7])
        add("none" + x, pid, 2, [0])
        add(x, pid + 1000, 2, [0])
        for version in (1, 2):
            add(x, pid, 1, [0], version=version)
        s.say("end of nothing", r.ask_end(x, pid, 2, True))
        add(x, pid, 2, [0])
        add(x, pid, 2, [0])
        s.say("ongoing", (lambda d: (*d[:5], [p for _, p in d[5]]))(r.describe_txn(x)))
        send(pid, 2, 0, who=None)
        send(pid, 1, 0)
        send(pid + 1000, 2, 0)
        send(pid, 2, 0, partition=1)
        send(pid, 2, 0, n=3)
        send(pid, 2, 0, n=3)
        send(pid, 2, 3, attributes=0)
        send(pid, 2, 4)
        send(77, 0, 0, attributes=0, who=None)  # somebody without a transaction
        state(pid)
        for isolation in (0, 1):
            s.say(("open", isolation), pids(pid, r.fetch(t, [(0, 0, 1 << 20, -1)], isolation=isolation)[2]))
        end(x, pid, 2, False)
        for commit in (False, True):
            s.say(("ended", commit), r.ask_end(x, pid, 2, commit))
        s.say("done", r.describe_txn(x)[:4])
        state(pid)
        send(pid, 2, 3)                         # not in the next one yet
        add(x, pid, 2, [0, 1])
        send(pid, 2, 3, n=2)
        end(x, pid, 2, True)
        state(pid)
        for n in range(3):
            add(x, pid, 2, [0])
            send(pid, 2, 5 + n)
            end(x, pid, 2, n == 1)
        end_of_log = r.offset(t, 0, -1)[2]
        for offset in range(end_of_log + 1):
            for most in (1, 1 << 20):
                s.say(("aborted", offset, most), pids(pid, r.fetch(t, [(0, offset, most, -1)], isolation=1)[2]))
        # A new owner ends what the old one left open.
        add(x, pid, 2, [0])
        send(pid, 2, 8)
        s.say("busy", r.ask_init_producer(x)[0])
        error, same, epoch = init(x)
        s.say("owner", (error, same == pid, epoch))
        send(pid, 2, 9)
        s.say("fenced", (r.ask_end(x, pid, 2, True), r.ask_end(x, pid, 2, True, version=1),
                         r.add_offsets(x, pid, 2, s.group)))
        state(pid)
        # A marker from elsewhere ends it too, and the coordinator does not know.
        add(x, pid, epoch, [0])
        send(pid, epoch, 0)
        for e, c in ((epoch - 1, 0), (epoch, 5), (epoch, 4)):
            s.say(("mark", e - epoch, c), list(r.markers(t, [(pid, e, c, 0)]).values()))
        state(pid)
    compare(both, script)


def pids(pid, parts):
    """Fetched partitions without what differs: the producer id, times and checksums."""
    return [(*p[:5], p[5] and sorted((i == pid, first) for i, first in p[5]), len(p[6] or b"")) for p in parts]


def cleanable(cluster, retention):
    """Batches that begin a segment each, of few keys: superseded, deleted, committed, aborted, of producers alive."""
    topic = cluster.create_topic(f"clean-{uuid.uuid4().hex[:8]}", 1, config={
        **compaction.CONFIG, "delete.retention.ms": str(retention)})
    raw, x, seqs = Raw(cluster.bootstrap), f"txn-{uuid.uuid4().hex}", {}
    wait_until(lambda: raw.offset(topic, 0, -1)[0] == 0, 20, f"{topic} has a leader")
    raw.transaction_coordinator(x)
    pid, epoch = raw.init_producer(x)
    at = ts = 0

    def write(key, n=1, who=-1, value=b"value", txn=False):
        nonlocal at, ts
        at += 1
        # Ahead of the clock, so that no marker is younger than its segment, which would begin another one.
        ts = max(ts + 100, int(time.time() * 1000) + 10000)
        error = raw.produce(topic, 0, batch(
            n, pid=who, epoch=epoch if txn else 0 if who >= 0 else -1, seq=seqs.get(who, 0) if who >= 0 else -1,
            ts=ts, key=key, value=value, attributes=0x10 if txn else 0),
            transactional_id=x if txn else None)[0]
        assert error == 0, error
        seqs[who] = seqs.get(who, 0) + n

    def transaction(key, n, commit):
        raw.add_partitions(x, pid, epoch, topic, [0])
        write(key, n, pid, txn=True)
        raw.end_transaction(x, pid, epoch, commit)
        wait_until(lambda: raw.offset(topic, 0, -1)[2] == raw.offset(topic, 0, -1, isolation=1)[2], 20, "the marker")

    def stage():
        write(b"a", 3)
        write(b"b", 2, who=1 << 62)
        write(b"c")
        write(b"a", 2)
        write(b"b", 2, who=(1 << 62) + 1)
        write(b"c", value=None)
        transaction(b"d", 2, True)
        transaction(b"e", 3, False)
        write(b"d")
        transaction(b"f", 1, True)
        transaction(b"a", 1, False)
        write(b"g", 2)

    def nudge():
        write(b"end %d" % at)
    return topic, stage, nudge


def test_the_cleaner_leaves_alike(both):
    for retention in (86400000, 50):
        sides = [(c, *cleanable(c, retention)) for c in both]
        for _ in range(3):
            for _, _, stage, _ in sides:
                stage()

            def left():
                return [compaction.headers(c, topic) for c, topic, *_ in sides]

            def alike():
                """A marker goes some passes after its records: there must be something new for each."""
                ours, theirs = left()
                if ours == theirs and "between" in compaction.shapes(ours):
                    return True
                for *_, nudge in sides:
                    nudge()
                return False
            wait_until(alike, 60, lambda: "the same batches: sandbox %s\nreal    %s" % tuple(left()), every=1)


def test_offsets_in_transactions_alike(both):
    def script(s):
        r, t, g, x = s.raw, s.topic, s.group, f"txn-{uuid.uuid4().hex}"
        wait_until(lambda: r.find_coordinator(g) == 0 and r.heartbeat(g, 1, "x") == 25, 30, "a group coordinator")
        r.transaction_coordinator(x)
        r.init_producer(x + "0")
        pid, epoch = r.init_producer(x)

        def end(commit):
            s.say(("end", commit), r.ask_end(x, pid, epoch, commit))
            wait_until(lambda: r.describe_txn(x)[1].startswith("Complete"), 20, "the markers")
        for n, commit in enumerate((True, False, True)):
            s.say("group", r.add_offsets(x, pid, epoch, g))
            s.say("offset", r.txn_commit(x, pid, epoch, g, t, 0, 10 + n))
            s.say("partition", r.txn_commit(x, pid, epoch, g, t, 9, 10 + n))
            s.say("open", (r.committed(g, t, 0)[0], r.committed_stable(g, t, 0), r.committed_stable(g, t, 1)))
            end(commit)
            wait_until(lambda: r.committed_stable(g, t, 0)[1] == 0, 20, "the offsets are settled")
            s.say("ended", r.committed_stable(g, t, 0))
    compare(both, script)


def test_reads_and_offsets_alike(both):
    def script(s):
        one = len(batch(10))
        for i in range(4):
            s.raw.produce(s.topic, 0, batch(10, ts=1000 + i * 100))
            s.raw.produce(s.topic, 1, batch(10, ts=1000))
        for first, second, most in ((one * 2 + 7, one, 1 << 20), (1, one - 1, 1 << 20), (1 << 20, 1 << 20, one + 1),
                                    (1 << 20, 1 << 20, 0), (one, one, one * 3)):
            s.say((first, second, most), s.raw.fetch(s.topic, [(0, 3, first, -1), (1, 25, second, -1)], max_bytes=most))
        for offset in (-1, 0, 39, 40, 41):
            s.say(("fetch", offset), s.raw.fetch(s.topic, [(0, offset, 1 << 20, -1)]))
        for epoch in (0, 5):
            s.say(("epoch", epoch), s.raw.fetch(s.topic, [(0, 0, 1 << 20, epoch)]))
            s.say(("list epoch", epoch), s.raw.offset(s.topic, 0, -1, epoch=epoch))
            s.say(("epoch end", epoch), s.raw.epoch_end(s.topic, 0, epoch))
            s.say(("epoch end now", epoch), s.raw.epoch_end(s.topic, 0, 0, current=epoch))
        s.say("committed", s.raw.fetch(s.topic, [(0, 30, 1 << 20, -1)], isolation=1))
        s.say("unknown", s.raw.fetch(s.topic, [(8, 0, 1 << 20, -1)]))
        for timestamp in (-1, -2, -3, -9, 0, 1100, 1101, 1300, 1301):
            s.say(("list", timestamp), s.raw.offset(s.topic, 0, timestamp))
        for replica in (-1, -2, -3):
            s.say(("replica", replica), s.raw.offset(s.topic, 0, -1, replica=replica))
        for offset in (15, 3, 99, -2, -1):
            s.say(("delete", offset), s.raw.delete_records(s.topic, 0, offset))
            s.say("start", s.raw.offset(s.topic, 0, -2))
        s.say("below", s.raw.fetch(s.topic, [(0, 3, 1 << 20, -1)])[2][0][:3])
    compare(both, script)


def test_fetch_sessions_alike(both):
    def script(s):
        def ask(sid, epoch, parts=(), forget=()):
            error, got, partitions = s.raw.fetch(s.topic, [(p, o, 1 << 20, -1) for p, o in parts], (sid, epoch),
                                                 forget=forget)
            s.say((epoch, parts, forget), (error, got == sid, [p[:3] for p in partitions]))
            return got
        sid = ask(0, 0, [(0, 0), (1, 0)])
        ask(sid, 1)
        s.raw.produce(s.topic, 1, batch(3))
        ask(sid, 2)
        ask(sid, 3)
        ask(sid, 4, [(1, 3)])
        ask(sid, 4)
        ask(sid + 1, 5)
        s.raw.produce(s.topic, 0, batch(1))
        ask(sid, 5, forget=[0])
        ask(sid, 6, [(1, 50)])
        ask(sid, 7)
        ask(sid, 8, [(1, 0)])
        ask(sid, -1, [(1, 3)])
        ask(sid, 9)
    compare(both, script)


def test_groups_answer_alike(both):
    def script(s):
        r, g, t = s.raw, s.group, s.topic
        wait_until(lambda: r.find_coordinator(g) == 0 and r.heartbeat(g, 1, "x") == 25, 30, "a coordinator")
        s.say("none", r.committed(g, t, 0))
        s.say("generation", r.commit(g, t, 0, 5, generation=3))
        s.say("simple", r.commit(g, t, 0, 5, metadata="note"))
        s.say("committed", r.committed(g, t, 0))
        s.say("partition", r.commit(g, t, 7, 5))
        s.say("metadata", r.commit(g, t, 0, 5, metadata="x" * 4097))
        s.say("session", r.join(g, session=5999)[0])
        s.say("nobody", r.join(g, member="nobody")[0])
        s.say("no protocol", r.join(g, protocols=())[0])
        error, _, _, _, member, _ = r.join(g)
        s.say("an id", (error, member.startswith("raw-")))
        error, generation, protocol, leader, again, members = r.join(g, member=member)
        s.say("joined", (error, protocol, leader == member, again == member, [m[2] for m in members]))
        s.say("sync early", r.sync(g, generation + 1, member))
        s.say("sync", r.sync(g, generation, member, [(member, b"all")]))
        s.say("sync again", r.sync(g, generation, member))
        for gen, who in ((0, member), (1, member), (0, "nobody")):
            s.say(("heartbeat", gen, who == member), r.heartbeat(g, generation + gen, who))
            s.say(("commit", gen, who == member), r.commit(g, t, 0, 9, generation=generation + gen, member=who))
        s.say("heartbeat as an instance", r.heartbeat(g, generation, member, instance="i"))
        s.say("simple commit in a live group", r.commit(g, t, 0, 1))
        s.say("other type", r.join(g, kind="connect")[0])
        s.say("other protocol", r.join(g, protocols=("sticky",))[0])
        s.say("leave nobody", r.leave(g, "nobody"))
        s.say("leave", r.leave(g, member))
        s.say("gone", r.heartbeat(g, generation, member))
        s.say("no group", (r.heartbeat("none-" + g, 1, "x"), r.leave("none-" + g, "x"), r.sync("none-" + g, 1, "x")))
        # A static member, and its successor.
        g += "-static"
        error, generation, _, _, first, _ = r.join(g, instance="i")
        s.say("static", (error, r.sync(g, generation, first, [(first, b"all")])))
        error, again, _, leader, second, members = r.join(g, instance="i")
        s.say("successor", (error, again == generation, second != first, leader == first, len(members)))
        s.say("fenced", (r.heartbeat(g, generation, first, instance="i"), r.leave(g, first, instance="i"),
                         r.commit(g, t, 0, 1, generation=generation, member=first, instance="i")))
        s.say("kept", (r.heartbeat(g, generation, second, instance="i"), r.sync(g, generation, second)))
        s.say("leave by instance", r.leave(g, "", instance="i"))
    compare(both, script)


def test_topics_are_refused_alike(both):
    def script(s):
        name = s.topic + ".new"
        s.say("validated", s.raw.create(name, validate=True))
        cases = [(s.topic,), ("",), ("..",), ("x/y",), ("x" * 250,), (s.topic.replace("-", "_") + "x",), (name, 0),
                 (name, -2), (name, 1, 0), (name, 1, 2), (name, 1, 1, [("no.such", "1")]),
                 (name, 1, 1, [("retention.ms", "x")]), (name, 1, 1, [("retention.ms", None)]),
                 (name, 1, 1, [("cleanup.policy", "wipe")]), (name, 1, 1, [("min.insync.replicas", "0")])]
        for case in cases:
            s.say(("create", *case[1:]), s.raw.create(*case))
        s.say("assigned", s.raw.create(name, -1, -1, assignments=[(0, [99])]))
        s.say("counts too", s.raw.create(name, 1, 1, assignments=[(0, [1])]))
        s.say("from 1", s.raw.create(name, -1, -1, assignments=[(1, [1])]))
        s.say("dotted", s.raw.create(name.replace("-", "."), -1, -1))
        s.say("collision", s.raw.create(name.replace("-", "_").replace(".", "_"), -1, -1))
        for count in (2, 1, 0, 3):
            s.say(("grow", count), s.raw.grow(s.topic, count))
        s.say("grow none", s.raw.grow("none-such", 3))
    compare(both, script)
