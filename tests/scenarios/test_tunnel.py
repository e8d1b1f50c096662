# SPDX-License-Identifier: Apache-2.0
"""Brokers in a network of their own, whose names nobody else knows: krmirror comes in through forwarded ports that
broker.address.map names, and checks the names in their certificates."""
import pytest

from lib import contract
from lib.kafka import start_all
from lib.krm import properties
from lib.netns import Namespace
from lib.produce import produce
from lib.secured import SecuredListener
from lib.util import hostport, wait_until

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]


class Tunnels:
    """Two clusters of three brokers in one namespace, and a door to each broker."""

    def __init__(self, pool, versions, authority):
        self.pool, self.authority = pool, authority
        self.namespace = Namespace()
        self.clusters = [pool.new(v, f"tunnel-{side}", 3, heap="320m", secured=self._listener(side))
                         for side, v in zip(("source", "destination"), versions)]
        with self.namespace.inside():
            start_all(self.clusters)
        self.doors = {c.secured.advertised(b): self.namespace.door(b.secured) for c in self.clusters for b in c.brokers}

    def _listener(self, side):
        return SecuredListener(self.authority, name=lambda node: f"broker-{node.id}.{side}.example")

    def map_of(self, cluster, host=lambda name: name, turn=0):
        """An address map; turn: each broker's name leads to the door of the broker that comes so many after it."""
        names = [cluster.secured.advertised(b) for b in cluster.brokers]
        return ",".join(f"{host(hostport(n)[0])}:{hostport(n)[1]}={self.doors[names[(i + turn) % len(names)]].address}"
                        for i, n in enumerate(names))

    def close(self):
        for door in self.doors.values():
            door.__exit__()
        self.pool.drop(*self.clusters)
        self.namespace.__exit__()


@pytest.fixture(scope="module")
def tunnels(matrix, pool, authority):
    made = Tunnels(pool, matrix[:2], authority)
    yield made
    made.close()


@pytest.fixture
def tunnel_site(tunnels, matrix, make_site):
    """By patterns at the destination: there each broker has a port of its own."""
    source, destination = tunnels.clusters
    return make_site(source, destination, matrix[2], source_door=source.secured_bootstrap,
                     destination_door=destination.secured_bootstrap,
                     config={"secret.files.allowed": tunnels.authority.dir, "security.protocol": "SSL",
                             "ssl.truststore.location": tunnels.authority.file,
                             "broker.address.map": tunnels.map_of(destination, lambda name: "*.destination.example")})


def link_of(tunnels, **more):
    return {"security__protocol": "SSL", "ssl__truststore__location": tunnels.authority.file,
            "broker__address__map": tunnels.map_of(tunnels.clusters[0])} | more


def test_a_mirror_through_tunnels(tunnels, tunnel_site, counts):
    """Every broker of both sides leads partitions; a tunnel that ends is made again."""
    site, count = tunnel_site, counts(3000, 100000)
    topic = site.mirrored(partitions=6, **link_of(tunnels))
    worker = site.worker()
    with tunnels.namespace.inside():
        produce(site.source, topic, count, 6)
        site.wait_caught_up(topic)
        site.assert_equal(topic, count)
    for door in tunnels.doors.values():
        assert door.connections > 0
        door.cut()
    with tunnels.namespace.inside():
        produce(site.source, topic, count, 6, first=count)
        site.wait_caught_up(topic)
        site.assert_equal(topic, 2 * count)
    worker.check_alive()


def test_a_wrong_map_is_named(tunnels, tunnel_site, tmp_path):
    """Another broker's door, a door that is shut, no map at all, and entries that are none."""
    site, (source, destination) = tunnel_site, tunnels.clusters
    first = source.secured.advertised(source.brokers[0])
    door = tunnels.doors[source.secured.advertised(source.brokers[1])].address

    def create(code, *says, **config):
        got = site.cli("link", "create", site.link, "--config-file", site.link_config(**link_of(tunnels, **config)))
        got.expect(code).says(*says)
        assert got.seconds < 30
    create(contract.DENIED, f"source broker {first} .dialled at {door}, broker.address.map",
           "is for broker-2.source.example, not for broker-1.source.example", "lead to the right door",
           bootstrap__servers=first, broker__address__map=tunnels.map_of(source, turn=1))
    with tunnels.namespace.door("127.0.0.1:1") as shut:
        nobody = shut.address
    create(contract.SOURCE_DOWN, f"source broker {first} .dialled at {nobody}", "refused", "lead to the right door",
           bootstrap__servers=first, broker__address__map=f"{first}={nobody}")
    create(contract.SOURCE_DOWN, "source broker", "cannot resolve broker-.*source.example", broker__address__map="")
    create(contract.USAGE, "broker.address.map: entry 2, .nowhere.: it has no =",
           broker__address__map=f"{first}={door},nowhere")
    wrong = properties(str(tmp_path / "wrong.properties"),
                       {**site.config, "broker.address.map": tunnels.map_of(destination, turn=1)})
    site.cli("link", "list", config_file=wrong).expect(contract.DENIED).says(
        "destination broker broker-.*destination.example:.*dialled at 127.0.0.1:", "not for broker-.*destination.example")


def test_a_door_that_leads_to_another_broker(tunnels, tunnel_site):
    """While it does, what the others lead flows, and the log says who was dialled where; then all goes on."""
    site, source = tunnel_site, tunnels.clusters[0]
    first, third = source.broker(1), source.broker(3)
    name = source.secured.advertised(third)
    door = tunnels.doors[name]
    topic = site.mirrored(partitions=3, **link_of(tunnels))
    worker = site.worker(log__level="debug")
    others = [p for p, leader in source.leaders(topic).items() if leader != 3]
    assert len(others) == 2
    with tunnels.namespace.inside():
        produce(source, topic, 300, 3)
        site.wait_caught_up(topic)
    door.target = hostport(first.secured)
    door.cut()
    told = f"source broker 3 at {name} (dialled at {door.address}, broker.address.map)"
    wrong = "is for broker-1.source.example, not for broker-3.source.example"
    try:
        wait_until(lambda: any(told in line and wrong in line for line in worker.text().splitlines()), 30,
                   "the log says what is dialled where")
        with tunnels.namespace.inside():
            produce(source, topic, 300, 3, first=300)
            site.wait_caught_up(topic, partitions=others)
            site.assert_equal(topic, 400, partitions=others)
    finally:
        door.target = hostport(third.secured)
    with tunnels.namespace.inside():
        site.wait_caught_up(topic)
        site.assert_equal(topic, 600)
