/* SPDX-License-Identifier: Apache-2.0 */
/* Admin calls as sequential functions: each sends what it must to whom it must, tries again what is worth it, and
 * returns when it is answered or the deadline (monotonic) has passed. Codes: RC_AUTH for a missing right (the hint
 * names it), RC_NOT_FOUND for a topic or partition that does not exist, RC_EXISTS, RC_TIMEOUT, RC_KAFKA with the code in
 * err->kafka for the rest, and those of call_wait. Messages name the side, the topic and the right that is needed. */
#pragma once

#include "base/arena.h"
#include "client/wait.h"

struct admin_partition {
	int32_t partition;
	int16_t error;
	int32_t leader, leader_epoch;   /* -1: none */
};

struct admin_topic {
	const char *name;
	int16_t error;                  /* Kafka's code; 3: it does not exist */
	struct uuid id;                 /* zero: not known */
	bool internal;
	int32_t authorized;             /* operations of the caller; INT32_MIN: not told */
	struct admin_partition *partitions;   /* by ascending number */
	int32_t n_partitions;
};

/* One Metadata request for all names; topics[n] in the same order, in the arena. */
int admin_topics(struct cluster *cluster, const char *const *names, int n, int64_t deadline_ns, struct arena *arena,
		 struct admin_topic **topics, struct err *err) MUST_USE;
/* All topics that the caller may DESCRIBE, in the order of their names; without partitions' leaders and rights: of each
 * only name, error, id, internal and n_partitions. One request. */
int admin_all_topics(struct cluster *cluster, int64_t deadline_ns, struct arena *arena, struct admin_topic **topics,
		     int *n, struct err *err) MUST_USE;
/* One topic; RC_NOT_FOUND when it does not exist. */
int admin_topic(struct cluster *cluster, const char *name, int64_t deadline_ns, struct arena *arena,
		struct admin_topic *topic, struct err *err) MUST_USE;

struct admin_config {
	const char *name, *value;       /* value NULL: none, or sensitive */
	int8_t source;                  /* 1 topic, 2 to 4 broker, 5 default */
	bool read_only, sensitive;
};

struct admin_configs {
	struct admin_config *items;
	int n;
};

int admin_describe_configs(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
			   struct admin_configs *configs, struct err *err) MUST_USE;
/* What is asked of many topics, a few hundred to a request and a few requests under way at a time, which go over one connection
 * to a cluster: whoever asks again never reads what is older. */
struct admin_configs_of {
	const char *topic;
	int16_t error;                  /* Kafka's code; INT16_MAX: not answered */
	struct admin_configs configs;
};

struct admin_configs_ask {
	struct cluster *cluster;
	struct admin_configs_of *topics;
	int n;
	const char *const *keys;        /* [n_keys]: only these settings; each broker gives those that it knows. A broker
	                                 * of Kafka works on an answer in proportion to them */
	int n_keys;                     /* 0: all */
	int rc;                         /* set: RC_OK when all requests were answered, whatever they say of a topic; a right
	                                 * that is missing is that topic's error */
	struct err err;                 /* set when rc != RC_OK */
};

/* Of several clusters (of one loop) at the same time. */
void admin_describe_configs_of(struct admin_configs_ask *asks, int n, int64_t deadline_ns, struct arena *arena);
/* NULL: not among them. */
const struct admin_config *admin_config_find(const struct admin_configs *configs, const char *name);

struct admin_setting {
	const char *name, *value;       /* value NULL: deleted, back to the broker's default */
};

/* Sets and deletes in one request. Nothing happens for n 0. */
int admin_alter_configs(struct cluster *cluster, const char *topic, const struct admin_setting *settings, int n,
			int64_t deadline_ns, struct err *err) MUST_USE;

/* The settings of many topics in one request; each has its own answer. */
struct admin_alteration {
	const char *topic;
	const struct admin_setting *settings;
	int n;
	int rc;                         /* as admin_alter_configs says, with err; RC_OK for n 0 */
	struct err err;
};
/* RC_OK when the request was answered. */
int admin_alter_topics(struct cluster *cluster, struct admin_alteration *topics, int n, int64_t deadline_ns,
		       struct err *err) MUST_USE;

struct admin_new_topic {
	const char *name;
	int32_t n_partitions;
	int16_t replication_factor;     /* -1: the broker's default */
	const struct admin_setting *settings;
	int n_settings;
	/* out */
	struct uuid id;                 /* zero where the broker does not tell */
	int rc;                         /* RC_EXISTS: somebody was first; with err */
	struct err err;
};

/* RC_OK when the request was answered; each topic has its own answer. Returns when they are created; metadata may lag
 * behind. The controller makes all records of a request at once: 10,000 at most. */
int admin_create_topics(struct cluster *cluster, struct admin_new_topic *topics, int n, bool validate_only,
			int64_t deadline_ns, struct err *err) MUST_USE;
/* One; id may be NULL. */
int admin_create_topic(struct cluster *cluster, const struct admin_new_topic *topic, bool validate_only,
		       int64_t deadline_ns, struct uuid *id, struct err *err) MUST_USE;
/* To a new total; RC_EXISTS when it has as many or more. */
int admin_create_partitions(struct cluster *cluster, const char *topic, int32_t total, int64_t deadline_ns,
			    struct err *err) MUST_USE;
int admin_delete_topic(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct err *err) MUST_USE;

/* The times and the replica ids that mean something (wire.md 5). */
enum { ADMIN_LATEST = -1, ADMIN_EARLIEST = -2 };
enum { ADMIN_CONSUMER = -1, ADMIN_LOG_END = -3 };

struct admin_offset {
	const char *topic;
	int32_t partition;
	int64_t offset;                 /* -1: not had */
	int32_t leader, leader_epoch;
	int16_t error;                  /* 0, or the last code */
};

struct admin_offsets {
	struct admin_offset *items;     /* topic and partition are set by the caller */
	int n;
	int64_t timestamp;              /* ADMIN_LATEST, ADMIN_EARLIEST */
	int32_t replica_id;             /* ADMIN_CONSUMER: high watermark; ADMIN_LOG_END */
	int8_t isolation;               /* 1: last stable offset */
	int32_t settle_ms;              /* how long a topic that is not known may come; 0: as long as a new one takes */
};

/* One request per leader, again for what answers 3, 5, 6, 74, 75, 78 until the deadline. RC_OK only when all have an
 * answer; else err names the first that has none, and items tell which. */
int admin_list_offsets(struct cluster *cluster, struct admin_offsets *offsets, int64_t deadline_ns,
		       struct err *err) MUST_USE;

struct admin_deletion {
	const char *topic;
	int32_t partition;
	int64_t offset;                 /* records below it are deleted */
	int64_t log_start;              /* afterwards; -1: not known */
	int16_t error;                  /* of the answer; INT16_MAX: there was none */
	int32_t leader;
};

/* DeleteRecords: one request to each leader that is known, once; what failed is for the caller to try again. RC_OK when
 * every leader answered, whatever it said of its partitions (44 POLICY_VIOLATION: cleanup.policy is without delete). */
int admin_delete_records(struct cluster *cluster, struct admin_deletion *items, int n, int64_t deadline_ns,
			 struct err *err) MUST_USE;

struct admin_producer {
	int64_t producer_id;
	int32_t epoch;
	int32_t last_sequence;          /* -1: none, only markers */
	int64_t last_timestamp;
	int32_t coordinator_epoch;      /* -1: never a marker */
	int64_t transaction_start;      /* -1: none open */
};

struct admin_producers {
	struct admin_producer *items;
	int n;
};

/* Of the leader. RC_UNSUPPORTED: the broker is older than 2.8. */
int admin_describe_producers(struct cluster *cluster, const char *topic, int32_t partition, int64_t deadline_ns,
			     struct arena *arena, struct admin_producers *producers, struct err *err) MUST_USE;
const struct admin_producer *admin_producer_find(const struct admin_producers *producers, int64_t producer_id);
/* The one whose open transaction began first, which holds the last stable offset; NULL: none is open. */
const struct admin_producer *admin_oldest_transaction(const struct admin_producers *producers);

struct admin_marker {
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t coordinator_epoch;
	const char *topic;
	int32_t partition;
};

/* The same for many partitions, one request to each leader, once; what was not answered is the caller's to try again. */
struct admin_known_producer {
	const char *topic;
	int32_t partition;
	int64_t producer_id;
	struct admin_producer producer; /* where it is known */
	bool known;
	int16_t error;                  /* of the answer; INT16_MAX: there was none */
};
/* A COMMIT marker of a producer id. */
struct admin_mark {
	struct admin_marker marker;     /* of one partition each id stands once: answers are merged by id and partition */
	int16_t error;                  /* likewise; 31: the right is missing */
};
/* RC_OK when every leader that is known answered, whatever it said. */
int admin_find_producers(struct cluster *cluster, struct admin_known_producer *items, int n, int64_t deadline_ns,
			 struct err *err) MUST_USE;
int admin_write_markers(struct cluster *cluster, struct admin_mark *marks, int n, int64_t deadline_ns,
			struct err *err) MUST_USE;
/* What the answer of a mark means; RC_AUTH: neither CLUSTER_ACTION nor ALTER on the cluster. */
int admin_mark_code(struct cluster *cluster, const struct admin_mark *mark, struct err *err);

/* The transactional id of a producer id; "" when no broker can tell. Asks all that are known. */
void admin_transactional_id(struct cluster *cluster, int64_t producer_id, int64_t deadline_ns, char *id, size_t size);

/* What a fetch at an offset brought; records point into the call. */
struct admin_fetched {
	const uint8_t *records;
	int32_t len;
	int64_t high_watermark, last_stable_offset, log_start_offset;
};

struct admin_fetch {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int32_t bytes_max, wait_ms;
};

/* call is the caller's (call_init is done here, call_fini by the caller): it holds the records. RC_KAFKA with
 * err->kafka 1: out of range. */
int admin_fetch(struct cluster *cluster, struct call *call, const struct admin_fetch *what, int64_t deadline_ns,
		struct admin_fetched *fetched, struct err *err) MUST_USE;

/* A batch for one partition, acks=all. */
struct admin_batch {
	const char *topic;
	int32_t partition;
	struct bytes bytes;             /* as batch_build makes it */
};

/* Until the leader has taken it; it may stand there more than once. */
int admin_produce(struct cluster *cluster, const struct admin_batch *batch, int64_t deadline_ns, int64_t *base_offset,
		  struct err *err) MUST_USE;
/* The same for who sends its calls itself: the request of a call that was initialised with produce_api, and what its answer
 * says (Kafka's code; UNKNOWN_SERVER_ERROR where it is about another partition). Brokers wait PRODUCE_TIMEOUT_MS for the
 * replicas. */
enum { PRODUCE_TIMEOUT_MS = 10000 };
void produce_ask(struct call *call, const char *topic, int32_t partition, struct bytes batch);
int16_t produce_answer(struct call *call, int64_t *base_offset);

struct admin_member {
	const char *member_id, *instance_id, *client_host;   /* instance_id NULL: not static */
};

struct admin_group {
	const char *state, *protocol_type;   /* "Stable", "Empty", "Dead" */
	int32_t authorized;             /* operations of the caller; INT32_MIN: not told */
	struct admin_member *members;
	int n_members;
};

/* A group that does not exist is "Dead" without members. */
int admin_describe_group(struct cluster *cluster, const char *group, int64_t deadline_ns, struct arena *arena,
			 struct admin_group *out, struct err *err) MUST_USE;

/* What does not exist is deleted. RC_KAFKA with NON_EMPTY_GROUP: it has members. */
int admin_delete_group(struct cluster *cluster, const char *group, int64_t deadline_ns, struct err *err) MUST_USE;

/* Operations of the caller on the cluster as a bit field; INT32_MIN: not told. */
int admin_cluster_operations(struct cluster *cluster, int64_t deadline_ns, int32_t *operations,
			     struct err *err) MUST_USE;
/* Whether the cluster has an authorizer: DescribeAcls answers anything but SECURITY_DISABLED. */
int admin_has_authorizer(struct cluster *cluster, int64_t deadline_ns, bool *has, struct err *err) MUST_USE;
