# SPDX-License-Identifier: Apache-2.0
"""A network namespace without any interface but its own loopback: what runs inside is reached through doors only.

    with Namespace() as ns:
        with ns.inside():                # this thread, the threads and processes that it starts
            cluster.start()
        with ns.door("127.0.0.1:9092") as door:    # a forwarded port of this side
            connect(door.address)
"""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import uuid

from .fakes import Server
from .util import hostport

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    def __init__(self):
        self.name = f"krm-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)

    @contextlib.contextmanager
    def inside(self):
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _enter(self.fd)
        try:
            yield
        finally:
            _enter(outside)
            os.close(outside)

    def door(self, target):
        return Door(self, target)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.fd)
        subprocess.run(["ip", "netns", "del", self.name], check=True)


class Door(Server):
    """A port outside that leads to an address inside."""

    def __init__(self, namespace, target):
        self.namespace, self.target = namespace, hostport(target)
        super().__init__(self._forward)

    def cut(self):
        """Ends the connections that are there."""
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _forward(self, s):
        with self.namespace.inside():
            up = socket.create_connection(self.target)
        with up:
            back = threading.Thread(target=_copy, args=(up, s), daemon=True)
            back.start()
            _copy(s, up)
            back.join()


def _copy(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)
