# SPDX-License-Identifier: Apache-2.0
"""kafka-acls command lines: read as the tool reads them, and given to a cluster by a stock client."""
import shlex

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)

OPTIONS = {"--topic": "TOPIC", "--group": "GROUP", "--transactional-id": "TRANSACTIONAL_ID"}
# The client calls the cluster a broker.
CLUSTER = ("BROKER", "kafka-cluster")


class Grant:
    """One line."""

    def __init__(self, line):
        words = shlex.split(line)
        assert words[0] == "kafka-acls" and "--add" in words, line
        self.line, self.operations, self.pattern, self.resource = line, [], "LITERAL", None
        at = 1
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--cluster":
                self.resource = CLUSTER
            elif word != "--add":
                self._take(word, words[at])
                at += 1
        assert self.resource and self.operations

    def _take(self, option, value):
        if option in OPTIONS:
            self.resource = (OPTIONS[option], value)
        elif option == "--operation":
            self.operations.append("".join("_" + c if c.isupper() and i else c for i, c in enumerate(value)).upper())
        elif option == "--allow-principal":
            self.principal = value
        elif option == "--resource-pattern-type":
            self.pattern = value.upper()
        else:
            assert option in ("--bootstrap-server", "--command-config"), option
            if option == "--bootstrap-server":
                self.bootstrap = value

    def bindings(self, operations=None):
        for operation in operations or self.operations:
            yield (ResourceType[self.resource[0]], self.resource[1], ResourcePatternType[self.pattern], self.principal, "*",
                   AclOperation[operation], AclPermissionType.ALLOW)

    def give(self, cluster, operations=None):
        for f in cluster.admin.create_acls([AclBinding(*b) for b in self.bindings(operations)]).values():
            f.result(30)

    def take_away(self, cluster, operations=None):
        for f in cluster.admin.delete_acls([AclBindingFilter(*b) for b in self.bindings(operations)]).values():
            assert f.result(30), f"nothing was there to take away: {self.line}"


def grants(text, topic=None):
    """The grants of `link check --print-acls`; topic stands where TOPIC does."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [Grant(line.replace("'TOPIC'", f"'{topic}'") if topic else line) for line in lines]
