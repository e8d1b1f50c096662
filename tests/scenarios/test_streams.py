# SPDX-License-Identifier: Apache-2.0
"""Kafka Streams' own WordCountDemo with exactly_once_v2, live, all its topics mirrored."""
import pytest

from lib import judge
from lib.lagwatch import LagWatch
from lib.streams import OUTPUT, WordCount
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


def mirror_all(site, demo):
    site.create_link()
    for topic in demo.topics:
        site.create_mirror(topic)
    site.worker()
    for topic in demo.topics:
        wait_until(lambda: site.lag(topic) < 1000, 60, f"{topic} flows")


def equal(site, topic):
    """Equal in all; returns how many offsets are no records: the markers of commits."""
    site.wait_caught_up(topic)
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
