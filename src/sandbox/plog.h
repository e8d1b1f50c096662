/* SPDX-License-Identifier: Apache-2.0 */
/* The log of one partition: record batches in the order of their offsets, the start and end offset, and the epochs
 * under which it was written. Nothing is judged here: a batch that comes to plog_append is right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A batch as it stands in the log; never changed, so replies may point into it while they hold a reference. */
struct plog_batch {
	uint32_t refs;
	int32_t len;
	int64_t base_offset, last_offset;
	int64_t max_timestamp;
	int32_t epoch;
	uint8_t data[];
};

struct plog_epoch {
	int32_t epoch;
	int64_t start;
};

struct plog {
	int64_t start_offset, end_offset;
	size_t bytes;                  /* of the batches that stand in it */
	/* private */
	struct plog_batch **batches_;
	size_t first_, n_, cap_;       /* batches_[first_ .. n_) */
	struct plog_epoch *epochs_;
	int n_epochs_;
};

void plog_init(struct plog *log);
void plog_fini(struct plog *log);

/* An unfilled batch of len bytes with one reference. */
struct plog_batch *plog_batch_create(int32_t len);
void plog_batch_ref(struct plog_batch *b);
void plog_batch_unref(struct plog_batch *b);

/* Takes over the batch, whose base_offset must be the log's end. */
void plog_append(struct plog *log, struct plog_batch *b);
/* The first batch that reaches offset or lies above it, as an index for plog_at. */
size_t plog_find(const struct plog *log, int64_t offset);
/* The bytes of the batches that begin in [from, to). */
size_t plog_bytes_between(const struct plog *log, int64_t from, int64_t to);
/* NULL behind the last one. */
struct plog_batch *plog_at(const struct plog *log, size_t i);

/* Records that a leader of this epoch begins at the log's end. */
void plog_epoch_begin(struct plog *log, int32_t epoch);
/* The epoch of the newest entry; -1 when there is none. */
int32_t plog_epoch_last(const struct plog *log);
/* The epoch that wrote offset; -1 when it is not known. */
int32_t plog_epoch_of(const struct plog *log, int64_t offset);
/* OffsetForLeaderEpoch's answer: the largest epoch that is known and not above the asked one, and where it ended.
 * Both -1 when there is no answer. */
void plog_epoch_end(const struct plog *log, int32_t asked, int32_t *epoch, int64_t *end);

/* Puts another batch of the same offsets in the place of one, or takes it out (NULL): then nobody has its offsets. The
 * log takes the batch over. */
void plog_replace(struct plog *log, size_t i, struct plog_batch *b);
/* Moves the start; batches that lie wholly below it are dropped. offset is within [start, end]. */
void plog_delete_to(struct plog *log, int64_t offset);
/* Cuts the log at offset: batches that reach it or lie above it are dropped. */
void plog_truncate(struct plog *log, int64_t offset);
