/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

enum { CHUNK_MIN = 2048, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	_Alignas(ALIGN) uint8_t data[];  /* handed out in multiples of ALIGN */
};

/* Stands in a chunk. It is not counted against the limit. */
struct arena_hold {
	struct arena_hold *next;
	struct buf *buf;
};
_Static_assert(sizeof(struct arena_hold) % ALIGN == 0, "the next allocation stays aligned");

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit_ = limit };
}

static struct arena_chunk *grow(struct arena *a, size_t size)
{
	size_t want = a->chunks_ != NULL ? a->chunks_->size * 2 : CHUNK_MIN;
	struct arena_chunk *c;

	want = MAX(MIN(want, (size_t)256 << 10), size);
	c = xmalloc(sizeof(*c) + want);
	c->size = want;
	c->used = 0;
	c->next = a->chunks_;
	a->chunks_ = c;
	return c;
}

static void *take(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks_;
	void *p;

	if (c == NULL || c->size - c->used < size)
		c = grow(a, size);
	p = c->data + c->used;
	c->used += size;
	return p;
}

void *arena_alloc_raw(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2 || (a->limit_ != 0 && size > a->limit_ - MIN(a->used_, a->limit_)))
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	a->used_ += size;
	return take(a, size);
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = arena_alloc_raw(a, size);

	return p != NULL ? memset(p, 0, size) : NULL;
}

void arena_hold(struct arena *a, struct buf *buf)
{
	struct arena_hold *h = take(a, sizeof(*h));

	h->buf = buf;
	h->next = a->holds_;
	a->holds_ = h;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (p != NULL && n > 0)
		memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_strndup(a, s, strlen(s));
}

static void release_all(struct arena *a, struct arena_chunk *keep)
{
	while (a->holds_ != NULL) {
		struct arena_hold *h = a->holds_;

		a->holds_ = h->next;
		buf_unref(h->buf);
	}
	while (a->chunks_ != NULL) {
		struct arena_chunk *c = a->chunks_;

		a->chunks_ = c->next;
		if (c != keep)
			xfree(c);
	}
	a->used_ = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunks_;

	release_all(a, keep);
	if (keep != NULL) {
		keep->used = 0;
		keep->next = NULL;
		a->chunks_ = keep;
	}
}

void arena_fini(struct arena *a)
{
	release_all(a, NULL);
}
