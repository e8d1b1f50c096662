# SPDX-License-Identifier: Apache-2.0
"""The main job as a demonstration: tools/quickstart runs this."""
import os
import sys
import tempfile
import time

from confluent_kafka import Producer

from . import judge
from .kafka import KafkaCluster
from .krm import Site
from .sandbox import SandboxCluster

TOPIC, PARTITIONS, RECORDS = "orders", 3, 3000


def heading(number, text):
    print(f"\n{number}. {text}", flush=True)


def shown(site, *args, deadline=90):
    """Runs a command as a user would type it, and shows it with its output."""
    print("   $ krmirror " + " ".join(args), flush=True)
    result = site.cli(*args, deadline=deadline)
    for line in (result.out + result.err).splitlines():
        print("     " + line)
    if result.code != 0:
        raise SystemExit(f"\nkrmirror ended with exit code {result.code}.\n{site.report()}")
    return result


def write(cluster, first, count, partitions):
    """Orders as a client would write them."""
    failed = []
    producer = Producer(cluster.client(**{"compression.type": "lz4", "acks": "all"}))
    for i in range(first, first + count):
        producer.produce(TOPIC, f"{i % 7 + 1} books", f"order-{i}", i % partitions, headers=[("shop", b"web")],
                         on_delivery=lambda err, m: failed.append(err) if err else None)
        producer.poll(0)
    if producer.flush(30) or failed:
        raise SystemExit(f"\nThe records could not be written: {failed[:1]}")


def text(record):
    offset, key, value, headers, ms, _ = record
    return f"{key.decode():>12} {value.decode():>9} {headers[0][0]} {ms}"


def side_by_side(source, destination, topic):
    """The last records of each partition on both sides, as a stock client reads them."""
    title = f"{'key':>12} {'value':>9} {'head':>4} {'timestamp':>13}"
    print(f"   {'':>9} {'':>6} | {'source':^41} | {'destination':^41}")
    print(f"   {'partition':>9} {'offset':>6} | {title} | {title}")
    for p, end in sorted(source.ends(topic).items()):
        rows = [judge.read_records(c, topic, {p: (end - 3, end)})[p] for c in (source, destination)]
        for a, b in zip(*rows):
            same = "" if a == b else "   <- differ"
            print(f"   {p:>9} {a[0]:>6} | {text(a)} | {text(b)}{same}")


def run(source, destination, dir):
    site = Site(dir, source, destination, own_control=False)
    try:
        heading(2, f"A topic with data on the source: {TOPIC}, {PARTITIONS} partitions, {RECORDS:,} records")
        source.create_topic(TOPIC, PARTITIONS)
        write(source, 0, RECORDS, PARTITIONS)
        heading(3, "A link to the source, and a mirror of the topic")
        print(f"   $ export KRMIRROR_CONFIG={site.config_file}")
        print(f"     (it holds: bootstrap.servers={destination.bootstrap})")
        shown(site, "link", "create", "demo", "--source-bootstrap-server", source.bootstrap, "--config",
              "metadata.max.age.ms=1000")
        shown(site, "mirror", "create", TOPIC, "--link", "demo")
        heading(4, "A worker")
        worker = site.worker("quickstart")
        print(f"   $ krmirrord -c {worker.config_file} --foreground &")
        print("     " + worker.text().splitlines()[0])
        site.wait_caught_up(TOPIC)
        heading(5, "Both sides, read by a stock client (librdkafka)")
        side_by_side(source, destination, TOPIC)
        n = site.assert_equal(TOPIC, RECORDS)
        print(f"   {n:,} records compared: offset, key, value, headers and timestamp are equal")
        shown(site, "status")
        heading(6, "Promote: the copy becomes a topic like any other")
        shown(site, "promote", TOPIC, "--link", "demo", "--wait=60s")
        ends = site.source.ends(TOPIC)
        write(destination, RECORDS, 1, 1)
        [record] = judge.read_records(destination, TOPIC, {0: (ends[0], destination.ends(TOPIC)[0])})[0]
        site.assert_equal(TOPIC, RECORDS, upto=ends, ends=False)
        print(f"   A client wrote to the promoted topic: partition 0, offset {record[0]}. All before it is as it was.")
        heading(7, "Clean-up")
        worker.terminate()
        shown(site, "mirror", "delete", TOPIC, "--link", "demo", "--yes")
        shown(site, "link", "delete", "demo", "--yes")
    except AssertionError as e:
        raise SystemExit(f"\nquickstart failed: {e}\n{site.report()}") from None
    finally:
        site.close()


def main():
    kind = sys.argv[1]
    started = float(os.environ.get("QUICKSTART_STARTED", time.time()))
    with tempfile.TemporaryDirectory(prefix="krmirror-quickstart-") as dir:
        clusters = [SandboxCluster(dir, name=n) if kind == "sandbox" else KafkaCluster(dir, kind, name=n)
                    for n in ("source", "destination")]
        try:
            heading(1, "Two clusters: " + ("krsandbox" if kind == "sandbox" else f"Kafka {kind}"))
            for c in clusters:
                c.launch()
            for c in clusters:
                c.wait_ready()
                print(f"   {c.name:<12} {c.bootstrap:<16} cluster id {c.cluster_id}")
            run(*clusters, dir)
        finally:
            for c in clusters:
                c.stop()
    print(f"\nDone in {time.time() - started:.0f} s. The two clusters are gone; nothing was left behind.")


if __name__ == "__main__":
    main()
