# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts that are installed: promtool has no complaint, and what they name is there."""
import json
import os
import re
import signal
import subprocess

import pytest

from lib import krm
from lib.groups import commit, wait_committed
from lib.produce import produce
from lib.util import wait_until
from lib.web import Web

RULES = os.path.join(krm.TOP, "tools", "prometheus-alerts.yml")
DASHBOARD = os.path.join(krm.TOP, "tools", "grafana-dashboard.json")
PAGE = os.path.join(krm.TOP, "man", "krmirror-monitoring.7")
# Told when there is something to tell of only: a failure.
SOMETIMES = {"krmirror_failed_partitions", "krmirror_client_errors_total", "krmirror_drill_last_rpo_records",
             "krmirror_group_offset_skipped_total"}
# A link that keeps everything in step, each second, for the groups and topics of one site.
EVERYTHING = {"consumer__offset__sync__enable": "true", "consumer__offset__sync__ms": 1000,
              "topic__config__sync__ms": 1000, "auto__create__mirror__topics__enable": "true"}


def promtool(*args, **more):
    path = os.path.join(os.environ.get("KRMIRROR_CACHE") or os.path.expanduser("~/.cache/krmirror"), "prometheus", "promtool")
    got = subprocess.run([path, *args], capture_output=True, text=True, **more)
    assert got.returncode == 0, f"promtool {' '.join(args)}:\n{got.stdout}{got.stderr}"
    return got.stdout + got.stderr


def names(text):
    return set(re.findall(r"\b(?:krmirror|process)_[a-z_]+\b", text))


def queries(dashboard):
    panels = [p for p in dashboard["panels"] if p["type"] != "row"]
    assert panels and all(p["targets"] for p in panels)
    return [t["expr"] for p in panels for t in p["targets"]] + \
        [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]


@pytest.mark.one_engine
def everything(site):
    def names(what, prefix):
        return json.dumps({what: [{"name": prefix, "patternType": "PREFIXED", "filterType": "INCLUDE"}]})
    return EVERYTHING | {"consumer__offset__group__filters": names("groupFilters", f"g-{site.id}"),
                         "auto__create__mirror__topics__filters": names("topicFilters", f"auto-{site.id}")}


def test_what_is_installed_names_metrics_that_are_there(site, tmp_path):
    topic = site.mirrored("watched", 2, **everything(site))
    report = tmp_path / "drills"
    line = {"plan": "weekly", "started": "2026-11-22T04:00:00Z", "ok": True, "rto_ms": 1500, "rpo_records": 7, "rpo_ms": 250,
            "steps": []}
    report.write_text("half a line}\n" + json.dumps(line) + "\n" +
                      json.dumps(line | {"started": "2026-11-22T05:00:00Z", "ok": False, "rpo_records": None}) + "\n")
    compared = tmp_path / "verified"
    web = Web(site.worker(metrics__drill__report=report, metrics__verify__report=compared)).wait_up()
    web.wait_code("/readyz", 200)
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    wait_until(lambda: web.scrape().rows("krmirror_last_append_seconds"), 15, "what was appended is told")
    wait_until(lambda: web.scrape().rows("krmirror_group_sync_age_seconds"), 15, "a pass over the groups is told")
    site.ok("verify", topic, "--report", str(compared))
    wait_until(lambda: web.scrape().rows("krmirror_verify_last_ok"), 40, "a comparison is told")
    told = web.scrape()
    promtool("check", "metrics", input=told.text)
    there = set(told.samples) | SOMETIMES
    success = told.one("krmirror_drill_last_success_timestamp_seconds", plan="weekly")
    assert success == 1795320000 and told.one("krmirror_drill_last_run_timestamp_seconds") == success + 3600
    assert told.one("krmirror_drill_last_ok") == 0 and told.one("krmirror_drill_last_rto_seconds") == 1.5
    assert told.one("krmirror_verify_last_ok", link=site.link, topic=topic) == 1
    assert told.one("krmirror_verify_last_mismatches") == 0

    promtool("check", "rules", RULES)
    with open(RULES) as f:
        rules = f.read()
    assert names(rules) <= there, names(rules) - there
    with open(os.path.join(krm.TOP, "tests", "lib", "alerts-test.yml")) as f:
        (tmp_path / "alerts-test.yml").write_text(f.read().replace("RULES", RULES))
    promtool("test", "rules", str(tmp_path / "alerts-test.yml"))

    with open(DASHBOARD) as f:
        asked = queries(json.load(f))
    for query in asked:
        assert names(query) <= there, query
    # As rules, so that promtool reads them as what they are.
    plain = [q.replace("$__rate_interval", "5m").replace("$link", ".*") for q in asked if not q.startswith("label_values")]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": [
        {"record": f"panel:{i}", "expr": q} for i, q in enumerate(plain)]}]}))
    promtool("check", "rules", str(tmp_path / "queries.yml"))

    with open(PAGE) as f:
        documented = names(f.read())
    assert there <= documented, f"krmirror-monitoring(7) lacks {sorted(there - documented)}"
    assert documented <= there, f"krmirror-monitoring(7) tells of {sorted(documented - there)}, which is not there"
    unwatched = {n for n in there if n.startswith("krmirror_")} - set().union(*map(names, asked)) - names(rules)
    assert unwatched <= {"krmirror_control_log_foreign_records", "krmirror_last_append_seconds",
                         "krmirror_worker_start_time_seconds"}, f"neither in the dashboard nor in an alert: {unwatched}"


@pytest.mark.real_only   # settings that follow, and brokers that tell of replicas
def test_what_is_done_by_itself_is_counted(site):
    """Group offsets, settings, new mirrors, a promotion; and what was counted stays when SIGHUP begins anew."""
    group, made = f"g-{site.id}", f"auto-{site.id}"
    topic = site.mirrored("counted", 2, **everything(site))
    produce(site.source, topic, 100, 2)
    worker = site.worker(worker__threads=2)
    web = Web(worker).wait_up()
    site.wait_caught_up(topic)
    commit(site.source, group, topic, {0: 5, 1: 7})
    commit(site.source, f"{group}-beyond", topic, {0: 1000})
    wait_committed(site.destination, group, topic, {0: 5, 1: 7})
    site.source.create_topic(made)
    site.source.alter_topic(topic, max__message__bytes="2000000")
    mine = {"link": site.link}

    def wait(name, value, **labels):
        wait_until(lambda: web.scrape().sum(name, **mine, **labels) == value, 40,
                   lambda: f"{name} {labels} is {value}: {web.scrape().rows(name, **mine)}", every=0.3)
    wait("krmirror_mirrors_created_total", 1)
    wait("krmirror_group_offsets_committed_total", 3)
    wait("krmirror_group_offset_clamped_total", 1)
    wait_until(lambda: site.destination.topic_config(topic)["max.message.bytes"] == "2000000", 40, "the setting is there")
    wait("krmirror_groups", 2, state="SYNCED")
    s = web.scrape()
    assert s.sum("krmirror_config_updates_total", **mine) >= 1
    for task in ("ConsumerOffsetSync", "TopicConfigsSync", "AutoCreateMirror"):
        assert s.one("krmirror_task_age_seconds", **mine, task=task) < 30
    assert not s.rows("krmirror_task_age_seconds", task="AclSync"), "nobody asked for it"
    assert s.one("krmirror_dest_under_replicated_partitions", **mine) == 0
    assert s.one("krmirror_blocked_on_source_partitions", **mine) == 0
    site.ok("mirror", "promote", made, "--link", site.link, "--wait=60s")
    wait("krmirror_transitions_total", 1, how="promoted")
    wait("krmirror_records_written_total", 100, topic=topic)

    def counters():
        s = web.scrape()
        return {(name, key): value for name, rows in s.samples.items() if s.types[name] == "counter"
                for key, value in rows.items() if not name.startswith("process_")}
    before = counters()
    krm.properties(worker.config_file, worker.config | {"log.level": "debug", "worker.threads": "1"})
    worker.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "lanes are opened anew" in worker.text(), 20, "the file is read again")
    web.wait_up().wait_code("/readyz", 200)
    produce(site.source, topic, 50, 2, first=100)
    site.wait_caught_up(topic)
    wait("krmirror_records_written_total", 150, topic=topic)
    after = counters()
    lost = {k: v for k, v in before.items() if after.get(k, -1) < v and ("loop", "1") not in k[1]}
    assert not lost, f"these went back: {[(k, v, after.get(k)) for k, v in lost.items()]}"
