# SPDX-License-Identifier: Apache-2.0
"""What happens between krmirror and a broker: answers that are lost after the broker has done its work, distance."""
import pytest

from lib.produce import Load
from lib.proxy import FETCH, LIST_OFFSETS, PRODUCE
from lib.util import wait_until

PARTITIONS = 4


def loaded(site):
    topic = site.mirrored("wire", PARTITIONS)
    site.worker()
    return topic


@pytest.mark.real_only
@pytest.mark.parametrize("side,api", (("destination", PRODUCE), ("destination", LIST_OFFSETS), ("source", FETCH)),
                         ids=("produce", "list-offsets", "fetch"))
def test_answers_lost_on_the_wire(doors, counts, side, api):
    """The broker has appended, the worker never hears of it: no record twice, none missing."""
    site, proxies = doors(side)
    topic = loaded(site)
    with Load(site.source, topic, PARTITIONS) as load:
        for _ in range(counts(3, 50)):
            if api == LIST_OFFSETS:   # asked at openings: a lost Produce leads to one
                proxies.all[0].lose(PRODUCE)
            proxies.all[0].lose(api)
            wait_until(lambda: not proxies.all[0].losing, 30, "an answer was lost")
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)


@pytest.mark.real_only
@pytest.mark.parametrize("side", ("source", "destination"))
def test_20_ms_away(doors, side):
    site, _ = doors(side, 0.010)
    topic = loaded(site)
    with Load(site.source, topic, PARTITIONS, rate=4000) as load:
        wait_until(lambda: load.sent > 8000, 60, "8000 records")
    site.wait_caught_up(topic)
    site.assert_equal(topic, load.done.count)
