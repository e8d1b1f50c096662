# SPDX-License-Identifier: Apache-2.0
"""Source logs that do not start at 0, or start somewhere else tomorrow: equal starts, equal ends, equal records."""
import random
import time

from lib import contract
from lib.judge import read_records
from lib.produce import EPOCH_MS, advance, produce
from lib.raw import Raw, batch
from lib.util import wait_until

FOLLOWED_WITHIN = 10


def trimmed(site, head, partitions=2, config=None, name="trimmed"):
    """A topic whose partition 0 starts at `head`; the others start at 0."""
    topic = site.topic(name)
    site.source.create_topic(topic, partitions, config=config)
    advance(site.source, topic, 0, head)
    site.source.delete_records(topic, {0: head})
    return topic


def same_starts(site, topic, deadline=FOLLOWED_WITHIN):
    want = site.source.starts(topic)
    wait_until(lambda: site.destination.starts(topic) == want, deadline, f"the starts {want} at the destination")
    return want


def test_trimmed_head(site, counts):
    """One partition starts at 1,500,000, the other at 0; seeding takes seconds."""
    head = counts(70000, 1500000)
    topic = trimmed(site, head)
    produce(site.source, topic, 2000, 2)
    site.create_link()
    site.create_mirror(topic)
    began = time.monotonic()
    site.worker()
    site.wait_caught_up(topic)
    took = time.monotonic() - began
    assert same_starts(site, topic) == {0: head, 1: 0}
    site.assert_equal(topic, 2000)
    assert took < 30, f"{took:.0f} s"
    produce(site.source, topic, 1000, 2, first=2000)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 3000)
    assert site.row(topic)["error"] is None


def test_a_head_and_nothing_behind_it(site):
    """The log is empty when it has been seeded and trimmed; a worker that starts then knows whose it is."""
    topic = trimmed(site, 30000)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    assert same_starts(site, topic) == {0: 30000, 1: 0}
    worker.kill()
    worker.start()
    site.wait_caught_up(topic)
    produce(site.source, topic, 200, 2)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 200)


def test_trimmed_head_of_a_compacted_topic(site):
    """Brokers delete records only where the policy has delete, and take none without a key where it has compact."""
    topic = trimmed(site, 50000, config={"cleanup.policy": "compact,delete", "retention.ms": "-1",
                                         "segment.bytes": "1073741824"})
    site.source.alter_topic(topic, cleanup__policy="compact")
    raw = Raw(site.source.bootstrap)
    for i in range(20):
        assert raw.produce(topic, 0, batch(5, key=b"k%d" % i, ts=EPOCH_MS + i))[0] == 0
    raw.close()
    site.create_link()
    site.create_mirror(topic)
    site.worker()
    site.wait_caught_up(topic)
    assert same_starts(site, topic, 30) == {0: 50000, 1: 0}
    site.assert_equal(topic, 100)
    wait_until(lambda: site.destination.topic_config(topic)["cleanup.policy"] == "compact", 30,
               "the policy as it is mirrored")


def test_the_log_start_follows(site):
    topic = site.topic("follows")
    site.source.create_topic(topic, 3)
    produce(site.source, topic, 3000, 3)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    site.source.delete_records(topic, {0: 100, 1: 777})
    assert same_starts(site, topic) == {0: 100, 1: 777, 2: 0}
    # All that there is: an empty log, which a new worker must take for its own.
    site.source.delete_records(topic, {0: 1000, 2: 1000})
    assert same_starts(site, topic) == {0: 1000, 1: 777, 2: 1000}
    worker.kill()
    worker.start()
    produce(site.source, topic, 300, 3, first=3000)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 300 + 223)


def test_retention_overtakes_a_paused_mirror(site):
    """What the source has lost is used up, deleted and reported, until resume; the lane copies on."""
    topic = site.topic("overtaken")
    site.source.create_topic(topic, 2)
    produce(site.source, topic, 400, 2)
    site.create_link()
    site.create_mirror(topic)
    worker = site.worker()
    site.wait_caught_up(topic)
    site.ok("mirror", "pause", topic, "--link", site.link)
    for p in range(2):
        site.wait_partition(topic, p, state="PAUSED")
    advance(site.source, topic, 0, 30000)
    produce(site.source, topic, 400, 2, first=400)
    site.source.delete_records(topic, {0: 29950})  # in the middle of a batch
    site.ok("mirror", "resume", topic, "--link", site.link)
    site.wait_caught_up(topic)
    assert same_starts(site, topic) == {0: 29950, 1: 0}
    site.assert_equal(topic, 450 + 400)
    lost = site.wait_partition(topic, 0, state="COPYING", reason="DATA_LOSS")
    assert "200" in lost["mirror_topic_error"] and "29949" in lost["mirror_topic_error"], lost
    site.row(topic, codes=(contract.DIVERGENCE,))
    # A restart does not forget it, and copying goes on.
    worker.kill()
    worker.start()
    produce(site.source, topic, 200, 2, first=800)
    site.wait_caught_up(topic)
    site.assert_equal(topic, 550 + 500)
    site.wait_partition(topic, 0, state="COPYING", reason="DATA_LOSS")
    site.ok("mirror", "pause", topic, "--link", site.link)
    site.wait_partition(topic, 0, state="PAUSED", reason="DATA_LOSS")
    site.ok("mirror", "resume", topic, "--link", site.link)
    site.wait_partition(topic, 0, state="COPYING", reason=None)
    site.row(topic, codes=(contract.DONE,))


def test_killed_while_it_seeds(site, counts):
    """kill -9 at random moments while seeds are written, and while they are deleted: never one offset too many."""
    kills, head, rng, done = counts(3, 100), 400000, random.Random(7), 0
    site.create_link()
    worker = site.worker()
    while done < kills:
        topic = trimmed(site, head, partitions=1, name=f"killed{done}")
        produce(site.source, topic, 100)
        site.create_mirror(topic)
        reached = 0
        for at_most in (0.1, 0.1, 1.5):
            wait_until(lambda: site.destination.ends(topic)[0] > reached, 30, f"seeds above {reached}", every=0.01)
            time.sleep(rng.random() * at_most)  # a moment, not a condition: it is the test's subject
            worker.kill()
            done += 1
            reached = site.destination.ends(topic)[0]
            assert reached <= head + 100
            worker.start()
            if reached >= head:
                break
        site.wait_caught_up(topic)
        assert same_starts(site, topic, 20) == {0: head}
        site.assert_equal(topic, 100)


def test_a_head_beyond_the_limit(site):
    topic = trimmed(site, 5000)
    site.create_link(mirror__fill__limit="4999")
    got = site.cli("mirror", "create", topic, "--link", site.link)
    got.expect(contract.REFUSED).says("5000", "mirror.fill.limit")
    assert not site.destination.has_topic(topic)


def test_dry_run_tells_what_seeding_takes(site):
    topic = trimmed(site, 5000)
    site.create_link()
    site.ok("mirror", "create", topic, "--link", site.link, "--dry-run").says("5000", "MiB")
    assert not site.destination.has_topic(topic)


def test_a_mirror_that_starts_at_the_latest_offset(site):
    topic = site.topic("latest")
    site.source.create_topic(topic, 2)
    produce(site.source, topic, 500, 2, only=[0])
    site.create_link(mirror__start__offset__spec="latest")
    site.create_mirror(topic)
    # What comes before the worker starts is behind the chosen offset.
    produce(site.source, topic, 100, 2, first=500)
    worker = site.worker()
    site.wait_caught_up(topic)
    wait_until(lambda: site.destination.starts(topic) == {0: 500, 1: 0}, FOLLOWED_WITHIN, "the chosen starts")
    worker.kill()
    worker.start()
    produce(site.source, topic, 100, 2, first=600)
    site.wait_caught_up(topic)
    begins_above(site, topic, {0: 500, 1: 0}, 200)


def test_a_mirror_that_starts_at_a_time(site):
    topic = site.topic("time")
    site.source.create_topic(topic, 2)
    for first in range(0, 600, 100):  # one batch a hundred records: offsets of batches, which the source may start at
        produce(site.source, topic, 100, 2, first=first, only=[0])
    produce(site.source, topic, 10, 2, only=[1])
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(EPOCH_MS // 1000)) + ".400Z"
    site.create_link(mirror__start__offset__spec=at)
    site.create_mirror(topic)
    site.worker()
    site.wait_caught_up(topic)
    # Partition 1 has nothing so young: it starts at its end.
    wait_until(lambda: site.destination.starts(topic) == {0: 400, 1: 10}, FOLLOWED_WITHIN, "the chosen starts")
    begins_above(site, topic, {0: 400, 1: 10}, 200)


def begins_above(site, topic, starts, expect):
    """Equal from the chosen offsets on; the source has more below them."""
    ends = site.source.ends(topic)
    assert site.destination.ends(topic) == ends
    sides = [read_records(c, topic, {p: (starts[p], ends[p]) for p in ends}) for c in (site.source, site.destination)]
    assert sides[0] == sides[1] and sum(len(r) for r in sides[1].values()) == expect
