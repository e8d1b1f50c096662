/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: read a record; when it continues the open run and fits, write it with new deltas, else end the run, hand
 * it out, and begin the next one with the same record. A record is written in pieces, so that a large one can be left
 * and gone on with.
 *
 *   IDLE -> READING <-> WRITING            any -> FAULT
 *     ^        |  the last batch's end
 *     +--------+
 *
 * Before the first run of a batch that has more than one is handed out, the batch is read on to its end (CHECKING), and
 * then again from its start up to where it was left: a run comes only of a batch that does not lie.
 *
 * A batch with LogAppendTime whose records all stand at the base timestamp already needs only another header: it is
 * read through first (SCANNING) and copied as it is, or read again and written anew. Mostly the second record decides. */
#include "wire/rewrite.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch_impl.h"
#include "wire/compress.h"
#include "wire/varint.h"

enum {
	WRITE_PIECE = 64 << 10,
	KEEP = 512 << 10,               /* memory that is not given back between inputs */
	/* Of a record: length, attributes, deltas, lengths of key and value. */
	HEAD_MAX = 2 * VARINT_MAX + VARLONG_MAX + 1 + VARINT_MAX, N_PIECES = 6
};

enum rewriter_step {
	REWRITER_IDLE, REWRITER_SCANNING, REWRITER_READING, REWRITER_CHECKING, REWRITER_WRITING, REWRITER_FAULT
};

struct rewriter {
	struct record_reader *reader;
	struct packer *packer;
	enum rewriter_step step;
	struct batch_header *batches;
	int n_batches, at, cap;
	int64_t first;
	uint32_t size_max, size_wanted;

	bool taken, checked;            /* of the batch at hand: a record is in the run; it was read to its end */
	int64_t left_at;                /* CHECKING: the offset of the record to go on with */

	struct record_view record;      /* the one to write */
	bool pending;                   /* read, not begun to be written */
	struct bytes pieces[N_PIECES];  /* what is to be written of it */
	int n_pieces;
	uint8_t heads[3][HEAD_MAX];

	bool open;                      /* a run is being made in out */
	struct window out;
	struct batch_header header;
	struct rewrite_run run;
	enum rewrite_result failed;
	struct record_fault fault;
};

struct rewriter *rewriter_create(const struct record_limits *limits)
{
	struct rewriter *rw = xcalloc(1, sizeof(*rw));

	rw->reader = record_reader_create(limits);
	rw->packer = packer_create();
	return rw;
}

void rewriter_destroy(struct rewriter *rw)
{
	if (rw == NULL)
		return;
	record_reader_destroy(rw->reader);
	packer_destroy(rw->packer);
	xfree(rw->batches);
	xfree(rw->out.data);
	xfree(rw);
}

const struct rewrite_run *rewriter_run(const struct rewriter *rw)
{
	return &rw->run;
}

const struct record_fault *rewriter_fault(const struct rewriter *rw)
{
	return &rw->fault;
}

size_t rewriter_memory(const struct rewriter *rw)
{
	return sizeof(*rw) + record_reader_memory(rw->reader) + rw->out.cap + (size_t)rw->cap * sizeof(rw->batches[0]);
}

void rewriter_end(struct rewriter *rw)
{
	record_reader_close(rw->reader);
	window_trim(&rw->out, KEEP);
	rw->step = REWRITER_IDLE;
	rw->open = rw->pending = false;
	rw->n_batches = 0;
}

/* ---- input ---- */

/* Whether only the header might have to change. */
static bool perhaps_as_it_is(const struct rewriter *rw, const struct batch_header *b)
{
	return rw->n_batches == 1 && b->magic == 2 && (b->attributes & BATCH_LOG_APPEND_TIME) &&
	       b->base_offset >= rw->first && b->count > 0 && (int64_t)b->count == (int64_t)b->last_delta + 1 &&
	       b->size <= rw->size_wanted;
}

void rewriter_begin(struct rewriter *rw, const struct rewrite_input *input)
{
	CHECK(input->n > 0);
	rewriter_end(rw);
	if (input->n > rw->cap) {
		rw->cap = input->n;
		rw->batches = xrealloc(rw->batches, (size_t)rw->cap, sizeof(rw->batches[0]));
	}
	memcpy(rw->batches, input->batches, (size_t)input->n * sizeof(rw->batches[0]));
	rw->n_batches = input->n;
	rw->at = 0;
	rw->taken = rw->checked = false;
	rw->first = input->first;
	rw->size_max = input->size_max;
	rw->size_wanted = input->size_wanted != 0 ? input->size_wanted : input->size_max;
	record_reader_open(rw->reader, &rw->batches[0]);
	rw->step = perhaps_as_it_is(rw, &rw->batches[0]) ? REWRITER_SCANNING : REWRITER_READING;
}

static enum rewrite_result fail(struct rewriter *rw, enum rewrite_result result, const struct record_fault *fault)
{
	rw->fault = *fault;
	rw->failed = result;
	rw->step = REWRITER_FAULT;
	rw->open = rw->pending = false;
	return result;
}

/* What the reader's answer means when it is no record and not the end. */
static enum rewrite_result not_a_record(struct rewriter *rw, enum record_result result)
{
	if (result == RECORD_AGAIN)
		return REWRITE_AGAIN;
	return fail(rw, result == RECORD_LARGE ? REWRITE_LARGE : REWRITE_BAD, record_reader_fault(rw->reader));
}

/* ---- output ---- */

static enum codec codec_of(const struct batch_header *b)
{
	return (enum codec)(b->attributes & BATCH_CODEC);
}

static void begin_run(struct rewriter *rw)
{
	const struct batch_header *b = &rw->batches[rw->at];
	const struct record_view *v = &rw->record;

	rw->out.at = rw->out.end = 0;
	window_room(&rw->out, BATCH_HEADER_LEN);
	rw->out.end = BATCH_HEADER_LEN;
	rw->header = (struct batch_header){
		.magic = 2, .base_offset = v->offset, .leader_epoch = b->leader_epoch, .attributes = (int16_t)codec_of(b),
		.base_timestamp = v->timestamp, .max_timestamp = v->timestamp,
		.producer_id = -1, .producer_epoch = -1, .base_sequence = -1,
	};
	packer_begin(rw->packer, codec_of(b), &rw->out);
	rw->open = true;
}

/* Completes the header in out. */
static void seal(struct rewriter *rw)
{
	struct batch_header *h = &rw->header;
	uint8_t *p = rw->out.data;

	h->size = (uint32_t)rw->out.end;
	h->data = p;
	batch_put_header(p, h);
	h->crc = crc32c(0, p + BATCH_ATTRIBUTES, h->size - BATCH_ATTRIBUTES);
	batch_put_header(p, h);
	rw->run = (struct rewrite_run){
		.data = p, .len = h->size, .first = h->base_offset, .last = h->base_offset + h->last_delta,
		.max_timestamp = h->max_timestamp, .leader_epoch = h->leader_epoch,
	};
	rw->open = false;
}

static enum rewrite_result end_run(struct rewriter *rw)
{
	packer_end(rw->packer);
	if (rw->out.end > rw->size_max) {
		/* Only a run of one record may have been begun without knowing: see fits(). */
		return fail(rw, REWRITE_LARGE, &(struct record_fault){
			FAULT_RUN_SIZE, rw->header.base_offset, rw->out.end });
	}
	seal(rw);
	return REWRITE_RUN;
}

static size_t body_size(const struct record_view *v)
{
	if (v->body.data != NULL)
		return (size_t)v->body.len;
	return (size_t)MAX(v->key.len, 0) + (size_t)MAX(v->value.len, 0) + 2 * VARINT_MAX + 1;
}

/* Whether the record continues the open run and surely fits. */
static bool fits(const struct rewriter *rw)
{
	const struct batch_header *b = &rw->batches[rw->at], *h = &rw->header;
	const struct record_view *v = &rw->record;

	return v->offset == h->base_offset + h->count && h->count < INT32_MAX && b->leader_epoch == h->leader_epoch &&
	       codec_of(b) == (enum codec)(h->attributes & BATCH_CODEC) &&
	       packer_most(rw->packer, HEAD_MAX + body_size(v)) <= rw->size_wanted;
}

static void push(struct rewriter *rw, const uint8_t *data, size_t len)
{
	rw->pieces[rw->n_pieces++] = (struct bytes){ data, (int32_t)len };
}

/* The piece that begins the record: its length, counted from its deltas and `body` bytes. */
static void push_head(struct rewriter *rw, size_t body)
{
	const struct record_view *v = &rw->record;
	uint8_t deltas[1 + VARLONG_MAX + VARINT_MAX], *end;
	size_t n;

	deltas[0] = v->body.data != NULL ? v->attributes : 0;
	end = varint_put(deltas + 1, (int64_t)((uint64_t)v->timestamp - (uint64_t)rw->header.base_timestamp));
	end = varint_put(end, v->offset - rw->header.base_offset);
	n = (size_t)(end - deltas);
	end = varint_put(rw->heads[0], (int64_t)(n + body));
	memcpy(end, deltas, n);
	push(rw, rw->heads[0], (size_t)(end - rw->heads[0]) + n);
}

/* Lays out what is to be written. A body v2 is taken as it is; from older ones it is made. */
static void begin_record(struct rewriter *rw)
{
	const struct record_view *v = &rw->record;

	rw->n_pieces = 0;
	if (v->body.data != NULL) {
		push_head(rw, (size_t)v->body.len);
		push(rw, v->body.data, (size_t)v->body.len);
	} else {
		uint8_t *key = varint_put(rw->heads[1], v->key.len), *value = varint_put(rw->heads[2], v->value.len);
		size_t key_head = (size_t)(key - rw->heads[1]), value_head = (size_t)(value - rw->heads[2]);
		size_t key_len = (size_t)MAX(v->key.len, 0), value_len = (size_t)MAX(v->value.len, 0);

		*value = 0;  /* no headers; written as a piece of its own */
		push_head(rw, key_head + key_len + value_head + value_len + 1);
		push(rw, rw->heads[1], key_head);
		push(rw, v->key.data, key_len);
		push(rw, rw->heads[2], value_head);
		push(rw, v->value.data, value_len);
		push(rw, value, 1);
	}
	rw->header.max_timestamp = MAX(rw->header.max_timestamp, v->timestamp);
	rw->header.last_delta = rw->header.count++;
	rw->pending = false;
	rw->taken = true;
	rw->step = REWRITER_WRITING;
}

/* ---- steps ---- */

/* Everything was read of the batch: the next one, or the end. */
static enum rewrite_result next_batch(struct rewriter *rw)
{
	rw->taken = rw->checked = false;
	if (++rw->at < rw->n_batches) {
		record_reader_open(rw->reader, &rw->batches[rw->at]);
		return REWRITE_AGAIN;
	}
	rw->step = REWRITER_IDLE;
	return rw->open ? end_run(rw) : REWRITE_END;
}

static enum rewrite_result begin_check(struct rewriter *rw)
{
	rw->left_at = rw->record.offset;
	rw->pending = false;
	rw->step = REWRITER_CHECKING;
	record_reader_open(rw->reader, &rw->batches[rw->at]);
	return REWRITE_AGAIN;
}

static enum rewrite_result checking(struct rewriter *rw, size_t *budget)
{
	enum record_result result = record_reader_next(rw->reader, &rw->record, budget);

	if (result == RECORD_END && !rw->checked) {
		rw->checked = true;
		record_reader_open(rw->reader, &rw->batches[rw->at]);
	} else if (result != RECORD_OK) {
		return not_a_record(rw, result);
	} else if (rw->checked && rw->record.offset == rw->left_at) {
		rw->pending = true;
		rw->step = REWRITER_READING;
	}
	return REWRITE_AGAIN;
}

static enum rewrite_result reading(struct rewriter *rw, size_t *budget)
{
	if (!rw->pending) {
		enum record_result result = record_reader_next(rw->reader, &rw->record, budget);

		if (result == RECORD_END)
			return next_batch(rw);
		if (result != RECORD_OK)
			return not_a_record(rw, result);
		if (rw->record.offset < rw->first)
			return REWRITE_AGAIN;
		rw->pending = true;
	}
	if (rw->open && !fits(rw))
		return rw->taken && !rw->checked ? begin_check(rw) : end_run(rw);
	if (!rw->open)
		begin_run(rw);
	begin_record(rw);
	return REWRITE_AGAIN;
}

static enum rewrite_result writing(struct rewriter *rw, size_t *budget)
{
	for (int i = 0; i < rw->n_pieces; i++) {
		struct bytes *piece = &rw->pieces[i];

		while (piece->len > 0) {
			size_t n = MIN((size_t)piece->len, (size_t)WRITE_PIECE);

			if (*budget == 0)
				return REWRITE_AGAIN;
			packer_write(rw->packer, piece->data, n);
			*budget -= MIN(*budget, n);
			piece->data += n;
			piece->len -= (int32_t)n;
		}
	}
	rw->step = REWRITER_READING;
	return REWRITE_AGAIN;
}

/* Out becomes the batch with another header. */
static void copy_as_it_is(struct rewriter *rw)
{
	const struct batch_header *b = &rw->batches[0];

	rw->out.at = rw->out.end = 0;
	window_room(&rw->out, b->size);
	memcpy(rw->out.data + BATCH_HEADER_LEN, b->data + BATCH_HEADER_LEN, b->size - BATCH_HEADER_LEN);
	rw->out.end = b->size;
	rw->header = *b;
	rw->header.attributes = (int16_t)codec_of(b);
	rw->header.base_timestamp = b->max_timestamp;
	rw->header.producer_id = rw->header.producer_epoch = rw->header.base_sequence = -1;
	seal(rw);
}

static enum rewrite_result scanning(struct rewriter *rw, size_t *budget)
{
	enum record_result result = record_reader_next(rw->reader, &rw->record, budget);

	if (result == RECORD_END) {
		rw->step = REWRITER_IDLE;
		copy_as_it_is(rw);
		return REWRITE_RUN;
	}
	if (result != RECORD_OK)
		return not_a_record(rw, result);
	if (rw->record.timestamp_delta != 0) {
		record_reader_open(rw->reader, &rw->batches[0]);
		rw->step = REWRITER_READING;
	}
	return REWRITE_AGAIN;
}

enum rewrite_result rewriter_step(struct rewriter *rw, size_t budget)
{
	while (budget > 0) {
		enum rewrite_result result;

		switch (rw->step) {
		case REWRITER_SCANNING: result = scanning(rw, &budget); break;
		case REWRITER_READING: result = reading(rw, &budget); break;
		case REWRITER_CHECKING: result = checking(rw, &budget); break;
		case REWRITER_WRITING: result = writing(rw, &budget); break;
		case REWRITER_FAULT: return rw->failed;
		case REWRITER_IDLE:
		default: return REWRITE_END;
		}
		if (result != REWRITE_AGAIN)
			return result;
	}
	return REWRITE_AGAIN;
}
