# SPDX-License-Identifier: Apache-2.0
"""What a worker says over HTTP, read with Prometheus' own parser, and clients that no server likes."""
import ctypes
import http.client
import json
import os
import socket

from prometheus_client.parser import text_string_to_metric_families

from .util import wait_until


class Web:
    """The HTTP side of one worker."""

    def __init__(self, worker):
        self.worker = worker
        self.host, port = worker.config["http.listener"].rsplit(":", 1)
        self.port = int(port)

    def connect(self, deadline=5):
        return socket.create_connection((self.host, self.port), timeout=deadline)

    def get(self, path, method="GET", deadline=10, **more):
        """(status, body, headers)."""
        c = http.client.HTTPConnection(self.host, self.port, timeout=deadline)
        try:
            c.request(method, path, **more)
            r = c.getresponse()
            return r.status, r.read().decode(), dict(r.getheaders())
        finally:
            c.close()

    def wait_up(self, deadline=20):
        """Until it listens."""
        wait_until(lambda: self.get("/healthz")[0], deadline, f"{self.host}:{self.port} answers",
                   swallow=(OSError, http.client.HTTPException))
        return self

    def wait_code(self, path, code, deadline=30):
        """Until the path answers with it; returns what it says."""
        def there():
            status, body, _ = self.get(path)
            return body if status == code else None
        return wait_until(there, deadline, lambda: f"{path} answers {code}: {self.get(path)[:2]}",
                          swallow=(OSError, http.client.HTTPException))

    def status(self):
        code, body, headers = self.get("/status")
        assert code == 200 and headers["Content-Type"] == "application/json", (code, headers)
        return json.loads(body)

    def partition(self, topic, number=0):
        """What /status says of a mirror's partition; None while the worker does not have it yet."""
        return next((r for r in self.status()["partitions"]
                     if r["mirror_topic_name"] == topic and r["partition"] == number), None)

    def scrape(self):
        return Scrape(self.get("/metrics")[1])


class Scrape:
    """The samples of one answer."""

    def __init__(self, text):
        self.text, self.samples, self.types = text, {}, {}
        for family in text_string_to_metric_families(text):
            assert family.documentation and family.type in ("counter", "gauge"), family
            for s in family.samples:
                assert s.value >= 0, f"a value below zero: {s}"
                assert (family.type == "counter") == s.name.endswith("_total"), s
                key = tuple(sorted(s.labels.items()))
                assert key not in self.samples.setdefault(s.name, {}), f"twice: {s}"
                self.samples[s.name][key] = s.value
                self.types[s.name] = family.type

    def rows(self, name, **labels):
        wanted = set(labels.items())
        return {k: v for k, v in self.samples.get(name, {}).items() if wanted <= set(k)}

    def sum(self, name, **labels):
        """None where there is no such series."""
        rows = self.rows(name, **labels)
        return sum(rows.values()) if rows else None

    def one(self, name, **labels):
        rows = self.rows(name, **labels)
        assert len(rows) == 1, f"{name}{labels} has {len(rows)} series: {rows}"
        return next(iter(rows.values()))


_libc = ctypes.CDLL(None, use_errno=True)
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class StoppedThread:
    """One thread of a worker stands still while the others go on, as one does that waits for a lock or a broken disk."""

    def __init__(self, worker, name):
        tasks = f"/proc/{worker.process.pid}/task"
        found = []
        for tid in os.listdir(tasks):
            with open(f"{tasks}/{tid}/comm") as f:
                if f.read().strip() == name:
                    found.append(int(tid))
        assert found, f"no thread {name}"
        self.tid = found[0]

    def _ptrace(self, request, data=0):
        args = [ctypes.c_long(request), ctypes.c_long(self.tid), ctypes.c_void_p(0), ctypes.c_void_p(data)]
        assert _libc.ptrace(*args) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.tid, 0x40000000)  # __WALL: it has stopped
        return self

    def __exit__(self, *_):
        self._ptrace(PTRACE_DETACH)
