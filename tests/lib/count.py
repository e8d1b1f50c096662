# SPDX-License-Identifier: Apache-2.0
"""Counts for tools/check, one `RESULT NUMBER NAME` line each.

    count.py unit LABEL EXIT_STATUS BUILD_DIRECTORY    what `make check` left behind
    count.py junit LABEL FILE [AGAIN]                  what pytest left behind; AGAIN: of those that were run once more
    count.py full LABEL EXIT_STATUS FULL.md COMMIT     the last result of each scenario on that commit
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

CHECK = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")


def unit(label, status, build):
    """A log with check's own line counts its checks; any other test program counts as one."""
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for folder, _, files in os.walk(build):
        for name in files:
            if not name.endswith(".trs") or "distcheck" in folder or re.search(r"krmirror-[0-9.]+(/|$)", folder):
                continue
            path = os.path.join(folder, name)
            with open(path) as f:
                result = re.search(r":global-test-result: (\w+)", f.read())
            with open(path[:-4] + ".log", errors="replace") as f:
                found = CHECK.findall(f.read())
            bad = 0
            for checks, failures, errors in found:
                bad += int(failures) + int(errors)
                totals["passed"] += int(checks) - int(failures) - int(errors)
            totals["failed"] += bad
            word = result.group(1) if result else "ERROR"
            if word == "SKIP":
                totals["skipped"] += 1
            elif word in ("PASS", "XFAIL"):
                totals["passed"] += not found
            elif not bad:
                totals["failed"] += 1
    if totals["passed"] == 0 or (status != 0 and totals["failed"] == 0):
        totals["failed"] += 1  # it did not build, or nothing ran
    return [f"{k} {n} {label}" for k, n in totals.items()]


def reason(case):
    """In one line: where it failed (at setup, at teardown) and why."""
    bad = case.find("failure")
    if bad is None:
        bad = case.find("error")
    return "" if bad is None else f": {' '.join(bad.get('message', '').split())[:400]}"


def cases(path):
    """{name: (result, reason)} of each test. One that passed and whose clean-up failed stands there twice: it failed."""
    results = {}
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        word = ("failed" if case.find("failure") is not None or case.find("error") is not None else
                "skipped" if case.find("skipped") is not None else "passed")
        if results.get(name, ("",))[0] != "failed":
            results[name] = word, reason(case)
    return results


def junit(label, path, again=None):
    try:
        results = cases(path)
        once_more = cases(again) if again else {}
    except (OSError, ET.ParseError) as e:
        return [f"failed 1 {label}: no result ({e})"]
    out, totals = [], {"passed": 0, "failed": 0, "skipped": 0}
    for name, (word, why) in results.items():
        if word == "failed" and once_more.get(name, ("",))[0] == "passed":
            word = "passed"
            out.append(f"again: 0 {label} {name}{why} -- passed when it was run once more, alone")
        elif word == "failed":
            out.append(f"failed: 0 {label} {name}{why}")
        totals[word] += 1
    if not results:
        totals["failed"] += 1
    return [f"{k} {n} {label}" for k, n in totals.items()] + out


def full(label, status, path, commit):
    results = {}
    try:
        with open(path) as f:
            for line in f:
                row = [c.strip() for c in line.strip().strip("|").split("|")]
                if len(row) == 5 and row[0] == commit:
                    results[row[1]] = row[4]
    except FileNotFoundError:
        pass
    good = sum(r == "passed" for r in results.values())
    bad = len(results) - good
    # pytest: 0 all passed, 1 some failed, 5 nothing was left to do. All else means that it did not run to its end.
    broken = status not in (0, 1, 5) or (status == 1 and not bad) or not results
    names = [f"failed: 0 {label} {name}" for name, r in results.items() if r != "passed"]
    return [f"passed {good} {label}", f"failed {bad + broken} {label}"] + names


if __name__ == "__main__":
    kind, label, *rest = sys.argv[1:]
    if kind == "unit":
        lines = unit(label, int(rest[0]), rest[1])
    elif kind == "full":
        lines = full(label, int(rest[0]), *rest[1:])
    else:
        lines = junit(label, *rest)
    print("\n".join(lines))
