# SPDX-License-Identifier: Apache-2.0
"""The benchmark between two real Kafka clusters: one node each, on this machine, so they are the ceiling of the speed
and only the worker's CPU time per GiB (and its memory) says something about the worker.

Run it with `make bench BENCH_FLAGS=--real`; it needs what tools/deps installs."""
import glob
import json
import os
import sys
import tempfile
import time

GIB = 1 << 30
HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "4.3.0"
CASES = [(1, "none"), (6, "none"), (6, "lz4")]
PYTHON = os.path.join(os.environ.get("KRMIRROR_CACHE") or os.path.expanduser("~/.cache/krmirror"), "venv/bin/python3")


def with_clients():
    """Stock clients live in the tests' own Python: goes on there when they are not in this one."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        if sys.executable == PYTHON or not os.path.exists(PYTHON):
            sys.exit("the stock clients are missing: run tools/deps")
        os.execv(PYTHON, [PYTHON, *sys.argv])


def fill(jvm, cluster, topic, codec, mib):
    """Records of 1 KiB in batches of 16 KiB, by Kafka's own producer."""
    got = jvm.tool(VERSION, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
                   "--num-records", str(mib * 1024), "--record-size", "1024", "--throughput", "-1",
                   "--producer-props", f"bootstrap.servers={cluster.bootstrap}", "batch.size=16384", "linger.ms=5",
                   f"compression.type={codec}", timeout=300)
    if got.returncode != 0:
        raise RuntimeError(got.stderr.decode(errors="replace"))


def log_bytes(cluster, topic):
    """Of the batches, as they lie on the disk: what a mirror moves."""
    return sum(os.path.getsize(f) for f in glob.glob(f"{cluster.brokers[0].dir}/data/{topic}-*/*.log"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        lines = dict(line.split(":", 1) for line in f)
    return tuple(int(lines[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM"))


def one(jvm, krm, o, folder, source, destination, partitions, codec):
    site = krm.Site(tempfile.mkdtemp(dir=folder), source, destination, o.engine)
    topic = site.topic(f"bench-{codec}")
    source.create_topic(topic, partitions)
    fill(jvm, source, topic, codec, o.real_mib)
    try:
        site.create_link()
        site.create_mirror(topic)
        worker = site.worker()
        started, pid = time.monotonic(), worker.process.pid
        cpu = cpu_seconds(pid)
        site.wait_caught_up(topic, deadline=600)
        seconds, cpu = time.monotonic() - started, cpu_seconds(pid) - cpu
        size = log_bytes(destination, topic)
        rss, peak = resident(pid)
        site.assert_equal(topic, o.real_mib * 1024)
        worker.terminate()
    finally:
        site.close()
    return {"partitions": partitions, "codec": codec, "bytes": size, "seconds": seconds, "cpu_s": cpu,
            "cpu_per_gib": cpu / (size / GIB), "cpu_per_gib_of_records": cpu / (o.real_mib / 1024),
            "gib_s": size / GIB / seconds, "rss_mib": rss, "hwm_mib": peak}


def main(o):
    with_clients()
    sys.path.insert(0, os.path.join(os.path.dirname(HERE)))
    os.environ.setdefault("KRMIRROR_BUILD", os.path.abspath(os.path.join(o.programs, "..", "..")))
    from lib import jvm, kafka, krm
    results = []
    with tempfile.TemporaryDirectory(prefix="krmirror-bench-") as folder:
        clusters = [kafka.KafkaCluster(folder, VERSION, name=n, heap="1g") for n in ("source", "destination")]
        try:
            for c in clusters:
                c.launch()
            for c in clusters:
                c.wait_ready()
            for partitions, codec in CASES:
                results.append(one(jvm, krm, o, folder, *clusters, partitions, codec))
        finally:
            for c in clusters:
                c.stop()
    print(f"Kafka {VERSION} to {VERSION}, one node each, all on this machine; {o.real_mib} MiB of 1 KiB records in 16 "
          "KiB batches; the copies were compared record by record\n")
    print("  partitions  codec  MiB moved  CPU-s/GiB moved  CPU-s/GiB of records  GiB/s  RSS at the end, most (MiB)")
    for r in results:
        print(f"  {r['partitions']:>10}  {r['codec']:<5}  {r['bytes'] / (1 << 20):9.0f}  {r['cpu_per_gib']:15.2f}  "
              f"{r['cpu_per_gib_of_records']:20.2f}  {r['gib_s']:5.2f}  {r['rss_mib']:.1f}, {r['hwm_mib']:.1f}")
    if o.json:
        with open(o.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 0
