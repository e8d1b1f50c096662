/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and defaults. Every count and length is checked against what remains before it is used, and array memory
 * comes from the caller's arena, whose limit bounds what a small input may blow up to. Recursion is bounded by the
 * depth of the tables, not by the input. */
#include "wire/codec.h"

#include "wire/codec_impl.h"

/* Memory for an array that need not be compared with what remains of the input. */
enum { ARRAY_UNCHECKED = 4096 };

static void decode(const struct msg_desc *desc, int16_t version, bool flexible, struct reader *r,
		   struct arena *arena, uint8_t *msg);

const struct api_desc *api_find(int16_t key)
{
	int n, low = 0, high;
	const struct api_desc *const *apis = api_table(&n);

	for (high = n; low < high;) {
		int mid = (low + high) / 2;

		if (apis[mid]->key == key)
			return apis[mid];
		if (apis[mid]->key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

size_t field_size(const struct field_desc *f)
{
	static const uint8_t sizes[] = { sizeof(bool), 1, 2, 2, 4, 4, 8, sizeof(double), sizeof(struct uuid),
					 sizeof(struct str), sizeof(struct bytes), sizeof(struct records) };

	return f->type == FIELD_STRUCT ? f->sub->size : sizes[f->type];
}

/* ---- defaults ---- */

static void value_default(const struct field_desc *f, void *at)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: *(bool *)at = f->initial != 0; break;
	case FIELD_INT8: *(int8_t *)at = (int8_t)f->initial; break;
	case FIELD_INT16: *(int16_t *)at = (int16_t)f->initial; break;
	case FIELD_UINT16: *(uint16_t *)at = (uint16_t)f->initial; break;
	case FIELD_INT32: *(int32_t *)at = (int32_t)f->initial; break;
	case FIELD_UINT32: *(uint32_t *)at = (uint32_t)f->initial; break;
	case FIELD_INT64: *(int64_t *)at = f->initial; break;
	case FIELD_FLOAT64: *(double *)at = (double)f->initial; break;
	case FIELD_UUID: *(struct uuid *)at = (struct uuid){ { 0 } }; break;
	case FIELD_STRING: *(struct str *)at = (struct str){ NULL, (int32_t)f->initial }; break;
	case FIELD_BYTES: *(struct bytes *)at = (struct bytes){ NULL, (int32_t)f->initial }; break;
	case FIELD_RECORDS: *(struct records *)at = (struct records){ .len = (int32_t)f->initial }; break;
	case FIELD_STRUCT: msg_default(f->sub, at); break;
	}
}

void field_default(const struct field_desc *f, void *at)
{
	if (f->flags & FIELD_ARRAY)
		array_set(at, (struct array_view){ NULL, (int32_t)f->initial });
	else
		value_default(f, at);
}

void msg_default(const struct msg_desc *desc, void *msg)
{
	for (int i = 0; i < desc->n_fields; i++)
		field_default(&desc->fields[i], (uint8_t *)msg + desc->fields[i].offset);
}

static bool msg_is_default(const struct msg_desc *desc, const uint8_t *msg)
{
	for (int i = 0; i < desc->n_fields; i++)
		if (!field_is_default(&desc->fields[i], msg + desc->fields[i].offset))
			return false;
	return true;
}

bool field_is_default(const struct field_desc *f, const void *at)
{
	if (f->flags & FIELD_ARRAY)
		return array_get(at).n == f->initial;
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: return *(const bool *)at == (f->initial != 0);
	case FIELD_INT8: return *(const int8_t *)at == f->initial;
	case FIELD_INT16: return *(const int16_t *)at == f->initial;
	case FIELD_UINT16: return *(const uint16_t *)at == f->initial;
	case FIELD_INT32: return *(const int32_t *)at == f->initial;
	case FIELD_UINT32: return *(const uint32_t *)at == f->initial;
	case FIELD_INT64: return *(const int64_t *)at == f->initial;
	case FIELD_FLOAT64: return !(*(const double *)at < 0) && !(*(const double *)at > 0);
	case FIELD_UUID: return uuid_is_zero(at);
	case FIELD_STRING: return ((const struct str *)at)->len == f->initial;
	case FIELD_BYTES: return ((const struct bytes *)at)->len == f->initial;
	case FIELD_RECORDS: return ((const struct records *)at)->len == f->initial;
	case FIELD_STRUCT: return msg_is_default(f->sub, at);
	}
	return false;
}

/* ---- reading ---- */

uint32_t read_long_uvarint(struct reader *r)
{
	uint32_t v = 0;

	for (int shift = 0; shift < 35; shift += 7) {
		uint8_t b = read8(r);

		if (shift == 28 && b > 0x0f)
			break;
		v |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	r->failed = true;
	return 0;
}

/* How a length or count stands on the wire: plus one as a varint, or as two or four bytes. */
enum len_form { LEN_COMPACT, LEN_TWO, LEN_FOUR };

static int32_t read_len(struct reader *r, enum len_form form, bool nullable)
{
	int64_t n;

	if (form == LEN_COMPACT)
		n = (int64_t)read_uvarint(r) - 1;
	else
		n = form == LEN_TWO ? (int16_t)read16(r) : (int32_t)read32(r);
	if (n < -1 || n > r->end - r->p || (n == -1 && !nullable))
		r->failed = true;
	return r->failed ? 0 : (int32_t)n;
}

void skip_tags(struct reader *r)
{
	int64_t last = -1;

	for (uint32_t n = read_uvarint(r); n > 0 && !r->failed; n--) {
		uint32_t tag = read_uvarint(r);

		(void)read_bytes(r, read_uvarint(r));
		if (tag <= last)
			r->failed = true;
		last = tag;
		r->unknown_tags++;
	}
}

/* ---- decoding ---- */

/* A value of a size that depends on its type alone: most fields are such, and it is worth a copy in decode(). */
static inline __attribute__((always_inline)) void decode_fixed(const struct field_desc *f, struct reader *r, void *at)
{
	const uint8_t *p;
	double d;
	uint64_t bits;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL: *(bool *)at = read8(r) != 0; break;
	case FIELD_INT8: *(int8_t *)at = (int8_t)read8(r); break;
	case FIELD_INT16: *(int16_t *)at = (int16_t)read16(r); break;
	case FIELD_UINT16: *(uint16_t *)at = read16(r); break;
	case FIELD_INT32: *(int32_t *)at = (int32_t)read32(r); break;
	case FIELD_UINT32: *(uint32_t *)at = read32(r); break;
	case FIELD_INT64: *(int64_t *)at = (int64_t)read64(r); break;
	case FIELD_FLOAT64:
		bits = read64(r);
		memcpy(&d, &bits, sizeof(d));
		*(double *)at = d;
		break;
	case FIELD_UUID:
		p = read_bytes(r, sizeof(struct uuid));
		if (p != NULL)
			memcpy(at, p, sizeof(struct uuid));
		break;
	case FIELD_STRING: case FIELD_BYTES: case FIELD_RECORDS: case FIELD_STRUCT: break;
	}
}

static void decode_value(const struct field_desc *f, int16_t version, bool flexible, struct reader *r,
			 struct arena *arena, void *at)
{
	bool nullable = value_nullable(f, version), compact = field_compact(f, flexible);
	int32_t n;

	switch ((enum field_type)f->type) {
	case FIELD_STRING:
		n = read_len(r, compact ? LEN_COMPACT : LEN_TWO, nullable);
		*(struct str *)at = (struct str){ n < 0 ? NULL : (const char *)read_bytes(r, (size_t)n), n };
		break;
	case FIELD_BYTES:
		n = read_len(r, compact ? LEN_COMPACT : LEN_FOUR, nullable);
		*(struct bytes *)at = (struct bytes){ n < 0 ? NULL : read_bytes(r, (size_t)n), n };
		break;
	case FIELD_RECORDS:
		n = read_len(r, compact ? LEN_COMPACT : LEN_FOUR, nullable);
		*(struct records *)at = (struct records){ .data = n < 0 ? NULL : read_bytes(r, (size_t)n), .len = n };
		break;
	case FIELD_STRUCT: decode(f->sub, version, flexible, r, arena, at); break;
	case FIELD_BOOL: case FIELD_INT8: case FIELD_INT16: case FIELD_UINT16: case FIELD_INT32: case FIELD_UINT32:
	case FIELD_INT64: case FIELD_FLOAT64: case FIELD_UUID: decode_fixed(f, r, at); break;
	}
}

/* The least bytes that a value can take on the wire. */
static size_t value_min(const struct field_desc *f, int16_t version, bool flexible)
{
	static const uint8_t fixed[] = { 1, 1, 2, 2, 4, 4, 8, 8, 16 };
	size_t n = 0;

	if (f->type < FIELD_STRING)
		return fixed[f->type];
	if (f->type < FIELD_STRUCT)
		return field_compact(f, flexible) ? 1 : f->type == FIELD_STRING ? 2 : 4;
	for (int i = 0; i < f->sub->n_fields; i++) {
		const struct field_desc *g = &f->sub->fields[i];

		if (!field_in(g, version) || g->tag != FIELD_NO_TAG)
			continue;
		if (g->flags & FIELD_ARRAY)
			n += flexible ? 1 : 4;
		else
			n += value_min(g, version, flexible);
	}
	return n + flexible;
}

static void decode_array(const struct field_desc *f, int16_t version, bool flexible, struct reader *r,
			 struct arena *arena, void *at)
{
	struct array_view v = { NULL, read_len(r, flexible ? LEN_COMPACT : LEN_FOUR, version >= f->null_since) };
	size_t size = field_size(f);

	/* More than the input can hold is found out by reading it, too; this is so that no memory is had for it before. */
	if (v.n > 0 && (size_t)v.n * size > ARRAY_UNCHECKED &&
	    (size_t)v.n * MAX(value_min(f, version, flexible), 1) > (size_t)(r->end - r->p))
		r->failed = true;
	if (v.n > 0 && !r->failed) {
		v.items = arena_alloc(arena, (size_t)v.n * size);
		r->failed = v.items == NULL;
	}
	if (r->failed)
		v.n = 0;
	array_set(at, v);
	for (int32_t i = 0; i < v.n && !r->failed; i++)
		decode_value(f, version, flexible, r, arena, (uint8_t *)v.items + (size_t)i * size);
}

static void decode_field(const struct field_desc *f, int16_t version, bool flexible, struct reader *r,
			 struct arena *arena, uint8_t *msg)
{
	if (f->flags & FIELD_ARRAY)
		decode_array(f, version, flexible, r, arena, msg + f->offset);
	else
		decode_value(f, version, flexible, r, arena, msg + f->offset);
}

static const struct field_desc *tag_find(const struct msg_desc *desc, int16_t version, uint32_t tag)
{
	for (int i = desc->n_fields - 1; i >= 0 && desc->fields[i].tag != FIELD_NO_TAG; i--)
		if ((uint32_t)desc->fields[i].tag == tag && field_in(&desc->fields[i], version))
			return &desc->fields[i];
	return NULL;
}

/* A tag's value must fill exactly its size. */
static void decode_tags(const struct msg_desc *desc, int16_t version, struct reader *r, struct arena *arena,
			uint8_t *msg)
{
	int64_t last = -1;

	for (uint32_t n = read_uvarint(r); n > 0 && !r->failed; n--) {
		uint32_t tag = read_uvarint(r), size = read_uvarint(r);
		const struct field_desc *f = tag_find(desc, version, tag);
		const uint8_t *p = read_bytes(r, size);

		if (p == NULL || tag <= last) {
			r->failed = true;
		} else if (f == NULL) {
			r->unknown_tags++;
		} else {
			struct reader inner = { .p = p, .end = p + size };

			decode_field(f, version, true, &inner, arena, msg);
			r->failed = inner.failed || inner.p != inner.end;
			r->unknown_tags += inner.unknown_tags;
		}
		last = tag;
	}
}

static void decode(const struct msg_desc *desc, int16_t version, bool flexible, struct reader *r,
		   struct arena *arena, uint8_t *msg)
{
	const struct field_desc *end = desc->fields + desc->n_fields;

	for (const struct field_desc *f = desc->fields; f < end && !r->failed; f++) {
		if (!field_in(f, version) || f->tag != FIELD_NO_TAG)
			field_default(f, msg + f->offset);
		else if (f->type < FIELD_STRING && (f->flags & FIELD_ARRAY) == 0)
			decode_fixed(f, r, msg + f->offset);
		else
			decode_field(f, version, flexible, r, arena, msg);
	}
	if (flexible)
		decode_tags(desc, version, r, arena, msg);
}

bool msg_decode(const struct msg_desc *desc, int16_t version, bool flexible, struct reader *r, struct arena *arena,
		void *msg)
{
	decode(desc, version, flexible, r, arena, msg);
	return !r->failed;
}
