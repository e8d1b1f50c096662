/* SPDX-License-Identifier: Apache-2.0 */
/* Which records of two sides of a partition are not the same. Pure: the caller walks both sides in the order of their
 * offsets and says what it met.
 *
 * On a compacted topic the sides' cleaners run at their own pace. There a record that one side lacks is no mismatch if
 * that side has a later record of its key, or if the key's tombstone may have expired there: the other side still has
 * it, or the record is older than delete.retention.ms and something behind it was removed. Until that is known the key
 * waits; how many may wait is bounded (compare_full): the caller then reads on to the end with compare_settle alone,
 * and comes back to where it was. */
#pragma once

#include "base/map.h"
#include "wire/record_reader.h"

enum compare_kind {
	COMPARE_MISSING,    /* only the source has it */
	COMPARE_EXTRA,      /* only the destination has it */
	COMPARE_KEY, COMPARE_VALUE, COMPARE_HEADERS, COMPARE_TIMESTAMP
};
/* "missing", "extra", "key", "value", "headers", "timestamp". */
const char *compare_kind_name(enum compare_kind kind);

enum { COMPARE_SOURCE, COMPARE_DESTINATION, COMPARE_SIDES };
enum { COMPARE_LISTED_MAX = 1000, COMPARE_WAITING_MAX = 200000 };

struct mismatch {
	int64_t offset;
	enum compare_kind kind;
};

struct compare {
	/* set by the caller */
	bool compacted;
	int64_t expired_before_ms;          /* records of an earlier time may have had a tombstone that has expired */
	/* results */
	int64_t compared;                   /* offsets at which a side had a record */
	int64_t n_mismatches;
	struct mismatch *mismatches;        /* the first COMPARE_LISTED_MAX, by offset once compare_end was called */
	int n_listed;
	/* private */
	struct map waiting_[COMPARE_SIDES]; /* keys that the side lacks */
};

void compare_fini(struct compare *c);

/* Both sides have a record at one offset. True: they are the same. */
bool compare_both(struct compare *c, const struct record_view *source, const struct record_view *destination);
/* Only `side` has a record at its offset, and the other side is known to have none. */
void compare_only(struct compare *c, int side, const struct record_view *v);
/* A record of `side` beyond the range that is compared: it can only settle what waits. */
void compare_settle(struct compare *c, int side, const struct record_view *v);
/* Keys still wait that this side may settle. */
bool compare_waits_for(const struct compare *c, int side);
/* No more may wait: settle what does before more is compared. */
bool compare_full(const struct compare *c);
/* All records of both sides were met. last_hole: of each side, the highest offset without a record; -1: none. What
 * still waits is judged. */
void compare_end(struct compare *c, const int64_t last_hole[COMPARE_SIDES]);
