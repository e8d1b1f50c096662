/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: a Fetch goes to the leader; as soon as its answer is there and the answer's end is known, the next Fetch
 * goes out.
 *
 * Failure modes: the leader moved or a connection was lost: metadata, a pause, and the same offset again; the log start
 * passed the position: the stream goes on from there and says so. Nothing came for patience_ms: the stream fails with
 * what was wrong last. */
#include "proof/stream_priv.h"

#include "base/clock.h"
#include "mirror/partition_calls.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

enum { FETCH_BY_NAME = 12, PAUSE_MS = 100, WAIT_MS = 500, CALL_MS = 30000 };

static void fetched(struct call *call);
static void earliest_came(struct call *call);

static void tell(struct stream *s)
{
	if (s->told || s->closing)
		return;
	s->told = true;
	s->opts.ready(s->opts.owner);
}

static void fail(struct stream *s)
{
	s->failed = true;
	tell(s);
}

bool stream_busy(const struct stream *s)
{
	return call_busy(&s->answers[0].call) || call_busy(&s->answers[1].call) || call_busy(&s->earliest);
}

/* --- asking -------------------------------------------------------------------------------------------------- */

/* False: it is not known who leads; metadata was asked for. */
static bool dial(struct stream *s, int32_t *epoch)
{
	struct cluster *cluster = s->opts.cluster;
	const struct topic_meta *t = cluster_topic(cluster, s->topic);
	const struct partition_meta *p;

	if (t == NULL || !t->known || t->error != 0 || s->opts.partition >= t->n_partitions) {
		err_set(&s->last, RC_NOT_FOUND, "%s: %s-%d is not there", cluster_options(cluster)->side, s->topic,
			s->opts.partition);
		return false;
	}
	p = &t->partitions[s->opts.partition];
	if (p->leader < 0) {
		err_set(&s->last, RC_TIMEOUT, "%s: %s-%d has no leader", cluster_options(cluster)->side, s->topic,
			s->opts.partition);
		return false;
	}
	if (s->node != p->leader && !stream_busy(s)) {
		if (s->broker != NULL)
			broker_destroy(s->broker);
		s->broker = broker_create(cluster, p->leader, "read", s->opts.pool);
		s->node = p->leader;
	}
	*epoch = p->leader_epoch;
	return s->node == p->leader;
}

static void again_later(struct stream *s)
{
	if (s->trouble_ns == 0)
		s->trouble_ns = clock_mono_ns();
	cluster_refresh(s->opts.cluster);
	if (!timer_is_set(&s->pause))
		loop_timer_set(cluster_loop(s->opts.cluster), &s->pause, clock_mono_ns() + PAUSE_MS * NS_PER_MS);
}

static void fetch(struct stream *s, struct answer *a, int64_t from, int32_t epoch)
{
	struct fetch_request *req;
	struct fetch_topic *t;
	struct fetch_partition *p;

	call_reset(&a->call);
	call_init(&a->call, &fetch_api, fetched, a);
	a->call.version_max = FETCH_BY_NAME;
	a->call.deadline_ns = clock_mono_ns() + CALL_MS * NS_PER_MS;
	req = call_req(&a->call, fetch);
	t = arena_new(&a->call.arena, struct fetch_topic, 1);
	p = arena_new(&a->call.arena, struct fetch_partition, 1);
	req->max_wait_ms = WAIT_MS;
	req->min_bytes = 1;
	req->max_bytes = s->opts.bytes_max;
	req->isolation_level = 1;
	req->forgotten_topics_data.n = 0;
	*p = (struct fetch_partition){ .partition = s->opts.partition, .current_leader_epoch = epoch,
				       .fetch_offset = from, .last_fetched_epoch = -1, .log_start_offset = -1,
				       .partition_max_bytes = s->opts.bytes_max };
	t->topic = str_of(s->topic);
	t->partitions.items = p;
	t->partitions.n = 1;
	req->topics.items = t;
	req->topics.n = 1;
	a->state = ANSWER_ASKED;
	a->stale = false;
	a->from = from;
	broker_call(s->broker, &a->call);
}

static void ask_earliest(struct stream *s, int32_t epoch)
{
	struct offsets_question q;

	call_reset(&s->earliest);
	call_init(&s->earliest, &list_offsets_api, earliest_came, s);
	s->earliest.deadline_ns = clock_mono_ns() + CALL_MS * NS_PER_MS;
	offsets_question_init(&q, &s->earliest, 1, OFFSETS_CONSUMER);
	q.timestamp = OFFSETS_EARLIEST;
	offsets_question_add(&q, str_of(s->topic), s->opts.partition, epoch);
	broker_call(s->broker, &s->earliest);
}

void stream_pump(struct stream *s)
{
	struct answer *now = &s->answers[s->reading], *next = &s->answers[1 - s->reading];
	int32_t epoch;

	if (s->closing || s->failed || s->position >= s->to || timer_is_set(&s->pause) || call_busy(&s->earliest))
		return;
	if (now->state == ANSWER_HERE && (!s->ahead || next->state != ANSWER_FREE || now->next >= s->to))
		return;
	if (now->state == ANSWER_ASKED || call_busy(&now->call))
		return;
	if (now->state == ANSWER_HERE && call_busy(&next->call))
		return;
	if (!dial(s, &epoch)) {
		again_later(s);
		return;
	}
	if (s->asked_earliest)
		ask_earliest(s, epoch);
	else if (now->state == ANSWER_FREE)
		fetch(s, now, s->position, epoch);
	else
		fetch(s, next, now->next, epoch);
}

static void paused(struct timer *timer)
{
	struct stream *s = container_of(timer, struct stream, pause);

	if (s->trouble_ns != 0 && clock_mono_ns() - s->trouble_ns > s->opts.patience_ms * NS_PER_MS) {
		s->error = s->last;
		fail(s);
		return;
	}
	stream_pump(s);
}

void stream_ask_init(struct stream *s)
{
	s->node = -1;
	s->pause.done = paused;
	s->answers[0].stream = s->answers[1].stream = s;
}

/* --- answers ------------------------------------------------------------------------------------------------- */

/* Behind the last whole batch; -1: there is none. */
static int64_t end_of(struct bytes records)
{
	struct reader r = { .p = records.data, .end = records.data + records.len };
	struct batch_header b;
	int64_t end = -1;

	while (batch_next(&r, &b) == BATCH_OK)
		end = b.base_offset + b.last_delta + 1;
	return end;
}

static const struct fetched_partition *only_part(struct call *call)
{
	const struct fetch_response *res = call_res(call, fetch);

	return res->responses.n == 1 && res->responses.items[0].partitions.n == 1 ?
	       &res->responses.items[0].partitions.items[0] : NULL;
}

static void refused(struct stream *s, int16_t code)
{
	const char *side = cluster_options(s->opts.cluster)->side;
	const struct kerr *k = kerr_find(code);

	if (code == KERR_TOPIC_AUTHORIZATION_FAILED) {
		err_set(&s->error, RC_AUTH, "%s: cannot read %s: %s", side, s->topic, k->name);
		err_hint(&s->error, "grant READ on Topic %s to krmirror's principal on the %s cluster", s->topic, side);
		fail(s);
		return;
	}
	err_set(&s->last, RC_KAFKA, "%s: cannot read %s-%d: %s", side, s->topic, s->opts.partition, k->name);
	s->last.kafka = code;
	if (code == KERR_OFFSET_OUT_OF_RANGE)
		s->asked_earliest = true;
	again_later(s);
}

/* True: no batch follows below `to`. Only a broker that has all of it below its last stable offset can say so, and
 * one that throttles says nothing. */
static bool nothing_left(struct stream *s, struct answer *a)
{
	const struct fetch_response *res = call_res(&a->call, fetch);

	if (res->throttle_time_ms > 0 || MIN(a->part->high_watermark, a->part->last_stable_offset) < s->to)
		return false;
	return ++s->empty >= 2;
}

static void take(struct stream *s, struct answer *a)
{
	a->part = only_part(&a->call);
	if (a->part == NULL || call_res(&a->call, fetch)->error_code != 0 || a->part->error_code != 0) {
		a->state = ANSWER_FREE;
		refused(s, a->part == NULL ? (int16_t)KERR_UNKNOWN_SERVER_ERROR :
			a->part->error_code != 0 ? a->part->error_code : call_res(&a->call, fetch)->error_code);
		return;
	}
	a->records = (struct bytes){ a->part->records.data, MAX(a->part->records.len, 0) };
	a->next = end_of(a->records);
	if (a->next > a->from) {
		a->state = ANSWER_HERE;
		s->empty = 0;
		s->trouble_ns = 0;
		tell(s);
		return;
	}
	a->state = ANSWER_FREE;
	if (a->records.len > 0) {
		err_set(&s->error, RC_CORRUPT, "%s: what %s-%d has at offset %lld is no batch",
			cluster_options(s->opts.cluster)->side, s->topic, s->opts.partition, (long long)a->from);
		fail(s);
	} else if (nothing_left(s, a)) {
		if (a == &s->answers[s->reading]) {
			s->last_hole = s->to - 1;
			s->position = s->to;
			tell(s);
		}
	} else {
		err_set(&s->last, RC_TIMEOUT, "%s: %s-%d has nothing to read at offset %lld",
			cluster_options(s->opts.cluster)->side, s->topic, s->opts.partition, (long long)a->from);
		again_later(s);
	}
}

static void fetched(struct call *call)
{
	struct answer *a = container_of(call, struct answer, call);
	struct stream *s = a->stream;

	if (s->closing) {
		stream_free_when_quiet(s);
		return;
	}
	if (a->stale || a->state != ANSWER_ASKED) {
		a->state = ANSWER_FREE;
		call_reset(call);
	} else if (call->rc != RC_OK) {
		a->state = ANSWER_FREE;
		s->last = call->err;
		if (call->rc == RC_AUTH || call->rc == RC_REFUSED) {
			s->error = call->err;
			fail(s);
			return;
		}
		again_later(s);
	} else {
		take(s, a);
	}
	stream_pump(s);
}

static void earliest_came(struct call *call)
{
	struct stream *s = call->owner;
	const struct listed_offsets_partition *p = NULL;

	if (s->closing) {
		stream_free_when_quiet(s);
		return;
	}
	if (call->rc == RC_OK)
		p = offsets_answer(call, str_of(s->topic), s->opts.partition, 0);
	s->asked_earliest = false;
	if (p != NULL && p->error_code == 0 && p->offset > s->position) {
		s->trimmed = MAX(s->trimmed, p->offset);
		s->position = MIN(p->offset, s->to);
		s->trouble_ns = 0;
		if (s->position >= s->to)
			tell(s);
	} else {
		again_later(s);
	}
	stream_pump(s);
}
