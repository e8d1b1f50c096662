#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same topic through krmirror and through MirrorMaker 2, in turns, between the same two real Kafka clusters (one node
each, on this machine, so they are the ceiling of the speed): CPU seconds per GiB and resident memory side by side.

    make bench-mm2                          3 rounds of 1 GiB; needs `tools/deps --mm2`
    make bench-mm2 BENCH_FLAGS='--rounds 1 --mib 256'

MirrorMaker 2 runs as its own script starts it (dedicated mode, G1, up to 2 GiB of heap), without heartbeats and without
following settings and ACLs, so that copying is compared.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import real

MM2 = "4.3.0"
FIRST = 1 << 20      # bytes after which a subject counts as copying: what came before is its start
SUBJECTS = ("krmirror", "MirrorMaker 2")
# As in Kafka's own bin/connect-mirror-maker.sh and kafka-run-class.sh.
JVM = ["java", "-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
       "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]


class MirrorMaker:
    def __init__(self, folder, source, destination, topic, cache):
        self.log = open(os.path.join(folder, "mm2.log"), "wb")
        config = {
            "clusters": "source, destination", "source.bootstrap.servers": source.bootstrap,
            "destination.bootstrap.servers": destination.bootstrap,
            "source->destination.enabled": "true", "source->destination.topics": topic, "destination->source.enabled": "false",
            "replication.factor": 1, "offset-syncs.topic.replication.factor": 1, "heartbeats.topic.replication.factor": 1,
            "checkpoints.topic.replication.factor": 1, "offset.storage.replication.factor": 1,
            "status.storage.replication.factor": 1, "config.storage.replication.factor": 1, "tasks.max": 2,
            "emit.heartbeats.enabled": "false", "sync.topic.configs.enabled": "false", "sync.topic.acls.enabled": "false",
        }
        path = os.path.join(folder, "mm2.properties")
        with open(path, "w", encoding="ascii") as f:
            f.writelines(f"{k}={v}\n" for k, v in config.items())
        jars = os.path.join(cache, "mm2", MM2)
        if not os.path.exists(os.path.join(jars, ".made-from")):
            sys.exit(f"no jars of MirrorMaker {MM2} in {jars}: run tools/deps --mm2")
        self.process = subprocess.Popen([*JVM, "-cp", os.path.join(jars, "*"),
                                         "org.apache.kafka.connect.mirror.MirrorMaker", path],
                                        stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)
        self.topic = f"source.{topic}"

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Krmirror:
    def __init__(self, krm, folder, source, destination, topic, engine):
        self.site = krm.Site(folder, source, destination, engine)
        self.site.create_link()
        self.site.create_mirror(topic)
        self.worker = self.site.worker()
        self.process, self.topic = self.worker.process, topic

    def end(self):
        self.worker.terminate()
        self.site.close()


def ends(cluster, topic):
    return sum(cluster.ends(topic).values()) if topic in cluster.topics() else 0


def follow(subject, cluster, records, deadline=600):
    """From the start of the process until all records are there. The start ends with the first MiB."""
    pid, began, first = subject.process.pid, time.monotonic(), None
    peak = 0
    while True:
        if subject.process.poll() is not None:
            raise RuntimeError(f"{type(subject).__name__} ended with {subject.process.returncode}")
        if time.monotonic() - began > deadline:
            raise RuntimeError(f"{type(subject).__name__}: not within {deadline} s")
        size = real.log_bytes(cluster, subject.topic)
        now, cpu = time.monotonic() - began, real.cpu_seconds(pid)
        peak = max(peak, real.resident(pid)[0])
        if first is None and size >= FIRST:
            first = (size, now, cpu)
        if ends(cluster, subject.topic) >= records:
            break
        time.sleep(0.1)
    size = real.log_bytes(cluster, subject.topic)
    gib = size / real.GIB
    return {"cpu": cpu, "seconds": now, "cpu_gib": cpu / gib, "rss": peak, "start_s": first[1], "start_cpu": first[2],
            "copy_cpu_gib": (cpu - first[2]) / ((size - first[0]) / real.GIB),
            "gib_s": (size - first[0]) / real.GIB / max(0.001, now - first[1])}


def one_round(o, jvm, krm, folder, source, destination, n):
    topic = f"bench-{n}"
    source.create_topic(topic, o.partitions)
    real.fill(jvm, source, topic, o.codec, o.mib)
    made = {"krmirror": lambda d: Krmirror(krm, d, source, destination, topic, "io_uring"),
            "MirrorMaker 2": lambda d: MirrorMaker(d, source, destination, topic, o.cache)}
    out = {}
    for name in SUBJECTS if n % 2 == 0 else reversed(SUBJECTS):
        subject = made[name](tempfile.mkdtemp(dir=folder))
        try:
            out[name] = follow(subject, destination, o.mib * 1024)
        finally:
            subject.end()
    return out


def table(o, results):
    print(f"\nKafka {real.VERSION} to {real.VERSION}, one node each, all on this machine; {len(results)} rounds of {o.mib} "
          f"MiB of 1 KiB records in 16 KiB batches ({o.codec}), {o.partitions} partitions; medians\n")
    print("  subject        CPU-s/GiB whole  of copying alone  start, s  its CPU-s  GiB/s  resident, most (MiB)")
    for name in SUBJECTS:
        def m(key):
            return statistics.median(r[name][key] for r in results)
        print(f"  {name:<13}  {m('cpu_gib'):15.2f}  {m('copy_cpu_gib'):16.2f}  {m('start_s'):8.1f}  {m('start_cpu'):9.2f}  "
              f"{m('gib_s'):5.2f}  {m('rss'):20.0f}")
    ratios = [[r["MirrorMaker 2"][k] / r["krmirror"][k] for r in results] for k in ("cpu_gib", "copy_cpu_gib", "rss")]
    print("  MirrorMaker 2 takes {:.1f} times the CPU ({:.1f} of copying alone) and {:.1f} times the memory".format(
        *(statistics.median(r) for r in ratios)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--programs", required=True, help="where krmirror and krmirrord were built")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--mib", type=int, default=1024, help="MiB of records a round")
    p.add_argument("--partitions", type=int, default=6)
    p.add_argument("--codec", default="none")
    o = p.parse_args()
    real.with_clients()
    o.cache = os.environ.get("KRMIRROR_CACHE") or os.path.expanduser("~/.cache/krmirror")
    sys.path.insert(0, os.path.dirname(real.HERE))
    os.environ.setdefault("KRMIRROR_BUILD", os.path.abspath(o.programs))
    from lib import jvm, kafka, krm
    results = []
    with tempfile.TemporaryDirectory(prefix="krmirror-bench-") as folder:
        clusters = [kafka.KafkaCluster(folder, real.VERSION, name=n, heap="1g") for n in ("source", "destination")]
        try:
            for c in clusters:
                c.launch()
            for c in clusters:
                c.wait_ready()
            for n in range(o.rounds):
                results.append(one_round(o, jvm, krm, folder, *clusters, n))
                print(f"round {n + 1}: {results[-1]}", file=sys.stderr)
        finally:
            for c in clusters:
                c.stop()
    table(o, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
