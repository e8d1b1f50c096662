# SPDX-License-Identifier: Apache-2.0
"""Which scenarios of a run tools/check runs once more, alone: one node id a line.

    again.py FILE      what pytest left behind

Deadlines are real and the machine is shared, so a wait may end too early. That is forgiven once, by name, in the last
lines of the check. Never forgiven: records that differ, a program that crashed or leaked, and many failures at once.
"""
import re
import sys
import xml.etree.ElementTree as ET

MOST = 3
NEVER = re.compile(r"\bDiffer\b|Sanitizer|runtime error:|exit -\d+|ended with -?[1-9]")


def node_id(case):
    return f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"


def failures(root):
    """(node id, all that is told of it) of each test that failed."""
    for case in root.iter("testcase"):
        told = [bad for kind in ("failure", "error") for bad in case.findall(kind)]
        if told:
            yield node_id(case), " ".join(f"{b.get('message', '')} {b.text or ''}" for b in told)


def forgivable(root):
    failed = list(failures(root))
    ids = sorted({name for name, _ in failed})
    if len(ids) > MOST or any(NEVER.search(told) for _, told in failed):
        return []
    return ids


if __name__ == "__main__":
    try:
        print("\n".join(forgivable(ET.parse(sys.argv[1]).getroot())))
    except (OSError, ET.ParseError) as e:
        sys.exit(f"again: {sys.argv[1]}: {e}")
