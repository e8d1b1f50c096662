# SPDX-License-Identifier: Apache-2.0
"""mirror.fetch.rate.limit: how exact it is, who shares it, and what it leaves alone."""
import random
import threading
import time

from confluent_kafka import Producer

from lib.util import pace, wait_until

MIB = 1 << 20
VALUE = 1000
RECORD = VALUE + 15   # with its fields, and its part of the batch header


def fill(cluster, topic, count, partitions=1):
    """Records of VALUE bytes that nothing compresses."""
    blob = random.Random(topic).randbytes(VALUE * 64)
    producer = Producer(cluster.client(**{"linger.ms": 20, "queue.buffering.max.messages": 200000,
                                          "queue.buffering.max.kbytes": 524288}))
    for i in range(count):
        at = i % 63 * VALUE
        while True:
            try:
                producer.produce(topic, blob[at:at + VALUE], partition=i % partitions)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def copied(site, topic):
    return sum(site.destination.ends(topic).values())


class Trickle:
    """A record every 50 ms."""

    def __init__(self, cluster, topic):
        self.producer = Producer(cluster.client(**{"linger.ms": 0}))
        self.topic, self.over = topic, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(0.05):
            self.producer.produce(self.topic, b"v" * 100)
            self.producer.poll(0)
        self.producer.flush(30)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def measured(site, topics, seconds, look=lambda: None):
    """Bytes a second over that time, once it runs."""
    start = sum(copied(site, t) for t in topics)
    wait_until(lambda: sum(copied(site, t) for t in topics) > start, 30, "something is copied", every=0.02)
    began, start = time.monotonic(), sum(copied(site, t) for t in topics)
    while time.monotonic() < began + seconds:
        look()
        pace(0.25)
    took, end = time.monotonic() - began, sum(copied(site, t) for t in topics)
    return (end - start) * RECORD / took


def test_it_is_exact_and_the_small_topic_is_not_starved(site):
    """2 MiB a second for 20 s: a topic with a backlog that would take minutes, and one with a trickle."""
    limit, big, small = 2 * MIB, site.topic("big"), site.topic("small")
    for topic in (big, small):
        site.source.create_topic(topic)
    fill(site.source, big, 60 * limit // RECORD)
    site.create_link(mirror__fetch__rate__limit=limit)
    for topic in (big, small):
        site.create_mirror(topic)
    site.worker()
    behind = []
    with Trickle(site.source, small):
        got = measured(site, [big], 20, lambda: behind.append(site.lag(small)))
        assert site.describe(big)[0]["throttled"]
        assert site.row(big)["throttled_partitions"] == 1
        links = site.ok("link", "describe", site.link, "-o", "json").json
        assert (links[0] if isinstance(links, list) else links)["throttled_partitions"] >= 1
    print(f"{got / limit:.3f} of the limit; the trickle was at most {max(behind)} records behind")
    assert 0.9 < got / limit < 1.1
    assert max(behind) < 40   # 2 s


def test_it_holds_over_all_workers_and_loops(site):
    limit, topic = 2 * MIB, site.topic()
    site.source.create_topic(topic, 16)
    fill(site.source, topic, 60 * limit // RECORD, 16)
    site.create_link(mirror__fetch__rate__limit=f"{limit}")
    site.create_mirror(topic)
    for _ in range(2):
        site.worker(worker__threads=2)
    wait_until(lambda: len({r["state"] for r in site.describe(topic)} & {"COPYING"}) == 1
               and all(r["state"] == "COPYING" for r in site.describe(topic)), 60, "all are copied")
    got = measured(site, [topic], 15)
    print(f"{got / limit:.3f} of the limit")
    assert 0.85 < got / limit < 1.1


def test_other_links_of_the_loop_keep_their_speed(site):
    slow, fast = site.topic("slow"), site.topic("fast")
    for topic in (slow, fast):
        site.source.create_topic(topic, 4)
        fill(site.source, topic, 30 * MIB // RECORD, 4)
    site.create_link(mirror__fetch__rate__limit="200KiB")
    site.create_mirror(slow)
    other = site.link + "-other"
    path = site.link_config()
    site.ok("link", "create", other, "--config-file", path)
    site.ok("mirror", "create", fast, "--link", other)
    site.worker()
    began = time.monotonic()
    site.wait_caught_up(fast, deadline=60)
    print(f"30 MiB in {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 30
    assert copied(site, slow) * RECORD < 12 * MIB


def test_a_promotion_under_a_limit_ends(site):
    topic, count = site.topic(), 8 * MIB // RECORD
    site.source.create_topic(topic, 2)
    fill(site.source, topic, count, 2)
    site.create_link(mirror__fetch__rate__limit="1MiB")
    site.create_mirror(topic)
    site.worker()
    took = site.ok("promote", topic, "--link", site.link, "--wait=60s").seconds
    assert took > 5
    site.assert_equal(topic, count, upto=site.source.ends(topic), ends=False)


def test_a_limit_that_is_changed_counts(site):
    topic = site.topic()
    site.source.create_topic(topic)
    fill(site.source, topic, 20 * MIB // RECORD)
    site.create_link(mirror__fetch__rate__limit="100KiB")
    site.create_mirror(topic)
    site.worker()
    assert measured(site, [topic], 3) < MIB
    site.ok("link", "configuration", "update", site.link, "--config", "mirror.fetch.rate.limit=10MiB")
    site.wait_caught_up(topic, deadline=30)
    site.assert_equal(topic, 20 * MIB // RECORD)
    wait_until(lambda: site.row(topic)["throttled_partitions"] == 0, 30, "it is throttled no more", every=0.5)


def test_a_batch_that_is_larger_than_a_second_s_share(site):
    """Batches of 500 KB at 100 KB a second: they come, each after its time."""
    topic = site.topic()
    site.source.create_topic(topic)
    producer = Producer(site.source.client(**{"message.max.bytes": 1000000}))
    for i in range(4):
        producer.produce(topic, random.Random(i).randbytes(500000))
        producer.flush(30)
    site.create_link(mirror__fetch__rate__limit="100000")
    site.create_mirror(topic)
    began = time.monotonic()
    site.worker()
    site.wait_caught_up(topic, deadline=60)
    assert 14 < time.monotonic() - began < 40
    site.assert_equal(topic, 4)
