/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction coordinator: one entry for each transactional id.
 *
 *   EMPTY --partitions, groups--> ONGOING --EndTxn, a new owner, transaction.timeout.ms--> COMMITTED or ABORTED
 *                                    ^                                                            |
 *                                    +---------------------- partitions, groups ------------------+
 *
 * A broker writes the markers some time after it has answered; here they stand when EndTxn is answered, so there is no
 * state between, and only a new owner of an open transaction is told 51. */
#pragma once

#include "sandbox/coord.h"

enum txn_state { TXN_EMPTY, TXN_ONGOING, TXN_COMMITTED, TXN_ABORTED };

struct txn_partition {
	char *topic;
	int32_t index;
};

/* An offset that TxnOffsetCommit gave, until the transaction ends. */
struct txn_offset {
	struct list node;
	char *group, *topic, *metadata;
	int32_t partition, leader_epoch;
	int64_t offset;
};

struct txn {
	struct sandbox *sb;
	char *id;
	int64_t producer_id, last_producer_id;  /* the latter: of before its epochs were used up; -1 */
	int16_t epoch, last_epoch;              /* -1: none */
	enum txn_state state;
	int32_t timeout_ms;
	int64_t started_ms;                     /* wall clock, of the last one; -1: none under this epoch */
	struct txn_partition *partitions;
	int32_t n_partitions;
	char **groups;
	int32_t n_groups;
	struct list offsets;
	struct tick timer;
};

/* Who a client of the coordinator says it is. */
struct txn_claim {
	struct str id;
	int64_t producer_id;
	int16_t epoch;
};

/* "Ongoing" and so on, as brokers name them. */
const char *txn_state_name(const struct txn *txn);
/* NULL: there is none. */
struct txn *txn_find(struct sandbox *sb, struct str id);
void txn_fini(struct sandbox *sb);

/* A new owner of the id. claim->producer_id and epoch: what the client had before, or both -1. With 0 the entry tells
 * the producer id and epoch. 42, 50, 90; 51 after an open transaction was aborted for it. */
int16_t txn_init(struct sandbox *sb, const struct txn_claim *claim, int32_t timeout_ms, struct txn **txn);
/* 0 and the entry, or 42, 49, 90. */
int16_t txn_check(struct sandbox *sb, const struct txn_claim *claim, struct txn **txn);
/* What 90 was called before it had a code of its own: 47 below a version. */
int16_t txn_code(int16_t code, int16_t version, int16_t since);

bool txn_has_partition(const struct txn *txn, struct str topic, int32_t index);
/* Opens a transaction, if none is. */
void txn_add_partition(struct txn *txn, struct str topic, int32_t index);
bool txn_has_group(const struct txn *txn, struct str group);
void txn_add_group(struct txn *txn, struct str group);
/* Keeps an offset until the end. False when memory is out. */
bool txn_put_offset(struct txn *txn, struct str group, struct str topic, const struct coord_offset *value);
/* Whether some open transaction is about to commit an offset there. */
bool txn_offset_pending(struct sandbox *sb, struct str group, struct str topic, int32_t partition);
/* Writes the markers and commits or drops the offsets: 0, or 48. The same end again is 0. */
int16_t txn_end(struct txn *txn, bool commit);
