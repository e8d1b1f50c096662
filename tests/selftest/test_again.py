# SPDX-License-Identifier: Apache-2.0
"""What a check forgives once, and what never."""
import xml.etree.ElementTree as ET

import pytest

from lib.again import MOST, forgivable
from lib.count import junit


def results(**cases):
    """NAME=None has passed, NAME=(message, text) has failed."""
    suite = ET.Element("testsuite")
    for name, failure in cases.items():
        case = ET.SubElement(suite, "testcase", classname="scenarios.test_x", name=name)
        if failure:
            ET.SubElement(case, "failure", message=failure[0]).text = failure[1]
    return suite


def written(path, suite):
    ET.ElementTree(suite).write(path)
    return str(path)


LATE = "AssertionError: not within 30 s: it has begun", "scenarios/test_x.py:12: in test_late"


def test_a_wait_that_ended_too_early_is_run_once_more():
    assert forgivable(results(good=None, late=LATE)) == ["scenarios/test_x.py::late"]
    assert forgivable(results(good=None)) == []


@pytest.mark.parametrize("failure", [
    ("lib.judge.Differ: t and t differ in 1 places", "judge.py:184"),
    ("AssertionError: krmirrord", "ERROR: AddressSanitizer: heap-use-after-free"),
    ("AssertionError: krmirror mirror list: exit -11 after 0.1 s", ""),
    ("AssertionError: worker w1 ended with -6:", "CHECK failed"),
])
def test_what_shows_a_defect_is_never_forgiven(failure):
    assert forgivable(results(wrong=failure, late=LATE)) == []


def test_many_failures_are_no_accident():
    assert len(forgivable(results(**{f"t{i}": LATE for i in range(MOST)}))) == MOST
    assert forgivable(results(**{f"t{i}": LATE for i in range(MOST + 1)})) == []


def test_what_was_forgiven_is_told_by_name(tmp_path):
    first = written(tmp_path / "first.xml", results(good=None, late=LATE, bad=LATE))
    again = written(tmp_path / "again.xml", results(late=None, bad=LATE))
    assert junit("x", first)[:2] == ["passed 1 x", "failed 2 x"]
    lines = junit("x", first, again)
    assert lines[:2] == ["passed 2 x", "failed 1 x"]
    assert [line.split(":")[0] for line in lines[3:]] == ["again", "failed"]
    assert "test_x.late" in lines[3] and "once more" in lines[3]
