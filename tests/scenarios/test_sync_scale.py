# SPDX-License-Identifier: Apache-2.0
"""All sync tasks at once, each second, over many topics, groups and ACLs: the periods hold, what is at rest is only looked
at, and what changed is applied soon."""
import json
import time

import pytest
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, NewTopic, ResourcePatternType,
                                   ResourceType)

from lib.groups import commit, commit_many, committed_many, wait_committed
from lib.produce import produce
from lib.proxy import CREATE_TOPICS, Proxies
from lib.util import wait_until
from test_acl_sync import AUTHORIZER, EVERYTHING, acls
from test_auto_create import mirrors
from test_groups import tasks

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]

OFFSET_COMMIT, LIST_GROUPS, DESCRIBE_ACLS, CREATE_ACLS, DELETE_ACLS, DESCRIBE_CONFIGS = 8, 16, 29, 30, 31, 32
CREATE_PARTITIONS, ALTER_CONFIGS = 37, 44
DESCRIBE_PRODUCERS = 61   # what the control log is asked before a record
WRITES = {CREATE_TOPICS, CREATE_ACLS, DELETE_ACLS, CREATE_PARTITIONS, ALTER_CONFIGS}
AT_ONCE = 250   # topics whose settings are asked for in one request


class Asked:
    """Requests through the doors of one side since it was made, by API."""

    def __init__(self, proxies):
        self.proxies, self.before, self.began = proxies, self.seen(proxies), time.monotonic()

    @staticmethod
    def seen(proxies):
        out = {}
        for p in proxies.all:
            for api, n in dict(p.seen).items():
                out[api] = out.get(api, 0) + n
        return out

    @property
    def seconds(self):
        return time.monotonic() - self.began

    def all(self):
        return {api: n - self.before.get(api, 0) for api, n in sorted(self.seen(self.proxies).items())
                if n != self.before.get(api, 0)}

    def __getitem__(self, api):
        return self.all().get(api, 0)


def binding(topic, principal, operation):
    return AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, principal, "*", AclOperation[operation],
                      AclPermissionType.ALLOW)


def create_acls(cluster, bindings):
    for at in range(0, len(bindings), 200):
        for f in cluster.admin.create_acls(bindings[at:at + 200]).values():
            f.result(60)


def rest(worker, sides, seconds):
    """What the worker asks and costs in so many seconds."""
    asked, cpu, began = [Asked(s) for s in sides], worker.cpu(), time.monotonic()
    while time.monotonic() < began + seconds:   # a moment is the subject: the cost of rest
        time.sleep(0.2)
    took = time.monotonic() - began
    counted = [a.all() for a in asked]
    share = (worker.cpu() - cpu) / took
    print(f"\nin {took:.1f} s: {share * 100:.1f} % of a core, asked of the source {counted[0]}, of the destination {counted[1]}")
    return took, share, counted


def test_periods_hold(matrix, pool, make_site, counts, limit):
    n, n_groups, n_acls = counts(60, 2000), counts(30, 1000), counts(100, 1200)
    pair = [pool.get(f"scale-{side}", version, proxied=True, config=AUTHORIZER | {"super.users": "User:ANONYMOUS"})
            for side, version in zip(("source", "destination"), matrix)]
    with Proxies(pair[0]) as source_door, Proxies(pair[1]) as destination_door:
        site = make_site(*pair, matrix[2], source_door=source_door.bootstrap,
                         destination_door=destination_door.bootstrap)
        doors = (source_door, destination_door)
        topics = [f"s-{site.id}-{i:04}" for i in range(n)]
        first, group = topics[0], f"g-{site.id}"
        site.source.create_topic(first)
        produce(site.source, first, 1000)
        commit(site.source, f"{group}-0", first, {0: 1})
        for f in site.source.admin.create_topics([NewTopic(t, 1, 1) for t in topics[1:]], operation_timeout=60).values():
            f.result(120)
        create_acls(site.source, [binding(topics[i % n], f"User:app{i // n}", "READ") for i in range(n_acls // 2)])
        create_acls(site.source, [binding(topics[i % n], f"User:app{i // n}", "WRITE") for i in range(n_acls // 2)])
        groups_at = {f"{group}-{i}": {0: i % 1000} for i in range(n_groups)}
        commit_many(site.source, first, groups_at)
        site.create_link(**{"auto.create.mirror.topics.enable": "true", "auto.create.mirror.topics.filters": json.dumps(
            {"topicFilters": [{"name": f"s-{site.id}-", "patternType": "PREFIXED", "filterType": "INCLUDE"}]}),
            "consumer.offset.sync.enable": "true", "consumer.offset.sync.ms": 1000,
            "consumer.offset.group.filters": json.dumps({"groupFilters": [
                {"name": group, "patternType": "PREFIXED", "filterType": "INCLUDE"}]}),
            "acl.sync.enable": "true", "acl.sync.ms": 1000, "acl.filters": EVERYTHING, "topic.config.sync.ms": 1000,
            "mirror.progress.group.id": f"progress-{site.id}"})
        worker = site.worker()
        began = time.monotonic()
        wait_until(lambda: len(mirrors(site)) == n, limit(120, 600), lambda: f"{len(mirrors(site))} mirrors", every=1)
        print(f"\n{n} mirrors after {time.monotonic() - began:.1f} s")
        site.wait_caught_up(first)
        wait_until(lambda: committed_many(site.destination, first, groups_at) == groups_at, 60, "all groups", every=0.5)
        readers = {(t.name, t.principal) for t in (binding(topics[i % n], f"User:app{i // n}", "READ")
                                                   for i in range(n_acls // 2))}
        wait_until(lambda: readers <= {(a[1], a[3]) for a in acls(site.destination) if a[4] == "READ"}, 60, "all ACLs",
                   every=0.5)
        print(f"all in step after {time.monotonic() - began:.1f} s, resident {worker.resident() >> 20} MiB")

        # At rest: each task's pass once a period, and nothing is written. Records of the log come once a minute besides.
        rest(worker, doors, limit(2, 20))
        seconds, share, (there, here) = rest(worker, doors, limit(4, 30))
        passes = {"groups": there[LIST_GROUPS], "acls": there[DESCRIBE_ACLS],
                  "settings": there[DESCRIBE_CONFIGS] / -(-n // AT_ONCE)}
        print(f"passes of {seconds:.1f} s: {passes}")
        for name, made in passes.items():
            assert seconds / limit(4, 1.5) - 1 <= made <= seconds + 2, f"{made} passes over {name} in {seconds:.1f} s"
        assert {api: k for api, k in here.items() if api in WRITES} == {}
        # the minute's record, and groups whose day it is to be committed again
        assert here.get(DESCRIBE_PRODUCERS, 0) <= limit(3, 5) and here.get(OFFSET_COMMIT, 0) <= limit(1, 3), here
        assert share < limit(0.5, 0.3)
        took = {}
        began = time.monotonic()
        site.source.alter_topic(topics[-1], max__message__bytes="2000000")
        wait_until(lambda: site.destination.topic_config(topics[-1])["max.message.bytes"] == "2000000", 60, "a setting",
                   every=0.05)
        took["setting"] = time.monotonic() - began
        began = time.monotonic()
        create_acls(site.source, [binding(topics[-1], "User:new", "READ")])
        wait_until(lambda: any(a[3] == "User:new" for a in acls(site.destination)), 60, "an ACL", every=0.05)
        took["acl"] = time.monotonic() - began
        began = time.monotonic()
        commit(site.source, f"{group}-7", first, {0: 999})
        wait_committed(site.destination, f"{group}-7", first, {0: 999}, 60)
        took["group"] = time.monotonic() - began
        print(f"\napplied after: {took}")
        assert max(took.values()) < limit(20, 3)
        assert {r["task_name"]: r["errors"] for r in tasks(site).values() if r["errors"]} == {}
