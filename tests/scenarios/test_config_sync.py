# SPDX-License-Identifier: Apache-2.0
"""Settings of mirror topics follow the source: what is held open is put back and promised, what may be applied is, what
was given stays, and the promotion sets the latest."""
import time

import pytest

from lib.produce import produce
from lib.util import wait_until

ALWAYS = "cleanup.policy,max.message.bytes,message.timestamp.type,message.timestamp.difference.max.ms"
OPEN = {"retention.ms": "-1", "retention.bytes": "-1", "compression.type": "producer"}


def wish(site, topic):
    """The mirror's record, as a stock consumer reads the control log."""
    import json
    from confluent_kafka import Consumer, TopicPartition
    c = Consumer({"bootstrap.servers": site.destination.bootstrap, "group.id": "none", "enable.auto.commit": False,
                  "enable.partition.eof": True})
    found = None
    try:
        c.assign([TopicPartition(site.control_topic, 0, 0)])
        while (m := c.poll(10)) is not None and not (m.error() and m.error().code() == -191):
            if not m.error() and m.key() == f"mirror/{site.link}/{topic}".encode():
                found = json.loads(m.value())
    finally:
        c.close()
    return found


def wait_config(site, topic, **wanted):
    wanted = {k.replace("__", "."): v for k, v in wanted.items()}

    def there():
        got = site.destination.topic_config(topic)
        return all(got.get(k) == v for k, v in wanted.items())
    wait_until(there, 30, lambda: f"{topic} {wanted}: {site.destination.topic_config(topic)}", every=0.1)


@pytest.mark.real_only   # the sandbox takes no compression.type but producer
def test_settings_follow_the_source(site):
    topic, given = site.topic(), site.topic("given")
    for t in (topic, given):
        site.source.create_topic(t, 1, config={"retention.ms": "3600000", "delete.retention.ms": "5000",
                                               "segment.ms": "700000"})
    site.create_link(topic__config__sync__ms=1000, topic__config__sync__include=ALWAYS +
                     ",retention.ms,delete.retention.ms,segment.ms,min.insync.replicas")
    site.create_mirror(topic)
    site.create_mirror(given, "--config", "retention.ms=77,segment.ms=800000")
    worker = site.worker()
    produce(site.source, topic, 100)
    site.wait_caught_up(topic)
    wait_config(site, topic, delete__retention__ms="5000", segment__ms="700000", **OPEN)

    # followed at once, or recorded for the promotion
    for t in (topic, given):
        site.source.alter_topic(t, delete__retention__ms="6000", segment__ms=None, retention__ms="7200000",
                                cleanup__policy="compact,delete", max__message__bytes="3000000",
                                min__insync__replicas="1")
    default = site.source.topic_config(topic)["segment.ms"]
    for t, segment in ((topic, default), (given, "800000")):
        wait_config(site, t, delete__retention__ms="6000", segment__ms=segment, max__message__bytes="3000000",
                    cleanup__policy="compact,delete", **OPEN)
    wait_until(lambda: wish(site, topic)["settings"]["retention.ms"] == "7200000", 20, "recorded", every=0.2)
    assert wish(site, given)["settings"]["retention.ms"] == "77"

    # by hand: put back, and said
    site.destination.alter_topic(topic, retention__ms="1000", compression__type="gzip", delete__retention__ms="1")
    wait_config(site, topic, delete__retention__ms="6000", **OPEN)
    for setting in ("retention.ms", "compression.type"):   # the broker has it before the worker has the answer
        wait_until(lambda s=setting: any("put back" in line and f"setting={s}" in line for line in worker.text().splitlines()),
                   10, f"{setting} is said to be put back")

    # a value that the destination does not take is told, and nothing else waits for it
    rows = site.ok("link", "task", "list", site.link, "-o", "json").json
    assert [r["state"] for r in rows if r["task_name"] == "TopicConfigsSync"] == ["ACTIVE"]

    # the last changes are in the promotion
    site.source.alter_topic(topic, retention__ms="99000000", delete__retention__ms="8000", segment__ms="900000")
    site.ok("promote", topic, given, "--link", site.link, "--wait=60s")
    got = site.destination.topic_config(topic)
    assert [got[k] for k in ("retention.ms", "delete.retention.ms", "segment.ms", "cleanup.policy", "max.message.bytes")] \
        == ["99000000", "8000", "900000", "compact,delete", "3000000"]
    assert site.destination.topic_config(given)["retention.ms"] == "77"
    # and it is nobody's mirror any more
    site.destination.alter_topic(topic, retention__ms="5000000")
    other = site.topic("other")
    site.source.create_topic(other)
    site.create_mirror(other)
    site.source.alter_topic(other, delete__retention__ms="4000")
    wait_config(site, other, delete__retention__ms="4000")
    assert site.destination.topic_config(topic)["retention.ms"] == "5000000"


def test_lists_of_settings_are_checked(site):
    for bad, says in (("retention.ms", "cleanup.policy"), (ALWAYS + ",retentoin.ms", "retentoin.ms")):
        site.cli("link", "create", site.link, "--config-file",
                 site.link_config(topic__config__sync__include=bad)).expect(2).says(says)


def test_many_topics_within_a_period(site, counts):
    """A second is enough to see a change among all of them."""
    n = counts(40, 2000)
    from confluent_kafka.admin import NewTopic
    names = [f"c{i}-{site.id}" for i in range(n)]
    for f in site.source.admin.create_topics([NewTopic(t, 1, 1) for t in names], operation_timeout=60).values():
        f.result(120)
    site.create_link(topic__config__sync__ms=1000, auto__create__mirror__topics__enable="true",
                     mirror__topics__regex=f"c.*-{site.id}")
    site.worker()
    wait_until(lambda: len([t for t in site.destination.topics() if site.id in t]) > n, n * 0.5 + 60, "all are mirrored",
               every=0.5)
    slowest = 0
    for turn in range(3):
        name = names[turn * (n // 3)]
        site.source.alter_topic(name, delete__retention__ms=str(5000 + turn))
        began = time.monotonic()
        wait_config(site, name, delete__retention__ms=str(5000 + turn))
        slowest = max(slowest, time.monotonic() - began)
    print(f"{n} topics: a change is seen within {slowest:.2f} s")
    assert slowest < 10
