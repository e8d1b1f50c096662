# SPDX-License-Identifier: Apache-2.0
"""The read-only guard: who may write to a mirror, read it, and what its ACLs are afterwards. krmirror and its rivals go
through a listener with names; judges are super users."""
import os
import random
import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType)

from lib import contract
from lib.krm import properties
from lib.oauth import token
from lib.produce import produce
from lib.secured import OAUTH, OAUTH_MODULE, PLAIN, SecuredListener, login
from lib.util import pace, wait_until

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]

USERS = ("app", "other")
ENFORCED, NOT_PERMITTED = "enforced", "unenforced: not permitted"


@pytest.fixture
def closed(matrix, pool, make_site):
    """closed(super, everyone): a site whose destination has an authorizer. super: krmirror is one; everyone: what
    allow.everyone.if.no.acl.found says."""
    def make(super_user, everyone):
        source, _ = pool.pair(matrix[0], matrix[0])
        key = f"closed-{int(super_user)}{int(everyone)}"
        fresh = (key, matrix[1], 1) not in pool.shared
        names = "User:ANONYMOUS" + (";User:mirror" if super_user else "")
        c = pool.get(key, matrix[1], secured=SecuredListener(sasl=True, users=USERS), config={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": names, "allow.everyone.if.no.acl.found": str(everyone).lower()})
        if fresh and not everyone:
            for user in ("mirror",) if not super_user else ():
                for kind, name in (("TOPIC", "*"), ("GROUP", "*"), ("TRANSACTIONAL_ID", "*"),
                                   ("BROKER", "kafka-cluster")):
                    c.create_acl(kind, name, f"User:{user}", "ALL")
            for user in USERS:
                c.create_acl("GROUP", "*", f"User:{user}", "ALL")
        return make_site(source, c, matrix[2], destination_door=c.secured_bootstrap,
                         config={"security.protocol": "SASL_PLAINTEXT"} | login(PLAIN))
    return make


def acls(cluster, topic):
    """As the stock admin client tells them."""
    found = cluster.admin.describe_acls(AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.MATCH, None, None, AclOperation.ANY,
        AclPermissionType.ANY)).result(30)
    return sorted((a.name, a.resource_pattern_type.name, a.principal, a.host, a.operation.name, a.permission_type.name)
                  for a in found)


def remove_acl(cluster, topic, principal, operation, allow=True):
    cluster.admin.delete_acls([AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, principal, "*", AclOperation[operation],
        AclPermissionType.ALLOW if allow else AclPermissionType.DENY)])
    gone = (topic, "LITERAL", principal, "*", operation, "ALLOW" if allow else "DENY")
    wait_until(lambda: gone not in acls(cluster, topic), 30, "removed")


def named(cluster, user, **more):
    return {"bootstrap.servers": cluster.secured_bootstrap, "security.protocol": "SASL_PLAINTEXT", "log_level": 0,
            "sasl.mechanism": "PLAIN", "sasl.username": user, "sasl.password": user, **more}


def may_write(cluster, user, topic, **keys):
    """One record of a stock producer."""
    got = []
    producer = Producer(named(cluster, user, **{"message.timeout.ms": 20000}) if not keys else keys)
    producer.produce(topic, b"of " + user.encode(), on_delivery=lambda e, m: got.append(e))
    producer.flush(30)
    assert len(got) == 1
    if got[0] is None:
        return True
    assert got[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, got[0]
    return False


def may_read(cluster, user, topic, count):
    """A subscription is refused at once; an assignment would go on asking without a word."""
    consumer = Consumer(named(cluster, user, **{"group.id": f"of-{user}-{uuid.uuid4().hex[:8]}",
                                                "enable.auto.commit": False, "auto.offset.reset": "earliest"}))
    try:
        consumer.subscribe([topic])
        end, seen = time.monotonic() + 20, 0
        while seen < count and time.monotonic() < end:
            m = consumer.poll(0.5)
            if m is not None and m.error():
                if m.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    return False
                continue
            seen += m is not None
        assert seen >= count, f"neither refused nor read: {seen} of {count} records of {topic}"
        return True
    except KafkaException as e:
        assert e.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, e
        return False
    finally:
        consumer.close()


def in_force(cluster, topic, given):
    """The ACLs of the topic, when what was given is among them: a broker knows an ACL a moment after the answer."""
    wait_until(lambda: {tuple(g[:2]) for g in given} <= {(a[2], a[4]) for a in acls(cluster, topic)}, 30,
               f"{given} on {topic} are known", every=0.05)
    return acls(cluster, topic)


def guarded(site, before=(), count=100, **link):
    """A topic with these ACLs, mirrored and caught up; and what its ACLs were."""
    topic = site.topic()
    site.source.create_topic(topic)
    produce(site.source, topic, count)
    for principal, operation, *more in before:
        site.destination.create_acl("TOPIC", more[1] if len(more) > 1 else topic, principal, operation,
                                    pattern=more[0] if more else "LITERAL")
    own = in_force(site.destination, topic, before)
    site.create_link(**link)
    site.create_mirror(topic)
    site.worker()
    site.wait_caught_up(topic)
    return topic, own


def promoted(site, topic):
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    assert site.row(topic)["read_only"] == "lifted"


APP = [("User:app", "READ"), ("User:app", "WRITE"), ("User:app", "DESCRIBE")]

CASES = {
    # krmirror a super user, everyone allowed, own ACLs of the topic, link keys
    "super-own": (True, False, APP, {}),
    "super-own-everyone-allowed": (True, True, APP, {}),
    "super-prefixed": (True, False, [("User:app", "ALL", "PREFIXED", "t-")], {}),
    "super-bare": (True, True, [], {"mirror__readers__everyone": "true"}),
    "ordinary-bare": (False, True, [], {}),
    "ordinary-own": (False, False, APP, {}),
    "ordinary-all": (False, False, [("User:app", "ALL")], {}),
    "ordinary-prefixed": (False, False, [("User:app", "ALL", "PREFIXED", "t-")], {}),
    "ordinary-star": (False, False, [("User:*", "WRITE"), ("User:*", "READ"), ("User:*", "DESCRIBE")], {}),
    "ordinary-star-all": (False, False, [("User:*", "ALL")], {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_others_cannot_write_until_it_is_promoted(closed, case):
    super_user, everyone, before, link = case
    site = closed(super_user, everyone)
    topic, own = guarded(site, before, **link)
    assert site.row(topic)["read_only"] == ENFORCED
    now = acls(site.destination, topic)
    if super_user:
        assert (topic, "LITERAL", "User:*", "*", "WRITE", "DENY") in now
    assert not may_write(site.destination, "app", topic)
    assert may_read(site.destination, "app", topic, 100)
    produce(site.source, topic, 100, first=100)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 200)
    promoted(site, topic)
    assert acls(site.destination, topic) == own
    assert may_write(site.destination, "app", topic)


@pytest.mark.parametrize("super_user", (True, False), ids=("super", "ordinary"))
def test_a_failover_lifts_it(closed, super_user):
    """Of several topics at once, by the command line, before they are STOPPED: an ordinary principal writes at once."""
    site = closed(super_user, False)
    first, own = guarded(site, APP)
    second = site.topic("second")
    site.source.create_topic(second)
    site.destination.create_acl("TOPIC", second, "User:other", "WRITE")
    before = {first: own, second: in_force(site.destination, second, [("User:other", "WRITE")])}
    site.create_mirror(second)
    wait_until(lambda: site.row(second)["read_only"] == ENFORCED, 30, "the second is guarded", every=0.3)
    assert not may_write(site.destination, "app", first) and not may_write(site.destination, "other", second)
    site.workers[0].terminate()
    site.ok("failover", "--all", "--link", site.link, "--wait=60s")
    assert may_write(site.destination, "app", first) and may_write(site.destination, "other", second)
    for topic, was in before.items():
        assert acls(site.destination, topic) == was
        assert site.row(topic)["read_only"] == "lifted"


def test_where_it_cannot_be_enforced(closed):
    """Without an ACL on the topic, and nobody who says that everyone may read it; where everyone writes by an ACL that
    is not the topic's alone; without the right to change ACLs."""
    site = closed(True, True)
    topic, own = guarded(site)
    assert own == [] and acls(site.destination, topic) == []
    row = site.row(topic)
    assert row["read_only"] == NOT_PERMITTED and "mirror.readers.everyone" in row["read_only_reason"]
    assert "mirror.readers.everyone" in site.ok("mirror", "describe", topic, "--link", site.link).out
    assert may_read(site.destination, "app", topic, 100)
    promoted(site, topic)

    site = closed(False, False)
    site.destination.create_acl("TOPIC", "wide-", "User:*", "ALL", pattern="PREFIXED")
    wide = f"wide-{site.id}"
    site.source.create_topic(wide)
    own = acls(site.destination, wide)
    site.create_link()
    got = site.ok("mirror", "create", wide, "--link", site.link)
    assert "User:*" in got.err
    assert site.row(wide)["read_only"] == NOT_PERMITTED and acls(site.destination, wide) == own

    site.destination.create_acl("BROKER", "kafka-cluster", "User:mirror", "ALTER", allow=False)
    try:
        topic = site.topic("forbidden")
        site.source.create_topic(topic)
        got = site.ok("mirror", "create", topic, "--link", site.link)
        assert "ALTER on Cluster" in got.err
        assert site.row(topic)["read_only"] == NOT_PERMITTED
    finally:
        site.destination.admin.delete_acls([AclBindingFilter(
            ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL, "User:mirror", "*", AclOperation.ALTER,
            AclPermissionType.DENY)])
    # the right is given: the next worker does it
    site.worker()
    wait_until(lambda: site.row(topic)["read_only"] == ENFORCED, 60, "the guard stands", every=0.5)


@pytest.mark.parametrize("super_user", [True, False], ids=["super", "ordinary"])
def test_what_others_change_meanwhile_stays(closed, super_user):
    site = closed(super_user, False)
    topic, own = guarded(site, APP)
    c = site.destination
    c.create_acl("TOPIC", topic, "User:other", "READ")
    c.create_acl("TOPIC", topic, "User:other", "WRITE")
    remove_acl(c, topic, "User:app", "DESCRIBE")
    # the one who was let in now is kept out too, soon
    ban = (topic, "LITERAL", "User:*" if super_user else "User:other", "*", "WRITE", "DENY")
    wait_until(lambda: ban in acls(c, topic), 90, "the other is kept out")
    assert not may_write(c, "other", topic)
    produce(site.source, topic, 100, first=100)
    wanted = [a for a in own if (a[2], a[4]) != ("User:app", "DESCRIBE")]
    wanted += [(topic, "LITERAL", "User:other", "*", o, "ALLOW") for o in ("READ", "WRITE")]
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    assert acls(c, topic) == sorted(wanted)
    assert may_write(c, "other", topic)


@pytest.mark.parametrize("super_user", [True, False], ids=["super", "ordinary"])
def test_a_guard_that_was_taken_away_comes_back(closed, super_user):
    site = closed(super_user, False)
    topic, own = guarded(site, APP)
    who = "User:*" if super_user else "User:app"
    site.workers[0].terminate()
    remove_acl(site.destination, topic, who, "WRITE", allow=False)
    row = site.row(topic)
    assert row["read_only"] == NOT_PERMITTED and "taken away" in row["read_only_reason"]
    site.workers[0].start()
    wait_until(lambda: (topic, "LITERAL", who, "*", "WRITE", "DENY") in acls(site.destination, topic), 90,
               "the ban stands again")
    assert site.row(topic)["read_only"] == ENFORCED
    promoted(site, topic)
    assert acls(site.destination, topic) == own


@pytest.mark.parametrize("super_user", [True, False], ids=["super", "ordinary"])
def test_killed_between_the_steps(closed, counts, super_user):
    """The command line while it sets the guard, and then whoever lifts it: run again, all is as it must be."""
    site = closed(super_user, False)
    rng = random.Random(site.id)
    c = site.destination
    site.create_link()
    worker = site.worker()
    for turn in range(counts(6, 60)):
        topic = site.topic(f"killed{turn}")
        site.source.create_topic(topic)
        produce(site.source, topic, 50)
        for principal, operation in APP:
            c.create_acl("TOPIC", topic, principal, operation)
        # What reaches the topic by its name; * is the ordinary krmirror's.
        own = wait_until(lambda: sum(r[0] == topic for r in acls(c, topic)) == len(APP) and acls(c, topic), 30,
                         "the brokers have them")
        creating = site.start_cli("mirror", "create", topic, "--link", site.link)
        pace(rng.random() * 0.4)
        creating.kill()
        creating.communicate()
        if turn % 3 == 2:
            # given up: nothing of it stays
            site.cli("mirror", "delete", topic, "--link", site.link, "--yes")
            rows = site.cli("mirror", "list", "--link", site.link, "-o", "json").json
            if topic not in [r["mirror_topic_name"] for r in rows]:
                assert acls(c, topic) == own
                continue
        site.create_mirror(topic)
        assert site.row(topic)["read_only"] == ENFORCED
        assert not may_write(c, "app", topic)
        site.wait_caught_up(topic)
        promoting = site.start_cli("promote", topic, "--link", site.link, "--wait")
        pace(2 + rng.random() * 2)
        promoting.kill()
        promoting.communicate()
        worker.kill()
        if turn % 2:
            worker.start()
        site.ok("promote", topic, "--link", site.link, "--wait=60s")
        assert acls(c, topic) == own
        assert may_write(c, "app", topic)
        if not turn % 2:
            worker.start()


def test_an_ordinary_one_with_a_certificate(matrix, pool, make_site, authority):
    """Its principal is the subject, if the brokers have no rule for it; a wrong one is found by its effect, and `principal`
    says the right one, also for mirrors of before."""
    source, _ = pool.pair(matrix[0], matrix[0])
    c = pool.new(matrix[1], "closed-mtls", secured=SecuredListener(authority, clients=True), config={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS", "ssl.principal.mapping.rules": "RULE:^CN=(app|ruled)$/$1/,DEFAULT"})
    c.start()
    for user in ("CN=plain-mirror", "ruled"):
        for kind, name in (("TOPIC", "*"), ("GROUP", "*"), ("TRANSACTIONAL_ID", "*"), ("BROKER", "kafka-cluster")):
            c.create_acl(kind, name, f"User:{user}", "ALL")
    files = {n: authority.issue(n).write(os.path.join(authority.dir, f"{n}.pem")) for n in ("plain-mirror", "ruled", "app")}
    app = {"bootstrap.servers": c.secured_bootstrap, "security.protocol": "SSL", "ssl.ca.location": authority.file,
           "ssl.certificate.location": files["app"], "ssl.key.location": files["app"], "message.timeout.ms": 20000}
    for name in ("plain-mirror", "ruled"):
        site = make_site(source, c, matrix[2], destination_door=c.secured_bootstrap, config={
            "security.protocol": "SSL", "ssl.truststore.location": authority.file, "ssl.keystore.location": files[name]})
        topic, own = guarded(site, APP)
        if name == "ruled":
            row = site.row(topic)
            assert row["read_only"] == NOT_PERMITTED and "do not take it for User:CN=ruled" in row["read_only_reason"]
            wait_until(lambda: acls(c, topic) == own, 30, "nothing of it stays")
            site.workers[0].terminate()
            site.config["principal"] = "User:ruled"
            properties(site.config_file, site.config)
            with open(site.workers[0].config_file, "a") as f:
                f.write("principal=User:ruled\n")
            site.workers[0].start()
            wait_until(lambda: site.row(topic)["read_only"] == ENFORCED, 60, "it is known who krmirror is")
        assert site.row(topic)["read_only"] == ENFORCED
        assert not may_write(c, "app", topic, **app)
        produce(site.source, topic, 100, first=100)
        site.wait_caught_up(topic)
        promoted(site, topic)
        assert acls(c, topic) == own and may_write(c, "app", topic, **app)
    pool.drop(c)


def test_an_ordinary_one_with_a_token(matrix, pool, make_site):
    """Who it is stands in the token, by the brokers' rules; `principal` says it, and without that nothing is guarded."""
    source, _ = pool.pair(matrix[0], matrix[0])
    c = pool.new(matrix[1], "closed-token", secured=SecuredListener(sasl=True, oauth=True, users=USERS), config={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"})
    c.start()
    for kind, name in (("TOPIC", "*"), ("GROUP", "*"), ("TRANSACTIONAL_ID", "*"), ("BROKER", "kafka-cluster")):
        c.create_acl(kind, name, "User:mirror", "ALL")
    site = make_site(source, c, matrix[2], destination_door=c.secured_bootstrap, config={
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": OAUTH,
        "sasl.jaas.config": f'{OAUTH_MODULE} required token="{token()}";'})
    topic, own = guarded(site, APP)
    row = site.row(topic)
    assert row["read_only"] == NOT_PERMITTED and "principal" in row["read_only_reason"], row
    assert acls(c, topic) == own and may_write(c, "app", topic)
    site.ok("mirror", "pause", topic, "--link", site.link)   # the record of app has made it DIVERGED
    site.workers[0].terminate()
    site.config["principal"] = "User:mirror"
    properties(site.config_file, site.config)
    other = site.topic("other")
    source.create_topic(other)
    produce(source, other, 100)
    for principal, operation in APP:
        c.create_acl("TOPIC", other, principal, operation)
    site.create_mirror(other)
    site.worker()
    site.wait_caught_up(other)
    wait_until(lambda: site.row(other)["read_only"] == ENFORCED, 60, "it is known who krmirror is")
    assert not may_write(c, "app", other)
    produce(source, other, 100, first=100)
    site.wait_caught_up(other)
    site.ok("promote", other, "--link", site.link, "--wait=60s")
    assert may_write(c, "app", other)
    pool.drop(c)


@pytest.mark.parametrize("super_user", [True, False], ids=["super", "ordinary"])
def test_readers_never_notice(closed, super_user):
    """While the guard is set and lifted, a consumer that reads gets no error."""
    site = closed(super_user, False)
    topic, _ = guarded(site, APP)
    errors, stop = [], threading.Event()
    consumer = Consumer(named(site.destination, "app", **{"group.id": "watch", "error_cb": lambda e: None}))
    consumer.assign([TopicPartition(topic, 0, 0)])

    def watch():
        while not stop.is_set():
            m = consumer.poll(0.1)
            if m is not None and m.error():
                errors.append(str(m.error()))
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        promoted(site, topic)
        assert may_write(site.destination, "app", topic)
    finally:
        stop.set()
        thread.join()
        consumer.close()
    assert errors == []


@pytest.mark.parametrize("super_user,everyone", [(True, False), (True, True), (False, True)],
                         ids=["super", "super-everyone-allowed", "ordinary"])
def test_the_control_topic_is_krmirror_s_alone(closed, super_user, everyone):
    site = closed(super_user, everyone)
    topic, _ = guarded(site, APP if not everyone else [], mirror__readers__everyone="true")
    control, c = site.control_topic, site.destination
    assert acls(c, control) != []
    for user in USERS:
        assert not may_write(c, user, control)
        assert not may_read(c, user, control, 1)
    promoted(site, topic)


def test_a_control_topic_whose_guard_was_cut_short(closed):
    """What a command leaves that is killed before it knows that krmirror is an ordinary user: krmirror is shut out."""
    site = closed(False, True)
    site.create_link()
    control, c = site.control_topic, site.destination
    own = acls(c, control)
    for a in own:
        remove_acl(c, control, a[2], a[4])
    for operation in ("READ", "WRITE"):
        c.create_acl("TOPIC", control, "User:*", operation, allow=False)
    wait_until(lambda: len(acls(c, control)) == 2, 30, "the bans stand")
    site.ok("link", "list")
    assert acls(c, control) == own
    # a ban that is not krmirror's stays, and is told
    c.create_acl("TOPIC", control, "User:mirror", "READ", allow=False)
    wait_until(lambda: len(acls(c, control)) == 2, 30, "the ban stands")
    site.cli("link", "list").expect(contract.DENIED).says(control, r"a DENY for User:\* must be removed", "krmirror-security")
    assert len(acls(c, control)) == 2


def test_a_cluster_without_authorizer(site):
    """Nothing is asked of ACLs there; read_only says so."""
    topic = site.mirrored()
    assert site.row(topic)["read_only"] == "unenforced: no authorizer"
    assert site.row(topic)["read_only_reason"] is None
