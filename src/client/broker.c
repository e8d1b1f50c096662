/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to one broker.
 *
 *   IDLE -> BACKOFF -> RESOLVING -> CONNECTING -> NEGOTIATING -> AUTHENTICATING -> CHECKING -> READY -> CLOSING -> IDLE
 *    ^                    |             |              |           ^   |               |         |         |
 *    |                    |             |              |           +---|---------------|---------+         |
 *    +--------------------+-------------+--------------+---------------+---------------+-------------------+  any failure
 *
 * Happy path: a call finds no connection; the name is resolved, an address connects, ApiVersions tells what the broker
 * speaks, SASL who we are (only where that is set; from READY again before the session is over), an empty Metadata tells
 * that it is of the right cluster (only where that is asked); then queued calls are encoded and sent in order, and each
 * response completes the oldest call in flight.
 *
 * Failure modes:
 *  - resolve, connect, handshake or another cluster: queued calls fail; NODE_ANY tries the next candidate first, and
 *    fails its calls only when all candidates have failed in a row;
 *  - the connection is lost, a response is garbled or late: calls in flight fail with sent = true, queued ones fail
 *    too, so that their owners look again at who the leader is;
 *  - the broker closes an idle connection: nothing is waiting, nothing is said.
 * A response can be handled before the loop reports that its request was sent; the call completes when both are in. */
#include "client/broker_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/kerr.h"

static const char *const state_names[] = { "IDLE", "BACKOFF", "RESOLVING", "CONNECTING", "NEGOTIATING",
					   "AUTHENTICATING", "CHECKING", "READY", "CLOSING" };

static void frame_sent(struct frame_out *frame, int res);

void broker_move(struct broker *b, enum broker_state state)
{
	if (log_on(LOG_TRACE))
		log_trace(broker_text(b), "state", "what=%s from=%s to=%s", b->what, state_names[b->state],
			  state_names[state]);
	b->state = state;
}

const char *broker_text(struct broker *b)
{
	const char *peer = conn_peer(&b->conn);
	char node[32] = "", address[256], door[100];
	bool resolved;

	snprintf(address, sizeof(address), "%.*s:%u", 200, b->host, b->port);
	if (b->door[0] != '\0') {
		snprintf(door, sizeof(door), "dialled at %s, broker.address.map", b->door);
		peer = door;
	}
	resolved = peer[0] != '\0' && strcmp(peer, address) != 0;
	if (b->node_id != NODE_ANY)
		snprintf(node, sizeof(node), "%d at ", b->node_id);
	snprintf(b->text, sizeof(b->text), "%s broker %s%s%s%s%s", broker_opts(b)->side, node, address,
		 resolved ? " (" : "", resolved ? peer : "", resolved ? ")" : "");
	return b->text;
}

int32_t broker_node_id(const struct broker *b)
{
	return b->node_id;
}

bool broker_is_ready(const struct broker *b)
{
	return b->state == BROKER_READY;
}

int64_t broker_peer_expiry(const struct broker *b)
{
	return b->state == BROKER_READY ? conn_peer_expiry(&b->conn) : -1;
}

int broker_pending(const struct broker *b)
{
	return b->n_pending;
}

int64_t broker_throttled_until_ns(const struct broker *b)
{
	return b->throttled_until_ns;
}

/* The one place that ends a connection from our side: nothing is sent on it from here on. */
static void shut(struct broker *b, const struct err *why)
{
	if (!conn_is_open(&b->conn) || b->state == BROKER_CLOSING)
		return;
	broker_move(b, BROKER_CLOSING);
	b->named = conn_close_err(&b->conn, why);
}

void broker_shut(struct broker *b, int rc, const char *fmt, ...)
{
	struct err why;
	va_list ap;

	va_start(ap, fmt);
	err_vset(&why, rc, fmt, ap);
	va_end(ap);
	shut(b, &why);
}

void broker_shut_err(struct broker *b, const struct err *why)
{
	struct err text = *why;

	err_wrap(&text, "%s", broker_text(b));
	shut(b, &text);
}

/* ---- completing calls ---- */

static void complete(struct broker *b, struct call *call)
{
	CHECK(call->busy_ && !call->frame_busy_);
	list_del(&call->node_);
	b->n_pending--;
	call->busy_ = false;
	call->done(call);
}

static void run_finished(struct broker *b)
{
	struct list now;

	list_init(&now);
	list_splice(&now, &b->finished);
	for (struct list *n = list_pop(&now); n != NULL; n = list_pop(&now))
		complete(b, list_entry(n, struct call, node_));
}

static void free_if_quiet(struct broker *b)
{
	if (!b->destroyed || b->state != BROKER_IDLE || op_busy(&b->finish_op) || op_busy(&b->resume_op) ||
	    b->n_pending != 0 || call_busy(&b->hello) || b->hello.frame_busy_)
		return;
	call_fini(&b->hello);
	conn_fini(&b->conn);
	cluster_broker_gone(b->cluster);
	xfree(b);
}

static void finish_now(struct op *op, int res)
{
	struct broker *b = container_of(op, struct broker, finish_op);

	(void)res;
	run_finished(b);
	free_if_quiet(b);
}

void broker_finish_soon(struct broker *b)
{
	if (!op_busy(&b->finish_op))
		loop_defer(b->loop, &b->finish_op, 0);
}

/* Fails a call from a place that may not call back. */
static void fail_later(struct broker *b, struct call *call, const struct err *why)
{
	list_del(&call->node_);
	call->rc = why->rc;
	call->err = *why;
	if (why->rc != RC_CANCELLED)   /* nobody's fault */
		client_counts_error(broker_opts(b)->counts, call->api->name, rc_str(why->rc));
	list_push_back(&b->finished, &call->node_);
	broker_finish_soon(b);
}

void broker_fail_list(struct broker *b, struct list *calls, const struct err *why)
{
	for (struct list *n = list_pop(calls); n != NULL; n = list_pop(calls))
		fail_later(b, list_entry(n, struct call, node_), why);
}

/* ---- deadlines ---- */

static void arm_deadline(struct broker *b, int64_t at_ns)
{
	if (!timer_is_set(&b->deadline_timer) || at_ns < b->deadline_timer.at_ns_)
		loop_timer_set(b->loop, &b->deadline_timer, at_ns);
}

static int64_t first_deadline(const struct list *calls)
{
	struct list *pos;
	int64_t first = INT64_MAX;

	list_each(pos, calls)
		first = MIN(first, list_entry(pos, struct call, node_)->deadline_ns);
	return first;
}

static void expire_queued(struct broker *b, int64_t now)
{
	struct list *pos, *tmp;
	struct err why;

	list_each_safe(pos, tmp, &b->queue) {
		struct call *call = list_entry(pos, struct call, node_);

		if (call->deadline_ns > now)
			continue;
		if (b->last_failure.rc != RC_OK)
			why = b->last_failure;
		else
			err_set(&why, RC_TIMEOUT, "%s: no connection within the time given for %s", broker_text(b),
				call->api->name);
		fail_later(b, call, &why);
	}
}

static void deadline_due(struct timer *timer)
{
	struct broker *b = container_of(timer, struct broker, deadline_timer);
	int64_t now = loop_now(b->loop), next;
	struct call *late;

	expire_queued(b, now);
	late = list_first(&b->in_flight, struct call, node_);
	if (late != NULL && first_deadline(&b->in_flight) <= now)
		broker_shut(b, RC_TIMEOUT, "%s: no answer to %s in time", broker_text(b), late->api->name);
	next = MIN(first_deadline(&b->queue), first_deadline(&b->in_flight));
	if (next <= now)
		next = now + 10 * NS_PER_MS;  /* the connection is closing; its calls fail with it */
	if (next != INT64_MAX)
		loop_timer_set(b->loop, &b->deadline_timer, next);
}

/* ---- sending ---- */

int16_t broker_version(const struct broker *b, const struct api_desc *api)
{
	int16_t v;

	if (!b->versions_known || api->key < 0 || api->key >= BROKER_N_KEYS || b->versions[api->key].max < 0)
		return -1;
	v = MIN(api->max, b->versions[api->key].max);
	return v >= api->min && v >= b->versions[api->key].min ? v : -1;
}

static int16_t version_for(const struct broker *b, const struct call *call)
{
	int16_t v = broker_version(b, call->api);

	v = MIN(v, call->version_max);
	if (v < call->version_min || v < b->versions[call->api->key].min)
		return -1;
	return v;
}

static bool encode(struct broker *b, struct call *call, struct err *why)
{
	struct encoded out;
	int rc = request_encode(call->api, call->version, call->correlation_id_, broker_opts(b)->client_id, call->req_,
				&call->arena, &out);

	if (rc != RC_OK) {
		err_set(why, rc, "%s: %s v%d cannot carry this request", broker_text(b), call->api->name,
			call->version);
		return false;
	}
	call->frame_ = (struct frame_out){ .iov = out.iov, .n_iov = out.n_iov, .sent = frame_sent };
	return true;
}

/* Puts one call on the wire. */
void broker_transmit(struct broker *b, struct call *call, int16_t version)
{
	struct err why;

	/* It has ended, and only its end has not been told yet. */
	if (!conn_is_ready(&b->conn)) {
		err_set(&why, RC_CLOSED, "%s: the connection has ended", broker_text(b));
		fail_later(b, call, &why);
		return;
	}
	call->version = version;
	call->correlation_id_ = b->next_correlation_id++ & INT32_MAX;
	call->broker_ = b;
	if (!encode(b, call, &why)) {
		fail_later(b, call, &why);
		return;
	}
	list_del(&call->node_);
	list_push_back(&b->in_flight, &call->node_);
	call->sent = true;
	call->frame_busy_ = true;
	call->sent_at_ns_ = loop_now(b->loop);
	arm_deadline(b, call->deadline_ns);
	conn_send(&b->conn, &call->frame_);
}

static void refuse_version(struct broker *b, struct call *call)
{
	struct err why;

	err_set(&why, RC_UNSUPPORTED, "%s does not speak a version of %s that krmirror needs (v%d to v%d)",
		broker_text(b), call->api->name, call->version_min, call->version_max);
	if (call->api->key < BROKER_N_KEYS && b->versions[call->api->key].max >= 0)
		err_hint(&why, "it speaks v%d to v%d", b->versions[call->api->key].min,
			 b->versions[call->api->key].max);
	fail_later(b, call, &why);
}

static void hold_back(struct broker *b, struct call *call)
{
	struct err why;

	err_set(&why, RC_CANCELLED, "%s: %s was held back", broker_text(b), call->api->name);
	fail_later(b, call, &why);
}

static void throttle_due(struct timer *timer)
{
	broker_pump(container_of(timer, struct broker, throttle_timer));
}

void broker_pump(struct broker *b)
{
	/* Between the end of the connection and the news of it, calls wait in the queue like those of a new one. */
	if (b->state != BROKER_READY || !conn_is_ready(&b->conn))
		return;
	if (loop_now(b->loop) < b->throttled_until_ns) {
		loop_timer_set(b->loop, &b->throttle_timer, b->throttled_until_ns);
		return;
	}
	while (b->state == BROKER_READY) {
		struct call *call = list_first(&b->queue, struct call, node_);
		int16_t version;

		if (call == NULL)
			return;
		version = version_for(b, call);
		if (call->may_send != NULL && !call->may_send(call))
			hold_back(b, call);
		else if (version < 0)
			refuse_version(b, call);
		else
			broker_transmit(b, call, version);
	}
}

void broker_call(struct broker *b, struct call *call)
{
	CHECK(!call->busy_ && call->req_ != NULL && !b->destroyed);
	call->busy_ = true;
	call->rc = RC_OK;
	call->sent = false;
	call->early_ = NULL;
	if (call->deadline_ns == 0)
		call->deadline_ns = clock_mono_ns() + broker_opts(b)->request_timeout_ms * NS_PER_MS;
	list_push_back(&b->queue, &call->node_);
	b->n_pending++;
	arm_deadline(b, call->deadline_ns);
	if (b->state == BROKER_IDLE)
		broker_connect(b);
	else
		broker_pump(b);
}

/* ---- receiving ---- */

static void obey_throttle(struct broker *b, const struct call *call)
{
	const struct msg_desc *desc = call->api->response;

	for (int i = 0; i < desc->n_fields; i++) {
		int32_t ms;

		if (desc->fields[i].type != FIELD_INT32 || strcmp(desc->fields[i].name, "ThrottleTimeMs") != 0)
			continue;
		memcpy(&ms, (const char *)call->res_ + desc->fields[i].offset, sizeof(ms));
		if (ms > 0) {
			b->throttled_until_ns = loop_now(b->loop) + ms * NS_PER_MS;
			if (broker_opts(b)->counts != NULL)
				broker_opts(b)->counts->throttle_ms += (uint64_t)ms;
		}
		return;
	}
}

static void answer(struct broker *b, struct call *call, struct buf *frame)
{
	int32_t id;

	arena_hold(&call->arena, frame);
	call->answer_ = frame;
	call->res_ = arena_alloc(&call->arena, call->api->response->size);
	if (!response_decode(call->api, call->version, frame->data, frame->len, &call->arena, &id, call->res_)) {
		broker_shut(b, RC_PROTO, "%s sent a %s v%d response that cannot be read", broker_text(b),
			   call->api->name, call->version);
		return;
	}
	obey_throttle(b, call);
	b->served = b->served || call != &b->hello || b->state == BROKER_CHECKING;
	if (b->served || broker_opts(b)->auth == NULL)   /* one that refuses us is no contact */
		cluster_contact(b->cluster);
	complete(b, call);
}

void broker_frame(struct conn *conn, struct buf *frame)
{
	struct broker *b = conn->owner;
	struct call *call = list_first(&b->in_flight, struct call, node_);
	int32_t id;

	/* Calls that wait for `sent` with their answer in hand are ahead in the list. */
	while (call != NULL && call->early_ != NULL)
		call = call->node_.next == &b->in_flight ? NULL : list_entry(call->node_.next, struct call, node_);
	if (call == NULL || !response_correlation(frame->data, frame->len, &id) || id != call->correlation_id_) {
		buf_unref(frame);
		broker_shut(b, RC_PROTO, "%s sent a response that belongs to no request", broker_text(b));
		return;
	}
	if (call->frame_busy_)
		call->early_ = frame;
	else
		answer(b, call, frame);
}

static void frame_sent(struct frame_out *frame, int res)
{
	struct call *call = container_of(frame, struct call, frame_);
	struct broker *b = call->broker_;
	struct buf *early = call->early_;

	call->frame_busy_ = false;
	if (early == NULL)
		return;
	call->early_ = NULL;
	if (res == 0 && b->state != BROKER_CLOSING)
		answer(b, call, early);
	else
		buf_unref(early);
}

void broker_drop_early(struct broker *b)
{
	struct list *pos;

	list_each(pos, &b->in_flight) {
		struct call *call = list_entry(pos, struct call, node_);

		buf_unref(call->early_);
		call->early_ = NULL;
	}
}

void broker_resume_soon(struct broker *b)
{
	if (!op_busy(&b->resume_op))
		loop_defer(b->loop, &b->resume_op, 0);
}

static void resume_now(struct op *op, int res)
{
	struct broker *b = container_of(op, struct broker, resume_op);

	(void)res;
	if (conn_is_ready(&b->conn))
		conn_resume(&b->conn);
	free_if_quiet(b);
}

/* ---- life ---- */

struct broker *broker_create(struct cluster *cluster, int32_t node_id, const char *what, struct buf_pool *pool)
{
	struct broker *b = xcalloc(1, sizeof(*b));

	b->cluster = cluster;
	b->loop = cluster_loop(cluster);
	b->pool = pool;
	b->node_id = node_id;
	b->what = what;
	b->resume_op.done = resume_now;
	b->finish_op.done = finish_now;
	b->deadline_timer.done = deadline_due;
	b->throttle_timer.done = throttle_due;
	list_init(&b->queue);
	list_init(&b->in_flight);
	list_init(&b->finished);
	broker_connect_init(b);
	broker_auth_init(b);
	cluster_broker_made(cluster);
	return b;
}

void broker_drop(struct broker *b, int rc, const char *why)
{
	broker_shut(b, rc, "%s: %s", broker_text(b), why);
}

void broker_destroy(struct broker *b)
{
	struct err why;

	err_set(&why, RC_CANCELLED, "%s: the connection is not needed any more", broker_text(b));
	b->destroyed = true;
	resolve_cancel(&b->resolve);
	broker_auth_end(b);
	loop_timer_clear(&b->backoff_timer);
	loop_timer_clear(&b->deadline_timer);
	loop_timer_clear(&b->throttle_timer);
	buf_pool_unwait(&b->waiter);
	broker_fail_list(b, &b->queue, &why);
	if (conn_is_open(&b->conn)) {
		broker_shut(b, RC_CANCELLED, "%s", why.text);
		return;
	}
	broker_move(b, BROKER_IDLE);
	broker_finish_soon(b);
}
