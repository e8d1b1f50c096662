# SPDX-License-Identifier: Apache-2.0
"""Consumer groups through stock clients: what they have committed, and members that come and go."""
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from .util import wait_until

TIMEOUT = 20


def commit(cluster, group, topic, offsets, metadata=None):
    """Commits from outside, as tools do: {partition: offset}. The group is a simple one if it never had members."""
    parts = [TopicPartition(topic, p, o, metadata) if metadata is not None else TopicPartition(topic, p, o)
             for p, o in offsets.items()]
    def stored():
        future, = cluster.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, parts)]).values()
        errors = [p.error for p in future.result(TIMEOUT).topic_partitions if p.error is not None]
        if errors and errors[0].code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS):
            return False   # the topic of the offsets was made this moment
        assert not errors, f"{group}: {errors}"
        return True
    wait_until(stored, TIMEOUT, f"a commit of {group}", swallow=(KafkaException,))


def metadata(cluster, group):
    """{(topic, partition): metadata}. Asked of kafka-python: librdkafka copies metadata without an end, and what comes
    behind it in memory is read along now and then."""
    client = cluster.python_admin()
    try:
        got, = client.list_group_offsets(group).values()
        return {(tp.topic, tp.partition): o.metadata for tp, o in got.items()}
    finally:
        client.close()


def committed(cluster, group, topic=None):
    """{(topic, partition): offset} or, of one topic, {partition: offset}."""
    future, = cluster.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    try:
        parts = [p for p in future.result(TIMEOUT).topic_partitions if p.offset >= 0]
    except KafkaException as e:
        if "GROUP_ID_NOT_FOUND" in str(e):
            return {}
        raise
    if topic is not None:
        return {p.partition: p.offset for p in parts if p.topic == topic}
    return {(p.topic, p.partition): p.offset for p in parts}


def wait_committed(cluster, group, topic, offsets, deadline=30):
    wait_until(lambda: committed(cluster, group, topic) == offsets, deadline,
               lambda: f"{group} at {offsets}: {committed(cluster, group)}", every=0.2)


def delete(cluster, group):
    cluster.admin.delete_consumer_groups([group])[group].result(TIMEOUT)


class Member:
    """A consumer that is a member of its group for as long as the block lasts."""

    def __init__(self, cluster, group, topic, **config):
        self.consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group,
                                  "enable.auto.commit": False, "auto.offset.reset": "error",
                                  **{k.replace("__", "."): v for k, v in config.items()}})
        self.consumer.subscribe([topic])

    def read(self, n, deadline=30):
        """The offsets of n records, by partition, in their order."""
        got, end = [], time.monotonic() + deadline
        while len(got) < n:
            assert time.monotonic() < end, f"{len(got)} of {n} records were read"
            message = self.consumer.poll(0.5)
            if message is not None:
                assert message.error() is None, message.error()
                got.append((message.partition(), message.offset()))
        return got

    def join(self, deadline=30):
        """Polls until it has partitions."""
        wait_until(lambda: self.consumer.poll(0.1) is not None or self.consumer.assignment(), deadline, "an assignment")

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.consumer.close()


def commit_many(cluster, topic, groups):
    """Many groups at once: {group: {partition: offset}}."""
    waiting = []
    for group, offsets in groups.items():
        parts = [TopicPartition(topic, p, o) for p, o in offsets.items()]
        waiting += cluster.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, parts)]).values()
    for future in waiting:
        for part in future.result(120).topic_partitions:
            assert part.error is None, part


def committed_many(cluster, topic, groups):
    """{group: {partition: offset}} of one topic."""
    waiting = {}
    for group in groups:
        waiting[group], = cluster.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    return {group: {p.partition: p.offset for p in future.result(120).topic_partitions
                    if p.topic == topic and p.offset >= 0} for group, future in waiting.items()}
