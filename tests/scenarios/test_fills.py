# SPDX-License-Identifier: Apache-2.0
"""Fills while things fail: never one offset too many, whatever is killed, stopped or lost on the wire."""
import random
import struct
import threading
import time

import pytest

from conftest import KRMIRROR
from lib import judge
from lib.ids import filler_id
from lib.produce import Load, produce
from lib.proxy import LIST_OFFSETS, WRITE_TXN_MARKERS
from lib.raw import Raw, compact, compact_text
from lib.transactions import Interleaved, producer
from lib.util import wait_until

HOLE = 20000


class Holes:
    """A producer whose transactions are aborted: holes of any length, each between two records."""

    def __init__(self, site, topic, partition=0):
        self.site, self.topic, self.partition = site, topic, partition
        self.producer = producer(site.source, f"holes-{topic}",
                                 **{"linger.ms": 5, "queue.buffering.max.messages": 1000000})
        self.records = 0

    def add(self, offsets):
        """One hole of so many offsets at least: it is longer by the marker."""
        self._record()
        self.hole(offsets)
        self._record()

    def hole(self, offsets):
        self.producer.begin_transaction()
        for i in range(offsets):
            self.producer.produce(self.topic, b"gone", None, self.partition)
            if i % 10000 == 0:
                self.producer.poll(0)
        assert self.producer.flush(60) == 0
        self.producer.abort_transaction(60)

    def _record(self):
        produce(self.site.source, self.topic, 1, only=[self.partition], first=self.records)
        self.records += 1


def equal(site, topic, count, **deadline):
    """Both ends stand still at the same offset, and so does every record."""
    site.wait_transactions(topic)
    site.wait_caught_up(topic, **deadline)
    site.assert_equal(topic, count)
    assert judge.whole(site.source, topic) == judge.whole(site.destination, topic)


def in_the_hole(site, topic, start, end):
    """Waits until the fill is under way; True when it is not over yet."""
    wait_until(lambda: site.destination.ends(topic)[0] > start, 60, "the fill begins", every=0.01)
    return site.destination.ends(topic)[0] < end


def test_killed_while_it_fills(site, counts):
    """The destination is held until all is fetched, and let go a moment before the kill."""
    topic = site.mirrored("fill")
    holes, rng, inside = Holes(site, topic), random.Random(1), 0
    worker = site.worker()
    holes.add(10)
    equal(site, topic, holes.records)
    for turn in range(counts(5, 100)):
        end = site.source.ends(topic)[0] + HOLE
        site.destination.hold()
        holes.add(HOLE)
        time.sleep(0.3)
        site.destination.release()
        time.sleep(rng.random() * (0.05 if site.destination.kind == "sandbox" else 0.5))  # the moment is what varies
        worker.kill()
        inside += end - HOLE < site.destination.ends(topic)[0] < end
        worker.start()
        site.wait_caught_up(topic)
    equal(site, topic, holes.records)
    assert inside > 0, "no kill fell into a fill"


def test_stopped_while_it_fills_and_replaced(site, counts):
    """The worker is stopped in the middle of a fill, another one finishes it, the first one wakes up."""
    for turn in range(counts(1, 20)):
        site.link = f"link-{site.id}-{turn}"
        topic = f"{site.topic('zombie')}-{turn}"
        site.source.create_topic(topic, 1)
        site.create_link()
        site.create_mirror(topic)
        holes = Holes(site, topic)
        zombie = site.worker(session__timeout__ms=6000)
        holes.add(100)
        equal(site, topic, holes.records)
        site.destination.hold()
        holes.add(4 * HOLE)
        time.sleep(0.5)
        site.destination.release()
        in_the_hole(site, topic, holes_start := site.destination.ends(topic)[0], site.source.ends(topic)[0])
        zombie.pause()
        assert site.lag(topic) > 0, f"the fill from {holes_start} was over: the scenario would prove nothing"
        other = site.worker(session__timeout__ms=6000)
        wait_until(lambda: site.lag(topic) == 0, 60, "the other worker fills the rest")
        at = len(zombie.text())
        zombie.resume()
        wait_until(lambda: not zombie.alive or len(zombie.text()) > at, 30, "the stopped one has noticed")
        time.sleep(1)  # time to do harm
        holes.add(50)
        equal(site, topic, holes.records)
        for w in (zombie, other):
            if w.alive:
                w.kill()
            w.process = None


def test_somebody_writes_into_a_fill(site):
    """One record of a foreign producer between our markers: the partition stops as DIVERGED."""
    topic = site.mirrored("fill")
    holes = Holes(site, topic)
    site.worker()
    holes.add(10)
    equal(site, topic, holes.records)
    start = site.source.ends(topic)[0]
    site.destination.hold()
    holes.add(4 * HOLE)
    site.destination.release()
    wait_until(lambda: site.destination.ends(topic)[0] > start + 1, 60, "the fill begins", every=0.005)
    produce(site.destination, topic, 1)
    holes.add(1)   # where the fill was over already, the next append finds it
    row = site.wait_partition(topic, 0, state="FAILED", reason="DIVERGED")
    assert "wrote to the mirror topic" in row["mirror_topic_error"], row
    site.row(topic, codes=(8,))


@pytest.mark.real_only
@pytest.mark.parametrize("length", (1, HOLE), ids=("short", "long"))
def test_answers_to_fills_lost_on_the_wire(doors, counts, length):
    """The broker has written, the worker never hears of it: also the answer to a claim."""
    site, proxies = doors("destination")
    topic, turns = site.mirrored("fill"), counts(2, 50)
    holes = Holes(site, topic)
    site.worker()
    for _ in range(turns):
        for api in (WRITE_TXN_MARKERS, LIST_OFFSETS):
            holes.add(100)
            proxies.all[0].lose(WRITE_TXN_MARKERS)
            proxies.all[0].lose(api)
            holes.add(length)
            wait_until(lambda: (holes.add(1), not proxies.all[0].losing)[1], 60, "answers were lost", every=0.2)
    equal(site, topic, holes.records)
    assert proxies.all[0].lost >= turns


@pytest.mark.real_only
def test_a_claim_that_may_still_be_under_way(doors, counts):
    """A claim is lost before the broker has it: for all that is known it may come later, so it is not sent again with
    the same numbers. The worker takes another claim number."""
    site, proxies = doors("destination")
    topic = site.mirrored("fill")
    holes = Holes(site, topic)
    worker = site.worker()
    holes.add(1)
    equal(site, topic, holes.records)
    for turn in range(counts(2, 20)):
        worker.kill()
        proxies.all[0].swallow(WRITE_TXN_MARKERS, 1 + turn % 2)
        worker.start()
        holes.add(3)
        wait_until(lambda t=turn: worker.text().count("claims anew") > t, 60, "another claim")
        equal(site, topic, holes.records)


# ---- rotation ----

@pytest.mark.parametrize("epoch", (32767, 20000), ids=("closed", "half-used"))
def test_a_filler_id_is_rotated(site, epoch):
    """A door has closed the id; or its epochs are half used up. What stands there is part of the hole, so nothing is
    wrong with it; the next id is recorded, and fills."""
    topic = site.mirrored("fill")
    holes = Holes(site, topic)
    worker = site.worker()
    for rotation in range(3):
        holes.add(4)
        equal(site, topic, holes.records)
        worker.terminate()
        holes.hole(9)
        site.wait_transactions(topic)   # no marker of ours before the source has its own
        entry = (filler_id(site.link, topic, 0, rotation), epoch, 2**31 - 1 if epoch == 32767 else 64000, 0)
        c = Raw(site.destination.bootstrap)
        assert c.markers(topic, [entry]) == {entry[0]: {0: 0}}
        c.close()
        worker.start()
        site.wait_caught_up(topic)
        holes.add(4)
        equal(site, topic, holes.records)
        told = f"the filler id is to be rotated rotation={rotation + 1}"
        wait_until(lambda t=told: t in worker.text(), 30, told)
        worker.kill()   # the rotation is recorded before it is used: whoever comes next knows the log's tail
        worker.start()


# ---- without the right for markers ----

def text_of(site, topic):
    return site.ok("mirror", "describe", topic, "--link", site.link).out


@pytest.mark.real_only
@pytest.mark.one_engine
def test_without_the_right_for_markers(without_markers, counts):
    """Empty transactions fill; without the right for these too, the partition stops and the right is named."""
    site, n = without_markers(), counts(20, 2000)
    topic = site.mirrored("fill", 2)
    holes = Holes(site, topic)
    worker = site.worker()
    crowd = Interleaved(site.source, topic, 2).run(n // 4)
    holes.add(n)
    equal(site, topic, holes.records + crowd.expect)
    assert "empty transactions" in text_of(site, topic)
    kills = counts(2, 20)
    for _ in range(kills):   # whatever a killed worker leaves open
        holes.add(n)
        worker.kill()
        worker.start()
    # one offset each: 330 a second at best
    equal(site, topic, holes.records + crowd.expect, deadline=60 + n * kills // 50)
    site.destination.create_acl("TRANSACTIONAL_ID", "krmirror/", "User:*", "WRITE", allow=False, pattern="PREFIXED",
                                host=KRMIRROR)
    holes.add(3)
    worker.kill()
    worker.start()
    row = site.wait_partition(topic, 0, state="FAILED", reason="FILL_REFUSED")
    for word in ("CLUSTER_ACTION", "TransactionalId krmirror/", "WRITE"):
        assert word in row["mirror_topic_error"], row


def bare_rate(cluster, topic, seconds):
    """Markers a second that one connection gets from the broker in a bare loop, 1000 entries a request."""
    c = Raw(cluster.bootstrap)
    entry = struct.pack(">qh?", 12345678, 1, True) + compact(
        [compact_text(topic) + compact([struct.pack(">i", 0)]) + b"\0"]) + struct.pack(">i", 1) + b"\0"
    body = compact([entry] * 1000) + b"\0"
    c.call(27, 1, body, flexible=True)
    n, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        c.call(27, 1, body, flexible=True)
        n += 1000
    c.close()
    return n / (time.monotonic() - began)


class Watch:
    """While it is entered: the end of one topic, and how far another one's copy is behind its producer, five times a
    second."""

    def __init__(self, cluster, topic, other, load):
        self.cluster, self.topic, self.other, self.load = cluster, topic, other, load
        self.ends, self.worst, self.error = [], 0, None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self._stop.wait(0.2):
                acknowledged = self.load.done.count
                self.worst = max(self.worst, acknowledged - self.cluster.ends(self.other, [0])[0])
                self.ends.append((time.monotonic(), self.cluster.ends(self.topic, [0])[0]))
        except Exception as e:  # told to whoever asks for the rate
            self.error = e

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join(60)

    def rate(self, first, last):
        """Offsets a second between these two; None before the end has come to the last."""
        assert self.error is None, self.error
        seen = [e for e in self.ends if e[1] > first]
        at = next((e for e in seen if e[1] >= last), None)
        return at and (at[1] - seen[0][1]) / (at[0] - seen[0][0])


@pytest.mark.real_only
def test_the_rate_of_fills(site, counts, limit):
    """At least 60% of a bare loop; another partition keeps up with its producer meanwhile. The loop and the fill take
    turns, and have the same beside them: that producer, its copy, and who watches."""
    bare, other, n = site.topic("bare"), site.topic("other"), counts(50000, 500000)
    topics = [site.topic(f"fill{i}") for i in range(4)]
    site.destination.create_topic(bare, 1)
    for t in (*topics, other):
        site.source.create_topic(t, 1)
    for t in topics:
        Holes(site, t).add(n)
    site.create_link()
    site.create_mirror(other)
    site.worker()
    with Load(site.source, other, 1, rate=1000) as load:
        def loop(seconds):
            with Watch(site.destination, bare, other, load):
                return bare_rate(site.destination, bare, seconds)
        loop(2)   # the broker has not written many markers yet
        loops, fills, worst = [loop(5)], [], 0
        for t in topics:
            site.create_mirror(t)
            with Watch(site.destination, t, other, load) as watch:
                fills.append(wait_until(lambda w=watch: w.rate(1000, n * 9 // 10), 300, "the hole is filled", every=1))
            worst = max(worst, watch.worst)
            site.wait_caught_up(t)
            loops.append(loop(5))
    rate, filled = sum(loops) / len(loops), sum(fills) / len(fills)
    told = (f"bare loop {rate:.0f} markers/s ({' '.join(f'{r:.0f}' for r in loops)}), fills {filled:.0f}/s "
            f"({' '.join(f'{r:.0f}' for r in fills)}): {filled / rate:.2f}; the other partition {worst} behind at worst")
    print(told)
    assert filled >= limit(0.1, 0.6) * rate, told
    assert worst <= limit(10000, 1000), f"more than its producer writes in a second: {told}"
    for t in topics:
        equal(site, t, 2)
    site.wait_caught_up(other)
    site.assert_equal(other, load.done.count)


def test_a_hole_beyond_the_limit(site):
    """It is refused with what it would cost; nothing above the limit is written."""
    topic = site.mirrored("limit", mirror__fill__limit=100)
    holes = Holes(site, topic)
    holes.add(90)
    site.worker()
    equal(site, topic, holes.records)
    start = site.source.ends(topic)[0]
    holes.add(500)
    row = site.wait_partition(topic, 0, state="FAILED", reason="FILL_LIMIT")
    for word in ("mirror.fill.limit is 100", f"offset {start + 1}", "MiB"):
        assert word in row["mirror_topic_error"], row
    assert start < site.destination.ends(topic)[0] <= start + 101
    site.assert_equal(topic, holes.records - 1, upto={0: start + 1}, ends=False)


def test_interleaved_producers_and_kills(site, counts):
    """A crowd of transactional producers while the worker is killed again and again."""
    topic = site.mirrored("fill", 2)
    crowd = Interleaved(site.source, topic, 2)
    worker = site.worker()
    with Load(site.source, topic, 2, rate=200) as load:
        for _ in range(counts(3, 40)):
            crowd.run(8)
            worker.kill()
            worker.start()
    equal(site, topic, crowd.expect + load.done.count)


# ---- leaders that move ----

@pytest.fixture
def three(matrix, pool, make_site):
    """One source node, three at the destination."""
    c = pool.new(matrix[1], "three", nodes=3).start()
    source, _ = pool.pair(matrix[0], matrix[0])
    yield make_site(source, c, matrix[2])
    pool.drop(c)


@pytest.mark.real_only
def test_leaders_move_and_die_while_holes_are_filled(three, counts):
    site, partitions = three, 3
    topic = site.topic("moving")
    site.source.create_topic(topic, partitions)
    site.create_link()
    site.create_mirror(topic, "--replication-factor", "3")
    worker = site.worker()
    crowd = Interleaved(site.source, topic, partitions)
    holes = Holes(site, topic)
    for turn in range(counts(6, 100)):
        crowd.run(6)
        holes.add(HOLE // 4)
        if turn % 3 < 2:
            site.destination.rotate_leaders(topic)
        else:
            leader = site.destination.broker(site.destination.leaders(topic)[0])
            leader.kill()
            crowd.run(3)
            leader.start()
            site.destination.wait_in_sync(topic, 3)
    equal(site, topic, holes.records + crowd.expect)
    worker.check_alive()
