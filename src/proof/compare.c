/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/compare.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_DIGEST_LEN = 16 };

/* The newest record of a key that a side lacks. */
struct waiting {
	uint8_t key[KEY_DIGEST_LEN];
	int64_t offset, timestamp;
};

const char *compare_kind_name(enum compare_kind kind)
{
	static const char *const names[] = {
		[COMPARE_MISSING] = "missing", [COMPARE_EXTRA] = "extra", [COMPARE_KEY] = "key",
		[COMPARE_VALUE] = "value", [COMPARE_HEADERS] = "headers", [COMPARE_TIMESTAMP] = "timestamp",
	};

	return names[kind];
}

static void forget_waiting(struct map *map)
{
	struct waiting *w;

	for (size_t at = 0; (w = map_next(map, &at)) != NULL;)
		xfree(w);
	map_fini(map);
	*map = (struct map){ 0 };
}

void compare_fini(struct compare *c)
{
	for (int side = 0; side < COMPARE_SIDES; side++)
		forget_waiting(&c->waiting_[side]);
	xfree(c->mismatches);
	c->mismatches = NULL;
}

static void mismatch(struct compare *c, int64_t offset, enum compare_kind kind)
{
	c->n_mismatches++;
	if (c->n_listed >= COMPARE_LISTED_MAX)
		return;
	if (c->mismatches == NULL)
		c->mismatches = xcalloc(COMPARE_LISTED_MAX, sizeof(*c->mismatches));
	c->mismatches[c->n_listed++] = (struct mismatch){ offset, kind };
}

/* --- keys that wait ------------------------------------------------------------------------------------------ */

static void key_digest(struct bytes key, uint8_t out[KEY_DIGEST_LEN])
{
	uint8_t full[SHA256_LEN];

	sha256(key.data, (size_t)MAX(key.len, 0), full);
	memcpy(out, full, KEY_DIGEST_LEN);
}

static void settle(struct map *waiting, const uint8_t key[KEY_DIGEST_LEN])
{
	xfree(map_del(waiting, key, KEY_DIGEST_LEN));
}

void compare_settle(struct compare *c, int side, const struct record_view *v)
{
	uint8_t key[KEY_DIGEST_LEN];

	if (map_count(&c->waiting_[side]) == 0 || v->key.len < 0)
		return;
	key_digest(v->key, key);
	settle(&c->waiting_[side], key);
}

bool compare_waits_for(const struct compare *c, int side)
{
	return map_count(&c->waiting_[side]) > 0;
}

bool compare_full(const struct compare *c)
{
	return map_count(&c->waiting_[0]) + map_count(&c->waiting_[1]) >= COMPARE_WAITING_MAX;
}

static void wait_for(struct compare *c, int lacking, const struct record_view *v)
{
	uint8_t key[KEY_DIGEST_LEN];
	struct waiting *w;

	key_digest(v->key, key);
	w = map_get(&c->waiting_[lacking], key, sizeof(key));
	if (w == NULL) {
		w = xcalloc(1, sizeof(*w));
		memcpy(w->key, key, sizeof(key));
		map_put(&c->waiting_[lacking], w->key, sizeof(w->key), w);
	}
	w->offset = v->offset;
	w->timestamp = v->timestamp;
}

/* --- what was met -------------------------------------------------------------------------------------------- */

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

bool compare_both(struct compare *c, const struct record_view *s, const struct record_view *d)
{
	int64_t before = c->n_mismatches;

	c->compared++;
	if (c->compacted) {
		compare_settle(c, COMPARE_SOURCE, s);
		compare_settle(c, COMPARE_DESTINATION, d);
	}
	if (!same(s->key, d->key))
		mismatch(c, s->offset, COMPARE_KEY);
	if (!same(s->value, d->value))
		mismatch(c, s->offset, COMPARE_VALUE);
	if (s->n_headers != d->n_headers || !same(s->headers, d->headers))
		mismatch(c, s->offset, COMPARE_HEADERS);
	if (s->timestamp != d->timestamp)
		mismatch(c, s->offset, COMPARE_TIMESTAMP);
	return c->n_mismatches == before;
}

void compare_only(struct compare *c, int side, const struct record_view *v)
{
	int lacking = 1 - side;
	uint8_t key[KEY_DIGEST_LEN];

	c->compared++;
	if (!c->compacted || v->key.len < 0) {
		mismatch(c, v->offset, side == COMPARE_SOURCE ? COMPARE_MISSING : COMPARE_EXTRA);
		return;
	}
	compare_settle(c, side, v);
	if (v->value.len >= 0) {
		wait_for(c, lacking, v);
		return;
	}
	/* The other side's tombstone may have expired, and with it all older records of the key are gone there. */
	key_digest(v->key, key);
	settle(&c->waiting_[lacking], key);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static bool expired(const struct compare *c, const struct waiting *w, int64_t last_hole)
{
	return w->timestamp < c->expired_before_ms && last_hole > w->offset;
}

static int by_offset(const void *a, const void *b)
{
	const struct mismatch *x = a, *y = b;

	return x->offset != y->offset ? (x->offset > y->offset) - (x->offset < y->offset) :
	       (int)x->kind - (int)y->kind;
}

void compare_end(struct compare *c, const int64_t last_hole[COMPARE_SIDES])
{
	for (int side = 0; side < COMPARE_SIDES; side++) {
		struct waiting *w;

		for (size_t at = 0; (w = map_next(&c->waiting_[side], &at)) != NULL;)
			/* What is missing at the destination was there once, and so was its tombstone, at the source:
			 * only for the source may one be gone that nobody has any more. */
			if (side == COMPARE_DESTINATION || !expired(c, w, last_hole[side]))
				mismatch(c, w->offset, side == COMPARE_DESTINATION ? COMPARE_MISSING : COMPARE_EXTRA);
		forget_waiting(&c->waiting_[side]);
	}
	if (c->n_listed > 1)
		qsort(c->mismatches, (size_t)c->n_listed, sizeof(*c->mismatches), by_offset);
}
