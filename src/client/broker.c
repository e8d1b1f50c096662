/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to one broker.
 *
 *   IDLE -> BACKOFF -> RESOLVING -> CONNECTING -> NEGOTIATING -> CHECKING -> READY -> CLOSING -> IDLE
 *    ^                    |             |              |            |                   |
 *    +--------------------+-------------+--------------+------------+-------------------+   any failure
 *
 * Happy path: a call finds no connection; the name is resolved, an address connects, ApiVersions tells what the broker
 * speaks, an empty Metadata tells that it is of the right cluster (only where that is asked); then queued calls are
 * encoded and sent in order, and each response completes the oldest call in flight.
 *
 * Failure modes:
 *  - resolve, connect, handshake or another cluster: queued calls fail; NODE_ANY tries the next candidate first, and
 *    fails its calls only when all candidates have failed in a row;
 *  - the connection is lost, a response is garbled or late: calls in flight fail with sent = true, queued ones fail
 *    too, so that their owners look again at who the leader is;
 *  - the broker closes an idle connection: nothing is waiting, nothing is said.
 * A response can be handled before the loop reports that its request was sent; the call completes when both are in. */
#include "client/broker.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/cluster_priv.h"
#include "net/resolve.h"
#include "wire/kerr.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/metadata.h"

#include <sys/random.h>

enum broker_state {
	BROKER_IDLE, BROKER_BACKOFF, BROKER_RESOLVING, BROKER_CONNECTING, BROKER_NEGOTIATING, BROKER_CHECKING,
	BROKER_READY, BROKER_CLOSING
};

static const char *const state_names[] = { "IDLE", "BACKOFF", "RESOLVING", "CONNECTING", "NEGOTIATING", "CHECKING",
					   "READY", "CLOSING" };

enum { N_KEYS = 128, ERROR_UNSUPPORTED_VERSION = 35 };

struct broker {
	struct cluster *cluster;
	struct loop *loop;
	struct buf_pool *pool;
	int32_t node_id;
	const char *what;
	enum broker_state state;
	bool destroyed;

	struct conn conn;
	struct resolve resolve;
	struct buf_waiter waiter;
	struct op resume_op;
	char host[256];
	uint16_t port;
	char text[400];

	struct list queue;      /* not sent */
	struct list in_flight;  /* sent, oldest first */
	struct list finished;   /* failed where no callback was allowed */
	int n_pending;
	struct op finish_op;
	int32_t next_correlation_id;

	struct { int16_t min, max; } versions[N_KEYS];
	bool versions_known;
	struct call hello;      /* ApiVersions, then Metadata */

	int candidate;          /* NODE_ANY: where the next try begins */
	int candidates_failed;  /* in a row */
	int failures;           /* in a row, for the backoff */
	int64_t next_try_ns;
	int64_t throttled_until_ns;
	struct timer backoff_timer, deadline_timer, throttle_timer;
};

static void pump(struct broker *b);
static void start_connect(struct broker *b);
static void shut(struct broker *b, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static const struct cluster_opts *opts_of(const struct broker *b)
{
	return cluster_options(b->cluster);
}

static void move(struct broker *b, enum broker_state state)
{
	if (log_on(LOG_TRACE))
		log_trace(broker_text(b), "state", "what=%s from=%s to=%s", b->what, state_names[b->state],
			  state_names[state]);
	b->state = state;
}

const char *broker_text(struct broker *b)
{
	const char *peer = conn_peer(&b->conn);

	if (b->node_id == NODE_ANY)
		snprintf(b->text, sizeof(b->text), "%s broker %.*s:%u%s%s%s", opts_of(b)->side, 200, b->host, b->port,
			 peer[0] != '\0' ? " (" : "", peer, peer[0] != '\0' ? ")" : "");
	else
		snprintf(b->text, sizeof(b->text), "%s broker %d at %.*s:%u%s%s%s", opts_of(b)->side, b->node_id, 200,
			 b->host, b->port, peer[0] != '\0' ? " (" : "", peer, peer[0] != '\0' ? ")" : "");
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

int broker_pending(const struct broker *b)
{
	return b->n_pending;
}

int64_t broker_throttled_until_ns(const struct broker *b)
{
	return b->throttled_until_ns;
}

/* The one place that ends a connection from our side: nothing is sent on it from here on. */
static void shut(struct broker *b, int rc, const char *fmt, ...)
{
	struct err why;
	va_list ap;

	if (!conn_is_open(&b->conn) || b->state == BROKER_CLOSING)
		return;
	va_start(ap, fmt);
	err_vset(&why, rc, fmt, ap);
	va_end(ap);
	move(b, BROKER_CLOSING);
	conn_close(&b->conn, rc, "%s", why.text);
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

/* Fails a call from a place that may not call back. */
static void fail_later(struct broker *b, struct call *call, const struct err *why)
{
	list_del(&call->node_);
	call->rc = why->rc;
	call->err = *why;
	list_push_back(&b->finished, &call->node_);
	if (!op_busy(&b->finish_op))
		loop_defer(b->loop, &b->finish_op, 0);
}

static void fail_list(struct broker *b, struct list *calls, const struct err *why)
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
		shut(b, RC_TIMEOUT, "%s: no answer to %s in time", broker_text(b), late->api->name);
	next = MIN(first_deadline(&b->queue), first_deadline(&b->in_flight));
	if (next <= now)
		next = now + 10 * NS_PER_MS;  /* the connection is closing; its calls fail with it */
	if (next != INT64_MAX)
		loop_timer_set(b->loop, &b->deadline_timer, next);
}

/* ---- connecting ---- */

static int64_t jitter(int64_t ns)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 1U << 31;
	return ns - ns / 5 + (int64_t)((double)(2 * (ns / 5)) * (r / 4294967296.0));
}

static void set_backoff(struct broker *b)
{
	const struct cluster_opts *o = opts_of(b);
	int64_t ms = o->reconnect_backoff_ms;

	for (int i = 0; i < b->failures && ms < o->reconnect_backoff_max_ms; i++)
		ms *= 2;
	b->failures++;
	b->next_try_ns = loop_now(b->loop) + jitter(MIN(ms, o->reconnect_backoff_max_ms) * NS_PER_MS);
}

static int n_candidates(const struct broker *b)
{
	return opts_of(b)->n_bootstrap + cluster_n_nodes(b->cluster);
}

static void set_address(struct broker *b, const char *host, uint16_t port)
{
	snprintf(b->host, sizeof(b->host), "%s", host);
	b->port = port;
}

static bool choose_address(struct broker *b, struct err *err)
{
	const struct cluster_opts *o = opts_of(b);
	const struct node *node = NULL;

	if (b->node_id != NODE_ANY) {
		node = cluster_node(b->cluster, b->node_id);
		if (node == NULL) {
			err_set(err, RC_CONNECT, "%s broker %d is not in the cluster's metadata", o->side, b->node_id);
			return false;
		}
	} else {
		int i = b->candidate % MAX(n_candidates(b), 1);

		if (i >= o->n_bootstrap)
			node = cluster_node_at(b->cluster, i - o->n_bootstrap);
		else
			set_address(b, o->bootstrap[i].host, o->bootstrap[i].port);
	}
	if (node != NULL)
		set_address(b, node->host, node->port);
	return true;
}

/* The connection, or the try for one, has ended; b->state is CLOSING or before. */
static void ended(struct broker *b, const struct err *why)
{
	bool was_ready = b->versions_known;

	b->versions_known = false;
	move(b, BROKER_IDLE);
	fail_list(b, &b->in_flight, why);
	if (b->destroyed) {
		if (!op_busy(&b->finish_op))
			loop_defer(b->loop, &b->finish_op, 0);
		return;
	}
	if (!was_ready || why->rc != RC_CLOSED)
		set_backoff(b);
	b->candidate++;
	if (b->node_id == NODE_ANY && !was_ready && ++b->candidates_failed < n_candidates(b)) {
		b->next_try_ns = 0;
		if (!list_empty(&b->queue))
			start_connect(b);
		return;
	}
	b->candidates_failed = 0;
	fail_list(b, &b->queue, why);
	cluster_connection_failed(b->cluster, why);
}

static void connect_failed(struct broker *b, const struct err *why)
{
	log_debug(broker_text(b), "connection failed", "what=%s error=" LOG_Q, b->what, why->text);
	ended(b, why);
}

static void resolved(struct resolve *r, const struct err *err)
{
	struct broker *b = r->owner;
	const struct cluster_opts *o = opts_of(b);
	struct err why;

	if (r->n_addrs == 0) {
		why = *err;
		err_wrap(&why, "%s", broker_text(b));
		connect_failed(b, &why);
		return;
	}
	move(b, BROKER_CONNECTING);
	conn_open(&b->conn, &(struct conn_opts){
		.addrs = r->addrs, .n_addrs = r->n_addrs,
		.connect_timeout_ns = o->connect_timeout_ms * NS_PER_MS,
		.frame_max = o->frame_max, .rcvbuf = o->rcvbuf, .sndbuf = o->sndbuf,
	});
}

static void start_connect(struct broker *b)
{
	struct err why;

	if (loop_now(b->loop) < b->next_try_ns) {
		move(b, BROKER_BACKOFF);
		loop_timer_set(b->loop, &b->backoff_timer, b->next_try_ns);
		return;
	}
	if (!choose_address(b, &why)) {
		set_backoff(b);
		fail_list(b, &b->queue, &why);
		return;
	}
	move(b, BROKER_RESOLVING);
	b->resolve.done = resolved;
	b->resolve.owner = b;
	resolve_start(b->loop, &b->resolve, b->host, b->port);
}

static void backoff_due(struct timer *timer)
{
	struct broker *b = container_of(timer, struct broker, backoff_timer);

	move(b, BROKER_IDLE);
	if (!list_empty(&b->queue))
		start_connect(b);
}

/* ---- sending ---- */

static void frame_sent(struct frame_out *frame, int res);

int16_t broker_version(const struct broker *b, const struct api_desc *api)
{
	int16_t v;

	if (!b->versions_known || api->key < 0 || api->key >= N_KEYS || b->versions[api->key].max < 0)
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
	int rc = request_encode(call->api, call->version, call->correlation_id_, opts_of(b)->client_id, call->req_,
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
static void transmit(struct broker *b, struct call *call, int16_t version)
{
	struct err why;

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
	if (call->api->key < N_KEYS && b->versions[call->api->key].max >= 0)
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
	pump(container_of(timer, struct broker, throttle_timer));
}

static void pump(struct broker *b)
{
	if (b->state != BROKER_READY)
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
			transmit(b, call, version);
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
		call->deadline_ns = clock_mono_ns() + opts_of(b)->request_timeout_ms * NS_PER_MS;
	list_push_back(&b->queue, &call->node_);
	b->n_pending++;
	arm_deadline(b, call->deadline_ns);
	if (b->state == BROKER_IDLE)
		start_connect(b);
	else
		pump(b);
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
		if (ms > 0)
			b->throttled_until_ns = loop_now(b->loop) + ms * NS_PER_MS;
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
		shut(b, RC_PROTO, "%s sent a %s v%d response that cannot be read", broker_text(b),
			   call->api->name, call->version);
		return;
	}
	obey_throttle(b, call);
	cluster_contact(b->cluster);
	complete(b, call);
}

static void frame_in(struct conn *conn, struct buf *frame)
{
	struct broker *b = conn->owner;
	struct call *call = list_first(&b->in_flight, struct call, node_);
	int32_t id;

	/* Calls that wait for `sent` with their answer in hand are ahead in the list. */
	while (call != NULL && call->early_ != NULL)
		call = call->node_.next == &b->in_flight ? NULL : list_entry(call->node_.next, struct call, node_);
	if (call == NULL || !response_correlation(frame->data, frame->len, &id) || id != call->correlation_id_) {
		buf_unref(frame);
		shut(b, RC_PROTO, "%s sent a response that belongs to no request", broker_text(b));
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

/* ---- the handshake ---- */

static void hello_failed(struct broker *b, const char *what)
{
	if (b->hello.rc == RC_OK)
		shut(b, RC_PROTO, "%s: %s", broker_text(b), what);
	/* else the connection has ended already */
}

static void become_ready(struct broker *b)
{
	b->failures = b->candidates_failed = 0;
	move(b, BROKER_READY);
	pump(b);
}

/* Handshake calls go around the queue: nothing else may be sent before them. */
static void send_hello(struct broker *b, int16_t version)
{
	struct call *call = &b->hello;

	call->busy_ = true;
	call->early_ = NULL;
	call->deadline_ns = loop_now(b->loop) + opts_of(b)->request_timeout_ms * NS_PER_MS;
	list_push_back(&b->queue, &call->node_);
	b->n_pending++;
	transmit(b, call, version);
}

static void checked(struct call *call)
{
	struct broker *b = call->owner;
	const char *want = opts_of(b)->cluster_id;
	const struct metadata_response *res;

	if (call->rc != RC_OK) {
		hello_failed(b, "no metadata");
		return;
	}
	res = call_res(call, metadata);
	if (res->cluster_id.len >= 0 && !str_is(res->cluster_id, want)) {
		shut(b, RC_REFUSED, "%s belongs to cluster %.*s, not to %s", broker_text(b),
			   STR_ARG(res->cluster_id), want);
		return;
	}
	become_ready(b);
}

static void check_cluster(struct broker *b)
{
	int16_t version = broker_version(b, &metadata_api);

	move(b, BROKER_CHECKING);
	call_reset(&b->hello);
	call_init(&b->hello, &metadata_api, checked, b);
	call_req(&b->hello, metadata)->topics.n = 0;
	if (version < 0)
		shut(b, RC_UNSUPPORTED, "%s is older than Kafka 2.4", broker_text(b));
	else
		send_hello(b, version);
}

static void take_versions(struct broker *b, const struct api_versions_response *res)
{
	for (int k = 0; k < N_KEYS; k++)
		b->versions[k].min = b->versions[k].max = -1;
	for (int32_t i = 0; i < res->api_keys.n; i++) {
		int16_t k = res->api_keys.items[i].api_key;

		if (k < 0 || k >= N_KEYS)
			continue;
		b->versions[k].min = res->api_keys.items[i].min_version;
		b->versions[k].max = res->api_keys.items[i].max_version;
	}
	b->versions_known = true;
}

static void negotiate(struct broker *b, int16_t version);

static void negotiated(struct call *call)
{
	struct broker *b = call->owner;
	const struct api_versions_response *res;

	if (call->rc != RC_OK) {
		hello_failed(b, "no ApiVersions");
		return;
	}
	res = call_res(call, api_versions);
	if (res->error_code == ERROR_UNSUPPORTED_VERSION && call->version > 0) {
		negotiate(b, 0);
		return;
	}
	if (res->error_code != 0) {
		shut(b, RC_PROTO, "%s refuses ApiVersions: %s", broker_text(b),
			   kerr_name(res->error_code));
		return;
	}
	take_versions(b, res);
	if (opts_of(b)->cluster_id != NULL)
		check_cluster(b);
	else
		become_ready(b);
}

static void negotiate(struct broker *b, int16_t version)
{
	struct api_versions_request *req;

	call_reset(&b->hello);
	call_init(&b->hello, &api_versions_api, negotiated, b);
	req = call_req(&b->hello, api_versions);
	req->client_software_name = str_of("krmirror");
	req->client_software_version = str_of(PACKAGE_VERSION);
	send_hello(b, version);
}

/* ---- the connection's callbacks ---- */

static void conn_ready(struct conn *conn)
{
	struct broker *b = conn->owner;

	move(b, BROKER_NEGOTIATING);
	negotiate(b, 3);
}

static struct buf *frame_alloc(struct conn *conn, size_t len)
{
	struct broker *b = conn->owner;
	struct buf *buf = buf_get(b->pool, len);

	if (buf == NULL)
		buf_pool_wait(b->pool, &b->waiter);
	return buf;
}

static void resume_now(struct op *op, int res)
{
	struct broker *b = container_of(op, struct broker, resume_op);

	(void)res;
	if (conn_is_ready(&b->conn))
		conn_resume(&b->conn);
	free_if_quiet(b);
}

static void budget_back(struct buf_waiter *waiter)
{
	struct broker *b = container_of(waiter, struct broker, waiter);

	if (!op_busy(&b->resume_op))
		loop_defer(b->loop, &b->resume_op, 0);
}

static void drop_early(struct broker *b)
{
	struct list *pos;

	list_each(pos, &b->in_flight) {
		struct call *call = list_entry(pos, struct call, node_);

		buf_unref(call->early_);
		call->early_ = NULL;
	}
}

static void conn_closed(struct conn *conn, const struct err *why)
{
	struct broker *b = conn->owner;
	struct err text = *why;

	buf_pool_unwait(&b->waiter);
	drop_early(b);
	if (strstr(text.text, " broker ") == NULL)
		err_wrap(&text, "%s", broker_text(b));
	if (b->n_pending > 0 || b->state != BROKER_READY)
		log_debug(opts_of(b)->side, "connection ended", "what=%s node=%d error=" LOG_Q, b->what, b->node_id,
			  text.text);
	ended(b, &text);
}

static const struct conn_ops broker_conn_ops = {
	.ready = conn_ready, .alloc = frame_alloc, .frame = frame_in, .closed = conn_closed,
};

/* ---- life ---- */

struct broker *broker_create(struct cluster *cluster, int32_t node_id, const char *what, struct buf_pool *pool)
{
	struct broker *b = xcalloc(1, sizeof(*b));

	b->cluster = cluster;
	b->loop = cluster_loop(cluster);
	b->pool = pool;
	b->node_id = node_id;
	b->what = what;
	b->waiter.wake = budget_back;
	b->resume_op.done = resume_now;
	b->finish_op.done = finish_now;
	b->backoff_timer.done = backoff_due;
	b->deadline_timer.done = deadline_due;
	b->throttle_timer.done = throttle_due;
	list_init(&b->queue);
	list_init(&b->in_flight);
	list_init(&b->finished);
	conn_init(&b->conn, b->loop, &broker_conn_ops, b);
	cluster_broker_made(cluster);
	return b;
}

void broker_drop(struct broker *b, int rc, const char *why)
{
	shut(b, rc, "%s: %s", broker_text(b), why);
}

void broker_destroy(struct broker *b)
{
	struct err why;

	err_set(&why, RC_CANCELLED, "%s: the connection is not needed any more", broker_text(b));
	b->destroyed = true;
	resolve_cancel(&b->resolve);
	loop_timer_clear(&b->backoff_timer);
	loop_timer_clear(&b->deadline_timer);
	loop_timer_clear(&b->throttle_timer);
	buf_pool_unwait(&b->waiter);
	fail_list(b, &b->queue, &why);
	if (conn_is_open(&b->conn)) {
		shut(b, RC_CANCELLED, "%s", why.text);
		return;
	}
	move(b, BROKER_IDLE);
	if (!op_busy(&b->finish_op))
		loop_defer(b->loop, &b->finish_op, 0);
}
