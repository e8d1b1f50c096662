/* SPDX-License-Identifier: Apache-2.0 */
/* The header of record batches v2, big-endian:
 *
 *   0 base offset 8 | 8 length behind this field 4 | 12 leader epoch 4 | 16 magic 1 | 17 crc 4 |
 *   21 attributes 2 | 23 last delta 4 | 27 base timestamp 8 | 35 max timestamp 8 | 43 producer id 8 |
 *   51 producer epoch 2 | 53 base sequence 4 | 57 count 4 | 61 records
 *
 * The CRC covers everything from 21 on. Messages v0 and v1: offset 8, length 4, crc 4, magic 1, attributes 1, in v1
 * timestamp 8, then key and value. */
#include "wire/batch.h"

#include "base/crc32c.h"
#include "wire/batch_impl.h"

enum { LENGTH_END = 12, MAGIC_END = 17, OLD_LEN_MIN = 14, OLD_V1_LEN_MIN = 22 };

static bool take_v2(struct batch_header *b)
{
	const uint8_t *p = b->data;

	if (b->size < BATCH_HEADER_LEN)
		return false;
	b->leader_epoch = (int32_t)get32(p + BATCH_EPOCH);
	b->crc = get32(p + BATCH_CRC);
	b->attributes = (int16_t)get16(p + BATCH_ATTRIBUTES);
	b->last_delta = (int32_t)get32(p + BATCH_LAST_DELTA);
	b->base_timestamp = (int64_t)get64(p + BATCH_BASE_TIMESTAMP);
	b->max_timestamp = (int64_t)get64(p + BATCH_MAX_TIMESTAMP);
	b->producer_id = (int64_t)get64(p + BATCH_PRODUCER_ID);
	b->producer_epoch = (int16_t)get16(p + BATCH_PRODUCER_EPOCH);
	b->base_sequence = (int32_t)get32(p + BATCH_BASE_SEQUENCE);
	b->count = (int32_t)get32(p + BATCH_COUNT);
	return b->base_offset >= 0 && b->last_delta >= 0 && b->count >= 0 &&
	       b->base_offset <= INT64_MAX - b->last_delta - 1 && (int64_t)b->count <= (int64_t)b->last_delta + 1;
}

static bool take_old(struct batch_header *b)
{
	if (b->base_offset < 0 || b->size < LENGTH_END + (b->magic == 1 ? OLD_V1_LEN_MIN : OLD_LEN_MIN))
		return false;
	b->leader_epoch = -1;
	b->attributes = b->data[MAGIC_END];
	b->producer_id = -1;
	b->producer_epoch = -1;
	b->base_sequence = -1;
	b->base_timestamp = -1;
	b->max_timestamp = b->magic == 1 ? (int64_t)get64(b->data + MAGIC_END + 1) : -1;
	return true;
}

enum batch_next batch_next(struct reader *r, struct batch_header *b)
{
	size_t left = (size_t)(r->end - r->p);
	bool ok = false;
	int32_t length;

	*b = (struct batch_header){ .data = r->p, .base_offset = -1, .magic = -1 };
	if (left == 0)
		return BATCH_END;
	if (left < MAGIC_END)
		return BATCH_PARTIAL;
	b->base_offset = (int64_t)get64(r->p);
	length = (int32_t)get32(r->p + BATCH_LENGTH);
	b->magic = (int8_t)r->p[MAGIC_END - 1];
	if (length < OLD_LEN_MIN || b->magic < 0 || b->magic > 2)
		return BATCH_BAD;
	if ((size_t)length > left - LENGTH_END)
		return BATCH_PARTIAL;
	b->size = (uint32_t)length + LENGTH_END;
	ok = b->magic == 2 ? take_v2(b) : take_old(b);
	if (!ok)
		return BATCH_BAD;
	r->p += b->size;
	return BATCH_OK;
}

bool batch_crc_ok(const struct batch_header *b)
{
	return b->magic == 2 && crc32c(0, b->data + BATCH_ATTRIBUTES, b->size - BATCH_ATTRIBUTES) == b->crc;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

void batch_put_header(uint8_t *p, const struct batch_header *b)
{
	put64(p, (uint64_t)b->base_offset);
	put32(p + BATCH_LENGTH, b->size - LENGTH_END);
	put32(p + BATCH_EPOCH, (uint32_t)b->leader_epoch);
	p[BATCH_MAGIC] = (uint8_t)b->magic;
	put32(p + BATCH_CRC, b->crc);
	put16(p + BATCH_ATTRIBUTES, (uint16_t)b->attributes);
	put32(p + BATCH_LAST_DELTA, (uint32_t)b->last_delta);
	put64(p + BATCH_BASE_TIMESTAMP, (uint64_t)b->base_timestamp);
	put64(p + BATCH_MAX_TIMESTAMP, (uint64_t)b->max_timestamp);
	put64(p + BATCH_PRODUCER_ID, (uint64_t)b->producer_id);
	put16(p + BATCH_PRODUCER_EPOCH, (uint16_t)b->producer_epoch);
	put32(p + BATCH_BASE_SEQUENCE, (uint32_t)b->base_sequence);
	put32(p + BATCH_COUNT, (uint32_t)b->count);
}

/* CRC is linear: the new one is the old one xor the CRC of the difference, and the difference is zero behind the
 * header, so its CRC is that of the 40 bytes shifted over the records. */
void batch_rewrite(const uint8_t old[BATCH_HEADER_LEN], uint32_t records_len, const struct batch_stamp *stamp,
		   uint8_t out[BATCH_HEADER_LEN])
{
	enum { COVERED = BATCH_HEADER_LEN - BATCH_ATTRIBUTES };
	uint8_t diff[COVERED];
	uint32_t patch;

	memcpy(out, old, BATCH_HEADER_LEN);
	put64(out, 0);
	put32(out + BATCH_EPOCH, UINT32_MAX);
	put16(out + BATCH_ATTRIBUTES, (uint16_t)(get16(old + BATCH_ATTRIBUTES) &
						  ~(BATCH_TRANSACTIONAL | BATCH_DELETE_HORIZON)));
	put64(out + BATCH_PRODUCER_ID, (uint64_t)stamp->producer_id);
	put16(out + BATCH_PRODUCER_EPOCH, (uint16_t)stamp->producer_epoch);
	put32(out + BATCH_BASE_SEQUENCE, (uint32_t)stamp->base_sequence);
	for (int i = 0; i < COVERED; i++)
		diff[i] = old[BATCH_ATTRIBUTES + i] ^ out[BATCH_ATTRIBUTES + i];
	patch = crc32c_shift(crc32c_raw(0, diff, COVERED), records_len);
	put32(out + BATCH_CRC, get32(old + BATCH_CRC) ^ patch);
}

void batch_retime(uint8_t *data, uint32_t size, int64_t timestamp)
{
	put64(data + BATCH_BASE_TIMESTAMP, (uint64_t)timestamp);
	put64(data + BATCH_MAX_TIMESTAMP, (uint64_t)timestamp);
	put32(data + BATCH_CRC, crc32c(0, data + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES));
}
