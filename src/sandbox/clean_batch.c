/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/clean_batch.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "sandbox/batch_check.h"
#include "sandbox/bytes.h"
#include "wire/compress.h"
#include "wire/varint.h"

#include <string.h>

struct batch_cleaner {
	struct record_reader *reader;
	struct packer *packer;
	struct window plain, packed;
};

struct batch_cleaner *batch_cleaner_create(void)
{
	struct batch_cleaner *bc = xcalloc(1, sizeof(*bc));

	bc->reader = record_reader_create(&RECORD_LIMITS_DEFAULT);
	bc->packer = packer_create();
	return bc;
}

void batch_cleaner_destroy(struct batch_cleaner *bc)
{
	record_reader_destroy(bc->reader);
	packer_destroy(bc->packer);
	xfree(bc->plain.data);
	xfree(bc->packed.data);
	xfree(bc);
}

static bool open(struct batch_cleaner *bc, const struct plog_batch *b)
{
	struct reader r = { .p = b->data, .end = b->data + b->len };
	struct batch_header header;

	if (batch_next(&r, &header) != BATCH_OK || header.count == 0)
		return false;
	record_reader_open(bc->reader, &header);
	return true;
}

static enum record_result next(struct batch_cleaner *bc, struct record_view *v)
{
	size_t budget = SIZE_MAX;

	return record_reader_next(bc->reader, v, &budget);
}

void batch_cleaner_walk(struct batch_cleaner *bc, const struct plog_batch *b,
			void (*see)(void *owner, const struct record_view *v), void *owner)
{
	struct record_view v;

	if (!open(bc, b))
		return;
	while (next(bc, &v) == RECORD_OK)
		see(owner, &v);
	record_reader_close(bc->reader);
}

/* What stays of a batch. */
struct rest {
	int32_t n, all;
	bool tombstones;
	int64_t first_timestamp, max_timestamp;
	bool broken;
};

static struct rest count_rest(struct batch_cleaner *bc, const struct plog_batch *b, const struct clean_rules *rules)
{
	struct rest rest = { .first_timestamp = -1, .max_timestamp = -1 };
	enum record_result result = RECORD_END;
	struct record_view v;

	if (rules->discard || !open(bc, b))
		return rest;
	for (result = next(bc, &v); result == RECORD_OK; result = next(bc, &v)) {
		rest.all++;
		if (!rules->stays(rules->owner, &v))
			continue;
		if (rest.n++ == 0)
			rest.first_timestamp = v.timestamp;
		rest.tombstones |= v.value.len < 0;
		rest.max_timestamp = MAX(rest.max_timestamp, v.timestamp);
	}
	rest.broken = result != RECORD_END;
	record_reader_close(bc->reader);
	return rest;
}

static void put(struct window *w, const void *data, size_t len)
{
	window_room(w, len);
	if (len > 0)
		memcpy(w->data + w->end, data, len);
	w->end += len;
}

/* The body, from the key on, is as it was. */
static void put_record(struct window *w, const struct record_view *v, int64_t base_timestamp, int64_t base_offset)
{
	uint8_t head[2 * VARLONG_MAX + 1], length[VARLONG_MAX], *at = head;

	*at++ = v->attributes;
	at = varint_put(at, v->timestamp - base_timestamp);
	at = varint_put(at, v->offset - base_offset);
	put(w, length, (size_t)(varint_put(length, (at - head) + v->body.len) - length));
	put(w, head, (size_t)(at - head));
	put(w, v->body.data, (size_t)v->body.len);
}

static void put_records(struct batch_cleaner *bc, const struct plog_batch *b, const struct clean_rules *rules,
			int64_t base_timestamp)
{
	enum codec codec = (enum codec)(get_i16(b->data + BATCH_ATTRIBUTES) & BATCH_CODEC);
	struct record_view v;

	bc->plain.at = bc->plain.end = bc->packed.at = bc->packed.end = 0;
	open(bc, b);
	while (next(bc, &v) == RECORD_OK)
		if (rules->stays(rules->owner, &v))
			put_record(&bc->plain, &v, base_timestamp, b->base_offset);
	record_reader_close(bc->reader);
	if (codec == CODEC_NONE) {
		put(&bc->packed, bc->plain.data, bc->plain.end);
		return;
	}
	packer_begin(bc->packer, codec, &bc->packed);
	packer_write(bc->packer, bc->plain.data, bc->plain.end);
	packer_end(bc->packer);
}

/* Offsets, producer, epoch and attributes stay; an empty one has no codec, base timestamp and horizon. */
static struct plog_batch *rebuild(const struct batch_cleaner *bc, const struct plog_batch *b, const struct rest *rest,
				  int64_t base_timestamp, bool horizon)
{
	size_t body = rest->n > 0 ? bc->packed.end - bc->packed.at : 0;
	struct plog_batch *out = plog_batch_create((int32_t)(BATCH_HEADER_LEN + body));
	uint8_t *d = out->data;
	uint16_t attributes;

	memcpy(d, b->data, BATCH_HEADER_LEN);
	if (body > 0)
		memcpy(d + BATCH_HEADER_LEN, bc->packed.data + bc->packed.at, body);
	out->base_offset = b->base_offset;
	out->last_offset = b->last_offset;
	out->epoch = b->epoch;
	out->max_timestamp = rest->n > 0 ? rest->max_timestamp : b->max_timestamp;
	put_be(d + BATCH_LENGTH, 4, (uint64_t)out->len - BATCH_LENGTH_END);
	put_be(d + BATCH_COUNT, 4, (uint32_t)rest->n);
	put_be(d + BATCH_MAX_TIMESTAMP, 8, (uint64_t)out->max_timestamp);
	put_be(d + BATCH_BASE_TIMESTAMP, 8, rest->n > 0 ? (uint64_t)base_timestamp : UINT64_MAX);
	attributes = (uint16_t)get_i16(d + BATCH_ATTRIBUTES);
	if (rest->n == 0)
		attributes &= (uint16_t)~(BATCH_CODEC | BATCH_DELETE_HORIZON);
	if (horizon)
		attributes |= BATCH_DELETE_HORIZON;
	put_be(d + BATCH_ATTRIBUTES, 2, attributes);
	put_be(d + BATCH_CRC, 4, crc32c(0, d + BATCH_ATTRIBUTES, (size_t)out->len - BATCH_ATTRIBUTES));
	return out;
}

struct plog_batch *batch_clean(struct batch_cleaner *bc, struct plog_batch *b, const struct clean_rules *rules)
{
	struct rest rest = count_rest(bc, b, rules);
	bool had = get_i16(b->data + BATCH_ATTRIBUTES) & BATCH_DELETE_HORIZON;
	bool gets = !had && rest.n > 0 && (rest.tombstones || rules->spent_marker);
	int64_t base;

	if (rest.broken || (rest.n == get_i32(b->data + BATCH_COUNT) && !gets && (rest.n > 0 || rules->keep_empty)))
		return b;
	if (rest.n == 0 && !rules->keep_empty)
		return NULL;
	base = gets ? rules->horizon_ms : had ? get_i64(b->data + BATCH_BASE_TIMESTAMP) : rest.first_timestamp;
	if (rest.n > 0)
		put_records(bc, b, rules, base);
	return rebuild(bc, b, &rest, base, gets);
}
