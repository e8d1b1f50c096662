/* SPDX-License-Identifier: Apache-2.0 */
#include "make_batch.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/varint.h"

#include <snappy-c.h>
#include <stdio.h>
#include <zlib.h>

struct made_record made_record(int64_t n, size_t size, struct arena *arena)
{
	char *key = arena_alloc(arena, 24);
	uint8_t *value = arena_alloc(arena, size + 1);
	struct made_record r = { .offset = n, .timestamp = 1700000000000 + n * 7 % 1000, .header = n % 3 == 0 };

	snprintf(key, 24, "key-%lld", (long long)n);
	r.key = n % 5 == 4 ? (struct bytes){ NULL, -1 } : (struct bytes){ (uint8_t *)key, (int32_t)strlen(key) };
	for (size_t i = 0; i < size; i++)
		value[i] = i % 64 < 40 ? (uint8_t)"some words that are often the same words"[i % 64]
				       : (uint8_t)((uint64_t)(n + 1) * 0x9e3779b97f4a7c15u * (i + 1) >> 56);
	r.value = n % 7 == 6 ? (struct bytes){ NULL, -1 } : (struct bytes){ value, (int32_t)size };
	return r;
}

struct batch_header header_of(struct bytes b)
{
	struct reader r = { .p = b.data, .end = b.data + b.len };
	struct batch_header h;

	CHECK(batch_next(&r, &h) == BATCH_OK && r.p == r.end);
	return h;
}

static size_t put_field(uint8_t *p, struct bytes v)
{
	uint8_t *end = varint_put(p, v.len);

	if (v.len > 0)
		memcpy(end, v.data, (size_t)v.len);
	return (size_t)(end - p) + (size_t)MAX(v.len, 0);
}

static size_t put_record(uint8_t *p, const struct made_batch *m, const struct made_record *r, struct arena *arena)
{
	uint8_t *body = arena_alloc(arena, (size_t)(MAX(r->key.len, 0) * 2 + MAX(r->value.len, 0) + 64)), *at = body;

	*at++ = 0;
	at = varint_put(at, r->timestamp - m->base_timestamp);
	at = varint_put(at, r->offset - m->base_offset);
	at += put_field(at, r->key);
	at += put_field(at, r->value);
	at = varint_put(at, r->header ? 1 : 0);
	if (r->header) {
		at += put_field(at, (struct bytes){ (const uint8_t *)"h", 1 });
		at += put_field(at, r->key);
	}
	return put_field(p, (struct bytes){ body, (int32_t)(at - body) });
}

struct bytes make_packed(enum codec codec, bool bare_snappy, struct bytes plain, struct arena *arena)
{
	struct window out = { 0 };
	struct packer *p;
	uint8_t *copy;
	size_t len;

	if (codec == CODEC_SNAPPY && bare_snappy) {
		len = snappy_max_compressed_length((size_t)plain.len);
		copy = arena_alloc(arena, len);
		CHECK(snappy_compress((const char *)plain.data, (size_t)plain.len, (char *)copy, &len) == SNAPPY_OK);
		return (struct bytes){ copy, (int32_t)len };
	}
	p = packer_create();
	packer_begin(p, codec, &out);
	packer_write(p, plain.data, (size_t)plain.len);
	packer_end(p);
	copy = arena_alloc(arena, out.end + 1);
	memcpy(copy, out.data, out.end);
	len = out.end;
	xfree(out.data);
	packer_destroy(p);
	return (struct bytes){ copy, (int32_t)len };
}

static size_t plain_max(const struct made_batch *m)
{
	size_t size = 64;

	for (int i = 0; i < m->n; i++)
		size += (size_t)(MAX(m->records[i].key.len, 0) * 2 + MAX(m->records[i].value.len, 0)) + 64;
	return size;
}

struct bytes make_batch(const struct made_batch *m, struct arena *arena)
{
	uint8_t *plain = arena_alloc(arena, plain_max(m)), *data;
	struct batch_header h = {
		.magic = 2, .base_offset = m->base_offset, .leader_epoch = m->epoch,
		.attributes = (int16_t)(m->attributes | (int)m->codec), .last_delta = m->last_delta,
		.base_timestamp = m->base_timestamp, .max_timestamp = m->max_timestamp, .producer_id = 9,
		.base_sequence = 3, .count = m->count,
	};
	struct bytes packed;
	size_t len = 0;

	for (int i = 0; i < m->n; i++)
		len += put_record(plain + len, m, &m->records[i], arena);
	packed = (struct bytes){ plain, (int32_t)len };
	if (m->codec != CODEC_NONE && m->n > 0)
		packed = make_packed(m->codec, m->bare_snappy, packed, arena);
	h.size = (uint32_t)(BATCH_HEADER_LEN + packed.len);
	data = arena_alloc(arena, h.size);
	batch_put_header(data, &h);
	memcpy(data + BATCH_HEADER_LEN, packed.data, (size_t)packed.len);
	mend_crc(data, h.size);
	return (struct bytes){ data, (int32_t)h.size };
}

void mend_crc(uint8_t *batch, size_t len)
{
	if (batch[BATCH_MAGIC] == 2)
		put32(batch + BATCH_CRC, crc32c(0, batch + BATCH_ATTRIBUTES, len - BATCH_ATTRIBUTES));
	else
		put32(batch + 12, (uint32_t)crc32_z(0, batch + 16, len - 16));
}

static void put64(uint8_t *p, int64_t v)
{
	put32(p, (uint32_t)((uint64_t)v >> 32));
	put32(p + 4, (uint32_t)v);
}

/* attributes: with the codec of a wrapper. */
static size_t put_message(uint8_t *p, int8_t magic, int attributes, const struct made_record *r)
{
	uint8_t *at = p + 18;

	p[16] = (uint8_t)magic;
	p[17] = (uint8_t)attributes;
	if (magic == 1) {
		put64(at, r->timestamp);
		at += 8;
	}
	put32(at, (uint32_t)r->key.len);
	memcpy(at + 4, r->key.len > 0 ? r->key.data : p, (size_t)MAX(r->key.len, 0));
	at += 4 + MAX(r->key.len, 0);
	put32(at, (uint32_t)r->value.len);
	memcpy(at + 4, r->value.len > 0 ? r->value.data : p, (size_t)MAX(r->value.len, 0));
	at += 4 + MAX(r->value.len, 0);
	put64(p, r->offset);
	put32(p + 8, (uint32_t)(at - p - 12));
	mend_crc(p, (size_t)(at - p));
	return (size_t)(at - p);
}

struct bytes make_messages(const struct made_batch *m, int8_t magic, struct arena *arena)
{
	uint8_t *plain = arena_alloc(arena, plain_max(m)), *data;
	struct made_record wrapper = { .offset = m->base_offset + m->last_delta, .timestamp = m->max_timestamp,
				       .key = { NULL, -1 } };
	size_t len = 0;

	for (int i = 0; i < m->n; i++) {
		struct made_record r = m->records[i];

		if (magic == 1 && m->codec != CODEC_NONE)
			r.offset -= m->base_offset;
		len += put_message(plain + len, magic, m->codec == CODEC_NONE ? m->attributes : 0, &r);
	}
	if (m->codec == CODEC_NONE)
		return (struct bytes){ plain, (int32_t)len };
	wrapper.value = make_packed(m->codec, m->bare_snappy, (struct bytes){ plain, (int32_t)len }, arena);
	data = arena_alloc(arena, (size_t)wrapper.value.len + 64);
	len = put_message(data, magic, m->attributes | (int)m->codec, &wrapper);
	return (struct bytes){ data, (int32_t)len };
}
