/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the codec share; not for other folders. */
#pragma once

#include "base/mem.h"
#include "wire/codec.h"

/* Every array member is an anonymous struct { T *items; int32_t n; }. The codec copies the pair with memcpy, because
 * a pointer to one struct type must not be used to read another. */
struct array_view {
	void *items;
	int32_t n;
};

static inline struct array_view array_get(const void *at)
{
	struct array_view v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline void array_set(void *at, struct array_view v)
{
	memcpy(at, &v, sizeof(v));
}

/* The size of one value in memory: of the field, or of an array's element. */
size_t field_size(const struct field_desc *f);

static inline bool field_in(const struct field_desc *f, int16_t version)
{
	return version >= f->since && version <= f->until;
}

static inline bool field_compact(const struct field_desc *f, bool flexible)
{
	return flexible && (f->flags & FIELD_PLAIN) == 0;
}

/* Whether a value may be null; `null` of an array field is the array's, its elements have none. */
static inline bool value_nullable(const struct field_desc *f, int16_t version)
{
	return (f->flags & FIELD_ARRAY) == 0 && version >= f->null_since;
}

void field_default(const struct field_desc *f, void *at);
bool field_is_default(const struct field_desc *f, const void *at);

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

/* The small readers and writers are here for the compiler's sake: a message is hundreds of them. */

/* n bytes, or NULL. */
static inline const uint8_t *read_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || (size_t)(r->end - p) < n) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint8_t read8(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 1);

	return p != NULL ? p[0] : 0;
}

static inline uint16_t read16(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 2);

	return p != NULL ? get16(p) : 0;
}

static inline uint32_t read32(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 4);

	return p != NULL ? get32(p) : 0;
}

static inline uint64_t read64(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 8);

	return p != NULL ? get64(p) : 0;
}

uint32_t read_long_uvarint(struct reader *r);

static inline uint32_t read_uvarint(struct reader *r)
{
	if (!r->failed && r->p < r->end && *r->p < 0x80)
		return *r->p++;
	return read_long_uvarint(r);
}

/* A section of tags of which none is known. */
void skip_tags(struct reader *r);

/* Where an encoded message goes. With head NULL it is only measured. */
struct writer {
	struct arena *arena;    /* head and iov grow in it; NULL: head has the room that is needed */
	uint8_t *head;          /* all bytes that are not spliced */
	size_t len, cap;        /* of head: so far, and what there is room for */
	size_t spliced;         /* bytes, so far */
	struct iovec *iov;      /* slices so far; those of head get their iov_base at the end: it may move */
	int n_iov, cap_iov;
	size_t cut;             /* where in head the open slice begins */
	int rc;                 /* the first mistake; RC_OK */
};

/* Makes room for n more bytes; false when the arena has none. */
bool writer_grow(struct writer *w, size_t n);

static inline void write_bytes(struct writer *w, const void *data, size_t n)
{
	if (w->head != NULL && n > 0) {
		if (w->cap - w->len < n && !writer_grow(w, n))
			return;
		memcpy(w->head + w->len, data, n);
	}
	w->len += n;
}

static inline void write8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, 1);
}

static inline void write16(struct writer *w, uint16_t v)
{
	v = __builtin_bswap16(v);
	write_bytes(w, &v, sizeof(v));
}

static inline void write32(struct writer *w, uint32_t v)
{
	v = __builtin_bswap32(v);
	write_bytes(w, &v, sizeof(v));
}

static inline void write64(struct writer *w, uint64_t v)
{
	v = __builtin_bswap64(v);
	write_bytes(w, &v, sizeof(v));
}

static inline void write_uvarint(struct writer *w, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		write8(w, (uint8_t)(v | 0x80));
	write8(w, (uint8_t)v);
}

void write_msg(struct writer *w, const struct msg_desc *desc, int16_t version, bool flexible, const void *msg);
/* Closes the open slice of head. */
void write_cut(struct writer *w);
/* At the end, when all slices are closed: says where those of head are. */
void writer_place(struct writer *w);
