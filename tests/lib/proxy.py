# SPDX-License-Identifier: Apache-2.0
"""A proxy that knows Kafka's frames: it delays them, loses answers, and serves answers that somebody has changed.

    with Proxy(broker.proxied) as proxy:                  # a broker of KafkaCluster(..., proxied=True)
        proxy.delay = 0.010                               # seconds each way
        proxy.lose(27)                                    # the answer of the next WriteTxnMarkers, and its connection
        proxy.change = {1: lambda version, body: body}    # of each Fetch answer; body: all behind the correlation id
        proxy.at(27, worker.kill)                         # when the next WriteTxnMarkers comes, before it goes on
"""
import socket
import struct
import threading
import time
from collections import deque

from .fakes import Server, read_exact
from .util import hostport

FETCH, PRODUCE, LIST_OFFSETS, CREATE_TOPICS, DELETE_RECORDS, WRITE_TXN_MARKERS, INCREMENTAL_ALTER_CONFIGS = (
    1, 0, 2, 19, 21, 27, 44)


def read_frame(s):
    size, = struct.unpack(">i", read_exact(s, 4))
    return read_exact(s, size)


class Moment:
    """The one request at which something is to be done. act may wait: the request, or its answer, then comes late, and
    what comes behind it on its connection too."""

    def __init__(self, api, act, match=b"", skip=0, answered=False):
        self.api, self.act, self.skip, self.answered = api, act, skip, answered
        self.match = (match,) if isinstance(match, bytes) else match
        self.lock, self.there, self.over = threading.Lock(), threading.Event(), threading.Event()

    def takes(self, api, frame):
        """Whether this is the request."""
        if api != self.api or not all(m in frame for m in self.match):
            return False
        with self.lock:
            self.skip -= 1
            return self.skip == -1

    def off(self):
        """Whether it came; if not, it will not any more."""
        with self.lock:
            self.skip = -1
        return self.there.is_set()

    def come(self):
        self.there.set()
        self.act()
        self.over.set()

    def reached(self, deadline=60):
        """Until it has come."""
        assert self.there.wait(deadline), f"no request {self.api} within {deadline} s"

    def wait(self, deadline=60):
        """Until it has come, and what was to be done is done."""
        self.reached(deadline)
        assert self.over.wait(deadline), f"it was not done within {deadline} s"


class Proxy:
    """One broker's door. `seen` counts requests by API key."""

    def __init__(self, target, port, delay=0.0, host=None):
        """host: the address that the broker sees its client at, for ACLs that name one."""
        self.target, self.delay, self.host = target, delay, host
        self.change = {}
        self.seen = {}
        self.lost = 0
        self._lose, self._swallow = deque(), deque()
        self.moments = []
        self._lock = threading.Lock()
        self.server = Server(self._serve, port)
        self.address = self.server.address

    def lose(self, api, times=1, match=b""):
        """The request goes through, its answer does not, and its connection ends. match: as in at()."""
        self._lose.extend([(api, match)] * times)

    def swallow(self, api, times=1, match=b""):
        """The request does not go through, and its connection ends."""
        self._swallow.extend([(api, match)] * times)

    def _is_one(self, waiting, api, request):
        """Whether this is one of those that are to be lost."""
        with self._lock:
            for entry in waiting:
                if entry[0] == api and entry[1] in request:
                    waiting.remove(entry)
                    self.lost += 1
                    return True
        return False

    def at(self, api, act, **more):
        """Calls act once. match: bytes that stand in the request, or several; skip: so many such requests go before it; answered:
        when its answer comes, before that goes on. Returns the Moment."""
        self.moments.append(Moment(api, act, **more))
        return self.moments[-1]

    @property
    def losing(self):
        """Whether an answer or a request is still to be lost."""
        return bool(self._lose or self._swallow)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.__exit__()

    def _serve(self, s):
        with socket.create_connection(hostport(self.target), source_address=self.host and (self.host, 0)) as up:
            for x in (s, up):
                x.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            calls = {}
            threading.Thread(target=self._pump, args=(s, up, lambda f: self._request(calls, f)), daemon=True).start()
            self._pump(up, s, lambda f: self._answer(calls, f))

    def _request(self, calls, frame):
        api, version, correlation = struct.unpack_from(">hhi", frame)
        due = [m for m in self.moments if m.takes(api, frame)]
        calls[correlation] = (api, version, frame, [m for m in due if m.answered])
        for m in due:
            if not m.answered:
                m.come()
        with self._lock:
            self.seen[api] = self.seen.get(api, 0) + 1
        return None if self._is_one(self._swallow, api, frame) else frame

    def _answer(self, calls, frame):
        correlation, = struct.unpack_from(">i", frame)
        api, version, request, due = calls.pop(correlation)
        for m in due:
            m.come()
        if self._is_one(self._lose, api, request):
            return None
        if api in self.change:
            frame = frame[:4] + self.change[api](version, frame[4:])
        return frame

    def _pump(self, a, b, see):
        """Reading goes on while what was read waits for its time, so a delay costs no throughput."""
        line, ready = deque(), threading.Semaphore(0)
        writer = threading.Thread(target=self._write, args=(b, line, ready), daemon=True)
        writer.start()
        try:
            while (frame := see(read_frame(a))) is not None:
                line.append((time.monotonic() + self.delay, frame))
                ready.release()
        except OSError:
            pass
        line.append(None)
        ready.release()
        writer.join()
        for x in (a, b):
            try:
                x.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _write(b, line, ready):
        try:
            while True:
                ready.acquire()
                item = line.popleft()
                if item is None:
                    return
                at, frame = item
                time.sleep(max(0.0, at - time.monotonic()))
                b.sendall(struct.pack(">i", len(frame)) + frame)
        except OSError:
            # Nobody is there to read: the other direction must not wait for it either.
            try:
                b.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxies:
    """A proxy in front of each broker of a cluster; `bootstrap` leads through them."""

    def __init__(self, cluster, delay=0.0, host=None):
        self.all = [Proxy(b.proxied, hostport(b.advertised)[1], delay, host) for b in cluster.brokers]
        self.bootstrap = ",".join(p.address for p in self.all)

    def at(self, api, act, **more):
        """As Proxy.at, whichever broker it is sent to."""
        moment = Moment(api, act, **more)
        for p in self.all:
            p.moments.append(moment)
        return moment

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.cut()

    def cut(self):
        """For whoever comes through them the cluster is gone."""
        while self.all:
            self.all.pop().__exit__()
