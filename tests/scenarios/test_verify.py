# SPDX-License-Identifier: Apache-2.0
"""verify and topic diff: they find what is there to be found, and nothing else, on topics of every kind."""
import base64
import json
import os
import re
import threading

import pytest

from lib import contract, judge
from lib.produce import CODECS, Load, produce, transaction
from lib.util import wait_until


def mirrored(site, partitions=2, count=400, **more):
    topic = site.topic("proof")
    site.source.create_topic(topic, partitions)
    for n, codec in enumerate(CODECS):
        produce(site.source, topic, count // 5, partitions, codec=codec, first=n * (count // 5), **more)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    return topic, worker


def verify(site, topic, *options, code=contract.DONE):
    got = site.cli("verify", topic, "--link", site.link, "-o", "json", *options).expect(code).json
    assert len(got) == 1 and got[0]["topic"] == topic, got
    contract.has_keys(got[0], {"topic", "partitions", "ok"}, "verify")
    for p in got[0]["partitions"]:
        contract.has_keys(p, {"partition", "from", "to", "compared", "mismatches", "ok"}, "verify")
        for m in p["mismatches"]:
            assert m["kind"] in {"missing", "extra", "key", "value", "headers", "timestamp"}, m
    assert got[0]["ok"] == (code == contract.DONE) == all(p["ok"] for p in got[0]["partitions"])
    return got[0]["partitions"]


def diff(site, topic, *options):
    got = site.ok("topic", "diff", topic, "--link", site.link, "-o", "json", *options).json
    contract.has_keys(got, {"topic", "settings", "partitions", "acls"}, "topic diff")
    return got


def test_all_that_is_mirrored_is_compared(site, counts):
    count = counts(400, 200000)
    topic, _ = mirrored(site, 3, count)
    rows = verify(site, topic)
    assert [p["partition"] for p in rows] == [0, 1, 2]
    assert sum(p["compared"] for p in rows) == count
    assert {p["partition"]: p["to"] for p in rows} == site.destination.ends(topic)
    assert diff(site, topic)["partitions"] == []


def test_ranges_and_samples(site):
    topic, _ = mirrored(site, 1, 1000)
    row, = verify(site, topic, "--from", "100", "--to", "250")
    assert (row["from"], row["to"], row["compared"]) == (100, 250, 150)
    row, = verify(site, topic, "--sample", "10")
    assert row["compared"] == 10 and row["to"] == 1000
    row, = verify(site, topic, "--sample", "100000")
    assert row["compared"] == 1000


def test_a_live_mirror_is_equal_at_every_moment(site, counts):
    """While records come in and are copied: what is not there yet is no mismatch."""
    topic = site.mirrored("live", 3)
    site.worker()
    with Load(site.source, topic, 3) as load:
        wait_until(lambda: sum(site.destination.ends(topic).values()) > 1000, 30, "it flows")
        seen = 0
        for _ in range(counts(4, 40)):
            rows = verify(site, topic)
            now = sum(p["compared"] for p in rows)
            assert now >= seen
            seen = now
    site.wait_caught_up(topic)
    assert sum(p["compared"] for p in verify(site, topic)) == load.done.count


def promoted_and_written(site, **more):
    """Promoted, so that clients may write to both sides what the other does not have."""
    topic, _ = mirrored(site, 2, 400, **more)
    site.ok("promote", topic, "--link", site.link, "--wait=60s")
    return topic


def test_what_differs_after_a_promotion(site, tmp_path):
    topic = promoted_and_written(site)
    ends = site.source.ends(topic)
    assert verify(site, topic)
    produce(site.source, topic, 30, 1, first=1000)
    row = next(p for p in diff(site, topic)["partitions"] if p["partition"] == 0)
    assert (row["only_source"], row["only_destination"]) == (30, 0)
    # The door's marker stands at that offset of the destination: the client's records come behind it.
    produce(site.destination, topic, 20, 1, first=2000)
    first, second = site.cli(
        "verify", topic, "--link", site.link, "-o", "json").expect(contract.DIVERGENCE).json[0]["partitions"]
    assert not first["ok"] and second["ok"]
    assert first["mismatches"][0] == {"offset": ends[0], "kind": "missing"}
    assert {m["kind"] for m in first["mismatches"]} >= {"missing", "value", "timestamp"}
    path = os.path.join(tmp_path, "left.json")
    row = next(p for p in diff(site, topic, "--export", path)["partitions"] if p["partition"] == 0)
    assert (row["only_source"], row["only_destination"]) == (30, 20)
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    assert len(lines) == 50 and {r["partition"] for r in lines} == {0}
    for side, cluster in (("source", site.source), ("destination", site.destination)):
        rows = judge.read_records(cluster, topic, {0: (ends[0], cluster.ends(topic)[0])})[0]
        want = [(r[0], r[4], r[1], r[2], [(k, v) for k, v in r[3] or ()]) for r in rows]

        def decoded(text):
            return None if text is None else base64.b64decode(text)
        got = [(r["offset"], r["timestamp"], decoded(r["key"]), decoded(r["value"]),
                [(h["key"], decoded(h["value"])) for h in r["headers"]]) for r in lines if r["side"] == side]
        assert got == want


def test_the_report(site, tmp_path):
    """A line for each topic and run: equal, different, and nothing compared at all."""
    topic = promoted_and_written(site)
    report = os.path.join(tmp_path, "verified.jsonl")
    compared = sum(p["compared"] for p in verify(site, topic, "--report", report))
    produce(site.source, topic, 30, 1, first=1000)
    produce(site.destination, topic, 20, 1, first=2000)
    differ = site.cli("verify", topic, "--link", site.link, "-o", "json", "--report", report).expect(contract.DIVERGENCE)
    site.source.hold()
    try:
        site.cli("verify", topic, "--timeout", "3s", "--report", report).expect(contract.SOURCE_DOWN)
    finally:
        site.source.release()
    with open(report) as f:
        equal, different, unknown = map(json.loads, f)
    for line in equal, different, unknown:
        contract.has_keys(line, contract.VERIFY_REPORT, "verify --report")
        assert (line["link_name"], line["topic"]) == (site.link, topic)
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["started"])
    assert equal["ok"] and (equal["compared"], equal["mismatch_count"]) == (compared, 0)
    found = sum(p["mismatch_count"] for p in differ.json[0]["partitions"])
    assert not different["ok"] and different["mismatch_count"] == found > 0
    assert not unknown["ok"] and (unknown["compared"], unknown["mismatch_count"]) == (0, None)
    site.cli("verify", topic, "--report", str(tmp_path)).expect(contract.FAILED, contract.DIVERGENCE).says("cannot append")


def test_settings_that_differ(site):
    topic, _ = mirrored(site)
    site.source.alter_topic(topic, flush__ms="12345")
    rows = {s["name"]: s for s in diff(site, topic)["settings"]}
    assert rows["flush.ms"] == {"name": "flush.ms", "source": "12345", "destination": None}
    assert rows["compression.type"]["destination"] == "producer"


def test_large_records(site):
    topic, _ = mirrored(site, 2, 40, size=700000)
    assert sum(p["compared"] for p in verify(site, topic)) == 40


def test_transactions_are_compared_as_a_consumer_sees_them(site):
    """Copied by hand with other control offsets: only the source's aborted records use up offsets."""
    topic = promoted_and_written(site)
    at = site.source.ends(topic)[0]
    transaction(site.source, topic, [10], f"aborted-{site.id}", commit=False)
    row = next((p for p in diff(site, topic)["partitions"] if p["partition"] == 0), None)
    assert row is None, f"aborted records from {at} on are no records: {row}"
    transaction(site.source, topic, [10], f"committed-{site.id}")
    row = next(p for p in diff(site, topic)["partitions"] if p["partition"] == 0)
    assert (row["only_source"], row["only_destination"]) == (10, 0)


def test_side_unreachable(site, pool, matrix, make_site):
    topic, worker = mirrored(site)
    worker.terminate()
    site.source.hold()
    try:
        site.cli("verify", topic, "--link", site.link, "--timeout", "8s").expect(contract.SOURCE_DOWN)
    finally:
        site.source.release()
    verify(site, topic)


def test_what_does_not_exist(site):
    site.create_link()
    site.cli("verify", site.topic("none"), "--link", site.link).expect(contract.FAILED).says("no mirror")
    site.cli("topic", "diff", site.topic("none"), "--link", site.link).expect(contract.FAILED).says("no mirror")


@pytest.mark.real_only
def test_leaders_move_while_it_reads(site3, counts):
    topic = site3.topic("moves")
    count = counts(20000, 300000)
    site3.source.create_topic(topic, 3)
    produce(site3.source, topic, count, 3)
    site3.create_link()
    site3.create_mirror(topic)
    site3.worker()
    site3.wait_caught_up(topic)
    moving = threading.Event()

    def move():
        while not moving.wait(0.3):
            for cluster in (site3.source, site3.destination):
                cluster.rotate_leaders(topic)
    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(counts(2, 10)):
            assert sum(p["compared"] for p in verify(site3, topic)) == count
    finally:
        moving.set()
        mover.join()


def test_a_range_that_begins_before_the_mirror_does(site):
    """What stands below the offset where it was to begin is not missing: it is said, and left out."""
    topic = site.topic("late")
    site.source.create_topic(topic)
    produce(site.source, topic, 100)
    site.create_link(mirror__start__offset__spec="latest")
    site.create_mirror(topic)
    produce(site.source, topic, 50, first=100)
    site.worker()
    site.wait_caught_up(topic)
    row, = verify(site, topic, "--from", "10")
    assert (row["from"], row["to"], row["compared"]) == (100, 150, 50)
    site.ok("verify", topic, "--link", site.link, "--from", "10").says(f"{topic}-0: the mirror begins at offset 100")
    row, = verify(site, topic, "--from", "120")
    assert (row["from"], row["compared"]) == (120, 30)
