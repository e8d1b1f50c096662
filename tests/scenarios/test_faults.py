# SPDX-License-Identifier: Apache-2.0
"""Offsets that are used up, by fills and by seeds, while something fails at the very moment: a broker or a worker is
killed, stopped or replaced when the request, or its answer, is on the wire. Never one offset too many."""
import threading
import time

import pytest

from conftest import THREE, heal
from lib import judge
from lib.ids import data_id
from lib.produce import advance, produce
from lib.proxy import DELETE_RECORDS, PRODUCE, WRITE_TXN_MARKERS, Proxies
from lib.transactions import producer
from lib.util import wait_until

pytestmark = pytest.mark.real_only

HOLE = 6000
HEAD = 61234     # three full seeds and one more
SESSION = {"session__timeout__ms": 6000}
REQUESTS = 4     # the first of them are looked at


class Fills:
    """A hole in a topic; its first marker goes alone, the others by 1500."""

    api = WRITE_TXN_MARKERS

    def __init__(self, site, partitions=1, options=()):
        self.site, self.topic, self.records = site, site.topic("fills"), 0
        site.source.create_topic(self.topic)
        site.create_link()
        site.create_mirror(self.topic, *options)
        self.producer = producer(site.source, f"txn-{self.topic}", **{"queue.buffering.max.messages": 1000000})

    def prepare(self):
        """What is to be used up; no worker runs. Returns what stands in each request."""
        self._record()
        self.producer.begin_transaction()
        for _ in range(HOLE):
            self.producer.produce(self.topic, b"gone")
        assert self.producer.flush(60) == 0
        self.producer.abort_transaction(60)
        self._record()
        return self.topic.encode()

    def _record(self):
        produce(self.site.source, self.topic, 1, first=self.records)
        self.records += 1

    def settle(self):
        """All is used up, and not one more."""
        self.site.wait_transactions(self.topic)
        self.site.wait_caught_up(self.topic)
        self.site.assert_equal(self.topic, self.records)


class Seeds:
    """A topic of its own each time, whose source starts above 0."""

    api = PRODUCE

    def __init__(self, site, options=()):
        self.site, self.options, self.topic, self.n = site, options, None, 0
        site.create_link()

    def prepare(self):
        self.n += 1
        self.topic = self.site.topic(f"seeds{self.n}")
        self.site.source.create_topic(self.topic)
        advance(self.site.source, self.topic, 0, HEAD)
        self.site.source.delete_records(self.topic, {0: HEAD})
        produce(self.site.source, self.topic, 100)
        self.site.create_mirror(self.topic, *self.options)
        return data_id(self.site.link, self.topic, 0)

    def settle(self):
        self.site.wait_caught_up(self.topic)
        wait_until(lambda: self.site.destination.starts(self.topic) == {0: HEAD}, 30, "the seeds are deleted")
        self.site.assert_equal(self.topic, 100)
        assert judge.whole(self.site.destination, self.topic) == {0: (HEAD, HEAD + 100)}


@pytest.fixture(params=(Fills, Seeds), ids=("fills", "seeds"))
def work(request, doors):
    """(what is used up, the proxies before the destination)"""
    site, proxies = doors("destination")
    return request.param(site), proxies


def restarted(work, worker):
    """Everything is told to a worker that is not there yet; what it asks for first is then known."""
    if worker.process is not None:
        worker.kill()
    return work.prepare()


def test_broker_killed(work, counts):
    """When it has written and nobody knows, and when it has not."""
    work, proxies = work
    broker = work.site.destination.brokers[0]
    worker = work.site.worker()
    for turn in range(counts(1, 20)):
        match = restarted(work, worker)
        moment = proxies.at(work.api, broker.kill, match=match, skip=(turn + 1) % REQUESTS, answered=turn % 2 == 0)
        worker.start()
        moment.wait()
        broker.start()
        work.settle()


def test_worker_killed(work, counts):
    """Its last request arrives, or has arrived."""
    work, proxies = work
    worker = work.site.worker()
    for turn in range(counts(2, 100)):
        match = restarted(work, worker)
        moment = proxies.at(work.api, worker.kill, match=match, skip=turn // 2 % REQUESTS, answered=turn % 2 == 1)
        worker.start()
        moment.wait()
        worker.start()
        work.settle()


def test_worker_killed_while_seeds_are_deleted(doors, counts):
    site, proxies = doors("destination")
    work, worker = Seeds(site), site.worker()
    for turn in range(counts(1, 50)):
        restarted(work, worker)
        moment = proxies.at(DELETE_RECORDS, worker.kill, match=work.topic.encode(), answered=turn % 2 == 0)
        worker.start()
        moment.wait()
        worker.start()
        work.settle()


def test_answers_to_seeds_and_deletions_lost_on_the_wire(doors, counts):
    """Lost are answers, and requests, in turns."""
    site, proxies = doors("destination")
    work, proxy = Seeds(site), proxies.all[0]
    worker = site.worker()
    for turn in range(counts(4, 50)):
        api = (PRODUCE, DELETE_RECORDS)[turn // 2 % 2]
        lose = (proxy.lose, proxy.swallow)[turn % 2]
        match, lost = restarted(work, worker), proxy.lost
        lose(api, match=match if api == PRODUCE else work.topic.encode())
        worker.start()
        work.settle()
        assert proxy.lost > lost, "nothing was lost"


def test_worker_stopped_and_replaced(work, counts):
    """The worker is stopped when its request goes out, or when the answer comes; another one does the rest; the first
    one wakes up. Late: its request reaches the broker only when the other one has done all."""
    work, proxies = work
    for turn in range(counts(1, 20)):
        zombie = work.site.worker(start=False, **SESSION)
        match, how = work.prepare(), ("late", "answer", "request")[turn % 3]
        over = threading.Event()

        def stop():
            zombie.pause()
            assert how != "late" or over.wait(120)
        stopped = proxies.at(work.api, stop, match=match, skip=turn % REQUESTS, answered=how == "answer")
        zombie.start()
        assert stopped.there.wait(60), "no request for the worker to be stopped at"
        other = work.site.worker(**SESSION)
        work.settle()
        over.set()
        stopped.wait()
        at = len(zombie.text())
        zombie.resume()
        wait_until(lambda: not zombie.alive or len(zombie.text()) > at, 30, "the stopped one has noticed")
        time.sleep(1)  # time to do harm
        work.settle()
        for w in (zombie, other):
            if w.alive:
                w.kill()
            w.process = None


@pytest.fixture
def three(matrix, pool, make_site):
    """(a site whose destination has three nodes, the proxies before them)"""
    c = pool.behind("destination", matrix[1], THREE)
    heal([c])
    with Proxies(c) as proxies:
        yield make_site(pool.get("source", matrix[0]), c, matrix[2], destination_door=proxies.bootstrap), proxies
    heal([c])


def test_leader_moves_or_dies_while_it_seeds(three, counts):
    """With a seed, or with their deletion, on the wire: it is not there yet, or its answer is not."""
    site, proxies = three
    work = Seeds(site, ("--replication-factor", "3"))
    worker = site.worker()
    for turn in range(counts(4, 24)):
        match = restarted(work, worker)
        topic, leader = work.topic, site.destination.broker(site.destination.leaders(work.topic)[0])
        api = (PRODUCE, DELETE_RECORDS)[turn // 2 % 2]
        site.destination.wait_in_sync(topic, 3)
        moment = proxies.at(api, leader.kill if turn % 2 else lambda: site.destination.rotate_leaders(topic),
                            match=match if api == PRODUCE else topic.encode(), answered=turn // 4 % 2 == 1,
                            skip=(turn // 8 + 1) % REQUESTS if api == PRODUCE else 0)
        worker.start()
        moment.wait()
        work.settle()
        if turn % 2:
            leader.start()
        site.assert_equal(topic, 100)
