# SPDX-License-Identifier: Apache-2.0
"""Fixtures: cluster pairs that tests share, sites that they do not, and counts, small or full."""
import os
import re
import shutil
import signal
import time

import pytest

from lib.authority import Authority
from lib.kafka import real_cluster
from lib.krm import BUILD, Site
from lib.proxy import Proxies
from lib.sandbox import SandboxCluster

THREE = 3


def pytest_addoption(parser):
    parser.addoption("--pairs", default=os.environ.get("KRMIRROR_PAIRS", "4.3.0:4.3.0,sandbox:sandbox"),
                     help="SOURCE:DESTINATION[:ENGINE],... each a Kafka version or 'sandbox'")
    parser.addoption("--engines", default=os.environ.get("KRMIRROR_ENGINES", "io_uring"),
                     help="io_uring,epoll for the pairs that name none")
    parser.addoption("--no-kafka", action="store_true", help="skip what needs a JVM")
    parser.addoption("--full-log", help="append each result to this file, and leave out what passed before")
    parser.addoption("--full-commit", default="?", help="the commit that --full-log names")
    parser.addoption("--full", action="store_true", default=os.environ.get("KRMIRROR_FULL") == "1",
                     help="the counts that the issues state, in place of small ones")


def pytest_configure(config):
    signal.signal(signal.SIGTERM, lambda signum, frame: signal.raise_signal(signal.SIGINT))
    config.addinivalue_line("markers", "real_only: needs what only real Kafka has")
    config.addinivalue_line("markers", "jvm: needs Java's own tools")
    config.addinivalue_line("markers", "one_engine: the data loop has no part in it; the first engine is enough")


def _matrix(config):
    out = []
    for pair in config.getoption("--pairs").split(","):
        words = pair.split(":")
        engines = words[2:] or config.getoption("--engines").split(",")
        out += [(words[0], words[1], engine) for engine in engines]
    return out


def pytest_generate_tests(metafunc):
    if "matrix" not in metafunc.fixturenames:
        return
    entries = _matrix(metafunc.config)
    marks = {m.name for m in metafunc.definition.iter_markers()}
    if "real_only" in marks:
        entries = [e for e in entries if "sandbox" not in e]
    if "one_engine" in marks:
        entries = [e for i, e in enumerate(entries) if e[:2] not in [x[:2] for x in entries[:i]]]
    metafunc.parametrize("matrix", entries, ids=["-".join(e) for e in entries], scope="session")


def _real_alone(item):
    spec = getattr(item, "callspec", None)
    matrix = spec.params.get("matrix") if spec else None
    return item.get_closest_marker("real_only") is not None and isinstance(matrix, tuple) and "sandbox" in matrix


def pytest_collection_modifyitems(config, items):
    """Leaves out what passed before in a full run, and values of parameters that only real Kafka has; skips, and so
    counts, what needs a JVM where none may be had."""
    if config.getoption("--no-kafka"):
        for item in items:
            if item.get_closest_marker("jvm"):
                item.add_marker(pytest.mark.skip(reason="--no-kafka"))
    passed = _passed_before(config)
    gone = [i for i in items if _scenario(i.nodeid) in passed or _real_alone(i)]
    config.hook.pytest_deselected(items=gone)
    items[:] = [i for i in items if i not in gone]


def _scenario(nodeid):
    """kill::test_x[...] of scenarios/test_kill.py::test_x[...]"""
    return re.sub(r"^.*test_(\w+)\.py::", r"\1::", nodeid)


def _passed_before(config):
    path = config.getoption("--full-log")
    if not path or not os.path.exists(path):
        return set()
    with open(path) as f:
        rows = [[c.strip() for c in line.strip().strip("|").split("|")] for line in f if line.startswith("|")]
    return {r[1] for r in rows if len(r) == 5 and r[0] == config.getoption("--full-commit") and r[4] == "passed"}


FULL_HEAD = """# Full runs

One line per scenario, appended by `tools/check --full`; count: the numbers that it chose, largest first.

| commit | scenario | count | seconds | result |
| --- | --- | --- | --- | --- |
"""


def _log_full(item, result, seconds):
    path = item.config.getoption("--full-log")
    if not path:
        return
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.write(FULL_HEAD)
    counts = " ".join(f"{n}" for n in sorted(set(getattr(item, "chosen_counts", ())), reverse=True)) or "1"
    with open(path, "a") as f:
        f.write(f"| {item.config.getoption('--full-commit')} | {_scenario(item.nodeid)} | {counts} "
                f"| {seconds:.0f} | {result} |\n")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """No test may hang the suite: its own deadlines come first, this is the last resort."""
    limit = 3600 if item.config.getoption("--full") else 600

    def late(signum, frame):
        raise TimeoutError(f"the test still runs after {limit} s")
    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit)
    started = time.monotonic()
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)
    reports = [getattr(item, f"report_{when}", None) for when in ("setup", "call", "teardown")]
    ran = [r for r in reports if r is not None]
    if ran and not any(r.skipped for r in ran):
        good = len(ran) == 3 and all(r.passed for r in ran)
        _log_full(item, "passed" if good else "FAILED", time.monotonic() - started)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)
    if report.failed:
        for site in getattr(item, "sites", ()):
            report.sections.append(("krmirror", site.report()))


class Pool:
    """Clusters for the whole run, started when first asked for, several at the same time."""

    def __init__(self, dir):
        self.dir, self.shared, self.all = dir, {}, []

    def new(self, version, name, nodes=1, config=None, **more):
        c = (SandboxCluster(self.dir, name=name) if version == "sandbox" else
             real_cluster(self.dir, version, nodes=nodes, config=config, name=f"{name}-{version}", **more))
        self.all.append(c)
        return c

    def pair(self, source, destination, nodes=1):
        """A shared pair of (source, destination) clusters."""
        keys = [("source", source, nodes), ("destination", destination, nodes)]
        fresh = {k: self.new(k[1], k[0] + (f"{nodes}" if nodes > 1 else ""), nodes) for k in keys
                 if k not in self.shared}
        start(fresh.values())
        self.shared |= fresh
        return tuple(self.shared[k] for k in keys)

    def get(self, side, version, nodes=1, **more):
        """One shared cluster."""
        key = (side, version, nodes)
        if key not in self.shared:
            self.shared[key] = self.new(version, side + (f"{nodes}" if nodes > 1 else ""), nodes, **more).start()
        return self.shared[key]

    def behind(self, side, version, nodes=1):
        """A shared cluster whose brokers have a second door, for proxies."""
        return self.get(f"behind-{side}", version, nodes, proxied=True)

    def drop_special(self):
        """All but the pairs of one node each that every file uses: an idle broker costs 4 % of a processor."""
        self.drop(*{id(c): c for (side, _, nodes), c in self.shared.items()
                    if nodes > 1 or side not in ("source", "destination")}.values())

    def drop(self, *clusters):
        for c in clusters:
            self.all.remove(c)
            self.shared = {k: v for k, v in self.shared.items() if v is not c}
            c.stop()


def start(clusters):
    for c in clusters:
        c.launch()
    for c in clusters:
        c.wait_ready()


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    p = Pool(tmp_path_factory.mktemp("clusters"))
    try:
        yield p
    finally:
        errors = []
        for c in p.all:
            try:
                c.stop()
            except AssertionError as e:
                errors.append(str(e))
        assert not errors, "\n".join(errors)


@pytest.fixture(autouse=True, scope="module")
def special_clusters_end_with_their_file(pool):
    yield
    pool.drop_special()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Who signs the certificates of a file's clusters."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def full(pytestconfig):
    return pytestconfig.getoption("--full")


@pytest.fixture
def counts(request, full):
    """counts(small, full): the number for this run; it is recorded with the result."""
    request.node.chosen_counts = []

    def choose(small, big):
        n = big if full else small
        request.node.chosen_counts.append(n)
        return n
    return choose


@pytest.fixture
def limit(full):
    """limit(small, full): a bound on time or speed. The full one is promised, and holds on a machine of its own; beside
    small counts other scenarios run."""
    return lambda small, big: big if full else small


def _save(request, sites, clusters):
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", request.node.name)
    to = os.path.join(os.environ.get("KRMIRROR_ARTIFACTS") or os.path.join(BUILD, "scenario-logs"), name)
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    for s in sites:
        for w in s.workers:
            if os.path.exists(w.log):
                shutil.copy(w.log, to)
        with open(os.path.join(to, "commands.txt"), "a") as f:
            f.write("\n\n".join(s.transcript) + "\n")
    for c in clusters:
        c.save_logs(to)


@pytest.fixture
def make_site(request, tmp_path_factory):
    """make_site(source, destination, engine, own_control=True): closed, and its logs kept on failure."""
    sites = request.node.sites = []

    def make(source, destination, engine="auto", **kw):
        s = Site(tmp_path_factory.mktemp("site"), source, destination, engine, **kw)
        sites.append(s)
        return s
    yield make
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        _save(request, sites, {id(c): c for s in sites for c in (s.source, s.destination)}.values())
    for s in sites:
        s.close()


@pytest.fixture
def site(matrix, pool, make_site):
    """A site over a shared pair of one-node clusters."""
    source, destination, engine = matrix
    return make_site(*pool.pair(source, destination), engine)


@pytest.fixture
def site3(matrix, pool, make_site):
    """A site over a shared pair of three-node clusters; whatever a test stopped runs again after it."""
    source, destination, engine = matrix
    clusters = pool.pair(source, destination, THREE)
    heal(clusters)
    yield make_site(*clusters, engine)
    heal(clusters)


@pytest.fixture
def doors(matrix, pool, make_site):
    """doors(side, delay): a site whose krmirror reaches one side through proxies, and the proxies."""
    made = []

    def make(side="destination", delay=0.0, **kw):
        source, destination = pool.pair(*matrix[:2])
        c = pool.behind(side, matrix[0] if side == "source" else matrix[1])
        proxies = Proxies(c, delay)
        made.append(proxies)
        pair = (c, destination) if side == "source" else (source, c)
        return make_site(*pair, matrix[2], **{f"{side}_door": proxies.bootstrap}, **kw), proxies
    yield make
    for proxies in made:
        proxies.__exit__()


KRMIRROR = "127.0.0.2"   # who asks, as the broker sees it: without SASL and TLS all are User:ANONYMOUS


@pytest.fixture
def without_markers(matrix, pool, make_site):
    """without_markers(config): a site whose destination has an authorizer: whoever comes from KRMIRROR may not write
    markers."""
    c = pool.new(matrix[1], "guarded", proxied=True, config={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true"}).start()
    c.create_acl("BROKER", "kafka-cluster", "User:*", "ALL")
    for operation in ("CLUSTER_ACTION", "ALTER"):
        c.create_acl("BROKER", "kafka-cluster", "User:*", operation, allow=False, host=KRMIRROR)
    proxies = Proxies(c, host=KRMIRROR)
    source, _ = pool.pair(matrix[0], matrix[0])
    yield lambda **kw: make_site(source, c, matrix[2], destination_door=proxies.bootstrap, **kw)
    proxies.__exit__()
    pool.drop(c)


def heal(clusters):
    for c in clusters:
        for n in c.all_nodes:
            if n.process is not None and n.stopped:
                n.resume()
            if n.process is not None and n.process.poll() is not None:
                n.process = None
            if n.process is None:
                n.launch()
    for c in clusters:
        c.wait_ready()
