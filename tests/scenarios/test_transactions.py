# SPDX-License-Identifier: Apache-2.0
"""Transactions are flattened: committed records stand at their offsets, everything else is filled with markers."""
import pytest

from lib import judge
from lib.produce import produce, transaction
from lib.transactions import Interleaved
from lib.util import wait_until
from lib.web import Web


def caught_up(site, topic):
    site.wait_transactions(topic)
    site.wait_caught_up(topic)


@pytest.mark.parametrize("commit", (True, False), ids=("committed", "aborted"))
def test_one_transaction(site, commit):
    topic = site.mirrored("txn", 2)
    produce(site.source, topic, 40, only=[0])
    produce(site.source, topic, 40, only=[1])
    worker = site.worker()
    caught_up(site, topic)
    transaction(site.source, topic, [5], f"txn-{site.id}", commit=commit)  # all to partition 0
    produce(site.source, topic, 40, only=[0, 1], first=40)
    caught_up(site, topic)
    site.assert_equal(topic, 120 + (5 if commit else 0))
    # After a restart the fill is below the position.
    worker.kill()
    worker.start()
    transaction(site.source, topic, [3], f"txn-{site.id}", commit=commit)
    caught_up(site, topic)
    site.assert_equal(topic, 120 + (8 if commit else 0))


def test_many_small_transactions(site, counts):
    topic = site.mirrored("txn", 3)
    n = counts(60, 2000)
    worker = site.worker()
    transaction(site.source, topic, [6] * n, f"txn-{site.id}", 3)
    transaction(site.source, topic, [1, 9, 30], f"txn-{site.id}", 3, commit=False)
    caught_up(site, topic)
    site.assert_equal(topic, 6 * n)
    worker.kill()
    worker.start()
    transaction(site.source, topic, [6], f"txn-{site.id}", 3)
    caught_up(site, topic)
    site.assert_equal(topic, 6 * n + 6)
    for p, (start, end) in judge.whole(site.destination, topic).items():
        assert (start, end) == judge.whole(site.source, topic)[p]


def test_open_transaction(site):
    """It holds the mirror at the last stable offset; what follows comes when it ends."""
    topic = site.mirrored("txn")
    produce(site.source, topic, 30)
    web = Web(site.worker())
    site.wait_caught_up(topic)
    producer = transaction(site.source, topic, [4, 5], f"txn-{site.id}", commit=None)
    produce(site.source, topic, 20, first=30)
    stable = site.source.stable_ends(topic)[0]
    row = site.wait_partition(topic, 0, local_log_end_offset=stable, partition_mirror_lag=0, state="COPYING")
    assert row["source_high_watermark"] > stable, row
    open_one = row["open_transaction"]
    if site.source.version.startswith("2.4"):   # nobody there to ask: DescribeProducers came with 2.8
        assert open_one is None, row
    else:
        assert open_one is not None and open_one["first_offset"] == stable and open_one["age_ms"] >= 0, row

        def told():
            return (web.partition(topic) or {}).get("open_transaction")
        named = wait_until(told, 25, "the worker names it, too", every=0.3)
        assert named["producer_id"] == open_one["producer_id"] and named["first_offset"] == stable
    producer.abort_transaction(30)
    caught_up(site, topic)
    site.assert_equal(topic, 54)
    site.wait_partition(topic, 0, open_transaction=None)


def test_promoted_between_transactions(site):
    """The promoted topic ends with a filled marker; transactions go on there."""
    topic = site.mirrored("txn", 2)
    crowd = Interleaved(site.source, topic, 2).run(12)
    site.worker()
    caught_up(site, topic)
    ends = site.source.ends(topic)
    site.ok("promote", topic, "--link", site.link, "--wait=60s", "-o", "json")
    transaction(site.destination, topic, [4, 4], f"after-{site.id}", 2)
    transaction(site.destination, topic, [4], f"after-{site.id}", 2, commit=False)
    site.assert_equal(topic, crowd.expect, upto=ends, ends=False)
    after = judge.read_records(site.destination, topic, {p: (ends[p], end) for p, end in
                                                         site.destination.ends(topic).items()})
    assert sum(len(rows) for rows in after.values()) == 8


def test_a_crowd_of_producers(site, counts):
    """They take turns on the same partitions: commits, aborts, transactions of a marker alone, records without one
    between. One is left open; what follows it comes when it has ended, either way."""
    topic = site.mirrored("txn", 2)
    site.worker()
    crowd = Interleaved(site.source, topic, 2)
    for commit in (True, False):
        crowd.run(counts(12, 300))
        caught_up(site, topic)
        site.assert_equal(topic, crowd.visible, levels=judge.BOTH)
        crowd.leave_open()
        crowd.run(counts(8, 100))
        site.wait_transactions(topic, crowd.held)
        stable = site.source.stable_ends(topic)
        assert any(stable[p] < end for p, end in site.source.ends(topic).items()), "nothing is held back"
        site.wait_caught_up(topic)
        assert site.destination.ends(topic) == stable
        rows = judge.read(site.source, topic, {p: (0, end) for p, end in stable.items()})
        site.assert_equal(topic, {p: len(log) for p, log in rows.items()}, upto=stable, levels=judge.BOTH)
        crowd.finish(commit)
        caught_up(site, topic)
        site.assert_equal(topic, crowd.visible, levels=judge.BOTH)
