/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include "wire/codec_impl.h"

uint64_t rnd(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t rnd_below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(rnd(seed) % n);
}

/* Mostly short, sometimes at the borders of a varint. */
static int32_t random_len(uint64_t *seed)
{
	static const int32_t borders[] = { 0, 1, 126, 127, 128, 255, 256, 300, 16382, 16383, 16384 };

	return rnd_below(seed, 8) == 0 ? borders[rnd_below(seed, ARRAY_LEN(borders))] : (int32_t)rnd_below(seed, 12);
}

static uint8_t *random_bytes(uint64_t *seed, struct arena *arena, int32_t n)
{
	uint8_t *p = arena_alloc(arena, (size_t)n + 1);

	for (int32_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd(seed);
	return p;
}

/* Kafka's own classes take only UTF-8 for strings. */
static char *random_text(uint64_t *seed, struct arena *arena, int32_t n)
{
	char *p = arena_alloc(arena, (size_t)n + 1);

	for (int32_t i = 0; i < n; i++)
		p[i] = (char)(' ' + rnd_below(seed, 95));
	return p;
}

/* Whole, or in up to three slices. */
static struct records random_records(uint64_t *seed, struct arena *arena, int32_t n)
{
	struct records rec = { .data = random_bytes(seed, arena, n), .len = n };
	struct iovec *iov = arena_new(arena, struct iovec, 3);
	size_t a = rnd_below(seed, (uint32_t)n + 1), b = a + rnd_below(seed, (uint32_t)((size_t)n - a) + 1);
	uint8_t *p = (uint8_t *)(uintptr_t)rec.data;

	if (rnd_below(seed, 2) == 0)
		return rec;
	iov[0] = (struct iovec){ p, a };
	iov[1] = (struct iovec){ p + a, b - a };
	iov[2] = (struct iovec){ p + b, (size_t)n - b };
	return (struct records){ .iov = iov, .n_iov = 3, .len = n };
}

static void random_value(uint64_t *seed, const struct field_desc *f, int16_t version, struct arena *arena, void *at)
{
	bool null = (f->flags & FIELD_ARRAY) == 0 && version >= f->null_since && rnd_below(seed, 4) == 0;
	int32_t n = null ? -1 : random_len(seed);
	uint64_t v = rnd(seed);

	switch ((enum field_type)f->type) {
	case FIELD_BOOL: *(bool *)at = v & 1; break;
	case FIELD_INT8: *(int8_t *)at = (int8_t)v; break;
	case FIELD_INT16: *(int16_t *)at = (int16_t)v; break;
	case FIELD_UINT16: *(uint16_t *)at = (uint16_t)v; break;
	case FIELD_INT32: *(int32_t *)at = (int32_t)v; break;
	case FIELD_UINT32: *(uint32_t *)at = (uint32_t)v; break;
	case FIELD_INT64: *(int64_t *)at = (int64_t)v; break;
	case FIELD_FLOAT64: *(double *)at = (double)(int64_t)v / 3; break;
	case FIELD_UUID: memcpy(at, random_bytes(seed, arena, 16), 16); break;
	case FIELD_STRING:
		*(struct str *)at = (struct str){ null ? NULL : random_text(seed, arena, n), n };
		break;
	case FIELD_BYTES:
		*(struct bytes *)at = (struct bytes){ null ? NULL : random_bytes(seed, arena, n), n };
		break;
	case FIELD_RECORDS:
		*(struct records *)at = null ? (struct records){ .len = -1 } : random_records(seed, arena, n);
		break;
	case FIELD_STRUCT: random_msg(seed, f->sub, version, arena, at); break;
	}
}

static void random_array(uint64_t *seed, const struct field_desc *f, int16_t version, struct arena *arena, void *at)
{
	bool null = version >= f->null_since && rnd_below(seed, 4) == 0;
	struct array_view v = { NULL, null ? -1 : (int32_t)rnd_below(seed, 4) };
	size_t size = field_size(f);

	if (v.n > 0)
		v.items = arena_alloc(arena, (size_t)v.n * size);
	for (int32_t i = 0; i < v.n; i++)
		random_value(seed, f, version, arena, (uint8_t *)v.items + (size_t)i * size);
	array_set(at, v);
}

void random_msg(uint64_t *seed, const struct msg_desc *desc, int16_t version, struct arena *arena, void *msg)
{
	msg_default(desc, msg);
	for (int i = 0; i < desc->n_fields; i++) {
		const struct field_desc *f = &desc->fields[i];
		uint8_t *at = (uint8_t *)msg + f->offset;

		if (!field_in(f, version) || (f->tag != FIELD_NO_TAG && rnd_below(seed, 2) == 0))
			continue;
		if (f->flags & FIELD_ARRAY)
			random_array(seed, f, version, arena, at);
		else
			random_value(seed, f, version, arena, at);
	}
}

uint8_t *joined(const struct encoded *e, struct arena *arena)
{
	uint8_t *p = arena_alloc(arena, e->len + 1);
	size_t at = 0;

	for (int i = 0; i < e->n_iov; i++) {
		CHECK(e->iov[i].iov_len > 0 && e->iov[i].iov_len <= e->len - at);
		memcpy(p + at, e->iov[i].iov_base, e->iov[i].iov_len);
		at += e->iov[i].iov_len;
	}
	CHECK(at == e->len);
	return p;
}

void each_message(each_fn *fn, void *arg)
{
	int n;
	const struct api_desc *const *apis = api_table(&n);

	for (int i = 0; i < n; i++)
		for (int16_t v = apis[i]->table_min; v <= apis[i]->table_max; v++) {
			fn(apis[i], v, true, arg);
			fn(apis[i], v, false, arg);
		}
}
