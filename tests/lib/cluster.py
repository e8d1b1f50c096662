# SPDX-License-Identifier: Apache-2.0
"""What scenarios ask of a cluster, real or sandbox: topics, offsets, leaders. All through stock clients."""
import kafka as kafka_python
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType,
                                   ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourcePatternType, ResourceType)

from .util import wait_until

TIMEOUT = 30
CLIENT = {
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "socket.timeout.ms": 20000,
    "log_level": 0,
}


class Cluster:
    """One cluster with its `bootstrap` list and `cluster_id`. Subclasses start and stop it."""

    kind = "none"
    version = None
    brokers = ()
    bootstrap = None
    cluster_id = None
    _admin = None

    # -- clients ---------------------------------------------------------------------------------------

    def client(self, **more):
        """librdkafka configuration for this cluster."""
        return {"bootstrap.servers": self.bootstrap, **CLIENT, **more}

    @property
    def admin(self):
        if self._admin is None:
            self._admin = AdminClient(self.client())
        return self._admin

    def forget_clients(self):
        self._admin = None

    def python_admin(self):
        """kafka-python's admin client: it knows reassignments and DescribeProducers. The caller closes it."""
        return kafka_python.KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","), request_timeout_ms=20000)

    # -- topics ----------------------------------------------------------------------------------------

    def create_topic(self, name, partitions=1, replication_factor=None, config=None):
        rf = replication_factor or min(3, len(self.brokers) or 1)
        topic = NewTopic(name, num_partitions=partitions, replication_factor=rf, config=config or {})
        self.admin.create_topics([topic], request_timeout=TIMEOUT)[name].result(TIMEOUT)
        self.wait_leaders(name, partitions)
        return name

    def delete_topic(self, name):
        self.admin.delete_topics([name], request_timeout=TIMEOUT)[name].result(TIMEOUT)
        wait_until(lambda: not self.has_topic(name), TIMEOUT, f"topic {name} is gone")

    def grow_topic(self, name, partitions):
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(TIMEOUT)
        self.wait_leaders(name, partitions)

    def _metadata(self, name):
        topics = self.admin.list_topics(name, timeout=TIMEOUT).topics
        topic = topics.get(name)
        return None if topic is None or topic.error is not None else topic

    def _known(self, name):
        """A broker that has just started does not know every topic yet."""
        return wait_until(lambda: self._metadata(name), TIMEOUT, f"{self.bootstrap} knows topic {name}")

    def has_topic(self, name):
        return self._metadata(name) is not None

    def topics(self):
        return sorted(self.admin.list_topics(timeout=TIMEOUT).topics)

    def partitions(self, name):
        topic = self._metadata(name)
        if topic is None:
            raise KeyError(f"no topic {name} at {self.bootstrap}")
        return sorted(topic.partitions)

    def topic_id(self, name):
        from confluent_kafka import TopicCollection
        got = self.admin.describe_topics(TopicCollection([name]))[name].result(TIMEOUT)
        return str(got.topic_id)

    def topic_config(self, name):
        resource = ConfigResource(ResourceType.TOPIC, name)
        entries = self.admin.describe_configs([resource])[resource].result(TIMEOUT)
        return {k: e.value for k, e in entries.items()}

    def alter_topic(self, name, **config):
        """Sets topic settings; dots are written as double underscores, None removes the setting."""
        entries = [ConfigEntry(k.replace("__", "."), v, incremental_operation=AlterConfigOpType.DELETE if v is None
                               else AlterConfigOpType.SET) for k, v in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(TIMEOUT)

    # -- offsets ---------------------------------------------------------------------------------------

    def _offsets(self, name, spec, level, partitions):
        """ListOffsets; a leader that is moving or not up yet is asked again, up to TIMEOUT."""
        wanted = {TopicPartition(name, p): spec for p in partitions}

        def ask():
            got = self.admin.list_offsets(wanted, isolation_level=level, request_timeout=10)
            try:
                return [(tp.partition, f.result(TIMEOUT).offset) for tp, f in got.items()]
            except KafkaException:
                self.forget_clients()  # librdkafka may hold on to a leader epoch that is over
                raise
        return dict(wait_until(ask, TIMEOUT, f"offsets of {name}", swallow=(KafkaException,))) if wanted else {}

    def starts(self, name, partitions=None):
        parts = self.partitions(name) if partitions is None else partitions
        return self._offsets(name, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED, parts)

    def ends(self, name, partitions=None):
        """High watermark of each partition."""
        parts = self.partitions(name) if partitions is None else partitions
        return self._offsets(name, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED, parts)

    def stable_ends(self, name, partitions=None):
        """Last stable offset of each partition."""
        parts = self.partitions(name) if partitions is None else partitions
        return self._offsets(name, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, parts)

    def delete_records(self, name, before):
        """Moves the log starts: before = {partition: offset}."""
        futures = self.admin.delete_records([TopicPartition(name, p, o) for p, o in before.items()])
        for f in futures.values():
            f.result(TIMEOUT)

    # -- leaders ---------------------------------------------------------------------------------------

    def leaders(self, name):
        topic = self._metadata(name)
        return {} if topic is None else {p.id: p.leader for p in topic.partitions.values()}

    def replicas(self, name):
        return {p.id: list(p.replicas) for p in self._known(name).partitions.values()}

    def in_sync(self, name):
        return {p.id: list(p.isrs) for p in self._known(name).partitions.values()}

    def wait_leaders(self, name, partitions=1, deadline=TIMEOUT):
        def all_led():
            got = self.leaders(name)
            return len(got) >= partitions and all(leader >= 0 for leader in got.values())
        wait_until(all_led, deadline, lambda: f"leaders of {name}: {self.leaders(name)}", swallow=(KafkaException,))

    def wait_in_sync(self, name, replicas, deadline=60):
        """Until every partition of the topic has that many replicas in sync."""
        wait_until(lambda: all(len(i) >= replicas for i in self.in_sync(name).values()), deadline,
                   lambda: f"{replicas} in sync: {self.in_sync(name)}", swallow=(KafkaException,))

    def rotate_leaders(self, name, partitions=None):
        """Makes each partition's next in-sync replica the preferred one and elects it. Returns the new leaders."""
        order = {}
        now = self.leaders(name)
        in_sync = self.in_sync(name)
        for p, replicas in self.replicas(name).items():
            if partitions is not None and p not in partitions:
                continue
            at = replicas.index(now[p]) if now[p] in replicas else 0
            turned = replicas[at + 1:] + replicas[:at + 1]
            while turned[0] not in in_sync[p] and turned[0] != now[p]:
                turned = turned[1:] + turned[:1]
            order[p] = turned
        admin = self.python_admin()
        try:
            admin.alter_partition_reassignments(
                {kafka_python.TopicPartition(name, p): replicas for p, replicas in order.items()}, timeout_ms=20000)
            # Not raised: a replica that fell out of sync meanwhile cannot lead; the caller looks at leaders().
            admin.elect_leaders(0, {name: list(order)}, timeout_ms=20000, raise_errors=False)
        finally:
            admin.close()
        return {p: replicas[0] for p, replicas in order.items()}

    def producers(self, name, partition):
        """The active producers of a partition, as DescribeProducers gives them."""
        admin = self.python_admin()
        try:
            got = admin.describe_producers([kafka_python.TopicPartition(name, partition)])
            return list(got.values())[0]
        finally:
            admin.close()

    # -- ACLs ------------------------------------------------------------------------------------------

    def create_acl(self, kind, name, principal, operation, allow=True, pattern="LITERAL", host="*"):
        """For example create_acl("TOPIC", "orders", "User:app", "WRITE")."""
        acl = AclBinding(ResourceType[kind], name, ResourcePatternType[pattern], principal, host,
                         AclOperation[operation],
                         AclPermissionType.ALLOW if allow else AclPermissionType.DENY)
        self.admin.create_acls([acl])[acl].result(TIMEOUT)
