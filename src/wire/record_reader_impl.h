/* SPDX-License-Identifier: Apache-2.0 */
/* What record_reader.c (v2, the window) and record_old.c (v0, v1) share. */
#pragma once

#include "wire/compress.h"
#include "wire/record_reader.h"
#include "wire/varint.h"

enum reader_step {
	READER_CHECK,           /* nothing was looked at yet */
	READER_RECORDS,         /* v2 */
	READER_OLD_ONE,         /* v0, v1: one message that is not compressed */
	READER_OLD_SCAN,        /* v1, compressed: a first pass for the last relative offset, which the others count from */
	READER_OLD_RECORDS,     /* v0, v1, compressed */
	READER_END,
	READER_FAULT
};

struct record_reader {
	struct record_limits limits;
	struct batch_header batch;
	enum reader_step step;
	int64_t n;              /* records so far */
	int64_t next_offset;    /* no record may be below */
	struct record_fault fault;

	const uint8_t *p, *end; /* what is unpacked and not consumed */
	bool drained;           /* nothing comes behind end */
	uint64_t unpacked;
	struct unpacker *unpacker;
	struct window window;

	/* v0, v1 */
	struct bytes wrapped;   /* the compressed messages */
	int64_t base;           /* what relative offsets count from; 0 in v0 */
	int64_t scanned;        /* READER_OLD_SCAN: the last relative offset */
	struct bytes old_key, old_value;
};

enum record_result reader_bad(struct record_reader *rr, enum fault_kind kind);
enum record_result reader_large(struct record_reader *rr, enum fault_kind kind, uint64_t size);
/* Sets p, end, window over data, with the batch's codec. */
void reader_unpack_from(struct record_reader *rr, const uint8_t *data, size_t len);
/* RECORD_OK: n bytes stand at p, or fewer and nothing follows them. */
enum record_result reader_want(struct record_reader *rr, size_t n, size_t *budget);
/* RECORD_END when nothing follows. */
enum record_result reader_ends(struct record_reader *rr, size_t *budget);

/* v0 and v1: sets the next step. */
enum record_result old_check(struct record_reader *rr);
enum record_result old_one(struct record_reader *rr, struct record_view *v);
enum record_result old_next(struct record_reader *rr, struct record_view *v, size_t *budget);
