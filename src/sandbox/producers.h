/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition remembers of its producers, and the rules that follow from it: epoch fencing, the next sequence,
 * the window of five batches that are recognised when they come again, the epochs of markers, and where an open
 * transaction began. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRODUCER_WINDOW = 5 };

struct producer_batch {
	int32_t first_sequence, last_sequence;
	int64_t first_offset, last_offset;
	int64_t timestamp;
};

struct producer {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;      /* -1: no marker yet */
	int64_t last_timestamp;
	int64_t txn_start;              /* the first offset of its open transaction; -1: none */
	/* oldest first; empty: only a marker is known, or the epoch was raised by one */
	struct producer_batch window[PRODUCER_WINDOW];
	int n_window;
};

struct producers {
	struct producer *items;         /* in the order in which they were first seen */
	size_t n;
	/* private */
	size_t cap_;
	uint32_t *index_;               /* a hash of 1 + place in items */
	size_t index_size_;
	int64_t first_open_;
};

/* The producer fields of a batch. id -1 has no rules. */
struct producer_claim {
	int64_t id;
	int16_t epoch;
	int32_t base_sequence, last_offset_delta;
	int64_t offset;                 /* where the batch will stand */
	int64_t timestamp;
	bool transactional;
};

void producers_init(struct producers *p);
void producers_fini(struct producers *p);
/* NULL when nothing is remembered of id. */
struct producer *producers_find(const struct producers *p, int64_t id);

/* base_sequence + n, wrapping at 2^31. */
int32_t sequence_add(int32_t sequence, int32_t n);

/* The batch of the window that is the same one, or NULL. */
const struct producer_batch *producers_duplicate(const struct producers *p, const struct producer_claim *c);
/* Whether a batch (that is no duplicate) may be appended: 0, 45, 47, or 48 for an ordinary one while a transaction of
 * the producer is open. */
int16_t producers_check(const struct producers *p, const struct producer_claim *c);
/* The batch was appended. */
void producers_append(struct producers *p, const struct producer_claim *c);

struct producer_marker {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;
	int64_t timestamp;
};

/* Whether a marker may be written: 0, 47 or 52. */
int16_t producers_check_marker(const struct producers *p, const struct producer_marker *m);
/* The marker was written. Where the transaction began that it ended; -1: there was none. */
int64_t producers_marker(struct producers *p, const struct producer_marker *m);

/* The lowest offset at which a transaction is open; INT64_MAX: none is. */
int64_t producers_first_open(const struct producers *p);
/* Whether a transaction of exactly this producer epoch is open. */
bool producers_in_txn(const struct producers *p, int64_t id, int16_t epoch);

/* Forgets those whose last record timestamp is not above `before` and that have no transaction open. */
void producers_expire(struct producers *p, int64_t before);
