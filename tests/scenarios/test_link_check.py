# SPDX-License-Identifier: Apache-2.0
"""link check: what cannot be reached, what may not be done, and what to do about it; and that link create looks first."""
import json
import os
import re
import shlex

import pytest

from lib import contract
from lib.acls import grants
from lib.authority import Authority
from lib.groups import commit, wait_committed
from lib.jvm import tool
from lib.kafka import start_all
from lib.krm import properties
from lib.produce import produce
from lib.secured import PLAIN, SCRAM_256, SecuredListener, login
from lib.util import wait_until

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]

AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
              "super.users": "User:ANONYMOUS"}
NOWHERE = "krmirror-test.invalid:9092"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def check(site, *args, codes=range(9), **kw):
    got = site.cli("link", "check", site.link, "-o", "json", *args, **kw).expect(*codes)
    contract.link_check(got.json)
    return got.code, got.json


def listeners(document, side):
    """{broker: (status, reason)}"""
    return {i["broker"]: (i["status"], i["reason"]) for i in document["checks"]
            if i["name"] == "LISTENER" and i["side"] == side}


def of_name(document, name, **wanted):
    return [i for i in document["checks"] if i["name"] == name and all(i[k] == v for k, v in wanted.items())]


# ---- listeners ----

class Misled(SecuredListener):
    """Its second and third broker advertise what leads nowhere, as long as `misled`."""
    misled = True

    def advertised(self, node):
        return {2: "127.0.0.1:1", 3: NOWHERE}.get(node.id, node.secured) if self.misled else node.secured


@pytest.fixture
def misled(matrix, pool, make_site, authority):
    """A source of three brokers that speak TLS; the second advertises a port where nobody is, the third a name that does
    not resolve."""
    source = pool.new(matrix[0], "check-misled", nodes=3, secured=Misled(authority))
    source.start()
    site = make_site(source, pool.get("destination", matrix[1]), matrix[2], source_door=source.brokers[0].secured,
                     config={"secret.files.allowed": authority.dir})
    yield site
    pool.drop(source)


def test_each_listener_is_dialled(misled, authority):
    """All that is wrong is told at once, broker by broker; link create records nothing; with --no-validate it does."""
    site, tls = misled, {"security__protocol": "SSL", "ssl__truststore__location": authority.file}
    create = ("link", "create", site.link, "--config-file", site.link_config(**tls))
    for args in (create, (*create, "--dry-run")):
        got = site.cli(*args).expect(contract.SOURCE_DOWN)
        got.says("source broker 2 at 127.0.0.1:1", "source broker 3 at " + NOWHERE, "advertise")
        assert got.seconds < 40
    assert site.ok("link", "list", "-o", "json").json == []
    site.ok(*create, "--no-validate")
    code, found = check(site)
    assert code == contract.SOURCE_DOWN and not found["ok"]
    assert listeners(found, "source") == {1: ("OK", None), 2: ("FAILED", "CONNECT"), 3: ("FAILED", "RESOLVE")}
    assert listeners(found, "destination") == {1: ("OK", None)}
    assert len(found["checks"][0]["hint"]) > 20
    # what changes the connection is refused as at creation; another setting is not held up by a broker that is down
    update = ("link", "configuration", "update", site.link, "--config")
    got = site.cli(*update, "ssl.endpoint.identification.algorithm=").expect(contract.SOURCE_DOWN)
    got.says("source broker 2 at 127.0.0.1:1", "source broker 3 at " + NOWHERE)
    site.ok(*update, "ssl.endpoint.identification.algorithm=", "--no-validate")
    site.ok("link", "configuration", "update", site.link, "--delete-config", "ssl.endpoint.identification.algorithm",
            "--no-validate")
    site.cli(*update, "client.id=changed").expect(contract.DONE).says("warning", "127.0.0.1:1")
    text = site.cli("link", "check", site.link).expect(contract.SOURCE_DOWN).out
    assert text.index("127.0.0.1:1") < text.index(site.source.brokers[0].secured), "the worst first"

    source, listener = site.source, site.source.secured
    for node, certificate in ((0, {"days": 10}), (1, {"names": ("broker.example",)}), (2, {"days": -1})):
        node = source.brokers[node]
        node.stop()
        listener.misled = False
        node.write_config()
        authority.issue("broker", **{"names": listener.names, **certificate}).write(listener.keystore(node))
    start_all_brokers(source)
    code, found = check(site)
    assert code == contract.DENIED
    assert listeners(found, "source") == {1: ("WARNING", "TLS_DATE"), 2: ("FAILED", "TLS_NAME"), 3: ("FAILED", "TLS_DATE")}
    first = of_name(found, "LISTENER", side="source", broker=1)[0]
    assert "in 9 days" in first["detail"] and first["certificate_expires_ms"] is not None
    site.cli("link", "check", site.link).says("is for broker.example, not for 127.0.0.1", "expired at")


def start_all_brokers(cluster):
    for n in cluster.brokers:
        n.launch()
    cluster.wait_ready()


def test_who_is_not_let_in(matrix, pool, make_site, authority, tmp_path):
    """A wrong password, a mechanism that is not enabled, a stranger's certificate, TLS where there is none; on either side."""
    made = [pool.new(v, f"check-door-{s}", secured=SecuredListener(authority, sasl=True))
            for s, v in zip(("source", "destination"), matrix[:2])]
    source, destination = start_all(made)
    tls = {"security.protocol": "SASL_SSL", "ssl.truststore.location": authority.file}
    site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                     destination_door=destination.secured_bootstrap,
                     config=tls | login(PLAIN) | {"secret.files.allowed": authority.dir})
    stranger = Authority(os.path.join(authority.dir, "stranger"), "another CA")
    wrong = (({"sasl.jaas.config": login(PLAIN, "guessed")["sasl.jaas.config"]}, "LOGIN", contract.DENIED),
             ({"sasl.mechanism": "OAUTHBEARER", "sasl.jaas.config":
               'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required token="a.b.c";'},
              "MECHANISM", contract.DENIED),
             ({"ssl.truststore.location": stranger.file}, "TLS_AUTHORITY", contract.DENIED),
             ({"security.protocol": "SASL_PLAINTEXT"}, "PROTOCOL", None))
    for i, (config, reason, code) in enumerate(wrong):
        path = properties(str(tmp_path / "wrong.properties"), site.config | config)
        got, found = check(site, config_file=path)
        assert got == (code or contract.DESTINATION_DOWN)
        assert listeners(found, "destination") == {None: ("FAILED", reason)} and not listeners(found, "source")

        link = {**tls, **login(PLAIN), **config}
        secrets = properties(os.path.join(authority.dir, f"secret{i}"), {"line": link["sasl.jaas.config"]})
        link["sasl.jaas.config"] = "${file:" + secrets + ":line}"
        create = ("link", "create", f"{site.link}-{i}", "--config-file",
                  site.link_config(**{k.replace(".", "__"): v for k, v in link.items()}))
        site.cli(*create).expect(code or contract.SOURCE_DOWN)
        if i == 1:
            site.worker()
        said = site.ok(*create, "--no-validate").err
        if i > 0:   # the worker's first try, long before its checks make it UNAVAILABLE
            assert "the worker cannot use link" in said and "SOURCE_UNAVAILABLE" in said, said
            told = site.ok("link", "describe", f"{site.link}-{i}", "-o", "json").json
            assert (told["state"], told["error"]) == ("ACTIVE", "SOURCE_UNAVAILABLE") and told["error_message"], told
        got = site.cli("link", "check", f"{site.link}-{i}", "-o", "json").expect(code or contract.SOURCE_DOWN)
        assert listeners(got.json, "source") == {None: ("FAILED", reason)}
        assert listeners(got.json, "destination") == {1: ("OK", None)}
        assert "guessed" not in got.out + got.err
    site.cli("link", "check", "nobody").expect(contract.FAILED).says("there is no link nobody")
    flows = site.cli("link", "check", f"{site.link}-0", "--ports").out.splitlines()
    for address, side in ((source.secured_bootstrap, "source"), (destination.secured_bootstrap, "destination")):
        assert [f for f in flows if f.startswith(f"tcp from worker to {address} ") and side in f], flows
    pool.drop(*made)


# ---- rights ----

@pytest.fixture
def ordinary(matrix, pool, make_site, tmp_path_factory):
    """ordinary(prefix): a site where krmirror is no super user on either side, and its administrator's configuration."""
    made = [pool.new(v, f"check-rights-{s}", secured=SecuredListener(sasl=True), config=AUTHORIZER)
            for s, v in zip(("source", "destination"), matrix[:2])]
    start_all(made)

    def make(**link):
        source, destination = made
        secrets = tmp_path_factory.mktemp("secrets")
        site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                         destination_door=destination.secured_bootstrap,
                         config={"security.protocol": "SASL_PLAINTEXT", **login(PLAIN), "secret.files.allowed": secrets})
        line = properties(str(secrets / "login"), {"line": login(PLAIN)["sasl.jaas.config"]})
        config = site.link_config(security__protocol="SASL_PLAINTEXT", sasl__mechanism=PLAIN,
                                  sasl__jaas__config="${file:" + line + ":line}", **link)
        admin = properties(str(secrets / "admin.properties"),
                           {k: v for k, v in site.config.items() if not k.startswith(("sasl", "security"))}
                           | {"bootstrap.servers": destination.bootstrap})
        # Made by krmirror as a super user it would be closed to others.
        destination.create_topic(site.control_topic, 1, config={"cleanup.policy": "compact"})
        site.ok("link", "create", site.link, "--config-file", config, config_file=admin)
        return site, admin
    yield make
    pool.drop(*made)


def in_step(name, pattern):
    """Settings of a link that keeps groups in step."""
    entry = {"name": name, "patternType": pattern, "filterType": "INCLUDE"}
    return {"consumer__offset__sync__enable": "true", "consumer__offset__sync__ms": 1000,
            "consumer__offset__group__filters": json.dumps({"groupFilters": [entry]})}


def side_of(site, grant):
    return {site.source.secured_bootstrap: ("source", site.source),
            site.destination.secured_bootstrap: ("destination", site.destination)}[grant.bootstrap]


def printed(site, topic):
    text = site.cli("link", "check", site.link, "--print-acls").out
    got = grants(text, topic)
    assert {g.principal for g in got} == {"User:mirror"}
    return got


def give_all(site, topic):
    """What is printed is given; twice, for the first time the link itself cannot be read."""
    given = {}
    for _ in range(2):
        for g in printed(site, topic):
            if g.line not in given:
                g.give(side_of(site, g)[1])
                given[g.line] = g
        wait_until(lambda: not of_name(check(site)[1], "LINK"), 20, "the link can be read")
    return list(given.values())


def test_rights_are_named_one_by_one(ordinary):
    """With what is printed, and nothing else, a mirror flows; each right that is taken away is named."""
    site, _ = ordinary(**in_step("apps", "LITERAL"), mirror__progress__group__id="progress")
    code, found = check(site)
    assert code == contract.DENIED
    assert of_name(found, "LINK", status="FAILED") and of_name(
        found, "RIGHT", status="FAILED", operation="DESCRIBE", resource_name=site.control_topic)
    topic = site.topic()
    site.source.create_topic(topic, 2)
    given = give_all(site, topic)
    site.create_mirror(topic)
    site.worker()
    produce(site.source, topic, 500)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 500)
    commit(site.source, "apps", topic, {0: 7})
    wait_committed(site.destination, "apps", topic, {0: 7})
    wait_committed(site.source, "progress", topic, site.source.ends(topic))

    def complete():
        code, found = check(site)
        rights = of_name(found, "RIGHT")
        return code == contract.DONE and rights and {i["status"] for i in rights} == {"OK"}
    wait_until(complete, 20, lambda: f"nothing is missing: {check(site)}")
    writers = of_name(check(site)[1], "WRITERS")[0]
    assert writers["status"] == "OK" and "nobody" not in writers["detail"]
    site.destination.create_acl("TOPIC", site.control_topic[:4], "User:mallory", "WRITE", pattern="PREFIXED")
    wait_until(lambda: of_name(check(site)[1], "WRITERS", status="WARNING"), 20, "another writer is seen")
    assert "User:mallory (prefixed" in of_name(check(site)[1], "WRITERS")[0]["detail"]

    for grant in together(given):
        side, cluster = side_of(site, grant)
        for operation in grant.operations:
            if operation == "CREATE" or grant.resource[0] == "TRANSACTIONAL_ID":
                continue   # the topic is there, and markers are allowed
            name = None if grant.resource[0] == "BROKER" else grant.resource[1]
            # Others imply it: who may read may describe, and who may alter the cluster may write markers (3.8).
            implied = {"DESCRIBE": grant.operations, "DESCRIBE_CONFIGS": ["ALTER_CONFIGS"],
                       "CLUSTER_ACTION": ["ALTER"]}.get(operation, [])
            grant.take_away(cluster, {operation, *implied} & set(grant.operations))
            wait_until(lambda: named(check(site), side, operation, name), 20,
                       lambda: f"{operation} on {name} at the {side} is named: {check(site)}")
            grant.give(cluster)
            wait_until(complete, 20, lambda: f"nothing is missing: {check(site)}")


def together(given):
    """One grant for each thing."""
    merged = {}
    for g in given:
        first = merged.setdefault((g.bootstrap, g.resource), g)
        first.operations += [o for o in g.operations if o not in first.operations]
    return list(merged.values())


def named(got, side, operation, name):
    """The right is told as missing, and if it is needed the exit code says so."""
    code, found = got
    rows = of_name(found, "RIGHT", side=side, operation=operation, reason="RIGHT_MISSING")
    rows = [r for r in rows if name is None or r["resource_name"] == name]
    return rows and (code == contract.DENIED) == any(r["needed"] for r in of_name(found, "RIGHT", reason="RIGHT_MISSING"))


def test_printed_commands_are_commands(ordinary):
    """Kafka's own tool takes them as they are; with a prefix one grant is for all mirror topics."""
    site, admin = ordinary(cluster__link__prefix="east.", consumer__group__prefix__enable="true", **in_step("*", "LITERAL"))
    name = site.topic()
    site.source.create_topic(name, 1)
    text = site.ok("link", "check", site.link, "--print-acls", config_file=admin).out
    topic = "east." + name
    assert re.search(r"--topic 'east\.' --resource-pattern-type prefixed", text) and topic not in text
    assert re.search(r"--group 'east\.' --resource-pattern-type prefixed", text) and "--group '*'" in text
    for g in grants(text.replace("User:ANONYMOUS", "User:mirror"), name):
        side, cluster = side_of(site, g) if g.bootstrap != site.destination.bootstrap else ("destination", site.destination)
        line = g.line.replace("--command-config admin.properties", "").replace(g.bootstrap, cluster.bootstrap)
        main = "kafka.admin.AclCommand" if cluster.version < "4" else "org.apache.kafka.tools.AclCommand"
        got = tool(cluster.version, main, *shlex.split(line)[1:])
        assert got.returncode == 0, (line, got.stdout, got.stderr)
    site.create_mirror(topic)
    site.worker()
    produce(site.source, name, 100)
    site.wait_caught_up(topic, name)
    site.assert_equal(topic, 100, name)
    commit(site.source, "bills", name, {0: 50})
    wait_committed(site.destination, "east.bills", topic, {0: 50})
    code, found = check(site)
    assert code == contract.DONE, found
    assert not of_name(found, "RIGHT", status="FAILED")
