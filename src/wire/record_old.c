/* SPDX-License-Identifier: Apache-2.0 */
/* Messages v0 and v1:
 *
 *   0 offset 8 | 8 size behind this field 4 | 12 crc 4 (CRC-32 of all behind it) | 16 magic 1 | 17 attributes 1 |
 *   18 timestamp 8, in v1 only | key length 4, key | value length 4, value
 *
 * A compressed message is a wrapper: its value is packed messages of the same format. Their offsets are absolute in v0.
 * In v1 they are relative, and the wrapper's offset is that of the last one: so all are read once for the last's, and
 * again for their own. With LogAppendTime the wrapper's timestamp is everyone's. */
#include "wire/record_reader_impl.h"

#include "base/mem.h"

#include <zlib.h>

enum { SIZE_AT = 8, SIZE_END = 12, CRC_AT = 12, CRC_END = 16, MAGIC_AT = 16, ATTRIBUTES_AT = 17, TIMESTAMP_AT = 18 };
enum { V0_SIZE_MIN = 14, V1_SIZE_MIN = 22 };

static bool crc_ok(const uint8_t *message, size_t size)
{
	return crc32_z(0, message + CRC_END, size - CRC_END) == get32(message + CRC_AT);
}

static bool nullable(struct reader *r, struct bytes *v)
{
	int32_t len = (int32_t)read32(r);

	if (r->failed || len < -1 || len > r->end - r->p)
		return false;
	*v = (struct bytes){ len < 0 ? NULL : r->p, len };
	r->p += MAX(len, 0);
	return true;
}

static bool key_and_value(const uint8_t *message, size_t size, struct bytes *key, struct bytes *value)
{
	struct reader r = { .p = message + TIMESTAMP_AT + (message[MAGIC_AT] == 1 ? 8 : 0), .end = message + size };

	return nullable(&r, key) && nullable(&r, value) && r.p == r.end;
}

enum record_result old_check(struct record_reader *rr)
{
	const struct batch_header *b = &rr->batch;
	int codec = b->attributes & BATCH_CODEC;

	if (!crc_ok(b->data, b->size))
		return reader_bad(rr, FAULT_CRC);
	if (codec > CODEC_LZ4)
		return reader_bad(rr, FAULT_CODEC);
	if (!key_and_value(b->data, b->size, &rr->old_key, &rr->old_value))
		return reader_bad(rr, FAULT_LENGTH);
	rr->base = 0;
	rr->scanned = -1;
	if (codec == CODEC_NONE) {
		rr->step = READER_OLD_ONE;
		return RECORD_OK;
	}
	if (rr->old_value.len <= 0)
		return reader_bad(rr, FAULT_LENGTH);
	rr->wrapped = rr->old_value;
	rr->step = b->magic == 1 ? READER_OLD_SCAN : READER_OLD_RECORDS;
	reader_unpack_from(rr, rr->wrapped.data, (size_t)rr->wrapped.len);
	return RECORD_OK;
}

enum record_result old_one(struct record_reader *rr, struct record_view *v)
{
	*v = (struct record_view){
		.offset = rr->batch.base_offset, .timestamp = rr->batch.max_timestamp,
		.key = rr->old_key, .value = rr->old_value,
	};
	rr->n = 1;
	rr->next_offset = v->offset + 1;
	rr->step = READER_END;
	return RECORD_OK;
}

/* A message within a wrapper, of `size` bytes at p. */
static enum record_result inner(struct record_reader *rr, struct record_view *v, size_t size)
{
	const struct batch_header *b = &rr->batch;
	const uint8_t *p = rr->p;
	int64_t offset = (int64_t)get64(p);

	if (!crc_ok(p, size))
		return reader_bad(rr, FAULT_CRC);
	if ((p[ATTRIBUTES_AT] & BATCH_CODEC) != CODEC_NONE)
		return reader_bad(rr, FAULT_CODEC);
	*v = (struct record_view){ 0 };
	if (!key_and_value(p, size, &v->key, &v->value))
		return reader_bad(rr, FAULT_LENGTH);
	/* Both are not below 0 where they can be right at all. */
	if (offset < 0 || offset > b->base_offset - rr->base || rr->base + offset < rr->next_offset)
		return reader_bad(rr, FAULT_OFFSET);
	v->offset = rr->base + offset;
	if (b->magic == 0)
		v->timestamp = -1;
	else if (b->attributes & BATCH_LOG_APPEND_TIME)
		v->timestamp = b->max_timestamp;
	else
		v->timestamp = (int64_t)get64(p + TIMESTAMP_AT);
	rr->n++;
	rr->next_offset = v->offset + 1;
	return RECORD_OK;
}

/* The first pass has met the end: from here the second. */
static enum record_result scanned(struct record_reader *rr)
{
	if (rr->scanned < 0)
		return reader_bad(rr, FAULT_COUNT);
	rr->base = rr->batch.base_offset - rr->scanned;
	if (rr->base < 0)
		return reader_bad(rr, FAULT_OFFSET);
	rr->step = READER_OLD_RECORDS;
	reader_unpack_from(rr, rr->wrapped.data, (size_t)rr->wrapped.len);
	return RECORD_OK;
}

static enum record_result end_of_messages(struct record_reader *rr)
{
	if (rr->n == 0)
		return reader_bad(rr, FAULT_COUNT);
	rr->step = READER_END;
	return RECORD_END;
}

/* Has the next message wholly at p. *size 0: none is left. */
static enum record_result whole(struct record_reader *rr, size_t *size, size_t *budget)
{
	const size_t least = rr->batch.magic == 1 ? V1_SIZE_MIN : V0_SIZE_MIN;
	enum record_result result = reader_want(rr, SIZE_END + V0_SIZE_MIN, budget);
	uint32_t len;

	*size = 0;
	if (result != RECORD_OK || rr->p == rr->end)
		return result;
	if (rr->end - rr->p < SIZE_END + V0_SIZE_MIN)
		return reader_bad(rr, FAULT_LENGTH);
	len = get32(rr->p + SIZE_AT);
	if (len < least || len > INT32_MAX || rr->p[MAGIC_AT] != (uint8_t)rr->batch.magic)
		return reader_bad(rr, FAULT_LENGTH);
	if (len > rr->limits.piece_max)
		return reader_large(rr, FAULT_RECORD_SIZE, len);
	result = reader_want(rr, SIZE_END + (size_t)len, budget);
	if (result != RECORD_OK)
		return result;
	if ((size_t)(rr->end - rr->p) < SIZE_END + (size_t)len)
		return reader_bad(rr, FAULT_LENGTH);
	*size = SIZE_END + (size_t)len;
	return RECORD_OK;
}

enum record_result old_next(struct record_reader *rr, struct record_view *v, size_t *budget)
{
	enum record_result result;
	size_t size;

	for (;;) {
		if (*budget == 0)
			return RECORD_AGAIN;
		result = whole(rr, &size, budget);
		if (result != RECORD_OK)
			return result;
		if (rr->step == READER_OLD_RECORDS)
			break;
		if (size == 0) {
			result = scanned(rr);
			if (result != RECORD_OK)
				return result;
		} else {
			rr->scanned = MAX((int64_t)get64(rr->p), 0);
			rr->p += size;
		}
	}
	if (size == 0)
		return end_of_messages(rr);
	result = inner(rr, v, size);
	if (result == RECORD_OK)
		rr->p += size;
	return result;
}
