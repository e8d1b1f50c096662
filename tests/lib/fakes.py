# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave: servers that speak something else, and a proxy that cuts streams."""
import random
import socket
import struct
import threading


class Server:
    """Listens on a port of its own and hands each connection to serve(sock) in a thread."""

    def __init__(self, serve, port=0):
        self.serve = serve
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(64)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = 0
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(s)
            threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        try:
            self.serve(s)
        except OSError:
            pass
        finally:
            self.open.discard(s)
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        # A thread waits in accept: closing alone would leave the port taken until it returns.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def read_exact(s, n):
    out = b""
    while len(out) < n:
        got = s.recv(n - len(out))
        if not got:
            raise OSError("closed")
        out += got
    return out


def request(s):
    """One request frame; returns its correlation id."""
    size, = struct.unpack(">i", read_exact(s, 4))
    return read_exact(s, size)[4:8]


def http(s):
    """A web server where a broker should be."""
    s.recv(4096)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def silent_close(s):
    s.recv(4096)


def huge_frame(s):
    """A length of 2 GiB - 1, and data without end behind it."""
    request(s)
    s.sendall(struct.pack(">I", 0x7FFFFFFF))
    for _ in range(64):
        s.sendall(b"\0" * 65536)
    s.recv(1)


def negative_frame(s):
    request(s)
    s.sendall(struct.pack(">i", -2) + b"\0" * 64)
    s.recv(1)


def truncated(s):
    """A frame of 100 bytes that ends after 10."""
    s.sendall(struct.pack(">i", 100) + request(s) + b"\0" * 6)


def garbled(s):
    """Well-framed answers with the right correlation id and nonsense behind it."""
    rng = random.Random(7)
    while True:
        body = request(s) + rng.randbytes(rng.randrange(1, 300))
        s.sendall(struct.pack(">i", len(body)) + body)


def huge_count(s):
    """An ApiVersions answer that claims 2^31 - 1 entries."""
    while True:
        body = request(s) + struct.pack(">hi", 0, 0x7FFFFFFF) + b"\0" * 20
        s.sendall(struct.pack(">i", len(body)) + body)


def wrong_correlation(s):
    while True:
        request(s)
        s.sendall(struct.pack(">i", 10) + b"\x7f\x7f\x7f\x7f" + b"\0" * 6)


class Cutter:
    """A proxy in front of a broker. While `cutting`, each connection ends in the middle of a request or of an answer:
    some at once, some late; `cut` counts them."""

    def __init__(self, target, port=0, seed=1):
        self.target, self.rng = target, random.Random(seed)
        self.cut = 0
        self.cutting = False
        self.lock = threading.Lock()
        self.server = Server(self._serve, port)
        self.address = self.server.address

    def _limit(self):
        """Bytes of one direction, 100 to 200,000: as many below 4,500 as above, for little comes back from the side that
        is written to."""
        return int(100 * 2000 ** self.rng.random())

    def _serve(self, s):
        with socket.create_connection(self.target) as up:
            over = threading.Event()
            t = threading.Thread(target=self._pump, args=(s, up, self._limit(), over), daemon=True)
            t.start()
            self._pump(up, s, self._limit(), over)

    def _ends_it(self, over):
        """Whether this direction is the one that is cut."""
        with self.lock:
            if over.is_set():
                return False
            over.set()
            self.cut += 1
            return True

    def _pump(self, a, b, limit, over):
        passed = 0
        try:
            while data := a.recv(65536):
                if self.cutting and passed + len(data) > limit:
                    if self._ends_it(over):
                        b.sendall(data[:max(0, limit - passed)])
                    break
                b.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for x in (a, b):
            try:
                x.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.__exit__()
