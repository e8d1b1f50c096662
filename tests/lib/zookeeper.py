# SPDX-License-Identifier: Apache-2.0
"""Real Kafka of the years before KRaft: brokers beside one ZooKeeper, from the same jars."""
import os
import socket

from .jvm import java
from .kafka import KafkaCluster, Node
from .util import accepts, wait_until

SESSION_MS = 4000


class Keeper(Node):
    """The ZooKeeper of a cluster."""

    def __init__(self, cluster, node_id):
        super().__init__(cluster, node_id, ("controller",))

    def write_config(self):
        os.makedirs(self.dir, exist_ok=True)
        config = {"dataDir": os.path.join(self.dir, "data"), "clientPort": self.controller_port,
                  "clientPortAddress": "127.0.0.1", "tickTime": 500, "maxClientCnxns": 0,
                  "admin.enableServer": "false", "4lw.commands.whitelist": "dump"}
        with open(self.config_file, "w") as f:
            f.writelines(f"{k}={v}\n" for k, v in config.items())

    def command(self):
        return java(self.cluster.version, "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.config_file,
                    heap="96m")

    def registered(self, broker_id):
        """Whether the broker's session may still live: a broker killed a moment ago stands there for a while. A
        connection made while ZooKeeper starts is sometimes never answered: nothing is known then."""
        try:
            return f"/brokers/ids/{broker_id}\n" in self.dump()
        except TimeoutError:
            return True

    def dump(self):
        with socket.create_connection(("127.0.0.1", self.controller_port), timeout=3) as s:
            s.sendall(b"dump")
            text = b""
            while got := s.recv(65536):
                text += got
        return text.decode()


class OldBroker(Node):
    """A broker that has its cluster's truth from ZooKeeper."""

    def __init__(self, cluster, node_id):
        super().__init__(cluster, node_id, ("broker",))

    def role_config(self):
        return {"broker.id": self.id, "zookeeper.connect": f"127.0.0.1:{self.cluster.keeper.controller_port}",
                "zookeeper.session.timeout.ms": SESSION_MS, "zookeeper.connection.timeout.ms": 30000,
                "listeners": ",".join(self.doors()[0])}

    def launch(self):
        """A broker that comes back while its old session lives is refused and ends."""
        wait_until(lambda: accepts(f"127.0.0.1:{self.cluster.keeper.controller_port}"), 60, "ZooKeeper listens")
        wait_until(lambda: not self.cluster.keeper.registered(self.id), 60,
                   f"the old session of broker {self.id} is over")
        super().launch()


class OldKafkaCluster(KafkaCluster):
    """The same as KafkaCluster for versions before 3.3."""

    def make_nodes(self):
        self.keeper = Keeper(self, 100)
        self.controllers = [self.keeper]
        self.brokers = [OldBroker(self, i) for i in range(1, self.nodes + 1)]

    def launch(self):
        """Nothing is formatted; the brokers give the cluster its id."""
        for n in self.all_nodes:
            n.write_config()
            n.launch()
        return self

    def wait_ready(self, **kw):
        super().wait_ready(**kw)
        self.cluster_id = self.admin.list_topics(timeout=10).cluster_id
        return self
