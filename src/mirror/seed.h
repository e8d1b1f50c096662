/* SPDX-License-Identifier: Apache-2.0 */
/* Seeding (DESIGN 4): offsets below the one where a mirror is to begin are used up by batches of records without
 * content, quickly, and then deleted, so that the log starts where the source's does. Pure: what is to be seeded, and
 * the bytes of it. seeder.c does it.
 *
 * Seeds carry the data id and its sequence like every other batch, so the fence and the check of the base offset hold
 * for them too: never one offset too many. */
#pragma once

#include "base/buf.h"
#include "wire/batch.h"
#include "wire/record_reader.h"

enum {
	SEED_RECORDS = 20000,            /* of one batch: the broker makes an object of each record */
	SEED_RATE = 2000000,             /* offsets a second, for estimates: a careful half of what was measured */
	SEED_BATCH_BYTES = 28000,        /* of a full batch, likewise */
};

/* What an opening found to be seeded. */
struct seed_plan {
	int64_t from, to;                /* offsets from .. to - 1; to -1: nothing */
	bool lost;                       /* the source had them once: to be told as DATA_LOSS */
	bool recorded;                   /* stands in the control log: it may begin */
};

struct seed_input {
	int64_t log_end, start;          /* the mirror's log end; where it is to begin */
	int64_t recorded_from, recorded_to;  /* a seeding that is recorded as under way; -1: none */
};
/* A seeding that is recorded goes on, also when the start has moved on meanwhile (which is recorded anew first). */
void seed_judge(const struct seed_input *in, struct seed_plan *plan);

/* How many records the batch at an offset below `to` has. */
int32_t seed_records(int64_t at, int64_t to);
enum seed_kind {
	SEED_NO_KEYS,
	SEED_EMPTY_KEYS,                 /* where the topic is compacted and must have keys */
	SEED_TOMBSTONES,                 /* see below; with timestamp 0: batch_retime */
	SEED_KINDS
};
/* A batch of n records as a source would have it: null values, timestamp -1, gzip. One reference; NULL when the pool's
 * budget is used up. */
struct buf *seed_batch(struct buf_pool *pool, int32_t n, enum seed_kind kind);
/* Tombstones (mirror.fill.mode=tombstone): on compacted topics the same way fills holes that are too long for markers.
 * They are never deleted by us; all have one key, so the destination's cleaner leaves one of them, and takes that too when
 * its time is over. The key is an on-disk format: it tells later readers that the offset was a hole. */
#define SEED_TOMBSTONE_KEY "_krmirror_hole"
bool seed_is_tombstone(const struct record_view *v);

/* How long it takes, in seconds, and how many MiB are appended, at least 1 each. For people. */
void seed_estimate(int64_t n, int64_t *seconds, int64_t *mib);
