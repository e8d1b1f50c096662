# SPDX-License-Identifier: Apache-2.0
"""Kafka Streams' own WordCountDemo with exactly_once_v2, live, all its topics mirrored."""
import time

import pytest

from lib import judge
from lib.lagwatch import LagWatch
from lib.streams import OUTPUT, WordCount
from lib.transactions import producer
from lib.util import pace, wait_until

SMALL, FULL = 15, 300   # seconds
FAR = 0.010             # each way


@pytest.fixture
def demo(request, tmp_path):
    made = []

    def make(cluster, **kw):
        made.append(WordCount(cluster, tmp_path, **kw))
        return made[-1].start()
    yield make
    for d in made:
        d.remove()
    # The demo's topics have names of its own: the next test on these clusters wants the same.
    for site in request.node.sites:
        for w in site.workers:
            if w.process is not None:
                w.kill()
        for topic in {t for d in made for t in d.topics}:
            if site.destination.has_topic(topic):
                site.destination.delete_topic(topic)


def mirror(site, topics):
    site.create_link()
    for topic in topics:
        site.create_mirror(topic)
    site.worker()


def mirror_all(site, demo):
    mirror(site, demo.topics)
    for topic in demo.topics:
        wait_until(lambda: site.lag(topic) < 1000, 60, f"{topic} flows")


def equal(site, topic):
    """Equal in all; returns how many offsets are no records: the markers of commits."""
    site.wait_caught_up(topic, deadline=300)
    # What Streams has read of its repartition topic it deletes.
    wait_until(lambda: site.source.starts(topic) == site.destination.starts(topic), 30,
               lambda: f"starts of {topic}: {site.source.starts(topic)}, {site.destination.starts(topic)}")
    ranges = judge.whole(site.source, topic)
    count = sum(map(len, judge.read(site.source, topic, ranges).values()))
    if count:
        site.assert_equal(topic, count, levels=judge.BOTH)
    return sum(end - start for start, end in ranges.values()) - count


def run(site, demo, seconds, lag_max):
    """Mirrors for so long; all topics must then be equal, and never have been behind by more than lag_max seconds."""
    mirror_all(site, demo)
    with LagWatch(site.source, site.destination, demo.topics) as watch:
        pace(seconds)
    assert watch.error is None and watch.samples > seconds, f"{watch.samples} samples, {watch.error}"
    demo.stop()
    markers = {topic: equal(site, topic) for topic in demo.topics}
    # Of the repartition topic only the rest is left, and nobody writes to the input in transactions.
    least = 10 * seconds * demo.partitions * 0.5
    assert all(markers[t] > least for t in demo.topics if t == OUTPUT or t.endswith("changelog")), \
        f"10 commits a second for {seconds} s leave more than {least} markers: {markers}"
    assert watch.worst < lag_max, f"{watch.worst:.2f} s behind: {watch.where}"


@pytest.mark.real_only
def test_word_count(site, demo, counts, limit):
    run(site, demo(site.source), counts(SMALL, FULL), limit(10, 1))


@pytest.mark.real_only
def test_word_count_to_a_destination_20_ms_away(doors, demo, counts, limit):
    site, _ = doors("destination", FAR)
    run(site, demo(site.source), counts(SMALL, FULL), limit(10, 2))


@pytest.mark.real_only
def test_word_count_that_commits_faster_than_can_be_copied(doors, demo, counts, limit):
    """20 ms away; what comes over while more and more waits is what can be sustained: a figure of krmirrord(8)."""
    site, _ = doors("destination", FAR)
    d = demo(site.source, commit_ms=10)
    # What the demo has read of its repartition topic it deletes, before it could be copied.
    topics = [t for t in d.topics if not t.endswith("repartition")]
    mirror(site, topics)
    wait_until(lambda: site.destination.ends(OUTPUT)[0] > 200 and site.lag(OUTPUT) > 200, 60,
               lambda: f"the mirror falls behind: {site.lag(OUTPUT)} offsets")
    start, began = site.destination.ends(OUTPUT), time.monotonic()
    pace(counts(SMALL, 60))
    end, took = site.destination.ends(OUTPUT), time.monotonic() - began
    assert site.lag(OUTPUT) > 200, "the mirror keeps up: nothing is measured"
    d.stop()
    for topic in topics:
        equal(site, topic)
    records = judge.read(site.destination, OUTPUT, {p: (start[p], end[p]) for p in end})
    rates = [(end[p] - start[p] - len(records[p])) / took for p in end]
    print("commits a second on each partition: " + ", ".join(f"{r:.1f}" for r in rates))
    assert min(rates) > limit(5, 15), rates


def commit_many(site, topic, partitions, count):
    """So many commits, each of one record to each partition."""
    p = producer(site.source, f"commits-{topic}")
    for i in range(count):
        p.begin_transaction()
        for n in range(partitions):
            p.produce(topic, b"commit %d" % i, None, n)
        p.commit_transaction(60)


@pytest.mark.real_only
@pytest.mark.parametrize("partitions", (1, 4))
def test_commits_a_second_to_a_destination_20_ms_away(doors, counts, limit, partitions):
    """The figure of krmirrord(8): more commits wait than can be copied, so what is copied is what can be sustained. Each
    takes an append and then a fill, two round trips."""
    site, _ = doors("destination", FAR)
    topic, n = site.topic("commits"), counts(150, 1500)
    site.source.create_topic(topic, partitions)
    site.create_link()
    site.create_mirror(topic)
    commit_many(site, topic, partitions, n)
    wait_until(lambda: site.source.stable_ends(topic) == dict.fromkeys(range(partitions), 2 * n), 30, "all have ended")
    site.worker()
    wait_until(lambda: sum(site.destination.ends(topic).values()) > partitions * n * 0.2, 60, "it flows", every=0.02)
    before, began = sum(site.destination.ends(topic).values()), time.monotonic()
    wait_until(lambda: site.lag(topic) == 0, 10 * n, "all is copied", every=0.02)
    rate = (2 * n * partitions - before) / 2 / partitions / (time.monotonic() - began)
    print(f"{rate:.1f} commits a second on each of {partitions} partitions")
    site.assert_equal(topic, n * partitions, levels=judge.BOTH)
    assert rate > limit(5, 18), f"{rate:.1f} commits a second"
