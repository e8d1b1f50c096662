# SPDX-License-Identifier: Apache-2.0
"""Secrets at rest: encrypted and signed with secret.key.file, records that were written past krmirror, other keys."""
import json
import os
import signal
import socket
import subprocess

import pytest
from confluent_kafka import Producer

from lib import contract, judge
from lib.krm import properties
from lib.produce import produce
from lib.secured import SCRAM_512, SecuredListener, login
from lib.util import wait_until

pytestmark = pytest.mark.real_only

PASSWORD = "of the mirror"


def key_file(site, name="key", mode=0o600, content=None):
    path = os.path.join(site.dir, name)
    with open(path, "wb") as f:
        f.write(os.urandom(32) if content is None else content)
    os.chmod(path, mode)
    return path


@pytest.fixture
def locked(matrix, pool, make_site):
    """A site whose source wants a login, whose password stands in link.config, and that has a key for it."""
    kind = ("sasl-source", matrix[0], 1)
    fresh = kind not in pool.shared
    source = pool.get(kind[0], matrix[0], secured=SecuredListener(None, sasl=True))
    if fresh:
        source.secured.add_users(source)
    site = make_site(source, pool.get("destination", matrix[1]), matrix[2], source_door=source.secured_bootstrap)
    site.config["secret.key.file"] = key_file(site)
    properties(site.config_file, site.config)
    return site


def settings(**more):
    own = {"security.protocol": "SASL_PLAINTEXT", **login(SCRAM_512, PASSWORD)}
    return {k.replace(".", "__"): v for k, v in own.items()} | more


def records(site):
    """All that ever stood in the control log, as far as it is not compacted yet."""
    topic = site.control_topic
    return judge.read_records(site.destination, topic, judge.whole(site.destination, topic))


def link_record(site, name=None):
    """The newest value of link/NAME."""
    key = f"link/{name or site.link}".encode()
    values = []
    topic = site.control_topic
    judge.scan(site.destination, topic, judge.whole(site.destination, topic),
               lambda m: values.append(m.value()) if m.key() == key else None)
    return json.loads(values[-1])


def write_past(site, value, name=None):
    """What somebody with the right to write to the control log can do; value None removes the link."""
    producer = Producer(site.destination.client())
    said = []
    producer.produce(site.control_topic, None if value is None else json.dumps(value).encode(),
                     f"link/{name or site.link}".encode(), on_delivery=lambda err, m: said.append((err, m.offset())))
    assert producer.flush(30) == 0 and said[0][0] is None
    return said[0][1]


def write_in_place(site, value):
    """A record that claims the very place that it gets."""
    def placed():
        at = judge.whole(site.destination, site.control_topic)[0][1]
        return write_past(site, value | {"at": at}) == at
    wait_until(placed, 30, "nobody else writes in that moment", every=0)


def recorded_again(site):
    """All settings of the link, as what is to be done then."""
    site.ok("link", "configuration", "update", site.link, "--config-file", site.link_config(**settings()))


def link(site, name=None):
    return site.ok("link", "describe", name or site.link, "-o", "json").json


def wait_link(site, name=None, **wanted):
    def there():
        got = link(site, name)
        return got if all(got[k] == v for k, v in wanted.items()) else None
    return wait_until(there, 30, lambda: f"link {wanted}: {link(site, name)}", every=0.3)


def flows(site, topic, count, first=0):
    produce(site.source, topic, count, first=first)
    site.wait_caught_up(topic)
    site.assert_equal(topic, first + count)


class Trap:
    """A listener that nobody may ever dial."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(0.01)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def untouched(self):
        try:
            self.socket.accept()
        except TimeoutError:
            return True
        return False


def test_nothing_secret_is_in_clear_anywhere(locked):
    site = locked
    topic = site.mirrored(**settings())
    worker = site.worker(log__level="debug")
    flows(site, topic, 300)
    link(site)
    site.ok("link", "pause", site.link)
    wait_link(site, state="PAUSED")
    site.ok("link", "resume", site.link)
    wait_link(site, state="ACTIVE")
    flows(site, topic, 100, 300)
    site.ok("status", "-o", "json")
    record = link_record(site)
    assert record["mac"] and record["config"]["sasl.jaas.config"].startswith("${sealed:")
    with open(f"/proc/{worker.process.pid}/cmdline", "rb") as f:
        places = {"ps": f.read()}
    places["control log"] = repr(records(site)).encode()
    places["worker"] = worker.text().encode()
    places["command lines"] = "\n".join(site.transcript).encode()
    with open(site.config["secret.key.file"], "rb") as f:
        key = f.read()
    for place, text in places.items():
        assert PASSWORD.encode() not in text, f"the password stands in {place}"
        assert key not in text and key.hex().encode() not in text, f"the key stands in {place}"
    assert b"${sealed:" in places["control log"]


def test_without_a_key_both_ways_out_are_named(locked):
    site = locked
    properties(site.config_file, {k: v for k, v in site.config.items() if k != "secret.key.file"})
    got = site.cli("link", "create", site.link, "--config-file", site.link_config(**settings()))
    got.expect(contract.USAGE).says(r"in clear", r"\$\{file:", r"\$\{env:", "secret.key.file")
    assert PASSWORD not in got.out + got.err
    # a reference beside a secret hides nothing
    mixed = settings(sasl__jaas__config=login(SCRAM_512, PASSWORD, user="${env:KRMIRROR_USER}")["sasl.jaas.config"])
    site.cli("link", "create", site.link, "--config-file", site.link_config(**mixed)).expect(contract.USAGE)
    properties(site.config_file, site.config)
    got = site.cli("link", "create", site.link, "--config-file", site.link_config(), "--config",
                   "sasl.jaas.config=" + login(SCRAM_512, PASSWORD)["sasl.jaas.config"])
    got.expect(contract.USAGE).says("process list")
    assert PASSWORD not in got.out + got.err
    assert not site.destination.has_topic(site.control_topic)


def test_key_files(locked):
    site = locked

    def with_key(*args, **kw):
        path = key_file(site, "bad", *args, **kw)
        file = properties(os.path.join(site.dir, "bad.properties"), {**site.config, "secret.key.file": path})
        return site.cli("link", "list", config_file=file), path
    for content in (b"", b"k" * 31, b"k" * 33, b"6b" * 32):
        with_key(content=content)[0].expect(contract.USAGE).says("32 raw bytes", "/dev/urandom")
    with_key(mode=0o604)[0].expect(contract.DONE).says("readable by others")
    with_key(mode=0o602)[0].expect(contract.USAGE).says("writable by others")
    path = with_key()[1]
    os.remove(path)
    site.cli("link", "list", config_file=os.path.join(site.dir, "bad.properties")).expect(contract.USAGE).says(
        "No such file", "/dev/urandom")
    file = site.link_config(**settings())
    os.chmod(file, 0o644)
    site.cli("link", "create", site.link, "--config-file", file, "--dry-run").expect(contract.DONE).says(
        r"holds a secret \(sasl.jaas.config\) and is readable by others")
    os.chmod(file, 0o666)
    site.cli("link", "create", site.link, "--config-file", file).expect(contract.USAGE).says("writable by others")


def forgeries(site, good, trap):
    """Records that nobody with the key has written."""
    def changed(**config):
        return {**good, "append_id": "0" * 32, "config": {**good["config"], **{
            k.replace("__", "."): v for k, v in config.items()}}}
    secret = os.path.join(site.dir, "outside")
    properties(secret, {"line": login(SCRAM_512, PASSWORD)["sasl.jaas.config"]})
    yield changed(bootstrap__servers=trap.address)
    yield {**changed(bootstrap__servers=trap.address), "mac": None, "key_id": None}
    yield {**changed(bootstrap__servers=trap.address, sasl__jaas__config="${file:" + secret + ":line}"), "mac": None}
    yield {**good, "append_id": "0" * 32, "source_cluster_id": "another"}
    yield changed(bootstrap__servers=trap.address, sasl__jaas__config="a.PlainLoginModule required username=a password=b;")


def test_a_forged_record_leads_nowhere(locked):
    site, trap = locked, Trap()
    topic = site.mirrored(**settings())
    worker = site.worker()
    flows(site, topic, 300)
    good, count = link_record(site), 300
    for forged in forgeries(site, good, trap):
        write_in_place(site, forged)
        got = wait_link(site, state="FAILED", error="NOT_AUTHENTIC")
        assert "past krmirror" in got["error_message"]
        site.cli("mirror", "create", site.topic("more"), "--link", site.link).expect(contract.REFUSED)
        produce(site.source, topic, 10, first=count)
        recorded_again(site)
        wait_link(site, state="ACTIVE", error=None)
        site.wait_caught_up(topic)
        count += 10
        site.assert_equal(topic, count)
    write_in_place(site, next(forgeries(site, good, trap)))
    wait_link(site, state="FAILED")
    worker.terminate()
    worker.start()
    wait_until(lambda: "NOT_AUTHENTIC" in worker.text()[-5000:], 30, "a worker that starts anew does not take it either")
    assert trap.untouched()
    recorded_again(site)
    flows(site, topic, 100, count)


def test_an_older_record_does_not_hold_again(locked):
    """Its signature is good, but it led elsewhere: copied to the end of the log it is passed over, told, and the newer one
    is written again behind it; where the newer one is gone, nothing is dialled with it."""
    site, trap = locked, Trap()
    file = site.link_config(**settings())
    site.ok("link", "create", site.link, "--config-file", file, "--source-bootstrap-server", trap.address, "--no-validate")
    older = link_record(site)
    site.ok("link", "configuration", "update", site.link, "--source-bootstrap-server", site.source_door)
    topic = site.topic("t")
    site.source.create_topic(topic)
    site.create_mirror(topic)
    worker = site.worker()
    flows(site, topic, 300)
    for restarted in (False, True):
        if restarted:
            worker.terminate()
        at = write_past(site, older)
        got = wait_link(site, error="REPLAYED_RECORD")
        assert f"at offset {at} " in got["error_message"]
        if restarted:
            worker.start()
        wait_until(lambda: link_record(site).get("replayed") == at, 30, "the good record stands last again")
        assert link_record(site)["config"]["bootstrap.servers"] == site.source_door
        wait_link(site, state="ACTIVE", error="REPLAYED_RECORD")
        assert "somebody has written an older record of it again" in worker.text()
        site.ok("link", "pause", site.link)
        wait_link(site, state="PAUSED")
        site.ok("link", "resume", site.link)
        flows(site, topic, 100, 400 if restarted else 300)
    # as if the good one had been compacted away while no worker ran
    worker.terminate()
    write_past(site, None)
    write_past(site, older)
    worker.start()
    got = wait_link(site, state="FAILED", error="REPLAYED_RECORD")
    assert "written for offset" in got["error_message"]
    site.cli("mirror", "create", site.topic("more"), "--link", site.link).expect(contract.REFUSED).says("written for offset")
    recorded_again(site)
    wait_link(site, state="ACTIVE", error=None)
    flows(site, topic, 100, 500)
    assert trap.untouched()


def test_a_log_of_another_key(locked):
    """The link with the other key is FAILED, with the reason; all else goes on."""
    site = locked
    site.mirrored("other", **settings())
    mine = site.link + "-mine"
    site.config["secret.key.file"] = key_file(site, "another")
    properties(site.config_file, site.config)
    site.ok("link", "create", mine, "--config-file", site.link_config(**settings()))
    topic = site.topic("mine")
    site.source.create_topic(topic)
    site.ok("mirror", "create", topic, "--link", mine)
    worker = site.worker()
    flows(site, topic, 300)
    got = wait_link(site, state="FAILED", error="OTHER_SECRET_KEY")
    assert "another key" in got["error_message"]
    site.cli("mirror", "create", site.topic("more"), "--link", site.link).expect(contract.USAGE).says("another key")
    wait_link(site, mine, state="ACTIVE")
    assert worker.alive


def rekey(site, path):
    return site.ok("link", "rekey", "--new-key-file", path, "-o", "json").json


def test_another_key_under_load(locked):
    """The record is written with the new key; the worker of the old key runs on, says so, and takes the new one when told."""
    site = locked
    topic = site.mirrored(**settings())
    second = site.link + "-second"
    site.ok("link", "create", second, "--config-file", site.link_config(**settings()))
    worker = site.worker()
    flows(site, topic, 300)
    before, new = link_record(site), key_file(site, "new")
    assert rekey(site, new)["links_changed"] == 2
    assert rekey(site, new) == {"key_id": link_record(site)["key_id"], "links_changed": 0, "links_already": 2}
    after = link_record(site)
    assert after["key_id"] != before["key_id"] and after["mac"] != before["mac"]
    got = wait_link(site, state="ACTIVE", error="OTHER_SECRET_KEY")
    assert "another key" in got["error_message"] and "runs on the settings that it has" in worker.text()
    flows(site, topic, 200, 300)
    site.ok("link", "pause", site.link)
    wait_link(site, state="PAUSED")
    site.ok("link", "resume", site.link)
    flows(site, topic, 100, 500)
    # the command line with the old key cannot use it, and refuses to change what it cannot read
    site.cli("mirror", "create", site.topic("more"), "--link", site.link).expect(contract.USAGE).says("another key")
    other = key_file(site, "third")
    site.cli("link", "rekey", "--new-key-file", other).expect(contract.REFUSED).says("another key")
    site.config["secret.key.file"] = new
    properties(site.config_file, site.config)
    with open(worker.config_file) as f:
        own = dict(line.rstrip("\n").split("=", 1) for line in f)
    properties(worker.config_file, own | {"secret.key.file": new})
    worker.process.send_signal(signal.SIGHUP)
    wait_link(site, state="ACTIVE", error=None)
    flows(site, topic, 200, 600)
    worker.terminate()
    worker.start()
    flows(site, topic, 100, 800)
    # SIGHUP also sees another key in the same file
    with open(other, "rb") as f, open(new, "rb") as was:
        key, old = f.read(), was.read()
    assert rekey(site, other)["links_changed"] == 2
    key_file(site, "new", content=key)
    worker.process.send_signal(signal.SIGHUP)
    wait_link(site, state="ACTIVE", error=None)
    flows(site, topic, 100, 900)
    assert old != key


def test_rekey_is_killed_and_run_again(locked, counts):
    site = locked
    names = [f"{site.link}-{i}" for i in range(3)]
    for name in names:
        site.ok("link", "create", name, "--config-file", site.link_config(**settings()), "--no-validate")
    for turn in range(counts(6, 100)):
        new = key_file(site, f"key{turn}")
        process = site.start_cli("link", "rekey", "--new-key-file", new)
        try:
            process.communicate(timeout=0.02 * (turn % 20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        done = rekey(site, new)
        assert done["links_changed"] + done["links_already"] == 3 and done["links_changed"] in (0, 3)
        assert {link_record(site, n)["key_id"] for n in names} == {done["key_id"]}
        site.config["secret.key.file"] = new
        properties(site.config_file, site.config)
    topic = site.topic()
    site.source.create_topic(topic)
    site.ok("mirror", "create", topic, "--link", names[0])


def test_links_of_before_get_their_first_key(locked):
    """Recorded with references and unsigned; a worker with a key does not use them until they are signed."""
    site = locked
    without = {k: v for k, v in site.config.items() if k != "secret.key.file"} | {"secret.files.allowed": site.dir}
    properties(site.config_file, without)
    secrets = properties(os.path.join(site.dir, "secrets"), {"line": login(SCRAM_512, PASSWORD)["sasl.jaas.config"]})
    topic = site.mirrored(**settings(sasl__jaas__config="${file:" + secrets + ":line}"))
    site.config = without | {"secret.key.file": site.config["secret.key.file"]}
    worker = site.worker()
    wait_link(site, state="FAILED", error="NOT_AUTHENTIC")
    assert rekey(site, site.config["secret.key.file"])["links_changed"] == 1
    properties(site.config_file, site.config)
    flows(site, topic, 200)
    wait_link(site, state="ACTIVE")
    assert worker.alive


def test_what_only_the_worker_may_read(locked, tmp_path):
    """The command line leaves the link to a worker, waits for its word, and takes back what it cannot use."""
    site, there = locked, tmp_path / "there"
    there.mkdir()
    site.config = {k: v for k, v in site.config.items() if k != "secret.key.file"}
    properties(site.config_file, site.config)

    def create(name, password, folder=there, **more):
        secrets = properties(str(folder / name), {"line": login(SCRAM_512, password)["sasl.jaas.config"]})
        config = site.link_config(**settings(sasl__jaas__config="${file:" + secrets + ":line}", **more))
        return site.cli("link", "create", name, "--config-file", config, "-o", "json")

    def names():
        return {row["link_name"] for row in site.ok("link", "list", "-o", "json").json}
    good, wrong, neither = (f"{site.link}-{word}" for word in ("good", "wrong", "neither"))
    create(good, PASSWORD).expect(contract.USAGE).says("not below secret.files.allowed").says("no worker runs")
    assert names() == set()
    worker = site.worker(secret__files__allowed=str(there)).joined()
    got = create(good, PASSWORD).expect(contract.DONE)
    assert got.json["source_cluster"] == site.source.cluster_id and names() == {good}
    create(wrong, "another").expect(contract.SOURCE_DOWN).says("SOURCE_UNAVAILABLE").says("a worker")
    create(neither, PASSWORD, tmp_path).expect(contract.USAGE).says("CONFIGURATION").says("secret.files.allowed")
    assert names() == {good}
    changed = site.ok("link", "configuration", "update", good, "--config", "metadata.max.age.ms=7000")
    assert "cannot use" not in changed.err
    # The source is asked where the verb is run.
    topic = site.topic()
    site.source.create_topic(topic)
    site.cli("mirror", "create", topic, "--link", good).expect(contract.USAGE).says("secret.files.allowed")
    worker.terminate()


def test_no_error_tells_a_secret(locked, tmp_path):
    """What is wrong is said without the value, by the command line and, where it was not asked, by the worker."""
    site = locked
    line = login(SCRAM_512, "hunter2")["sasl.jaas.config"]
    sasl = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": SCRAM_512, "sasl.jaas.config": line}
    tls = {"security.protocol": "SSL", "ssl.keystore.key": "-----BEGIN hunter2-----", "ssl.keystore.type": "PEM",
           "ssl.keystore.certificate.chain": "nothing"}
    wrong = [sasl, sasl | {"sasl.jaas.config": line[:-2]}, sasl | {"sasl.jaas.config": "hunter2"},
             sasl | {"sasl.jaas.config": line.replace("Scram", "Plain")}, sasl | {"sasl.jaas.confg": line},
             sasl | {"sasl.jaas.config": line + ' password="hunter2";'}, sasl | {"sasl.mechanism": "hunter3"},
             tls, tls | {"ssl.key.password": "hunter2"}, {"ssl.key.password": "hunter2 acl.sync.enable=true"},
             {"security.protocol": "SSL", "ssl.truststore.location": "/nowhere", "ssl.truststore.password": "hunter2"},
             {"local.sasl.jaas.config": line, "client.idd": "x"}]
    recorded = []
    for i, config in enumerate(wrong):
        path = properties(str(tmp_path / f"{i}.config"), {
            "bootstrap.servers": site.source_door, "availability.check.ms": 1000,
            "availability.check.consecutive.failure.threshold": 2} | config)
        got = site.cli("link", "create", f"{site.link}-{i}", "--config-file", path)
        assert got.code not in (contract.DONE, contract.FAILED), got
        got = site.cli("link", "create", f"{site.link}-{i}", "--config-file", path, "--no-validate")
        recorded += [f"{site.link}-{i}"] if got.code == contract.DONE else []
    assert len(recorded) > 4
    worker = site.worker(log__level="debug")
    for name in recorded:
        wait_until(lambda: link(site, name)["state"] in ("FAILED", "UNAVAILABLE"), 60, f"{name} cannot be used")
        site.ok("link", "configuration", "list", name)
    for text in (*site.transcript, worker.text(), repr(records(site))):
        assert "hunter2" not in text


def test_a_forged_record_reads_no_file(locked):
    """Without a key, and so without signatures: what a record names must lie where the host allows it."""
    site, trap = locked, Trap()
    allowed = os.path.join(site.dir, "allowed")
    os.mkdir(allowed)
    site.config = {k: v for k, v in site.config.items() if k != "secret.key.file"} | {"secret.files.allowed": allowed}
    properties(site.config_file, site.config)
    secrets = {"line": login(SCRAM_512, PASSWORD)["sasl.jaas.config"]}
    good, outside = (properties(os.path.join(d, "secrets"), secrets) for d in (allowed, site.dir))
    os.symlink(outside, os.path.join(allowed, "link"))
    topic = site.mirrored(**settings(sasl__jaas__config="${file:" + good + ":line}"))
    site.worker()
    flows(site, topic, 200)
    record, said = link_record(site), set()
    for name in (outside, "/etc/shadow", "/nowhere/at/all", os.path.join(allowed, "link"), allowed + "/../secrets"):
        config = record["config"] | {"sasl.jaas.config": "${file:" + name + ":line}", "bootstrap.servers": trap.address}
        for forged in (config, config | {"sasl.jaas.config": record["config"]["sasl.jaas.config"],
                                         "security.protocol": "SASL_SSL", "ssl.truststore.location": name}):
            write_past(site, record | {"config": forged, "append_id": "0" * 32})
            got = wait_link(site, state="FAILED", error="CONFIGURATION")
            said.add(got["error_message"].replace(name, "NAME"))
            write_past(site, record)
            wait_link(site, state="ACTIVE")
    assert len(said) == 2, f"it is told which files there are: {said}"
    assert trap.untouched()
    flows(site, topic, 100, 200)
