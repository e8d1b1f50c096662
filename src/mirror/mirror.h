/* SPDX-License-Identifier: Apache-2.0 */
/* The data side of a worker: one data loop with its thread, the links it reads from, the destination it writes to,
 * and its lanes. The control side talks to it with the calls below, from its own thread: everything is copied and
 * posted; nothing is shared but the lease and the published snapshot.
 *
 * A lane copies one partition. What it is doing is told in snapshots: states and reasons are DESIGN 5's. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "client/cluster.h"
#include "mirror/totals.h"
#include "net/loop.h"

#include <stdatomic.h>

struct mirror;

enum lane_state {
	LANE_UNBOUND, LANE_PROBING, LANE_ALIGNED, LANE_COPYING, LANE_FILLING, LANE_PAUSED, LANE_STOPPED, LANE_FAILED
};

/* Why a partition stopped. The words are the public ones of CLI.md. */
enum lane_reason {
	REASON_NONE,
	REASON_SOURCE_TOPIC_MAY_BE_DELETED, REASON_SOURCE_TOPIC_ID_CHANGED, REASON_SOURCE_PARTITIONS_DECREASED,
	REASON_UNEXPECTED_TRUNCATION, REASON_UNSUPPORTED_MESSAGE_FORMAT, REASON_DIVERGED,
	REASON_SOURCE_CLUSTER_ID_CHANGED, REASON_DESTINATION_TOPIC_ID_CHANGED, REASON_DESTINATION_TOPIC_DELETED,
	REASON_FILL_REFUSED, REASON_FILL_LIMIT, REASON_RECORD_TOO_LARGE, REASON_CORRUPT_SOURCE_BATCH,
	REASON_AUTHORIZATION, REASON_DATA_LOSS, REASON_UPGRADE_NEEDED,
	REASON_LAST
};

/* "COPYING"; "DIVERGED", NULL for REASON_NONE. */
const char *lane_state_name(enum lane_state state);
const char *lane_reason_name(enum lane_reason reason);
/* LANE_UNBOUND / REASON_NONE when the word is none. */
enum lane_state lane_state_parse(const char *name);
enum lane_reason lane_reason_parse(const char *name);
/* True for the reasons that are tried again by themselves (DESIGN 5); the others wait for `mirror resume`. */
bool lane_reason_retries(enum lane_reason reason);

struct lane_key {
	const char *link;
	const char *topic;           /* the mirror topic: the destination's name */
	int32_t partition;
};

/* All strings are copied. */
struct lane_spec {
	struct lane_key key;
	const char *source_topic;
	struct uuid source_topic_id;      /* as recorded at creation; zero: the source has no topic ids */
	struct uuid destination_topic_id; /* likewise */
	int16_t producer_epoch;           /* of the data id that the mirror may write with; a higher one at the broker
	                                   * means that the door was closed: the lane waits, it never takes it over */
	int64_t adopted_end;              /* below it the log was proven by `--adopt`; -1: none */
	int32_t rotation;                 /* of the filler id, as recorded; 0 at first */
	int64_t start_offset;             /* the mirror begins there, or where the source does; 0 */
	bool compacted;                   /* the mirror topic's records must have keys */
	int64_t seed_from, seed_to;       /* a seeding that is recorded as under way; -1: none */
	int64_t emptied_end;              /* the log end that was recorded before a DeleteRecords that may have left no
	                                   * batch; -1: none */
	int64_t txn_filler_ids[2];        /* recorded producer ids of empty transactions, the newest first; -1: none */
	int64_t stored_offset;            /* the last stored (offset, batch epoch) pair; -1: none */
	int32_t stored_epoch;
};

struct link_spec {
	const char *name;
	const char *source_cluster_id;    /* recorded at creation */
	struct cluster_opts source;       /* deeply copied */
	int32_t fetch_max_bytes;          /* replica.fetch.max.bytes */
	int32_t fetch_response_max_bytes;
	int32_t fetch_min_bytes, fetch_wait_max_ms, fetch_backoff_ms;
	int32_t n_fetchers;               /* num.cluster.link.fetchers */
	int64_t rate_limit;               /* bytes a second that this loop fetches; 0: no limit. See mirror_link_rate */
	int64_t fill_limit;               /* mirror.fill.limit */
	bool fill_tombstones;             /* mirror.fill.mode: what is longer, on compacted topics */
	bool coalesce;                    /* mirror.coalesce: small batches of a lane that lags are merged */
	int32_t availability_check_ms;    /* the retry period of the reasons that retry */
};

/* What a data loop has counted since the process began, whichever loops there were before it. */
struct mirror_counts {
	struct totals totals;             /* of lanes and links */
	struct client_counts destination; /* of its calls */
	int64_t cpu_ns;                   /* of threads that have ended */
};

void mirror_counts_init(struct mirror_counts *counts);
void mirror_counts_fini(struct mirror_counts *counts);
/* Moves what n data loops had to others that share the lanes anew; those are empty before, and of as many as there are
 * processor time goes on. */
void mirror_counts_move(struct mirror_counts *from, int n, struct mirror_counts *to, int n_to);

struct mirror_opts {
	enum loop_engine engine;
	struct cluster_opts destination;  /* deeply copied */
	size_t buffer_memory;             /* this loop's share of buffer.memory */
	size_t max_request_size;
	/* Goes on from there, and belongs to the data loop's thread until mirror_destroy. NULL: it begins with nothing. */
	struct mirror_counts *counts;
	/* Called on the data loop's thread after something that cannot wait for the next poll: a lane changed state,
	 * was closed. It must only post. May be NULL. */
	void (*changed)(void *owner);
	void *owner;
};

/* Starts the thread. NULL with err set when the loop cannot be had. */
struct mirror *mirror_create(const struct mirror_opts *opts, struct err *err);
/* Closes all lanes (what is in flight is waited for up to grace_ms), ends the thread, frees. */
void mirror_destroy(struct mirror *mirror, int32_t grace_ms);
const char *mirror_engine_name(const struct mirror *mirror);

/* A link must be open before its lanes, and is closed after them. Opening an open link again replaces its settings:
 * its lanes are closed and opened anew inside. */
void mirror_link_open(struct mirror *mirror, const struct link_spec *spec);
void mirror_link_close(struct mirror *mirror, const char *link);
/* This loop's share of the link's limit is another one now. */
void mirror_link_rate(struct mirror *mirror, const char *link, int64_t bytes_per_s);

/* Opens a lane: PROBING until it is aligned, then it copies. Opening an open lane again opens it anew: it drops what
 * is unacknowledged, forgets a failure, skips no check. */
void mirror_lane_open(struct mirror *mirror, const struct lane_spec *spec);
/* Closes a lane: nothing more is sent; what is in flight is waited for; then it is gone from the snapshots. The
 * grounds are the caller's (pause, promote, reassignment). */
void mirror_lane_close(struct mirror *mirror, const struct lane_key *key);

/* Until when (CLOCK_BOOTTIME) lanes may send. Checked before every produce request; past it, nothing is sent and lanes
 * wait in PROBING. INT64_MAX: no lease is needed. May be called from any thread. */
void mirror_set_lease(struct mirror *mirror, int64_t until_boot_ns);

/* The claim number of this worker (DESIGN 8): fills are fenced with it. Set before lanes are opened; a newer one counts
 * for lanes that are opened, or opened again, from then on. May be called from any thread. */
void mirror_set_claim(struct mirror *mirror, int64_t claim);
/* A higher rotation of the lane's filler id is recorded in the control log: it is opened again with it. */
void mirror_lane_rotate(struct mirror *mirror, const struct lane_key *key, int32_t rotation);

/* The seeding that a lane asked for (lane_status) is recorded in the control log: it may begin. */
void mirror_lane_seed(struct mirror *mirror, const struct lane_key *key, int64_t from, int64_t to);
/* The end is recorded before a DeleteRecords that may leave no batch: lane_spec.emptied_end. */
void mirror_lane_may_empty(struct mirror *mirror, const struct lane_key *key, int64_t end);
/* The mirror's log starts there, after a DeleteRecords. */
void mirror_lane_trimmed(struct mirror *mirror, const struct lane_key *key, int64_t log_start);
/* The producer id that its status asked for is recorded: the lane is opened again and fills with it. */
void mirror_lane_txn_filler(struct mirror *mirror, const struct lane_key *key, int64_t producer_id);

/* What a lane is doing. Offsets are -1 when not known. */
struct lane_status {
	char *link, *topic;               /* owned by the snapshot */
	int32_t partition;
	enum lane_state state;
	enum lane_reason reason;
	char error[256];                  /* "" when none */
	int64_t since_wall_ms;            /* of the state */
	int64_t source_log_start_offset, source_high_watermark, source_last_stable_offset;
	int64_t last_source_fetch_offset; /* the next offset that is asked for */
	int64_t local_log_start_offset;
	int64_t local_log_end_offset;     /* appended: acknowledged, contiguous */
	int64_t local_high_watermark;     /* durable, as far as known */
	int64_t last_fetch_wall_ms;       /* of the last answer for this partition */
	int64_t last_append_wall_ms;
	int64_t caught_up_wall_ms;        /* when lag was last zero; for lag_ms */
	int32_t batch_epoch;              /* of the last appended batch; with local_log_end_offset it is the stored pair */
	uint64_t bytes, batches;          /* appended since the lane was opened */
	uint64_t filled;                  /* offsets without a record, likewise */
	uint64_t tombstones;              /* how many of them are used up with tombstones */
	uint64_t coalesced;               /* source batches that were merged with others */
	int64_t claim_used;               /* its claim number may not be used again: mirror_set_claim a new one; -1: fine */
	int64_t seed_from, seed_to;       /* offsets that it seeds: to be recorded, then mirror_lane_seed; -1: none */
	bool seed_lost;                   /* they are lost: DATA_LOSS */
	bool seeded;                      /* they stand in the log and are to be deleted: then mirror_lane_trimmed */
	bool fills_by_transactions;       /* for want of the right to write markers */
	int64_t txn_filler_wanted;        /* a producer id of empty transactions: to be recorded; -1: none */
	int32_t rotation_wanted;          /* of the filler id: to be recorded, then mirror_lane_rotate; 0: none */
	bool rate_held;                   /* it waits for the link's rate limit */
	int64_t source_throttled_ms, destination_throttled_ms;  /* left */
	int64_t answered_wall_ms;         /* when the source last answered for it, with news or without; 0: never */
	int64_t oldest_timestamp;         /* of the oldest record that was fetched and is not appended; -1: none waits */
	bool under_replicated;            /* at the destination, as its metadata said last */
	struct lane_counts counts;        /* since the process began, whichever lanes the partition had */
};

struct link_status {
	char *name;
	int64_t last_contact_wall_ms;     /* 0: never */
	char error[256];                  /* the last connection error when there is no contact; "" */
	enum lane_reason failed;          /* REASON_SOURCE_CLUSTER_ID_CHANGED or NONE */
};

/* What was counted of the source, whichever links of that name there were. */
struct link_counts {
	char *name;
	struct client_counts client;
};

/* What was counted of a topic's partitions that have no lane now. */
struct gone_counts {
	char *link, *topic;
	struct lane_counts counts;
};

struct mirror_snapshot {
	struct lane_status *lanes;
	int n_lanes;
	struct link_status *links;
	int n_links;
	struct link_counts *link_counts;
	int n_link_counts;
	struct gone_counts *gone;
	int n_gone;
	struct client_counts destination; /* what was counted of it */
	int64_t destination_contact_wall_ms;
	int64_t published_ns;             /* monotonic: the loop turned then */
	size_t buffer_budget;
	size_t buffer_used;
	int64_t cpu_ns;                   /* of the data thread, and of those before it */
};

/* A copy of what the loop published last (at most a second ago, at once after `changed`). Free with
 * mirror_snapshot_free. From any thread. */
struct mirror_snapshot *mirror_snapshot(struct mirror *mirror);
void mirror_snapshot_free(struct mirror_snapshot *snapshot);

/* The data id of a mirror partition (DESIGN 3): an on-disk format, pinned by a test vector. */
int64_t mirror_data_id(const char *link, const char *topic, int32_t partition);
/* The filler id (DESIGN 4) for a rotation number. */
int64_t mirror_filler_id(const char *link, const char *topic, int32_t partition, int32_t rotation);
