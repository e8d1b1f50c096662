# SPDX-License-Identifier: Apache-2.0
"""What records may look like: codecs, sizes, headers, nulls, producers, partition counts."""
import pytest

from lib import judge
from lib.produce import CODECS, produce


def mirrored(site, name, partitions=1, **link):
    topic = site.topic(name)
    site.source.create_topic(topic, partitions)
    site.create_link(**link)
    site.create_mirror(topic)
    return topic


@pytest.mark.parametrize("idempotent", (True, False), ids=("idempotent", "plain"))
@pytest.mark.parametrize("codec", CODECS)
def test_codec(site, counts, codec, idempotent):
    count = counts(1200, 20000)
    topic = mirrored(site, codec, 2)
    produce(site.source, topic, count, 2, codec=codec, idempotent=idempotent)
    site.worker()
    site.wait_caught_up(topic)
    produce(site.source, topic, count, 2, codec=codec, idempotent=idempotent, first=count)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 2 * count)


def test_nulls_empties_and_headers(site):
    topic = mirrored(site, "kinds")
    site.worker()
    produce(site.source, topic, 640)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 640)
    # That they are there is checked as well, so that the scenario cannot lose its meaning.
    rows = judge.read_records(site.destination, topic, {0: (0, 640)})[0]
    assert {None, b""} <= {r[1] for r in rows} and {None, b""} <= {r[2] for r in rows}
    headers = [h for r in rows for h in r[3] or ()]
    assert {None, b""} <= {v for _, v in headers} and any(not r[3] for r in rows)


def test_sizes_from_one_byte_to_900_kib(site, counts):
    topic = mirrored(site, "sizes", 2)
    site.worker()
    first = 0
    largest = 900 * 1024 - 200
    for size, count in ((1, 200), (100, 200), (1000, 200), (16384, 60), (102400, 20), (largest, counts(6, 200))):
        for codec in ("none", "lz4"):
            produce(site.source, topic, count, 2, codec=codec, size=size, first=first)
            first += count
    site.wait_caught_up(topic)
    site.assert_equal(topic, first)


def test_producers_of_all_kinds_in_one_partition(site, counts):
    topic = mirrored(site, "mixed")
    site.worker()
    count, first = counts(40, 500), 0
    for turn in range(3):
        for n, codec in enumerate(CODECS):
            produce(site.source, topic, count, codec=codec, idempotent=(n + turn) % 2 == 0, first=first)
            first += count
    site.wait_caught_up(topic)
    site.assert_equal(topic, first)


def test_old_and_future_timestamps(site):
    topic = mirrored(site, "times")
    site.worker()
    year = 365 * 24 * 3600 * 1000
    produce(site.source, topic, 100, timestamp=0)
    produce(site.source, topic, 100, timestamp=year * 20, first=100)
    produce(site.source, topic, 100, timestamp=None, first=200)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 300)


def test_timestamps_out_of_order(site):
    topic = mirrored(site, "back")
    site.worker()
    for turn in range(5):
        produce(site.source, topic, 50, timestamp=1700000000000 - turn * 1000000, first=turn * 50)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 250)


def test_200_partitions(site, counts):
    count = counts(4000, 200000)
    topic = mirrored(site, "wide", 200)
    site.worker()
    produce(site.source, topic, count, 200)
    site.wait_caught_up(topic, deadline=120)
    site.assert_equal(topic, count)


def test_a_million_records(site, counts):
    """The small count is 50,000."""
    count = counts(50000, 1000000)
    topic = mirrored(site, "million", 6)
    site.worker()
    for n, codec in enumerate(CODECS):
        produce(site.source, topic, count // 5, 6, codec=codec, idempotent=n % 2 == 0, first=n * (count // 5))
    site.wait_caught_up(topic, deadline=300)
    site.assert_equal(topic, count)


def test_prefix_and_source_topic(site):
    plain, other = site.topic("plain"), site.topic("other")
    for t in (plain, other):
        site.source.create_topic(t)
        produce(site.source, t, 100)
    site.create_link(cluster__link__prefix="dr.")
    site.create_mirror("dr." + plain)
    site.create_mirror("dr.renamed-" + site.id, "--source-topic", other)
    site.worker()
    for mirror, source in (("dr." + plain, plain), ("dr.renamed-" + site.id, other)):
        site.wait_caught_up(mirror, source)
        site.assert_equal(mirror, 100, source_topic=source)
    assert site.describe("dr." + plain)[0]["source_topic_name"] == plain
