/* SPDX-License-Identifier: Apache-2.0 */
/* The records of any batch, one after the other: formats v0, v1 and v2, all codecs. Streaming and resumable: a step does
 * a bounded amount of work, and memory is bounded by the limits whatever the batch claims. Pure: no I/O, no clock. What
 * comes out is what a stock consumer gets: absolute offsets, the timestamps that it shows, key, value, headers.
 *
 * Everything that the batch says about itself is checked: its CRC, the length of each record against its fields, the
 * number of records against the header's, offsets that rise and stay within the batch, bytes behind the last record.
 * What remains unchecked is left to the caller: transactions and control batches (attributes of the header).
 *
 * A reader is made once and used for many batches. It belongs to one thread at a time; the batch's bytes belong to the
 * caller, are never changed, and must stay until the next record_reader_open, _close or _destroy. */
#pragma once

#include "wire/batch.h"

/* Limits of memory and work for one batch. */
struct record_limits {
	size_t piece_max;       /* largest record, or snappy block, that is taken; memory is at most about twice that */
	uint64_t unpacked_max;  /* of a batch as a whole, unpacked; at most INT32_MAX is what Kafka's clients can make */
};
enum { RECORD_PIECE_MAX = 100 << 20 };
#define RECORD_LIMITS_DEFAULT ((struct record_limits){ RECORD_PIECE_MAX, INT32_MAX })

/* What a step can come to. */
enum record_result {
	RECORD_OK,              /* a record */
	RECORD_AGAIN,           /* the budget is used up: call again */
	RECORD_END,             /* no more records */
	RECORD_BAD,             /* the batch is damaged or lies: see record_reader_fault */
	RECORD_LARGE            /* beyond the limits: likewise */
};

/* RECORD_BAD and RECORD_LARGE: kinds have a word for errors and metrics. */
enum fault_kind {
	FAULT_NONE,
	FAULT_CRC,              /* the only kind that fetching again may mend */
	FAULT_CODEC,            /* a codec that no format has, or a compressed message within a compressed one */
	FAULT_COMPRESSION,      /* compressed data that is broken, cut off or has bytes behind its end */
	FAULT_LENGTH,           /* a length that does not fit what it holds */
	FAULT_COUNT,            /* more or fewer records than the header says */
	FAULT_OFFSET,           /* offsets that do not rise, or leave the batch */
	FAULT_RECORD_SIZE,      /* RECORD_LARGE: a record or snappy block above piece_max */
	FAULT_BATCH_SIZE,       /* RECORD_LARGE: unpacks to more than unpacked_max */
	FAULT_RUN_SIZE          /* REWRITE_LARGE: a record alone makes a batch above size_max */
};

struct record_fault {
	enum fault_kind kind;
	int64_t offset;         /* the last good record's + 1, or the batch's first offset */
	uint64_t size;          /* FAULT_RECORD_SIZE, FAULT_BATCH_SIZE: bytes, as far as known */
};

/* "CRC mismatch", "records beyond the header's count", ... for "%s at offset N". Never NULL. */
const char *fault_text(enum fault_kind kind);

/* A record. The bytes are valid until the next call with the reader. */
struct record_view {
	int64_t offset;
	int64_t timestamp;      /* as a consumer shows it: with LogAppendTime the batch's, in v0 -1 */
	struct bytes key, value;/* len -1: null */
	int32_t n_headers;
	struct bytes headers;   /* raw, behind their number, for record_header_next; empty in v0 and v1 */
	/* Only of v2: */
	int64_t timestamp_delta;/* as it stands in the record */
	uint8_t attributes;     /* of the record; no format uses it */
	struct bytes body;      /* raw: from the key's length to the record's end; data NULL in v0 and v1 */
};

struct record_reader;

struct record_reader *record_reader_create(const struct record_limits *limits);
void record_reader_destroy(struct record_reader *rr);

/* Begins with a batch; the header is copied. The CRC is checked with the first record. In v0 and v1 it is one message:
 * a record, or a compressed wrapper of many; CRCs of the messages inside are checked too. */
void record_reader_open(struct record_reader *rr, const struct batch_header *b);
/* Forgets the batch, and gives back large memory. */
void record_reader_close(struct record_reader *rr);

/* The next record. *budget is in bytes, of unpacked data mostly, and is counted down; at 0 the answer is RECORD_AGAIN.
 * One step may go beyond it by 64 KiB, or by one snappy block. */
enum record_result record_reader_next(struct record_reader *rr, struct record_view *v, size_t *budget)
	__attribute__((warn_unused_result));
/* After RECORD_BAD or RECORD_LARGE. */
const struct record_fault *record_reader_fault(const struct record_reader *rr);
/* Bytes of memory that are held, without the codec libraries' own. */
size_t record_reader_memory(const struct record_reader *rr);
