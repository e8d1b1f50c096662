# SPDX-License-Identifier: Apache-2.0
"""Small batches of a partition that lags are merged: a partition with replication factor 3 takes some hundred appends a
second, whatever their size."""
import time

import pytest

from lib.compaction import headers
from lib.lagwatch import LagWatch
from lib.produce import Load, produce
from lib.util import pace, wait_until

pytestmark = pytest.mark.real_only

ALONE = {"batch.num.messages": 1, "linger.ms": 0, "acks": 1, "max.in.flight.requests.per.connection": 5}


@pytest.fixture
def wide(matrix, pool, make_site):
    """From one node to three."""
    source, destination, engine = matrix
    return make_site(pool.get("source", source), pool.get("destination", destination, 3), engine)


def mirrored(site, name, **link):
    topic = site.topic(name)
    site.source.create_topic(topic)
    site.create_link(**link)
    site.create_mirror(topic, "--replication-factor", "3")
    return topic


def batches(cluster, topic):
    """How many batches a log has. A follower may answer, and be a moment behind."""
    return wait_until(lambda: len(headers(cluster, topic)), 30, f"the batches of {topic}", swallow=(AssertionError,))


@pytest.mark.parametrize("codec", ("none", "lz4"))
def test_a_backlog_of_small_batches_drains_merged(wide, counts, limit, codec):
    site, count = wide, counts(40000, 1000000)
    topic = mirrored(site, f"small-{codec}")
    started = time.monotonic()
    # Of a size that always packs: librdkafka sends what does not as it is, and codecs are not mixed.
    produce(site.source, topic, count, codec=codec, size=300, idempotent=False, config=ALONE)
    written = time.monotonic() - started
    assert batches(site.source, topic) > count // 2, "the source's batches are not small"
    started = time.monotonic()
    worker = site.worker()
    site.wait_caught_up(topic, deadline=600)
    drained = time.monotonic() - started
    site.assert_equal(topic, count)
    left = batches(site.destination, topic)
    print(f"{count} batches written in {written:.1f} s, drained in {drained:.1f} s, {left} left")
    assert "lags with small batches: merges them" in worker.text()
    assert left < count // 2, f"{left} batches of {count}"
    assert drained < max(written, limit(60, 0))


def test_a_backlog_of_large_batches_is_never_merged(wide, counts):
    site, count = wide, counts(600, 20000)
    topic = mirrored(site, "large")
    produce(site.source, topic, count, size=64 << 10, idempotent=False, config=ALONE)
    worker = site.worker()
    site.wait_caught_up(topic, deadline=600)
    assert "merges" not in worker.text()
    assert batches(site.destination, topic) == batches(site.source, topic)
    site.assert_equal(topic, count)


def test_off_means_never(wide, counts):
    site, count = wide, counts(4000, 20000)
    topic = mirrored(site, "off", mirror__coalesce="off")
    produce(site.source, topic, count, idempotent=False, config=ALONE)
    worker = site.worker()
    site.wait_caught_up(topic, deadline=600)
    assert "merges" not in worker.text()
    assert batches(site.destination, topic) == batches(site.source, topic)
    site.assert_equal(topic, count)


def test_many_small_batches_a_second_do_not_lag(wide, counts, limit):
    site = wide
    topic = mirrored(site, "live")
    worker = site.worker()
    produce(site.source, topic, 100, idempotent=False, config=ALONE)
    site.wait_caught_up(topic)
    load = Load(site.source, topic, 1, rate=5000, idempotent=False, codec="none", config=ALONE)
    with load:
        with LagWatch(site.source, site.destination, [topic]) as watch:
            pace(counts(15, 300))
    site.wait_caught_up(topic)
    worker.check_alive()
    print(f"{load.done.count} batches; lag at worst {watch.worst:.2f} s ({watch.where})")
    assert watch.error is None and watch.samples > 50
    assert watch.worst < limit(10, 1), f"lag of {watch.worst} s: {watch.where}"
    site.assert_equal(topic, 100 + load.done.count, ends=False)
