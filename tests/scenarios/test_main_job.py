# SPDX-License-Identifier: Apache-2.0
"""The main job: link, mirror, worker, equal offsets, promote, a write to the promoted topic."""
import pytest

from lib import contract, judge
from lib.produce import produce


def promote(site, topic, *options):
    rows = site.ok("promote", topic, "--link", site.link, "--wait=60s", "-o", "json", *options).json
    for row in rows:
        contract.partition_row(row, contract.VERB)
        assert row["mirror_status"] == "STOPPED" and row["state"] == "STOPPED", row
        assert row["error_code"] in (None, "NONE"), row
    return rows


def main_job(site, count, partitions):
    """The whole way, with every document on it checked against the contract."""
    topic = site.topic("orders")
    site.source.create_topic(topic, partitions, config={"retention.ms": "123456789000"})
    produce(site.source, topic, count, partitions, codec="lz4")

    link = site.create_link()
    listed = site.ok("link", "list", "-o", "json").json
    mine = [row for row in listed if row["link_name"] == site.link]
    assert len(mine) == 1, listed
    contract.link_row(mine[0])
    assert mine[0]["link_id"] == link["link_id"] and mine[0]["source_cluster"] == site.source.cluster_id
    made = site.create_mirror(topic)
    assert made["num_partition"] == partitions and made["source_topic_name"] == topic
    assert site.destination.partitions(topic) == list(range(partitions))
    site.create_mirror(topic)  # the same live mirror again: exit 0, no change

    site.worker()
    site.wait_caught_up(topic)
    site.assert_equal(topic, count)
    produce(site.source, topic, count, partitions, first=count)  # and while it runs
    site.wait_caught_up(topic)
    site.assert_equal(topic, 2 * count)
    for p in range(partitions):
        row = site.wait_partition(topic, p, partition_mirror_lag=0, state="COPYING")
        assert row["mirror_status"] == "ACTIVE" and row["reason"] is None
        assert row["local_log_end_offset"] == row["source_last_stable_offset"]
    row = site.row(topic, codes=(0,))
    assert row["failed_partitions"] == 0 and row["num_partition"] == partitions and row["stopped_how"] is None
    assert row["read_only"] == "unenforced: no authorizer"
    described = site.ok("link", "describe", site.link, "-o", "json").json
    contract.link_row(described, contract.LINK_DESCRIBE)
    assert described["state"] == "ACTIVE"

    ends = site.destination.ends(topic)
    assert ends == site.source.ends(topic)
    rows = promote(site, topic)
    assert len(rows) == partitions
    row = site.row(topic, codes=(0,))
    assert row["mirror_status"] == "STOPPED" and row["stopped_how"] == "promoted"
    promote(site, topic)  # a finished one again: exit 0, no change
    assert site.destination.topic_config(topic)["retention.ms"] == "123456789000"

    produce(site.destination, topic, 10 * partitions, partitions, first=2 * count)
    site.assert_equal(topic, 2 * count, upto=ends)
    for p, (start, end) in judge.whole(site.destination, topic).items():
        after = judge.read_records(site.destination, topic, {p: (ends[p], end)})[p]
        assert len(after) == 10, f"partition {p}: {after}"
    return topic


def test_main_job(site, counts):
    main_job(site, counts(2000, 100000), 1)


def test_main_job_six_partitions(site, counts):
    main_job(site, counts(3000, 100000), 6)
    site.workers[0].terminate()


@pytest.mark.one_engine
def test_main_job_on_the_default_control_topic(matrix, pool, make_site):
    source, destination, engine = matrix
    site = make_site(*pool.pair(source, destination), engine, own_control=False)
    topic = main_job(site, 500, 1)
    assert site.destination.topic_config("_krmirror")["cleanup.policy"] == "compact"
    status = site.ok("status", "-o", "json").json
    contract.status(status)
    assert status["destination_cluster"] == site.destination.cluster_id
    assert site.workers[0].id in [w["worker_id"] for w in status["workers"]]
    site.ok("mirror", "delete", topic, "--link", site.link, "--yes")
    site.ok("link", "delete", site.link, "--yes")
    assert site.link not in [row["link_name"] for row in site.ok("link", "list", "-o", "json").json]
    assert site.destination.has_topic(topic), "a deleted mirror leaves its topic"


def test_pause_and_resume(site):
    topic = site.mirrored("paused", 2)
    site.worker()
    produce(site.source, topic, 200, 2)
    site.wait_caught_up(topic)
    site.ok("mirror", "pause", topic, "--link", site.link, "-o", "json")
    for p in range(2):
        site.wait_partition(topic, p, state="PAUSED", mirror_status="PAUSED")
    produce(site.source, topic, 200, 2, first=200)
    assert sum(site.destination.ends(topic).values()) == 200
    site.ok("mirror", "resume", topic, "--link", site.link, "-o", "json")
    site.wait_caught_up(topic)
    site.ok("link", "pause", site.link)
    for p in range(2):  # the status follows the wish at once, the partitions a moment later
        site.wait_partition(topic, p, state="PAUSED", mirror_status="LINK_PAUSED")
    produce(site.source, topic, 200, 2, first=400)
    assert sum(site.destination.ends(topic).values()) == 400
    site.ok("link", "resume", site.link)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 600)


def test_two_workers_share_the_lanes(site):
    topic = site.mirrored("shared", 12)
    first, second = site.worker(), site.worker()
    produce(site.source, topic, 6000, 12)
    site.wait_caught_up(topic)
    first.terminate()
    produce(site.source, topic, 6000, 12, first=6000)
    site.wait_caught_up(topic, deadline=90)
    second.check_alive()
    site.assert_equal(topic, 12000)


def test_promote_with_no_worker(site):
    topic = site.topic("alone")
    site.source.create_topic(topic, 2)
    produce(site.source, topic, 300, 2)
    site.create_link()
    site.create_mirror(topic)
    w = site.worker()
    site.wait_caught_up(topic)
    w.terminate()
    promote(site, topic)
    site.assert_equal(topic, 300, ends=False, upto=site.source.ends(topic))
