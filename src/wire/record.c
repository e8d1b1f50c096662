/* SPDX-License-Identifier: Apache-2.0 */
/* The records of batches that are not compressed. A record: length, attributes 1, timestamp delta, offset delta, key
 * length and key, value length and value, number of headers, and of each key length and key, value length and value.
 * All lengths and deltas are zig-zag varints; -1 is null. */
#include "wire/batch.h"

#include "base/crc32c.h"
#include "wire/batch_impl.h"
#include "wire/varint.h"

uint64_t varint_read_long(struct reader *r, int bytes_max)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes_max; i++) {
		uint8_t b;

		if (r->p == r->end)
			break;
		b = *r->p++;
		if (i == 9 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b < 0x80)
			return v;
	}
	r->failed = true;
	return 0;
}

static struct bytes read_field(struct reader *r, int32_t least)
{
	int32_t n = varint_length(r, least);
	struct bytes v = { n < 0 ? NULL : r->p, n };

	if (n > 0)
		r->p += n;
	return v;
}

bool batch_deltas_ok(const struct batch_header *b)
{
	struct reader r;
	int32_t n = 0;

	if (b->magic != 2)
		return false;
	for (batch_records(b, &r); r.p < r.end; n++) {
		int32_t len = varint_length(&r, 0);
		struct reader in = { .p = r.p, .end = r.p + len };

		read8(&in);
		varint_int64(&in);
		if (varint_int32(&in) != n || in.failed || r.failed)
			return false;
		r.p += len;
	}
	return n == b->count && (int64_t)n == (int64_t)b->last_delta + 1;
}

void batch_records(const struct batch_header *b, struct reader *r)
{
	CHECK(b->magic == 2 && (b->attributes & BATCH_CODEC) == 0);
	*r = (struct reader){ .p = b->data + BATCH_HEADER_LEN, .end = b->data + b->size };
}

enum batch_next record_header_next(struct reader *r, struct str *key, struct bytes *value)
{
	struct bytes k;

	if (r->p == r->end)
		return BATCH_END;
	k = read_field(r, 0);
	*key = (struct str){ (const char *)k.data, k.len };
	*value = read_field(r, -1);
	return r->failed ? BATCH_BAD : BATCH_OK;
}

enum batch_next record_next(struct reader *r, struct record *rec)
{
	struct reader in, headers;
	struct bytes value;
	struct str key;
	int32_t len;

	*rec = (struct record){ 0 };
	if (r->p == r->end)
		return BATCH_END;
	len = varint_length(r, 0);
	in = (struct reader){ .p = r->p, .end = r->p + len, .failed = r->failed };
	read8(&in);
	rec->timestamp_delta = varint_int64(&in);
	rec->offset_delta = varint_int32(&in);
	rec->key = read_field(&in, -1);
	rec->value = read_field(&in, -1);
	rec->n_headers = varint_length(&in, 0);
	rec->headers = (struct bytes){ in.p, (int32_t)(in.end - in.p) };
	headers = in;
	for (int32_t i = 0; i < rec->n_headers && !headers.failed; i++)
		if (record_header_next(&headers, &key, &value) != BATCH_OK)
			headers.failed = true;
	if (headers.failed || headers.p != headers.end) {
		r->failed = true;
		return BATCH_BAD;
	}
	r->p += len;
	return BATCH_OK;
}

/* ---- building ---- */

static void put_long(struct writer *w, int64_t n)
{
	uint64_t v = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);

	for (; v >= 0x80; v >>= 7)
		write8(w, (uint8_t)(v | 0x80));
	write8(w, (uint8_t)v);
}

static void put_field(struct writer *w, struct bytes v)
{
	put_long(w, v.len);
	write_bytes(w, v.data, v.len > 0 ? (size_t)v.len : 0);
}

static void put_body(struct writer *w, const struct batch_record *rec, int32_t delta)
{
	write8(w, 0);
	put_long(w, 0);
	put_long(w, delta);
	put_field(w, rec->key);
	put_field(w, rec->value);
	put_long(w, 0);
}

static void put_records(struct writer *w, const struct batch_draft *draft)
{
	for (int32_t i = 0; i < draft->n; i++) {
		struct writer measure = { 0 };

		put_body(&measure, &draft->records[i], i);
		put_long(w, (int64_t)measure.len);
		put_body(w, &draft->records[i], i);
	}
}

struct bytes batch_build(const struct batch_draft *draft, struct arena *arena)
{
	struct writer measure = { 0 }, w = { .len = BATCH_HEADER_LEN };
	struct batch_header b = {
		.magic = 2, .leader_epoch = -1, .attributes = draft->attributes, .last_delta = draft->n - 1,
		.base_timestamp = draft->timestamp, .max_timestamp = draft->timestamp,
		.producer_id = draft->stamp.producer_id, .producer_epoch = draft->stamp.producer_epoch,
		.base_sequence = draft->stamp.base_sequence, .count = draft->n,
	};

	CHECK(draft->n > 0 && (draft->attributes & BATCH_CODEC) == 0);
	put_records(&measure, draft);
	if (measure.len > INT32_MAX - BATCH_HEADER_LEN)
		return (struct bytes){ NULL, -1 };
	b.size = (uint32_t)(BATCH_HEADER_LEN + measure.len);
	w.cap = b.size;
	w.head = arena_alloc(arena, b.size);
	if (w.head == NULL)
		return (struct bytes){ NULL, -1 };
	put_records(&w, draft);
	CHECK(w.len == b.size);
	batch_put_header(w.head, &b);
	b.crc = crc32c(0, w.head + BATCH_ATTRIBUTES, b.size - BATCH_ATTRIBUTES);
	batch_put_header(w.head, &b);
	return (struct bytes){ w.head, (int32_t)b.size };
}
