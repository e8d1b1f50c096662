# SPDX-License-Identifier: Apache-2.0
"""Partitions added at the source."""
import pytest

from lib.produce import produce
from lib.util import wait_until


@pytest.mark.parametrize("running", (True, False), ids=("running", "stopped"))
def test_partitions_added(site, running):
    topic = site.topic("grows")
    site.source.create_topic(topic, 2)
    produce(site.source, topic, 200, 2)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    if not running:
        worker.terminate()
    total = 200
    for partitions in (5, 12):
        site.source.grow_topic(topic, partitions)
        produce(site.source, topic, 10 * partitions, partitions, first=total)
        total += 10 * partitions
        if not running:
            worker.start()
        wait_until(lambda: len(site.destination.partitions(topic)) == partitions, 60,
                   lambda: f"{partitions} partitions: {site.destination.partitions(topic)}")
        site.wait_caught_up(topic)
        site.assert_equal(topic, total)
        if not running:
            worker.terminate()
    if not running:
        worker.start()
    wait_until(lambda: len(site.describe(topic)) == 12, 30, "12 partitions described", every=0.3)
    assert site.row(topic, codes=(0,))["num_partition"] == 12


def test_partitions_added_under_load(site):
    from lib.produce import Load
    topic = site.mirrored("grows", 2)
    site.worker()
    with Load(site.source, topic, 2, rate=1000) as load:
        site.source.grow_topic(topic, 6)
        wait_until(lambda: len(site.destination.partitions(topic)) == 6, 60, "6 partitions")
        produce(site.source, topic, 400, only=[2, 3, 4, 5])
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count + 400)
