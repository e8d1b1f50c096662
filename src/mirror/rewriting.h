/* SPDX-License-Identifier: Apache-2.0 */
/* The stage between source and lane, for what cannot be appended as it was fetched, and for small batches that are
 * merged. Its slot is a part of each lane; everything runs on the data loop's thread, but for the rewriter itself. */
#pragma once

#include "base/buf.h"
#include "mirror/coalesce.h"
#include "wire/batch.h"

struct mirror;
struct mirror_lane;
struct rewrite_job;

/* A fetched batch that waits for being rewritten, or for one before it. */
struct rewriting_item {
	struct buf *frame;
	struct batch_header b;
	bool hole;                  /* none of its records is to be copied */
};

struct rewriting_slot {
	struct rewriting_item *items;
	uint32_t head, n, cap;      /* items[head, n) wait */
	int64_t position;           /* of the lane, after what was offered last */
	struct rewrite_job *job;    /* works on the first items, */
	uint32_t n_in_job;          /* on so many */
	uint32_t run_max;           /* the destination did not take one of twice as many bytes; 0: none was refused */
	int64_t crc_at;             /* the batch that was fetched again for its CRC last; -1 */
	struct list turn_node;
	struct coalesce coalesce;   /* whether small neighbours are merged */
	bool was_idle;              /* since the last sample nothing waited at some moment */
	uint64_t fetched, fetched_bytes, fetched_offsets, fetched_records;  /* batches with records */
	uint64_t coalesced;         /* of them merged */
};

/* ---- rewriting.c ---- */
/* budget: of the buffers of runs, bytes. */
void rewriting_init(struct mirror *mirror, size_t budget);
/* Whether no job is under way. */
bool rewriting_idle(const struct mirror *mirror);
/* Only when it is idle. */
void rewriting_fini(struct mirror *mirror);
/* Whether batches of the lane wait: what is fetched goes behind them, and nothing more is fetched. */
static inline bool rewriting_busy(const struct rewriting_slot *slot)
{
	return slot->n > 0;
}
/* The next batch in the order of the log: the first one that the lane answered with LANE_REWRITE, or one behind it.
 * Takes a reference to frame. */
void rewriting_add(struct mirror_lane *ml, struct buf *frame, const struct batch_header *b, bool hole);
/* Drops what waits. */
void rewriting_stop(struct mirror_lane *ml);

/* ---- merging.c ---- */
/* A batch with records was fetched. */
void merging_note(struct mirror_lane *ml, const struct batch_header *b);
/* Decides for every lane whether its small batches are merged. */
void merging_tick(struct mirror *mirror, int64_t now);
