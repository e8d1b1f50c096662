/* SPDX-License-Identifier: Apache-2.0 */
/* Both clusters read side by side: what `krmirror verify` and `krmirror topic diff` stand on. Some partitions at a
 * time, each with a connection to both leaders; memory is bounded by their number, whatever the topic holds. Sequential
 * code over a loop, like client/wait.h. */
#pragma once

#include "proof/compare.h"
#include "proof/stream.h"

struct proof_partition {
	/* set by the caller */
	int32_t partition;
	int64_t from, to;                    /* offsets [from, to) that are compared */
	int64_t start[COMPARE_SIDES];        /* what each side has now: log start, and last stable offset. A compacted */
	int64_t end[COMPARE_SIDES];          /* topic is read so far, to settle keys */
	/* results */
	struct compare compare;
	int64_t only[COMPARE_SIDES];         /* records that only this side has; one that differs counts for both */
	int64_t done_to;                     /* offsets below are compared */
	struct err err;                      /* rc RC_OK: it was read to its end */
	int err_side;
};

struct proof {
	struct cluster *clusters[COMPARE_SIDES];
	const char *topics[COMPARE_SIDES];
	struct buf_pool *pool;
	struct proof_partition *partitions;
	int n;
	bool compacted;
	int64_t expired_before_ms;           /* see compare.h */
	int64_t sample;                      /* > 0: at most so many offsets of each partition, spread over the range */
	int32_t patience_ms;                 /* see stream.h */
	int64_t deadline_ns;                 /* INT64_MAX: none */
	/* Now and then, with how many offsets of all have been passed, and how many there are. NULL: none. */
	void (*progress)(void *progress_owner, int64_t passed, int64_t total);
	void *progress_owner;
	/* Each record that only one side has, or that differs (first the source's). NULL: none. */
	void (*only)(void *only_owner, int32_t partition, int side, const struct record_view *v);
	void *only_owner;
};

/* Compares all partitions. What went wrong with one is in it; the others are compared all the same. RC_TIMEOUT: the
 * deadline passed, and done_to says how far each came. Results are the caller's: compare_fini of each partition. */
int proof_run(struct proof *proof, struct err *err) MUST_USE;
