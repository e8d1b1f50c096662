/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker demands of the records of a Produce partition before they come near the log, in its order. */
#pragma once

#include "sandbox/topic_config.h"
#include "wire/batch.h"
#include "wire/codec.h"

/* Places in the header of a magic 2 batch, which is BATCH_HEADER_LEN bytes. */
enum {
	BATCH_BASE_OFFSET = 0, BATCH_LENGTH = 8, BATCH_EPOCH = 12, BATCH_MAGIC = 16, BATCH_CRC = 17,
	BATCH_ATTRIBUTES = 21, BATCH_LAST_DELTA = 23, BATCH_BASE_TIMESTAMP = 27, BATCH_MAX_TIMESTAMP = 35,
	BATCH_PRODUCER_ID = 43, BATCH_PRODUCER_EPOCH = 51, BATCH_BASE_SEQUENCE = 53, BATCH_COUNT = 57,
	BATCH_LENGTH_END = 12   /* what the length field does not count */
};

/* A batch on its way to the log. */
struct batch_view {
	const uint8_t *data;
	int32_t len;
	int64_t max_timestamp;     /* of the records; the header's when they are compressed */
	const char *why;           /* the sentence of an error, or NULL */
};

/* One magic 2 batch and nothing else, as ProduceRequest checks it: 0, 2, 76 or 87. */
int16_t batch_check_form(const struct records *records, int16_t version, struct batch_view *view);
/* The batch against the topic: 0, 2, 10, 18, 32 or 87. */
int16_t batch_check_records(struct batch_view *view, const struct topic_config *conf, int64_t wall_ms);

/* Sets r over the records of a batch that is not compressed, for record_next of wire/batch.h. */
void batch_open_records(const uint8_t *batch, int32_t len, struct reader *r);
