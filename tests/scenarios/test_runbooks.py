# SPDX-License-Identifier: Apache-2.0
"""The runbooks of section 7, command by command as they are written, between two clusters with the manual's names."""
import os

import pytest

from lib.runbook import Room

pytestmark = [pytest.mark.real_only, pytest.mark.one_engine]
GROUP, RECORDS, READ = "shop", 50, 20


@pytest.fixture
def room(matrix, tmp_path):
    made = Room(tmp_path, matrix[:2], {"auto.create.topics.enable": "false"})
    yield made
    made.close()


class Shop:
    """What goes on around the manual's commands."""

    def __init__(self, room):
        self.room = room
        self.words = {"orders": self.orders, "level": self.level, "groups": self.groups, "mirrored": self.mirrored,
                      "east-is-lost": self.east_is_lost, "write-west": self.write_west, "key": self.key,
                      "failed-over": self.failed_over, "tail": self.tail, "level-back": self.level_back}

    def ok(self, command):
        got = self.room.shell(command)
        assert got.returncode == 0, self.room.report()
        return got.stdout

    def orders(self):
        """A topic with records, and a group that has read some."""
        self.ok("kafka-topics.sh --bootstrap-server kafka1.east:9092 --create --topic orders --partitions 2")
        self.room.write("orders", 0, RECORDS)
        self.ok("kafka-console-consumer.sh --bootstrap-server kafka1.east:9092 --topic orders --from-beginning "
                f"--group {GROUP} --max-messages {READ}")

    def level(self):
        self.room.wait_level("orders")

    def groups(self):
        self.room.wait_group("east", GROUP)

    def mirrored(self):
        """Once for all pages of the room."""
        if self.room.workers:
            return
        self.orders()
        self.room.follow("krmirror-migration.7", {"orders": lambda: None}, until="3. PROVE THE COPY")
        self.level()
        self.groups()

    def east_is_lost(self):
        self.room.east.brokers[0].kill()

    def write_west(self):
        self.room.write("orders", RECORDS, 5, cluster="west")

    def failed_over(self):
        """And east is there again."""
        self.room.follow("krmirror-failover.7", self.words)
        with self.room.namespace.inside():
            self.room.east.brokers[0].start()

    def tail(self):
        """What was written on either side is not the same."""
        for cluster, first in (("east", 0), ("west", 3)):
            self.ok(f"kafka-topics.sh --bootstrap-server kafka1.{cluster}:9092 --create --topic carts --partitions 1")
            self.room.write("carts", first, 5, cluster)

    def level_back(self):
        for topic in ("orders", "carts"):
            self.room.wait_level(topic, "-c back.properties")

    def key(self, file):
        self.room.configure(secret__key__file=os.path.join(self.room.dir, file))


# Pages of one room. krmirror-failback(7) begins after all of krmirror-failover(7).
PAGES = (("krmirror-failback.7",), ("krmirror-migration.7",), ("krmirror-security.7",),
         ("krmirror-monitoring.7", "krmirror-drills.7"))


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages[-1].split(".")[0])
def test_runbooks_as_they_are_written(room, pages):
    shop = Shop(room)
    for page in pages:
        room.follow(page, shop.words)
