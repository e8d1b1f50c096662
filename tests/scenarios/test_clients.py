# SPDX-License-Identifier: Apache-2.0
"""Stock clients against a cluster, the sandbox first of all: Java's console tools, librdkafka, kafka-python."""
import os
import uuid

import kafka as kafka_python
import pytest
from confluent_kafka import Consumer, KafkaError

from lib import judge
from lib.jvm import tool
from lib.produce import CODECS, produce
from lib.util import wait_until

pytestmark = pytest.mark.one_engine

JAVA = os.environ.get("KAFKA_VERSIONS", "3.9.1,4.3.0").split(",")
PRODUCER = {"3": "kafka.tools.ConsoleProducer", "4": "org.apache.kafka.tools.ConsoleProducer"}
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"


@pytest.fixture
def cluster(matrix, pool):
    return pool.pair(matrix[0], matrix[1])[0]


@pytest.fixture
def topic(cluster):
    return cluster.create_topic(f"clients-{uuid.uuid4().hex[:8]}", 3)


@pytest.mark.jvm
@pytest.mark.parametrize("java", JAVA)
def test_java_console_tools(cluster, topic, java):
    lines = "".join(f"key{i}\tvalue {i}\n" for i in range(100)).encode()
    sent = tool(java, PRODUCER[java[0]], "--bootstrap-server", cluster.bootstrap, "--topic", topic,
                "--property", "parse.key=true", "--compression-codec", "gzip", input=lines)
    assert sent.returncode == 0, sent.stderr.decode()
    assert sum(cluster.ends(topic).values()) == 100
    for group in ((), ("--group", f"g-{topic}")):
        got = tool(java, CONSUMER, "--bootstrap-server", cluster.bootstrap, "--topic", topic, "--from-beginning",
                   "--max-messages", "100", "--timeout-ms", "20000", "--property", "print.key=true", *group)
        read = [line for line in got.stdout.splitlines() if line.startswith(b"key")]  # beside its own notes
        assert sorted(read) == sorted(lines.splitlines()), got.stderr.decode()[-2000:]


@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka(cluster, topic, codec):
    written = produce(cluster, topic, 900, 3, codec=codec)
    assert judge.assert_equal(cluster, cluster, topic, expect=written) == 900


def test_librdkafka_group(cluster, topic):
    """A group commits, goes, and comes back where it was."""
    produce(cluster, topic, 600, 3)
    seen = []

    def take(until):
        c = Consumer(cluster.client(**{"group.id": f"g-{topic}", "auto.offset.reset": "earliest",
                                       "enable.auto.commit": False}))
        c.subscribe([topic])

        def enough():
            for m in c.consume(100, 0.2):
                assert m.error() is None or m.error().code() == KafkaError._PARTITION_EOF, m.error()
                seen.append((m.partition(), m.offset()))
            return len(seen) >= until
        wait_until(enough, 40, lambda: f"{until} records by the group: {len(seen)}", every=0)
        c.commit(asynchronous=False)
        c.close()
    take(600)
    produce(cluster, topic, 300, 3, first=600)
    take(900)
    assert len(seen) == len(set(seen)) == 900


def test_kafka_python(cluster, topic):
    producer = kafka_python.KafkaProducer(bootstrap_servers=cluster.bootstrap, compression_type="gzip")
    futures = [producer.send(topic, key=b"k%d" % i, value=b"v%d" % i, partition=i % 3, timestamp_ms=1000 + i,
                             headers=[("h", b"x")]) for i in range(300)]
    assert sorted(f.get(20).offset for f in futures) == sorted(list(range(100)) * 3)
    producer.close()
    consumer = kafka_python.KafkaConsumer(topic, bootstrap_servers=cluster.bootstrap, group_id=f"p-{topic}",
                                          auto_offset_reset="earliest", consumer_timeout_ms=20000)
    got = [next(consumer) for _ in range(300)]
    consumer.close()
    assert sorted(m.timestamp for m in got) == list(range(1000, 1300))
    assert {m.value for m in got} == {b"v%d" % i for i in range(300)}
    judge.assert_equal(cluster, cluster, topic, expect=300)
