/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding in one walk over the tables; head bytes and slices grow as they must. Only a tag's value is measured first,
 * because its size stands before it. Large records are not copied: the open slice of the head is closed, the caller's
 * slices follow, and the head goes on in a new slice:
 *
 *   head    |length header ... records' length|topic, partition, records' length|...
 *   iov      [0]                                [2]                              [4]
 *                          [1] caller's records                [3] caller's records
 */
#include "wire/codec_impl.h"

#include <errno.h>

enum { SPLICE_MIN = 256 };

static void fail(struct writer *w, int rc)
{
	if (w->rc == RC_OK)
		w->rc = rc;
}

bool writer_grow(struct writer *w, size_t n)
{
	size_t cap = MAX(w->cap * 4, w->len + n);
	uint8_t *head;

	CHECK(w->arena != NULL);
	head = arena_alloc_raw(w->arena, cap);
	if (head == NULL) {
		fail(w, -ENOMEM);
		return false;
	}
	memcpy(head, w->head, w->len);
	w->head = head;
	w->cap = cap;
	return true;
}

static bool grow_iov(struct writer *w)
{
	int cap = w->cap_iov * 4;
	struct iovec *iov = arena_alloc_raw(w->arena, (size_t)cap * sizeof(*iov));

	if (iov == NULL) {
		fail(w, -ENOMEM);
		return false;
	}
	memcpy(iov, w->iov, (size_t)w->n_iov * sizeof(*iov));
	w->iov = iov;
	w->cap_iov = cap;
	return true;
}

static void write_slice(struct writer *w, const void *data, size_t len)
{
	if (len == 0 || (w->n_iov == w->cap_iov && !grow_iov(w)))
		return;
	w->iov[w->n_iov++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

void write_cut(struct writer *w)
{
	write_slice(w, NULL, w->len - w->cut);
	w->cut = w->len;
}

void writer_place(struct writer *w)
{
	uint8_t *at = w->head;

	for (int i = 0; i < w->n_iov; i++)
		if (w->iov[i].iov_base == NULL) {
			w->iov[i].iov_base = at;
			at += w->iov[i].iov_len;
		}
	CHECK(at == w->head + w->len);
}

/* A length or count of -1 is null, which must be allowed. */
static void write_len(struct writer *w, int32_t n, bool compact, bool nullable)
{
	if (n < -1 || (n == -1 && !nullable))
		fail(w, RC_UNSUPPORTED);
	if (compact)
		write_uvarint(w, (uint32_t)n + 1);
	else
		write32(w, (uint32_t)n);
}

static void write_str(struct writer *w, const struct str *s, bool compact, bool nullable)
{
	if (compact) {
		write_len(w, s->len, true, nullable);
	} else {
		if (s->len < -1 || (s->len == -1 && !nullable))
			fail(w, RC_UNSUPPORTED);
		if (s->len > INT16_MAX)
			fail(w, -EMSGSIZE);
		write16(w, (uint16_t)s->len);
	}
	write_bytes(w, s->data, s->len > 0 ? (size_t)s->len : 0);
}

static void write_records(struct writer *w, const struct records *rec)
{
	struct iovec whole = { (void *)(uintptr_t)rec->data, rec->len > 0 ? (size_t)rec->len : 0 };
	const struct iovec *iov = rec->n_iov > 0 ? rec->iov : &whole;
	int n = rec->n_iov > 0 ? rec->n_iov : 1;
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	CHECK(rec->len < 0 || sum == (size_t)rec->len);
	if (rec->len < SPLICE_MIN) {
		for (int i = 0; i < n && rec->len > 0; i++)
			write_bytes(w, iov[i].iov_base, iov[i].iov_len);
		return;
	}
	w->spliced += sum;
	if (w->head == NULL)
		return;
	write_cut(w);
	for (int i = 0; i < n; i++)
		write_slice(w, iov[i].iov_base, iov[i].iov_len);
}

static void write_float(struct writer *w, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	write64(w, bits);
}

/* A value of a size that depends on its type alone: most fields are such, and it is worth a copy in write_msg(). */
static inline __attribute__((always_inline)) void write_fixed(struct writer *w, const struct field_desc *f, const void *at)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL: write8(w, *(const bool *)at); break;
	case FIELD_INT8: write8(w, (uint8_t)*(const int8_t *)at); break;
	case FIELD_INT16: write16(w, (uint16_t)*(const int16_t *)at); break;
	case FIELD_UINT16: write16(w, *(const uint16_t *)at); break;
	case FIELD_INT32: write32(w, (uint32_t)*(const int32_t *)at); break;
	case FIELD_UINT32: write32(w, *(const uint32_t *)at); break;
	case FIELD_INT64: write64(w, (uint64_t)*(const int64_t *)at); break;
	case FIELD_FLOAT64: write_float(w, *(const double *)at); break;
	case FIELD_UUID: write_bytes(w, at, sizeof(struct uuid)); break;
	case FIELD_STRING: case FIELD_BYTES: case FIELD_RECORDS: case FIELD_STRUCT: break;
	}
}

static void write_value(struct writer *w, const struct field_desc *f, int16_t version, bool flexible, const void *at)
{
	bool nullable = value_nullable(f, version), compact = field_compact(f, flexible);
	const struct bytes *b = at;
	const struct records *rec = at;

	switch ((enum field_type)f->type) {
	case FIELD_STRING: write_str(w, at, compact, nullable); break;
	case FIELD_BYTES:
		write_len(w, b->len, compact, nullable);
		write_bytes(w, b->data, b->len > 0 ? (size_t)b->len : 0);
		break;
	case FIELD_RECORDS:
		write_len(w, rec->len, compact, nullable);
		write_records(w, rec);
		break;
	case FIELD_STRUCT: write_msg(w, f->sub, version, flexible, at); break;
	case FIELD_BOOL: case FIELD_INT8: case FIELD_INT16: case FIELD_UINT16: case FIELD_INT32: case FIELD_UINT32:
	case FIELD_INT64: case FIELD_FLOAT64: case FIELD_UUID: write_fixed(w, f, at); break;
	}
}

static void write_field(struct writer *w, const struct field_desc *f, int16_t version, bool flexible, const void *at)
{
	struct array_view v;
	size_t size;

	if ((f->flags & FIELD_ARRAY) == 0) {
		write_value(w, f, version, flexible, at);
		return;
	}
	v = array_get(at);
	size = field_size(f);
	write_len(w, v.n, flexible, version >= f->null_since);
	for (int32_t i = 0; i < v.n; i++) {
		const uint8_t *item = (const uint8_t *)v.items + (size_t)i * size;

		if (f->type == FIELD_STRUCT)
			write_msg(w, f->sub, version, flexible, item);
		else
			write_value(w, f, version, flexible, item);
	}
}

static bool tag_set(const struct field_desc *f, int16_t version, const uint8_t *msg)
{
	return f->tag != FIELD_NO_TAG && field_in(f, version) && !field_is_default(f, msg + f->offset);
}

/* Where the tagged fields begin; they stand behind all others. */
static int first_tag(const struct msg_desc *desc)
{
	int i = desc->n_fields;

	while (i > 0 && desc->fields[i - 1].tag != FIELD_NO_TAG)
		i--;
	return i;
}

static void write_tag(struct writer *w, const struct field_desc *f, int16_t version, const uint8_t *msg)
{
	struct writer size = { 0 };

	write_field(&size, f, version, true, msg + f->offset);
	write_uvarint(w, (uint32_t)f->tag);
	write_uvarint(w, (uint32_t)(size.len + size.spliced));
	write_field(w, f, version, true, msg + f->offset);
}

static void write_tags(struct writer *w, const struct msg_desc *desc, int16_t version, const uint8_t *msg)
{
	int first = first_tag(desc);
	uint32_t n = 0;

	for (int i = first; i < desc->n_fields; i++)
		n += tag_set(&desc->fields[i], version, msg);
	write_uvarint(w, n);
	for (int i = first; i < desc->n_fields && n > 0; i++)
		if (tag_set(&desc->fields[i], version, msg))
			write_tag(w, &desc->fields[i], version, msg);
}

void write_msg(struct writer *w, const struct msg_desc *desc, int16_t version, bool flexible, const void *msg)
{
	const struct field_desc *end = desc->fields + desc->n_fields;

	for (const struct field_desc *f = desc->fields; f < end; f++) {
		const uint8_t *at = (const uint8_t *)msg + f->offset;

		if (!field_in(f, version)) {
			if ((f->flags & FIELD_LOSSY) == 0 && !field_is_default(f, at))
				fail(w, RC_UNSUPPORTED);
		} else if (f->tag == FIELD_NO_TAG) {
			if (f->type < FIELD_STRING && (f->flags & FIELD_ARRAY) == 0)
				write_fixed(w, f, at);
			else
				write_field(w, f, version, flexible, at);
		}
	}
	if (flexible)
		write_tags(w, desc, version, msg);
}
