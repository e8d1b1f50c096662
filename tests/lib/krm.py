# SPDX-License-Identifier: Apache-2.0
"""The product under test: its command line, its workers, and the files they read."""
import json
import os
import re
import signal
import subprocess
import time
import uuid

from . import contract, judge
from .util import Timeout, die_with_parent, ports, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("KRMIRROR_BUILD") or os.path.join(TOP, "build"))
CATCH_UP = 60
HOURLY = {"topic__config__sync__ms": "1h"}   # of a link: settings are looked at once, at the start


def binary(name):
    """Where a built program lies. One that is missing is a failure, not a reason to skip."""
    path = os.path.join(BUILD, name)
    assert os.access(path, os.X_OK), f"{path} is not there: build it, or set KRMIRROR_BUILD"
    return path


def properties(path, values):
    """Writes a Java properties file that only its owner may read."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
        f.writelines(f"{k}={v}\n" for k, v in values.items())
    return path


class Result:
    """What one command did."""

    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds

    @property
    def json(self):
        """Standard output as one JSON document: nothing else may stand there."""
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise AssertionError(f"standard output is not one JSON document ({e}):\n{self}") from None

    def __str__(self):
        return (f"krmirror {' '.join(self.args)}: exit {self.code} after {self.seconds:.1f} s\n"
                f"stdout: {self.out.strip()}\nstderr: {self.err.strip()}")

    def expect(self, *codes):
        assert self.code in codes, f"exit {' or '.join(map(str, codes))} expected\n{self}"
        return self

    def says(self, *patterns):
        """Each pattern must be found in the messages."""
        for p in patterns:
            assert re.search(p, self.err + self.out, re.IGNORECASE), f"nothing like {p!r} in\n{self}"
        return self


class Worker:
    """One krmirrord process."""

    def __init__(self, site, worker_id, config):
        self.site, self.id = site, worker_id
        self.config_file = properties(os.path.join(site.dir, f"{worker_id}.properties"), config)
        self.log = os.path.join(site.dir, f"{worker_id}.log")
        self.engine, self.config = config["io.engine"], config
        self.process = None
        self.paused = False

    def start(self, deadline=20):
        assert self.process is None
        at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary("krmirrord"), "-c", self.config_file, "--foreground"],
                                            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            start_new_session=True, preexec_fn=die_with_parent, env=self.site.env)
        self.paused = False

        def first_line():
            self.check_alive()
            return "\n" in self.text(at)
        wait_until(first_line, deadline, f"worker {self.id} logs its first line", every=0.02)
        line = self.text(at).splitlines()[0]
        wanted = "io_uring|epoll" if self.engine == "auto" else self.engine
        assert re.search(wanted, line), f"the first line must say the engine ({wanted}): {line}"
        return self

    def joined(self, deadline=30):
        """Until it has its part of the work: what counts the workers counts it."""
        wait_until(lambda: self.check_alive() or "takes its part" in self.text(), deadline,
                   lambda: f"worker {self.id} takes its part:\n{self.tail()}", every=0.02)
        return self

    def text(self, at=0):
        with open(self.log, errors="replace") as f:
            f.seek(at)
            return f.read()

    def tail(self, lines=40):
        return "\n".join(self.text().splitlines()[-lines:]) if os.path.exists(self.log) else ""

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def check_alive(self):
        assert self.process is not None, f"worker {self.id} is not running"
        code = self.process.poll()
        assert code is None, f"worker {self.id} ended with {code}:\n{self.tail()}"

    def terminate(self, deadline=30):
        """SIGTERM: it must stop cleanly with exit 0."""
        p = self.process
        self.check_alive()
        self.process = None
        if self.paused:
            p.send_signal(signal.SIGCONT)
        p.send_signal(signal.SIGTERM)
        try:
            code = p.wait(deadline)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Timeout(f"worker {self.id} did not stop within {deadline} s of SIGTERM:\n{self.tail()}") from None
        assert code == 0, f"worker {self.id} ended with {code} on SIGTERM:\n{self.tail()}"

    def kill(self):
        """kill -9. It must have been alive: a crash before is a failure of its own."""
        self.check_alive()
        p, self.process = self.process, None
        p.kill()
        p.wait()

    def pause(self):
        self.check_alive()
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def resident(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Site:
    """A source and a destination with a control log, a group and files of their own, so tests can share clusters."""

    def __init__(self, dir, source, destination, engine="auto", own_control=True, source_door=None,
                 destination_door=None, config=None):
        """The doors: bootstrap lists for krmirror alone, through a proxy or with TLS; clients and judges go straight.
        config: more keys of krmirror.properties."""
        self.dir, self.source, self.destination, self.engine = str(dir), source, destination, engine
        self.id = uuid.uuid4().hex[:8]
        self.link = f"link-{self.id}"
        self.workers = []
        self.transcript = []
        self.source_door = source_door or source.bootstrap
        self.config = {"bootstrap.servers": destination_door or destination.bootstrap}
        if own_control:
            self.config |= {"control.topic": f"_krm_{self.id}", "group.id": f"krm-{self.id}"}
        self.config |= config or {}
        self.env = dict(os.environ)
        # The command line reads the same file; a worker's own keys come on top.
        self.config_file = properties(os.path.join(self.dir, "krmirror.properties"), self.config)

    @property
    def control_topic(self):
        return self.config.get("control.topic", "_krmirror")

    def topic(self, name="t"):
        """A topic name that no other test on these clusters uses."""
        return f"{name}-{self.id}"

    # -- the command line --------------------------------------------------------------------------------

    def start_cli(self, *args, config_file=None):
        return subprocess.Popen([binary("krmirror"), "-c", config_file or self.config_file, *args],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace", env=self.env)

    def finish_cli(self, process, args, started, deadline=120):
        try:
            out, err = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Timeout(f"krmirror {' '.join(args)} still runs after {deadline} s\n{out}\n{err}") from None
        result = Result(args, process.returncode, out, err, time.monotonic() - started)
        self.transcript.append(str(result))
        assert result.code >= 0, f"killed by signal {-result.code}\n{result}"
        return result

    def cli(self, *args, deadline=120, config_file=None):
        started = time.monotonic()
        return self.finish_cli(self.start_cli(*args, config_file=config_file), args, started, deadline)

    def ok(self, *args, **kw):
        """Done, and nothing on standard error says that something could not be."""
        got = self.cli(*args, **kw).expect(contract.DONE)
        assert not re.search(r"^krmirror: cannot|no answer in time", got.err, re.MULTILINE), got
        return got

    # -- links and mirrors -------------------------------------------------------------------------------

    def link_config(self, **more):
        """A link.config file; dots are written as double underscores. Short periods, so that tests are quick."""
        values = {"bootstrap.servers": self.source_door, "metadata.max.age.ms": 1000,
                  "availability.check.ms": 2000}
        values |= {k.replace("__", "."): v for k, v in more.items()}
        return properties(os.path.join(self.dir, f"{self.link}.config"), values)

    def create_link(self, **config):
        got = self.ok("link", "create", self.link, "--config-file", self.link_config(**config), "-o", "json").json
        contract.has_keys(got, contract.LINK_CREATE, "link create")
        assert got["link_name"] == self.link
        assert got["source_cluster"] == self.source.cluster_id
        assert got["destination_cluster"] == self.destination.cluster_id
        return got

    def create_mirror(self, topic, *options):
        got = self.ok("mirror", "create", topic, "--link", self.link, "-o", "json", *options).json
        contract.has_keys(got, contract.MIRROR_CREATE, "mirror create")
        assert got["mirror_topic_name"] == topic and got["link_name"] == self.link
        return got

    def mirrored(self, name="t", partitions=1, config=None, **link):
        """A topic of the source that is mirrored as soon as a worker runs; returns its name."""
        topic = self.topic(name)
        self.source.create_topic(topic, partitions, config=config)
        self.create_link(**link)
        self.create_mirror(topic)
        return topic

    def worker_below_a_limit(self, topic, limit):
        """A worker whose topic takes batches of so many bytes only. krmirror puts max.message.bytes back; so it is set
        behind its look, while the mirror is paused, and there is no other for an hour (the link has HOURLY)."""
        self.ok("mirror", "pause", topic, "--link", self.link)
        self.destination.alter_topic(topic, max__message__bytes=str(limit))
        worker = self.worker()
        wait_until(lambda: int(self.destination.topic_config(topic)["max.message.bytes"]) > limit, CATCH_UP,
                   "max.message.bytes is put back", every=0.2)
        self.destination.alter_topic(topic, max__message__bytes=str(limit))
        self.ok("mirror", "resume", topic, "--link", self.link)
        return worker

    def describe(self, topic):
        rows = self.ok("mirror", "describe", topic, "--link", self.link, "-o", "json").json
        assert rows, f"describe of {topic} is empty"
        for row in rows:
            contract.partition_row(row)
        assert [r["partition"] for r in rows] == list(range(len(rows)))
        return rows

    def row(self, topic, codes=(0, 1, 8)):
        """The mirror's row of `mirror list`."""
        rows = self.cli("mirror", "list", "--link", self.link, "-o", "json").expect(*codes).json
        for row in rows:
            contract.mirror_row(row)
        found = [r for r in rows if r["mirror_topic_name"] == topic]
        assert len(found) == 1, f"{topic} stands {len(found)} times in mirror list: {rows}"
        return found[0]

    def wait_partition(self, topic, partition, deadline=CATCH_UP, **wanted):
        """Until describe shows the partition with these values; returns the row."""
        def there():
            row = self.describe(topic)[partition]
            return row if all(row[k] == v for k, v in wanted.items()) else None
        return wait_until(there, deadline, lambda: f"{topic}/{partition} {wanted}: {self.describe(topic)[partition]}",
                          every=0.3)

    def wait_failed(self, topic, reason, deadline=CATCH_UP):
        """Until describe shows all partitions as FAILED for this reason; returns the rows."""
        def there():
            rows = self.describe(topic)
            return rows if {(r["state"], r["reason"]) for r in rows} == {("FAILED", reason)} else None
        return wait_until(there, deadline, lambda: f"{topic} FAILED, {reason}: {self.describe(topic)}", every=0.3)

    # -- workers -----------------------------------------------------------------------------------------

    def worker(self, worker_id=None, start=True, **more):
        worker_id = worker_id or f"w{len(self.workers) + 1}-{self.id}"
        config = {**self.config, "worker.id": worker_id, "io.engine": self.engine,
                  "http.listener": f"127.0.0.1:{ports.take()}"}
        config |= {k.replace("__", "."): v for k, v in more.items()}
        w = Worker(self, worker_id, config)
        self.workers.append(w)
        return w.start() if start else w

    # -- waiting and judging -----------------------------------------------------------------------------

    def lag(self, topic, source_topic=None, partitions=None):
        """Offsets still to be copied, measured by a stock client; no partition may be ahead of its source."""
        dst = self.destination.ends(topic, partitions)
        src = self.source.stable_ends(source_topic or topic, partitions)
        for p, end in dst.items():
            assert end <= src[p], f"{topic}/{p}: destination end {end} is beyond the source's {src[p]}"
        return sum(src[p] - dst[p] for p in dst) if dst.keys() == src.keys() else -1

    def wait_caught_up(self, topic, source_topic=None, partitions=None, deadline=CATCH_UP):
        """Until both ends are equal. The worker must live meanwhile."""
        def zero():
            for w in self.workers:
                if w.process is not None and not w.paused:
                    w.check_alive()
            return self.lag(topic, source_topic, partitions) == 0
        wait_until(zero, deadline, lambda: f"{topic} caught up: lag {self.lag(topic, source_topic, partitions)}")

    def wait_transactions(self, topic, held=()):
        """Until none is open, but on the held partitions: a marker is written a moment after its producer was told that
        the transaction is ended."""
        def ended():
            stable = self.source.stable_ends(topic)
            return all(stable[p] == end for p, end in self.source.ends(topic).items() if p not in held)
        wait_until(ended, 30, f"transactions of {topic} end")

    def assert_equal(self, topic, expect, source_topic=None, **kw):
        return judge.assert_equal(self.source, self.destination, source_topic or topic, topic, expect=expect, **kw)

    # -- the end -----------------------------------------------------------------------------------------

    def close(self):
        """Stops what runs. A worker that has crashed fails the test here, if nothing noticed before."""
        crashed = []
        for w in self.workers:
            if w.process is None:
                continue
            code = w.process.poll()
            if code is None:
                w.process.kill()
                w.process.wait()
            elif code != 0:
                crashed.append(f"worker {w.id} ended with {code}:\n{w.tail()}")
            w.process = None
        assert not crashed, "\n".join(crashed)

    def report(self):
        """For the failure message: last commands and log lines."""
        parts = ["-- last commands --", *self.transcript[-6:]]
        for w in self.workers:
            parts += [f"-- {w.id} (log: {w.log}) --", w.tail()]
        return "\n".join(parts)
