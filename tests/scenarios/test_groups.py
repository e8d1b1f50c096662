# SPDX-License-Identifier: Apache-2.0
"""The sync tasks of a link, and consumer offset sync above all: groups continue at their own offsets."""
import json
import time

import pytest
from confluent_kafka import KafkaException

from lib import contract
from lib.groups import Member, commit, commit_many, committed, committed_many, delete, metadata, wait_committed
from lib.produce import produce
from lib.util import wait_until

ALL = {"name": "*", "patternType": "LITERAL", "filterType": "INCLUDE"}


def filters(*entries):
    return json.dumps({"groupFilters": list(entries) or [ALL]})


def syncing(*entries, **more):
    """Settings of a link that keeps groups in step, each second."""
    return {"consumer__offset__sync__enable": "true", "consumer__offset__sync__ms": 1000,
            "consumer__offset__group__filters": filters(*entries), **more}


def of(site, **more):
    """Only the groups of this test: clusters are shared."""
    return syncing({"name": f"g-{site.id}", "patternType": "PREFIXED", "filterType": "INCLUDE"}, **more)


def tasks(site):
    """The tasks of the site's link, by their names."""
    rows = site.ok("link", "task", "list", site.link, "-o", "json").json
    for row in rows:
        contract.has_keys(row, contract.TASK, "link task list")
        assert row["state"] in contract.TASK_STATE | {None}
    return {row["task_name"]: row for row in rows}


def wait_task(site, name, state, deadline=30):
    wait_until(lambda: tasks(site)[name]["state"] == state, deadline, lambda: f"{name} {state}: {tasks(site)}",
               every=0.2)
    return tasks(site)[name]


def test_tasks_that_nobody_asked_for_are_told_so(site):
    site.create_link()
    assert {row["state"] for row in tasks(site).values()} == {None}
    site.worker()
    wait_task(site, "AclSync", "NOT_CONFIGURED")
    assert list(tasks(site)) == ["ConsumerOffsetSync", "TopicConfigsSync", "AclSync", "AutoCreateMirror",
                           "SourceProgress"]
    assert tasks(site)["ConsumerOffsetSync"]["state"] == "NOT_CONFIGURED"
    site.ok("link", "task", "list", site.link).says("ConsumerOffsetSync +NOT_CONFIGURED")


def test_groups_stand_where_they_stood(site, counts):
    """Simple groups and one with members: equal offsets and metadata; 0, the end, beyond the end; resets followed."""
    count, group = counts(600, 20000), f"g-{site.id}"
    topic = site.mirrored(partitions=3, **of(site))
    produce(site.source, topic, count, 3)
    ends = site.source.ends(topic)
    commit(site.source, f"{group}-simple", topic, {0: 0, 1: 7, 2: ends[2]}, "where and why")
    commit(site.source, f"{group}-beyond", topic, {0: ends[0] + 1000})
    commit(site.source, f"{group}-drops", topic, {0: 5})
    commit(site.source, f"other-{site.id}", topic, {0: 3})
    with Member(site.source, f"{group}-member", topic, auto__offset__reset="earliest") as member:
        member.read(count)
        member.commit()
        site.worker()
        site.wait_caught_up(topic)
        wait_committed(site.destination, f"{group}-simple", topic, {0: 0, 1: 7, 2: ends[2]})
        wait_committed(site.destination, f"{group}-beyond", topic, {0: ends[0]})
        wait_committed(site.destination, f"{group}-member", topic, ends)
    assert metadata(site.destination, f"{group}-simple")[(topic, 1)] == "where and why"
    assert committed(site.destination, f"other-{site.id}") == {}
    # a tool resets the group at the source: what krmirror wrote itself it follows
    commit(site.source, f"{group}-simple", topic, {1: 2, 2: 1})
    wait_committed(site.destination, f"{group}-simple", topic, {0: 0, 1: 2, 2: 1})
    delete(site.source, f"{group}-drops")
    produce(site.source, topic, 30, 3)
    commit(site.source, f"{group}-simple", topic, {0: ends[0] + 5})
    wait_committed(site.destination, f"{group}-simple", topic, {0: ends[0] + 5, 1: 2, 2: 1})
    assert committed(site.destination, f"{group}-drops", topic) == {0: 5}, "deleted at the source, kept here"
    wait_until(lambda: f"{group}-drops" in [g["group_id"] for g in groups(site)], 20, lambda: str(groups(site)))
    gone = shown(site, f"{group}-drops")
    assert gone["reason"] == "GONE_AT_SOURCE" and 0 <= gone["age_ms"] < 60000
    assert shown(site, f"{group}-beyond")["offsets_behind"] >= 900
    assert wait_task(site, "ConsumerOffsetSync", "ACTIVE")["errors"] == []


@pytest.mark.parametrize("protocol", ["classic", pytest.param("consumer", marks=pytest.mark.real_only)])
def test_a_group_with_members_is_never_moved(site, matrix, protocol):
    """Live on the destination: left alone. Gone again, with a higher offset than the source's: not moved back; once the
    source is beyond it, moved on."""
    if protocol == "consumer" and "4.3.0" != matrix[1]:
        pytest.skip("the destination has no groups of the new protocol")
    group = f"g-{site.id}"
    topic = site.mirrored(**of(site))
    produce(site.source, topic, 100)
    commit(site.source, group, topic, {0: 10})
    site.worker()
    site.wait_caught_up(topic)
    wait_committed(site.destination, group, topic, {0: 10})
    config = {"group__protocol": "consumer"} if protocol == "consumer" else {}
    with Member(site.destination, group, topic, **config) as member:
        assert member.read(40)[0] == (0, 10), "the group goes on where it stood"
        commit(site.source, group, topic, {0: 60})
        wait_until(lambda: shown(site, group)["reason"] == "ACTIVE_ON_DESTINATION", 20, lambda: str(groups(site)))
        member.read(40)   # 10..89
        member.commit()
    assert committed(site.destination, group, topic) == {0: 90}
    wait_until(lambda: shown(site, group)["reason"] == "DESTINATION_AHEAD", 20, lambda: str(groups(site)))
    commit(site.source, group, topic, {0: 70})
    commit(site.source, f"{group}-mark", topic, {0: 1})
    wait_committed(site.destination, f"{group}-mark", topic, {0: 1})
    assert committed(site.destination, group, topic) == {0: 90}, "not moved back over another's commit"
    commit(site.source, group, topic, {0: 95})
    wait_committed(site.destination, group, topic, {0: 95})
    assert shown(site, group)["state"] == "SYNCED"


def test_prefixes_and_filters(site):
    """Topics and groups under the link's prefix; EXCLUDE wins."""
    group = f"g-{site.id}"
    source = site.topic()
    site.source.create_topic(source)
    site.create_link(**syncing(
        {"name": group, "patternType": "PREFIXED", "filterType": "INCLUDE"},
        {"name": f"{group}-secret", "patternType": "LITERAL", "filterType": "EXCLUDE"},
        cluster__link__prefix="west.", consumer__group__prefix__enable="true"))
    site.create_mirror(f"west.{source}")
    produce(site.source, source, 50)
    commit(site.source, group, source, {0: 30})
    commit(site.source, f"{group}-secret", source, {0: 31})
    site.worker()
    wait_committed(site.destination, f"west.{group}", f"west.{source}", {0: 30})
    assert committed(site.destination, group) == {} == committed(site.destination, f"west.{group}-secret")
    assert [row["group_id"] for row in groups(site)] == [group]


def groups(site):
    rows = site.ok("group", "list", "--link", site.link, "-o", "json").json
    for row in rows:
        contract.has_keys(row, contract.GROUP_LIST, "group list")
        assert row["state"] in contract.GROUP_STATE
    return rows


def shown(site, group):
    row, = (r for r in groups(site) if r["group_id"] == group)
    return row


def test_many_groups_within_their_period(site, counts, limit):
    """All of them at first, all of them moved, and at rest: what a second costs then is printed."""
    count, n, parts = counts(400, 40000), counts(100, 1000), 4
    topic = site.mirrored(partitions=parts, **of(site))
    produce(site.source, topic, count, parts)
    ends = site.source.ends(topic)
    groups_at = {f"g-{site.id}-{i}": {p: (i + p) % (ends[p] + 1) for p in range(parts)} for i in range(n)}
    commit(site.source, f"g-{site.id}-first", topic, {0: 1})
    commit_many(site.source, topic, groups_at)
    worker = site.worker()
    site.wait_caught_up(topic)
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        wait_until(lambda: committed_many(site.destination, topic, groups_at) == groups_at, limit(60, 60),
                   "all groups on the destination", every=0.5, swallow=(KafkaException,))
        seconds.append(time.monotonic() - began)
        groups_at = {group: {p: ends[p] - o for p, o in at.items()} for group, at in groups_at.items()}
        commit_many(site.source, topic, groups_at)
    wait_until(lambda: committed_many(site.destination, topic, groups_at) == groups_at, limit(60, 60),
               "all groups moved back", every=0.5)
    before, began = worker.cpu(), time.monotonic()
    commit(site.source, f"g-{site.id}-first", topic, {0: 2})
    wait_committed(site.destination, f"g-{site.id}-first", topic, {0: 2}, limit(15, 10))
    took = time.monotonic() - began
    while time.monotonic() < began + limit(3, 8):   # a moment is the subject: the cost of rest
        time.sleep(0.2)
    share = (worker.cpu() - before) / (time.monotonic() - began)
    print(f"\n{n} groups of {parts} partitions: first {seconds[0]:.1f} s, moved {seconds[1]:.1f} s, one moved {took:.2f} s, "
          f"at rest {share * 100:.1f} % of a core, resident {worker.resident() >> 20} MiB")
    assert tasks(site)["ConsumerOffsetSync"]["errors"] == []


def test_the_progress_is_committed_at_the_source(site):
    """Under the group of mirror.progress.group.id, which is not mirrored back; a group with members is not touched."""
    group = f"g-{site.id}-progress"
    topic = site.mirrored(partitions=2, mirror__progress__group__id=group, **of(site))
    produce(site.source, topic, 100, 2)
    site.worker()
    site.wait_caught_up(topic)
    wait_committed(site.source, group, topic, site.source.ends(topic))
    produce(site.source, topic, 50, 2)
    site.wait_caught_up(topic)
    wait_committed(site.source, group, topic, site.source.ends(topic))
    wait_task(site, "SourceProgress", "ACTIVE")
    assert shown(site, group)["reason"] == "GROUP_OF_KRMIRROR" and committed(site.destination, group) == {}
    with Member(site.source, group, topic, auto__offset__reset="earliest") as member:
        member.join()
        produce(site.source, topic, 50, 2)
        error, = wait_task(site, "SourceProgress", "IN_ERROR")["errors"]
        assert error["error_code"] == "CONSUMER_GROUP_IN_USE_ERROR" and group in error["error_message"]
    wait_committed(site.source, group, topic, site.source.ends(topic))
    wait_task(site, "SourceProgress", "ACTIVE")


def test_promote_and_failover_settle_groups(site):
    """Promote: once more the source's offsets, with the period far away. Failover: nothing beyond the end stays."""
    group = f"g-{site.id}"
    topic, other = site.mirrored(**of(site, consumer__offset__sync__ms=3600000)), site.topic("other")
    site.source.create_topic(other)
    site.create_mirror(other)
    for name in (topic, other):
        produce(site.source, name, 100)
    commit(site.source, group, topic, {0: 10})
    commit(site.destination, f"{group}-beyond", topic, {0: 5000})
    commit(site.destination, f"{group}-beyond", other, {0: 5000})
    commit(site.destination, f"{group}-within", other, {0: 20})
    commit(site.destination, f"x{group}", other, {0: 5000})
    site.worker()
    site.wait_caught_up(topic)
    site.wait_caught_up(other)
    # The one pass of this hour was made when the mirror had some of its records, or none.
    wait_until(lambda: committed(site.destination, group, topic).get(0, 99) <= 10, 30, "the first pass")
    commit(site.source, group, topic, {0: 90})
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    assert committed(site.destination, group, topic) == {0: 90}
    site.ok("failover", other, "--link", site.link, "--wait=60s")
    ends = site.destination.ends(other)
    assert committed(site.destination, f"{group}-beyond", other) == ends
    assert committed(site.destination, f"{group}-within", other) == {0: 20}
    assert committed(site.destination, f"x{group}", other) == {0: 5000}, "the link's filters do not take it"
