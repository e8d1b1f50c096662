# SPDX-License-Identifier: Apache-2.0
"""The command line's promises as data: JSON keys, value lists, exit codes. New keys may come, none may go."""

DONE, FAILED, USAGE, SOURCE_DOWN, DESTINATION_DOWN, DENIED, REFUSED, TIMED_OUT, DIVERGENCE = range(9)

MIRROR_STATUS = {"ACTIVE", "PAUSED", "LINK_PAUSED", "SOURCE_UNAVAILABLE", "LINK_FAILED", "FAILED", "PENDING_STOPPED",
                 "STOPPED"}
LINK_STATE = {"ACTIVE", "PAUSED", "UNAVAILABLE", "FAILED"}
PARTITION_STATE = {"UNBOUND", "PROBING", "ALIGNED", "COPYING", "FILLING", "PAUSED", "STOPPED", "FAILED"}
REASONS = {None, "SOURCE_TOPIC_MAY_BE_DELETED", "SOURCE_TOPIC_ID_CHANGED", "SOURCE_PARTITIONS_DECREASED",
           "UNEXPECTED_TRUNCATION", "UNSUPPORTED_MESSAGE_FORMAT", "DIVERGED", "SOURCE_CLUSTER_ID_CHANGED",
           "DESTINATION_TOPIC_ID_CHANGED", "DESTINATION_TOPIC_DELETED", "FILL_REFUSED", "FILL_LIMIT",
           "RECORD_TOO_LARGE", "CORRUPT_SOURCE_BATCH", "AUTHORIZATION", "DATA_LOSS", "UPGRADE_NEEDED"}
STOPPED_HOW = {None, "promoted", "failed_over"}
READ_ONLY = {"enforced", "unenforced: no authorizer", "unenforced: not permitted", "lifted"}
DOOR = {"marker", "lease"}

LINK_CREATE = {"link_name", "link_id", "source_cluster", "destination_cluster"}
LINK_LIST = LINK_CREATE | {"state", "error", "error_message", "connection_mode"}
LINK_DESCRIBE = LINK_LIST | {"mirror_partition_states_count", "source_brokers", "destination_brokers",
                             "last_contact_ms"}
MIRROR_CREATE = {"link_name", "mirror_topic_name", "source_topic_name", "num_partition"}
MIRROR_LIST = {"link_name", "mirror_topic_name", "source_topic_name", "mirror_status", "status_time_ms",
               "num_partition", "failed_partitions", "max_per_partition_mirror_lag", "stopped_how", "read_only",
               "error"}
MIRROR_DESCRIBE = {"link_name", "mirror_topic_name", "source_topic_name", "mirror_status", "mirror_topic_error",
                   "status_time_ms", "partition", "state", "reason", "partition_mirror_lag", "lag_ms",
                   "open_transaction", "last_source_fetch_offset", "source_log_start_offset",
                   "source_high_watermark", "source_last_stable_offset", "local_log_start_offset",
                   "local_log_end_offset", "time_since_last_fetch_ms", "filled_offsets", "coalesced_batches",
                   "tombstone_offsets"}
VERB = MIRROR_DESCRIBE | {"error_code", "error_message"}
STATUS = {"destination_cluster", "workers", "links"}
STATUS_WORKER = {"worker_id", "version", "address"}
STATUS_LINK = {"link_name", "state", "mirrors", "failed_partitions", "max_lag", "last_contact_ms", "next"}
LINK_CHECK = {"side", "broker", "address", "name", "ok", "status", "needed", "reason", "detail", "hint",
              "certificate_expires_ms", "operation", "resource_type", "resource_name", "pattern_type"}
CHECK_REASONS = {None, "RESOLVE", "CONNECT", "TIMEOUT", "PROTOCOL", "TLS_NAME", "TLS_DATE", "TLS_AUTHORITY", "TLS_REFUSED",
                 "MECHANISM", "LOGIN", "OTHER_CLUSTER", "CONFIGURATION", "RIGHT_MISSING", "RIGHT_UNKNOWN", "WRITERS",
                 "WRITERS_UNKNOWN", "OTHER"}
VERIFY_REPORT = {"link_name", "topic", "started", "ok", "compared", "mismatch_count"}
TASK = {"task_name", "state", "errors"}
TASK_STATE = {"ACTIVE", "IN_ERROR", "NOT_CONFIGURED", "LINK_PAUSED", "LINK_UNAVAILABLE", "LINK_FAILED"}
GROUP_LIST = {"group_id", "state", "reason", "partitions", "offsets_behind", "age_ms"}
GROUP_STATE = {"SYNCED", "BEHIND", "PARTIAL", "SKIPPED"}
ERROR = {"code", "message", "hint"}


def has_keys(document, keys, what):
    assert isinstance(document, dict), f"{what}: not an object: {document!r}"
    gone = keys - document.keys()
    assert not gone, f"{what}: keys missing: {sorted(gone)}"


def _values(d, **lists):
    for key, allowed in lists.items():
        assert d[key] in allowed, f"{key}: {d[key]!r} is none of {sorted(map(str, allowed))}"


def mirror_row(d):
    has_keys(d, MIRROR_LIST, "mirror list")
    _values(d, mirror_status=MIRROR_STATUS, stopped_how=STOPPED_HOW, read_only=READ_ONLY)
    lag = d["max_per_partition_mirror_lag"]
    assert lag is None or lag >= 0, f"lag {lag}"


def partition_row(d, keys=MIRROR_DESCRIBE):
    has_keys(d, keys, "mirror describe")
    _values(d, mirror_status=MIRROR_STATUS, state=PARTITION_STATE, reason=REASONS)
    lag = d["partition_mirror_lag"]
    assert lag is None or lag >= 0, f"lag {lag}"
    if d["state"] == "FAILED":
        assert d["reason"], "FAILED without a reason"


def link_row(d, keys=LINK_LIST):
    has_keys(d, keys, "link")
    _values(d, state=LINK_STATE)


def link_check(d):
    assert d.keys() >= {"ok", "checks"}
    order = ["FAILED", "WARNING", "UNKNOWN", "OK"]
    for item in d["checks"]:
        has_keys(item, LINK_CHECK, "link check")
        _values(item, side={"source", "destination"}, status=set(order), reason=CHECK_REASONS)
        assert item["ok"] == {"OK": True, "UNKNOWN": None}.get(item["status"], False)
        assert item["needed"] or item["status"] != "FAILED"
    assert d["ok"] == all(i["status"] != "FAILED" for i in d["checks"])
    assert d["checks"] == sorted(d["checks"], key=lambda i: order.index(i["status"])), "the worst first"


def status(d):
    has_keys(d, STATUS, "status")
    for w in d["workers"]:
        has_keys(w, STATUS_WORKER, "status worker")
    for link in d["links"]:
        has_keys(link, STATUS_LINK, "status link")
        _values(link, state=LINK_STATE)
