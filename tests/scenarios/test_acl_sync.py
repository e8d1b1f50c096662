# SPDX-License-Identifier: Apache-2.0
"""ACLs of the source stand at the destination, but for what would let somebody write to a mirror; judged by Kafka's own
kafka-acls."""
import json
import re

import pytest
from confluent_kafka.admin import (AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType)

from lib.jvm import tool
from lib.produce import produce
from lib.secured import PLAIN, SecuredListener, login
from lib.util import wait_until
from test_read_only import may_read, may_write

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine, pytest.mark.jvm]

EVERYTHING = json.dumps({"aclFilters": [{"resourceFilter": {"resourceType": "any", "patternType": "any"},
                                         "accessFilter": {"operation": "any", "permissionType": "any"}}]})
AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}


def listed(cluster):
    """What kafka-acls lists: {(type, name, pattern): {(principal, host, operation, permission)}}."""
    command = "org.apache.kafka.tools.AclCommand" if cluster.version >= "4" else "kafka.admin.AclCommand"
    text = tool(cluster.version, command, "--bootstrap-server", cluster.bootstrap, "--list").stdout.decode()
    found, at = {}, None
    for line in text.splitlines():
        m = re.search(r"resourceType=(\w+), name=([^,]+), patternType=(\w+)", line)
        if m:
            at = found.setdefault(m.groups(), set())
        m = re.search(r"principal=([^,]+), host=([^,]+), operation=(\w+), permissionType=(\w+)", line)
        if m:
            at.add(m.groups())
    return found


def acls(cluster):
    """The same, quicker: for waiting."""
    got = cluster.admin.describe_acls(AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)).result(30)
    return {(a.restype.name, a.name, a.resource_pattern_type.name, a.principal, a.operation.name, a.permission_type.name)
            for a in got}


def remove(cluster, kind, name, principal, operation, pattern="LITERAL", permission="ALLOW"):
    cluster.admin.delete_acls([AclBindingFilter(
        ResourceType[kind], name, ResourcePatternType[pattern], principal, "*", AclOperation[operation],
        AclPermissionType[permission])])


def task(site):
    rows = site.ok("link", "task", "list", site.link, "-o", "json").json
    return [r for r in rows if r["task_name"] == "AclSync"][0]


@pytest.mark.parametrize("super_user", [True, False], ids=["super", "ordinary"])
def test_acls_follow_the_source(matrix, pool, make_site, super_user):
    source = pool.get("acl-source", matrix[0], config=AUTHORIZER | {"super.users": "User:ANONYMOUS"})
    destination = pool.get(
        f"acl-{int(super_user)}", matrix[1], secured=SecuredListener(sasl=True, users=("app",)), config=AUTHORIZER | {
            "super.users": "User:ANONYMOUS" + (";User:mirror" if super_user else "")})
    site = make_site(source, destination, matrix[2], destination_door=destination.secured_bootstrap,
                     config={"security.protocol": "SASL_PLAINTEXT"} | login(PLAIN))
    if not super_user:
        for kind, name in (("TOPIC", "*"), ("GROUP", "*"), ("TRANSACTIONAL_ID", "*"), ("BROKER", "kafka-cluster")):
            destination.create_acl(kind, name, "User:mirror", "ALL")
    source.admin.delete_acls([AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
                                               AclPermissionType.ANY)])
    wait_until(lambda: not acls(source), 20, "nothing is left of another test")
    one, two = site.topic("one"), site.topic("two")
    for t in (one, two):
        source.create_topic(t)
        produce(source, t, 50)
    wide = [("TOPIC", one, "READ", "LITERAL"), ("TOPIC", one, "WRITE", "LITERAL"), ("TOPIC", "two-", "ALL", "PREFIXED"),
            ("GROUP", "*", "READ", "LITERAL"), ("TRANSACTIONAL_ID", "tx", "WRITE", "LITERAL"),
            ("TOPIC", f"later-{site.id}", "WRITE", "LITERAL")]
    for kind, name, operation, pattern in wide:
        source.create_acl(kind, name, "User:app", operation, pattern=pattern)
    source.create_acl("TOPIC", two, "User:bad", "READ", allow=False)
    # krmirror's own, and what is nobody else's to have
    source.create_acl("TOPIC", one, "User:mirror", "READ")
    source.create_acl("TOPIC", "_krmirror", "User:app", "READ")
    source.create_acl("BROKER", "kafka-cluster", "User:app", "ALTER")
    destination.create_acl("TOPIC", one, "User:local", "READ")
    before = acls(destination)

    site.create_link(acl__sync__enable="true", acl__sync__ms=1000, acl__filters=EVERYTHING)
    for t in (one, two):
        site.create_mirror(t)
    site.worker()

    def made():
        return acls(destination) - before - {a for a in acls(destination) if a[1].startswith("_krm") or
                                             (a[5] == "DENY" and a[4] == "WRITE") or a[3] == "User:mirror"}
    wanted = {("TOPIC", one, "LITERAL", "User:app", "READ", "ALLOW"),
              *(("TOPIC", "two-", "PREFIXED", "User:app", o, "ALLOW") for o in ("READ", "DESCRIBE", "DESCRIBE_CONFIGS")),
              ("GROUP", "*", "LITERAL", "User:app", "READ", "ALLOW"),
              ("TRANSACTIONAL_ID", "tx", "LITERAL", "User:app", "WRITE", "ALLOW"),
              ("TOPIC", f"later-{site.id}", "LITERAL", "User:app", "WRITE", "ALLOW"),
              ("TOPIC", two, "LITERAL", "User:bad", "READ", "DENY")}
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)
    assert task(site)["state"] == "ACTIVE", task(site)
    site.wait_caught_up(one)
    site.wait_caught_up(two)
    for t in (one, two):
        assert may_read(destination, "app", t, 50) and not may_write(destination, "app", t)

    # a change at the source; what others made here stays
    remove(source, "TRANSACTIONAL_ID", "tx", "User:app", "WRITE")
    remove(source, "TOPIC", two, "User:bad", "READ", permission="DENY")
    source.create_acl("TOPIC", one, "User:new", "READ")
    wanted = {a for a in wanted if a[1] != "tx" and a[3] != "User:bad"} | {
        ("TOPIC", one, "LITERAL", "User:new", "READ", "ALLOW")}
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)

    # the right to write comes with the promotion, and for one mirror alone while the other lives
    site.ok("promote", two, "--link", site.link, "--wait=60s")
    assert may_write(destination, "app", two) and not may_write(destination, "app", one)
    site.ok("promote", one, "--link", site.link, "--wait=60s")
    assert may_write(destination, "app", one)
    wanted = {a for a in wanted if a[1] != "two-"} | {
        ("TOPIC", "two-", "PREFIXED", "User:app", "ALL", "ALLOW"), ("TOPIC", one, "LITERAL", "User:app", "WRITE", "ALLOW"),
        ("TOPIC", two, "LITERAL", "User:app", "ALL", "ALLOW")}   # made by name, when the prefix reached a mirror
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)
    assert may_write(destination, "app", two) and may_write(destination, "app", one)

    # as Kafka's own tool has it: what the source lets the application do, and nothing of krmirror's own
    def app(found):
        return {(r, a) for r, some in found.items() for a in some if a[0] == "User:app" and r[0] != "CLUSTER" and
                not r[1].startswith("_krm") and r != ("TOPIC", two, "LITERAL")}
    here = listed(destination)
    assert len(app(here)) > 3 and app(here) == app(listed(source))
    assert ("User:local", "*", "READ", "ALLOW") in here[("TOPIC", one, "LITERAL")]
    assert not any(r[0] == "CLUSTER" and a[0] == "User:app" for r, some in here.items() for a in some)


def test_acls_under_other_names(matrix, pool, make_site):
    """Where mirrors, and groups, have a prefix: literal names become the mirrors', prefixes move behind it; what no prefix
    says any more is told, and what nobody mirrors is not made under its name."""
    source = pool.get("acl-source", matrix[0], config=AUTHORIZER | {"super.users": "User:ANONYMOUS"})
    destination = pool.get("acl-1", matrix[1], secured=SecuredListener(sasl=True, users=("app",)), config=AUTHORIZER | {
        "super.users": "User:ANONYMOUS;User:mirror"})
    site = make_site(source, destination, matrix[2], destination_door=destination.secured_bootstrap,
                     config={"security.protocol": "SASL_PLAINTEXT"} | login(PLAIN))
    one, two = site.topic("one"), site.topic("two")
    for t in (one, two):
        source.create_topic(t)
        produce(source, t, 50)
    app = f"User:app-{site.id}"
    for kind, name, operation, pattern in (
            ("TOPIC", one, "READ", "LITERAL"), ("TOPIC", one, "WRITE", "LITERAL"), ("TOPIC", two, "READ", "LITERAL"),
            ("TOPIC", "one-", "DESCRIBE", "PREFIXED"), ("TOPIC", "two-", "DESCRIBE", "PREFIXED"),
            ("TOPIC", f"none-{site.id}", "READ", "LITERAL"), ("GROUP", "g-", "READ", "PREFIXED")):
        source.create_acl(kind, name, app, operation, pattern=pattern)
    site.create_link(acl__sync__enable="true", acl__sync__ms=1000, cluster__link__prefix="p.",
                     consumer__group__prefix__enable="true", acl__filters=json.dumps({"aclFilters": [
                         {"resourceFilter": {"resourceType": "any", "patternType": "any"},
                          "accessFilter": {"operation": "any", "permissionType": "any", "principal": app}}]}))
    site.create_mirror(f"p.{one}")
    site.worker()

    def made():
        return {a[:3] + a[4:] for a in acls(destination) if a[3] == app}
    wanted = {("TOPIC", f"p.{one}", "LITERAL", "READ", "ALLOW"), ("TOPIC", "p.one-", "PREFIXED", "DESCRIBE", "ALLOW"),
              ("TOPIC", "p.two-", "PREFIXED", "DESCRIBE", "ALLOW"), ("GROUP", "p.g-", "PREFIXED", "READ", "ALLOW")}
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)
    assert task(site)["state"] == "ACTIVE"

    # a mirror that the link would not call so: its topic's own ACLs follow it, the prefix says something else now
    site.create_mirror(f"p.{site.id}", "--source-topic", two)
    wanted = {a for a in wanted if a[1] != "p.two-"} | {("TOPIC", f"p.{site.id}", "LITERAL", "READ", "ALLOW")}
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)
    wait_until(lambda: task(site)["state"] == "IN_ERROR", 20, lambda: task(site), every=0.2)
    error, = task(site)["errors"]
    assert error["error_code"] == "INVALID_REQUEST_ERROR" and "two- (PREFIXED)" in error["error_message"]

    # the right to write waits for the promotion here, too
    site.wait_caught_up(f"p.{one}", one)
    site.ok("promote", f"p.{one}", "--link", site.link, "--wait=60s")
    wanted |= {("TOPIC", f"p.{one}", "LITERAL", "WRITE", "ALLOW")}
    wait_until(lambda: made() == wanted, 30, lambda: f"{wanted ^ made()}", every=0.2)


def test_without_an_authorizer(matrix, pool, make_site):
    site = make_site(*pool.pair(*matrix[:2]), matrix[2])
    site.create_link(acl__sync__enable="true", acl__sync__ms=1000, acl__filters=EVERYTHING)
    site.worker()
    wait_until(lambda: [e["error_code"] for e in task(site)["errors"]] == ["SECURITY_DISABLED_ERROR"], 30,
               lambda: task(site), every=0.2)
    assert task(site)["state"] == "IN_ERROR"
