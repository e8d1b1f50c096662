# SPDX-License-Identifier: Apache-2.0
"""krsandbox behind the same interface as a real cluster."""
import os
import signal
import select
import subprocess
import uuid

from .cluster import Cluster
from .krm import binary
from .util import Timeout, die_with_parent, ports


class SandboxCluster(Cluster):
    kind = "sandbox"
    version = "sandbox"

    def __init__(self, dir, args=(), name="sandbox"):
        self.name = name
        self.dir = str(dir)
        # As the real clusters of lib/kafka.py: a scenario waits for the cleaner.
        self.args = ["--cleaner-backoff", "300ms", *args]
        self.port = ports.take()
        self.log = os.path.join(self.dir, f"{name}-{uuid.uuid4().hex[:8]}.log")
        self.process = None
        self.brokers = [self]

    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary("krsandbox"), "--port", str(self.port), *self.args],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            start_new_session=True, preexec_fn=die_with_parent)
        return self

    def wait_ready(self, deadline=20):
        ready, _, _ = select.select([self.process.stdout], [], [], deadline)
        if not ready:
            raise Timeout(f"krsandbox printed nothing within {deadline} s")
        words = self.process.stdout.readline().decode().split()
        assert len(words) == 3 and words[0] == "ready", f"'ready HOST:PORT CLUSTER_ID' expected, not {words}"
        self.bootstrap, self.cluster_id = words[1], words[2]
        return self

    def start(self):
        return self.launch().wait_ready()

    def stop(self):
        self.forget_clients()
        if self.process is None:
            return
        p, self.process = self.process, None
        code = p.poll()
        p.kill()
        p.wait()
        p.stdout.close()
        ports.give_back(self.port)
        if code is not None:
            with open(self.log, errors="replace") as f:
                raise AssertionError(f"krsandbox ended with {code}:\n" + "".join(f.readlines()[-30:]))

    def hold(self):
        """SIGSTOP: the sockets stay open, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def release(self):
        self.process.send_signal(signal.SIGCONT)

    def save_logs(self, to):
        import shutil
        shutil.copy(self.log, to)
