# SPDX-License-Identifier: Apache-2.0
"""Bad input: each a clear message with the fix, the documented exit code, nothing lost, no crash."""
import os

import pytest

from lib import contract, fakes, krm
from lib.hostile_sasl import HostileSasl, scram_first
from lib.kafka import KafkaCluster
from lib.produce import Load, produce
from lib.util import hostport, ports, wait_until

# Most of these never reach the data loop, so one engine is enough; the hostile peers run on each.
one = pytest.mark.one_engine

HOSTILE = {
    "http": (fakes.http, "kafka|broker|protocol"),
    "closes": (fakes.silent_close, "clos|connection|kafka|broker"),
    "frame-of-2-gib": (fakes.huge_frame, "frame|length|large|size|kafka"),
    "negative-frame": (fakes.negative_frame, "frame|length|size|kafka"),
    "truncated": (fakes.truncated, "clos|truncat|short|response|malformed"),
    "garbled": (fakes.garbled, "response|malformed|decode|kafka|protocol"),
    "huge-count": (fakes.huge_count, "response|malformed|decode|kafka|protocol"),
    "wrong-correlation": (fakes.wrong_correlation, "correlation|response|kafka|protocol"),
}


def link(site, *args, **config):
    """link create with a source that may be no good."""
    return site.cli("link", "create", site.link, "--config-file", site.link_config(**config), "--timeout", "8s", *args)


def towards(site, address):
    """A krmirror.properties with another destination."""
    return krm.properties(os.path.join(site.dir, "other.properties"), {**site.config, "bootstrap.servers": address})


def error_of(result):
    """The error document of -o json; its message and hint must say something."""
    error = result.json["error"]
    contract.has_keys(error, contract.ERROR, "error")
    assert error["code"] == error["code"].upper() and error["message"] and error["hint"], error
    return error


def nothing_recorded(site):
    assert site.link not in [row["link_name"] for row in site.ok("link", "list", "-o", "json").json]


# -- peers ---------------------------------------------------------------------------------------------------

@one
def test_source_unreachable(site):
    address = f"127.0.0.1:{ports.take()}"
    link(site, bootstrap__servers=address).expect(contract.SOURCE_DOWN).says(address, "source")
    error_of(link(site, "-o", "json", bootstrap__servers=address).expect(contract.SOURCE_DOWN))
    nothing_recorded(site)


@one
def test_destination_unreachable(site):
    address = f"127.0.0.1:{ports.take()}"
    file = towards(site, address)
    for command in (("link", "list"), ("status",), ("mirror", "list"),
                    ("link", "create", "x", "--config-file", site.link_config())):
        got = site.cli(*command, "--timeout", "5s", config_file=file).expect(contract.DESTINATION_DOWN)
        got.says(address, "destination")
    error_of(site.cli("status", "--timeout", "5s", "-o", "json", config_file=file).expect(contract.DESTINATION_DOWN))


@one
def test_name_that_does_not_resolve(site):
    name = "no-such-host.invalid:9092"
    link(site, bootstrap__servers=name).expect(contract.SOURCE_DOWN).says("no-such-host.invalid", "resolve|name")
    nothing_recorded(site)
    got = site.cli("status", "--timeout", "5s", config_file=towards(site, name)).expect(contract.DESTINATION_DOWN)
    got.says("no-such-host.invalid")


@one
def test_first_bootstrap_server_dead(site):
    dead = f"127.0.0.1:{ports.take()}"
    link(site, bootstrap__servers=f"{dead},no-such-host.invalid:9092,{site.source.bootstrap}").expect(contract.DONE)


@pytest.mark.parametrize("kind", HOSTILE)
def test_source_speaks_something_else(site, kind):
    serve, words = HOSTILE[kind]
    with fakes.Server(serve) as s:
        link(site, bootstrap__servers=s.address).expect(contract.SOURCE_DOWN).says(s.address, words)
        assert s.connections > 0
    nothing_recorded(site)


@pytest.mark.parametrize("kind", HOSTILE)
def test_destination_speaks_something_else(site, kind):
    serve, words = HOSTILE[kind]
    with fakes.Server(serve) as s:
        got = site.cli("status", "--timeout", "5s", config_file=towards(site, s.address))
        got.expect(contract.DESTINATION_DOWN).says(s.address, words)


@pytest.mark.parametrize("kind", ("http", "frame-of-2-gib", "garbled", "truncated"))
def test_worker_towards_something_else(site, kind):
    """It stays and tries again, or it ends with a documented code: it does not crash."""
    with fakes.Server(HOSTILE[kind][0]) as s:
        worker = site.worker(start=False, bootstrap__servers=s.address)
        worker.config_file = krm.properties(worker.config_file, {
            **site.config, "worker.id": worker.id, "io.engine": site.engine, "http.listener": "",
            "bootstrap.servers": s.address})
        checked = krm.subprocess.run([krm.binary("krmirrord"), "-c", worker.config_file, "--check"],
                                     capture_output=True, text=True, timeout=90)
        assert checked.returncode == contract.DESTINATION_DOWN, checked
        assert s.address in checked.stderr + checked.stdout, checked


@pytest.mark.real_only
@one
def test_advertised_listener_unreachable(matrix, pool, make_site, tmp_path):
    version, destination, engine = matrix
    _, dst = pool.pair(version, destination)
    nowhere = f"127.0.0.1:{ports.take()}"
    source = KafkaCluster(tmp_path, version, name="misadvertised",
                          config={"advertised.listeners": f"PLAINTEXT://{nowhere}"})
    try:
        source.start()
        site = make_site(source, dst, engine)
        got = link(site)
        if got.code == 0:  # only bootstrap was asked: then the first command that needs the broker says it
            got = site.cli("mirror", "create", "any", "--link", site.link, "--timeout", "8s")
        got.expect(contract.SOURCE_DOWN).says(nowhere, r"\b1\b", "advertised")
    finally:
        source.stop()


@pytest.mark.real_only
@pytest.mark.parametrize("side", ("source", "destination"))
def test_connections_cut_in_the_middle(matrix, pool, make_site, side, counts):
    """krmirror's connections to one side end again and again in the middle of a request or of an answer: equal in the
    end. Nothing but the worker asks meanwhile, so it is the worker's that are cut."""
    pair = dict(zip(("source", "destination"), pool.pair(*matrix[:2])))
    pair[side] = pool.behind(side, pair[side].version)
    broker, cuts = pair[side].brokers[0], counts(10, 100)
    with fakes.Cutter(hostport(broker.proxied), hostport(broker.advertised)[1]) as proxy:
        site = make_site(*pair.values(), matrix[2], **{f"{side}_door": proxy.address})
        topic = site.mirrored("cut", 4)
        count = counts(20000, 500000)
        produce(site.source, topic, count, 4, size=300)
        proxy.cutting = True
        worker = site.worker()
        with Load(site.source, topic, 4, rate=500) as load:
            wait_until(lambda: proxy.cut >= cuts, 120 + 4 * cuts, lambda: f"{cuts} cut connections: {proxy.cut}")
        proxy.cutting = False
        site.wait_caught_up(topic)
        worker.check_alive()
        site.assert_equal(topic, count + load.done.count)


# -- configuration and usage ---------------------------------------------------------------------------------

@one
def test_unknown_key_in_krmirror_properties(site):
    file = krm.properties(os.path.join(site.dir, "typo.properties"), {**site.config, "worker.thread": 2})
    site.cli("status", config_file=file).expect(contract.USAGE).says("worker.thread", r"worker\.threads")
    got = krm.subprocess.run([krm.binary("krmirrord"), "-c", file, "--check"], capture_output=True, text=True,
                             timeout=30)
    assert got.returncode == contract.USAGE and "worker.threads" in got.stderr, got


@one
def test_unknown_key_in_link_config(site):
    link(site, metadata__max__age="1").expect(contract.USAGE).says(r"metadata\.max\.age\.ms")
    site.cli("link", "create", site.link, "--config", f"bootstrap.servers={site.source.bootstrap},link.mod=SOURCE"
             ).expect(contract.USAGE).says(r"link\.mode")
    nothing_recorded(site)


@one
@pytest.mark.parametrize("key,value", (("io.engine", "kqueue"), ("worker.threads", "many"), ("buffer.memory", "-1"),
                                       ("session.timeout.ms", "1"), ("http.listener", "nonsense")))
def test_bad_value(site, key, value):
    file = krm.properties(os.path.join(site.dir, "bad.properties"), {**site.config, key: value})
    got = krm.subprocess.run([krm.binary("krmirrord"), "-c", file, "--check"], capture_output=True, text=True,
                             timeout=30)
    assert got.returncode == contract.USAGE and key in got.stderr, got


@one
def test_configuration_file_that_is_not_there(site):
    site.cli("status", config_file="/nonexistent/krmirror.properties").expect(contract.USAGE).says("nonexistent")


@one
@pytest.mark.parametrize("args,words", (
    (("stauts",), "status"),
    (("mirror", "crate", "t"), "create"),
    (("status", "--ouput", "json"), "--output"),
    (("status", "-o", "yaml"), "json"),
    (("mirror", "create"), "TOPIC|topic"),
    (("link", "create"), "NAME|name"),
    (("promote",), "TOPIC|topic|--all"),
    (("status", "--timeout", "soon"), "soon|duration"),
))
def test_usage(site, args, words):
    site.cli(*args).expect(contract.USAGE).says(words)


@one
def test_wait_with_a_blank_before_the_duration(site):
    site.create_link()
    site.cli("promote", "t", "--link", site.link, "--wait", "60s").expect(contract.USAGE).says("--wait=60s")


@one
def test_file_writable_by_others(site):
    file = towards(site, site.destination.bootstrap)
    with open(file, "a") as f:
        f.write("sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
                'username="u" password="p";\n')
    os.chmod(file, 0o666)
    site.cli("status", config_file=file).expect(contract.USAGE).says("writable")


# -- things that are not there, or are there already ---------------------------------------------------------

@one
def test_source_topic_that_does_not_exist(site):
    site.create_link()
    missing = site.topic("missing")
    site.cli("mirror", "create", missing, "--link", site.link).expect(contract.FAILED).says(missing, "source")
    assert not site.destination.has_topic(missing)
    error_of(site.cli("mirror", "create", missing, "--link", site.link, "-o", "json").expect(contract.FAILED))


@one
def test_unknown_link(site):
    site.cli("mirror", "create", "t", "--link", "nosuch").expect(contract.FAILED).says("nosuch")
    site.cli("link", "describe", "nosuch").expect(contract.FAILED).says("nosuch")
    site.cli("link", "delete", "nosuch", "--yes").expect(contract.FAILED).says("nosuch")


@one
def test_two_links_of_one_name(site):
    made = site.create_link()
    link(site).expect(contract.REFUSED).says(site.link, "exists|already")
    rows = [r for r in site.ok("link", "list", "-o", "json").json if r["link_name"] == site.link]
    assert [r["link_id"] for r in rows] == [made["link_id"]]


@one
def test_source_and_destination_are_one_cluster(site):
    link(site, bootstrap__servers=site.destination.bootstrap).expect(contract.REFUSED).says("same|itself|one cluster")
    nothing_recorded(site)


@one
def test_destination_topic_exists(site):
    topic = site.topic("there")
    for c in (site.source, site.destination):
        c.create_topic(topic)
    produce(site.destination, topic, 3)
    site.create_link()
    site.cli("mirror", "create", topic, "--link", site.link).expect(contract.REFUSED).says(topic, "exists")
    assert site.destination.ends(topic) == {0: 3}


@one
def test_dry_run_changes_nothing(site):
    topic = site.topic("dry")
    site.source.create_topic(topic)
    link(site, "--dry-run").expect(contract.DONE)
    nothing_recorded(site)
    site.create_link()
    site.ok("mirror", "create", topic, "--link", site.link, "--dry-run")
    assert not site.destination.has_topic(topic)


@one
def test_no_worker_running(site):
    topic = site.topic("idle")
    site.source.create_topic(topic)
    site.create_link()
    site.ok("mirror", "create", topic, "--link", site.link).says("krmirrord", "worker")
    got = site.ok("mirror", "create", topic, "--link", site.link, "-o", "json")
    assert got.json["mirror_topic_name"] == topic
    contract.status(site.ok("status", "-o", "json").json)


# -- refusals ------------------------------------------------------------------------------------------------

@one
def test_deletes_are_refused(site):
    topic = site.mirrored("kept")
    site.cli("link", "delete", site.link).expect(contract.REFUSED).says("--yes|mirror")
    site.cli("link", "delete", site.link, "--yes").expect(contract.REFUSED).says(topic)
    site.cli("mirror", "delete", topic, "--link", site.link, "--yes").expect(contract.REFUSED)
    site.row(topic)


@one
def test_promote_of_an_unknown_mirror(site):
    site.create_link()
    site.cli("promote", "nosuch", "--link", site.link, "--wait=5s").expect(contract.FAILED).says("nosuch")


def test_promote_with_lag_at_the_deadline(site):
    """Exit 7, the wish is kept; with a worker it comes true, and running it again says so."""
    topic = site.topic("lagging")
    site.source.create_topic(topic, 2)
    produce(site.source, topic, 200, 2)
    site.create_link()
    site.create_mirror(topic)
    got = site.cli("promote", topic, "--link", site.link, "--wait=6s", "-o", "json").expect(contract.TIMED_OUT)
    for row in got.json:
        contract.partition_row(row, contract.VERB)
        assert row["partition_mirror_lag"] == 100, row
    site.worker()
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    site.assert_equal(topic, 200, upto=site.source.ends(topic), ends=False)
    assert site.row(topic, codes=(0,))["stopped_how"] == "promoted"


@pytest.mark.real_only
def test_promote_with_the_source_down(matrix, pool, make_site):
    version, destination, engine = matrix
    _, dst = pool.pair(version, destination)
    source = pool.new(version, "goes-down")
    try:
        source.start()
        site = make_site(source, dst, engine)
        topic = site.topic("down")
        source.create_topic(topic)
        produce(source, topic, 100)
        site.create_link()
        site.create_mirror(topic)
        site.worker()
        site.wait_caught_up(topic)
        source.brokers[0].kill()
        got = site.cli("promote", topic, "--link", site.link, "--wait=20s")
        got.expect(contract.SOURCE_DOWN, contract.REFUSED).says("source")
        site.ok("status", "-o", "json")  # works with the source down, and so do these
        site.ok("mirror", "describe", topic, "--link", site.link, "-o", "json")
        row = site.row(topic)
        assert row["stopped_how"] is None
    finally:
        pool.drop(source)


# -- brokers that mean ill of those who log in ---------------------------------------------------------------

def scram_of(iterations, final=b"v=" + b"QUFB" * 10 + b"QUE="):
    return lambda n, token: scram_first(token, iterations) if n == 0 else final


SASL_HOSTILE = {
    "hashes-without-end": ("SCRAM-SHA-256", scram_of(4294967295), contract.DENIED, "more than 100000 iterations"),
    "hashes-once": ("SCRAM-SHA-512", scram_of(1), contract.DENIED, "4096 is the least"),
    "does-not-know-the-password": ("SCRAM-SHA-256", scram_of(4096), contract.DENIED, "SCRAM-SHA-256"),
    "other-nonce": ("SCRAM-SHA-256", lambda n, token: b"r=theirs,s=QUFB,i=4096", contract.DENIED, "SCRAM-SHA-256"),
    "half-a-mebibyte": ("SCRAM-SHA-256", lambda n, token: b"r=" + b"x" * 524288, contract.SOURCE_DOWN, "524290 bytes"),
    "noise": ("SCRAM-SHA-512", lambda n, token: bytes(range(256)), contract.DENIED, "SCRAM-SHA-512"),
    "nothing": ("SCRAM-SHA-256", lambda n, token: b"", contract.DENIED, "SCRAM-SHA-256"),
    "rounds-without-end": ("OAUTHBEARER", lambda n, token: b'{"status":"invalid_token"}', contract.SOURCE_DOWN,
                           "more than 16 rounds"),
}


@one
@pytest.mark.parametrize("kind", SASL_HOSTILE)
def test_source_means_ill_of_logins(site, kind):
    mechanism, answer, code, words = SASL_HOSTILE[kind]
    module = {"S": "scram.ScramLoginModule", "O": "oauthbearer.OAuthBearerLoginModule"}[mechanism[0]]
    options = 'token="a.b.c"' if mechanism == "OAUTHBEARER" else 'username="alice" password="hushhush"'
    secrets = krm.properties(os.path.join(site.dir, "secrets"),
                             {"line": f"org.apache.kafka.common.security.{module} required {options};"})
    allows = krm.properties(os.path.join(site.dir, "allows.properties"), {**site.config, "secret.files.allowed": site.dir})
    with HostileSasl(mechanism, answer) as s:
        config = site.link_config(bootstrap__servers=s.address, security__protocol="SASL_PLAINTEXT",
                                  sasl__mechanism=mechanism, sasl__jaas__config="${file:" + secrets + ":line}")
        got = site.cli("link", "create", site.link, "--config-file", config, "--timeout", "8s", config_file=allows)
        got.expect(code).says(s.address, words)
        assert got.seconds < 15 and "hushhush" not in got.out + got.err, got
        assert 0 < s.rounds < 20
    nothing_recorded(site)
