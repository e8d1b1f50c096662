# SPDX-License-Identifier: Apache-2.0
"""OAUTHBEARER on both sides: tokens from an endpoint, a file, and the configuration."""
import os

import pytest

from lib import contract
from lib.krm import properties
from lib.oauth import CLIENT, SECRET, TokenEndpoint, token
from lib.produce import produce
from lib.secured import OAUTH, OAUTH_MODULE, SecuredListener
from lib.util import wait_until

pytestmark = pytest.mark.real_only


@pytest.fixture
def endpoint(authority):
    with TokenEndpoint(authority) as e:
        yield e


@pytest.fixture
def bearers(matrix, pool, make_site, authority, endpoint):
    """bearers(tls, options of the login module, more): a site whose both sides want tokens, and the link's settings."""
    def make(tls=False, options=None, **more):
        kind = "oauth-ssl" if tls else "oauth"
        source, destination = (pool.get(f"{kind}-{s}", v, secured=SecuredListener(authority if tls else None, sasl=True,
                                                                                  oauth=True))
                               for s, v in zip(("source", "destination"), matrix[:2]))
        options = options or {"clientId": CLIENT, "clientSecret": SECRET, "scope": "kafka all",
                              "ssl.truststore.location": authority.file}
        own = {"security.protocol": source.secured.protocol, "sasl.mechanism": OAUTH,
               "sasl.jaas.config": line(**options), "sasl.oauthbearer.token.endpoint.url": endpoint.url} | more
        if tls:
            own["ssl.truststore.location"] = authority.file
        secrets = properties(os.path.join(authority.dir, "secrets"), {"line": own["sasl.jaas.config"]})
        site = make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                         destination_door=destination.secured_bootstrap,
                         config=own | {"secret.files.allowed": authority.dir,
                                       "sasl.oauthbearer.allowed.urls": endpoint.url})
        link = own | {"sasl.jaas.config": "${file:" + secrets + ":line}"}
        return site, {k.replace(".", "__"): v for k, v in link.items()}
    return make


def line(**options):
    return f"{OAUTH_MODULE} required " + " ".join(f'{k}="{v}"' for k, v in options.items()) + ";"


def flows(site, topic, first=0):
    produce(site.source, topic, 300, first=first)
    site.wait_caught_up(topic)
    site.assert_equal(topic, first + 300)


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "ssl"])
def test_tokens_of_an_endpoint(bearers, endpoint, tls):
    """One token is shared by all connections of a cluster's client, and asked for with the scope. The tasks that keep
    settings in step have a client of the source of their own."""
    site, link = bearers(tls)
    topic = site.mirrored(partitions=3, **link)
    asked = len(endpoint.asked)
    site.worker()
    flows(site, topic)
    assert 1 <= len(endpoint.asked) - asked <= 3, "one for each client"
    assert endpoint.asked[-1] == (f"{CLIENT}:{SECRET}", "grant_type=client_credentials&scope=kafka%20all")
    assert SECRET not in site.workers[0].text()


def test_tokens_are_renewed(bearers, endpoint):
    """Brokers end sessions with their tokens: each is replaced in time, while records flow."""
    endpoint.lives = 8
    site, link = bearers()
    topic = site.mirrored(**link)
    worker = site.worker(log__level="debug")
    done = 0

    def renewed():
        nonlocal done
        flows(site, topic, done)
        done += 300
        return worker.text().count("authenticated again") >= 6
    wait_until(renewed, 90, "sessions are renewed", every=0.5)
    assert " error [" not in worker.text()


def test_a_token_in_a_file(bearers, authority):
    path = os.path.join(authority.dir, "token")
    with open(path, "w") as f:
        f.write(token() + "\n")
    site, link = bearers(options={"extension_team": "a"}, **{"sasl.oauthbearer.token.endpoint.url": f"file://{path}"})
    topic = site.mirrored(**link)
    site.worker()
    flows(site, topic)


def test_what_is_wrong_is_named(bearers, endpoint, authority, tmp_path):
    site, link = bearers()

    def listing(**wrong):
        path = properties(str(tmp_path / "wrong.properties"), {**site.config, **{k.replace("__", "."): v
                                                                              for k, v in wrong.items()}})
        return site.cli("link", "list", config_file=path)
    trust = {"ssl.truststore.location": authority.file}
    listing(sasl__jaas__config=line(clientId="a", clientSecret="guessed", **trust)).expect(contract.DENIED).says(
        "token endpoint https://", "401: invalid_client: no such client")
    listing(sasl__jaas__config=line(clientId=CLIENT, clientSecret=SECRET)).expect(contract.DENIED).says(
        "token endpoint https://", "certificate")
    listing(sasl__oauthbearer__token__endpoint__url="http://127.0.0.1:1/").expect(contract.USAGE).says("https only")
    listing(sasl__jaas__config=line(token=token(lives=-60))).expect(contract.DENIED).says("OAUTHBEARER authentication refused")
    endpoint.answer = 302, "", {"Location": endpoint.url}
    listing().expect(contract.DENIED).says("it answers 302")
    endpoint.answer = 200, "x" * 300000, {}
    listing().expect(contract.DENIED).says("token endpoint")
    endpoint.answer = 200, '{"access_token": "a\\u0001b"}', {}
    listing().expect(contract.DENIED).says("no access_token")
    endpoint.answer = None
    got = site.cli("link", "create", site.link, "--config-file", site.link_config(
        **(link | {"sasl__oauthbearer__token__endpoint__url": endpoint.url + "2"})))
    got.expect(contract.USAGE).says("sasl.oauthbearer.allowed.urls")
    endpoint.stop()
    listing().expect(contract.DENIED).says("token endpoint https://", "no answer")
    endpoint.start()
    listing().expect(contract.DONE)
