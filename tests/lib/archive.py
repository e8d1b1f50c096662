# SPDX-License-Identifier: Apache-2.0
"""python -m lib.archive VERSION ...: makes the class archives of lib.jvm, where this JVM has not made them yet.

A broker that is used a little, and ended, leaves the classes that it has loaded (JEP 350).
"""
import os
import subprocess
import sys
import tempfile

from .jvm import class_archive
from .kafka import real_cluster
from .produce import produce


def _jvm():
    return subprocess.run(["java", "-version"], capture_output=True, check=True).stderr


def _make(version, archive):
    new = archive + ".new"
    with tempfile.TemporaryDirectory() as dir:
        cluster = real_cluster(dir, version)
        os.environ["JAVA_TOOL_OPTIONS"] = f"-XX:ArchiveClassesAtExit={new}"
        try:
            cluster.start()
            cluster.create_topic("t", 1)
            produce(cluster, "t", 10)
            cluster.brokers[0].stop()
        finally:
            del os.environ["JAVA_TOOL_OPTIONS"]
            cluster.stop()
    os.replace(new, archive)


def main(versions):
    jvm = _jvm()
    for version in versions:
        archive = class_archive(version)
        stamp = archive + ".by"
        if os.path.exists(archive) and os.path.exists(stamp) and open(stamp, "rb").read() == jvm:
            continue
        if os.path.exists(archive):
            os.remove(archive)
        print(f"archive: the classes of Kafka {version}", file=sys.stderr)
        _make(version, archive)
        with open(stamp, "wb") as f:
            f.write(jvm)


if __name__ == "__main__":
    main(sys.argv[1:])
