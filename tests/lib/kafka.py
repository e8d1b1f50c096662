# SPDX-License-Identifier: Apache-2.0
"""Real Kafka from its jars: KRaft clusters of one node (combined) or more (one controller of its own)."""
import base64
import os
import shutil
import signal
import subprocess
import time
import uuid

from confluent_kafka import KafkaException

from .cluster import Cluster
from .jvm import class_path, java
from .util import Timeout, accepts, die_with_parent, hostport, ports, wait_until

START_DEADLINE = 180


class Node:
    """One JVM: a broker, a controller, or both."""

    def __init__(self, cluster, node_id, roles):
        self.cluster, self.id, self.roles = cluster, node_id, roles
        self.dir = os.path.join(cluster.dir, f"node{node_id}")
        self.port = ports.take() if "broker" in roles else None
        self.controller_port = ports.take() if "controller" in roles else None
        # A second door, for lib.proxy: where it listens, and where it says that it does.
        self.proxied = self.advertised = None
        if self.port and cluster.proxied:
            self.proxied, self.advertised = (f"127.0.0.1:{ports.take()}" for _ in range(2))
        # A door with TLS, for krmirror alone.
        self.secured = f"127.0.0.1:{ports.take()}" if self.port and cluster.secured else None
        self.process = None
        self.stopped = False
        self.log = os.path.join(self.dir, "server.log")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def doors(self):
        """(listeners, advertised listeners) for clients."""
        own = [f"PLAINTEXT://{self.address}"] if self.port else []
        more = [(f"PROXIED://{a}") for a in (self.proxied, self.advertised) if a]
        if not self.secured:
            return own + more[:1], own + more[1:]
        secured = self.cluster.secured
        return (own + more[:1] + [f"SECURED://{self.secured}"],
                own + more[1:] + [f"SECURED://{secured.advertised(self)}"])

    def role_config(self):
        """Who this node is, and where its cluster keeps the truth."""
        c = self.cluster
        listeners, _ = self.doors()
        if self.controller_port:
            listeners.append(f"CONTROLLER://127.0.0.1:{self.controller_port}")
        config = {
            "process.roles": ",".join(self.roles),
            "node.id": self.id,
            "controller.quorum.voters": c.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(listeners),
        }
        # Only when its session is over do others lead in place of a killed broker, and may it register again: 9 s by
        # default.
        config["broker.session.timeout.ms"] = 3000 if c.nodes == 1 else 5000
        config["broker.heartbeat.interval.ms"] = 500
        return config

    def write_config(self):
        c = self.cluster
        copies = min(3, c.nodes)
        config = self.role_config() | {
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT"
                                              + (f",SECURED:{c.secured.protocol}" if c.secured else ""),
            "log.dirs": os.path.join(self.dir, "data"),
            "num.io.threads": 4,
            "num.network.threads": 2,
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": 1,
            # Records with old timestamps must stay: retention is what a test sets, not what the clock says.
            "log.retention.ms": -1,
            # The cleaner looks every 15 s by default; here a scenario waits for it.
            "log.cleaner.backoff.ms": 300,
            "log.cleaner.dedupe.buffer.size": 8388608,
        }
        if self.port:
            config["inter.broker.listener.name"] = "PLAINTEXT"
            config["advertised.listeners"] = ",".join(self.doors()[1])
        if self.secured:
            config |= c.secured.config(self)
        config.update(c.config)
        os.makedirs(self.dir, exist_ok=True)
        with open(self.config_file, "w") as f:
            f.writelines(f"{k}={v}\n" for k, v in config.items())

    @property
    def config_file(self):
        return os.path.join(self.dir, "server.properties")

    def format(self):
        """Starts formatting; the caller waits for the process."""
        return subprocess.Popen(java(self.cluster.version, "kafka.tools.StorageTool", "format",
                                     "-t", self.cluster.cluster_id, "-c", self.config_file),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def command(self):
        secured = self.cluster.secured.java_options() if self.cluster.secured else []
        return java(self.cluster.version, "kafka.Kafka", self.config_file, heap=self.cluster.heap, options=secured)

    def launch(self):
        """Starts the JVM and returns at once."""
        assert self.process is None, f"node {self.id} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, cwd=self.dir, start_new_session=True,
                                            preexec_fn=die_with_parent)
        self.stopped = False

    def check_alive(self):
        if self.process is None:
            raise AssertionError(f"node {self.id} is not running")
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"node {self.id} ended with {code}:\n{self.log_tail()}")

    def log_tail(self, lines=30):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def wait_ready(self, deadline=START_DEADLINE):
        """Until this broker itself answers Metadata with itself in it, or this controller listens."""
        if self.port is None:
            wait_until(lambda: self.check_alive() or accepts(f"127.0.0.1:{self.controller_port}"), deadline,
                       f"controller {self.id} listens")
            return
        from confluent_kafka.admin import AdminClient

        def serves():
            self.check_alive()
            if not accepts(self.address):
                return False
            # A new one for each try: where the advertised address leads nowhere, only the first connection, which
            # goes to where the broker listens, can be answered.
            client = AdminClient(self.cluster.client(**{"bootstrap.servers": self.address}))
            return self.id in client.list_topics(timeout=5).brokers
        try:
            wait_until(serves, deadline, f"broker {self.id} of {self.cluster.name} serves", every=0.05,
                       swallow=(KafkaException,))
        except Timeout as e:
            raise Timeout(f"{e}\n{self.log_tail()}") from None

    def start(self):
        self.launch()
        self.wait_ready()

    def _gone(self, sig, deadline):
        p, self.process = self.process, None
        if p is None:
            return
        if self.stopped:
            p.send_signal(signal.SIGCONT)
            self.stopped = False
        p.send_signal(sig)
        try:
            p.wait(deadline)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Timeout(f"node {self.id} did not end within {deadline} s of signal {sig}") from None

    def stop(self, deadline=60):
        """A clean, controlled shutdown."""
        self._gone(signal.SIGTERM, deadline)

    def kill(self):
        self._gone(signal.SIGKILL, 30)

    def pause(self):
        """SIGSTOP: the sockets stay open, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.stopped = False


class KafkaCluster(Cluster):
    """A KRaft cluster below `dir`. `launch` then `wait_ready`, so that several start at the same time."""

    kind = "kafka"

    def __init__(self, dir, version, nodes=1, config=None, name=None, heap="512m", proxied=False, secured=None):
        """secured: what a second listener is (lib.authority)."""
        self.version, self.nodes, self.heap, self.proxied = version, nodes, heap, proxied
        self.secured = secured
        self.config = dict(config or {})
        self.name = name or f"kafka-{version}"
        self.dir = os.path.join(str(dir), f"{self.name}-{uuid.uuid4().hex[:8]}")
        self.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if self.cluster_id.startswith("-"):
            self.cluster_id = "A" + self.cluster_id[1:]
        self.brokers = []
        self.controllers = []
        class_path(version)
        self.make_nodes()
        self.voters = ",".join(f"{n.id}@127.0.0.1:{n.controller_port}" for n in self.controllers)
        self.bootstrap = ",".join(n.address for n in self.brokers)

    def make_nodes(self):
        if self.nodes == 1:
            self.brokers = [Node(self, 1, ("broker", "controller"))]
            self.controllers = self.brokers
        else:
            self.controllers = [Node(self, 100, ("controller",))]
            self.brokers = [Node(self, i, ("broker",)) for i in range(1, self.nodes + 1)]

    @property
    def all_nodes(self):
        return [*self.controllers, *(b for b in self.brokers if b not in self.controllers)]

    @property
    def secured_bootstrap(self):
        return ",".join(self.secured.advertised(n) for n in self.brokers)

    def launch(self):
        """Formats the storage and starts all nodes, without waiting for them to serve."""
        for n in self.all_nodes:
            n.write_config()
        formats = [(n, n.format()) for n in self.all_nodes]
        for n, p in formats:
            out, _ = p.communicate(timeout=START_DEADLINE)
            if p.returncode != 0:
                raise RuntimeError(f"format of node {n.id} failed:\n{out.decode(errors='replace')}")
        for n in self.all_nodes:
            n.launch()
        return self

    def wait_ready(self, deadline=START_DEADLINE):
        for n in self.all_nodes:
            n.wait_ready(deadline)
        # One broker has said itself that it is there; a client that is kept may since have learned another address of it,
        # which leads nowhere from here.
        if self.nodes > 1:
            wait_until(lambda: len(self.admin.list_topics(timeout=2).brokers) == self.nodes, deadline,
                       f"all {self.nodes} brokers of {self.name} registered", swallow=(KafkaException,))
        return self

    def start(self):
        return self.launch().wait_ready()

    def broker(self, broker_id):
        return next(b for b in self.brokers if b.id == broker_id)

    def stop(self):
        """The end of the cluster: killed, and its files removed."""
        self.forget_clients()
        for n in self.all_nodes:
            n.kill()
        for n in self.all_nodes:
            doors = [hostport(a)[1] for a in (n.proxied, n.advertised, n.secured) if a]
            for port in (n.port, n.controller_port, *doors):
                if port in ports.held:
                    ports.give_back(port)
        shutil.rmtree(self.dir, ignore_errors=True)

    def hold(self):
        """Stops the first broker (SIGSTOP)."""
        self.brokers[0].pause()

    def release(self):
        self.brokers[0].resume()

    def save_logs(self, to):
        for n in self.all_nodes:
            if os.path.exists(n.log):
                shutil.copy(n.log, os.path.join(to, f"{self.name}-node{n.id}.log"))


def real_cluster(dir, version, **more):
    """KRaft where the version has it, else ZooKeeper."""
    if tuple(int(n) for n in version.split(".")[:2]) >= (3, 3):
        return KafkaCluster(dir, version, **more)
    from .zookeeper import OldKafkaCluster
    return OldKafkaCluster(dir, version, **more)


def start_all(clusters):
    """Starts several clusters at the same time."""
    for c in clusters:
        c.launch()
    for c in clusters:
        c.wait_ready()
    return clusters


def _main():
    """python -m lib.kafka VERSION [NODES]: a cluster by hand; it ends with this process."""
    import sys
    import tempfile
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as d:
        c = real_cluster(d, sys.argv[1], nodes=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
        try:
            c.start()
            print(f"ready {c.bootstrap} {c.cluster_id} ({time.monotonic() - started:.1f} s)", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        finally:
            c.stop()


if __name__ == "__main__":
    _main()
