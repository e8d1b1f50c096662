# SPDX-License-Identifier: Apache-2.0
"""Mirrors that are made by themselves: filters, names, growth, what is in the way, what the user took away, and two
clusters that are linked both ways."""
import json
import time

import pytest

from lib.produce import produce
from lib.proxy import CREATE_TOPICS
from lib.util import wait_until

def filters(*names, pattern="LITERAL", kind="INCLUDE"):
    return [{"name": n, "patternType": pattern, "filterType": kind} for n in names]


def auto(*lists, **more):
    entries = [e for one in lists for e in one]
    keys = {"auto__create__mirror__topics__enable": "true"}
    if entries:
        keys["auto__create__mirror__topics__filters"] = json.dumps({"topicFilters": entries})
    return keys | more


def mirrors(site):
    rows = site.cli("mirror", "list", "--link", site.link, "-o", "json").expect(0, 1).json
    return {r["mirror_topic_name"]: r["source_topic_name"] for r in rows}


def task(site, name="AutoCreateMirror"):
    rows = site.ok("link", "task", "list", site.link, "-o", "json").json
    return [r for r in rows if r["task_name"] == name][0]


def errors(site):
    return {(e["error_code"], e["error_message"]) for e in task(site)["errors"]}


def wait_mirrors(site, wanted, deadline=60):
    wait_until(lambda: mirrors(site) == wanted, deadline, lambda: f"{wanted}: {mirrors(site)}", every=0.2)


def test_new_topics_are_mirrored(site):
    """Filters with an exclusion, an expression, a prefix and a format for names; a topic in the way; one that is not
    matched; a promoted and a deleted mirror do not come back."""
    s = site.id
    one, two, regex, taken = (f"{n}-{s}" for n in ("in.one", "in.two", "rx", "in.taken"))
    name = {t: f"p.{t}.c" for t in (one, two, regex, taken)}
    for t in (one, taken, f"in.not-{s}", f"out-{s}", f"krmirror-drill-{s}"):
        site.source.create_topic(t, 2)
    site.destination.create_topic(name[taken])
    produce(site.source, one, 200, 2)
    site.create_link(**auto(filters("in.", pattern="PREFIXED"), filters(f"in.not-{s}", kind="EXCLUDE"),
                            mirror__topics__regex=f"rx-{s},krmirror-drill-.*", cluster__link__prefix="p.",
                            mirror__topic__rename__format="${topic}.c", topic__config__sync__ms="1000"))
    worker = site.worker()
    wait_mirrors(site, {name[one]: one})
    wait_until(lambda: task(site)["state"] == "IN_ERROR", 20, "the one in the way is told", every=0.2)
    (code, text), = errors(site)
    assert code == "TOPIC_EXISTS_ERROR" and name[taken] in text
    site.wait_caught_up(name[one], one)
    site.assert_equal(name[one], 200, source_topic=one)

    # new ones are seen within metadata.max.age.ms, here one second; so are partitions
    site.source.create_topic(two, 3)
    began = time.monotonic()
    wait_until(lambda: site.destination.has_topic(name[two]), 20, "seen", every=0.05)
    seen = time.monotonic() - began
    site.source.create_topic(regex)
    wait_mirrors(site, {name[t]: t for t in (one, two, regex)})
    site.source.grow_topic(one, 4)
    wait_until(lambda: len(site.destination.partitions(name[one])) == 4, 20, "partitions follow", every=0.1)
    produce(site.source, one, 80, 4, first=200)
    site.wait_caught_up(name[one], one)
    site.assert_equal(name[one], 280, source_topic=one)
    assert seen < 8, f"a new topic was seen after {seen:.1f} s"

    # what was in the way is gone
    site.destination.admin.delete_topics([name[taken]])[name[taken]].result(30)
    wait_mirrors(site, {name[t]: t for t in (one, two, regex, taken)})
    wait_until(lambda: task(site)["state"] == "ACTIVE", 20, "no error any more", every=0.2)

    # promoted, forgotten, and even the topic deleted: it stays away until the user says otherwise
    site.ok("promote", name[two], "--link", site.link, "--wait=60s")
    site.ok("promote", name[regex], "--link", site.link, "--wait=60s")
    site.ok("mirror", "delete", name[regex], "--link", site.link, "--yes")
    site.destination.admin.delete_topics([name[regex]])[name[regex]].result(30)
    late = f"in.late-{s}"
    site.source.create_topic(late)
    worker.terminate()
    worker.start()
    wait_mirrors(site, {name[t]: t for t in (one, two, taken)} | {f"p.{late}.c": late})
    assert not site.destination.has_topic(name[regex])
    assert site.row(name[two])["mirror_status"] == "STOPPED"
    site.create_mirror(name[regex])
    assert mirrors(site)[name[regex]] == regex


def test_two_clusters_linked_both_ways(matrix, pool, make_site):
    """No loop, with prefixes and without: neither mirrors what the other one mirrors."""
    clusters = pool.pair(*matrix[:2])
    for prefixes in (True, False):
        ways = []
        for a, b in (clusters, clusters[::-1]):
            control = {"control.topic": ways[0].control_topic, "group.id": ways[0].config["group.id"]} if ways else {}
            ways.append(make_site(a, b, matrix[2], config=control))
        there, back = ways
        regex = f"^(.*-{there.id}.*)$"
        east, west = (f"{n}-{there.id}" for n in ("east", "west"))
        of_east, of_west = (f"e.{east}", f"w.{west}") if prefixes else (east, west)
        for s, topic, prefix in ((there, east, "e."), (back, west, "w.")):
            s.source.create_topic(topic, 2)
            produce(s.source, topic, 100, 2)
            s.create_link(**auto(mirror__topics__regex=regex),
                          **({"cluster__link__prefix": prefix} if prefixes else {}))
            s.worker()
        wait_mirrors(there, {of_east: east})
        wait_mirrors(back, {of_west: west})
        # several more passes, seen by topics that came after
        for i in range(3):
            there.source.create_topic(f"{east}{i}")
            back.source.create_topic(f"{west}{i}")
            wait_until(lambda: back.source.has_topic(f"{of_east}{i}") and there.source.has_topic(f"{of_west}{i}"), 30,
                       "seen", every=0.1)
        wait_mirrors(there, {of_east: east} | {f"{of_east}{i}": f"{east}{i}" for i in range(3)})
        wait_mirrors(back, {of_west: west} | {f"{of_west}{i}": f"{west}{i}" for i in range(3)})
        assert task(there)["state"] == task(back)["state"] == "ACTIVE"
        there.wait_caught_up(of_east, east)
        there.assert_equal(of_east, 100, source_topic=east)
        for c, own, other in ((there.source, east, of_west), (back.source, west, of_east)):
            names = {t for t in c.topics() if there.id in t and not t.startswith("_")}
            assert names == {n + str(i) for n in (own, other) for i in ("", 0, 1, 2)}
        for s in ways:
            s.workers[0].terminate()


@pytest.mark.real_only
def test_a_source_that_does_not_show_its_log(matrix, pool, make_site):
    """Where nobody knows which topics are mirrors there, only those that a filter names are mirrored; the order is given
    by ACLs that bar the log alone."""
    source = pool.get("barred", matrix[0], config={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true"})
    site = make_site(source, pool.pair(*matrix[:2])[1], matrix[2])
    named, other = site.topic("named"), site.topic("other")
    for t in (named, other, "_krmirror"):
        source.create_topic(t)
    source.create_acl("TOPIC", "_krmirror", "User:*", "READ", allow=False)
    site.create_link(**auto(filters(named), mirror__topics__regex=f".*-{site.id}"))
    site.worker()
    wait_mirrors(site, {named: named})
    wait_until(lambda: {c for c, _ in errors(site)} == {"AUTHORIZATION_ERROR"}, 20, lambda: f"told: {task(site)}", every=0.2)
    assert not site.destination.has_topic(other)


def test_many_topics_at_once(site, counts):
    """A new link over many topics: all are mirrored, and a promotion does not wait for them."""
    n = counts(60, 2000)
    s = site.id
    first = f"a-first-{s}"
    site.source.create_topic(first)
    site.create_link(**auto(filters(f"many-{s}-", pattern="PREFIXED")))
    site.create_mirror(first)
    produce(site.source, first, 10)
    from confluent_kafka.admin import NewTopic
    for f in site.source.admin.create_topics([NewTopic(f"many-{s}-{i}", 1, 1) for i in range(n)],
                                             operation_timeout=60).values():
        f.result(120)
    worker = site.worker()
    began = time.monotonic()
    wait_until(lambda: len(mirrors(site)) > 5, 60, "the first are made", every=0.1)
    site.ok("promote", first, "--link", site.link, "--wait=60s")
    wait_until(lambda: len(mirrors(site)) == n + 1, n * 0.5 + 60, lambda: f"{len(mirrors(site))} mirrors", every=0.5)
    print(f"{n} mirrors after {time.monotonic() - began:.1f} s")
    assert task(site)["state"] == "ACTIVE"
    worker.check_alive()
    assert "lease" not in worker.text()


@pytest.mark.real_only
def test_killed_in_the_middle_of_a_batch(doors, counts):
    """Topics are made, and that they are is not recorded: the next run takes them as its own, makes what lacks, and mirrors
    all."""
    site, proxies = doors("destination")
    n, s = counts(20, 200), site.id
    topics = [f"cut-{s}-{i}" for i in range(n)]
    for t in topics:
        site.source.create_topic(t)
    site.create_link(**auto(filters(f"cut-{s}-", pattern="PREFIXED")))
    worker = site.worker(start=False)
    moment = proxies.at(CREATE_TOPICS, worker.kill, answered=True, match=topics[0].encode())
    worker.start()
    moment.wait()
    worker.start()
    for t in topics:
        produce(site.source, t, 3)
    for t in topics:
        site.wait_caught_up(t)
    assert set(mirrors(site)) == set(topics)
    wait_until(lambda: task(site)["state"] == "ACTIVE", 20, lambda: task(site), every=0.2)
    site.assert_equal(topics[-1], 3)
