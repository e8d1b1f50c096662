/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: an answer is walked batch by batch, what is no visible record is passed. What is asked for, and when, is
 * in stream_ask.c.
 *
 * Failure modes: a CRC that does not hold: the same offset once more, then the stream fails; what cannot be read: it
 * fails. */
#include "proof/stream_priv.h"

#include "base/mem.h"

enum { STEP_BYTES = 16 << 20 };

struct stream *stream_create(const struct stream_opts *opts)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->opts = *opts;
	s->topic = xstrdup(opts->topic);
	s->trimmed = s->last_hole = s->crc_failed_at = -1;
	stream_ask_init(s);
	s->records = record_reader_create(&RECORD_LIMITS_DEFAULT);
	return s;
}

static void leave_answer(struct stream *s)
{
	if (s->walking) {
		record_reader_close(s->records);
		flatten_fini(&s->flatten);
	}
	s->walking = s->in_batch = false;
}

void stream_free_when_quiet(struct stream *s)
{
	if (!s->closing || stream_busy(s))
		return;
	leave_answer(s);
	for (int i = 0; i < 2; i++)
		call_fini(&s->answers[i].call);
	call_fini(&s->earliest);
	record_reader_destroy(s->records);
	xfree(s->topic);
	xfree(s);
}

void stream_destroy(struct stream *s)
{
	s->closing = true;
	loop_timer_clear(&s->pause);
	if (s->broker != NULL)
		broker_destroy(s->broker);
	s->broker = NULL;
	stream_free_when_quiet(s);
}

static void drop(struct answer *a)
{
	if (a->state == ANSWER_ASKED) {
		a->stale = true;
		return;
	}
	call_reset(&a->call);
	a->state = ANSWER_FREE;
}

void stream_seek(struct stream *s, int64_t from, int64_t to, bool ahead)
{
	leave_answer(s);
	drop(&s->answers[0]);
	drop(&s->answers[1]);
	if (s->answers[s->reading].state == ANSWER_ASKED)
		s->reading = 1 - s->reading;
	s->position = from;
	s->to = to;
	s->ahead = ahead;
	s->empty = 0;
	s->told = false;
	s->trouble_ns = 0;
	stream_pump(s);
}

static void passed(struct stream *s, int64_t upto)
{
	if (upto > s->position) {
		s->last_hole = upto - 1;
		s->position = upto;
	}
}

static enum stream_result bad(struct stream *s, const char *what)
{
	err_set(&s->error, RC_CORRUPT, "%s: %s-%d: %s at offset %lld", cluster_options(s->opts.cluster)->side, s->topic,
		s->opts.partition, what, (long long)s->position);
	s->failed = true;
	return STREAM_FAILED;
}

/* The same once more; a second time it is the disk's fault. */
static enum stream_result bad_crc(struct stream *s)
{
	if (s->crc_failed_at == s->position)
		return bad(s, fault_text(FAULT_CRC));
	s->crc_failed_at = s->position;
	stream_seek(s, s->position, s->to, s->ahead);
	return STREAM_WAIT;
}

/* STREAM_RECORD, STREAM_FAILED, STREAM_WAIT after a CRC; STREAM_END: the batch is through. */
static enum stream_result from_batch(struct stream *s, struct record_view *v)
{
	size_t budget = STEP_BYTES;

	for (;;) {
		enum record_result result = record_reader_next(s->records, v, &budget);
		const struct record_fault *fault;

		switch (result) {
		case RECORD_OK:
			if (v->offset < s->position)
				continue;
			if (v->offset >= s->to)
				return STREAM_END;
			if (v->offset > s->position)
				passed(s, v->offset);
			s->position = v->offset + 1;
			return STREAM_RECORD;
		case RECORD_AGAIN:
			budget = STEP_BYTES;
			continue;
		case RECORD_END:
			return STREAM_END;
		case RECORD_BAD:
		case RECORD_LARGE:
		default:
			fault = record_reader_fault(s->records);
			return fault->kind == FAULT_CRC ? bad_crc(s) : bad(s, fault_text(fault->kind));
		}
	}
}

static int64_t batch_end(const struct stream *s)
{
	return MIN(s->batch.base_offset + s->batch.last_delta + 1, s->to);
}

/* True: s->batch has records that may be wanted. */
static bool next_batch(struct stream *s, enum stream_result *result)
{
	while (batch_next(&s->in, &s->batch) == BATCH_OK) {
		enum flatten_kind kind = flatten_batch(&s->flatten, &s->batch);

		/* An old compressed message has the offset of its last record. */
		if (s->batch.magic == 2 && s->batch.base_offset >= s->to)
			break;
		if (batch_end(s) <= s->position)
			continue;
		if (kind == FLATTEN_CORRUPT) {
			*result = bad_crc(s);
			return false;
		}
		if (kind == FLATTEN_RECORDS) {
			record_reader_open(s->records, &s->batch);
			return true;
		}
		passed(s, batch_end(s));
	}
	*result = STREAM_END;
	return false;
}

static void begin_answer(struct stream *s, struct answer *a)
{
	flatten_init(&s->flatten, a->part->aborted_transactions.items, a->part->aborted_transactions.n);
	s->in = (struct reader){ .p = a->records.data, .end = a->records.data + a->records.len };
	s->walking = true;
}

/* The answer is read: what it said about the offsets up to its end holds. */
static void end_answer(struct stream *s, struct answer *a)
{
	passed(s, MIN(a->next, s->to));
	leave_answer(s);
	call_reset(&a->call);
	a->state = ANSWER_FREE;
	s->reading = 1 - s->reading;
	stream_pump(s);
}

enum stream_result stream_next(struct stream *s, struct record_view *v)
{
	s->told = false;
	for (;;) {
		struct answer *a = &s->answers[s->reading];
		enum stream_result result;

		if (s->failed)
			return STREAM_FAILED;
		if (s->position >= s->to)
			return STREAM_END;
		if (a->state != ANSWER_HERE) {
			stream_pump(s);
			return STREAM_WAIT;
		}
		if (!s->walking) {
			begin_answer(s, a);
			stream_pump(s);
		}
		if (!s->in_batch) {
			s->in_batch = next_batch(s, &result);
			if (!s->in_batch && result != STREAM_END)
				return result;
			if (!s->in_batch) {
				end_answer(s, a);
				continue;
			}
		}
		result = from_batch(s, v);
		if (result != STREAM_END)
			return result;
		s->in_batch = false;
		passed(s, batch_end(s));
	}
}

int64_t stream_position(const struct stream *s)
{
	return s->position;
}

bool stream_holds(const struct stream *s)
{
	return s->answers[0].state == ANSWER_HERE || s->answers[1].state == ANSWER_HERE;
}

int64_t stream_trimmed(const struct stream *s)
{
	return s->trimmed;
}

int64_t stream_last_hole(const struct stream *s)
{
	return s->last_hole;
}

const struct err *stream_error(const struct stream *s)
{
	return &s->error;
}
