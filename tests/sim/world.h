/* SPDX-License-Identifier: Apache-2.0 */
/* Two clusters with one topic, the producers of the source, and the ledger: what was produced at which offset, and what
 * became of its transaction. The ledger is the judge of the copy: it never looks at the source's log. */
#pragma once

#include "rng.h"
#include "talk.h"

enum { PARTITIONS = 3, PRODUCERS = 3 };
#define TOPIC "t"

enum txn_state { TXN_NONE, TXN_OPEN, TXN_COMMITTED, TXN_ABORTED };

struct entry {
	uint64_t value;          /* its first 8 bytes; 0: a marker */
	int64_t timestamp;
	uint32_t len;
	int32_t txn;             /* index of its transaction; 0: none */
	bool first;              /* of its batch */
	int8_t key;              /* -1: none */
};

/* What stood at an offset before the source lost it. */
struct lost {
	int64_t offset;
	struct entry entry;
};

struct ledger {
	struct entry *entries;   /* by offset */
	int64_t n, cap;
	int64_t start;           /* the source's log start */
	int64_t checked;         /* the copy was read so far */
	struct lost *lost;
	int n_lost;
	int64_t stale, stale_to; /* the copy holds there what the source has lost; -1: it does not */
};

struct producer {
	char id[16];
	int64_t producer_id;
	int16_t epoch;
	int32_t sequence[PARTITIONS];
	bool in_txn[PARTITIONS];
	int32_t txn;             /* open; 0: none */
};

struct world {
	struct rng *rng;
	struct net_broker *source, *destination;
	struct talk at_source, at_destination;
	struct uuid source_topic, destination_topic;
	struct ledger ledgers[PARTITIONS];
	struct producer producers[PRODUCERS];
	enum txn_state *txns;
	int32_t n_txns;
	uint64_t last_value;
	struct packer *packer;
	bool compacted;          /* both topics: a record may go when a later one has its key */
	int64_t fill_limit;      /* of a compacted topic, where longer holes get tombstones; -1: they get none */
	uint64_t n_tombstones;   /* that were read in the copy */
	bool log_append_time;    /* the source's timestamps are the broker's */
	char fault[512];         /* what is wrong; "" */
};

void world_open(struct world *world, struct rng *rng);
void world_close(struct world *world);

/* Some records outside of transactions, to a partition by chance. */
void world_produce(struct world *world);
/* One producer by chance begins, goes on with, or ends a transaction. */
void world_transact(struct world *world);
/* An unclean election at the source: the last records of a partition, none of a transaction, are lost. Their number. */
int64_t world_lose(struct world *world, int32_t partition);
/* The source deletes the oldest records of a partition: all below the offset that is returned. */
int64_t world_expire(struct world *world, int32_t partition);
/* The source's topic goes from CreateTime to LogAppendTime, or back. */
void world_change_time(struct world *world);
/* Ends all transactions. */
void world_settle(struct world *world);

/* The source's last stable offset; the log end of the copy. */
int64_t world_stable(const struct world *world, int32_t partition);
int64_t world_copied(struct world *world, int32_t partition);
/* Where the copy's log starts. */
int64_t world_copy_start(struct world *world, int32_t partition);
/* DeleteRecords at the destination; the new log start. */
int64_t world_trim_copy(struct world *world, int32_t partition, int64_t to);
/* Reads what is new in the copy. False: it is not what the ledger says; world->fault tells. */
bool world_check(struct world *world);
/* Everything stable of a partition is copied. */
bool world_is_equal(struct world *world, int32_t partition);
