# SPDX-License-Identifier: Apache-2.0
"""SASL on both sides, with and without TLS: krmirror goes through listeners that want it, judges through plain ones."""
import os
import re
import threading
import time

import pytest

from lib import contract
from lib.krm import properties
from lib.produce import produce
from lib.secured import MODULES, PLAIN, SCRAM_256, SCRAM_512, SecuredListener, login
from lib.util import wait_until

pytestmark = pytest.mark.real_only

MECHANISMS = pytest.mark.parametrize("mechanism", list(MODULES))


@pytest.fixture
def guarded(matrix, pool, make_site, authority, tmp_path):
    """guarded(tls, destination's login, listener settings): a site whose both sides want a login, and the link's
    settings for a mechanism."""
    def make(tls, mechanism, **listener):
        kind = ("sasl-ssl" if tls else "sasl") + "".join(f"-{v}" for v in listener.values())
        made = []
        for side, version in zip(("source", "destination"), matrix[:2]):
            fresh = (f"{kind}-{side}", version, 1) not in pool.shared
            c = pool.get(f"{kind}-{side}", version, secured=SecuredListener(authority if tls else None, sasl=True,
                                                                            **listener))
            if fresh:
                c.secured.add_users(c)
            made.append(c)
        protocol = {"security.protocol": made[0].secured.protocol}
        if tls:
            protocol["ssl.truststore.location"] = authority.file
        secrets = properties(os.path.join(authority.dir, f"secrets-{tmp_path.name}"),
                             {"line": login(mechanism)["sasl.jaas.config"]})
        prefix = "SASL_SSL://" if tls else ""   # as Confluent Cloud's addresses are written
        site = make_site(*made, matrix[2], source_door=prefix + made[0].secured_bootstrap,
                         destination_door=prefix + made[1].secured_bootstrap,
                         config=protocol | login(mechanism) | {"secret.files.allowed": authority.dir})
        link = protocol | {"sasl.mechanism": mechanism, "sasl.jaas.config": "${file:" + secrets + ":line}"}
        return site, {k.replace(".", "__"): v for k, v in link.items()}
    return make


def flows(site, topic, count=500):
    produce(site.source, topic, count)
    site.wait_caught_up(topic)
    site.assert_equal(topic, count)


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "ssl"])
@MECHANISMS
def test_login(guarded, mechanism, tls):
    site, link = guarded(tls, mechanism)
    topic = site.mirrored(partitions=3, **link)
    site.worker()
    flows(site, topic)
    assert "of the mirror" not in site.workers[0].text()


def test_what_is_wrong_is_named(guarded, tmp_path):
    """A wrong password, a user that is not there, no login where one is wanted, and the other way round."""
    site, link = guarded(False, SCRAM_256)
    for wrong in (login(SCRAM_256, "guessed"), login(SCRAM_512, user="nobody"), login(PLAIN, "guessed")):
        path = properties(str(tmp_path / "wrong.properties"), {**site.config, **wrong})
        got = site.cli("link", "list", config_file=path).expect(contract.DENIED)
        got.says("destination broker", f"{wrong['sasl.mechanism']} authentication refused", "sasl.jaas.config")
        assert "guessed" not in got.err + got.out and got.seconds < 30
    for wrong, code, words in (
            ({"security.protocol": "PLAINTEXT"}, contract.DESTINATION_DOWN, ("does this listener want SASL",)),
            ({"bootstrap.servers": site.destination.bootstrap}, contract.DENIED, ("wants no SASL",)),
            ({"sasl.mechanism": "OAUTHBEARER"}, contract.USAGE, ("sasl.mechanism=OAUTHBEARER",)),
            ({"sasl.jaas.config": 'a.PlainLoginModule required username="a'}, contract.USAGE, ("quoted value",)),
            ({"sasl.jaas.config": 'a.PlainLoginModule required;', "sasl.mechanism": "PLAIN"}, contract.USAGE,
             ("username and password",))):
        path = properties(str(tmp_path / "wrong.properties"), {**site.config, **wrong})
        site.cli("link", "list", config_file=path).expect(code).says(*words)


def test_a_password_that_is_right_again(guarded, matrix):
    """The worker's source refuses it for a while; it goes on by itself when the password is known again."""
    site, link = guarded(False, SCRAM_512)
    topic = site.mirrored(**link)
    worker = site.worker(log__level="debug")
    flows(site, topic)
    secured, source = site.source.secured, site.source
    from confluent_kafka.admin import ScramMechanism, UserScramCredentialDeletion
    for f in source.admin.alter_user_scram_credentials(
            [UserScramCredentialDeletion("mirror", ScramMechanism.SCRAM_SHA_512)]).values():
        f.result(30)
    source.brokers[0].stop()
    source.brokers[0].start()
    wait_until(lambda: re.search("warn .link. the source .*SCRAM-SHA-512 authentication refused", worker.text()), 60,
               "the worker says that it is refused")
    secured.add_users(source)
    produce(source, topic, 100, first=500)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 600)
    assert worker.alive


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "ssl"])
def test_sessions_are_renewed_under_load(guarded, counts, tls):
    """Every 2 s, on every connection, while records flow: nothing is lost, nothing twice, no error."""
    site, link = guarded(tls, SCRAM_256, reauth_ms=2000)
    topic = site.mirrored(partitions=3, **link)
    worker = site.worker(log__level="debug")
    stop, written = threading.Event(), [0]

    def load():
        while not stop.is_set():
            produce(site.source, topic, 300, first=written[0])
            written[0] += 300
    thread = threading.Thread(target=load)
    thread.start()
    wanted, until = counts(3, 25), time.monotonic() + counts(5, 60)

    def connections(times):
        """How many connections have been renewed so often, by what they are for."""
        return sorted(re.findall(f"\\[(.*)\\] authenticated again what=(\\S+) times={times} ", worker.text()))

    def all_often():
        return time.monotonic() > until and len(connections(1)) >= 4 and connections(1) == connections(wanted)
    try:
        wait_until(all_often, 60 + 4 * wanted, lambda: f"renewed: {connections(1)}, often: {connections(wanted)}", every=0.5)
    finally:
        stop.set()
        thread.join()
    site.wait_caught_up(topic)
    site.assert_equal(topic, written[0])
    text = worker.text()
    assert "in doubt" not in text and " error [" not in text
