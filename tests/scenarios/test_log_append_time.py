# SPDX-License-Identifier: Apache-2.0
"""A source topic with LogAppendTime (what its records become: test_rewriting.py): its setting, and the times that
consumers see before and after a promotion."""
from lib import judge
from lib.produce import EPOCH_MS, produce

BROKERS_CLOCK = {"message.timestamp.type": "LogAppendTime"}


def equal(site, topic, count):
    site.wait_caught_up(topic)
    site.assert_equal(topic, count, timestamp_type=False)
    times = [r[4] for rows in judge.read_records(site.destination, topic, judge.whole(site.destination, topic)).values()
             for r in rows]
    assert max(times) > EPOCH_MS + 10**9, "no record has the time of the broker"
    assert site.destination.topic_config(topic)["message.timestamp.type"] == "CreateTime"


def test_promoted_with_the_clock_of_the_source(site):
    """While it is mirrored the topic has CreateTime; its own setting comes back with the promotion."""
    topic = site.mirrored("clock", config=BROKERS_CLOCK)
    produce(site.source, topic, 100)
    site.worker()
    equal(site, topic, 100)
    site.ok("promote", topic, "--link", site.link, "--wait=60s", "-o", "json")
    assert site.destination.topic_config(topic)["message.timestamp.type"] == "LogAppendTime"
    produce(site.destination, topic, 1, first=100)
    ends = site.destination.ends(topic)
    rows = judge.read_records(site.destination, topic, {0: (100, ends[0])})[0]
    assert len(rows) == 1 and rows[0][4] > EPOCH_MS + 10**9
