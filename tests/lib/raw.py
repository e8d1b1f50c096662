# SPDX-License-Identifier: Apache-2.0
"""A Kafka client that checks nothing: frames written by hand, so that wrong ones can be sent, and sent again."""
import socket
import struct
import time


def _table():
    out = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        out.append(i)
    return out


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 255]
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def batch(n=1, pid=-1, epoch=-1, seq=-1, ts=1704067200000, key=None, attributes=0, base=0, magic=2, delta=None,
          count=None, crc=None, value=b"value"):
    """A record batch of n records; the rest breaks it."""
    records = b""
    for i in range(n):
        k = varint(-1) if key is None else varint(len(key)) + key
        v = varint(-1) if value is None else varint(len(value)) + value
        body = b"\0" + varint(0) + varint(i) + k + v + varint(0)
        records += varint(len(body)) + body
    tail = struct.pack(">hiqqqhii", attributes, n - 1 if delta is None else delta, ts, ts, pid, epoch, seq,
                       n if count is None else count) + records
    return struct.pack(">qiibI", base, len(tail) + 9, -1, magic, crc32c(tail) if crc is None else crc) + tail


def text(s):
    return struct.pack(">h", -1) if s is None else struct.pack(">h", len(s)) + s.encode()


def array(items):
    items = list(items)
    return struct.pack(">i", len(items)) + b"".join(items)


def blob(b):
    return struct.pack(">i", len(b)) + b


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def compact(items):
    items = list(items)
    return uvarint(len(items) + 1) + b"".join(items)


def compact_text(s):
    return bytes([len(s) + 1]) + s.encode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        out = self.data[self.at:self.at + n]
        assert len(out) == n, "the answer is cut"
        self.at += n
        return out

    def get(self, form):
        out = struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))
        return out[0] if len(out) == 1 else out

    def text(self):
        n = self.get("h")
        return None if n < 0 else self.take(n).decode()

    def blob(self):
        n = self.get("i")
        return None if n < 0 else self.take(n)

    def array(self, one):
        n = self.get("i")
        return None if n < 0 else [one() for _ in range(n)]

    def uvarint(self):
        n = shift = 0
        while True:
            b = self.take(1)[0]
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    def compact(self, one):
        return [one() for _ in range(self.uvarint() - 1)]

    def compact_text(self):
        n = self.uvarint()
        return None if n == 0 else self.take(n - 1).decode()

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())


class Raw:
    """One connection."""

    def __init__(self, address):
        host, port = address.split(",")[0].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.correlation = 0

    def close(self):
        self.socket.close()

    def _exact(self, n):
        out = b""
        while len(out) < n:
            got = self.socket.recv(n - len(out))
            if not got:
                raise ConnectionError("closed by the broker")
            out += got
        return out

    def call(self, key, version, body, flexible=False):
        self.correlation += 1
        frame = struct.pack(">hhi", key, version, self.correlation) + text("raw") + (b"\0" if flexible else b"") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        size, = struct.unpack(">i", self._exact(4))
        r = Reader(self._exact(size))
        assert r.get("i") == self.correlation
        if flexible:
            r.tags()
        return r

    # -- the data path ---------------------------------------------------------------------------------

    def produce(self, topic, partition, records, acks=-1, transactional_id=None):
        """(error, base offset, log append time, log start)"""
        body = text(transactional_id) + struct.pack(">hi", acks, 10000) + array([text(topic) + array(
            [struct.pack(">i", partition) + blob(records)])])
        r = self.call(0, 8, body)
        out = r.array(lambda: (r.text(), r.array(lambda: (r.get("ihqqq"), r.array(lambda: (r.get("i"), r.text())),
                                                          r.text()))))
        return out[0][1][0][0][1:]

    def fetch(self, topic, parts, session=(0, -1), max_bytes=1 << 20, forget=(), isolation=0, wait=0, replica=-1):
        """parts: (partition, offset, max bytes, leader epoch). (error, session id, [partition, error, high
        watermark, last stable offset, log start, aborted, records])"""
        topics = [text(topic) + array(struct.pack(">iiqqi", p, epoch, offset, -1, size)
                                      for p, offset, size, epoch in parts)] if parts else []
        forgotten = [text(topic) + array(struct.pack(">i", p) for p in forget)] if forget else []
        body = struct.pack(">iiiibii", replica, wait, 1, max_bytes, isolation, *session) + array(topics) + \
            array(forgotten) + text("")
        r = self.call(1, 11, body)
        r.get("i")
        error, sid = r.get("hi")
        topics = r.array(lambda: (r.text(), r.array(lambda: (
            *r.get("ihqqq"), r.array(lambda: r.get("qq")), r.get("i"), r.blob()))))
        return error, sid, [(*p[:6], p[7]) for _, ps in topics for p in ps]

    def offset(self, topic, partition, timestamp, replica=-1, epoch=-1, version=5, isolation=0):
        """(error, timestamp, offset, leader epoch)"""
        body = struct.pack(">ib", replica, isolation) + array([text(topic) + array(
            [struct.pack(">iiq", partition, epoch, timestamp)])])
        r = self.call(2, version, body)
        r.get("i")
        return r.array(lambda: (r.text(), r.array(lambda: r.get("ihqqi"))))[0][1][0][1:]

    def epoch_end(self, topic, partition, epoch, current=-1):
        """(error, epoch, end offset)"""
        body = struct.pack(">i", -1) + array([text(topic) + array([struct.pack(">iii", partition, current, epoch)])])
        r = self.call(23, 3, body)
        r.get("i")
        error, _, epoch, end = r.array(lambda: (r.text(), r.array(lambda: r.get("hiiq"))))[0][1][0]
        return error, epoch, end

    def delete_records(self, topic, partition, offset):
        """(low watermark, error)"""
        r = self.call(21, 1, array([text(topic) + array([struct.pack(">iq", partition, offset)])]) +
                      struct.pack(">i", 10000))
        r.get("i")
        return r.array(lambda: (r.text(), r.array(lambda: r.get("iqh"))))[0][1][0][1:]

    def markers(self, topic, entries):
        """entries: (producer id, epoch, coordinator epoch, partition). {producer id: {partition: error}}"""
        body = compact(struct.pack(">qh?", pid, epoch, True) + compact([compact_text(topic) + compact(
            [struct.pack(">i", partition)]) + b"\0"]) + struct.pack(">i", coordinator) + b"\0"
            for pid, epoch, coordinator, partition in entries) + b"\0"
        r = self.call(27, 1, body, flexible=True)

        def partition():
            p = r.get("ih")
            r.tags()
            return p

        def topic_results():
            r.compact_text()
            out = r.compact(partition)
            r.tags()
            return out

        def marker():
            pid = r.get("q")
            out = dict(p for t in r.compact(topic_results) for p in t)
            r.tags()
            return pid, out
        return dict(r.compact(marker))

    def producers(self, topic, partition):
        """(error, [(id, epoch, last sequence, last timestamp, coordinator epoch, transaction start)] by id)"""
        r = self.call(61, 0, compact([compact_text(topic) + compact([struct.pack(">i", partition)]) + b"\0"]) + b"\0",
                      flexible=True)
        r.get("i")
        r.uvarint()
        r.compact_text()
        r.uvarint()
        _, error = r.get("ih")
        r.compact_text()

        def one():
            out = r.get("qiiqiq")
            r.tags()
            return out
        return error, sorted(r.compact(one))

    # -- transactions ----------------------------------------------------------------------------------

    def _again(self, ask, *transient, tries=200):
        """Until the answer is none of these errors: a coordinator that loads, a transaction that still ends."""
        for _ in range(tries):
            error, *rest = ask()
            if error not in transient:
                assert error == 0, f"error {error}"
                return rest
            time.sleep(0.05)
        raise AssertionError(f"still error {error} after {tries} tries")

    def transaction_coordinator(self, transactional_id):
        """Its HOST:PORT."""
        def ask():
            r = self.call(10, 1, text(transactional_id) + b"\1")
            r.get("i")
            error = r.get("h")
            r.text(), r.get("i")
            return error, r.text(), r.get("i")
        host, port = self._again(ask, 15)
        return f"{host}:{port}"

    def init_producer(self, transactional_id, timeout_ms=60000):
        """(producer id, epoch)"""
        def ask():
            r = self.call(22, 1, text(transactional_id) + struct.pack(">i", timeout_ms))
            r.get("i")
            return r.get("hqh")
        return self._again(ask, 14, 15, 16, 51)

    def add_partitions(self, transactional_id, pid, epoch, topic, partitions):
        self._again(lambda: (max(self.ask_add_partitions(transactional_id, pid, epoch, topic, partitions, 1).values()),),
                    14, 15, 16, 51)

    def end_transaction(self, transactional_id, pid, epoch, commit):
        self._again(lambda: (self.ask_end(transactional_id, pid, epoch, commit, 1),), 14, 15, 16, 51)

    # One answer each, whatever it is.

    def ask_init_producer(self, transactional_id, timeout=60000, pid=-1, epoch=-1):
        """(error, producer id, epoch)"""
        name = b"\0" if transactional_id is None else compact_text(transactional_id)
        r = self.call(22, 4, name + struct.pack(">iqh", timeout, pid, epoch) + b"\0", flexible=True)
        r.get("i")
        return r.get("hqh")

    def ask_add_partitions(self, transactional_id, pid, epoch, topic, partitions, version=2):
        """{partition: error}"""
        r = self.call(24, version, text(transactional_id) + struct.pack(">qh", pid, epoch) + array(
            [text(topic) + array(struct.pack(">i", p) for p in partitions)]))
        r.get("i")
        return dict(r.array(lambda: (r.text(), r.array(lambda: r.get("ih"))))[0][1])

    def add_offsets(self, transactional_id, pid, epoch, group):
        r = self.call(25, 2, text(transactional_id) + struct.pack(">qh", pid, epoch) + text(group))
        r.get("i")
        return r.get("h")

    def ask_end(self, transactional_id, pid, epoch, commit, version=2):
        r = self.call(26, version, text(transactional_id) + struct.pack(">qh?", pid, epoch, commit))
        r.get("i")
        return r.get("h")

    def txn_commit(self, transactional_id, pid, epoch, group, topic, partition, offset):
        r = self.call(28, 2, text(transactional_id) + text(group) + struct.pack(">qh", pid, epoch) + array(
            [text(topic) + array([struct.pack(">iqi", partition, offset, -1) + text("")])]))
        r.get("i")
        return r.array(lambda: (r.text(), r.array(lambda: r.get("ih"))))[0][1][0][1]

    def describe_txn(self, transactional_id):
        """(error, state, timeout, whether it has a start, partitions)"""
        r = self.call(65, 0, compact([compact_text(transactional_id)]) + b"\0", flexible=True)
        r.get("i")

        def topic():
            name, parts = r.compact_text(), r.compact(lambda: r.get("i"))
            r.tags()
            return name, parts

        def one():
            error, _, state = r.get("h"), r.compact_text(), r.compact_text()
            timeout, start, _, epoch = r.get("iqqh")
            topics = r.compact(topic)
            r.tags()
            return error, state, timeout, start >= 0, epoch, topics
        return r.compact(one)[0]

    # -- groups ----------------------------------------------------------------------------------------

    def find_coordinator(self, group):
        r = self.call(10, 1, text(group) + b"\0")
        r.get("i")
        return r.get("h")

    def join(self, group, member="", instance=None, session=10000, kind="consumer", protocols=("range",)):
        """(error, generation, protocol, leader, member, members)"""
        r = self.call(11, 5, text(group) + struct.pack(">ii", session, 10000) + text(member) + text(instance) +
                      text(kind) + array(text(p) + blob(b"meta") for p in protocols))
        r.get("i")
        return (*r.get("hi"), r.text(), r.text(), r.text(), r.array(lambda: (r.text(), r.text(), r.blob())))

    def sync(self, group, generation, member, assignments=()):
        r = self.call(14, 3, text(group) + struct.pack(">i", generation) + text(member) + text(None) +
                      array(text(m) + blob(a) for m, a in assignments))
        r.get("i")
        return r.get("h"), r.blob()

    def heartbeat(self, group, generation, member, instance=None):
        r = self.call(12, 3, text(group) + struct.pack(">i", generation) + text(member) + text(instance))
        r.get("i")
        return r.get("h")

    def leave(self, group, member, instance=None):
        r = self.call(13, 3, text(group) + array([text(member) + text(instance)]))
        r.get("i")
        return r.get("h"), [m[2] for m in r.array(lambda: (r.text(), r.text(), r.get("h")))]

    def commit(self, group, topic, partition, offset, generation=-1, member="", instance=None, metadata=""):
        r = self.call(8, 7, text(group) + struct.pack(">i", generation) + text(member) + text(instance) +
                      array([text(topic) + array([struct.pack(">iqi", partition, offset, -1) + text(metadata)])]))
        r.get("i")
        return r.array(lambda: (r.text(), r.array(lambda: r.get("ih"))))[0][1][0][1]

    def committed(self, group, topic, partition):
        """(offset, leader epoch, metadata, error, error of the group)"""
        r = self.call(9, 5, text(group) + array([text(topic) + array([struct.pack(">i", partition)])]))
        r.get("i")
        out = r.array(lambda: (r.text(), r.array(lambda: (r.get("iqi"), r.text(), r.get("h")))))[0][1][0]
        return (*out[0][1:], *out[1:], r.get("h"))

    def committed_stable(self, group, topic, partition):
        """(offset, error), not while a transaction is about to commit one"""
        r = self.call(9, 7, compact_text(group) + compact([compact_text(topic) + compact(
            [struct.pack(">i", partition)]) + b"\0"]) + b"\1\0", flexible=True)
        r.get("i")
        r.uvarint()
        r.compact_text()
        r.uvarint()
        _, offset, _ = r.get("iqi")
        r.compact_text()
        return offset, r.get("h")

    def create(self, name, partitions=1, factor=1, config=(), validate=False, assignments=()):
        r = self.call(19, 4, array([text(name) + struct.pack(">ih", partitions, factor) + array(
            struct.pack(">i", p) + array(struct.pack(">i", b) for b in brokers) for p, brokers in assignments) +
            array(text(k) + text(v) for k, v in config)]) + struct.pack(">i?", 10000, validate))
        r.get("i")
        return r.array(lambda: (r.text(), r.get("h"), r.text()))[0][1]

    def grow(self, name, count):
        r = self.call(37, 1, array([text(name) + struct.pack(">i", count) + struct.pack(">i", -1)]) +
                      struct.pack(">i?", 10000, False))
        r.get("i")
        return r.array(lambda: (r.text(), r.get("h"), r.text()))[0][1]
