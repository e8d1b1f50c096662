# SPDX-License-Identifier: Apache-2.0
"""Runbooks: man pages of section 7 whose command blocks are run as they are written.

In a literal block a line that begins with "$ " is a command, the lines below it are what it may print. After
"$ cat FILE" they are what FILE holds: the reader is to write it so, and here it is written. Remarks in the page's source,
which no reader sees, say what happens between the commands:

    .\\" run: WORD ...      calls that word of the test
    .\\" exit: N            what the next command ends with, other than 0
    .\\" prints: TEXT       the output of the command before must have it
"""
import json
import os
import re
import shlex
import subprocess

from .jvm import java
from .kafka import KafkaCluster, Node
from .krm import BUILD, TOP, properties
from .netns import Namespace
from .util import die_with_parent, wait_until

HOSTS = {"kafka1.east": "127.0.1.1", "kafka1.west": "127.0.2.1"}
PORT = 9092
# Kafka's own commands as its packages install them.
TOOLS_VERSION = "4.3.0"
TOOLS = {"kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
         "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
         "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
         "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
         "kafka-configs.sh": "kafka.admin.ConfigCommand",
         "kafka-acls.sh": "org.apache.kafka.tools.AclCommand"}


class Step:
    """A command of the page, or a word for the test."""

    def __init__(self, line, section, command=None, word=None, code=0):
        self.line, self.section, self.command, self.word, self.code = line, section, command, word, code
        self.shown, self.prints = [], []

    @property
    def file(self):
        words = shlex.split(self.command) if self.command else []
        return words[1] if len(words) == 2 and words[0] == "cat" else None


def plain(text):
    """A line of mdoc as a reader sees it."""
    for escape, meaning in (("\\(aq", "'"), ("\\(dq", '"'), ("\\-", "-"), ("\\&", ""), ("\\e", "\\")):
        text = text.replace(escape, meaning)
    return text


def steps(page):
    """What is to be done, in the page's order."""
    out, last, literal, code, section = [], None, False, 0, None
    with open(page) as f:
        lines = f.read().splitlines()
    for number, line in enumerate(lines, 1):
        remark = re.match(r'\.\\" (run|exit|prints): (.*)', line)
        if remark:
            kind, text = remark.groups()
            if kind == "run":
                out.append(Step(number, section, word=text.split()))
            elif kind == "exit":
                code = int(text)
            else:
                out[-1].prints.append(text)
        elif line.startswith(".Sh "):
            section = line[4:]
        elif line.startswith(".Bd -literal") or line.startswith(".Ed"):
            literal, last = line.startswith(".Bd"), None
        elif literal and line.startswith("$ "):
            last = Step(number, section, command=plain(line[2:]), code=code)
            out.append(last)
            code = 0
        elif literal and last and last.command.endswith("\\"):
            last.command = last.command[:-1] + plain(line).strip()
        elif literal and last:
            last.shown.append(plain(line))
    assert out, f"{page} has no command"
    return out


class NamedNode(Node):
    """A broker that is known by a name and stands at the port of the manual."""

    @property
    def address(self):
        return f"{HOSTS[self.cluster.host]}:{PORT}"

    def doors(self):
        return [f"PLAINTEXT://{self.address}"], [f"PLAINTEXT://{self.cluster.host}:{PORT}"]

    def command(self):
        c = self.cluster
        return java(c.version, "kafka.Kafka", self.config_file, heap=c.heap,
                    options=[f"-Djdk.net.hosts.file={c.hosts_file}"])


class NamedCluster(KafkaCluster):
    def __init__(self, dir, version, host, hosts_file, config=None):
        self.host, self.hosts_file = host, hosts_file
        super().__init__(dir, version, name=host, heap="320m", config=config)

    def make_nodes(self):
        self.brokers = self.controllers = [NamedNode(self, 1, ("broker", "controller"))]


class Room:
    """The two clusters of the manual, east and west, a worker beside west, and a shell that knows their names."""

    def __init__(self, dir, versions, config=None):
        self.dir = str(dir)
        self.namespace = Namespace()
        etc = f"/etc/netns/{self.namespace.name}"
        os.makedirs(etc)
        self.hosts_file = os.path.join(etc, "hosts")
        with open(self.hosts_file, "w") as f:
            f.writelines(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **HOSTS}.items())
        self.east, self.west = (NamedCluster(dir, v, host, self.hosts_file, config) for v, host in zip(versions, HOSTS))
        self.workers = {}    # by their configuration files
        self.transcript = []
        self.bin = os.path.join(self.dir, "bin")
        self._make_commands()
        self.env = dict(os.environ, KRMIRROR_CONFIG=os.path.join(self.dir, "krmirror.properties"),
                        PATH=f"{self.bin}:{os.environ['PATH']}")
        self.configure()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        with self.namespace.inside():
            for c in (self.east, self.west):
                c.launch()
            for c in (self.east, self.west):
                c.wait_ready()

    def _make_commands(self):
        os.makedirs(self.bin)
        for name in ("krmirror", "krmirrord"):
            os.symlink(os.path.join(BUILD, name), os.path.join(self.bin, name))
        for name, cls in TOOLS.items():
            path = os.path.join(self.bin, name)
            with open(path, "w") as f:
                f.write("#!/bin/sh\nexec " + shlex.join(java(TOOLS_VERSION, cls, options=[
                    f"-Djdk.net.hosts.file={self.hosts_file}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"])) + ' "$@"\n')
            os.chmod(path, 0o755)

    def configure(self, **more):
        """Writes krmirror.properties; dots are double underscores."""
        properties(self.env["KRMIRROR_CONFIG"], {"bootstrap.servers": f"kafka1.west:{PORT}"} |
                   {k.replace("__", "."): v for k, v in more.items()})

    def _inside(self, *command):
        """In a mount namespace too: /etc/hosts is the room's."""
        return ["ip", "netns", "exec", self.namespace.name, *command]

    def shell(self, command, deadline=120):
        got = subprocess.run(self._inside("sh", "-c", command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", timeout=deadline, cwd=self.dir,
                             env=self.env)
        self.transcript.append(f"$ {command}\n{got.stdout}[{got.returncode}]")
        return got

    def krmirrord(self, verb, config=None):
        """What the service manager does."""
        config = config or self.env["KRMIRROR_CONFIG"]
        if verb == "start":
            with open(os.path.join(self.dir, "krmirrord.log"), "ab") as log:
                self.workers[config] = subprocess.Popen(
                    self._inside(os.path.join(self.bin, "krmirrord"), "-c", config, "--foreground"), stdout=log,
                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.dir, env=self.env,
                    start_new_session=True, preexec_fn=die_with_parent)
        else:
            worker = self.workers.pop(config)
            worker.terminate()
            assert worker.wait(30) == 0

    def do(self, step):
        """One command of a page."""
        if step.file:
            properties(os.path.join(self.dir, step.file), {})
            with open(os.path.join(self.dir, step.file), "w") as f:
                f.write("\n".join(step.shown) + "\n")
            return
        service = re.fullmatch(r"systemctl (start|stop) krmirrord", step.command)
        if service:
            self.krmirrord(service.group(1))
            return
        by_hand = re.fullmatch(r"krmirrord -c (\S+)", step.command)
        if by_hand:
            self.krmirrord("start", by_hand.group(1))
            return
        got = self.shell(step.command)
        assert got.returncode == step.code, f"line {step.line}: exit {got.returncode}, not {step.code}\n{self.report()}"
        for text in step.prints:
            assert text in got.stdout, f"line {step.line}: no {text!r} in what it prints\n{self.report()}"

    def follow(self, page, words, until=None):
        """Runs the page to its end, or to a section. words: what the remarks of the page call."""
        for step in steps(os.path.join(TOP, "man", page)):
            if step.section == until:
                return
            if step.word:
                words[step.word[0]](*step.word[1:])
            else:
                self.do(step)

    def write(self, topic, first, count, cluster="east", partitions=None):
        """Records with keys, by Kafka's own producer."""
        text = "".join(f"key-{i}:value {i}\n" for i in range(first, first + count))
        got = subprocess.run(self._inside(
            os.path.join(self.bin, "kafka-console-producer.sh"), "--bootstrap-server", f"kafka1.{cluster}:{PORT}",
            "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"),
            input=text, capture_output=True, text=True, timeout=60, env=self.env)
        assert got.returncode == 0, got.stderr

    def wait_level(self, topic, options="", deadline=90):
        def level():
            got = self.shell(f"krmirror {options} mirror describe {topic} -o json")
            rows = json.loads(got.stdout) if got.returncode == 0 else []
            return rows and all(r["state"] == "COPYING" and r["partition_mirror_lag"] == 0 for r in rows)
        wait_until(level, deadline, lambda: f"{topic} has no lag\n{self.report()}", every=0.5)

    def wait_group(self, link, group, deadline=60):
        """Until the group stands on west where it stands on east."""
        def there():
            got = self.shell(f"krmirror group list --link {link} -o json")
            rows = json.loads(got.stdout) if got.returncode == 0 else []
            return any(r["group_id"] == group and r["offsets_behind"] == 0 for r in rows)
        wait_until(there, deadline, lambda: f"group {group} is level\n{self.report()}", every=0.5)

    def report(self):
        with open(os.path.join(self.dir, "krmirrord.log"), "a+", errors="replace") as f:
            f.seek(0)
            return "\n".join(self.transcript[-6:]) + "\n-- krmirrord\n" + f.read()[-4000:]

    def close(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        for c in (self.east, self.west):
            c.stop()
        os.remove(self.hosts_file)
        os.rmdir(os.path.dirname(self.hosts_file))
        self.namespace.__exit__()


def page_names():
    """All runbooks of the checkout."""
    return sorted(p for p in os.listdir(os.path.join(TOP, "man")) if p.endswith(".7"))
