/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed all at once: a call's request, its decoded response and every small array live in its arena.
 * An arena may also hold references to buffers, so that decoded strings and records may point into a frame. */
#pragma once

#include "base/buf.h"

#include <stddef.h>

struct arena_chunk;
struct arena_hold;

struct arena {
	/* private */
	struct arena_chunk *chunks_;
	struct arena_hold *holds_;
	size_t used_;     /* bytes handed out since the last reset */
	size_t limit_;    /* 0: none */
};

/* limit: arena_alloc answers NULL beyond so many bytes (0: no limit). The protocol decoder's bound on hostile
 * counts. */
void arena_init(struct arena *a, size_t limit);
/* Zeroed memory, 16-byte aligned. NULL only beyond the limit. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, with anything in it: for what is written at once. */
void *arena_alloc_raw(struct arena *a, size_t size);
/* Takes over one reference to buf, dropped at reset. */
void arena_hold(struct arena *a, struct buf *buf);
/* A NUL-terminated copy of n bytes. NULL only beyond the limit. */
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* A copy of a whole string; NULL for NULL. */
char *arena_strdup(struct arena *a, const char *s);
/* Frees everything; the arena is as after init, and keeps one chunk for use again. */
void arena_reset(struct arena *a);
/* Frees everything, the kept chunk too. */
void arena_fini(struct arena *a);

/* n zeroed objects of a type. */
#define arena_new(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))
