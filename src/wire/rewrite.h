/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The record rewriter: makes batches that can be appended from such as cannot (DESIGN 3): holes inside a batch, a resume
 * in its middle, LogAppendTime, formats v0 and v1; and one batch of several small neighbours (coalescing). Pure and
 * resumable: bytes in, bytes out, a budget for each step; it may run on any thread, one at a time.
 *
 *   in    batches of one log, in its order, that neither control nor abort anything: the caller has made fills of those
 *   out   runs: complete batches v2 of the same codec, whose records have consecutive offsets, key, value, headers and
 *         timestamps unchanged, CreateTime, no producer, base offset as at the source, the source's leader epoch. The
 *         caller stamps them with batch_rewrite as it does with batches that travel raw
 *
 * What lies between two runs, before the first and behind the last as far as the batches' own span goes, has no record:
 * the caller fills it. A batch without any record (emptied by compaction) gives no run.
 *
 *   rewriter_begin(rw, &input);
 *   for (;;)
 *           switch (rewriter_step(rw, budget)) {
 *           case REWRITE_AGAIN: ... later ...
 *           case REWRITE_RUN: copy run->data away; fill [position, run->first); append it
 *           case REWRITE_END: fill [position, end of the span); done
 *           case REWRITE_BAD: case REWRITE_LARGE: stop with rewriter_fault(rw)
 *           }
 *
 * Nothing of a run comes out before it is complete, and nothing of a batch before that was read to its end, a second time
 * where it makes several runs: of a batch that lies there is nothing. */
#include "wire/record_reader.h"

enum rewrite_result {
	REWRITE_AGAIN,          /* the budget is used up */
	REWRITE_RUN,            /* rewriter_run() is a batch; valid until the next call with the rewriter */
	REWRITE_END,            /* all is done */
	REWRITE_BAD,            /* the source's batch is damaged or lies */
	REWRITE_LARGE           /* a record is beyond size_max or the limits */
};

struct rewrite_run {
	const uint8_t *data;    /* header and records; batch_next reads it */
	uint32_t len;
	int64_t first, last;    /* offsets; last - first + 1 records */
	int64_t max_timestamp;
	int32_t leader_epoch;   /* of the source; -1 in v0 and v1 */
};

struct rewrite_input {
	const struct batch_header *batches;  /* copied; the bytes they point to stay until the end */
	int n;
	int64_t first;          /* records below it are left out; 0: none */
	uint32_t size_max;      /* a run has no more bytes, header included */
	uint32_t size_wanted;   /* nor more than that, unless it is of one record; 0: as size_max */
};

struct rewriter;

/* limits: of each source batch. */
struct rewriter *rewriter_create(const struct record_limits *limits);
void rewriter_destroy(struct rewriter *rw);

/* Begins anew, whatever was under way. Batches of different codecs, timestamp types or leader epochs may stand in one
 * input: a run ends where codec or epoch change. */
void rewriter_begin(struct rewriter *rw, const struct rewrite_input *input);
/* budget: in bytes of unpacked data; a step goes beyond it by 64 KiB or a snappy block at most. With 0 nothing is done. */
enum rewrite_result rewriter_step(struct rewriter *rw, size_t budget) __attribute__((warn_unused_result));
/* After REWRITE_RUN. */
const struct rewrite_run *rewriter_run(const struct rewriter *rw);
/* After REWRITE_BAD and REWRITE_LARGE. With FAULT_RUN_SIZE the record alone makes a batch of `size` bytes. */
const struct record_fault *rewriter_fault(const struct rewriter *rw);
/* Forgets input and output, and gives back large memory. */
void rewriter_end(struct rewriter *rw);
/* Bytes of memory that are held, without the codec libraries' own (gzip 300 KiB, lz4 and snappy 200 KiB, zstd 4 MiB and
 * the window that a frame asks for, at most 128 MiB). */
size_t rewriter_memory(const struct rewriter *rw);
