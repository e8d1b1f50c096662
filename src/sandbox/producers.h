/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition remembers of its producers, and the rules that follow from it: epoch fencing, the next sequence,
 * the window of five batches that are recognised when they come again, and the epochs of markers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PRODUCER_WINDOW = 5 };

struct producer_batch {
	int32_t first_sequence, last_sequence;
	int64_t first_offset;
	int64_t timestamp;
};

struct producer {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;      /* -1: no marker yet */
	int64_t last_timestamp;
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
};

/* The producer fields of a batch. id -1 has no rules. */
struct producer_claim {
	int64_t id;
	int16_t epoch;
	int32_t base_sequence, last_offset_delta;
	int64_t offset;                 /* where the batch will stand */
	int64_t timestamp;
};

void producers_init(struct producers *p);
void producers_fini(struct producers *p);
/* NULL when nothing is remembered of id. */
struct producer *producers_find(const struct producers *p, int64_t id);

/* base_sequence + n, wrapping at 2^31. */
int32_t sequence_add(int32_t sequence, int32_t n);

/* The batch of the window that is the same one, or NULL. */
const struct producer_batch *producers_duplicate(const struct producers *p, const struct producer_claim *c);
/* Whether a batch (that is no duplicate) may be appended: 0, 45 or 47. */
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
void producers_marker(struct producers *p, const struct producer_marker *m);

/* Forgets those whose last record timestamp is not above `before`. */
void producers_expire(struct producers *p, int64_t before);
