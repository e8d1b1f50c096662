# SPDX-License-Identifier: Apache-2.0
"""Promotion: killed after any step and run again, with clients that still write, and dry."""
import random

import pytest

from lib import contract
from lib.produce import Load, produce, transaction
from lib.util import pace, wait_until


def caught_up(site, name="t", count=200, worker=True):
    topic = site.topic(name)
    site.source.create_topic(topic, 2)
    produce(site.source, topic, count, 2)
    site.create_link()
    site.create_mirror(topic)
    if worker:
        site.worker()
        site.wait_caught_up(topic)
    return topic


def test_killed_and_run_again(site, counts):
    rng = random.Random(site.id)
    site.create_link()
    worker = site.worker()
    for turn in range(counts(3, 30)):
        topic = site.topic(f"again{turn}")
        site.source.create_topic(topic, 2)
        produce(site.source, topic, 100, 2)
        site.create_mirror(topic)
        site.wait_caught_up(topic)
        promoting = site.start_cli("promote", topic, "--link", site.link, "--wait")
        pace(rng.random() * 4)
        promoting.kill()
        promoting.communicate()
        if turn % 2:
            worker.kill()
            worker.start()
        site.ok("promote", topic, "--link", site.link, "--wait=60s")
        site.assert_equal(topic, 100, upto=site.source.ends(topic), ends=False)


def test_without_wait_it_returns_at_once(site):
    topic = caught_up(site)
    got = site.ok("promote", topic, "--link", site.link)
    assert got.seconds < 15
    wait_until(lambda: site.row(topic)["mirror_status"] == "STOPPED", 60, "STOPPED", every=0.3)


def test_dry_run(site):
    topic = caught_up(site)
    site.ok("promote", topic, "--link", site.link, "--dry-run")
    produce(site.source, topic, 100, 2, first=200)
    site.wait_caught_up(topic)
    assert site.row(topic)["mirror_status"] == "ACTIVE"


def test_all_topics_of_a_link(site):
    topics = [site.topic(f"all{i}") for i in range(3)]
    site.create_link()
    for t in topics:
        site.source.create_topic(t)
        produce(site.source, t, 50)
        site.create_mirror(t)
    site.worker()
    for t in topics:
        site.wait_caught_up(t)
    site.ok("promote", "--all", "--link", site.link, "--wait=60s")
    for t in topics:
        assert site.row(t)["stopped_how"] == "promoted"


def test_while_a_client_still_writes_to_the_source(site):
    """The source never stands still: the deadline comes, nothing is lost, and the mirror goes on."""
    topic = caught_up(site)
    with Load(site.source, topic, 2, rate=500) as load:
        got = site.cli("promote", topic, "--link", site.link, "--wait=20s")
        got.expect(contract.REFUSED).says(r"a producer still writes to .*: producer id \d+ ")
        assert site.row(topic)["mirror_status"] == "ACTIVE"
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    site.assert_equal(topic, 200 + load.done.count, upto=site.source.ends(topic), ends=False)


def test_open_transaction_on_the_source(site):
    topic = caught_up(site)
    keep = transaction(site.source, topic, [3], f"open-{site.id}", commit=None)
    got = site.cli("promote", topic, "--link", site.link, "--wait=15s").expect(contract.REFUSED)
    got.says("transaction open since offset", f"transactional id open-{site.id}",
             rf"kafka-transactions.sh --bootstrap-server \S+ abort --topic {topic} --partition \d --start-offset \d+")
    assert site.row(topic)["stopped_how"] is None
    keep.abort_transaction(30)


@pytest.mark.parametrize("given", (None, "700000"), ids=("as-at-the-source", "given"))
def test_a_limit_that_was_raised_since_the_creation(site, given):
    """The promoted topic has what the source has now; unless it was said otherwise when it was made."""
    topic = site.topic("limit")
    site.source.create_topic(topic, config={"max.message.bytes": "500000", "retention.ms": "111000000"})
    site.create_link()
    site.create_mirror(topic, *(["--config", f"max.message.bytes={given}"] if given else []))
    site.worker()
    produce(site.source, topic, 10)
    site.source.alter_topic(topic, max__message__bytes="900000", retention__ms="222000000")
    produce(site.source, topic, 2, size=800000, first=10)
    site.wait_caught_up(topic)
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    config = site.destination.topic_config(topic)
    assert config["max.message.bytes"] == (given or "900000")
    assert config["retention.ms"] == "222000000"
