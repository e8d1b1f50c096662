# SPDX-License-Identifier: Apache-2.0
"""Topics that the brokers' own cleaners have compacted, or compact while they are mirrored."""
import os

import pytest

from lib import compaction, contract, judge
from lib.compaction import CONFIG, Keyed
from lib.produce import EPOCH_MS
from lib.raw import Raw, batch
from lib.util import pace, wait_until

KINDS = pytest.mark.parametrize("transactional", (False, True), ids=("plain", "transactional"))


def keyed(site, transactional, config=CONFIG):
    topic = site.topic("table")
    site.source.create_topic(topic, config=config)
    return topic, Keyed(site.source, topic, transactional_id=f"table-{site.id}" if transactional else None)


def compacted(site, keys, count, transactional):
    """A topic with holes of every kind, in which nothing is left to clean."""
    topic, table = keyed(site, transactional)
    table.write(keys, count)
    table.supersede()
    table.close_segments()
    compaction.wait_cleaned(site.source, topic, len(table.newest),
                            ("between", "inside") if transactional else ("between", "inside", "empty"))
    return topic, table


def caught_up(site, topic, deadline=60):
    """A transaction's marker is written a moment after its producer was told that it is ended."""
    site.wait_transactions(topic)
    site.wait_caught_up(topic, deadline=deadline)


def mirror(site, topic):
    site.create_link()
    site.create_mirror(topic)
    return site.worker()


@KINDS
def test_compacted_before_it_is_mirrored(site, counts, transactional):
    """Equal, and still equal when the destination's cleaner has run over it."""
    count = counts(600, 100000)
    topic, table = compacted(site, counts(60, 5000), count, transactional)
    mirror(site, topic)
    caught_up(site, topic, 60 + count // 200)   # each commit is an append and a fill
    site.assert_equal(topic, len(table.newest), levels=judge.BOTH)
    assert "compact" in site.destination.topic_config(topic)["cleanup.policy"]
    # What is written now rolls the destination's segments, so that its cleaner may have the rest.
    mirrored = site.destination.ends(topic)[0]

    def cleaned():
        table.close_segments(now=True)
        return compaction.cleaned_to(site.destination, topic) >= mirrored
    wait_until(cleaned, compaction.CLEANER_DEADLINE,
               lambda: f"the destination's cleaner at {mirrored}: {compaction.cleaned_to(site.destination, topic)}",
               every=0.5)
    caught_up(site, topic)
    site.assert_equal(topic, len(table.newest), levels=judge.BOTH)


@KINDS
def test_compacted_while_it_is_mirrored(site, counts, transactional):
    """Both cleaners run at their own pace. The worker is killed meanwhile, so that it opens in the middle of what the
    source's cleaner has changed since."""
    topic, table = keyed(site, transactional)
    worker = mirror(site, topic)
    rounds = counts(4, 40)
    for turn in range(rounds):
        table.write(40, 300)
        if turn % 2:
            worker.kill()
            worker.start()
    table.close_segments()
    caught_up(site, topic)
    judge.assert_equal_compacted(site.source, site.destination, topic, {0: len(table.newest)})


def test_cleaned_below_a_worker_that_was_away(site):
    """What the mirror has is compacted at the source before the worker comes back: the copy keeps what it has."""
    topic, table = keyed(site, False)
    worker = mirror(site, topic)
    table.write(40, 300)
    caught_up(site, topic)
    worker.terminate()
    table.write(40, 600)
    table.supersede()
    table.close_segments()
    compaction.wait_cleaned(site.source, topic, len(table.newest))
    worker.start()
    caught_up(site, topic)
    judge.assert_equal_compacted(site.source, site.destination, topic, {0: len(table.newest)})


def test_tombstones_expire_at_each_side(site):
    """delete.retention.ms 1: the source's tombstones go, and so do the copies; no key has a value that is over."""
    topic, table = keyed(site, False, CONFIG | {"delete.retention.ms": "1"})
    worker = mirror(site, topic)
    table.write(30, 300, tombstones=0.4)
    for _ in range(3):
        table.close_segments()
    caught_up(site, topic)
    assert worker.alive

    def values(cluster):
        rows = judge.read_records(cluster, topic, judge.whole(cluster, topic))[0]
        return {k: r[2] for k, r in judge.newest(rows).items() if r[2] is not None}
    wait_until(lambda: values(site.source) == values(site.destination), 60,
               lambda: f"{values(site.source)} and {values(site.destination)}")
    assert len(values(site.source)) > 5


def test_a_live_table_with_a_live_cleaner(site, counts):
    """Written, cleaned and copied at the same time."""
    topic, table = keyed(site, False)
    mirror(site, topic)
    table.write(50, counts(3000, 60000))
    table.close_segments()
    caught_up(site, topic, 120)
    judge.assert_equal_compacted(site.source, site.destination, topic, {0: len(table.newest)})


def end_with_nothing(cluster, topics):
    """Topics whose newest record is a tombstone, below an empty active segment: a batch that came twice has rolled it,
    by its time. The cleaner comes by twice, the second time after a restart that has it begin anew."""
    c = Raw(cluster.bootstrap)
    for topic in topics:
        def put(topic=topic, **what):
            assert c.produce(topic, 0, batch(**what))[0] == 0
        put(key=b"stays", pid=987654321, epoch=0, seq=0)
        for i in range(5):
            put(key=b"goes", ts=EPOCH_MS + 1 + i)
        put(key=b"goes", value=None, ts=EPOCH_MS + 10)
        assert cluster.ends(topic) == {0: 7}
    yield
    for topic in topics:
        error, base, *_ = c.produce(topic, 0, batch(key=b"stays", pid=987654321, epoch=0, seq=0, ts=EPOCH_MS + 1000))
        assert (error, base) == (0, 0), "it was not taken for the one that came before"
    c.close()

    def cleaned():
        return all(compaction.cleaned_to(cluster, t) == 7 for t in topics)
    node = cluster.brokers[0]
    for _ in range(2):
        wait_until(cleaned, compaction.CLEANER_DEADLINE, "the cleaner has come to the end")
        pace(0.1)   # delete.retention.ms is over
        node.stop()
        os.remove(os.path.join(node.dir, "data", "cleaner-offset-checkpoint"))
        node.start()
        cluster.forget_clients()
    wait_until(cleaned, compaction.CLEANER_DEADLINE, "the cleaner has come to the end once more")


@pytest.mark.real_only
def test_a_log_that_ends_with_nothing(matrix, pool, make_site):
    """Where a broker's cleaner has left nothing up to the log's end, the source answers a fetch below it with no record
    and no error, as it does for other reasons: that is no proof of a hole, and nothing is filled. The lane waits, also
    when it is opened anew, and goes on with the next record. (Seen on 3.9.1; 4.3.0 leaves an empty batch there.)"""
    source = pool.new(matrix[0], "ends").start()
    site = make_site(source, pool.pair(matrix[0], matrix[1])[1], matrix[2])
    before, after = site.topic("before"), site.topic("after")
    for topic in (before, after):
        source.create_topic(topic, config=CONFIG | {"delete.retention.ms": "1"})
    cleaning = end_with_nothing(source, (before, after))
    next(cleaning)
    site.create_link()
    site.create_mirror(before)
    worker = site.worker()
    site.wait_caught_up(before)
    worker.terminate()
    next(cleaning, None)
    c = Raw(source.bootstrap)
    *_, stable, _, _, records = c.fetch(before, [(0, 1, 1 << 20, -1)])[2][0]
    assert stable == 7
    site.create_mirror(after)
    worker.start()
    if records:
        site.wait_caught_up(after)
        site.wait_caught_up(before)
    else:
        site.wait_partition(after, 0, state="COPYING", partition_mirror_lag=6)
        site.wait_partition(before, 0, state="PROBING", partition_mirror_lag=0)
        told = "no record comes from offset 1 on, though the log ends at offset 7"
        wait_until(lambda: told in (site.describe(after)[0]["error"] or ""), 60, "describe says what it waits for")
        got = site.cli("promote", after, "--link", site.link, "--wait=8s").expect(contract.TIMED_OUT)
        got.says(told, "with the next record")
    for topic in (before, after):
        assert c.produce(topic, 0, batch(key=b"next", ts=EPOCH_MS + 2000))[:2] == (0, 7)
        site.wait_caught_up(topic)
    c.close()
    if not records:   # the wish that was kept may have seen the record come: withdrawn, as there is a producer
        wait_until(lambda: site.cli("promote", after, "--link", site.link, "--wait=30s").code == 0, 90,
                   "it is promoted", every=1)
    same = [judge.read_records(cluster, after, {0: (0, 8)})[0] for cluster in (source, site.destination)]
    assert same[0] == same[1] and [r[0] for r in same[0]] == [0, 7], same
    assert [r[0] for r in judge.read_records(site.destination, before, {0: (0, 8)})[0]][-1] == 7
    worker.check_alive()
    pool.drop(source)
