# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts that are installed: promtool has no complaint, and what they name is there."""
import json
import os
import re
import subprocess

import pytest

from lib import krm
from lib.produce import produce
from lib.util import wait_until
from lib.web import Web

RULES = os.path.join(krm.TOP, "tools", "prometheus-alerts.yml")
DASHBOARD = os.path.join(krm.TOP, "tools", "grafana-dashboard.json")
PAGE = os.path.join(krm.TOP, "man", "krmirror-monitoring.7")
# Told when there is something to tell of only: a failure.
SOMETIMES = {"krmirror_failed_partitions", "krmirror_client_errors_total", "krmirror_drill_last_rpo_records"}


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
def test_what_is_installed_names_metrics_that_are_there(site, tmp_path):
    topic = site.mirrored("watched", 2)
    report = tmp_path / "drills"
    line = {"plan": "weekly", "started": "2026-11-22T04:00:00Z", "ok": True, "rto_ms": 1500, "rpo_records": 7, "rpo_ms": 250,
            "steps": []}
    report.write_text("half a line}\n" + json.dumps(line) + "\n" +
                      json.dumps(line | {"started": "2026-11-22T05:00:00Z", "ok": False, "rpo_records": None}) + "\n")
    web = Web(site.worker(metrics__drill__report=report)).wait_up()
    web.wait_code("/readyz", 200)
    produce(site.source, topic, 100, 2)
    site.wait_caught_up(topic)
    wait_until(lambda: web.scrape().rows("krmirror_last_append_seconds"), 15, "what was appended is told")
    told = web.scrape()
    promtool("check", "metrics", input=told.text)
    there = set(told.samples) | SOMETIMES
    success = told.one("krmirror_drill_last_success_timestamp_seconds", plan="weekly")
    assert success == 1795320000 and told.one("krmirror_drill_last_run_timestamp_seconds") == success + 3600
    assert told.one("krmirror_drill_last_ok") == 0 and told.one("krmirror_drill_last_rto_seconds") == 1.5

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
