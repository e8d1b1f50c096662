/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path, v2: CRC; then for each record: its length, wait until so many bytes are unpacked, parse, check. Formats v0
 * and v1 are in record_old.c, over the same window.
 *
 * What is not compressed is read where it lies. What is goes through a window that holds one record and what was
 * unpacked with it; it grows with the bytes that really come, so a length that lies costs nothing.
 *
 *   data         p          end                 cap
 *   |  consumed  | unpacked |  room              |        p and end point into the batch when it is not compressed */
#include "wire/record_reader.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/record_reader_impl.h"

enum { KEEP = 256 << 10 };

const char *fault_text(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_CRC: return "CRC mismatch";
	case FAULT_CODEC: return "unknown compression codec";
	case FAULT_COMPRESSION: return "broken compressed data";
	case FAULT_LENGTH: return "length that contradicts the record";
	case FAULT_COUNT: return "record count that contradicts the batch";
	case FAULT_OFFSET: return "offset delta that contradicts the batch";
	case FAULT_RECORD_SIZE: return "record above the size limit";
	case FAULT_BATCH_SIZE: return "batch that unpacks to more than the limit";
	case FAULT_RUN_SIZE: return "record larger than the destination takes";
	case FAULT_NONE:
	default: return "no fault";
	}
}

struct record_reader *record_reader_create(const struct record_limits *limits)
{
	struct record_reader *rr = xcalloc(1, sizeof(*rr));

	rr->limits = *limits;
	rr->step = READER_END;
	return rr;
}

void record_reader_destroy(struct record_reader *rr)
{
	if (rr == NULL)
		return;
	unpacker_destroy(rr->unpacker);
	xfree(rr->window.data);
	xfree(rr);
}

void record_reader_open(struct record_reader *rr, const struct batch_header *b)
{
	rr->batch = *b;
	rr->fault = (struct record_fault){ 0 };
	rr->step = READER_CHECK;
	rr->n = 0;
	rr->next_offset = b->magic == 2 ? b->base_offset : 0;
	rr->p = rr->end = NULL;
}

void record_reader_close(struct record_reader *rr)
{
	rr->step = READER_END;
	rr->p = rr->end = NULL;
	window_trim(&rr->window, KEEP);
}

const struct record_fault *record_reader_fault(const struct record_reader *rr)
{
	return &rr->fault;
}

size_t record_reader_memory(const struct record_reader *rr)
{
	return sizeof(*rr) + rr->window.cap;
}

/* ---- what both formats use ---- */

/* Before the first record of a wrapper only the wrapper's own offset is known. */
static int64_t where(const struct record_reader *rr)
{
	return rr->batch.magic < 2 && rr->n == 0 ? rr->batch.base_offset : rr->next_offset;
}

enum record_result reader_bad(struct record_reader *rr, enum fault_kind kind)
{
	rr->fault = (struct record_fault){ kind, where(rr), 0 };
	rr->step = READER_FAULT;
	return RECORD_BAD;
}

enum record_result reader_large(struct record_reader *rr, enum fault_kind kind, uint64_t size)
{
	rr->fault = (struct record_fault){ kind, where(rr), size };
	rr->step = READER_FAULT;
	return RECORD_LARGE;
}

void reader_unpack_from(struct record_reader *rr, const uint8_t *data, size_t len)
{
	int codec = rr->batch.attributes & BATCH_CODEC;

	rr->unpacked = 0;
	rr->drained = codec == CODEC_NONE;
	if (codec == CODEC_NONE) {
		rr->p = data;
		rr->end = data + len;
		return;
	}
	if (rr->unpacker == NULL)
		rr->unpacker = unpacker_create();
	rr->window.at = rr->window.end = 0;
	rr->p = rr->end = rr->window.data;
	unpacker_begin(rr->unpacker, &(struct unpack_opts){
		.codec = (enum codec)codec, .data = data, .len = len, .piece_max = rr->limits.piece_max,
		.old_lz4 = rr->batch.magic == 0 });
}

/* One piece more. RECORD_OK when it went on or drained. */
static enum record_result unpack(struct record_reader *rr, size_t *budget)
{
	struct window *w = &rr->window;
	size_t work = 0, had;
	enum unpack_result result;

	w->at = w->data != NULL ? (size_t)(rr->p - w->data) : 0;
	had = w->end - w->at;
	result = unpacker_more(rr->unpacker, w, &work);
	rr->unpacked += w->end - w->at - had;
	rr->p = w->data + w->at;
	rr->end = w->data + w->end;
	*budget -= MIN(*budget, work);
	if (rr->unpacked > rr->limits.unpacked_max)
		return reader_large(rr, FAULT_BATCH_SIZE, rr->unpacked);
	switch (result) {
	case UNPACK_END: rr->drained = true; return RECORD_OK;
	case UNPACK_BAD: return reader_bad(rr, FAULT_COMPRESSION);
	case UNPACK_LARGE: return reader_large(rr, FAULT_RECORD_SIZE, 0);
	case UNPACK_OK:
	default: return RECORD_OK;
	}
}

enum record_result reader_want(struct record_reader *rr, size_t n, size_t *budget)
{
	while ((size_t)(rr->end - rr->p) < n && !rr->drained) {
		enum record_result result;

		if (*budget == 0)
			return RECORD_AGAIN;
		result = unpack(rr, budget);
		if (result != RECORD_OK)
			return result;
	}
	return RECORD_OK;
}

enum record_result reader_ends(struct record_reader *rr, size_t *budget)
{
	enum record_result result = reader_want(rr, 1, budget);

	if (result != RECORD_OK)
		return result;
	if (rr->p != rr->end)
		return reader_bad(rr, FAULT_COUNT);
	rr->step = READER_END;
	return RECORD_END;
}

/* ---- v2 ---- */

static enum record_result check(struct record_reader *rr)
{
	const struct batch_header *b = &rr->batch;

	if (b->magic != 2)
		return old_check(rr);
	if (!batch_crc_ok(b))
		return reader_bad(rr, FAULT_CRC);
	if ((b->attributes & BATCH_CODEC) > CODEC_LAST)
		return reader_bad(rr, FAULT_CODEC);
	rr->step = READER_RECORDS;
	if (b->count == 0) {
		/* Emptied by compaction: a header without anything. */
		if (b->size != BATCH_HEADER_LEN)
			return reader_bad(rr, FAULT_COUNT);
		rr->step = READER_END;
		return RECORD_OK;
	}
	reader_unpack_from(rr, b->data + BATCH_HEADER_LEN, b->size - BATCH_HEADER_LEN);
	return RECORD_OK;
}

static struct bytes field(struct reader *r)
{
	int32_t n = varint_length(r, -1);
	struct bytes v = { n < 0 ? NULL : r->p, n };

	if (n > 0)
		r->p += n;
	return v;
}

/* All that is behind the record's length. */
static enum record_result parse(struct record_reader *rr, struct reader r, struct record_view *v)
{
	const struct batch_header *b = &rr->batch;
	struct bytes value;
	struct reader h;
	struct str key;
	int32_t delta;

	v->attributes = read8(&r);
	v->timestamp_delta = varint_int64(&r);
	delta = varint_int32(&r);
	v->body = (struct bytes){ r.p, (int32_t)(r.end - r.p) };
	v->key = field(&r);
	v->value = field(&r);
	v->n_headers = varint_length(&r, 0);
	v->headers = (struct bytes){ r.p, (int32_t)(r.end - r.p) };
	h = r;
	for (int32_t i = 0; i < v->n_headers && !h.failed; i++)
		if (record_header_next(&h, &key, &value) != BATCH_OK)
			h.failed = true;
	if (h.failed || h.p != h.end)
		return reader_bad(rr, FAULT_LENGTH);
	v->offset = b->base_offset + delta;
	if (delta < 0 || delta > b->last_delta || v->offset < rr->next_offset)
		return reader_bad(rr, FAULT_OFFSET);
	/* Unsigned, as Java's longs wrap. */
	v->timestamp = (b->attributes & BATCH_LOG_APPEND_TIME)
		? b->max_timestamp : (int64_t)((uint64_t)b->base_timestamp + (uint64_t)v->timestamp_delta);
	return RECORD_OK;
}

static enum record_result next_v2(struct record_reader *rr, struct record_view *v, size_t *budget)
{
	enum record_result result;
	struct reader r;
	int32_t len;

	if (rr->n == rr->batch.count)
		return reader_ends(rr, budget);
	result = reader_want(rr, VARINT_MAX, budget);
	if (result != RECORD_OK)
		return result;
	if (rr->p == rr->end)
		return reader_bad(rr, FAULT_COUNT);
	r = (struct reader){ .p = rr->p, .end = rr->end };
	len = varint_int32(&r);
	if (r.failed || len < 0)
		return reader_bad(rr, FAULT_LENGTH);
	if ((size_t)len > rr->limits.piece_max)
		return reader_large(rr, FAULT_RECORD_SIZE, (uint64_t)len);
	if (len > r.end - r.p) {
		size_t head = (size_t)(r.p - rr->p);

		result = reader_want(rr, head + (size_t)len, budget);
		if (result != RECORD_OK)
			return result;
		r = (struct reader){ .p = rr->p + head, .end = rr->end };
		if (len > r.end - r.p)
			return reader_bad(rr, FAULT_LENGTH);
	}
	r.end = r.p + len;
	result = parse(rr, r, v);
	if (result != RECORD_OK)
		return result;
	if ((rr->batch.attributes & BATCH_CODEC) == 0)  /* else unpacking was counted */
		*budget -= MIN(*budget, (size_t)len + 1);
	rr->p = r.end;
	rr->n++;
	rr->next_offset = v->offset + 1;
	return RECORD_OK;
}

enum record_result record_reader_next(struct record_reader *rr, struct record_view *v, size_t *budget)
{
	if (rr->step == READER_CHECK) {
		enum record_result result;

		if (*budget == 0)
			return RECORD_AGAIN;
		result = check(rr);
		if (result != RECORD_OK)
			return result;
	}
	switch (rr->step) {
	case READER_END: return RECORD_END;
	case READER_RECORDS:
		if (*budget == 0)
			return RECORD_AGAIN;
		return next_v2(rr, v, budget);
	case READER_OLD_ONE: return old_one(rr, v);
	case READER_OLD_SCAN:
	case READER_OLD_RECORDS: return old_next(rr, v, budget);
	case READER_FAULT:
		return rr->fault.kind == FAULT_RECORD_SIZE || rr->fault.kind == FAULT_BATCH_SIZE ? RECORD_LARGE : RECORD_BAD;
	case READER_CHECK:
	default: check_failed(__FILE__, __LINE__, "no such step");
	}
}
