# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load: of the worker, of the destination's broker, of the source's. Equal, and no duplicate."""
import random

import pytest

from lib.produce import Load
from lib.util import pace, wait_until

FLOWING = 30
PARTITIONS = 6


def loaded(site, name="load", rate=2000, **more):
    topic = site.topic(name)
    site.source.create_topic(topic, PARTITIONS)
    site.create_link()
    site.create_mirror(topic)
    return topic, Load(site.source, topic, PARTITIONS, rate=rate, **more)


def copied(site, topic):
    return sum(site.destination.ends(topic).values())


def wait_flowing(site, topic, deadline=FLOWING, more=1):
    """Until `more` further records have come over."""
    before = copied(site, topic)
    wait_until(lambda: copied(site, topic) >= before + more, deadline,
               lambda: f"{topic} flows: {before} records before, {copied(site, topic)} now", every=0.05)


def test_worker_killed_at_random_moments(site, counts):
    rng = random.Random(site.id)
    topic, load = loaded(site)
    worker = site.worker()
    with load:
        wait_flowing(site, topic)
        for _ in range(counts(5, 100)):
            wait_flowing(site, topic, more=rng.randrange(1, 1500))
            worker.kill()
            worker.start()
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)


def test_worker_killed_while_it_opens(site, counts):
    """Killed again before it has copied anything: the opening order must stand that too."""
    rng = random.Random(site.id)
    topic, load = loaded(site)
    worker = site.worker()
    with load:
        wait_flowing(site, topic)
        for _ in range(counts(5, 100)):
            worker.kill()
            worker.start()
            pace(rng.random() * 0.4)
        wait_flowing(site, topic)
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)


def test_worker_restarted_cleanly(site, counts):
    topic, load = loaded(site)
    worker = site.worker()
    with load:
        for _ in range(counts(3, 20)):
            wait_flowing(site, topic, more=100)
            worker.terminate()
            worker.start()
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)


def test_idle_after_restart(site):
    """A restart with nothing new must not write anything."""
    topic, load = loaded(site)
    worker = site.worker()
    with load:
        wait_flowing(site, topic, more=500)
    site.wait_caught_up(topic)
    ends = site.destination.ends(topic)
    worker.kill()
    worker.start()
    for p in range(PARTITIONS):
        site.wait_partition(topic, p, state="COPYING", partition_mirror_lag=0)
    assert site.destination.ends(topic) == ends
    site.assert_equal(topic, load.done.count)


@pytest.mark.real_only
@pytest.mark.parametrize("side", ("destination", "source"))
def test_broker_killed_under_load(site, counts, side):
    topic, load = loaded(site)
    site.worker()
    broker = getattr(site, side).brokers[0]
    with load:
        for _ in range(counts(1, 20)):
            wait_flowing(site, topic, more=1000)
            broker.kill()
            broker.start()
            wait_flowing(site, topic)
    site.wait_caught_up(topic)
    # A source that dies may hold more than it acknowledged, and forget what it had seen of its producer: its stock
    # producer then writes some records twice. What it holds is what the mirror must hold.
    stored = sum(site.source.ends(topic).values())
    assert stored >= load.done.count and (side == "source" or stored == load.done.count)
    site.assert_equal(topic, stored)


@pytest.mark.real_only
def test_broker_and_worker_killed_together(site, counts):
    topic, load = loaded(site)
    worker = site.worker()
    broker = site.destination.brokers[0]
    with load:
        for _ in range(counts(1, 10)):
            wait_flowing(site, topic, more=1000)
            broker.kill()
            worker.kill()
            broker.start()
            worker.start()
            wait_flowing(site, topic)
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)


@pytest.mark.real_only
def test_broker_stopped_with_produces_under_way(site, counts):
    """SIGSTOP longer than a request may take, then SIGCONT: late appends must be found, not repeated."""
    topic, load = loaded(site)
    site.worker()
    broker = site.destination.brokers[0]
    with load:
        for _ in range(counts(1, 5)):
            wait_flowing(site, topic, more=1000)
            broker.pause()
            pace(counts(5, 35))
            broker.resume()
            wait_flowing(site, topic)
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)
