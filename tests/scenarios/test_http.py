# SPDX-License-Identifier: Apache-2.0
"""What a worker says over HTTP: metrics that a stock parser reads and a stock client can check, health, and what becomes
of clients that mean no good."""
import json
import os
import socket
import time

from lib import contract, judge
from lib.krm import properties
from lib.produce import produce
from lib.util import ports, wait_until
from lib.web import StoppedThread, Web


def stored(cluster, topic):
    return sum(len(rows) for rows in judge.read_records(cluster, topic, judge.whole(cluster, topic)).values())


def wait_sum(web, name, value, **labels):
    """Until it says so; a page is at most two seconds old."""
    wait_until(lambda: web.scrape().sum(name, **labels) == value, 15,
               lambda: f"{name}{labels} is {value}: {web.scrape().sum(name, **labels)}", every=0.3)
    return web.scrape()


def test_metrics_agree_with_what_a_stock_client_counts(site, counts):
    n, parts = counts(600, 99999), 3
    topic = site.mirrored("told", parts)
    worker = site.worker()
    web = Web(worker).wait_up()
    web.wait_code("/readyz", 200)
    assert web.get("/healthz")[0] == 200
    produce(site.source, topic, n, parts)
    site.wait_caught_up(topic)
    mine = {"link": site.link, "topic": topic}
    s = wait_sum(web, "krmirror_records_written_total", n, **mine)
    assert n == stored(site.destination, topic)
    assert s.sum("krmirror_records_fetched_total", **mine) >= n
    assert s.sum("krmirror_bytes_written_total", **mine) <= s.sum("krmirror_bytes_fetched_total", **mine)
    for p in range(parts):
        at = {**mine, "partition": str(p)}
        assert s.one("krmirror_records_written_total", **at) == n / parts
        for gauge in ("lag_records", "lag_stable_records", "lag_seconds", "rpo_seconds"):
            assert s.one(f"krmirror_{gauge}", **at) == 0, gauge
        assert s.one("krmirror_last_fetch_seconds", **at) < 5
    assert s.one("krmirror_link_state", link=site.link, state="ACTIVE") == 1
    assert s.sum("krmirror_link_state", link=site.link) == 1
    assert s.one("krmirror_mirror_topics", link=site.link, state="ACTIVE") == 1
    assert s.one("krmirror_mirror_partitions", link=site.link, state="COPYING") == parts
    assert s.sum("krmirror_failed_partitions", link=site.link) is None
    for side in ("source", "destination"):
        assert s.one("krmirror_link_last_contact_seconds", link=site.link, side=side) < 5
    assert s.one("krmirror_worker_info", worker_id=worker.id, engine=worker.engine) == 1
    assert s.one("krmirror_worker_ready") == 1 and s.one("krmirror_worker_leader") == 1
    resident = s.one("process_resident_memory_bytes")
    assert abs(resident - worker.resident()) < 8 << 20, (resident, worker.resident())
    status = web.status()
    contract.status(status)
    assert status["worker"]["worker_id"] == worker.id and status["destination_cluster"] == site.destination.cluster_id
    rows = [r for r in status["partitions"] if r["mirror_topic_name"] == topic]
    assert len(rows) == parts
    for row in rows:
        contract.partition_row(row)
        assert row["state"] == "COPYING" and row["lag_ms"] == 0 and row["partition_mirror_lag"] == 0

    # Counters outlive the lanes: a pause closes these, and resume opens others.
    site.ok("mirror", "pause", topic, "--link", site.link)
    site.wait_partition(topic, 0, state="PAUSED")
    wait_until(lambda: web.scrape().sum("krmirror_records_written_total", **mine) is None, 15, "the lanes are gone")
    site.ok("mirror", "resume", topic, "--link", site.link)
    produce(site.source, topic, n, parts, first=n)
    site.wait_caught_up(topic)
    wait_sum(web, "krmirror_records_written_total", 2 * n, **mine)
    worker.terminate()


def test_what_a_dead_source_said_is_not_told(make_site, matrix, pool):
    """Folded to topics; while the source is away its end is not known, and no lag is told in place of one. The log, as
    JSON, has one line for each change of state."""
    source, destination, engine = matrix
    behind = pool.new(source, "dying").start()
    site = make_site(behind, pool.get("destination", destination), engine)
    topic = site.mirrored("dies", 2, availability__check__consecutive__failure__threshold=2)
    worker = site.worker(metrics__partitions="false", log__format="json")
    web = Web(worker).wait_up()
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    s = wait_sum(web, "krmirror_records_written_total", 100, link=site.link)
    assert s.one("krmirror_records_written_total", link=site.link, topic=topic) == 100, "one series of the topic"
    assert s.one("krmirror_lag_records", link=site.link, topic=topic) == 0
    pool.drop(behind)
    wait_until(lambda: not web.scrape().rows("krmirror_lag_records", link=site.link), 30, "the lag is not known")
    s = web.scrape()
    for gauge in ("lag_records", "lag_stable_records", "lag_seconds", "rpo_seconds"):
        assert not s.rows(f"krmirror_{gauge}", link=site.link), gauge
    assert s.one("krmirror_last_fetch_seconds", link=site.link, topic=topic) > 2
    assert s.one("krmirror_link_last_contact_seconds", link=site.link, side="source") > 2
    assert s.one("krmirror_records_written_total", link=site.link, topic=topic) == 100, "what was counted stays"
    assert s.sum("krmirror_client_errors_total", side="source", link=site.link) > 0
    wait_until(lambda: web.scrape().one("krmirror_link_state", link=site.link, state="UNAVAILABLE") == 1, 30,
               "UNAVAILABLE", every=0.3)
    row = web.partition(topic)
    assert row["partition_mirror_lag"] is None and row["lag_ms"] is None
    worker.terminate()
    lines = [json.loads(line) for line in worker.text().splitlines()]
    assert all(line.keys() >= {"ts", "level", "module", "msg"} for line in lines)
    changes = [(line["module"], line.get("from"), line["to"]) for line in lines if line["msg"] == "state"]
    assert changes.count(("link", "ACTIVE", "UNAVAILABLE")) == 1, changes
    assert changes.count(("mirror", "ACTIVE", "SOURCE_UNAVAILABLE")) == 1, changes
    for p in range(2):
        assert changes.count((f"lane {topic}/{p}", "ALIGNED", "COPYING")) == 1, changes


def test_health_and_readiness(make_site, matrix, pool):
    """Not ready without a destination, ready with its part; unhealthy while a data loop stands still."""
    source, destination, engine = matrix
    site = make_site(*pool.pair(source, destination), engine)
    lost = site.worker(bootstrap__servers=f"127.0.0.1:{ports.take()}")
    said = Web(lost).wait_up().wait_code("/readyz", 503)
    assert "control log" in said
    assert Web(lost).get("/healthz")[0] == 200, "a destination that is away is no illness of the worker"
    assert Web(lost).scrape().one("krmirror_worker_ready") == 0
    lost.terminate()

    worker = site.worker()
    web = Web(worker).wait_up()
    web.wait_code("/readyz", 200)
    with StoppedThread(worker, "krm-data"):
        said = web.wait_code("/healthz", 503)
        assert "data loop 0" in said
        assert web.get("/metrics")[0] == 200
    web.wait_code("/healthz", 200)

    taken = site.worker(http__listener=f"127.0.0.1:{web.port}")  # its address is another's: it works, and says so
    wait_until(lambda: "no metrics and no status" in taken.text(), 20, "the second one tells")
    worker.terminate()
    wait_until(lambda: "listens address=127.0.0.1" in taken.text(), 20, "it listens when the port is free")
    web.wait_code("/readyz", 200)
    taken.terminate()


def closed_by_peer(s, deadline):
    """Whether the other end closes within the time; what it sends before is read."""
    s.settimeout(deadline)
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def test_hostile_clients(make_site, matrix, pool):
    source, destination, engine = matrix
    site = make_site(*pool.pair(source, destination), engine)
    worker = site.worker(http__listener="127.0.0.1:0")
    line = wait_until(lambda: next((x for x in worker.text().splitlines() if "[http] listens" in x), None), 20, "it listens")
    worker.config["http.listener"] = line.split("address=")[1]
    web = Web(worker)
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"):
        code, _, headers = web.get("/metrics", method=method, body=b"x" * 100000 if method == "POST" else None)
        assert code == 405 and headers["Allow"] == "GET", method
    assert web.get("/")[0] == 404 and web.get("/%00/../../etc/passwd")[0] == 404
    with web.connect() as s:  # a header without an end
        try:
            for _ in range(64):
                s.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 4096 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert closed_by_peer(s, 10)
    with web.connect() as s:
        s.sendall(b"\x16\x03\x01\x00\xa5\x01\x00\x00" * 20 + b"\r\n\r\n")
        assert closed_by_peer(s, 20)
    web.wait_code("/readyz", 200)
    before = worker.descriptors()
    slow = [web.connect() for _ in range(64)]  # all places are taken by clients that dawdle
    for s in slow:
        s.sendall(b"GET /metr")
    began = time.monotonic()
    waiting = web.connect()
    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    waiting.settimeout(30)
    drip = iter(b"ics HTTP/1.1\r\nX-A: " + b"a" * 1000)
    got = b""
    while not got:
        for s in slow:  # a byte now and then: no pause is ever long
            try:
                s.sendall(bytes([next(drip)]))
            except (OSError, StopIteration):
                pass
        waiting.settimeout(0.5)
        try:
            got = waiting.recv(4096)
        except (socket.timeout, TimeoutError):
            assert time.monotonic() - began < 30, "the slow ones are never cut"
    assert got.startswith(b"HTTP/1.1 200"), got
    for s in [*slow, waiting]:
        s.close()
    wait_until(lambda: worker.descriptors() < before + 8, 20, "no descriptor is left over")
    assert web.get("/healthz")[0] == 200
    worker.terminate()


def test_the_command_line_asks_workers(make_site, matrix, pool):
    """What only a worker knows comes from the address that it recorded, else from http.listener of the file at hand; a dead
    worker costs less than a second; another worker at the address is not believed."""
    source, destination, engine = matrix
    site = make_site(*pool.pair(source, destination), engine)
    topic = site.mirrored("asked", 2)
    worker = site.worker()
    web = Web(worker).wait_up()
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    near = {"time_since_last_fetch_ms", "lag_ms", "filled_offsets", "coalesced_batches", "last_source_fetch_offset"}
    assert all(row[k] is None for row in site.describe(topic) for k in near), "nobody is asked on the default port"

    here = dict(site.config) | {"http.listener": worker.config["http.listener"]}
    config = properties(os.path.join(site.dir, "here.properties"), here)

    def described(file):
        rows = site.cli("mirror", "describe", topic, "--link", site.link, "-o", "json", config_file=file).expect(0).json
        return rows if all(row[k] is not None for row in rows for k in near) else None
    rows = wait_until(lambda: described(config), 15, "describe tells what the worker knows")
    for row in rows:
        contract.partition_row(row)
        assert row["time_since_last_fetch_ms"] < 5000 and row["lag_ms"] == 0 and row["filled_offsets"] == 0
    status = site.cli("status", "-o", "json", config_file=config).expect(0).json
    assert status["links"][0]["last_contact_ms"] < 5000

    other = make_site(site.source, site.destination, engine)  # its own control topic, another worker's address
    other_topic = other.mirrored("other")
    other.worker(http__advertised__listener="192.0.2.1:9474", start=False)
    foreign = properties(os.path.join(other.dir, "foreign.properties"),
                         dict(other.config) | {"http.listener": f"127.0.0.1:{web.port}"})
    rows = other.cli("mirror", "describe", other_topic, "--link", other.link, "-o", "json", config_file=foreign).json
    assert all(row["time_since_last_fetch_ms"] is None for row in rows), rows

    before = min(other.ok("mirror", "describe", other_topic, "--link", other.link).seconds for _ in range(2))
    dead = other.workers[0].start()  # records an address that leads nowhere
    wait_until(lambda: "takes its part" in dead.text(), 20, "its address is recorded")
    dead.terminate()
    after = other.ok("mirror", "describe", other_topic, "--link", other.link).seconds
    assert after < before + 1.2, (before, after)
    assert [w["address"] for w in other.ok("status", "-o", "json").json["workers"]] == ["192.0.2.1:9474"]
