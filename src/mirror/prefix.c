/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/prefix.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "mirror/seed.h"

void prefix_init(struct prefix *prefix, int64_t from)
{
	*prefix = (struct prefix){ .from_ = from, .upto = from };
	prefix->entries_ = xcalloc(PREFIX_RECORDS_MAX, sizeof(*prefix->entries_));
}

void prefix_fini(struct prefix *prefix)
{
	xfree(prefix->entries_);
	*prefix = (struct prefix){ 0 };
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

static void digest(const struct record_view *v, uint8_t out[PREFIX_DIGEST])
{
	size_t max = sizeof(v->timestamp) + 3 * sizeof(int32_t) + (size_t)MAX(v->key.len, 0) +
		     (size_t)MAX(v->value.len, 0) + (size_t)MAX(v->headers.len, 0);
	uint8_t small[1024], full[SHA256_LEN], *data = max <= sizeof(small) ? small : xmalloc(max), *p = data;

	memcpy(p, &v->timestamp, sizeof(v->timestamp));
	p = put(p + sizeof(v->timestamp), v->key.len, v->key.data, v->key.len);
	p = put(p, v->value.len, v->value.data, v->value.len);
	p = put(p, v->n_headers, v->headers.data, v->n_headers > 0 ? v->headers.len : 0);
	sha256(data, (size_t)(p - data), full);
	memcpy(out, full, PREFIX_DIGEST);
	if (data != small)
		xfree(data);
}

static enum record_result next(struct record_reader *rr, struct record_view *v)
{
	size_t budget = SIZE_MAX;

	return record_reader_next(rr, v, &budget);
}

static enum prefix_result end_of(enum record_result result)
{
	return result == RECORD_END ? PREFIX_ON : PREFIX_BROKEN;
}

/* The next tombstone of a run of them. */
static bool continues(const struct prefix *prefix, const struct record_view *v)
{
	struct prefix_entry *e = prefix->n_ > 0 ? &prefix->entries_[prefix->n_ - 1] : NULL;

	if (e == NULL || !e->tombstone || e->last + 1 != v->offset || e->timestamp != v->timestamp ||
	    !seed_is_tombstone(v))
		return false;
	e->last = v->offset;
	return true;
}

static void add(struct prefix *prefix, const struct record_view *v, bool marker)
{
	struct prefix_entry *e = &prefix->entries_[prefix->n_++];

	*e = (struct prefix_entry){ .offset = v->offset, .last = v->offset, .marker = marker,
				     .timestamp = v->timestamp };
	if (marker)
		return;
	e->tombstone = seed_is_tombstone(v);
	digest(v, e->digest);
}

enum prefix_result prefix_local(struct prefix *prefix, struct record_reader *rr, const struct batch_header *b,
				bool hole)
{
	enum record_result result;
	struct record_view v;

	record_reader_open(rr, b);
	while ((result = next(rr, &v)) == RECORD_OK) {
		if (v.offset < prefix->from_)
			continue;
		prefix->n_read_++;
		if (!hole && continues(prefix, &v))
			continue;
		if (prefix->n_ == PREFIX_RECORDS_MAX) {
			prefix->upto = v.offset;
			return PREFIX_FULL;
		}
		add(prefix, &v, hole);
	}
	prefix->upto = MAX(prefix->upto, b->base_offset + b->last_delta + 1);
	if (result == RECORD_END && prefix->n_read_ >= PREFIX_READ_MAX)
		return PREFIX_FULL;
	return end_of(result);
}

/* The first entry that reaches the offset or lies above it; NULL: none. */
static const struct prefix_entry *advance(struct prefix *prefix, int64_t offset)
{
	while (prefix->at_ < prefix->n_ && prefix->entries_[prefix->at_].last < offset)
		prefix->at_++;
	return prefix->at_ < prefix->n_ ? &prefix->entries_[prefix->at_] : NULL;
}

static enum prefix_result differs(struct prefix *prefix, int64_t offset)
{
	prefix->differs_at = offset;
	return PREFIX_DIFFERS;
}

/* A control batch, or an aborted one: nothing but markers and tombstones may stand there. One that compaction has emptied says
 * nothing. */
static enum prefix_result source_hole(struct prefix *prefix, const struct batch_header *b)
{
	int64_t end = b->base_offset + b->last_delta + 1;

	if (b->count == 0)
		return PREFIX_ON;
	advance(prefix, b->base_offset);
	for (; prefix->at_ < prefix->n_ && prefix->entries_[prefix->at_].offset < end; prefix->at_++) {
		const struct prefix_entry *e = &prefix->entries_[prefix->at_];

		if (!e->marker && !e->tombstone)
			return differs(prefix, e->offset);
		if (e->last >= end)
			break;   /* what is behind may stand in the same run */
	}
	return PREFIX_ON;
}

enum prefix_result prefix_source(struct prefix *prefix, struct record_reader *rr, const struct batch_header *b,
				 bool hole)
{
	enum record_result result;
	struct record_view v;

	if (hole)
		return source_hole(prefix, b);
	record_reader_open(rr, b);
	while ((result = next(rr, &v)) == RECORD_OK) {
		const struct prefix_entry *e;
		uint8_t d[PREFIX_DIGEST];

		if (v.offset < prefix->from_)
			continue;
		if (v.offset >= prefix->upto)
			return PREFIX_ON;
		e = advance(prefix, v.offset);
		if (e == NULL || e->offset > v.offset)
			continue;
		digest(&v, d);
		if (e->marker || memcmp(d, e->digest, sizeof(d)) != 0)
			return differs(prefix, v.offset);
	}
	return end_of(result);
}
