/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/prefix.h"

#include "base/crypto.h"
#include "base/mem.h"

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

enum prefix_result prefix_local(struct prefix *prefix, struct record_reader *rr, const struct batch_header *b)
{
	bool marker = (b->attributes & BATCH_CONTROL) != 0;
	enum record_result result;
	struct record_view v;

	record_reader_open(rr, b);
	while ((result = next(rr, &v)) == RECORD_OK) {
		struct prefix_entry *e;

		if (v.offset < prefix->from_)
			continue;
		if (prefix->n_ == PREFIX_RECORDS_MAX) {
			prefix->upto = v.offset;
			return PREFIX_FULL;
		}
		e = &prefix->entries_[prefix->n_];
		e->offset = v.offset;
		e->marker = marker;
		if (!marker)
			digest(&v, e->digest);
		prefix->n_++;
	}
	prefix->upto = MAX(prefix->upto, b->base_offset + b->last_delta + 1);
	return end_of(result);
}

/* The first entry at the offset or above it; NULL: none. */
static const struct prefix_entry *advance(struct prefix *prefix, int64_t offset)
{
	while (prefix->at_ < prefix->n_ && prefix->entries_[prefix->at_].offset < offset)
		prefix->at_++;
	return prefix->at_ < prefix->n_ ? &prefix->entries_[prefix->at_] : NULL;
}

static enum prefix_result differs(struct prefix *prefix, int64_t offset)
{
	prefix->differs_at = offset;
	return PREFIX_DIFFERS;
}

/* A control batch, or an aborted one: nothing but markers may stand there. One that compaction has emptied says
 * nothing. */
static enum prefix_result source_hole(struct prefix *prefix, const struct batch_header *b)
{
	int64_t end = b->base_offset + b->last_delta + 1;

	if (b->count == 0)
		return PREFIX_ON;
	advance(prefix, b->base_offset);
	for (; prefix->at_ < prefix->n_ && prefix->entries_[prefix->at_].offset < end; prefix->at_++)
		if (!prefix->entries_[prefix->at_].marker)
			return differs(prefix, prefix->entries_[prefix->at_].offset);
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
		if (e == NULL || e->offset != v.offset)
			continue;
		digest(&v, d);
		if (e->marker || memcmp(d, e->digest, sizeof(d)) != 0)
			return differs(prefix, v.offset);
	}
	return end_of(result);
}
