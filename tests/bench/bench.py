#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: the worker's data side between two stub brokers, against a dumb relay, in the same run.

    make bench                          everything, 9 rounds
    make bench BENCH_FLAGS='--rounds 3 --only 16K'
    make bench BENCH_FLAGS='--real'     once between two real Kafka clusters

Each round runs every case once, in a new random order. What counts are the ratios of one round, because the machine
is not the same from minute to minute. Stub brokers have CPU 1, the relay or the worker has CPU 0.
"""
import argparse
import ctypes
import json
import os
import platform
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

GIB = 1 << 30
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
SAMPLES_AT = 4 + 4 + 16 + 4 + 4 + 8 * 7      # of struct bench_shared, see common.h; checked against its size
SAMPLES_MAX = 1 << 19


class Case:
    """What the source has: a response carries `slots` partitions with `batches` batches each."""

    def __init__(self, name, batch, partitions, slots, batches, record=1024, codec=0):
        self.name, self.partitions = name, partitions
        self.stub = [f"--partitions={partitions}", f"--slots={slots}", f"--batches={batches}",
                     f"--batch-bytes={batch}", f"--record-bytes={record}", f"--codec={codec}"]


CASES = [
    Case("16K x 1", 16384, 1, 1, 64),
    Case("16K x 64", 16384, 64, 64, 1),
    Case("16K x 64 backlog", 16384, 64, 9, 63),
    Case("16K x 64 lz4", 16384, 64, 64, 1, codec=3),
    Case("1K x 1", 1024, 1, 1, 1000),
    Case("1K x 64", 1024, 64, 64, 16),
    Case("200B x 1", 200, 1, 1, 5000, record=200),
    Case("200B x 64", 200, 64, 64, 80, record=200),
]
TLS = ("16K x 64", "16K x 64 backlog")
RAW = ["--raw", "--batches=64", "--batch-bytes=16384"]
LAG = ["--rate=1000", "--batch-bytes=268", "--record-bytes=268"]


# ---- the network ----

def enter_namespace():
    """A network namespace of our own, so that all sockets, the product's too, get reno. Returns what is in force."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0 and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        now = read("/proc/sys/net/ipv4/tcp_congestion_control")
        print(f"note: no network namespace ({os.strerror(ctypes.get_errno())}): connections that the worker and the "
              f"relay dial use {now}, which may pace; only the stubs' side is set", file=sys.stderr)
        return now
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name in ("cubic", "reno"):
        try:
            with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="ascii") as f:
                f.write(name)
            break
        except OSError:
            continue
    return read("/proc/sys/net/ipv4/tcp_congestion_control")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read().strip()


def set_priority(nice):
    """Against what else runs on the machine: with autogroup the scheduler weighs sessions, not processes."""
    try:
        os.nice(nice)
        if os.getsid(0) != os.getpid():
            os.setsid()
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write(str(nice))
    except OSError as e:
        print(f"note: --nice {nice}: {e}", file=sys.stderr)


# ---- one run ----

class Stub:
    """The two stub brokers, for the time of a with block."""

    def __init__(self, programs, args):
        self.command = [os.path.join(programs, "bench_stub"), *args]

    def __enter__(self):
        fd, self.path = tempfile.mkstemp(prefix="krmirror-bench-", dir="/dev/shm")
        os.close(fd)
        self.process = subprocess.Popen([*self.command, f"--shared={self.path}"], stdin=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the stub does not listen: {self.command}")
            time.sleep(0.005)
        return self

    def listens(self):
        with open(self.path, "rb") as f:
            return struct.unpack("i", f.read(4) or bytes(4))[0] != 0

    def samples(self):
        with open(self.path, "rb") as f:
            data = f.read()
        if len(data) != (SAMPLES_AT + 4 * SAMPLES_MAX + 7) // 8 * 8:
            raise RuntimeError("bench.py and common.h do not agree about the shared page")
        n = struct.unpack_from("Q", data, SAMPLES_AT - 8)[0]
        return list(struct.unpack_from(f"{n}I", data, SAMPLES_AT))

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.unlink(self.path)


class Front:
    """TLS in front of both stub brokers."""

    def __init__(self, programs, stub):
        self.command, self.stub = os.path.join(programs, "bench_tls"), stub

    def __enter__(self):
        trust = self.stub.path + ".pem"
        self.process = subprocess.Popen([self.command, f"--shared={self.stub.path}", f"--trust={trust}"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())
        self.trust = trust
        self.options = [f"--trust={trust}", f"--tls-source={ports['source']}", f"--tls-sink={ports['sink']}"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        os.unlink(self.trust)


class Runner:
    def __init__(self, o):
        self.o = o

    def run(self, stub_args, program, *args):
        with Stub(self.o.programs, stub_args) as stub:
            return self.json(program, f"--shared={stub.path}", *args), stub.samples()

    def json(self, program, *args):
        p = subprocess.run([os.path.join(self.o.programs, program), *args], stdout=subprocess.PIPE, timeout=60)
        if p.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(args)}: exit {p.returncode}")
        return json.loads(p.stdout)

    def relay(self):
        return figures(self.run([*RAW, *self.spin()], "bench_relay", f"--ms={self.o.ms}")[0])

    def tls(self, c):
        """The worker with TLS on both legs, and what the records alone take."""
        with Stub(self.o.programs, c.stub) as stub, Front(self.o.programs, stub) as front:   # they share a CPU: no spinning
            r = figures(self.json("bench_worker", f"--shared={stub.path}", f"--partitions={c.partitions}",
                                  f"--ms={self.o.ms}", f"--engine={self.o.engine}", *front.options))
        # The other CPU is as busy as it was for the worker: where they share a core, that costs a third.
        with subprocess.Popen([os.path.join(self.o.programs, "bench_tls"), "--records", "--cpu=1", "--ms=1500"],
                              stdout=subprocess.DEVNULL):
            records = self.json("bench_tls", "--records", "--ms=1000")
        r["records_cpu_per_gib"] = records["pack"] + records["unpack"]
        r["cipher"] = records["cipher"]
        return r

    def case(self, c, *args):
        return figures(self.run([*c.stub, *self.spin()], "bench_worker", f"--partitions={c.partitions}",
                                f"--ms={self.o.ms}", f"--engine={self.o.engine}", *args)[0])

    def lag(self, how):
        """What sleeps most of the time may have real-time priority: then others on the machine are not measured."""
        if not self.o.fifo_lag:
            return self.lag_of(how)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # children inherit it
        try:
            return self.lag_of(how)
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def lag_of(self, how):
        if how == "direct":
            return self.run([*LAG, "--raw"], "bench_relay", "--direct", "--ms=2000")[1]
        if how == "relay":
            return self.run([*LAG, "--raw"], "bench_relay", "--warmup-ms=0", "--ms=2000")[1]
        # The first records were made before the lane was open: they are a backlog, not a lag.
        return self.run(LAG, "bench_worker", f"--engine={self.o.engine}", "--ms=2000")[1][500:]

    def memory(self, c):
        return self.run([*c.stub, *self.spin()], "bench_worker", f"--partitions={c.partitions}", "--warmup-ms=0",
                        f"--bytes={4 * GIB}", f"--engine={self.o.engine}")[0]

    def spin(self):
        return [] if self.o.no_spin else ["--spin"]


def figures(r):
    r["cpu_per_gib"] = r["cpu_s"] / (r["bytes"] / GIB)
    r["gib_s"] = r["bytes"] / GIB / r["seconds"]
    r["cpu_share"] = r["cpu_s"] / r["seconds"]
    r["stub_share"] = r["stub_busy_s"] / r["seconds"]
    return r


# ---- numbers ----

def spread(values):
    v = sorted(values)
    q = statistics.quantiles(v, n=4, method="inclusive") if len(v) > 1 else [v[0]] * 3
    return {"median": q[1], "q1": q[0], "q3": q[2], "min": v[0], "max": v[-1]}


def percentile(sorted_values, p):
    return sorted_values[min(len(sorted_values) - 1, int(p / 100 * len(sorted_values)))]


def show(s, digits=2):
    return f"{s['median']:.{digits}f} ({s['q1']:.{digits}f}-{s['q3']:.{digits}f}, " \
           f"{s['min']:.{digits}f}..{s['max']:.{digits}f})"


def table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        print("  " + "  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())
    print()


# ---- the rounds ----

def measure(o, cases):
    runner, rounds = Runner(o), []
    for n in range(o.rounds):
        jobs = [("relay", None)] * 2 + [("case", c) for c in cases]
        jobs += [("tls", c) for c in cases if c.name in TLS]
        jobs += [("lag", how) for how in ("direct", "relay", "worker")] if o.lag else []
        random.shuffle(jobs)
        got = {"relay": [], "cases": {}, "tls": {}, "lag": {}, "order": [f"{k} {getattr(w, 'name', w)}" for k, w in jobs]}
        for kind, what in jobs:
            if kind == "relay":
                got["relay"].append(runner.relay())
            elif kind == "tls":
                got["tls"][what.name] = runner.tls(what)
            elif kind == "case":
                got["cases"][what.name] = runner.case(what)
            else:
                got["lag"][what] = sorted(runner.lag(what))
        rounds.append(got)
        print(f"round {n + 1} of {o.rounds}", file=sys.stderr)
    return rounds


def baseline(r, key):
    return statistics.mean(x[key] for x in r["relay"])


def summary_row(name, runs, rounds):
    ratio = [r["cpu_per_gib"] / baseline(b, "cpu_per_gib") for r, b in zip(runs, rounds)]
    speed = [r["gib_s"] / baseline(b, "gib_s") for r, b in zip(runs, rounds)]
    out = {"name": name, "cpu_ratio": spread(ratio), "cpu_per_gib": spread([r["cpu_per_gib"] for r in runs]),
           "gib_s": spread([r["gib_s"] for r in runs]), "speed_ratio": spread(speed),
           "cpu_share": spread([r["cpu_share"] for r in runs]),
           "stub_share": spread([r["stub_share"] for r in runs])}
    if "requests" in runs[0]:
        out["us_per_request"] = spread([r["cpu_s"] * 1e6 / max(r["requests"], 1) for r in runs])
        out["batches_per_request"] = spread([r["batches"] / max(r["requests"], 1) for r in runs])
    return out


def summarise(rounds, cases):
    flat = [x for r in rounds for x in r["relay"]]
    twice = [r for r in rounds for _ in r["relay"]]
    rows = [summary_row("relay", flat, twice)]
    rows += [summary_row(c.name, [r["cases"][c.name] for r in rounds], rounds) for c in cases]
    lag = {}
    for how in rounds[0]["lag"]:
        lag[how] = {f"p{p:g}_us": spread([percentile(r["lag"][how], p) / 1000 for r in rounds])
                    for p in (50, 99, 99.9)}
        lag[how]["n"] = sum(len(r["lag"][how]) for r in rounds)
        if how != "direct":
            for p in (50, 99):
                lag[how][f"p{p}_ratio"] = spread([percentile(r["lag"][how], p) / percentile(r["lag"]["direct"], p)
                                                  for r in rounds])
    tls = {name: {"ratio": spread([r["tls"][name]["cpu_per_gib"] /
                                   (baseline(r, "cpu_per_gib") + r["tls"][name]["records_cpu_per_gib"]) for r in rounds]),
                  **{k: spread([r["tls"][name][k] for r in rounds])
                     for k in ("cpu_per_gib", "records_cpu_per_gib", "gib_s", "cpu_share")},
                  "cipher": rounds[0]["tls"][name]["cipher"]}
           for name in rounds[0]["tls"]}
    return {"throughput": rows, "tls": tls, "lag": lag}


def report(result, rounds):
    print(f"CPU and speed: medians of {rounds} rounds (quartiles, min..max); ratios are those of one round\n")
    rows = [["case", "CPU ratio to relay", "CPU-s/GiB", "GiB/s", "CPU of stubs", "us/request", "batches/request"]]
    for r in result["throughput"]:
        rows.append([r["name"], show(r["cpu_ratio"]), f"{r['cpu_per_gib']['median']:.3f}",
                     show(r["gib_s"]), f"{r['stub_share']['median']:.0%}",
                     f"{r['us_per_request']['median']:.1f}" if "us_per_request" in r else "",
                     f"{r['batches_per_request']['median']:.1f}" if "us_per_request" in r else ""])
    table(rows)
    if result["tls"]:
        print("TLS on both legs, against the relay and OpenSSL's records alone (pack and unpack)\n")
        rows = [["case", "CPU ratio to relay + records", "CPU-s/GiB", "of records alone", "GiB/s", "cipher"]]
        for name, r in result["tls"].items():
            rows.append([name, show(r["ratio"]), f"{r['cpu_per_gib']['median']:.3f}",
                         f"{r['records_cpu_per_gib']['median']:.3f}", show(r["gib_s"]), r["cipher"]])
        table(rows)
    if result["lag"]:
        print("Lag at 1,000 records/s of 200 B, from the making of a record to its receipt, microseconds\n")
        rows = [["path", "p50", "p99", "p99.9", "p50 to direct", "p99 to direct", "records"]]
        for how, v in result["lag"].items():
            rows.append([how, show(v["p50_us"], 0), show(v["p99_us"], 0), show(v["p99.9_us"], 0),
                         show(v["p50_ratio"]) if "p50_ratio" in v else "",
                         show(v["p99_ratio"]) if "p99_ratio" in v else "", str(v["n"])])
        table(rows)
    if result.get("memory"):
        print("Resident memory over a backlog of 4 GiB, MiB\n")
        rows = [["case", "start", "lanes open", "most", "end", "VmHWM", "GiB/s"]]
        for name, m in result["memory"].items():
            rows.append([name, *(f"{m[k] / 1024:.1f}" for k in ("rss_start_kib", "rss_open_kib", "rss_max_kib",
                                                               "rss_end_kib", "hwm_kib")),
                         f"{m['bytes'] / GIB / m['seconds']:.2f}"])
        table(rows)


def machine(congestion):
    cpu = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                if line.startswith("model name")), "?")
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release(), "congestion_control": congestion,
            "load": read("/proc/loadavg").split()[0], "date": time.strftime("%Y-%m-%d %H:%M")}


def arguments():
    p = argparse.ArgumentParser(description="krmirror's benchmark", allow_abbrev=False)
    p.add_argument("--programs", default="tests/bench", help="folder of bench_relay, bench_stub, bench_worker")
    p.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS") or 9))
    p.add_argument("--ms", type=int, default=1000, help="measured time of one run")
    p.add_argument("--only", default="", help="only the cases whose name contains this")
    p.add_argument("--engine", default="auto", choices=["auto", "io_uring", "epoll"])
    p.add_argument("--json", metavar="FILE", help="write all figures, those of every round too")
    p.add_argument("--no-lag", dest="lag", action="store_false")
    p.add_argument("--no-memory", dest="memory", action="store_false")
    p.add_argument("--no-spin", action="store_true", help="stub brokers sleep when they have nothing to do")
    p.add_argument("--nice", type=int, default=0, help="priority of all that is measured, -20 to 19")
    p.add_argument("--fifo-lag", action="store_true", help="measure lag at real-time priority, on a busy machine")
    p.add_argument("--real", action="store_true", help="once between two real Kafka clusters; see real.py")
    p.add_argument("--real-mib", type=int, default=1024, help="MiB of records for each case of --real")
    return p.parse_args()


def main():
    o = arguments()
    if o.real:
        import real
        return real.main(o)
    if os.cpu_count() < 2:
        sys.exit("two CPUs are needed: one for the worker, one for the stub brokers")
    if o.nice:
        set_priority(o.nice)
    about = machine(enter_namespace())
    print(", ".join(f"{k} {v}" for k, v in about.items()) + "\n")
    cases = [c for c in CASES if o.only in c.name]
    rounds = measure(o, cases)
    result = {"machine": about, **summarise(rounds, cases)}
    if o.memory:
        runner = Runner(o)
        result["memory"] = {c.name: runner.memory(c) for c in cases if c.name.startswith("16K") and "lz4" not in c.name}
    report(result, o.rounds)
    if o.json:
        with open(o.json, "w", encoding="utf-8") as f:
            json.dump({**result, "rounds": rounds}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
