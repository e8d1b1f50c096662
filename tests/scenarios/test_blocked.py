# SPDX-License-Identifier: Apache-2.0
"""Blocked partitions beside others that flow, and memory under a backlog."""
import threading
import time

import pytest

from lib.krm import BUILD
from lib.produce import produce
from lib.util import wait_until

MIB = 1 << 20


class Resident:
    """Samples a worker's resident memory until the end of the with-block."""

    def __init__(self, worker):
        self.worker, self.most, self._stop = worker, 0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.wait(0.1):
            try:
                self.most = max(self.most, self.worker.resident())
            except (OSError, AttributeError):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()


def sanitized():
    """Sanitizers keep freed memory back, so limits do not hold there."""
    import os
    with open(os.path.join(BUILD, "config.log"), errors="replace") as f:
        return "--with-sanitizer" in f.read(20000)


def timed(site, topic, partitions, count, first):
    started = time.monotonic()
    produce(site.source, topic, count, partitions, first=first, codec="lz4")
    site.wait_caught_up(topic, deadline=120)
    return time.monotonic() - started


@pytest.mark.real_only
def test_blocked_partitions_beside_flowing_ones(site3, counts):
    """Three replicas wanted where two are left: six partitions refuse every append, the others must not notice."""
    site = site3
    flowing, blocked = site.topic("flowing"), site.topic("blocked")
    wide = counts(50, 500)
    site.source.create_topic(flowing, wide)
    site.source.create_topic(blocked, 6)
    site.create_link()
    site.create_mirror(flowing, "--replication-factor", "3")
    site.create_mirror(blocked, "--replication-factor", "3")
    worker = site.worker()
    count = counts(20000, 200000)
    timed(site, flowing, wide, count, 0)  # warm
    produce(site.source, blocked, 600, 6)
    site.wait_caught_up(blocked)

    lost = site.destination.brokers[2]
    lost.kill()
    for topic in (flowing, blocked):
        wait_until(lambda: all(len(i) == 2 for i in site.destination.in_sync(topic).values()), 60,
                   f"two in sync for {topic}")
    before = timed(site, flowing, wide, count, count)
    # New leaders first catch up with their high watermark: later they could not tell it (78).
    assert sum(site.destination.ends(blocked).values()) == 600
    site.destination.alter_topic(blocked, min__insync__replicas="3")
    produce(site.source, blocked, 60000, 6, first=600, size=1000)
    with Resident(worker) as memory:
        until = time.monotonic() + counts(10, 300)
        first, slowest = 2 * count, 0
        while time.monotonic() < until:
            slowest = max(slowest, timed(site, flowing, wide, count, first))
            first += count
        assert sum(site.destination.ends(blocked).values()) == 600, "not blocked at all"
        for row in site.describe(blocked):
            assert row["state"] != "FAILED" and row["reason"] is None, row
    assert slowest <= 1.5 * before + 2, f"{slowest:.1f} s beside blocked partitions, {before:.1f} s without"
    if not sanitized():
        assert memory.most <= 64 * MIB, f"resident {memory.most / MIB:.1f} MiB"

    lost.start()
    site.destination.wait_in_sync(blocked, 3)
    site.wait_caught_up(blocked, deadline=60)
    site.assert_equal(blocked, 60600)
    site.assert_equal(flowing, first)


@pytest.mark.real_only
def test_resident_memory_under_a_backlog(site, counts):
    """The full backlog is 4 GiB."""
    topic = site.topic("backlog")
    site.source.create_topic(topic, 6)
    records = counts(200, 4096) * 1024  # of 1 KiB
    config = {"linger.ms": 100, "batch.size": 131072}
    produce(site.source, topic, records, 6, size=1024, headers=False, config=config)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    with Resident(worker) as memory:
        site.wait_caught_up(topic, deadline=600)
    assert memory.most > 0
    if not sanitized():
        assert memory.most <= 64 * MIB, f"resident {memory.most / MIB:.1f} MiB"
    assert site.source.ends(topic) == site.destination.ends(topic)
    site.assert_equal(topic, records, deadline=900)


def test_descriptors_do_not_grow(site):
    topic = site.mirrored("fds", 2)
    worker = site.worker()
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    before = worker.descriptors()
    for turn in range(1, 6):
        site.ok("link", "pause", site.link)
        wait_until(lambda: site.row(topic)["mirror_status"] == "LINK_PAUSED", 30, "LINK_PAUSED", every=0.2)
        site.ok("link", "resume", site.link)
        produce(site.source, topic, 100, 2, first=100 * turn)
        site.wait_caught_up(topic)
    wait_until(lambda: worker.descriptors() <= before + 4, 20,
               lambda: f"{before} descriptors before, {worker.descriptors()} now")
    site.assert_equal(topic, 600)
