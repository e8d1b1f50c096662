/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/compare.h"

#include "base/crypto.h"
#include "base/mem.h"

void compare_init(struct compare *c, int64_t from)
{
	*c = (struct compare){ .from_ = from, .upto = from };
	c->entries_ = xcalloc(COMPARE_RECORDS_MAX, sizeof(*c->entries_));
}

void compare_fini(struct compare *c)
{
	xfree(c->entries_);
	*c = (struct compare){ 0 };
}

/* Length and bytes; a null differs from an empty one. */
static uint8_t *put(uint8_t *p, int32_t len, const uint8_t *data, int32_t size)
{
	memcpy(p, &len, sizeof(len));
	p += sizeof(len);
	if (size > 0)
		memcpy(p, data, (size_t)size);
	return p + MAX(size, 0);
}

static void digest(const struct record_view *v, uint8_t out[COMPARE_DIGEST])
{
	size_t max = sizeof(v->timestamp) + 3 * sizeof(int32_t) + (size_t)MAX(v->key.len, 0) +
		     (size_t)MAX(v->value.len, 0) + (size_t)MAX(v->headers.len, 0);
	uint8_t small[1024], full[SHA256_LEN], *data = max <= sizeof(small) ? small : xmalloc(max), *p = data;

	memcpy(p, &v->timestamp, sizeof(v->timestamp));
	p = put(p + sizeof(v->timestamp), v->key.len, v->key.data, v->key.len);
	p = put(p, v->value.len, v->value.data, v->value.len);
	p = put(p, v->n_headers, v->headers.data, v->n_headers > 0 ? v->headers.len : 0);
	sha256(data, (size_t)(p - data), full);
	memcpy(out, full, COMPARE_DIGEST);
	if (data != small)
		xfree(data);
}

static enum record_result next(struct record_reader *rr, struct record_view *v)
{
	size_t budget = SIZE_MAX;

	return record_reader_next(rr, v, &budget);
}

static enum compare_result end_of(enum record_result result)
{
	return result == RECORD_END ? COMPARE_ON : COMPARE_BROKEN;
}

enum compare_result compare_local(struct compare *c, struct record_reader *rr, const struct batch_header *b)
{
	bool marker = (b->attributes & BATCH_CONTROL) != 0;
	enum record_result result;
	struct record_view v;

	record_reader_open(rr, b);
	while ((result = next(rr, &v)) == RECORD_OK) {
		struct compare_entry *e;

		if (v.offset < c->from_)
			continue;
		if (c->n_ == COMPARE_RECORDS_MAX) {
			c->upto = v.offset;
			return COMPARE_FULL;
		}
		e = &c->entries_[c->n_];
		e->offset = v.offset;
		e->marker = marker;
		if (!marker)
			digest(&v, e->digest);
		c->n_++;
	}
	c->upto = MAX(c->upto, b->base_offset + b->last_delta + 1);
	return end_of(result);
}

/* The first entry at the offset or above it; NULL: none. */
static const struct compare_entry *advance(struct compare *c, int64_t offset)
{
	while (c->at_ < c->n_ && c->entries_[c->at_].offset < offset)
		c->at_++;
	return c->at_ < c->n_ ? &c->entries_[c->at_] : NULL;
}

static enum compare_result differs(struct compare *c, int64_t offset)
{
	c->differs_at = offset;
	return COMPARE_DIFFERS;
}

/* A control batch, or an aborted one: nothing but markers may stand there. One that compaction has emptied says
 * nothing. */
static enum compare_result source_hole(struct compare *c, const struct batch_header *b)
{
	int64_t end = b->base_offset + b->last_delta + 1;

	if (b->count == 0)
		return COMPARE_ON;
	advance(c, b->base_offset);
	for (; c->at_ < c->n_ && c->entries_[c->at_].offset < end; c->at_++)
		if (!c->entries_[c->at_].marker)
			return differs(c, c->entries_[c->at_].offset);
	return COMPARE_ON;
}

enum compare_result compare_source(struct compare *c, struct record_reader *rr, const struct batch_header *b, bool hole)
{
	enum record_result result;
	struct record_view v;

	if (hole)
		return source_hole(c, b);
	record_reader_open(rr, b);
	while ((result = next(rr, &v)) == RECORD_OK) {
		const struct compare_entry *e;
		uint8_t d[COMPARE_DIGEST];

		if (v.offset < c->from_)
			continue;
		if (v.offset >= c->upto)
			return COMPARE_ON;
		e = advance(c, v.offset);
		if (e == NULL || e->offset != v.offset)
			continue;
		digest(&v, d);
		if (e->marker || memcmp(d, e->digest, sizeof(d)) != 0)
			return differs(c, v.offset);
	}
	return end_of(result);
}
