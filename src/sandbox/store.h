/* SPDX-License-Identifier: Apache-2.0 */
/* Topics and their partitions, and the count of what they take. */
#pragma once

#include "base/list.h"
#include "sandbox/aborted.h"
#include "sandbox/plog.h"
#include "sandbox/producers.h"
#include "sandbox/segment.h"
#include "sandbox/topic_config.h"

struct partition {
	struct topic *topic;
	int32_t index;
	int32_t leader_epoch;
	struct plog log;
	struct producers producers;
	struct aborted_list aborted;
	struct segment segment;         /* the active one */
	int64_t cleaned_to;             /* the cleaner has been through below it */
	struct list waiters;            /* fetch interests, see fetch_wait.h */
	struct list dirty_node;         /* in store.dirty while waiters have to be looked at */
	size_t appended;                /* bytes since they were looked at last */
};

struct topic {
	char *name;
	struct uuid id;
	struct topic_config config;
	struct partition **partitions;
	int32_t n_partitions;
};

struct store {
	struct topic **topics;          /* in the order of their names */
	int32_t n_topics;
	size_t memory, memory_limit;    /* limit 0: none */
	struct list dirty;
};

/* What is charged for things that have no bytes of their own. */
enum { TOPIC_COST = 2048, PARTITION_COST = 512, PRODUCER_COST = 256, BATCH_COST = 64, PARTITIONS_MAX = 10000 };

void store_init(struct store *store, size_t memory_limit);
void store_fini(struct store *store);
/* False when the limit would be passed; then nothing is charged. */
bool store_charge(struct store *store, size_t bytes);
void store_release(struct store *store, size_t bytes);

struct topic *store_topic(const struct store *store, struct str name);
struct topic *store_topic_by_id(const struct store *store, const struct uuid *id);
/* NULL when there is no such one. */
struct partition *topic_partition(const struct topic *topic, int32_t index);
struct partition *store_partition(const struct store *store, struct str topic, int32_t index);
/* The epoch that a client believes in (-1: none given) against the leader's: 0, 74 or 75. */
int16_t partition_check_epoch(const struct partition *p, int32_t current_leader_epoch);
/* The last stable offset: what read_committed may read ends there. The high watermark is the log's end. */
int64_t partition_stable(const struct partition *p);
/* True when name may be a topic: 1 to 249 of letters, digits, '.', '_', '-', neither "." nor "..". */
bool topic_name_ok(struct str name);
/* Another topic whose name differs only in '.' and '_', or NULL. */
const struct topic *store_collision(const struct store *store, struct str name);

/* Name, count and configuration are right (the latter is copied). NULL when memory is out. */
struct topic *store_add(struct store *store, struct str name, const struct uuid *id, int32_t n_partitions,
			const struct topic_config *config);
/* False when memory is out. */
bool store_grow(struct store *store, struct topic *topic, int32_t n_partitions);
/* Takes the topic out, so that nobody finds it; store_free frees it when no waiter is left. */
void store_unlink(struct store *store, struct topic *topic);
void store_free(struct store *store, struct topic *topic);
/* What came to stand in the log is to be shown to those who wait for it. */
void store_appended(struct store *store, struct partition *p, size_t bytes);
