# SPDX-License-Identifier: Apache-2.0
"""What cannot be exact yet stops its partition, with kind and offset, before one byte is written wrongly."""
from lib import contract
from lib.produce import produce
from lib.util import wait_until


def stopped(site, topic, partition, offset, kind, end):
    """FAILED at that offset; the destination holds `end` records there, equal to the source's."""
    row = site.wait_partition(topic, partition, state="FAILED", reason="UNSUPPORTED_MESSAGE_FORMAT")
    error = row["mirror_topic_error"]
    assert kind in error.lower() and str(offset) in error, f"kind {kind!r} and offset {offset} wanted: {error}"
    assert site.destination.ends(topic)[partition] == end
    if end:
        site.assert_equal(topic, end, partitions=[partition], upto={partition: end}, ends=False)
    # After `resume` the lane is opened again, and until it has met the batch again it is not FAILED.
    wait_until(lambda: site.row(topic)["failed_partitions"] == 1, 30, f"a failed partition of {topic} in the list")
    listed = site.row(topic, codes=(contract.FAILED,))
    assert listed["failed_partitions"] == 1, listed


def mirrored(site, partitions=2, config=None):
    topic = site.topic("special")
    site.source.create_topic(topic, partitions, config=config)
    return topic


def run(site, topic):
    site.create_link()
    site.create_mirror(topic)
    return site.worker()


def test_log_append_time(site):
    topic = mirrored(site, 1, {"message.timestamp.type": "LogAppendTime"})
    produce(site.source, topic, 40)
    run(site, topic)
    stopped(site, topic, 0, 0, "logappendtime", 0)


def test_log_append_time_after_create_time(site):
    topic = mirrored(site, 1)
    produce(site.source, topic, 40)
    run(site, topic)
    site.wait_caught_up(topic)
    site.source.alter_topic(topic, message__timestamp__type="LogAppendTime")
    produce(site.source, topic, 40, first=40)
    stopped(site, topic, 0, 40, "logappendtime", 40)
