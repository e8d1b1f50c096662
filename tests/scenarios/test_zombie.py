# SPDX-License-Identifier: Apache-2.0
"""A worker SIGSTOPped with a produce unsent, the topic promoted or failed over, a client writes, SIGCONT: no foreign
record."""
import pytest

from lib import contract, judge
from lib.produce import EPOCH_MS, produce
from lib.util import pace, wait_until

PARTITIONS = 3


def backlog(site, name):
    topic = site.topic(name)
    site.source.create_topic(topic, PARTITIONS)
    site.create_link()
    site.create_mirror(topic)
    return topic


def stop_with_produces_unsent(site, topic, worker, count, first):
    """Leaves the worker stopped in the middle of copying. The destination is held first, so that requests pile up
    behind it."""
    site.destination.hold()
    produce(site.source, topic, count, PARTITIONS, first=first, codec="none")
    pace(1)
    worker.pause()
    site.destination.release()
    assert site.lag(topic) > 0, "the worker had nothing unsent: the scenario would prove nothing"


def promote_write_and_wake(site, topic, zombie, total):
    site.ok("promote", topic, "--link", site.link, "--wait=60s", "-o", "json")
    write_and_wake(site, topic, zombie, total, site.source.ends(topic))


def write_and_wake(site, topic, zombie, total, ends):
    """ends: of what is mirrored."""
    site.assert_equal(topic, total, upto=ends, ends=False)
    produce(site.destination, topic, 30, PARTITIONS, seed=99, first=500000)
    at = len(zombie.text())
    zombie.resume()
    wait_until(lambda: not zombie.alive or len(zombie.text()) > at, 30, "the zombie has noticed")
    pace(3)  # time to do harm
    produce(site.destination, topic, 30, PARTITIONS, seed=98, first=500030)
    site.assert_equal(topic, total, upto=ends, ends=False)
    after = judge.read_records(site.destination, topic, {p: (ends[p], e) for p, e in
                                                         site.destination.ends(topic).items()})
    times = sorted(r[4] for rows in after.values() for r in rows)
    assert times == [EPOCH_MS + 500000 + i for i in range(60)], f"not only the client's records: {times}"
    assert site.row(topic, codes=(contract.DONE,))["mirror_status"] == "STOPPED"


@pytest.mark.parametrize("heir", ("alive", "gone"))
def test_zombie(site, counts, heir):
    """The heir copies the rest; with it gone from the group, the command line closes the door by itself."""
    for turn in range(counts(1, 10)):
        site.link = f"link-{site.id}-{turn}"
        topic = backlog(site, f"zombie{turn}")
        zombie = site.worker(session__timeout__ms=6000)
        produce(site.source, topic, 300, PARTITIONS)
        site.wait_caught_up(topic)
        count = 30000
        stop_with_produces_unsent(site, topic, zombie, count, 300)
        other = site.worker(session__timeout__ms=6000)
        site.wait_caught_up(topic, deadline=90)
        if heir == "gone":
            other.terminate()
        promote_write_and_wake(site, topic, zombie, count + 300)
        for w in (zombie, other):
            if w.alive:
                w.kill()
            w.process = None


def test_zombie_alone(site):
    """No heir: all is copied, the worker stopped; the command line promotes, the worker wakes up."""
    topic = backlog(site, "alone")
    zombie = site.worker(session__timeout__ms=6000)
    produce(site.source, topic, 300, PARTITIONS)
    site.wait_caught_up(topic)
    zombie.pause()
    promote_write_and_wake(site, topic, zombie, 300)


@pytest.mark.parametrize("force", (False, True), ids=("waits", "forced"))
def test_zombie_of_a_failover(site, force):
    """No heir, and produces unsent: the command line fails over what there is; the worker wakes up behind the door."""
    topic = backlog(site, f"over{int(force)}")
    zombie = site.worker(session__timeout__ms=6000)
    produce(site.source, topic, 300, PARTITIONS)
    site.wait_caught_up(topic)
    stop_with_produces_unsent(site, topic, zombie, 30000, 300)
    got = site.ok("failover", topic, "--link", site.link, *(["--force"] if force else ["--wait=60s"]), "-o", "json")
    assert force == (got.seconds < 3), got
    assert {r["door"] for r in got.json} == {"marker"}
    missing = {r["partition"]: r["records_missing"] for r in got.json}
    ends = {p: end - missing[p] for p, end in site.source.ends(topic).items()}
    assert sum(missing.values()) > 0
    write_and_wake(site, topic, zombie, sum(ends.values()), ends)


@pytest.mark.real_only
@pytest.mark.one_engine
def test_zombie_of_a_failover_without_the_right_for_markers(without_markers):
    """The door is the lease: the worker's, which is longer than the command line's own. It is waited out, also with
    --force, and the worker that wakes up knows it."""
    site = without_markers(config={"session.timeout.ms": 6000})
    topic = backlog(site, "lease")
    zombie = site.worker(session__timeout__ms=10000)
    produce(site.source, topic, 300, PARTITIONS)
    site.wait_caught_up(topic)
    stop_with_produces_unsent(site, topic, zombie, 30000, 300)
    got = site.ok("failover", topic, "--link", site.link, "--force", "-o", "json").says("the lease was waited out")
    assert {r["door"] for r in got.json} == {"lease"}
    assert got.seconds > 11, got
    missing = {r["partition"]: r["records_missing"] for r in got.json}
    ends = {p: end - missing[p] for p, end in site.source.ends(topic).items()}
    write_and_wake(site, topic, zombie, sum(ends.values()), ends)
