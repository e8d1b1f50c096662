# SPDX-License-Identifier: Apache-2.0
"""What cannot be appended as it was fetched is rewritten record by record: LogAppendTime, the message formats v0 and v1,
holes inside batches, a resume in the middle of a batch."""
import pytest

from lib.compaction import CONFIG, Keyed, cleaned_to, wait_cleaned
from lib.krm import HOURLY
from lib.produce import CODECS, produce


def mirrored(site, name, partitions=1, config=None):
    topic = site.topic(name)
    site.source.create_topic(topic, partitions, config=config)
    site.create_link()
    site.create_mirror(topic)
    return topic


@pytest.mark.parametrize("codec", CODECS)
def test_log_append_time(site, counts, codec):
    count = counts(1200, 20000)
    topic = mirrored(site, f"lat-{codec}", 2, {"message.timestamp.type": "LogAppendTime"})
    produce(site.source, topic, count, 2, codec=codec)
    worker = site.worker()
    site.wait_caught_up(topic)
    worker.kill()
    produce(site.source, topic, count, 2, codec=codec, first=count)
    worker.start()
    site.wait_caught_up(topic)
    site.assert_equal(topic, 2 * count, timestamp_type=False)


def test_log_append_time_comes_and_goes(site):
    topic = mirrored(site, "turns")
    site.worker()
    for turn in range(4):
        site.source.alter_topic(topic, message__timestamp__type=("CreateTime", "LogAppendTime")[turn % 2])
        produce(site.source, topic, 100, first=100 * turn, codec=CODECS[turn])
        site.wait_caught_up(topic)
    site.assert_equal(topic, 400, timestamp_type=False)


def test_large_records_with_log_append_time(site):
    """They go over the helper thread; other partitions go on beside them."""
    topic = mirrored(site, "large", 2, {"message.timestamp.type": "LogAppendTime"})
    site.worker()
    first = 0
    for codec in CODECS:
        produce(site.source, topic, 6, 2, codec=codec, size=900 * 1024, first=first)
        produce(site.source, topic, 50, 2, codec=codec, size=100, first=first + 6)
        first += 56
    site.wait_caught_up(topic)
    site.assert_equal(topic, first, timestamp_type=False)


@pytest.mark.parametrize("transactions", (False, True), ids=("plain", "transactions"))
def test_compacted(site, counts, transactions):
    """Holes between and inside batches, batches without records: as the broker's own cleaner leaves them."""
    topic = site.topic("compacted")
    site.source.create_topic(topic, config=CONFIG)
    keyed = Keyed(site.source, topic, transactional_id=f"{topic}-txn" if transactions else None)
    keyed.write(60, counts(1500, 20000))
    keyed.supersede()
    keyed.close_segments()
    wait_cleaned(site.source, topic, len(keyed.newest))
    assert cleaned_to(site.source, topic) > 0
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    site.assert_equal(topic, len(keyed.newest))
    worker.kill()
    keyed.close_segments()  # two records more
    worker.start()
    site.wait_caught_up(topic)
    site.assert_equal(topic, len(keyed.newest))


@pytest.fixture
def old_site(matrix, pool, make_site):
    """From a 2.8.2, which writes the formats v0 and v1."""
    _, destination, engine = matrix
    return make_site(pool.get("source", "2.8.2"), pool.get("destination", destination), engine)


@pytest.mark.real_only
@pytest.mark.parametrize("format", ("0.9.0", "0.10.2"), ids=("v0", "v1"))
@pytest.mark.parametrize("codec", CODECS[:4])
def test_old_formats(old_site, counts, codec, format):
    site, count = old_site, counts(600, 20000)
    topic = site.topic(f"old-{codec}")
    site.source.create_topic(topic, 2, config={"message.format.version": format})
    produce(site.source, topic, count, 2, codec=codec, idempotent=False, headers=False)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    worker.kill()
    produce(site.source, topic, count, 2, codec=codec, idempotent=False, headers=False, first=count)
    worker.start()
    site.wait_caught_up(topic)
    # The format is raised, as one does before an upgrade.
    site.source.alter_topic(topic, message__format__version="2.8")
    produce(site.source, topic, count, 2, codec=codec, first=2 * count)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 3 * count, timestamp_type=False)


@pytest.mark.parametrize("codec", ("none", "zstd"))
def test_a_destination_that_takes_less_than_the_source(site, codec):
    """What we make is never larger than what it takes, though nobody tells; a record that alone is too large is named."""
    topic = site.mirrored(f"less-{codec}", config={"message.timestamp.type": "LogAppendTime"}, **HOURLY)
    produce(site.source, topic, 200, codec=codec, size=1000, config={"linger.ms": 200, "batch.num.messages": 1000})
    worker = site.worker_below_a_limit(topic, 20000)
    site.wait_caught_up(topic)
    if codec == "none":
        assert "the destination takes smaller batches" in worker.text()
    produce(site.source, topic, 1, size=30000, first=200)
    row = site.wait_partition(topic, 0, state="FAILED", reason="RECORD_TOO_LARGE")
    assert "offset 200" in row["mirror_topic_error"], row
    site.destination.alter_topic(topic, max__message__bytes="40000")
    site.wait_caught_up(topic)   # tried again every availability.check.ms
    site.assert_equal(topic, 201, timestamp_type=False)
