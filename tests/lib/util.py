# SPDX-License-Identifier: Apache-2.0
"""Waiting with a deadline, and ports that nobody else takes."""
import ctypes
import fcntl
import os
import random
import signal
import socket
import tempfile
import time


class Timeout(AssertionError):
    """A condition did not come true by its deadline."""


def wait_until(cond, deadline, what, every=0.1, swallow=()):
    """Calls cond() until it returns something true, and returns that. `what` says what was waited for.

    `what` may be a function: it is then called for the message, when the deadline has passed.
    Exceptions of the classes in `swallow` count as "not yet"; the last one is shown in the message.
    """
    start = time.monotonic()
    last = None
    while True:
        try:
            got = cond()
            last = None
        except swallow as e:
            got, last = None, e
        if got:
            return got
        if time.monotonic() - start >= deadline:
            text = what() if callable(what) else what
            raise Timeout(f"not within {deadline} s: {text}" + (f" (last: {last!r})" if last else ""))
        time.sleep(every)


_libc = ctypes.CDLL(None)


def die_with_parent():
    """For Popen(preexec_fn=...): a server must not outlive the test run, however that ends."""
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Ports:
    """Ports below the ephemeral range, each locked by a file while this object lives.

    A broker comes back on its old port, so the port must be free from outgoing connections too, which is why
    the kernel's own choice (bind to port 0) will not do.
    """

    LOW, HIGH = 12000, 32000

    def __init__(self):
        self.dir = os.path.join(tempfile.gettempdir(), f"krmirror-ports-{os.getuid()}")
        os.makedirs(self.dir, exist_ok=True)
        self.held = {}

    def take(self):
        for _ in range(2000):
            port = random.randrange(self.LOW, self.HIGH)
            fd = os.open(os.path.join(self.dir, str(port)), os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
            except OSError:
                os.close(fd)
                continue
            self.held[port] = fd
            return port
        raise RuntimeError("no free port found")

    def give_back(self, port):
        os.close(self.held.pop(port))


ports = Ports()


def hostport(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def accepts(address):
    """Whether something listens at HOST:PORT."""
    try:
        socket.create_connection(hostport(address), timeout=1).close()
        return True
    except OSError:
        return False


def pace(seconds):
    """The tempo of a fault (leaders moved every 5 s), never a wait for something to become true."""
    time.sleep(seconds)
