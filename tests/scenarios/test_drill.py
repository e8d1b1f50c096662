# SPDX-License-Identifier: Apache-2.0
"""Drills: what they report is what happened, and nothing of them stays, not even of one that was killed."""
import json
import os
import random
import re

import pytest

from lib import contract
from lib.krm import binary, properties
from lib.produce import produce
from lib.util import pace, wait_until

RESULT = {"plan", "started", "ok", "rto_ms", "rpo_records", "rpo_ms", "steps"}


def plan(site, tmp_path, **more):
    source = properties(os.path.join(tmp_path, "source.properties"), {"bootstrap.servers": site.source.bootstrap})
    values = {"link": site.link, "source_command_config": source, "topics": 2, "partitions": 2, "records": 400,
              "rate": 400, "groups": 2, "rto_limit": "60s", "rpo_limit": "60s"} | more
    path = os.path.join(tmp_path, "plan.json")
    with open(path, "w") as f:
        json.dump(values, f)
    return path


def drill(site, path, *options, code=contract.DONE):
    got = site.cli("drill", "run", "--plan", path, "-o", "json", *options).expect(code)
    result = got.json
    assert got.code != contract.DONE or got.err == "", "cron would mail it"
    contract.has_keys(result, RESULT, "drill run")
    for step in result["steps"]:
        contract.has_keys(step, {"name", "ok", "ms", "detail"}, "drill run")
    assert result["ok"] == (got.code == contract.DONE) == all(s["ok"] for s in result["steps"])
    return result


def failed(result):
    return [s["name"] for s in result["steps"] if not s["ok"]]


def assert_clean(site):
    """Nothing has the name of a canary; other brokers' metadata may lag a moment behind."""
    wait_until(lambda: not canaries(site), 5, lambda: f"no canary stays: {canaries(site)}")


def canaries(site):
    """All that has the name of one, of this link's drills and of any other's that ran on these clusters; other scenarios
    have topics that only begin like one."""
    clusters = site.source, site.destination
    groups = [g.group_id for c in clusters for g in c.admin.list_consumer_groups().result().valid]
    return sorted(n for n in [*groups, *(t for c in clusters for t in c.topics())]
                  if re.search(r"krmirror-drill-(.+-){4}", n))


def test_a_drill(site, tmp_path, counts):
    """Beside a mirror that goes on as if nothing had been; everything is measured, and nothing is left."""
    topic = site.mirrored("real")
    site.worker().joined()
    produce(site.source, topic, 100)
    report = os.path.join(tmp_path, "report.jsonl")
    path = plan(site, tmp_path, records=counts(400, 20000), rate=counts(400, 2000))
    for n in range(counts(1, 20)):
        result = drill(site, path, "--report", report)
        assert 0 < result["rto_ms"] < 60000 and result["rpo_records"] >= 0 and result["rpo_ms"] >= 0, result
        assert [s["name"] for s in result["steps"]] == [
            "connect", "source", "clean", "create", "mirror", "write", "copy", "groups", "failover", "writable", "check",
            "positions", "limits", "cleanup"]
        with open(report) as f:
            lines = [json.loads(line) for line in f]
        assert len(lines) == n + 1 and lines[n] == result
    assert_clean(site)
    assert [r["mirror_topic_name"] for r in site.ok("mirror", "list", "-o", "json").json] == [topic]
    site.wait_caught_up(topic)
    site.assert_equal(topic, 100)
    result = drill(site, plan(site, tmp_path, rto_limit="1ms"), code=contract.FAILED)
    assert failed(result) == ["limits"]
    assert_clean(site)


def test_plans(site, tmp_path):
    site.create_link()
    path = os.path.join(tmp_path, "template.json")
    with open(path, "w") as f:
        f.write(site.ok("drill", "template").out)
    site.cli("drill", "run", "--plan", path).expect(contract.FAILED, contract.USAGE).says("LINK")
    site.cli("drill", "run", "--plan", plan(site, tmp_path, record=5)).expect(contract.USAGE).says("did you mean \"records\"")
    site.cli("drill", "run", "--plan", plan(site, tmp_path, rto_limit=5)).expect(contract.USAGE).says("rto_limit")
    site.cli("drill", "run").expect(contract.USAGE).says("--plan")
    result = drill(site, plan(site, tmp_path), code=contract.FAILED)
    assert failed(result) == ["mirror"] and "no worker" in result["steps"][-2]["detail"], result
    assert_clean(site)


def test_killed_at_any_step(site, tmp_path, counts):
    rng = random.Random(site.id)
    site.create_link()
    site.worker().joined()
    path = plan(site, tmp_path)
    for _ in range(counts(2, 40)):
        running = site.start_cli("drill", "run", "--plan", path)
        pace(rng.random() * 6)
        running.kill()
        running.communicate()
    drill(site, path)
    assert_clean(site)
    assert site.ok("mirror", "list", "-o", "json").json == []


def test_two_at_once_leave_each_other_alone(site, tmp_path):
    site.create_link()
    site.worker().joined()
    path = plan(site, tmp_path)
    first = site.start_cli("drill", "run", "--plan", path)
    drill(site, path)
    out = first.communicate(timeout=120)
    assert first.returncode == contract.DONE, out
    assert_clean(site)


@pytest.mark.real_only
def test_from_a_crontab_with_a_broken_source(site, tmp_path):
    """The line as cron runs it: a shell, almost no environment. The source goes away in the middle."""
    site.create_link()
    site.worker().joined()
    report = os.path.join(tmp_path, "report.jsonl")
    path = plan(site, tmp_path, records=4000)
    line = (f"{binary('krmirror')} -c {site.config_file} --timeout 8s drill run --plan {path} --report {report} "
            f">/dev/null 2>&1; echo $? >{tmp_path}/code")

    def run():
        import subprocess
        return subprocess.Popen(["/bin/sh", "-c", line], env={"PATH": "/usr/bin:/bin"}, cwd="/")

    def code():
        with open(os.path.join(tmp_path, "code")) as f:
            return int(f.read())
    running = run()
    wait_until(lambda: any("krmirror-drill-" in t for t in site.destination.topics()), 30, "it has begun")
    site.source.hold()
    try:
        running.wait(120)
    finally:
        site.source.release()
    assert code() in (contract.FAILED, contract.SOURCE_DOWN)
    with open(report) as f:
        result = json.loads(f.read())
    assert not result["ok"] and failed(result)
    run().wait(120)
    assert code() == contract.DONE
    assert_clean(site)
