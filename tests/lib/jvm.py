# SPDX-License-Identifier: Apache-2.0
"""Command lines of Java programs from the jars that tools/deps has fetched."""
import os
import subprocess

CACHE = os.environ.get("KRMIRROR_CACHE") or os.path.expanduser("~/.cache/krmirror")
JVM = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
       "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
       "-Dlog4j2.disable.jmx=true"]


def jar_folder(version):
    jars = os.path.join(CACHE, "kafka", version)
    if not os.path.exists(os.path.join(jars, ".made-from")):
        raise FileNotFoundError(f"no jars of Kafka {version} in {jars}: run tools/deps {version}")
    return jars


def class_path(version):
    return os.path.join(jar_folder(version), "*")


def class_archive(version):
    """Kafka's classes as the JVM keeps them in memory (lib.archive): a broker starts in half the time with it."""
    return os.path.join(jar_folder(version), "classes.jsa")


def _shared(version):
    archive = class_archive(version)
    # What another JVM wrote is passed over, with a warning that nobody needs in what a tool prints.
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:disable", "-Xlog:all=error:stderr"] if os.path.exists(archive) else []


def java(version, *args, heap="256m", options=()):
    """The command line of one of Kafka's own classes."""
    return [*JVM, *_shared(version), *options, f"-Xmx{heap}", "-cp", class_path(version), *args]


def tool(version, *args, input=None, timeout=60):
    """Runs one of Kafka's own command line tools: tool("4.3.0", "org.apache.kafka.tools.TopicCommand", ...)."""
    return subprocess.run(java(version, *args), input=input, capture_output=True, timeout=timeout)
