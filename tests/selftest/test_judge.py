# SPDX-License-Identifier: Apache-2.0
"""The judge must find each kind of difference. One that cannot fail proves nothing."""
import pytest
from confluent_kafka import Producer

from lib import judge
from lib.kafka import KafkaCluster
from lib.produce import CODECS, EPOCH_MS, produce, transaction
from lib.transactions import Interleaved


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    c = KafkaCluster(tmp_path_factory.mktemp("judge"), "4.3.0")
    try:
        yield c.start()
    finally:
        c.stop()


def write(cluster, topic, records):
    """records: (key, value, headers, timestamp)"""
    cluster.create_topic(topic)
    producer = Producer(cluster.client())
    for key, value, headers, ms in records:
        producer.produce(topic, value, key, 0, headers=headers, timestamp=ms)
    assert producer.flush(30) == 0


GOOD = [(b"k%d" % i, b"v%d" % i, [("a", b"1"), ("b", None)], EPOCH_MS + i) for i in range(20)]


def changed(i, record):
    out = list(GOOD)
    out[i] = record
    return out


def test_equal_copies_of_all_codecs(cluster):
    cluster.create_topic("src", 3)
    cluster.create_topic("same", 3)
    for topic in ("src", "same"):
        for n, codec in enumerate(CODECS):
            produce(cluster, topic, 300, 3, codec=codec, first=n * 300)
    assert judge.assert_equal(cluster, cluster, "src", expect=1500) == 1500
    assert judge.assert_equal(cluster, cluster, "src", "same", expect={0: 500, 1: 500, 2: 500}) == 1500
    with pytest.raises(judge.Differ, match="1501"):
        judge.assert_equal(cluster, cluster, "src", "same", expect=1501)


TAMPERED = {
    "key": changed(7, (b"other", b"v7", GOOD[7][2], EPOCH_MS + 7)),
    "null-key": changed(7, (None, b"v7", GOOD[7][2], EPOCH_MS + 7)),
    "value": changed(7, (b"k7", b"V7", GOOD[7][2], EPOCH_MS + 7)),
    "header": changed(7, (b"k7", b"v7", [("a", b"1"), ("b", b"")], EPOCH_MS + 7)),
    "header-order": changed(7, (b"k7", b"v7", [("b", None), ("a", b"1")], EPOCH_MS + 7)),
    "timestamp": changed(7, (b"k7", b"v7", GOOD[7][2], EPOCH_MS + 8)),
    "missing": GOOD[:7] + GOOD[8:],
    "extra": GOOD[:7] + [GOOD[7]] + GOOD[7:],
    "order": GOOD[:7] + [GOOD[8], GOOD[7]] + GOOD[9:],
    "tail": GOOD[:-1],
}


@pytest.fixture(scope="module")
def good(cluster):
    write(cluster, "good", GOOD)
    return "good"


@pytest.mark.parametrize("kind", TAMPERED)
def test_tampered_copy_is_found(cluster, good, kind):
    write(cluster, f"tampered-{kind}", TAMPERED[kind])
    # A record delivered twice differs first where its second copy stands.
    with pytest.raises(judge.Differ, match="offset %d:" % {"tail": 19, "extra": 8}.get(kind, 7)):
        judge.assert_equal(cluster, cluster, good, f"tampered-{kind}", expect=20)


def test_partition_count_and_empty_sides_are_found(cluster, good):
    cluster.create_topic("empty")
    cluster.create_topic("two", 2)
    with pytest.raises(AssertionError, match="no proof"):
        judge.assert_equal(cluster, cluster, "empty", "empty", expect=0)
    with pytest.raises(judge.Differ, match="expected"):
        judge.assert_equal(cluster, cluster, "empty", "empty", expect=1)
    with pytest.raises(judge.Differ, match="partitions 1"):
        judge.assert_equal(cluster, cluster, good, "two", expect=20)


def test_timestamp_type_is_compared(cluster, good):
    cluster.create_topic("append-time", config={"message.timestamp.type": "LogAppendTime"})
    produce(cluster, "append-time", 20)
    kinds = {r[5] for r in judge.read_records(cluster, "append-time", {0: (0, 20)})[0]}
    assert kinds == {2}
    with pytest.raises(judge.Differ, match="offset 0"):
        judge.assert_equal(cluster, cluster, good, "append-time", expect=20)


def test_control_records_do_not_hang_the_reader(cluster):
    cluster.create_topic("txn")
    transaction(cluster, "txn", [5, 5], "judge-c")
    transaction(cluster, "txn", [5], "judge-a", commit=False)
    assert judge.assert_equal(cluster, cluster, "txn", expect=10, deadline=20) == 10


def test_upto_compares_only_below(cluster, good):
    write(cluster, "longer", GOOD + [(None, b"after", None, EPOCH_MS)])
    with pytest.raises(judge.Differ, match="end"):
        judge.assert_equal(cluster, cluster, good, "longer", expect=20)
    assert judge.assert_equal(cluster, cluster, good, "longer", expect=20, upto={0: 20}) == 20


def test_a_crowd_of_transactions_is_what_it_says(cluster):
    """The producers of the scenarios: what they say is visible is what a consumer sees, with all kinds among it."""
    cluster.create_topic("crowd", 2)
    crowd = Interleaved(cluster, "crowd", 2).run(12)
    crowd.leave_open()
    ends, stable = cluster.ends("crowd"), cluster.stable_ends("crowd")
    assert any(stable[p] < ends[p] for p in ends), "nothing is open"
    crowd.run(3)
    seen = judge.read(cluster, "crowd", {p: (0, e) for p, e in cluster.stable_ends("crowd").items()})
    assert sum(map(len, seen.values())) < crowd.expect
    crowd.finish()
    ends = {p: (0, e) for p, e in cluster.ends("crowd").items()}
    seen = judge.read(cluster, "crowd", ends)
    assert {p: len(log) for p, log in seen.items()} == crowd.visible
    assert sum(map(len, judge.read(cluster, "crowd", ends, "read_uncommitted").values())) > crowd.expect, "no aborts"


def test_aborted_records_in_the_copy_are_seen(cluster):
    """A copy that carries an aborted transaction over as one is equal for one kind of consumer only."""
    cluster.create_topic("as-it-is")
    transaction(cluster, "as-it-is", [5], "as-it-is-0", commit=False)
    transaction(cluster, "as-it-is", [5], "as-it-is-1")
    judge.assert_equal(cluster, cluster, "as-it-is", expect=5)
    with pytest.raises(judge.Differ, match="read_uncommitted"):
        judge.assert_equal(cluster, cluster, "as-it-is", expect=5, levels=judge.BOTH)
