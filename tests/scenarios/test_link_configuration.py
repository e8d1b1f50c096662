# SPDX-License-Identifier: Apache-2.0
"""Settings of a link that is there: shown, changed under load, refused; the template; the sample of the demos."""
import json
import os
import re

import pytest

from lib import contract
from lib.authority import Authority
from lib.krm import properties
from lib.produce import Load, produce
from lib.secured import SCRAM_512, SecuredListener, login
from lib.util import wait_until

PASSWORD = "of the mirror"


def key_file(site):
    path = os.path.join(site.dir, "key")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as f:
        f.write(os.urandom(32))
    return path


def listed(site, name=None):
    rows = site.ok("link", "configuration", "list", name or site.link, "-o", "json").json
    for row in rows:
        assert row.keys() == {"config_name", "config_value", "read_only", "sensitive", "source"}
        assert row["source"] in ("DYNAMIC_CLUSTER_LINK_CONFIG", "DEFAULT_CONFIG")
    names = [row["config_name"] for row in rows]
    assert names == sorted(set(names))
    return {row["config_name"]: row for row in rows}


def update(site, *args):
    return site.cli("link", "configuration", "update", site.link, *args)


def test_list_shows_every_key(site):
    made = site.create_link(cluster__link__prefix="dr.", replica__fetch__max__bytes="2MiB",
                            ssl__key__password="${env:KRMIRROR_P}")
    rows = listed(site)

    def row(name, value, default=True, read_only=False, sensitive=False):
        assert rows[name] == {"config_name": name, "config_value": value, "read_only": read_only, "sensitive": sensitive,
                              "source": "DEFAULT_CONFIG" if default else "DYNAMIC_CLUSTER_LINK_CONFIG"}
    row("cluster.link.prefix", "dr.", default=False, read_only=True)
    row("link.mode", "DESTINATION", read_only=True)
    row("replica.fetch.max.bytes", "2MiB", default=False)
    row("replica.fetch.min.bytes", "1")
    row("consumer.offset.sync.ms", "30000")
    row("acl.filters", None)
    row("ssl.key.password", "${env:KRMIRROR_P}", default=False, sensitive=True)
    row("sasl.jaas.config", None, sensitive=True)
    row("dest.cluster.id", made["destination_cluster"], default=False, read_only=True)
    row("cluster.link.id", made["link_id"], default=False, read_only=True)
    site.ok("link", "configuration", "list", site.link).says("Config Name", "replica.fetch.max.bytes +2MiB")
    site.cli("link", "configuration", "list", "nobody").expect(contract.FAILED).says("no link nobody")


def test_update_and_back(site):
    topic = site.mirrored(partitions=2)
    site.worker()
    produce(site.source, topic, 300, 2)
    site.wait_caught_up(topic)
    update(site, "--config", "replica.fetch.max.bytes=64KiB,client.id=changed").expect(contract.DONE).says("Updated")
    assert listed(site)["client.id"]["config_value"] == "changed"
    update(site, "--config", "client.id=changed").expect(contract.DONE).says("already")
    update(site, "--config", "client.id=later", "--dry-run").expect(contract.DONE).says("Would update")
    assert listed(site)["client.id"]["config_value"] == "changed"
    update(site, "--delete-config", "client.id,replica.fetch.max.bytes").expect(contract.DONE)
    assert listed(site)["client.id"]["source"] == "DEFAULT_CONFIG"
    update(site, "--config", "cluster.link.paused=true").expect(contract.DONE)
    site.wait_partition(topic, 0, state="PAUSED")
    site.ok("link", "resume", site.link)
    produce(site.source, topic, 100, 2, first=300)
    site.wait_caught_up(topic)
    # what only a worker can read: its verdict is waited for
    aside = ("link", "create", site.link + "-aside", "--config-file", site.link_config(), "--no-validate")
    site.cli(*aside, "--config", "ssl.truststore.location=/nowhere,security.protocol=SSL").expect(contract.DONE).says(
        "the worker cannot use link .*CONFIGURATION")
    got = site.cli("link", "configuration", "update", site.link + "-aside", "--no-validate", "--delete-config",
                   "ssl.truststore.location,security.protocol").expect(contract.DONE)
    assert "worker" not in got.err
    # the whole file again is no change; an empty value is a value
    update(site, "--config-file", site.link_config()).expect(contract.DONE)
    update(site, "--config", "ssl.endpoint.identification.algorithm=").expect(contract.DONE)
    assert listed(site)["ssl.endpoint.identification.algorithm"]["config_value"] is None
    assert listed(site)["ssl.endpoint.identification.algorithm"]["source"] == "DYNAMIC_CLUSTER_LINK_CONFIG"
    site.assert_equal(topic, 400)


def test_what_cannot_be_changed(site, pool, matrix):
    site.create_link()
    before = listed(site)
    for wrong, words in (("cluster.link.prefix=x.", "cluster.link.prefix of a link cannot be changed"),
                         ("link.mode=SOURCE", "link.mode of a link cannot be changed"),
                         ("connection.mode=INBOUND", "connection.mode of a link cannot be changed"),
                         ("replica.fetch.max.bytess=1", "did you mean replica.fetch.max.bytes"),
                         ("replica.fetch.max.bytes=many", "not a size"),
                         ("ssl.key.password=hunter2", "process list")):
        update(site, "--config", wrong).expect(contract.USAGE).says(re.escape(words))
    update(site, "--delete-config", "client.idd").expect(contract.USAGE).says("did you mean|unknown key")
    update(site).expect(contract.USAGE).says("what to change")
    update(site, "--config", f"bootstrap.servers={site.destination.bootstrap}").expect(contract.REFUSED).says(
        "these settings lead to cluster " + site.destination.cluster_id)
    update(site, "--config", "bootstrap.servers=127.0.0.1:1").expect(contract.SOURCE_DOWN).says("--no-validate")
    assert listed(site) == before
    update(site, "--config", "bootstrap.servers=127.0.0.1:1", "--no-validate").expect(contract.DONE)
    assert listed(site)["bootstrap.servers"]["config_value"] == "127.0.0.1:1"
    update(site, "--source-bootstrap-server", site.source.bootstrap).expect(contract.DONE)


def test_the_template_is_a_link_config(site):
    text = site.ok("link", "template").out
    shown = {line[1:].split("=")[0] for line in text.splitlines() if re.match(r"#[a-z][\w.]*=", line)}
    rows = site.create_link() and listed(site)
    assert shown | {"bootstrap.servers"} == rows.keys() - {"dest.cluster.id", "cluster.link.id"}
    path = os.path.join(site.dir, "template.config")
    for uncommented in (False, True):
        filled = text.replace("bootstrap.servers=\n", f"bootstrap.servers={site.source.bootstrap}\n")
        if uncommented:  # every default, given
            filled = re.sub(r"(?m)^#([a-z][\w.]*=.+)$", r"\1", filled)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(filled)
        site.ok("link", "create", f"{site.link}-{uncommented}", "--config-file", path)


@pytest.mark.real_only
def test_fetch_keys_and_password_under_load(matrix, pool, make_site, counts):
    """Settings are taken up while records flow, and nothing is lost or doubled."""
    fresh = ("sasl-source", matrix[0], 1) not in pool.shared
    source = pool.get("sasl-source", matrix[0], secured=SecuredListener(None, sasl=True))
    if fresh:
        source.secured.add_users(source)
    site = make_site(source, pool.get("destination", matrix[1]), matrix[2], source_door=source.secured_bootstrap)
    site.config["secret.key.file"] = key_file(site)
    properties(site.config_file, site.config)
    topic = site.mirrored(partitions=3, security__protocol="SASL_PLAINTEXT", sasl__mechanism=SCRAM_512,
                          sasl__jaas__config=login(SCRAM_512, PASSWORD)["sasl.jaas.config"])
    worker = site.worker()
    settings = os.path.join(site.dir, "new.config")
    with Load(source, topic, 3) as load:
        for turn in range(counts(4, 30)):
            wait_until(lambda: load.done.count > 2000 * (turn + 1), 60, lambda: f"records: {load.done.count}")
            update(site, "--config", f"replica.fetch.max.bytes={(turn + 1) * 100000}").expect(contract.DONE)
            secret = f"new password {turn}"
            source.secured.add_users(source, secret)
            properties(settings, {"sasl.jaas.config": login(SCRAM_512, secret)["sasl.jaas.config"]})
            wait_until(lambda: update(site, "--config-file", settings).code == contract.DONE, 30, "the new password is taken")
            properties(settings, {"sasl.jaas.config": login(SCRAM_512, "wrong one")["sasl.jaas.config"]})
            update(site, "--config-file", settings).expect(contract.DENIED)
    source.secured.add_users(source)
    properties(settings, {"sasl.jaas.config": login(SCRAM_512, PASSWORD)["sasl.jaas.config"]})
    update(site, "--config-file", settings).expect(contract.DONE)
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)
    text = worker.text()
    assert text.count("settings replaced") >= counts(4, 30) * 2 and "in doubt" not in text and " error [" not in text
    everything = text + "\n".join(site.transcript)
    assert "new password" not in everything and "wrong one" not in everything and PASSWORD not in everything


# As users copy it from the demos: escaped braces, tabs behind values, group filters without the line that enables them.
SAMPLE = "\n".join((
    r'consumer.offset.group.filters=\{"groupFilters": [\{"name": "*","patternType": "LITERAL","filterType": "INCLUDE"}]}'
    "\t\t\t",
    "consumer.offset.sync.ms=1000", "acl.sync.enable=true", "acl.sync.ms=1000",
    r'acl.filters=\{ "aclFilters": [ \{ "resourceFilter": \{ "resourceType": "any", "patternType": "any" }, '
    r'"accessFilter": \{ "operation": "any", "permissionType": "any" } } ] }' "\t\t",
    "topic.config.sync.ms=1000", "security.protocol=SASL_SSL", "sasl.mechanism=PLAIN\t\t\t\t",
    'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="mirror" '
    'password="of the mirror";', ""))


@pytest.mark.real_only
def test_the_sample_of_the_demos_links(matrix, pool, make_site, tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    source = pool.get("sasl-ssl-source", matrix[0], secured=SecuredListener(authority, sasl=True))
    site = make_site(source, pool.get("destination", matrix[1]), matrix[2], config={"secret.files.allowed": authority.dir})
    site.config["secret.key.file"] = key_file(site)
    properties(site.config_file, site.config)
    path = os.path.join(site.dir, "sample.config")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(SAMPLE + f"ssl.truststore.location={authority.file}\n")
    # the demos give the servers beside it
    got = site.ok("link", "create", site.link, "--config-file", path, "--source-bootstrap-server", source.secured_bootstrap)
    got.says("consumer.offset.group.filters has no effect: add the line consumer.offset.sync.enable=true")
    rows = listed(site)
    for key in ("consumer.offset.group.filters", "acl.filters"):
        json.loads(rows[key]["config_value"])
    assert rows["sasl.mechanism"]["config_value"] == "PLAIN" and rows["sasl.jaas.config"]["config_value"] is None
    topic = site.topic()
    source.create_topic(topic)
    site.create_mirror(topic)
    site.worker()
    produce(source, topic, 300)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 300)
    # several keys on one line, as some copies of it have them
    with open(path, "a") as f:
        f.write("consumer.offset.sync.ms=1000 acl.sync.enable=true acl.sync.ms=1000\n")
    site.cli("link", "create", "other", "--config-file", path).expect(contract.USAGE).says("several keys on one line")


def test_filters_are_checked(site):
    """At create and at update, inline and from side files: what is wrong is named."""
    def file(text):
        path = os.path.join(site.dir, "filters.json")
        with open(path, "w") as f:
            f.write(text)
        return path
    one = {"name": "a", "patternType": "PREFIXED", "filterType": "INCLUDE"}
    acl = {"resourceFilter": {"resourceType": "any", "patternType": "any"},
           "accessFilter": {"operation": "any", "permissionType": "any"}}
    kinds = {"consumer-group": ("groupFilters", one, "consumer.offset.group.filters", "consumer.offset.sync.enable"),
             "topic": ("topicFilters", one, "auto.create.mirror.topics.filters", "auto.create.mirror.topics.enable"),
             "acl": ("aclFilters", acl, "acl.filters", "acl.sync.enable")}
    config = site.link_config()
    for what, (array, entry, key, _) in kinds.items():
        for wrong, words in ((json.dumps({array: [entry, {**entry, "extra": "x"}]}), rf"{array}\[1\]: unknown field \"extra\""),
                             (json.dumps({array[:-1]: [entry]}), "unknown field"), ("[" * 3000, "not valid JSON"),
                             ("{\"" + array, "not valid JSON")):
            site.cli("link", "create", site.link, "--config-file", config, f"--{what}-filters-json-file",
                     file(wrong)).expect(contract.USAGE).says(words, re.escape(key))
    site.ok("link", "create", site.link, "--config-file", config)
    for what, (array, entry, key, enable) in kinds.items():
        good = json.dumps({array: [entry]})
        update(site, f"--{what}-filters-json", good.replace("any", "every").replace("PREFIXED", "every")).expect(
            contract.USAGE).says("every")
        update(site, f"--{what}-filters-json-file", file(good)).expect(contract.DONE).says(f"add the line {enable}=true")
        assert json.loads(listed(site)[key]["config_value"]) == {array: [entry]}
        update(site, "--delete-config", key, "--config", f"{enable}=true").expect(contract.USAGE).says(
            f"needs {key}", f"add the line {key}=")
