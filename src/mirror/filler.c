/* SPDX-License-Identifier: Apache-2.0 */
/* Filling holes at the destination: per broker a connection for WriteTxnMarkers, and one more for lanes that lately had
 * to wait for replicas, one round under way on each.
 *
 * Happy path of a round: every ready lane gives as many markers as it may (fence.h) and as fit; WriteTxnMarkers, then,
 * where a lane gave more than one, log end and high watermark behind it on the same connection: brokers serve one request
 * of a connection at a time, so these are read after the markers were written. What is proven (fill.h) is taken over;
 * a lane with more to fill is in the next round.
 *
 * Failure modes: any doubt about a lane has it opened again, from the log end, and its next fill begin with a claim. A
 * missing right is the destination's: it is remembered, and the lanes fail with it until it is tried again. Nothing is
 * ever sent twice from here. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/fill.h"
#include "mirror/filler_txn.h"
#include "mirror/partition_calls.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/write_txn_markers.h"

enum {
	MARKERS_MAX = 1500,        /* of one request: above, brokers gain nothing and others wait (measured) */
	WRITE_MS = 30000,          /* how long brokers wait for replicas, by default */
	LATE_MS = 3000,            /* an answer that is so late makes us look for a new leader */
	STALE_MS = 1000,           /* so long answers are waited for after the leader has changed */
};

enum { CALL_MARKERS, CALL_END, CALL_HIGH_WATERMARK, N_CALLS };

struct fill_part {
	struct mirror_lane *ml;
	int64_t id;                /* the filler id that was written on */
	int32_t n;
};

struct filler {
	struct mirror *mirror;
	int32_t node_id;
	bool slow;
	int n_lanes;               /* bound to it */
	struct broker *broker;
	struct list ready;
	struct fill_part *parts;   /* of the round under way */
	int n_parts, cap;
	struct call calls[N_CALLS];
	int n_calls, n_done;       /* n_calls 0: no round is under way */
	int64_t sent_ns, stale_since_ns;
	struct op pump_op;
	bool closed;
	struct list node;          /* in mirror->fillers */
};

static void answered(struct call *call);

/* ---- building a round ---- */

static int count_ready(const struct filler *f)
{
	const struct list *pos;
	int n = 0;

	list_each(pos, &f->ready)
		n++;
	return n;
}

static void add_part(struct filler *f, struct mirror_lane *ml, int32_t n)
{
	if (f->n_parts == f->cap) {
		f->cap = MAX(f->cap * 2, 8);
		f->parts = xrealloc(f->parts, (size_t)f->cap, sizeof(*f->parts));
	}
	f->parts[f->n_parts++] = (struct fill_part){ .ml = ml, .n = n };
}

/* Takes lanes off the ready list, each with its share of the markers; returns how many markers these are. */
static int32_t choose(struct filler *f)
{
	int32_t share = MAX(MARKERS_MAX / MAX(count_ready(f), 1), 1), total = 0;
	struct list *pos, *tmp;

	f->n_parts = 0;
	list_each_safe(pos, tmp, &f->ready) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, fill.ready_node);
		int64_t want = ml->closing ? 0 : lane_fill_head(&ml->lane);

		if (total >= MARKERS_MAX)
			break;
		list_del(&ml->fill.ready_node);
		if (want == 0)
			continue;
		want = MIN(MIN(want, fence_room(&ml->fill.fence)), share);
		if (want == 0) {  /* a rotation must be recorded first; the opening waits for it */
			lane_cast_doubt(&ml->lane);
			mirror_lane_settle(ml);
			continue;
		}
		add_part(f, ml, (int32_t)want);
		total += (int32_t)want;
	}
	return total;
}

static void add_markers(struct write_txn_markers_request *req, struct arena *arena, struct fill_part *part)
{
	struct writable_txn_marker_topic *topic = arena_alloc(arena, sizeof(*topic));

	topic->name = str_of(part->ml->topic);
	topic->partition_indexes.items = arena_alloc(arena, sizeof(int32_t));
	topic->partition_indexes.items[0] = part->ml->partition;
	topic->partition_indexes.n = 1;
	for (int32_t i = 0; i < part->n; i++) {
		struct fence_marker m = fence_next(&part->ml->fill.fence);
		struct writable_txn_marker *out = &req->markers.items[req->markers.n++];

		part->id = m.id;
		out->producer_id = m.id;
		out->producer_epoch = m.producer_epoch;
		out->coordinator_epoch = m.coordinator_epoch;
		out->transaction_result = true;
		out->topics.items = topic;
		out->topics.n = 1;
	}
}

/* A request may wait for a connection; the lease is looked at when it really goes. */
static bool lease_holds(const struct call *call)
{
	const struct filler *f = call->owner;

	return mirror_has_lease(f->mirror);
}

static struct call *next_call(struct filler *f, const struct api_desc *api)
{
	struct call *call = &f->calls[f->n_calls++];

	call_init(call, api, answered, f);
	call->deadline_ns = f->sent_ns + (WRITE_MS + f->mirror->opts.destination.request_timeout_ms) * NS_PER_MS;
	return call;
}

static void ask_markers(struct filler *f, int32_t n_markers)
{
	struct call *call = next_call(f, &write_txn_markers_api);
	struct write_txn_markers_request *req = call_req(call, write_txn_markers);
	int64_t now = loop_now(f->mirror->loop);

	call->may_send = lease_holds;
	req->markers.items = arena_alloc(&call->arena, (size_t)n_markers * sizeof(*req->markers.items));
	req->markers.n = 0;
	for (int i = 0; i < f->n_parts; i++) {
		add_markers(req, &call->arena, &f->parts[i]);
		lane_fill_send(&f->parts[i].ml->lane, f->parts[i].n, now);
	}
	broker_call(f->broker, call);
}

static void ask_ends(struct filler *f, int32_t replica_id)
{
	struct call *call = next_call(f, &list_offsets_api);
	struct offsets_question q;

	offsets_question_init(&q, call, f->n_parts, replica_id);
	for (int i = 0; i < f->n_parts; i++) {
		const struct mirror_lane *ml = f->parts[i].ml;

		if (f->parts[i].n > 1)
			offsets_question_add(&q, str_of(ml->topic), ml->partition, ml->sink.leader_epoch);
	}
	broker_call(f->broker, call);
}

static void start_round(struct filler *f)
{
	int32_t n_markers = choose(f);

	if (f->n_parts == 0)
		return;
	f->n_calls = f->n_done = 0;
	f->sent_ns = loop_now(f->mirror->loop);
	f->stale_since_ns = 0;
	ask_markers(f, n_markers);
	if (n_markers > f->n_parts) {
		ask_ends(f, OFFSETS_LOG_END);
		ask_ends(f, OFFSETS_CONSUMER);
	}
}

/* Without the lease nothing may go out: the lanes open again under a new one. */
static void no_lease(struct filler *f)
{
	for (struct list *n = list_pop(&f->ready); n != NULL; n = list_pop(&f->ready)) {
		struct mirror_lane *ml = list_entry(n, struct mirror_lane, fill.ready_node);

		lane_cast_doubt(&ml->lane);
		mirror_lane_settle(ml);
	}
}

static void pump(struct filler *f)
{
	if (f->n_calls > 0 || list_empty(&f->ready))
		return;
	if (mirror_has_lease(f->mirror))
		start_round(f);
	else
		no_lease(f);
}

static void free_filler(struct filler *f)
{
	for (int i = 0; i < N_CALLS; i++)
		call_fini(&f->calls[i]);
	xfree(f->parts);
	xfree(f);
}

/* A closed one stays until nothing is under way and no lane is bound to it. */
static void free_if_over(struct filler *f)
{
	if (f->closed && f->n_calls == 0 && f->n_lanes == 0 && !op_busy(&f->pump_op))
		free_filler(f);
}

static void pump_now(struct op *op, int res)
{
	struct filler *f = container_of(op, struct filler, pump_op);

	(void)res;
	if (!f->closed)
		pump(f);
	else
		free_if_over(f);
}

/* Where empty transactions were used, the first thing is to end what they left: a marker of theirs may still come. */
static bool filler_txn_needed(const struct mirror_lane *ml)
{
	return ml->fill.by_transactions || (ml->spec.txn_filler_ids[0] >= 0 && !filler_txn_initialised(ml));
}

void filler_ready(struct mirror_lane *ml)
{
	struct filler *f = ml->fill.filler;

	if (f == NULL || lane_fill_head(&ml->lane) == 0)
		return;
	if (filler_txn_needed(ml)) {
		filler_txn_ready(ml);
		return;
	}
	if (!list_linked(&ml->fill.ready_node))
		list_push_back(&f->ready, &ml->fill.ready_node);
	if (f->n_calls == 0 && !op_busy(&f->pump_op))
		loop_defer(f->mirror->loop, &f->pump_op, 0);
}

/* ---- taking the answers ---- */

/* One result per id and partition. */
static bool marker_code(const struct filler *f, const struct fill_part *part, int16_t *code)
{
	const struct call *call = &f->calls[CALL_MARKERS];
	const struct write_txn_markers_response *res;

	if (call->rc != RC_OK)
		return false;
	res = call_res((struct call *)(uintptr_t)call, write_txn_markers);
	for (int32_t i = 0; i < res->markers.n; i++) {
		const struct written_txn_marker *m = &res->markers.items[i];

		if (m->producer_id != part->id)
			continue;
		for (int32_t t = 0; t < m->topics.n; t++)
			for (int32_t p = 0; p < m->topics.items[t].partitions.n; p++)
				if (str_eq(m->topics.items[t].name, str_of(part->ml->topic)) &&
				    m->topics.items[t].partitions.items[p].partition_index == part->ml->partition) {
					*code = m->topics.items[t].partitions.items[p].error_code;
					return true;
				}
	}
	return false;
}

static int64_t end_of(struct filler *f, int call, const struct mirror_lane *ml)
{
	const struct listed_offsets_partition *p;

	if (call >= f->n_calls || f->calls[call].rc != RC_OK)
		return -1;
	p = offsets_answer(&f->calls[call], str_of(ml->topic), ml->partition, 0);
	return p != NULL && p->error_code == 0 ? p->offset : -1;
}

static void part_proven(struct mirror_lane *ml, int64_t now)
{
	fence_proven(&ml->fill.fence);
	lane_filled(&ml->lane, now);
	mirror_lane_progress(ml);
	if (fence_wants_rotation(&ml->fill.fence))
		mirror_lane_want_rotation(ml);
}

/* Not proven: the lane is opened again, or fails. */
static void part_failed(struct mirror_lane *ml, const struct fill_answer *a, enum fill_verdict verdict)
{
	int64_t at = ml->lane.acked;

	lane_unfilled(&ml->lane);
	log_debug(ml->subject, "fill in doubt", "offset=%lld n=%d error=%s log_end=%lld high_watermark=%lld",
		  (long long)at, a->n, a->answered ? kerr_name(a->code) : "none", (long long)a->log_end,
		  (long long)a->high_watermark);
	if (verdict == FILL_NO_RIGHT)
		ml->fill.by_transactions = true;  /* nothing was written; opened again, it fills with these */
	else if (verdict == FILL_REFUSED)
		mirror_lane_fail(ml, REASON_FILL_REFUSED, "destination: WriteTxnMarkers to %s-%d at offset %lld: %s",
				 ml->topic, ml->partition, (long long)at, kerr_name(a->code));
	mirror_lane_trouble(ml, a->answered ? a->code : NO_ANSWER);
	cluster_refresh(ml->mirror->destination);
}

static void take_part(struct filler *f, const struct fill_part *part, int64_t now)
{
	struct mirror_lane *ml = part->ml;
	struct fill_answer a = { .n = part->n, .expected = ml->lane.acked + part->n };
	enum fill_verdict verdict;

	a.answered = marker_code(f, part, &a.code);
	a.log_end = end_of(f, CALL_END, ml);
	a.high_watermark = end_of(f, CALL_HIGH_WATERMARK, ml);
	verdict = fill_judge(&a);
	if (verdict == FILL_PROVEN)
		part_proven(ml, now);
	else
		part_failed(ml, &a, verdict);
	mirror_lane_go_on(ml);
}

static void finish_round(struct filler *f)
{
	int64_t now = loop_now(f->mirror->loop);
	int n_calls = f->n_calls;

	if (f->calls[CALL_MARKERS].rc == RC_OK)
		f->mirror->local_contact_wall_ms = clock_wall_ms();
	for (int i = 0; i < f->n_parts; i++)
		take_part(f, &f->parts[i], now);
	for (int i = 0; i < n_calls; i++)
		call_reset(&f->calls[i]);
	f->n_calls = 0;
	if (!f->closed)
		pump(f);
	else
		free_if_over(f);
}

static void answered(struct call *call)
{
	struct filler *f = call->owner;

	if (++f->n_done == f->n_calls)
		finish_round(f);
}

/* ---- binding ---- */

static struct filler *filler_for(struct mirror *m, int32_t node_id, bool slow)
{
	struct filler *f;
	struct list *pos;

	list_each(pos, &m->fillers) {
		f = list_entry(pos, struct filler, node);
		if (f->node_id == node_id && f->slow == slow)
			return f;
	}
	f = xcalloc(1, sizeof(*f));
	f->mirror = m;
	f->node_id = node_id;
	f->slow = slow;
	f->broker = broker_create(m->destination, node_id, slow ? "fill (waiting)" : "fill", m->small_pool);
	f->pump_op.done = pump_now;
	list_init(&f->ready);
	list_push_back(&m->fillers, &f->node);
	return f;
}

void filler_bind(struct mirror_lane *ml)
{
	ml->fill.filler = filler_for(ml->mirror, ml->sink.leader, ml->sink.slow);
	ml->fill.filler->n_lanes++;
}

void filler_unbind(struct mirror_lane *ml)
{
	struct filler *f = ml->fill.filler;

	if (f == NULL)
		return;
	list_del(&ml->fill.ready_node);
	ml->fill.filler = NULL;
	f->n_lanes--;
	free_if_over(f);
}

void filler_close_all(struct mirror *m)
{
	for (struct list *n = list_pop(&m->fillers); n != NULL; n = list_pop(&m->fillers)) {
		struct filler *f = list_entry(n, struct filler, node);
		bool busy = f->n_calls > 0 || op_busy(&f->pump_op);

		f->closed = true;
		broker_destroy(f->broker);
		if (!busy)
			free_if_over(f);
	}
}

static bool any_in_doubt(const struct filler *f)
{
	for (int i = 0; i < f->n_parts; i++)
		if (f->parts[i].ml->lane.doubt)
			return true;
	return false;
}

void filler_tick(struct mirror *m, int64_t now)
{
	struct list *pos;

	list_each(pos, &m->fillers) {
		struct filler *f = list_entry(pos, struct filler, node);

		if (f->n_calls == 0)
			continue;
		if (now - f->sent_ns > LATE_MS * NS_PER_MS)
			cluster_refresh(m->destination);
		if (f->stale_since_ns == 0 && any_in_doubt(f))
			f->stale_since_ns = now;
		if (f->stale_since_ns != 0 && now - f->stale_since_ns > STALE_MS * NS_PER_MS) {
			f->stale_since_ns = 0;
			broker_drop(f->broker, RC_TIMEOUT, "it does not lead any more and owes answers");
		}
	}
}
