/* SPDX-License-Identifier: Apache-2.0 */
/* What list, describe and status show: the control log's view, and both clusters' measured ends. -1 stands for "not
 * known" (null in JSON) in numbers, NULL in strings. Everything lives in the caller's arena. */
#pragma once

#include "base/arena.h"
#include "control/session.h"
#include "mirror/mirror.h"

struct link_info {
	const char *link_name, *link_id;
	const char *source_cluster, *destination_cluster;
	const char *state;                      /* link_state_name */
	const char *error, *error_message;
	int64_t last_contact_ms;                /* ago */
	/* describe, and list --include-topics: */
	const char **topics;
	int n_topics;
	int32_t partition_states[LANE_FAILED + 1];  /* counts by enum lane_state */
	int32_t throttled_partitions;
	const char **source_brokers, **destination_brokers;   /* "host:port" */
	int n_source_brokers, n_destination_brokers;
	bool paused;                            /* the wish */
	bool inbound;                           /* connection.mode=INBOUND: nothing is dialled */
	bool left_to_worker;                    /* link_create: this host lacks what the link refers to */
};

struct partition_info {
	int32_t partition;
	const char *state, *reason, *error;
	int64_t lag, lag_ms;
	int64_t last_source_fetch_offset;
	int64_t source_log_start_offset, source_high_watermark, source_last_stable_offset;
	int64_t local_log_start_offset, local_log_end_offset;
	int64_t time_since_last_fetch_ms;
	int64_t filled_offsets, coalesced_batches;
	bool throttled;                         /* by mirror.fetch.rate.limit */
	bool fills_by_transactions;             /* for want of the right to write markers */
	int64_t tombstone_offsets;              /* filled with tombstones, as far as recorded */
	bool has_transaction;                   /* of the source */
	int64_t transaction_producer_id, transaction_first_offset, transaction_age_ms;
};

struct mirror_info {
	const char *link_name, *mirror_topic_name, *source_topic_name;
	const char *mirror_status;              /* mirror_status_name */
	const char *mirror_topic_error;         /* the worst partition's reason and sentence, or NULL */
	int64_t status_time_ms;
	int32_t num_partition, failed_partitions, throttled_partitions;
	int64_t max_lag;
	const char *stopped_how, *read_only, *error;
	const char *read_only_reason;           /* why it is not enforced; NULL */
	const char *door;
	bool diverged;                          /* a partition is DIVERGED, UNEXPECTED_TRUNCATION, DATA_LOSS: exit 8 */
	bool failed;                            /* a partition is FAILED: exit 1 */
	bool upgrade_needed;                    /* its record is of a newer version */
	struct partition_info *partitions;      /* [num_partition], when asked for */
};

struct worker_info {
	const char *worker_id, *version, *address;
	bool live;                              /* member of the group now */
};

struct status_link {
	const char *link_name, *state;
	int32_t mirrors, failed_partitions;
	int64_t max_lag, last_contact_ms;
	const char *next;                       /* the next command, or NULL */
};

struct status_info {
	const char *destination_cluster;
	struct worker_info *workers;
	int n_workers;
	bool workers_unknown;                   /* which of them run could not be asked */
	struct status_link *links;              /* worst first */
	int n_links;
	int64_t foreign_records;                /* of the control log */
};

struct report_opts {
	const char *link;             /* NULL: all */
	const char *topic;            /* NULL: all */
	const char *const *topics;    /* [n_topics], only these; NULL: all */
	int n_topics;
	bool no_source;               /* measure: the destination alone */
	const char *status;           /* mirror_status_name to keep; NULL: all */
	bool measure;                 /* ask both clusters for their ends; else only what the log says */
	bool partitions;              /* fill mirror_info.partitions */
	bool ask_workers;             /* and take from them what only they know */
	int32_t source_wait_ms;       /* how long an unreachable source is waited for; 0: 5 s */
};

/* RC_NOT_FOUND in err (OUTCOME_FAILED) for a link that does not exist. */
enum outcome report_links(struct session *session, const char *link, bool measure, struct arena *arena,
			  struct link_info **links, int *n, struct err *err) MUST_USE;
/* A source that cannot be reached is no failure: what it would have said is -1, and a note says so. */
enum outcome report_mirrors(struct session *session, const struct report_opts *opts, struct arena *arena,
			    struct mirror_info **mirrors, int *n, struct err *err) MUST_USE;
enum outcome report_status(struct session *session, struct arena *arena, struct status_info *status,
			   struct err *err) MUST_USE;
