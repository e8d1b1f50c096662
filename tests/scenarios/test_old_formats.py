# SPDX-License-Identifier: Apache-2.0
"""Message formats v0 and v1 of a real 2.8.2, all in one log and met in the middle (each alone: test_rewriting.py)."""
import pytest

from lib.produce import produce

OLD = "2.8.2"
V0, V1, V2 = "0.9.0", "0.10.0", "2.8"
CODECS = ("none", "gzip", "snappy", "lz4")   # zstd came later

pytestmark = [pytest.mark.real_only]


@pytest.fixture
def old_site(matrix, pool, make_site):
    _, destination, engine = matrix
    return make_site(*pool.pair(OLD, destination), engine)


def write(site, topic, count, codec, first, partitions=1):
    # Neither sequences nor headers: the old formats have no place for them.
    produce(site.source, topic, count, partitions, codec=codec, first=first, idempotent=False, headers=False,
            config={"batch.num.messages": 50})


def mirrored(site, version, partitions=1):
    return site.mirrored("old", partitions, {"message.format.version": version})


def equal(site, topic, count, version):
    site.wait_caught_up(topic)
    site.assert_equal(topic, count, timestamp_type=version != V0)


def test_a_topic_that_was_upgraded_twice(old_site):
    topic = mirrored(old_site, V0)
    first = 0
    for version in (V0, V1, V2):
        old_site.source.alter_topic(topic, message__format__version=version)
        for codec in CODECS:
            write(old_site, topic, 60, codec, first)
            first += 60
    old_site.worker()
    equal(old_site, topic, first, V0)


def test_killed_in_the_middle_of_old_wrappers(old_site, counts):
    """A position within a compressed message set: what is there already must not come again."""
    topic = mirrored(old_site, V1)
    worker, first = old_site.worker(), 0
    for turn in range(counts(4, 40)):
        write(old_site, topic, 500, CODECS[turn % 4], first)
        first += 500
        worker.kill()
        worker.start()
    equal(old_site, topic, first, V1)
