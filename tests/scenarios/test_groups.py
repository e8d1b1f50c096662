# SPDX-License-Identifier: Apache-2.0
"""The sync tasks of a link, and consumer offset sync above all: groups continue at their own offsets."""
from lib import contract
from lib.util import wait_until


def tasks(site):
    """The tasks of the site's link, by their names."""
    rows = site.ok("link", "task", "list", site.link, "-o", "json").json
    for row in rows:
        contract.has_keys(row, ("task_name", "state", "errors"), "link task list")
    return {row["task_name"]: row for row in rows}


def wait_task(site, name, state, deadline=30):
    wait_until(lambda: tasks(site)[name]["state"] == state, deadline, lambda: f"{name} {state}: {tasks(site)}",
               every=0.2)
    return tasks(site)[name]


def test_tasks_that_nobody_asked_for_are_told_so(site):
    site.create_link()
    assert {row["state"] for row in tasks(site).values()} == {None}
    site.worker()
    wait_task(site, "AclSync", "NOT_CONFIGURED")
    assert list(tasks(site)) == ["ConsumerOffsetSync", "TopicConfigsSync", "AclSync", "AutoCreateMirror"]
    site.ok("link", "task", "list", site.link).says("ConsumerOffsetSync +NOT_CONFIGURED")
