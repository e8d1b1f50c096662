/* SPDX-License-Identifier: Apache-2.0 */
/* Appending at the destination: per broker two connections, one for lanes that flow and one for lanes that lately had
 * to wait for replicas, so that a request that waits holds no healthy lane (brokers serve one request of a connection
 * at a time). A lane stays on one connection while it is open.
 *
 * Happy path: a request carries the head batch of every ready lane, up to max.request.size (a larger single batch goes
 * alone), each with a rewritten 61-byte header in front of its untouched records; several requests are under way, at
 * most lane_depth() with one lane. Each answer must name the offset that the batch has at the source.
 *
 * Failure modes (DESIGN 3, "Doubt"): any error, an unknown code, a lost connection, another leader: the lane sends
 * nothing more; when all its answers have come or the connection is closed it is opened again from the log end.
 * Nothing is ever resent from here. Errors that time does not cure fail the lane. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/mirror_priv.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/produce.h"

enum {
	REQUESTS_MAX = 5,          /* under way per connection */
	ACK_TIMEOUT_MS = 10000,    /* how long a broker may wait for replicas */
	LATE_MS = 3000,            /* an answer that is so late makes us look for a new leader */
	STALE_MS = 1000,           /* so long answers are waited for after the leader has changed */
	BLOCKED_MS = 1000,         /* a lane that cannot send for so long gives back its buffers */
	GOOD_AGAIN = 64,           /* appends after which a troubled lane may go back to the others */
	ACKS_ALL = -1,
	VERSION_TOPIC_NAMES = 12,  /* of Produce: the last that has names */
};

struct sink {
	struct mirror *mirror;
	int32_t node_id;
	bool slow;
	struct broker *broker;
	struct list ready;
	int n_lanes;
	struct list under_way, spare;   /* of struct append */
	int n_under_way;
	int64_t stale_since_ns;         /* lanes in doubt wait for answers of a broker that does not lead them; 0: none */
	struct op pump_op;
	bool closed;
	struct list node;               /* in mirror->sinks */
};

/* One Produce request. */
struct append {
	struct call call;
	struct sink *sink;
	struct mirror_lane **lanes;
	int n_lanes, cap;
	int next;                       /* where the next answer is looked for first */
	int64_t sent_ns;
	struct list node;
};

static void appended(struct call *call);

bool mirror_has_lease(const struct mirror *mirror)
{
	return clock_boot_ns() < atomic_load(&mirror->lease_boot_ns);
}

/* ---- building a request ---- */

static struct append *append_get(struct sink *k)
{
	struct list *n = list_pop(&k->spare);
	struct append *a;

	if (n != NULL)
		return list_entry(n, struct append, node);
	a = xcalloc(1, sizeof(*a));
	a->sink = k;
	return a;
}

static void free_append(struct append *a)
{
	call_fini(&a->call);
	xfree(a->lanes);
	xfree(a);
}

static bool may_send(const struct mirror_lane *ml, int64_t wall_ms)
{
	return lane_head(&ml->lane) != NULL && !ml->closing &&
	       lane_in_flight(&ml->lane) < lane_depth(&ml->lane, wall_ms);
}

/* What waits to be sent has mostly gone cold; the memory is asked for a little before its header is read. */
static const struct lane_item *warm_head(const struct mirror_lane *ml)
{
	const struct lane_item *b = lane_head(&ml->lane);

	if (b != NULL) {
		__builtin_prefetch(b->data);
		__builtin_prefetch(b->data + BATCH_HEADER_LEN - 1);
	}
	return b;
}

/* Takes the lanes of the next request off the ready list; those that have more to send stay in it, at its end. */
static size_t choose_lanes(struct sink *k, struct append *a)
{
	int64_t wall = clock_wall_ms();
	size_t size = 0;
	struct list again;

	list_init(&again);
	a->n_lanes = 0;
	while (!list_empty(&k->ready)) {
		struct mirror_lane *ml = list_entry(k->ready.next, struct mirror_lane, sink.ready_node);
		uint32_t len;

		if (!may_send(ml, wall)) {
			list_del(&ml->sink.ready_node);
			continue;
		}
		len = warm_head(ml)->len;
		if (a->n_lanes > 0 && size + len > k->mirror->opts.max_request_size)
			break;
		list_del(&ml->sink.ready_node);
		list_push_back(&again, &ml->sink.ready_node);
		if (a->n_lanes == a->cap) {
			a->cap = MAX(a->cap * 2, 8);
			a->lanes = xrealloc(a->lanes, (size_t)a->cap, sizeof(struct mirror_lane *));
		}
		a->lanes[a->n_lanes++] = ml;
		size += len;
	}
	list_splice(&k->ready, &again);
	return size;
}

static struct produce_topic *request_topic(struct append *a, struct mirror_lane *ml)
{
	struct produce_request *req = call_req(&a->call, produce);
	struct lane_topic *t = ml->local_topic;
	struct produce_topic *pt;

	if (t->build == ml->mirror->table.build)
		return &req->topic_data.items[t->build_index];
	t->build = ml->mirror->table.build;
	t->build_index = req->topic_data.n++;
	pt = &req->topic_data.items[t->build_index];
	pt->name = str_of(t->name);
	pt->topic_id = t->id;
	pt->partition_data.items =
		arena_alloc(&a->call.arena, (size_t)MIN(t->n_used, a->n_lanes) * sizeof(*pt->partition_data.items));
	return pt;
}

static void add_batch(struct append *a, struct mirror_lane *ml)
{
	struct produce_topic *pt = request_topic(a, ml);
	const struct lane_item *b = lane_send(&ml->lane);
	struct batch_stamp stamp = { ml->lane.producer_id, ml->lane.producer_epoch, b->sequence };
	uint8_t *head = arena_alloc_raw(&a->call.arena, BATCH_HEADER_LEN);
	struct iovec *iov = arena_alloc_raw(&a->call.arena, 2 * sizeof(*iov));

	batch_rewrite(b->data, b->len - BATCH_HEADER_LEN, &stamp, head);
	iov[0] = (struct iovec){ head, BATCH_HEADER_LEN };
	/* The kernel only reads it; iovec knows no const. */
	iov[1] = (struct iovec){ (void *)(uintptr_t)(b->data + BATCH_HEADER_LEN), b->len - BATCH_HEADER_LEN };
	pt->partition_data.items[pt->partition_data.n++] = (struct produce_partition){
		.index = ml->partition,
		.records = { .iov = iov, .n_iov = 2, .len = (int32_t)b->len },
	};
	/* The queue may give its reference up before the kernel has sent the bytes. */
	buf_ref(b->frame);
	arena_hold(&a->call.arena, b->frame);
	seeder_tombstones(ml);
	(void)warm_head(ml);  /* its next one */
}

/* A request may wait for a connection or for a throttle to end; the lease is looked at when it really goes. */
static bool lease_holds(const struct call *call)
{
	const struct append *a = call->owner;

	return mirror_has_lease(a->sink->mirror);
}

static bool send_request(struct sink *k)
{
	struct append *a = append_get(k);
	struct produce_request *req;

	if (choose_lanes(k, a) == 0) {
		list_push_back(&k->spare, &a->node);
		return false;
	}
	call_init(&a->call, &produce_api, appended, a);
	a->call.may_send = lease_holds;
	if (k->mirror->table.n_without_id > 0)
		a->call.version_max = VERSION_TOPIC_NAMES;
	req = call_req(&a->call, produce);
	req->acks = ACKS_ALL;
	req->timeout_ms = ACK_TIMEOUT_MS;
	req->topic_data.n = 0;
	req->topic_data.items = arena_alloc(&a->call.arena, (size_t)a->n_lanes * sizeof(*req->topic_data.items));
	k->mirror->table.build++;
	for (int i = 0; i < a->n_lanes; i++)
		add_batch(a, a->lanes[i]);
	a->next = 0;
	a->sent_ns = loop_now(k->mirror->loop);
	a->call.deadline_ns = a->sent_ns + (ACK_TIMEOUT_MS + k->mirror->opts.destination.request_timeout_ms) * NS_PER_MS;
	list_push_back(&k->under_way, &a->node);
	k->n_under_way++;
	broker_call(k->broker, &a->call);
	return true;
}

/* Without the lease nothing may go out: what waits is dropped, and the lanes open again under a new one. */
static void no_lease(struct sink *k)
{
	for (struct list *n = list_pop(&k->ready); n != NULL; n = list_pop(&k->ready)) {
		struct mirror_lane *ml = list_entry(n, struct mirror_lane, sink.ready_node);

		lane_cast_doubt(&ml->lane);
		mirror_lane_settle(ml);
	}
}

static void pump(struct sink *k)
{
	if (!list_empty(&k->ready) && !mirror_has_lease(k->mirror)) {
		log_warn("mirror", "no lease: nothing is sent", "node=%d", k->node_id);
		no_lease(k);
		return;
	}
	while (k->n_under_way < REQUESTS_MAX && !list_empty(&k->ready))
		if (!send_request(k))
			break;
}

static void free_sink(struct sink *k)
{
	for (struct list *n = list_pop(&k->spare); n != NULL; n = list_pop(&k->spare))
		free_append(list_entry(n, struct append, node));
	xfree(k);
}

/* A closed one stays until nothing is under way and no lane is bound to it: a lane may still wait for its fill. */
static void free_if_over(struct sink *k)
{
	if (k->closed && k->n_under_way == 0 && k->n_lanes == 0 && !op_busy(&k->pump_op))
		free_sink(k);
}

static void pump_now(struct op *op, int res)
{
	struct sink *k = container_of(op, struct sink, pump_op);

	(void)res;
	if (!k->closed)
		pump(k);
	else
		free_if_over(k);
}

void sink_ready(struct mirror_lane *ml)
{
	struct sink *k = ml->sink.sink;

	if (k == NULL || lane_head(&ml->lane) == NULL)
		return;
	if (!list_linked(&ml->sink.ready_node))
		list_push_back(&k->ready, &ml->sink.ready_node);
	if (!op_busy(&k->pump_op))
		loop_defer(k->mirror->loop, &k->pump_op, 0);
}

/* ---- taking an answer ---- */

static void fail_for(struct mirror_lane *ml, int16_t code, struct str message)
{
	enum lane_reason reason = REASON_UNSUPPORTED_MESSAGE_FORMAT;

	if (code == KERR_MESSAGE_TOO_LARGE || code == KERR_RECORD_LIST_TOO_LARGE)
		reason = REASON_RECORD_TOO_LARGE;
	else if (code == KERR_TOPIC_AUTHORIZATION_FAILED || code == KERR_CLUSTER_AUTHORIZATION_FAILED)
		reason = REASON_AUTHORIZATION;
	else if (code == KERR_CORRUPT_MESSAGE)
		reason = REASON_CORRUPT_SOURCE_BATCH;
	mirror_lane_fail(ml, reason, "destination: Produce to %s-%d at offset %lld: %s%s%.*s", ml->topic, ml->partition,
			 (long long)ml->lane.acked, kerr_name(code), message.len > 0 ? ": " : "", STR_ARG(message));
}

/* True when trying again cannot help. What is wrong with the batch itself is fetched and
 * sent once more. */
static bool is_final(struct mirror_lane *ml, int16_t code)
{
	if (code == KERR_CORRUPT_MESSAGE || code == KERR_INVALID_RECORD || code == KERR_UNKNOWN_SERVER_ERROR) {
		bool again = ml->sink.corrupt_at != ml->lane.acked;

		ml->sink.corrupt_at = ml->lane.acked;
		/* Brokers do not say what is wrong with the records of a compressed batch: we look ourselves. */
		if (again && code != KERR_CORRUPT_MESSAGE)
			ml->lane.suspect = ml->lane.acked;
		return !again && code != KERR_UNKNOWN_SERVER_ERROR;
	}
	return code == KERR_MESSAGE_TOO_LARGE || code == KERR_RECORD_LIST_TOO_LARGE ||
	       code == KERR_TOPIC_AUTHORIZATION_FAILED || code == KERR_CLUSTER_AUTHORIZATION_FAILED ||
	       code == KERR_INVALID_TIMESTAMP || code == KERR_UNSUPPORTED_FOR_MESSAGE_FORMAT ||
	       code == KERR_UNSUPPORTED_COMPRESSION_TYPE;
}

/* What we made ourselves can be made of fewer records, when it is fetched or made again. Nobody tells a lane how much
 * its topic takes. */
static bool made_smaller(struct mirror_lane *ml, int16_t code)
{
	const struct lane_item *item = lane_oldest(&ml->lane);

	if ((code != KERR_MESSAGE_TOO_LARGE && code != KERR_RECORD_LIST_TOO_LARGE) || !item->made || item->n == 1)
		return false;
	if (item->tombstones || mirror_lane_seeds(ml))
		seeder_smaller(ml, (int32_t)item->n);
	else
		ml->rewriting.run_max = item->len / 2;
	log_info(ml->subject, "the destination takes smaller batches", "offset=%lld size=%u records=%lld",
		 (long long)item->first, item->len, (long long)item->n);
	return true;
}

static void lane_error(struct mirror_lane *ml, int16_t code, struct str message)
{
	bool first = !ml->lane.doubt;  /* of several answers only the first tells what happened */
	bool smaller = first && made_smaller(ml, code);

	lane_unanswered(&ml->lane);
	if (code != NO_ANSWER)   /* that is counted as the call's */
		client_counts_error(&ml->mirror->counts->destination, produce_api.name, kerr_name(code));
	if (!first)
		return;
	log_debug(ml->subject, "append failed", "error=%s offset=%lld", code == NO_ANSWER ? "none" : kerr_name(code),
		  (long long)ml->lane.acked);
	if (!smaller && is_final(ml, code))
		fail_for(ml, code, message);
	mirror_lane_trouble(ml, code);
	cluster_refresh(ml->mirror->destination);
}

void mirror_lane_trouble(struct mirror_lane *ml, int16_t code)
{
	if (code != KERR_REQUEST_TIMED_OUT && code != KERR_NOT_ENOUGH_REPLICAS &&
	    code != KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND && code != NO_ANSWER)
		return;
	ml->sink.slow = code != NO_ANSWER || ml->sink.slow;
	ml->sink.good = 0;
}

void mirror_lane_progress(struct mirror_lane *ml)
{
	ml->last_append_wall_ms = ml->mirror->local_contact_wall_ms;  /* of this very answer */
	ml->rewriting.was_idle = ml->rewriting.was_idle || ml->lane.acked == ml->lane.accepted;
	if (ml->lane.acked >= ml->source_last_stable)
		ml->caught_up_wall_ms = ml->last_append_wall_ms;
	ml->sink.progress_ns = loop_now(ml->mirror->loop);
	ml->sink.failures = 0;
	ml->source.parked = false;
	if (ml->sink.slow && ++ml->sink.good > GOOD_AGAIN)
		ml->sink.slow = false;  /* takes effect when the lane is opened next */
}

static void lane_success(struct mirror_lane *ml, const struct produced_partition *p, int64_t now)
{
	if (p->log_start_offset >= 0)
		ml->local_log_start = p->log_start_offset;
	if (!lane_ack(&ml->lane, p->base_offset, now))
		return;
	mirror_lane_progress(ml);
}

/* Answers mostly come in the order of the request. */
static struct mirror_lane *lane_of(struct append *a, struct lane_topic *t, int32_t partition)
{
	struct mirror_lane *want = lane_topic_at(t, partition);

	for (int k = 0; want != NULL && k < a->n_lanes; k++) {
		int i = (a->next + k) % a->n_lanes;

		if (a->lanes[i] == want) {
			a->lanes[i] = NULL;
			a->next = i + 1;
			return want;
		}
	}
	return NULL;
}

static void take_answers(struct append *a, const struct produce_response *res)
{
	struct mirror *m = a->sink->mirror;
	int64_t now = loop_now(m->loop);

	m->local_contact_wall_ms = clock_wall_ms();
	for (int32_t i = 0; i < res->responses.n; i++) {
		const struct produced_topic *pt = &res->responses.items[i];

		for (int32_t k = 0; k < pt->partition_responses.n; k++) {
			const struct produced_partition *p = &pt->partition_responses.items[k];
			/* Looked up each time: settling a lane may remove its topic. */
			struct lane_topic *t = lane_table_find(&m->table, pt->name, &pt->topic_id);
			struct mirror_lane *ml = lane_of(a, t, p->index);

			if (ml == NULL)
				continue;
			if (p->error_code == 0)
				lane_success(ml, p, now);
			else
				lane_error(ml, p->error_code, p->error_message);
			mirror_lane_go_on(ml);
		}
	}
}

static void appended(struct call *call)
{
	struct append *a = call->owner;
	struct sink *k = a->sink;

	list_del(&a->node);
	if (call->rc == RC_OK)
		take_answers(a, call_res(call, produce));
	for (int i = 0; i < a->n_lanes; i++)
		if (a->lanes[i] != NULL) {  /* not answered */
			lane_error(a->lanes[i], NO_ANSWER, STR_NULL);
			mirror_lane_go_on(a->lanes[i]);
		}
	call_reset(call);
	list_push_front(&k->spare, &a->node);
	k->n_under_way--;
	if (!k->closed)
		pump(k);
	else
		free_if_over(k);
}

/* ---- binding ---- */

static struct sink *sink_for(struct mirror *m, int32_t node_id, bool slow)
{
	struct sink *k;
	struct list *pos;

	list_each(pos, &m->sinks) {
		k = list_entry(pos, struct sink, node);
		if (k->node_id == node_id && k->slow == slow)
			return k;
	}
	k = xcalloc(1, sizeof(*k));
	k->mirror = m;
	k->node_id = node_id;
	k->slow = slow;
	k->broker = broker_create(m->destination, node_id, slow ? "produce (waiting)" : "produce", m->small_pool);
	k->pump_op.done = pump_now;
	list_init(&k->ready);
	list_init(&k->under_way);
	list_init(&k->spare);
	list_push_back(&m->sinks, &k->node);
	return k;
}

void sink_bind(struct mirror_lane *ml)
{
	CHECK(ml->sink.sink == NULL);
	ml->sink.sink = sink_for(ml->mirror, ml->sink.leader, ml->sink.slow);
	ml->sink.sink->n_lanes++;
	ml->sink.progress_ns = loop_now(ml->mirror->loop);
}

void sink_unbind(struct mirror_lane *ml)
{
	struct sink *k = ml->sink.sink;

	CHECK(lane_in_flight(&ml->lane) == 0);
	if (k == NULL)
		return;
	list_del(&ml->sink.ready_node);
	ml->sink.sink = NULL;
	k->n_lanes--;
	free_if_over(k);
}

const struct broker *sink_broker(const struct mirror_lane *ml)
{
	return ml->sink.sink != NULL ? ml->sink.sink->broker : NULL;
}

void sink_close_all(struct mirror *m)
{
	for (struct list *n = list_pop(&m->sinks); n != NULL; n = list_pop(&m->sinks)) {
		struct sink *k = list_entry(n, struct sink, node);
		bool busy = k->n_under_way > 0 || op_busy(&k->pump_op);

		k->closed = true;
		broker_destroy(k->broker);
		if (!busy)
			free_if_over(k);
	}
}

/* ---- time ---- */

void sink_stale(struct mirror_lane *ml)
{
	struct sink *k = ml->sink.sink;

	if (lane_in_flight(&ml->lane) > 0 && ml->lane.filling == 0 && k->stale_since_ns == 0)
		k->stale_since_ns = loop_now(k->mirror->loop);
}

static void tick_sink(struct sink *k, int64_t now)
{
	const struct append *oldest = list_first(&k->under_way, struct append, node);

	if (oldest == NULL) {
		k->stale_since_ns = 0;
		return;
	}
	if (now - oldest->sent_ns > LATE_MS * NS_PER_MS)
		cluster_refresh(k->mirror->destination);
	if (k->stale_since_ns != 0 && now - k->stale_since_ns > STALE_MS * NS_PER_MS) {
		k->stale_since_ns = 0;
		broker_drop(k->broker, RC_TIMEOUT, "it does not lead any more and owes answers");
	}
}

static void tick_lane(struct mirror_lane *ml, int64_t now)
{
	if (lane_tombstone_head(&ml->lane) > 0)
		mirror_lane_ready(ml);   /* there was no memory */
	if (ml->lane.unsent_bytes == 0 || now - ml->sink.progress_ns < BLOCKED_MS * NS_PER_MS)
		return;
	mirror_lane_give_back(ml);
	ml->source.parked = lane_in_flight(&ml->lane) > 0;
}

void mirror_lane_give_back(struct mirror_lane *ml)
{
	lane_drop_unsent(&ml->lane);
	rewriting_stop(ml);
	list_del(&ml->sink.ready_node);
	source_touch(ml);
}

void sink_tick(struct mirror *m, int64_t now)
{
	struct list *pos, *tmp;

	list_each(pos, &m->sinks)
		tick_sink(list_entry(pos, struct sink, node), now);
	list_each_safe(pos, tmp, &m->lanes)
		tick_lane(list_entry(pos, struct mirror_lane, node), now);
}
