/* SPDX-License-Identifier: Apache-2.0 */
/* Batches for tests of the reader and the rewriter, right or wrong on purpose. */
#pragma once

#include "wire/batch.h"
#include "wire/compress.h"

struct made_record {
	int64_t offset, timestamp;
	struct bytes key, value;        /* len -1: null */
	bool header;                    /* one header "h" = key */
};

struct made_batch {
	enum codec codec;
	int16_t attributes;             /* besides the codec */
	const struct made_record *records;
	int n;
	int64_t base_offset;
	int32_t last_delta;
	int32_t count;                  /* as the header says */
	int64_t base_timestamp, max_timestamp;
	int32_t epoch;
	bool bare_snappy;               /* as librdkafka writes it */
};

/* Record n of a test: contents that depend on n and tell it. The memory is static where it is constant, else of the
 * arena. */
struct made_record made_record(int64_t n, size_t size, struct arena *arena);

/* A batch v2, its CRC right. In memory of the arena. */
struct bytes make_batch(const struct made_batch *m, struct arena *arena);
/* The records alone, packed. */
struct bytes make_packed(enum codec codec, bool bare_snappy, struct bytes plain, struct arena *arena);
/* Messages v0 or v1: with a codec one wrapper, else one after the other. */
struct bytes make_messages(const struct made_batch *m, int8_t magic, struct arena *arena);
/* Sets the CRC of a batch v2 or of a message right again. */
void mend_crc(uint8_t *batch, size_t len);
/* The only batch of these bytes. */
struct batch_header header_of(struct bytes b);
