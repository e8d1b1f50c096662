# SPDX-License-Identifier: Apache-2.0
"""Links that the source makes: the pair of commands of Cluster Linking's demo, one for either end, SASL on both."""
import os

import pytest

from lib import contract
from lib.krm import properties
from lib.produce import produce
from lib.secured import PLAIN, SCRAM_512, SecuredListener, login

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]


@pytest.fixture
def pair(matrix, pool, make_site, authority):
    """A site whose sides both want a login."""
    made = []
    for side, version in zip(("source", "destination"), matrix[:2]):
        fresh = (f"modes-{side}", version, 1) not in pool.shared
        c = pool.get(f"modes-{side}", version, secured=SecuredListener(sasl=True))
        if fresh:
            c.secured.add_users(c)
        made.append(c)
    return make_site(*made, matrix[2], source_door=made[0].secured_bootstrap, destination_door=made[1].secured_bootstrap,
                     config={"security.protocol": "SASL_PLAINTEXT", **login(PLAIN),
                             "secret.files.allowed": authority.dir})


def ends(site, authority, **more):
    """The two files of the demo."""
    lines = properties(os.path.join(authority.dir, f"lines-{site.id}"),
                       {"destination": login(PLAIN)["sasl.jaas.config"], "source": login(SCRAM_512)["sasl.jaas.config"]})
    waiting = {"link.mode": "DESTINATION", "connection.mode": "INBOUND", "availability.check.ms": 2000}
    dialling = {
        "link.mode": "SOURCE", "connection.mode": "OUTBOUND",
        "bootstrap.servers": site.destination.secured_bootstrap,
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": PLAIN,
        "sasl.jaas.config": "${file:" + lines + ":destination}",
        "local.listener.name": "SECURED", "local.security.protocol": "SASL_PLAINTEXT",
        "local.sasl.mechanism": SCRAM_512, "local.sasl.jaas.config": "${file:" + lines + ":source}",
        "local.metadata.max.age.ms": 1000,
    } | more
    return (properties(os.path.join(site.dir, "destination.config"), waiting),
            properties(os.path.join(site.dir, "source.config"), dialling))


def shown(site):
    row, = (r for r in site.cli("link", "list", "-o", "json").json if r["link_name"] == site.link)
    return row


def test_the_two_commands_of_the_demo(pair, authority, counts):
    site, count = pair, counts(1000, 100000)
    waiting, dialling = ends(site, authority)
    worker = site.worker()
    first = site.ok("link", "create", site.link, "--config-file", waiting, "--source-bootstrap-server", "",
                    "--source-cluster-id", site.source.cluster_id, "-o", "json").says("INBOUND is recorded as a no-op")
    assert first.json["source_cluster"] == site.source.cluster_id
    assert shown(site)["connection_mode"] == "INBOUND" and shown(site)["error"] is None
    site.ok("link", "describe", site.link).says("INBOUND: nothing is dialled")
    site.ok("status").says(f"link create {site.link}.*link.mode=SOURCE")
    topic = site.topic()
    site.source.create_topic(topic, 3)
    site.cli("mirror", "create", topic, "--link", site.link).expect(contract.REFUSED).says(
        "connection.mode=INBOUND", "link.mode=SOURCE takes its place")
    second = site.ok("link", "create", site.link, "--config-file", dialling,
                     "--source-bootstrap-server", site.source.secured_bootstrap, "-o", "json").json
    assert second == first.json
    assert shown(site)["connection_mode"] == "OUTBOUND"
    site.create_mirror(topic)
    produce(site.source, topic, count, 3)
    site.wait_caught_up(topic)
    site.assert_equal(topic, count)
    assert "of the mirror" not in worker.text()
    for path in (waiting, dialling):
        site.cli("link", "create", site.link, "--config-file", path, "--source-bootstrap-server",
                 site.source.secured_bootstrap).expect(contract.REFUSED).says("exists already")


def test_the_source_s_command_alone(pair, authority):
    """With local.bootstrap.servers; a mirror flows."""
    site = pair
    _, dialling = ends(site, authority, **{"local.bootstrap.servers": site.source.secured_bootstrap})
    site.ok("link", "create", site.link, "--config-file", dialling)
    topic = site.topic()
    site.source.create_topic(topic)
    site.create_mirror(topic)
    site.worker()
    produce(site.source, topic, 500)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 500)


def test_what_does_not_go_together_is_refused(pair, authority):
    """The wrong cluster at either end, a pair for two sources, two directions in one; nothing of it is recorded."""
    site = pair
    source, destination = site.source.secured_bootstrap, site.destination.secured_bootstrap
    waiting, dialling = ends(site, authority)

    def create(code, path, *options, says=()):
        site.cli("link", "create", site.link, "--config-file", path, *options).expect(code).says(*says)
    create(contract.USAGE, dialling, says=("local.bootstrap.servers is not set",))
    create(contract.REFUSED, dialling, "--source-bootstrap-server", destination, says=("the same cluster",))
    _, turned = ends(site, authority, **{"bootstrap.servers": source})
    create(contract.REFUSED, turned, "--source-bootstrap-server", source,
           says=(site.source.cluster_id, site.destination.cluster_id, "keeps links at the destination"))
    _, down = ends(site, authority, **{"bootstrap.servers": "127.0.0.1:1"})
    create(contract.DESTINATION_DOWN, down, "--source-bootstrap-server", source, says=("destination",))
    waiting, dialling = ends(site, authority)
    create(contract.USAGE, dialling, "--source-bootstrap-server", source, "--config", "link.mode=BIDIRECTIONAL",
           says=("two links in one", "either cluster"))
    create(contract.USAGE, dialling, "--source-bootstrap-server", source, "--config", "connection.mode=INBOUND",
           says=("does not go with",))
    assert site.link not in site.ok("link", "list").out
    create(contract.DONE, waiting, "--source-cluster-id", "anotherClusterAAAAAAAA")
    create(contract.REFUSED, dialling, "--source-bootstrap-server", source,
           says=("was made for source cluster anotherCluster",))
    site.ok("link", "delete", site.link, "--yes")
