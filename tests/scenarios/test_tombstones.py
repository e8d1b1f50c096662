# SPDX-License-Identifier: Apache-2.0
"""mirror.fill.mode=tombstone: holes of compacted topics that are longer than mirror.fill.limit."""
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from lib import compaction, contract, judge
from lib.compaction import CONFIG, Keyed
from lib.krm import HOURLY
from lib.produce import EPOCH_MS, produce
from lib.util import wait_until
from test_verify import diff, verify

KEY = b"_krmirror_hole"   # an on-disk format
LIMIT = 50
UNCLEANED = ("--config", f"min.compaction.lag.ms={10**12}")   # given, so it does not follow the source's


def keyed(site, transactional=False, **config):
    topic = site.topic("table")
    site.source.create_topic(topic, config=CONFIG | {"delete.retention.ms": "1000"} | config)
    return topic, Keyed(site.source, topic, transactional_id=f"table-{site.id}" if transactional else None)


def write(table, count):
    """Few of the later keys stay, and some records before them."""
    table.write(60, 100, tombstones=0)
    table.write(5, count, tombstones=0)


def cleaned(site, topic, table):
    """The source's cleaner has left the newest record of each key, and holes longer than LIMIT."""
    table.close_segments()
    compaction.wait_cleaned(site.source, topic, len(table.newest), ("between",))
    offsets = [r[0] for r in rows(site.source, topic)]
    assert max(b - a - 1 for a, b in zip(offsets, offsets[1:])) > LIMIT, f"no hole that is long enough: {offsets}"


def deep(site, records, **config):
    """A table with a hole of nearly so many offsets: one key, in few batches of one time."""
    topic, table = keyed(site, **config)
    table.write(5, 20, tombstones=0)
    table.close_segments()
    p = Producer(site.source.client(**{"linger.ms": 100, "compression.type": "lz4", "batch.num.messages": 50000,
                                       "queue.buffering.max.messages": records + 1}))
    for i in range(records):
        p.produce(topic, b"x", b"one", 0, timestamp=EPOCH_MS + table.first)
        if i % 10000 == 0:
            p.poll(0)
    assert p.flush(120) == 0
    table.newest[b"one"] = table.first
    table.count += records
    table.first += 1
    return topic, table


def mirror(site, topic, clean=False, **config):
    """clean: whether the destination's cleaner may have the copy too."""
    site.create_link(**{"mirror__fill__limit": LIMIT, "mirror__fill__mode": "tombstone"} | config)
    site.create_mirror(topic, *(() if clean else UNCLEANED))
    return site.worker()


def rows(cluster, topic):
    return judge.read_records(cluster, topic, judge.whole(cluster, topic))[0]


def is_tombstone(row):
    return row[1] == KEY and row[2] is None and not row[3]


def equal(site, topic, table):
    """To a consumer who leaves the reserved key's nulls out, both sides are the same. How many of these there are."""
    site.wait_caught_up(topic)
    a, b = rows(site.source, topic), rows(site.destination, topic)
    assert a == [r for r in b if not is_tombstone(r)]
    assert len(a) == len(table.newest)
    assert all(p["ok"] for p in verify(site, topic))
    assert diff(site, topic)["partitions"] == []
    return len(b) - len(a)


def test_without_it_a_long_hole_is_refused_with_the_estimate(site):
    topic, table = keyed(site)
    write(table, 600)
    cleaned(site, topic, table)
    mirror(site, topic, mirror__fill__mode="marker")
    row = site.wait_partition(topic, 0, state="FAILED", reason="FILL_LIMIT")
    for word in (f"mirror.fill.limit is {LIMIT}", " s and ", "MiB"):
        assert word in row["mirror_topic_error"], row


@pytest.mark.parametrize("transactional", (False, True), ids=("plain", "transactional"))
def test_long_holes_are_filled_with_tombstones_and_short_ones_with_markers(site, counts, transactional):
    topic, table = keyed(site, transactional)
    write(table, counts(600, 20000))
    cleaned(site, topic, table)
    mirror(site, topic)
    n = equal(site, topic, table)
    assert n > LIMIT
    # A marker of each further transaction is a short hole: no consumer sees it.
    table.write(5, 40, tombstones=0)
    site.wait_caught_up(topic)
    assert sum(is_tombstone(r) for r in rows(site.destination, topic)) <= n
    row = site.wait_partition(topic, 0, tombstone_offsets=n)
    assert row["state"] == "COPYING", row
    site.ok("mirror", "describe", topic, "--link", site.link).says("Fills By", KEY.decode(), f"at {n} offsets")


def test_what_fills_a_hole_is_cleaned_away(site):
    """One key: the destination's cleaner leaves one of them, and in the end none."""
    topic, table = keyed(site)
    write(table, 600)
    cleaned(site, topic, table)
    mirror(site, topic, clean=True)
    equal(site, topic, table)

    def gone():
        table.close_segments(now=True)
        return not any(is_tombstone(r) for r in rows(site.destination, topic))
    wait_until(gone, compaction.CLEANER_DEADLINE, "the tombstones are cleaned away", every=1)
    site.wait_caught_up(topic)
    judge.assert_equal_compacted(site.source, site.destination, topic, {0: len(table.newest)})
    assert all(p["ok"] for p in verify(site, topic))


def lookups(cluster, topic, times):
    c = Consumer(cluster.client(**{"group.id": "lookup"}))
    try:
        return [c.offsets_for_times([TopicPartition(topic, 0, t)], timeout=30)[0].offset for t in times]
    finally:
        c.close()


@pytest.mark.real_only
def test_lookups_by_time_find_what_they_find_at_the_source(site):
    """All holes are filled with tombstones, those before the first record too: none has a time of its own."""
    topic, table = keyed(site)
    write(table, 300)
    cleaned(site, topic, table)
    mirror(site, topic, mirror__fill__limit=0)
    assert equal(site, topic, table) > LIMIT
    times = sorted({r[4] + d for r in rows(site.source, topic) for d in (-50, -1, 0, 1)})
    found = [(t - EPOCH_MS, *pair) for t, *pair in zip(times, lookups(site.source, topic, times),
                                                       lookups(site.destination, topic, times))]
    assert [f for f in found if f[1] != f[2]] == []


@pytest.mark.real_only
def test_a_worker_is_killed_in_the_middle_of_a_long_hole(doors, counts):
    """Each time it comes back it goes on where the log ends; not one offset too many."""
    site, _ = doors("destination", delay=0.03)
    records = counts(400000, 4000000)
    topic, table = deep(site, records)
    cleaned(site, topic, table)
    worker = mirror(site, topic)
    middles, kills = set(), counts(5, 40)
    for turn in range(kills):
        at = records * turn // (kills + 1)
        wait_until(lambda at=at: site.destination.ends(topic)[0] > at, 60, f"the copy is beyond {at}", every=0.01)
        worker.kill()
        middles.add(site.destination.ends(topic)[0])
        worker.start()
    assert len(middles) > kills // 2, f"the worker was hardly ever killed within the hole: {middles}"
    assert equal(site, topic, table) > records - 100 - LIMIT * (kills + 1)


def test_tombstones_for_a_destination_that_takes_small_batches_only(site):
    topic, table = keyed(site)
    table.write(60, 40, tombstones=0)
    table.write(5, 3000, tombstones=0)
    cleaned(site, topic, table)
    site.create_link(mirror__fill__limit=LIMIT, mirror__fill__mode="tombstone", **HOURLY)
    site.create_mirror(topic, *UNCLEANED)
    worker = site.worker_below_a_limit(topic, 3000)
    assert equal(site, topic, table) > LIMIT
    assert "the destination takes smaller batches" in worker.text()


def test_a_topic_that_is_not_compacted_is_told_and_refused(site):
    topic = site.topic("plain")
    site.source.create_topic(topic)
    made = site.ok("link", "create", site.link, "--config-file",
                   site.link_config(mirror__fill__mode="tombstone", mirror__fill__limit=LIMIT))
    made.says("tombstone", "compact")
    site.ok("mirror", "create", topic, "--link", site.link).says("is not compacted", "mirror.fill.limit")
    produce(site.source, topic, 10)
    site.worker()
    site.wait_caught_up(topic)
    site.assert_equal(topic, 10)


def test_a_tombstone_where_the_source_has_a_record_is_a_mismatch(site):
    """It fills holes; it excuses nothing."""
    topic, table = keyed(site)
    table.write(5, 40, tombstones=0)
    worker = mirror(site, topic)
    site.wait_caught_up(topic)
    worker.terminate()
    table.write(5, 1, tombstones=0)
    p = Producer(site.destination.client())
    p.produce(topic, None, KEY, 0, timestamp=EPOCH_MS)
    assert p.flush(30) == 0
    row, = verify(site, topic, code=contract.DIVERGENCE)
    assert {m["kind"] for m in row["mismatches"]} >= {"key", "value"}, row
    worker.start()
    site.wait_partition(topic, 0, state="FAILED", reason="DIVERGED")
