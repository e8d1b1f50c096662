# SPDX-License-Identifier: Apache-2.0
"""The oldest sources and destinations: the plain and the transactional case."""
import pytest

from lib.judge import BOTH
from lib.produce import produce
from lib.transactions import Interleaved

pytestmark = pytest.mark.real_only

# 2.4.1 is the oldest source, 2.8.2 the oldest destination; None: what the run is about.
PAIRS = (("2.4.1", None), ("2.4.1", "2.8.2"), ("2.8.2", "2.8.2"), ("2.8.2", None), (None, "2.8.2"))


@pytest.fixture(params=PAIRS, ids=lambda pair: "-".join(v or "new" for v in pair))
def old_site(request, matrix, pool, make_site):
    source, destination = (old or new for old, new in zip(request.param, matrix))
    return make_site(pool.get("source", source), pool.get("destination", destination), matrix[2])


def test_plain_and_transactions(old_site, counts):
    site, n, turns = old_site, counts(600, 20000), counts(2, 10)
    topic = site.topic("old")
    site.source.create_topic(topic, 3)
    site.create_link()
    site.create_mirror(topic)
    produce(site.source, topic, n, 3)
    worker = site.worker()
    site.wait_caught_up(topic)
    site.assert_equal(topic, n)
    crowd = Interleaved(site.source, topic, 3)
    for turn in range(turns):
        crowd.run(12)
        worker.kill()
        produce(site.source, topic, n, 3, first=n * (turn + 1), codec="lz4")
        crowd.leave_open()
        worker.start()
        crowd.run(8)
        site.wait_transactions(topic, crowd.held)
        site.wait_caught_up(topic)
        assert site.destination.ends(topic) == site.source.stable_ends(topic)
        crowd.finish(commit=turn % 2 == 0)
    site.wait_transactions(topic)
    site.wait_caught_up(topic)
    site.assert_equal(topic, n * (turns + 1) + crowd.expect, levels=BOTH)
