# SPDX-License-Identifier: Apache-2.0
"""What a source may do to its mirrors: lose records, be another topic of the same name, shrink, start its epochs anew,
grow its batches. Named reasons, and nothing at the destination changes."""
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from lib import judge
from lib.produce import produce
from lib.util import wait_until

OLD = "2.4.1"   # no topic ids, no DescribeProducers, Fetch without the epoch of the last batch
RUNNING = pytest.mark.parametrize("running", (True, False), ids=("running", "stopped"))

pytestmark = [pytest.mark.real_only]


def contents(site, topic):
    return judge.read_records(site.destination, topic, judge.whole(site.destination, topic), "read_uncommitted")


def mirror(site, *topics):
    site.create_link(cluster__link__retry__timeout__ms=3000)
    for t in topics:
        site.create_mirror(t)
    return site.worker()


# -- records that the source lost ------------------------------------------------------------------------------

@pytest.fixture
def two_brokers(matrix, pool, make_site):
    """A source of two brokers, and the destination of the pair."""
    source = pool.new(matrix[0], "two", nodes=2)
    try:
        source.start()
        yield make_site(source, pool.pair(*matrix[:2])[1], matrix[2])
    finally:
        pool.drop(source)


def replicated(site, topic):
    """One partition on both brokers, the first one leads; either may lead alone, whatever it has."""
    new = NewTopic(topic, num_partitions=1, replica_assignment=[[1, 2]],
                   config={"unclean.leader.election.enable": "true", "min.insync.replicas": "1"})
    site.source.admin.create_topics([new])[topic].result(30)
    site.source.wait_leaders(topic)
    site.source.wait_in_sync(topic, 2)
    produce(site.source, topic, 100)


@RUNNING
def test_unclean_election_below_what_is_mirrored(two_brokers, running):
    """Of two topics one stays shorter than its mirror, the other one is written to until it is longer."""
    site = two_brokers
    shorter, longer = site.topic("shorter"), site.topic("longer")
    for t in (shorter, longer):
        replicated(site, t)
    worker = mirror(site, shorter, longer)
    first, second = site.source.broker(1), site.source.broker(2)
    second.kill()
    for t in (shorter, longer):
        wait_until(lambda: site.source.in_sync(t)[0] == [1], 60, f"only broker 1 is in sync for {t}")
        produce(site.source, t, 200, first=100)
        site.wait_caught_up(t)
    before = {t: contents(site, t) for t in (shorter, longer)}
    if not running:
        worker.terminate()
    first.kill()
    site.source.forget_clients()
    second.start()
    for t in (shorter, longer):
        wait_until(lambda: site.source.leaders(t)[0] == 2, 90, f"broker 2 leads {t}")
    produce(site.source, longer, 400, first=5000, seed=9)
    assert site.source.ends(shorter)[0] < 300 < site.source.ends(longer)[0]
    if not running:
        worker.start()
    for t in (shorter, longer):
        row = site.wait_partition(t, 0, state="FAILED", reason="UNEXPECTED_TRUNCATION")
        assert row["mirror_topic_error"]
        assert contents(site, t) == before[t]
    # resume skips no check.
    site.cli("mirror", "resume", longer, "--link", site.link)
    site.wait_partition(longer, 0, state="FAILED", reason="UNEXPECTED_TRUNCATION")
    assert contents(site, longer) == before[longer]


# -- another topic of the same name ----------------------------------------------------------------------------

@pytest.fixture
def old_site(matrix, pool, make_site):
    return make_site(*pool.pair(OLD, matrix[1]), matrix[2])


def make_anew(site, topic, partitions):
    """Deleted and created; before KRaft a deletion goes on after it was answered."""
    site.source.delete_topic(topic)
    wait_until(lambda: site.source.create_topic(topic, partitions), 30, f"{topic} is made anew",
               swallow=(KafkaException,))


def replaced(site, topic, running, before, after):
    """(partitions, records) of the topic before and after it is made anew; all its partitions stop, and what they held
    stands. Returns their rows."""
    site.source.create_topic(topic, before[0])
    produce(site.source, topic, before[1], before[0])
    worker = mirror(site, topic)
    site.wait_caught_up(topic)
    held = contents(site, topic)
    if not running:
        worker.terminate()
    make_anew(site, topic, after[0])
    produce(site.source, topic, after[1], after[0], seed=77)
    if not running:
        worker.start()
    rows = [site.wait_partition(topic, p, state="FAILED") for p in range(before[0])]
    assert contents(site, topic) == held
    return rows


@RUNNING
def test_made_anew_where_topics_have_no_ids(old_site, running):
    """Longer than before, so that only what it holds tells."""
    for row in replaced(old_site, old_site.topic("anew"), running, (3, 300), (3, 900)):
        assert row["reason"] in ("UNEXPECTED_TRUNCATION", "SOURCE_TOPIC_ID_CHANGED"), row


@RUNNING
def test_partitions_decreased(old_site, running):
    for p, row in enumerate(replaced(old_site, old_site.topic("fewer"), running, (4, 400), (2, 10))):
        assert p < 2 or row["reason"] == "SOURCE_PARTITIONS_DECREASED", row


def test_leader_epoch_that_goes_back(old_site):
    """Made anew, its epochs begin at 0; the mirror knows a higher one."""
    site = old_site
    topic = site.topic("epochs")
    site.source.create_topic(topic)
    produce(site.source, topic, 50)
    worker = mirror(site, topic)
    for turn in range(2):
        broker = site.source.brokers[0]
        broker.stop()
        broker.start()
        site.source.forget_clients()
        site.source.wait_leaders(topic)
        produce(site.source, topic, 50, first=50 + 50 * turn)
    site.wait_caught_up(topic)
    before = contents(site, topic)
    make_anew(site, topic, 1)
    produce(site.source, topic, 400, seed=77)
    site.wait_partition(topic, 0, state="FAILED", deadline=90)
    assert contents(site, topic) == before
    worker.check_alive()


# -- batches that grow -----------------------------------------------------------------------------------------

LARGE = {"message.max.bytes": 8000000}


def test_the_source_takes_larger_batches_than_before(site):
    """The destination's limit is raised, for krmirror may."""
    topic = site.topic("larger")
    site.source.create_topic(topic)
    produce(site.source, topic, 20)
    mirror(site, topic)
    site.wait_caught_up(topic)
    site.source.alter_topic(topic, max__message__bytes="8000000")
    produce(site.source, topic, 3, size=5000000, first=20, config=LARGE)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 23)
    assert int(site.destination.topic_config(topic)["max.message.bytes"]) >= 8000000


def test_a_limit_that_cannot_be_raised_is_named(site):
    """A batch must fit into a segment; how large that is belongs to whoever runs the destination."""
    topic = site.topic("segment")
    site.source.create_topic(topic, config={"max.message.bytes": "8000000"})
    site.create_link()
    site.create_mirror(topic, "--config", "segment.bytes=1048576", "--replication-factor", "1")
    worker = site.worker()
    produce(site.source, topic, 20)
    site.wait_caught_up(topic)
    produce(site.source, topic, 1, size=3000000, first=20, config=LARGE)
    row = site.wait_partition(topic, 0, state="FAILED", reason="RECORD_TOO_LARGE")
    assert "20" in row["mirror_topic_error"], row
    site.destination.alter_topic(topic, segment__bytes="104857600")
    site.wait_caught_up(topic)   # tried again every availability.check.ms
    site.assert_equal(topic, 21)
    worker.check_alive()
