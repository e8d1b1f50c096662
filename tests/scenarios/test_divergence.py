# SPDX-License-Identifier: Apache-2.0
"""Someone else writes to the mirror topic, topics vanish or come back as others: named reasons, nothing harmed."""
import os

import pytest

from lib import contract, judge
from lib.produce import produce
from lib.util import wait_until


def mirrored(site, partitions=3, count=300, **link):
    topic = site.topic("orders")
    site.source.create_topic(topic, partitions)
    if count:
        produce(site.source, topic, count, partitions)
    site.create_link(**link)
    site.create_mirror(topic)
    worker = site.worker()
    if count:
        site.wait_caught_up(topic)
        site.assert_equal(topic, count)
    else:
        for p in range(partitions):
            site.wait_partition(topic, p, state="COPYING")
    return topic, worker


def assert_diverged(site, topic, partition, good):
    """The partition is FAILED with DIVERGED, all commands say so, the records below are as they were."""
    row = site.wait_partition(topic, partition, state="FAILED", reason="DIVERGED")
    assert row["mirror_status"] == "ACTIVE" and row["mirror_topic_error"], row
    listed = site.row(topic, codes=(contract.DIVERGENCE,))
    assert listed["failed_partitions"] == 1 and listed["error"], listed
    site.ok("status", "-o", "json")
    site.assert_equal(topic, sum(good.values()), upto=good, ends=False)


def test_foreign_record_while_the_worker_runs(site):
    topic, _ = mirrored(site)
    good = site.destination.ends(topic)
    produce(site.destination, topic, 1, only=[1], first=9999)
    produce(site.source, topic, 300, 3, first=300)
    assert_diverged(site, topic, 1, good)
    site.wait_caught_up(topic, partitions=[0, 2])
    produce(site.source, topic, 300, 3, first=600)
    site.wait_caught_up(topic, partitions=[0, 2])
    site.assert_equal(topic, 600, partitions=[0, 2])
    for p in (0, 2):
        site.wait_partition(topic, p, state="COPYING", reason=None)


def test_foreign_record_while_no_worker_runs(site):
    topic, worker = mirrored(site)
    worker.terminate()
    good = site.destination.ends(topic)
    produce(site.destination, topic, 1, only=[1], first=9999)
    produce(site.source, topic, 300, 3, first=300)
    worker.start()
    assert_diverged(site, topic, 1, good)
    site.wait_caught_up(topic, partitions=[0, 2])
    # Found at opening: not one byte was written behind the foreign record.
    assert site.destination.ends(topic)[1] == good[1] + 1
    # resume opens anew and skips no check.
    site.cli("mirror", "resume", topic, "--link", site.link)
    assert_diverged(site, topic, 1, good)
    assert site.destination.ends(topic)[1] == good[1] + 1


def test_foreign_record_in_an_empty_mirror(site):
    topic, worker = mirrored(site, count=0)
    worker.terminate()
    produce(site.destination, topic, 1, only=[2], first=9999)
    produce(site.source, topic, 300, 3)
    worker.start()
    site.wait_partition(topic, 2, state="FAILED", reason="DIVERGED")
    site.wait_caught_up(topic, partitions=[0, 1])
    site.assert_equal(topic, 200, partitions=[0, 1])
    assert site.destination.ends(topic)[2] == 1


def test_the_foreign_record_looks_like_the_next_one(site):
    """Same key, value and timestamp as the source's next record, written by a client: still someone else's."""
    topic, worker = mirrored(site, partitions=1, count=100)
    worker.terminate()
    for cluster in (site.destination, site.source):
        produce(cluster, topic, 1, first=100, seed=5)
    worker.start()
    site.wait_partition(topic, 0, state="FAILED", reason="DIVERGED")


SHORT = {"cluster__link__retry__timeout__ms": 3000}


def test_source_topic_deleted(site):
    topic, _ = mirrored(site, **SHORT)
    before = judge.read_records(site.destination, topic, judge.whole(site.destination, topic))
    site.source.delete_topic(topic)
    site.wait_failed(topic, "SOURCE_TOPIC_MAY_BE_DELETED")
    row = site.row(topic, codes=(contract.FAILED,))
    assert row["mirror_status"] == "FAILED" and row["failed_partitions"] == 3
    assert judge.read_records(site.destination, topic, judge.whole(site.destination, topic)) == before


@pytest.mark.parametrize("running", (True, False), ids=("running", "stopped"))
def test_source_topic_deleted_and_created_again(site, running):
    topic, worker = mirrored(site, **SHORT)
    before = judge.read_records(site.destination, topic, judge.whole(site.destination, topic))
    if not running:
        worker.terminate()
    site.source.delete_topic(topic)
    site.source.create_topic(topic, 3)
    produce(site.source, topic, 900, 3, seed=77)  # its ends are beyond the old ones
    if not running:
        worker.start()
    site.wait_failed(topic, "SOURCE_TOPIC_ID_CHANGED")
    site.row(topic, codes=(contract.FAILED, contract.DIVERGENCE))
    assert judge.read_records(site.destination, topic, judge.whole(site.destination, topic)) == before


def test_destination_topic_deleted(site, limit):
    topic, _ = mirrored(site)
    site.destination.delete_topic(topic)
    produce(site.source, topic, 30, 3, first=300)
    site.wait_failed(topic, "DESTINATION_TOPIC_DELETED")
    took = site.ok("mirror", "describe", topic, "--link", site.link).seconds
    assert took < limit(8, 4), f"describe took {took:.1f} s"
    assert not site.destination.has_topic(topic), "it must not be made again"


def test_destination_topic_created_again(site):
    topic, worker = mirrored(site)
    worker.terminate()
    site.destination.delete_topic(topic)
    site.destination.create_topic(topic, 3)
    produce(site.source, topic, 30, 3, first=300)
    worker.start()
    site.wait_failed(topic, "DESTINATION_TOPIC_ID_CHANGED")
    assert sum(site.destination.ends(topic).values()) == 0


def link_row(site):
    row, = site.cli("link", "list", "-o", "json").expect(contract.DONE, contract.FAILED).json
    return row


def recorded_unasked(site, bootstrap=None):
    config = site.link_config(**({"bootstrap__servers": bootstrap} if bootstrap else {}))
    got = site.ok("link", "create", site.link, "--config-file", config, "--no-validate", "-o", "json").json
    assert got["source_cluster"] is None


def test_a_link_that_leads_to_the_destination_itself(site):
    """Recorded without asking; the worker finds it out."""
    recorded_unasked(site, site.destination.bootstrap)
    worker = site.worker()
    wait_until(lambda: link_row(site)["state"] == "FAILED", 30, lambda: f"the link is refused: {link_row(site)}")
    row = link_row(site)
    assert row["error"] == "CONFIGURATION" and "same cluster" in row["error_message"] and row["source_cluster"] is None
    site.ok("link", "configuration", "update", site.link, "--config", f"bootstrap.servers={site.source_door}")
    wait_until(lambda: link_row(site)["state"] == "ACTIVE", 30, lambda: f"it leads to the source: {link_row(site)}")
    worker.check_alive()


@pytest.mark.real_only
@pytest.mark.parametrize("asked", [True, False], ids=["dialled", "unasked"])
def test_another_cluster_under_the_same_name(pool, matrix, make_site, asked):
    """The name leads to another cluster: SOURCE_CLUSTER_ID_CHANGED, nothing written; also where the link was recorded
    without asking, and for a worker that never saw the first cluster."""
    version, destination, engine = matrix
    _, dst = pool.pair(version, destination)
    first = pool.new(version, "swapped").start()
    try:
        site = make_site(first, dst, engine)
        if asked:
            topic, worker = mirrored(site)
        else:
            recorded_unasked(site)
            worker = site.worker()
            wait_until(lambda: link_row(site)["source_cluster"] == first.cluster_id, 30, "the source is recorded")
            topic = site.topic("orders")
            first.create_topic(topic, 3)
            produce(first, topic, 300, 3)
            site.create_mirror(topic)
            site.wait_caught_up(topic)
        before = site.destination.ends(topic)
        port = first.brokers[0].port
        first.brokers[0].kill()
        second = pool.new(version, "swapped")
        second.brokers[0].port = port
        second.bootstrap = first.bootstrap
        try:
            second.start()
            second.create_topic(topic, 3)
            produce(second, topic, 900, 3, seed=3)
            wait_until(lambda: {r["reason"] for r in site.describe(topic)} == {"SOURCE_CLUSTER_ID_CHANGED"}, 60,
                       lambda: f"SOURCE_CLUSTER_ID_CHANGED: {site.describe(topic)}", every=0.5)
            worker.terminate()
            at = os.path.getsize(worker.log)
            worker.start()
            wait_until(lambda: "failed; its lanes are closed" in worker.text(at), 60, "a new worker finds it too")
            wait_until(lambda: link_row(site)["error"] == "SOURCE_CLUSTER_ID_CHANGED", 30, "and says so")
            assert site.destination.ends(topic) == before
        finally:
            pool.drop(second)
    finally:
        pool.drop(first)
