/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches as they stand in Fetch and Produce: the header of format v2, its rewriting, and the records of
 * batches that are not compressed. Pure functions over bytes that somebody else owns; every length is checked. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "wire/codec.h"
#include "wire/compress.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BATCH_HEADER_LEN = 61,
	BATCH_CODEC = 0x07,             /* 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd */
	BATCH_CODEC_LAST = 4,
	BATCH_LOG_APPEND_TIME = 0x08,
	BATCH_TRANSACTIONAL = 0x10,
	BATCH_CONTROL = 0x20,
	BATCH_DELETE_HORIZON = 0x40
};

struct batch_header {
	const uint8_t *data;            /* the whole batch, from its base offset on */
	uint32_t size;                  /* of the whole batch */
	int8_t magic;                   /* 2; 0 and 1 are old messages: see batch_next */
	int64_t base_offset;
	int32_t leader_epoch;
	uint32_t crc;
	int16_t attributes;
	int32_t last_delta;             /* 0 or more */
	int64_t base_timestamp, max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t count;                  /* of records, 0 or more */
};

enum batch_next { BATCH_OK, BATCH_END, BATCH_PARTIAL, BATCH_BAD };

/* The next batch of a records field: r is set over its bytes ({ .p = records.data, .end = records.data + len }).
 * BATCH_OK: *b is filled and r stands behind the batch.
 * BATCH_END: nothing remains. BATCH_PARTIAL: what remains is the beginning of a batch, as brokers cut it.
 * BATCH_BAD: no batch can begin so (a length or count that contradicts itself, an unknown magic); b->base_offset and
 * b->magic tell what was read, r does not move.
 * With magic 0 or 1 only data, size, magic, base_offset (of a compressed wrapper in v1: its last record's), attributes
 * and, in v1, max_timestamp mean something; count and last_delta are 0. */
enum batch_next batch_next(struct reader *r, struct batch_header *b) __attribute__((warn_unused_result));

/* Whether the CRC holds. False for magic 0 and 1. */
bool batch_crc_ok(const struct batch_header *b);

/* Who appends, and at which sequence. */
struct batch_stamp {
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
};

/* The header that is appended in front of the untouched records: base offset 0, leader epoch -1, codec and timestamp
 * type kept, transactional and delete-horizon bits cleared, the stamp set, everything else kept. The CRC is patched
 * from the old one without reading the records, so damage in them stays visible. records_len: the bytes behind the
 * header. */
void batch_rewrite(const uint8_t old[BATCH_HEADER_LEN], uint32_t records_len, const struct batch_stamp *stamp,
		   uint8_t out[BATCH_HEADER_LEN]);

/* A batch whose records all stand at its base timestamp (their deltas are 0) gets another one, and the CRC for it. */
void batch_retime(uint8_t *data, uint32_t size, int64_t timestamp);

/* For a batch that is not compressed: whether its records have the offset deltas 0, 1, ... count - 1, end with
 * last_delta, and fill the batch exactly. Brokers do not check this. */
bool batch_deltas_ok(const struct batch_header *b);

struct record {
	int64_t timestamp_delta;
	int32_t offset_delta;
	struct bytes key, value;        /* len -1: null */
	int32_t n_headers;
	struct bytes headers;           /* the raw headers, behind their number */
};

/* Sets r over the records of a batch that is not compressed. */
void batch_records(const struct batch_header *b, struct reader *r);
/* BATCH_OK, BATCH_END or BATCH_BAD. */
enum batch_next record_next(struct reader *r, struct record *rec) __attribute__((warn_unused_result));
/* The next header of a record; r is set over rec.headers. */
enum batch_next record_header_next(struct reader *r, struct str *key, struct bytes *value)
	__attribute__((warn_unused_result));

struct batch_record {
	struct bytes key, value;        /* len -1: null */
};

/* A batch to write: not compressed, without headers, all records with one timestamp. */
struct batch_draft {
	const struct batch_record *records;
	int32_t n;
	int64_t timestamp;
	int16_t attributes;             /* 0, or what a server writes: BATCH_TRANSACTIONAL, BATCH_CONTROL */
	struct batch_stamp stamp;       /* producer_id -1: none */
};
/* The encoded batch in memory of the arena, with base offset 0, leader epoch -1 and its CRC. data NULL: beyond the
 * arena's limit or larger than 2 GiB. */
struct bytes batch_build(const struct batch_draft *draft, struct arena *arena);

/* A batch that batch_build made, with its records packed; it goes behind out->end. */
void batch_pack(struct bytes plain, enum codec codec, struct packer *packer, struct window *out);
