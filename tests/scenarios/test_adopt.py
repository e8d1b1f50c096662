# SPDX-License-Identifier: Apache-2.0
"""--adopt: a topic that is there is taken over when it is a proven prefix of the source's, and only then; and failback,
which stands on it."""
import json
import os
import random

from lib import contract
from lib.produce import advance, produce, transaction
from lib.util import pace, wait_until


KEPT = "77700000000000"   # retention.ms: the records are from 2024


def adopt(site, topic, *options, code=contract.DONE):
    return site.cli("mirror", "create", topic, "--link", site.link, "--adopt", *options).expect(code)


def same_on_both(site, name, at_source, at_destination, partitions=2):
    """A topic of each side, made by hand: the destination's records are the first ones of the source's."""
    topic = site.topic(name)
    for cluster, count in ((site.source, at_source), (site.destination, at_destination)):
        cluster.create_topic(topic, partitions, config={"retention.ms": KEPT})
        produce(cluster, topic, count, partitions)
    return topic


def test_a_proven_prefix_is_taken_over(site, counts):
    count = counts(600, 200000)
    topic = same_on_both(site, "prefix", count, count // 2)
    ends = site.destination.ends(topic)
    site.create_link()
    adopt(site, topic, "--dry-run").says("Would adopt")
    assert site.ok("mirror", "list", "-o", "json").json == []
    assert site.destination.topic_config(topic)["retention.ms"] == KEPT
    got = adopt(site, topic, "-o", "json").json
    assert got["adopted_end"] == {str(p): end for p, end in ends.items()}
    assert site.destination.topic_config(topic)["retention.ms"] == "-1"
    adopt(site, topic).says("nothing was changed")
    site.worker()
    site.wait_caught_up(topic)
    site.assert_equal(topic, count)
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    assert site.destination.topic_config(topic)["retention.ms"] == KEPT


def test_what_is_no_prefix_stays_as_it_was(site, tmp_path):
    """Each of them refused, with where and why; the topic is as it was, and no mirror is recorded."""
    site.create_link()
    other = same_on_both(site, "differs", 100, 60)
    produce(site.destination, other, 1, only=[1], first=5000)
    produce(site.source, other, 20, 2, first=100)
    adopt(site, other, code=contract.DIVERGENCE).says(f"{other}-1: offset 30 ", "topic diff", "export")
    path = os.path.join(tmp_path, "tail.json")
    site.ok("topic", "diff", other, "--link", site.link, "--export", path)
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    assert [r["offset"] for r in rows if r["side"] == "destination"] == [30]
    longer = same_on_both(site, "longer", 60, 100)
    adopt(site, longer, code=contract.DIVERGENCE).says("the source ends at offset 30: 20 offsets")
    fewer = site.topic("fewer")
    site.source.create_topic(fewer, 2)
    site.destination.create_topic(fewer, 1)
    adopt(site, fewer, code=contract.REFUSED).says("has 1 partitions, its source 2")
    absent = site.topic("absent")
    site.source.create_topic(absent)
    adopt(site, absent, code=contract.REFUSED).says("no topic")
    for topic in (other, longer):
        assert site.destination.topic_config(topic)["retention.ms"] == KEPT
        produce(site.destination, topic, 2, 2)
    assert site.ok("mirror", "list", "-o", "json").json == []


def test_one_who_writes_meanwhile_and_an_open_transaction(site):
    topic = same_on_both(site, "meanwhile", 0, 0)
    advance(site.source, topic, 0, 60000)
    advance(site.destination, topic, 0, 100)
    site.create_link()
    adopting = site.start_cli("mirror", "create", topic, "--link", site.link, "--adopt")
    while adopting.poll() is None:   # the records are the right ones, and still somebody writes
        advance(site.destination, topic, 0, 1)
    out = adopting.communicate()
    assert adopting.returncode == contract.REFUSED and "somebody writes" in out[1], (adopting.returncode, out)
    keep = transaction(site.destination, topic, [1], f"open-{site.id}", commit=None)
    adopt(site, topic, code=contract.REFUSED).says("transaction")
    keep.abort_transaction(30)
    assert site.destination.topic_config(topic)["retention.ms"] == KEPT
    assert site.ok("mirror", "list", "-o", "json").json == []


def test_killed_and_run_again(site, counts):
    rng = random.Random(site.id)
    site.create_link()
    site.worker()
    for turn in range(counts(2, 30)):
        topic = same_on_both(site, f"again{turn}", 200, 120)
        adopting = site.start_cli("mirror", "create", topic, "--link", site.link, "--adopt")
        pace(rng.random() * 3)
        adopting.kill()
        adopting.communicate()
        adopt(site, topic)
        site.wait_caught_up(topic)
        site.assert_equal(topic, 200)


def forget(site, *topics):
    for topic in topics:
        site.ok("mirror", "delete", topic, "--link", site.link, "--yes")


def test_failback(site, make_site, tmp_path):
    """There and back and there again. One topic's tail got to the other side in full: the old source is a prefix, and so
    is the old mirror later, behind whose closed door the ids are used further. The other topic's tail did not."""
    back = make_site(site.destination, site.source, site.engine)
    topic, tail = site.topic("whole"), site.topic("tail")
    site.create_link()
    for name in (topic, tail):
        site.source.create_topic(name, 2)
        produce(site.source, name, 200, 2)
        transaction(site.source, name, [6], f"aborted-{name}", partitions=2, commit=False)
        site.create_mirror(name)
        site.wait_transactions(name)
    site.worker()
    for name in (topic, tail):
        site.wait_caught_up(name)
    site.ok("promote", topic, tail, "--link", site.link, "--wait=60s")
    produce(site.destination, topic, 100, 2, first=200)
    produce(site.destination, tail, 100, 2, first=200)
    produce(site.source, tail, 10, 2, first=9000)   # what never got over
    forget(site, topic, tail)

    back.create_link()
    adopt(back, topic)
    adopt(back, tail, code=contract.DIVERGENCE).says("offset")
    path = os.path.join(tmp_path, "tail.json")
    back.ok("topic", "diff", tail, "--link", back.link, "--export", path)
    with open(path) as f:
        assert sum(json.loads(line)["side"] == "destination" for line in f) == 10
    site.source.delete_topic(tail)
    wait_until(lambda: not site.source.has_topic(tail), 30, "it is deleted")
    back.create_mirror(tail)
    back.worker()
    for name in (topic, tail):
        back.wait_caught_up(name)
        back.assert_equal(name, 300)   # what was aborted at the old source is still to be seen there, uncommitted

    back.ok("promote", topic, "--link", back.link, "--wait=60s")
    forget(back, topic)
    produce(site.source, topic, 50, 2, first=300)
    transaction(site.source, topic, [4], f"there-{topic}", partitions=2)
    site.wait_transactions(topic)
    adopt(site, topic)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 354)
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    produce(site.destination, topic, 2, 2)


def test_no_two_mirrors_of_each_other(site, make_site):
    """What is a mirror of the very topic, by the source's own control log, is not adopted; once it is stopped, it is."""
    topic = site.mirrored("loop", 2)
    shared = {"control.topic": site.control_topic, "group.id": site.config["group.id"]}
    back = make_site(site.destination, site.source, site.engine, config=shared)
    back.create_link()
    adopt(back, topic, code=contract.REFUSED).says("itself a mirror of", site.link, "failback")
    assert back.ok("mirror", "list", "-o", "json").json == []
    site.ok("failover", topic, "--link", site.link, "--wait=60s")
    adopt(back, topic)
