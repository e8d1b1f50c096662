# SPDX-License-Identifier: Apache-2.0
"""GSSAPI with a real ticket server, on both sides."""
import os
import re

import pytest

from lib import contract
from lib.kdc import Kdc
from lib.krm import properties
from lib.produce import produce
from lib.secured import SecuredListener, ticket
from lib.util import wait_until

pytestmark = pytest.mark.real_only


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    with Kdc(tmp_path_factory.mktemp("kdc")) as k:
        yield k


@pytest.fixture
def realm(matrix, pool, make_site, authority, kdc):
    """realm(tls, reauth_ms): a site whose both sides want tickets, and the link's settings."""
    def make(tls, reauth_ms=0):
        kind = "kerberos-ssl" if tls else "kerberos"
        listeners = [SecuredListener(authority if tls else None, sasl=True, kdc=kdc, reauth_ms=ms) for ms in (reauth_ms, 0)]
        source = pool.get(f"{kind}-{reauth_ms}-source", matrix[0], secured=listeners[0])
        destination = pool.get(f"{kind}-destination", matrix[1], secured=listeners[1])
        own = {"security.protocol": source.secured.protocol} | ticket(kdc)
        if tls:
            own["ssl.truststore.location"] = authority.file
        line = properties(os.path.join(kdc.dir, "secrets"), {"line": own["sasl.jaas.config"]})
        site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                         destination_door=destination.secured_bootstrap,
                         config=own | {"secret.files.allowed": f"{kdc.dir},{authority.dir}"})
        site.env["KRB5_CONFIG"] = kdc.conf
        link = own | {"sasl.jaas.config": "${file:" + line + ":line}"}
        return site, {k.replace(".", "__"): v for k, v in link.items()}
    return make


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "ssl"])
def test_tickets(realm, tls):
    site, link = realm(tls)
    topic = site.mirrored(partitions=3, **link)
    site.worker()
    produce(site.source, topic, 500)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 500)


def test_what_is_wrong_is_named(realm, kdc, tmp_path):
    """A keytab that is not there, a principal that is not in it, another service, the ticket server down."""
    site, _ = realm(False)
    keytab, principal = kdc.keytab("mirror")

    def listing(deadline=60, **wrong):
        path = properties(str(tmp_path / "wrong.properties"), {**site.config, **{k.replace("__", "."): v
                                                                              for k, v in wrong.items()}})
        return site.cli("link", "list", config_file=path, deadline=deadline)

    def module(keytab, principal):
        return f'a.Krb5LoginModule required useKeyTab=true keyTab="{keytab}" principal="{principal}";'
    listing(sasl__jaas__config=module("/nowhere", principal)).expect(contract.DENIED).says("no Kerberos ticket", "/nowhere")
    listing(sasl__jaas__config=module(keytab, "nobody@KRMIRROR.TEST")).expect(contract.DENIED).says(
        "no Kerberos ticket for nobody")
    listing(sasl__kerberos__service__name="other").expect(contract.DENIED).says("GSSAPI", "not found in Kerberos database")
    kdc.stop()
    try:
        listing().expect(contract.DENIED).says("no Kerberos ticket", "KDC")
    finally:
        kdc.start()
    listing().expect(contract.DONE)


def test_the_ticket_server_comes_back(realm, kdc):
    """The source wants a login every 3 s, and the ticket server is down: the worker says so, and goes on when it is up."""
    site, link = realm(False, reauth_ms=3000)
    topic = site.mirrored(**link)
    worker = site.worker()
    produce(site.source, topic, 100)
    site.wait_caught_up(topic)
    kdc.stop()
    try:
        wait_until(lambda: re.search("warn .link. the source .*no Kerberos ticket", worker.text()), 60,
                   "the worker says what it lacks")
        produce(site.source, topic, 100, first=100)
    finally:
        kdc.start()
    site.wait_caught_up(topic)
    site.assert_equal(topic, 200)
