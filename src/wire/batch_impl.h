/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of a batch header stand; for batch.c and record.c. */
#pragma once

#include "wire/batch.h"
#include "wire/codec_impl.h"

enum {
	BATCH_LENGTH = 8,
	BATCH_EPOCH = 12,
	BATCH_MAGIC = 16,
	BATCH_CRC = 17,
	BATCH_ATTRIBUTES = 21,
	BATCH_LAST_DELTA = 23,
	BATCH_BASE_TIMESTAMP = 27,
	BATCH_MAX_TIMESTAMP = 35,
	BATCH_PRODUCER_ID = 43,
	BATCH_PRODUCER_EPOCH = 51,
	BATCH_BASE_SEQUENCE = 53,
	BATCH_COUNT = 57
};

/* All 61 bytes, from every field. */
void batch_put_header(uint8_t *p, const struct batch_header *b);
