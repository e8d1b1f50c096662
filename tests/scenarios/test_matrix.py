# SPDX-License-Identifier: Apache-2.0
"""Every way to connect and to log in that Kafka has, at the source and at the destination: a mirror flows and is equal.

One broker a side, with a door for each protocol. At full counts each way at the destination meets all of them at the
source; else some meet some."""
import os
from dataclasses import dataclass

import pytest

from lib.kafka import start_all
from lib.kdc import Kdc
from lib.krm import properties
from lib.oauth import CLIENT, SECRET, TokenEndpoint
from lib.produce import produce
from lib.secured import GSSAPI, MODULES, OAUTH, OAUTH_MODULE, SecuredListener, login, ticket
from lib.util import ports

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]

CELLS = [(p, None) for p in ("PLAINTEXT", "SSL", "MTLS")]
CELLS += [(p, m) for p in ("SASL_PLAINTEXT", "SASL_SSL") for m in (*MODULES, GSSAPI, OAUTH)]
SMALL = CELLS[2::4]   # at the destination; each meets its share of those at the source


def pytest_generate_tests(metafunc):
    if "cell" in metafunc.fixturenames:
        cells = CELLS if metafunc.config.getoption("--full") else SMALL
        metafunc.parametrize("cell", cells, ids=["-".join(filter(None, c)) for c in cells])


@dataclass
class Ways:
    """Who lets in."""
    authority: object
    kdc: Kdc
    endpoint: TokenEndpoint

    def listener(self, protocol):
        tls = self.authority if protocol != "SASL_PLAINTEXT" else None
        sasl = protocol.startswith("SASL_")
        return SecuredListener(tls, clients=protocol == "MTLS", sasl=sasl, kdc=self.kdc if sasl else None, oauth=sasl)

    def client(self, cell):
        """Client keys of a cell."""
        protocol, mechanism = cell
        keys = {"security.protocol": "SSL" if protocol == "MTLS" else protocol}
        if "SSL" in protocol or protocol == "MTLS":
            keys["ssl.truststore.location"] = self.authority.file
        if protocol == "MTLS":
            keys["ssl.keystore.location"] = os.path.join(self.authority.dir, "client.pem")
        if mechanism in MODULES:
            keys |= login(mechanism)
        elif mechanism == GSSAPI:
            keys |= ticket(self.kdc)
        elif mechanism == OAUTH:
            keys |= {"sasl.mechanism": OAUTH, "sasl.oauthbearer.token.endpoint.url": self.endpoint.url,
                     "sasl.jaas.config": f'{OAUTH_MODULE} required clientId="{CLIENT}" clientSecret="{SECRET}" '
                                         f'ssl.truststore.location="{self.authority.file}";'}
        return keys

    def link(self, cell):
        """The same, with the login by reference."""
        keys = self.client(cell)
        if "sasl.jaas.config" in keys:
            path = properties(os.path.join(self.authority.dir, f"login-{'-'.join(cell)}"), {"line": keys["sasl.jaas.config"]})
            keys["sasl.jaas.config"] = "${file:" + path + ":line}"
        return {k.replace(".", "__"): v for k, v in keys.items()}


def open_doors(cluster, ways):
    """More listeners, beside the plain one and SASL_PLAINTEXT's; returns where each protocol is."""
    node, = cluster.brokers
    listeners, advertised = node.doors()
    doors = {"PLAINTEXT": node.address, "SASL_PLAINTEXT": node.secured}
    protocols, more = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", "SECURED:SASL_PLAINTEXT"], {}
    for protocol in ("SSL", "MTLS", "SASL_SSL"):
        listener, name = ways.listener(protocol), protocol.replace("_", "")
        doors[protocol] = f"127.0.0.1:{ports.take()}"
        for where in (listeners, advertised):
            where.append(f"{name}://{doors[protocol]}")
        protocols.append(f"{name}:{listener.protocol}")
        more |= {k.replace(".secured.", f".{name.lower()}.", 1): v for k, v in listener.config(node).items()}
    cluster.config |= more | {
        "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{node.controller_port}"]),
        "advertised.listeners": ",".join(advertised), "listener.security.protocol.map": ",".join(protocols)}
    return doors


@pytest.fixture(scope="module")
def ways(authority, tmp_path_factory):
    authority.issue("krmirror").write(os.path.join(authority.dir, "client.pem"))
    with Kdc(tmp_path_factory.mktemp("kdc")) as kdc, TokenEndpoint(authority) as endpoint:
        yield Ways(authority, kdc, endpoint)


@pytest.fixture(scope="module")
def sides(matrix, pool, ways):
    """((cluster, doors) of the source, of the destination)."""
    clusters = [pool.new(v, f"matrix-{side}", secured=ways.listener("SASL_PLAINTEXT"))
                for side, v in zip(("source", "destination"), matrix[:2])]
    doors = [open_doors(c, ways) for c in clusters]
    start_all(clusters)
    for c in clusters:
        c.secured.add_users(c)
    yield tuple(zip(clusters, doors))
    pool.drop(*clusters)
    for held in doors:
        for protocol in ("SSL", "MTLS", "SASL_SSL"):
            ports.give_back(int(held[protocol].split(":")[1]))


def test_cells(matrix, sides, ways, make_site, cell, counts, full):
    (source, source_doors), (destination, destination_doors) = sides
    theirs = CELLS if full else CELLS[SMALL.index(cell)::len(SMALL)]
    site = make_site(source, destination, matrix[2], destination_door=destination_doors[cell[0]],
                     config=ways.client(cell) | {"secret.files.allowed": f"{ways.authority.dir},{ways.kdc.dir}",
                                                 "sasl.oauthbearer.allowed.urls": ways.endpoint.url})
    site.env["KRB5_CONFIG"] = ways.kdc.conf
    worker = site.worker()
    count, own, topics = counts(200, 2000), site.link, []
    counts(len(theirs), len(CELLS))
    for their in theirs:
        site.link, site.source_door = f"{own}-{'-'.join(filter(None, their))}", source_doors[their[0]]
        topics.append(site.mirrored(site.link, partitions=2, **ways.link(their)))
    for topic in topics:
        produce(source, topic, count, 2)
    for topic in topics:
        site.wait_caught_up(topic)
        site.assert_equal(topic, count)
    assert "of the mirror" not in worker.text() and SECRET not in worker.text()
