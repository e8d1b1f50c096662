# SPDX-License-Identifier: Apache-2.0
"""TLS on either side or both: krmirror goes through the brokers' TLS listeners, judges and producers through plain ones."""
import os
import re
import socket
import ssl
import subprocess
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from lib import contract
from lib.authority import Authority
from lib.kafka import start_all
from lib.krm import properties
from lib.produce import Load, produce
from lib.secured import SecuredListener
from lib.util import hostport, wait_until

pytestmark = pytest.mark.real_only


@pytest.fixture
def secured(matrix, pool, make_site, authority):
    """secured(settings of the destination, of the link, clients): a site that reaches both sides with TLS."""
    def make(destination=None, clients=False, plain=(), **listener):
        kind = "mtls" if clients else "tls"
        made = {}
        for side, version in zip(("source", "destination"), matrix[:2]):
            made[side] = pool.get(f"{kind}-{side}", version, secured=SecuredListener(authority, clients=clients))
        doors = {f"{s}_door": c.secured_bootstrap for s, c in made.items() if s not in plain}
        config = {"secret.files.allowed": authority.dir}
        if "destination" not in plain:
            config |= {"security.protocol": "SSL", "ssl.truststore.location": authority.file} | (destination or {})
        return make_site(made["source"], made["destination"], matrix[2], config=config, **doors)
    return make


def link_tls(authority, **more):
    return {"security__protocol": "SSL", "ssl__truststore__location": authority.file} | more


def flows(site, topic, first, count=500):
    """Records of now arrive, equal."""
    produce(site.source, topic, count)
    site.wait_caught_up(topic)
    site.assert_equal(topic, first + count)
    return first + count


def mirrored(site, **link):
    topic = site.mirrored(partitions=3, **link)
    site.worker()
    return topic


@pytest.mark.parametrize("plain", [("source",), ("destination",), ()], ids=["destination", "source", "both"])
def test_tls(secured, authority, plain):
    """With the trusted certificates in a file at one side and in the link's configuration at the other."""
    site = secured(plain=plain)
    link = {} if "source" in plain else {
        "security__protocol": "SSL", "ssl__truststore__type": "PEM",
        "ssl__truststore__certificates": authority.pem.replace("\n", "\\n")}
    flows(site, mirrored(site, **link), 0)


def test_client_certificates(secured, authority, tmp_path):
    """As PEM text, a PEM file and PKCS#12; without one it is refused, and what is missing is named."""
    own = authority.issue("krmirror")
    path = own.write(os.path.join(authority.dir, "client.pem"))
    p12 = own.write_pkcs12(os.path.join(authority.dir, "client.p12"), "of the store")
    site = secured({"ssl.keystore.location": p12, "ssl.keystore.type": "PKCS12",
                    "ssl.keystore.password": "of the store"}, clients=True)
    got = site.cli("link", "create", site.link, "--config-file", site.link_config(**link_tls(authority)))
    got.expect(contract.DENIED).says("source", "refuses", "ssl.keystore")
    topic = mirrored(site, **link_tls(authority, ssl__keystore__location=path))
    flows(site, topic, 0)


def test_what_is_wrong_is_named(secured, authority, tmp_path):
    """A stranger's certificate, a listener without TLS, TLS spoken to by a plain client; by link create and by the
    destination's side."""
    site = secured()
    stranger = Authority(os.path.join(authority.dir, "stranger"), "another CA")

    def create(*expected, says=(), **config):
        got = site.cli("link", "create", site.link, "--config-file", site.link_config(**config))
        got.expect(*expected).says(*says)
        assert got.seconds < 30
    create(contract.DENIED, says=("source", "not trusted", "ssl.truststore"), **link_tls(stranger))
    create(contract.SOURCE_DOWN, says=("source", "does this listener speak TLS"),
           **link_tls(authority, bootstrap__servers=site.source.bootstrap))
    create(contract.SOURCE_DOWN, says=("source", "security.protocol=SSL"))
    create(contract.USAGE, says=("ssl.truststore.location", "secret.files.allowed"),
           **link_tls(authority, ssl__truststore__location=str(tmp_path / "elsewhere.pem")))
    for wrong, code, words in (
            ({"ssl.truststore.location": stranger.file}, contract.DENIED, ("destination", "not trusted")),
            ({"bootstrap.servers": site.destination.bootstrap}, contract.DESTINATION_DOWN, ("does this listener speak TLS",)),
            ({"security.protocol": "PLAINTEXT"}, contract.DESTINATION_DOWN, ("security.protocol=SSL",)),
            ({"ssl.truststore.location": str(tmp_path / "none.pem")}, contract.USAGE, ("none.pem", "No such file"))):
        path = properties(str(tmp_path / "wrong.properties"), {**site.config, **wrong})
        site.cli("link", "list", config_file=path).expect(code).says(*words)


def test_names_in_certificates(matrix, pool, make_site, authority):
    """The certificate must name the host that the broker advertises, unless the check is turned off."""
    listener = SecuredListener(authority, names=("broker.example",))
    source = pool.get("tls-misnamed", matrix[0], secured=listener)
    destination = pool.get("destination", matrix[1])
    site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                     config={"secret.files.allowed": authority.dir})
    got = site.cli("link", "create", site.link, "--config-file", site.link_config(**link_tls(authority)))
    got.expect(contract.DENIED).says("is for broker.example, not for 127.0.0.1")
    topic = mirrored(site, **link_tls(authority, ssl__endpoint__identification__algorithm=""))
    flows(site, topic, 0)


def test_an_expired_certificate_and_a_new_one(matrix, pool, make_site, authority):
    """The broker comes back with an expired certificate: the mirror waits and says so; renewed, it goes on by itself."""
    source = pool.new(matrix[0], "tls-expiring", secured=SecuredListener(authority)).start()
    destination = pool.get("destination", matrix[1])
    site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                     config={"secret.files.allowed": authority.dir})
    topic = mirrored(site, **link_tls(authority))
    done = flows(site, topic, 0)
    node = source.brokers[0]

    def back_with(days):
        node.stop()
        source.secured.days = days
        node.write_config()
        node.start()
    back_with(-1)

    def told():
        rows = site.cli("link", "list", "-o", "json").json
        return "expired at" in (next(r for r in rows if r["link_name"] == site.link)["error_message"] or "")
    wait_until(told, 30, "the link says what has expired")
    site.cli("link", "create", "another", "--config-file", site.link_config(**link_tls(authority))).expect(
        contract.DENIED).says("expired at")
    back_with(365)
    flows(site, topic, done)
    pool.drop(source)


@pytest.fixture
def renewable(matrix, pool, make_site, authority):
    """renewable(name, settings of the brokers): a site on clusters of its own, whose certificates and that of the client may
    change; with the listener's settings, and the client's file."""
    made = []

    def make(name, **config):
        listener = SecuredListener(authority, clients=True)
        config = {k.replace("__", "."): v for k, v in config.items()}
        made.extend(pool.new(v, f"tls-{name}-{s}", secured=listener, config=config)
                    for s, v in zip(("source", "destination"), matrix[:2]))
        source, destination = start_all(made)
        path = authority.issue("first").write(os.path.join(authority.dir, f"{name}.pem"))
        site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                         destination_door=destination.secured_bootstrap,
                         config={"secret.files.allowed": authority.dir, "security.protocol": "SSL",
                                 "ssl.truststore.location": authority.file, "ssl.keystore.location": path})
        return site, listener, path
    yield make
    pool.drop(*made)


def test_certificates_change(renewable, authority, counts):
    """Of brokers and of the client, again and again, and the brokers come back."""
    site, listener, path = renewable(name="renewed")
    topic = mirrored(site, **link_tls(authority, ssl__keystore__location=path))
    done = flows(site, topic, 0)
    for turn in range(counts(1, 10)):
        authority.issue(f"client {turn}").write(path)
        for node in (c.brokers[0] for c in (site.source, site.destination)):
            node.stop()
            listener.renew(node)
            node.start()
        done = flows(site, topic, done)
    assert "certificates read again" in site.workers[0].text()


def test_certificates_rotate_under_load(renewable, authority, counts):
    """Of the brokers of both sides and of the client, again and again, while records flow: connections that are there go
    on, new ones (the brokers close those that are idle, and a new link makes some) have the new certificates; no error,
    nothing twice."""
    site, _, path = renewable(name="rotating", connections__max__idle__ms=1500)
    link = link_tls(authority, ssl__keystore__location=path)
    topic = mirrored(site, **link)
    worker, turns = site.workers[0], counts(2, 10)
    between = counts(8, 60) / turns
    with Load(site.source, topic, 3, rate=1000) as load:
        for turn in range(turns):
            begun = time.monotonic()
            authority.issue(f"client {turn}").write(path)
            for cluster in (site.source, site.destination):
                served = new_certificate(cluster.brokers[0], turn)
                wait_until(lambda: served_certificate(cluster.brokers[0], authority, path) == served, 30,
                           "the broker has its new certificate")
            name = f"other-{turn}-{site.id}"
            site.ok("link", "create", name, "--config-file", site.link_config(**link))
            wait_until(lambda: f"link={name} source=" in worker.text(), 30, "the worker has the new link")
            wait_until(lambda: time.monotonic() - begun > between, between + 1, "the load goes on")
            site.ok("link", "delete", name, "--yes")
        sent = load.stop()
    site.wait_caught_up(topic)
    site.assert_equal(topic, sent)
    text = worker.text()
    assert text.count("certificates read again") >= turns
    assert not re.search(r" in doubt|Z (error|warn) \[", text)


def new_certificate(node, turn):
    """A broker gets a new one, in a file of its own, and is told; its serial number."""
    listener, admin = node.cluster.secured, node.cluster.admin
    issued = listener.authority.issue(f"broker {node.id}", listener.names)
    path = issued.write(f"{listener.keystore(node)}.{turn}")
    resource = ConfigResource(ResourceType.BROKER, str(node.id), incremental_configs=[
        ConfigEntry("listener.name.secured.ssl.keystore.location", path, incremental_operation=AlterConfigOpType.SET)])
    # The brokers here close what is idle, this client's connections too.
    wait_until(lambda: admin.incremental_alter_configs([resource])[resource].result(30) is None, 30,
               "the broker is told", swallow=(KafkaException,))
    return issued.certificate.serial_number


def served_certificate(node, authority, own):
    """The serial number of what a broker shows."""
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(own)
    host, port = hostport(node.secured)
    with socket.create_connection((host, port), 5) as s, context.wrap_socket(s, server_hostname=host) as t:
        return int(t.getpeercert()["serialNumber"], 16)


def test_references(secured, authority):
    """Secrets of a link come from a file or the environment of the host, and never stand in the log."""
    own = authority.issue("krmirror")
    p12 = own.write_pkcs12(os.path.join(authority.dir, "referenced.p12"), "a secret of the store")
    with open(os.path.join(authority.dir, "secrets"), "w") as f:
        f.write("p12=a secret of the store\n")
    site = secured({"ssl.keystore.location": p12, "ssl.keystore.password": "a secret of the store"}, clients=True)
    literal = link_tls(authority, ssl__keystore__location=p12, ssl__keystore__password="a secret of the store")
    site.cli("link", "create", site.link, "--config-file", site.link_config(**literal)).expect(contract.USAGE).says(
        "in clear")
    reference = "${file:" + os.path.join(authority.dir, "secrets") + ":p12}"
    topic = mirrored(site, **(literal | {"ssl__keystore__password": reference}))
    flows(site, topic, 0)
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    for text in (shown, site.workers[0].text(), *site.transcript):
        assert "a secret of the store" not in text
