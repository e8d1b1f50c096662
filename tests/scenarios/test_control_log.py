# SPDX-License-Identifier: Apache-2.0
"""The control log: records made by hand, newer schemas, and command lines that race."""
import json
import time

import pytest
from confluent_kafka import Producer

from lib import contract, judge
from lib.produce import produce
from lib.util import wait_until

FOREIGN = (
    (None, b"no key"), (b"", b""), (b"hello", b"world"), (b"link/", b"{}"), (b"link/ghost", b"not json"),
    (b"link/ghost2", b"{\"v\": 1}"), (b"link/ghost3", b"[1, 2"), (b"mirror/ghost/t", b"\xff\xfe\x00"),
    (b"mirror/ghost", b"{}"), (b"state/ghost/t", b"null"), (b"claim/ghost", b"{\"v\": 1, \"n\": \"many\"}"),
    (b"worker/ghost", b"{\"v\": 1, \"address\": 7}"), (b"link/" + b"x" * 3000, b"{}"), (b"mirror/ghost/t", None),
    (b"link/deep", b"[" * 5000), (b"link/ghost4", b"{" + b"\"a\":1," * 20000 + b"\"v\":1}"),
)


def by_hand(site, records):
    """What someone with a console producer might do to the control log."""
    failed = []
    producer = Producer(site.destination.client())
    for key, value in records:
        producer.produce(site.control_topic, value, key,
                         on_delivery=lambda err, m: failed.append(err) if err else None)
        producer.flush(30)  # a batch of its own: a record that is refused takes its batch with it
    assert producer.flush(30) == 0 and all("CORRUPT" not in str(e) for e in failed)
    # A compacted topic refuses records without a key; all others must be in.
    return len(records) - len(failed)


def mirrored(site, name="t", link=True):
    topic = site.topic(name)
    site.source.create_topic(topic, 2)
    if link:
        site.create_link()
    site.create_mirror(topic)
    return topic


def test_records_made_by_hand(site):
    topic = mirrored(site)
    assert by_hand(site, FOREIGN) >= len(FOREIGN) - 2
    worker = site.worker()
    produce(site.source, topic, 200, 2)
    site.wait_caught_up(topic)
    by_hand(site, FOREIGN)  # and while the worker runs
    second = mirrored(site, "second", link=False)
    produce(site.source, second, 200, 2)
    site.wait_caught_up(second)
    worker.kill()
    worker.start()
    produce(site.source, topic, 200, 2, first=200)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 400)
    names = [row["link_name"] for row in site.ok("link", "list", "-o", "json").json]
    assert site.link in names
    contract.status(site.ok("status", "-o", "json").json)
    site.ok("promote", topic, "--link", site.link, "--wait=60s")


def log_of(site, prefix):
    """The last value of each key with that prefix."""
    rows = judge.read_records(site.destination, site.control_topic, judge.whole(site.destination, site.control_topic))
    return {r[1]: r[2] for r in rows[0] if (r[1] or b"").startswith(prefix)}


def test_a_newer_schema_stops_its_link_only(site):
    topic = mirrored(site)
    key = f"mirror/{site.link}/{topic}".encode()
    site.worker()
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    old_link, site.link = site.link, site.link + "-b"
    other = mirrored(site, "other")
    site.link = old_link
    wish = json.loads(log_of(site, b"mirror/")[key])
    by_hand(site, [(key, json.dumps({**wish, "v": 1000}).encode())])
    for p in range(2):
        wait_until(lambda: site.describe(topic)[p]["reason"] == "UPGRADE_NEEDED", 30,
                   lambda: f"UPGRADE_NEEDED: {site.describe(topic)[p]}", every=0.3)
    produce(site.source, other, 100, 2)
    site.wait_caught_up(other)
    produce(site.source, topic, 100, 2, first=100)
    produce(site.source, other, 100, 2, first=100)
    site.wait_caught_up(other)
    assert sum(site.destination.ends(topic).values()) == 100


def test_a_newer_schema_shows_before_any_worker_has_run(site):
    topic = mirrored(site)
    key = f"mirror/{site.link}/{topic}".encode()
    wish = json.loads(log_of(site, b"mirror/")[key])
    by_hand(site, [(key, json.dumps({**wish, "v": 1000}).encode())])
    assert [row["reason"] for row in site.describe(topic)] == ["UPGRADE_NEEDED"] * 2


def test_unknown_fields_survive(site):
    topic = mirrored(site)
    key = f"mirror/{site.link}/{topic}".encode()
    wish = json.loads(log_of(site, b"mirror/")[key])
    by_hand(site, [(key, json.dumps({**wish, "of_a_later_release": {"kept": [1, 2]}}).encode())])
    site.ok("mirror", "pause", topic, "--link", site.link)
    again = json.loads(log_of(site, b"mirror/")[key])
    assert again["of_a_later_release"] == {"kept": [1, 2]}
    assert again["append_id"] != wish["append_id"]


def test_secrets_are_never_in_clear(site):
    config = {"sasl.mechanism": "PLAIN"}
    got = site.cli("link", "create", site.link, "--config",
                   f"bootstrap.servers={site.source.bootstrap},sasl.mechanism={config['sasl.mechanism']},"
                   "sasl.jaas.config=PlainLoginModule required username=u password=hunter2;")
    got.expect(contract.USAGE)
    if site.destination.has_topic(site.control_topic):
        everything = judge.read_records(site.destination, site.control_topic,
                                        judge.whole(site.destination, site.control_topic))
        assert b"hunter2" not in repr(everything).encode()


def race(site, *commands):
    """Runs command lines at the same time; their results in order."""
    started = time.monotonic()
    running = [(site.start_cli(*c), c) for c in commands]
    return [site.finish_cli(p, c, started) for p, c in running]


@pytest.mark.one_engine
def test_two_command_lines_create_one_link(site, counts):
    names = []
    for turn in range(counts(10, 200)):
        name = f"race-{site.id}-{turn}"
        file = site.link_config()
        codes = [r.code for r in race(site, *[("link", "create", name, "--config-file", file)] * 2)]
        assert sorted(codes) == [contract.DONE, contract.REFUSED], "\n".join(site.transcript[-2:])
        names.append(name)
    listed = [row["link_name"] for row in site.ok("link", "list", "-o", "json").json]
    assert sorted(listed) == sorted(names)


@pytest.mark.one_engine
def test_two_command_lines_race_over_one_mirror(site, counts):
    """Two links, one destination topic: one of them gets it, each time, and nothing is blocked after it."""
    site.create_link()
    other = site.link + "-b"
    site.ok("link", "create", other, "--config-file", site.link_config())
    topics = []
    for turn in range(counts(10, 200)):
        topic = site.topic(f"race{turn}")
        site.source.create_topic(topic)
        results = race(site, *[("mirror", "create", topic, "--link", name) for name in (site.link, other)])
        codes = sorted(r.code for r in results)
        assert codes == [contract.DONE, contract.REFUSED], f"{topic}: {codes}\n" + "\n".join(map(str, results))
        topics.append(topic)
    rows = site.cli("mirror", "list", "-o", "json").expect(contract.DONE).json
    assert sorted(r["mirror_topic_name"] for r in rows if r["mirror_topic_name"] in topics) == sorted(topics)
    site.worker()
    for topic in (topics[0], topics[-1]):
        produce(site.source, topic, 50)
        site.wait_caught_up(topic)
        site.assert_equal(topic, 50)


@pytest.mark.one_engine
def test_pause_and_resume_race(site, counts):
    """Either may be last; both are done, and the next command works."""
    topic = mirrored(site)
    for _ in range(counts(5, 50)):
        for r in race(site, ("mirror", "pause", topic, "--link", site.link),
                      ("mirror", "resume", topic, "--link", site.link)):
            r.expect(contract.DONE)
    site.ok("mirror", "resume", topic, "--link", site.link)
    site.worker()
    produce(site.source, topic, 50, 2)
    site.wait_caught_up(topic)


def test_promotes_race(site, counts):
    for turn in range(counts(2, 20)):
        topic = mirrored(site, f"promoted{turn}", link=turn == 0)
        if turn == 0:
            site.worker()
        produce(site.source, topic, 100, 2)
        site.wait_caught_up(topic)
        for r in race(site, *[("promote", topic, "--link", site.link, "--wait=60s")] * 2):
            r.expect(contract.DONE)
        site.assert_equal(topic, 100, upto=site.source.ends(topic), ends=False)
