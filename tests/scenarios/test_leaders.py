# SPDX-License-Identifier: Apache-2.0
"""Three-node clusters, replication factor 3: leaders moved, killed, stopped; two of three brokers down."""
import time

import pytest

from lib.judge import BOTH
from lib.produce import Load
from lib.transactions import Interleaved
from lib.util import pace, wait_until
from lib.web import Web

pytestmark = pytest.mark.real_only

FLOWING = 30
PARTITIONS = 6


def copied(site, topic):
    return sum(site.destination.ends(topic).values())


def wait_flowing(site, topic, deadline=FLOWING):
    """Every partition must get a record from now on, not just one of them."""
    before = site.destination.ends(topic)

    def all_moved():
        now = site.destination.ends(topic)
        return all(now[p] > before[p] for p in before)
    wait_until(all_moved, deadline, lambda: f"all of {topic} flow: {before} then {site.destination.ends(topic)}",
               every=0.1)


@pytest.fixture
def loaded(request, site3):
    site = site3
    topic = site.topic("moving")
    site.source.create_topic(topic, PARTITIONS, replication_factor=3)
    site.create_link()
    site.create_mirror(topic, "--replication-factor", "3")
    site.destination.wait_leaders(topic, PARTITIONS)   # of several brokers not all know a new topic at once
    assert {len(r) for r in site.destination.replicas(topic).values()} == {3}
    worker = site.worker()
    load = Load(site.source, topic, PARTITIONS, rate=1000)
    with load:
        wait_flowing(site, topic)
        yield site, topic
        report = getattr(request.node, "report_call", None)
        if report is None or not report.passed:
            return
        worker.check_alive()
        load.stop()
        site.wait_caught_up(topic, deadline=120)
        site.assert_equal(topic, load.done.count)


def behind(site):
    return Web(site.workers[0]).scrape().sum("krmirror_dest_under_replicated_partitions", link=site.link)


def test_leaders_moved_every_5_seconds(loaded, counts):
    site, topic = loaded
    until = time.monotonic() + counts(15, 120)
    moves = 0
    while time.monotonic() < until:
        for c in (site.source, site.destination):
            before = c.leaders(topic)
            c.rotate_leaders(topic)
            wait_until(lambda: c.leaders(topic) != before, 20, f"leaders of {c.name} moved")
        moves += 1
        pace(5)
    assert moves >= 2
    wait_flowing(site, topic)


@pytest.mark.parametrize("side", ("destination", "source"))
def test_leader_killed(loaded, counts, side):
    site, topic = loaded
    cluster = getattr(site, side)
    for _ in range(counts(1, 6)):
        leader = cluster.broker(cluster.leaders(topic)[0])
        leader.kill()
        wait_flowing(site, topic)
        if side == "destination":
            wait_until(lambda: behind(site) > 0, 20, "it is told that a replica is not in sync", every=0.5)
        leader.start()
        cluster.wait_in_sync(topic, 3)
        wait_flowing(site, topic)


@pytest.mark.parametrize("side", ("destination", "source"))
def test_leader_stopped_for_16_seconds(loaded, counts, side):
    site, topic = loaded
    cluster = getattr(site, side)
    for _ in range(counts(1, 4)):
        leader = cluster.broker(cluster.leaders(topic)[0])
        leader.pause()
        pace(16)
        leader.resume()
        wait_flowing(site, topic)
        cluster.wait_in_sync(topic, 3)


@pytest.mark.parametrize("side", ("destination", "source"))
def test_two_of_three_brokers_down(loaded, counts, side):
    site, topic = loaded
    cluster = getattr(site, side)
    gone = cluster.brokers[:2]
    for b in gone:
        b.kill()
    pace(counts(12, 60))
    for b in gone:
        b.launch()
    for b in gone:
        b.wait_ready()
    wait_flowing(site, topic)
    cluster.wait_in_sync(topic, 3)


def test_source_leader_killed_under_transactions(site3, counts):
    """One transaction is open when the leader dies, until another leads: what it holds back stays so, and comes when it
    has ended."""
    site = site3
    topic = site.topic("txn")
    site.source.create_topic(topic, 3, replication_factor=3)
    site.create_link()
    site.create_mirror(topic, "--replication-factor", "3")
    worker = site.worker()
    crowd = Interleaved(site.source, topic, 3)
    with Load(site.source, topic, 3, rate=300) as load:
        for turn in range(counts(1, 10)):
            crowd.run(6)
            crowd.leave_open(60)
            stable = site.source.stable_ends(topic)
            wait_until(lambda: site.destination.ends(topic) == stable, 60, "all below the open transaction is copied")
            leader = site.source.broker(site.source.leaders(topic)[turn % 3])
            leader.kill()
            before = load.done.count
            wait_until(lambda: load.done.count > before + 300, 60, "others write on")
            assert site.source.stable_ends(topic) == stable == site.destination.ends(topic)
            leader.start()
            site.source.wait_in_sync(topic, 3)
            crowd.finish(commit=turn % 2 == 0)
    worker.check_alive()
    wait_until(lambda: site.source.stable_ends(topic) == site.source.ends(topic), 60, "the transactions have ended")
    site.wait_caught_up(topic)
    site.assert_equal(topic, crowd.expect + load.done.count, levels=BOTH)
