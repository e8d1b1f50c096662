# SPDX-License-Identifier: Apache-2.0
"""Fixtures: cluster pairs that tests share, sites that they do not, and counts, small or full."""
import os
import re
import shutil

import pytest

from lib.kafka import KafkaCluster
from lib.krm import BUILD, Site
from lib.sandbox import SandboxCluster

THREE = 3


def pytest_addoption(parser):
    parser.addoption("--pairs", default=os.environ.get("KRMIRROR_PAIRS", "4.3.0:4.3.0,sandbox:sandbox"),
                     help="SOURCE:DESTINATION[:ENGINE],... each a Kafka version or 'sandbox'")
    parser.addoption("--engines", default=os.environ.get("KRMIRROR_ENGINES", "io_uring"),
                     help="io_uring,epoll for the pairs that name none")
    parser.addoption("--full", action="store_true", default=os.environ.get("KRMIRROR_FULL") == "1",
                     help="the counts that the issues state, in place of small ones")


def pytest_configure(config):
    config.addinivalue_line("markers", "real_only: needs what only real Kafka has")
    config.addinivalue_line("markers", "one_engine: the data loop has no part in it; the first engine is enough")
    config.addinivalue_line("markers", "full_only: long; small counts would not show it")


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


def pytest_collection_modifyitems(config, items):
    """Leaves out (not: skips) what does not belong to this run: long scenarios, and empty parameter sets."""
    keep, gone = [], []
    for item in items:
        long = item.get_closest_marker("full_only") and not config.getoption("--full")
        empty = hasattr(item, "callspec") and item.callspec.id.startswith("NOTSET")
        (gone if long or empty else keep).append(item)
    config.hook.pytest_deselected(items=gone)
    items[:] = keep


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

    def new(self, version, name, nodes=1, config=None):
        c = (SandboxCluster(self.dir, name=name) if version == "sandbox" else
             KafkaCluster(self.dir, version, nodes=nodes, config=config, name=f"{name}-{version}"))
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


@pytest.fixture(scope="session")
def full(pytestconfig):
    return pytestconfig.getoption("--full")


@pytest.fixture(scope="session")
def counts(full):
    """counts(small, full): the number for this run."""
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


def heal(clusters):
    for c in clusters:
        for n in c.all_nodes:
            if n.process is not None and n.stopped:
                n.resume()
            if n.process is None:
                n.launch()
    for c in clusters:
        c.wait_ready()
