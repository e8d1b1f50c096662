/* SPDX-License-Identifier: Apache-2.0 */
/* How a broker's connection comes up and goes: which address, how long to wait, the handshake, the end. broker.c has
 * the states. */
#include "client/broker_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/kerr.h"
#include "wire/msg/api_versions.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/metadata.h"

#include <sys/random.h>

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
	const struct cluster_opts *o = broker_opts(b);
	int64_t ms = o->reconnect_backoff_ms;

	for (int i = 0; i < b->failures && ms < o->reconnect_backoff_max_ms; i++)
		ms *= 2;
	b->failures++;
	b->next_try_ns = loop_now(b->loop) + jitter(MIN(ms, o->reconnect_backoff_max_ms) * NS_PER_MS);
}

static int n_candidates(const struct broker *b)
{
	return broker_opts(b)->n_bootstrap + cluster_n_nodes(b->cluster);
}

static void set_address(struct broker *b, const char *host, uint16_t port)
{
	snprintf(b->host, sizeof(b->host), "%s", host);
	b->port = port;
}

static bool choose_address(struct broker *b, struct err *err)
{
	const struct cluster_opts *o = broker_opts(b);
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

	b->versions_known = b->served = b->named = false;
	broker_auth_end(b);
	broker_move(b, BROKER_IDLE);
	broker_fail_list(b, &b->in_flight, why);
	if (b->destroyed) {
		broker_finish_soon(b);
		return;
	}
	if (!was_ready || why->rc != RC_CLOSED) {
		b->last_failure = *why;
		set_backoff(b);
	}
	b->candidate++;
	if (b->node_id == NODE_ANY && !was_ready && ++b->candidates_failed < n_candidates(b)) {
		b->next_try_ns = 0;
		if (!list_empty(&b->queue))
			broker_connect(b);
		return;
	}
	b->candidates_failed = 0;
	broker_fail_list(b, &b->queue, why);
	cluster_connection_failed(b->cluster, why);
}

/* What is wrong may be the map: then another answers there, or nobody. */
static void hint_map(const struct broker *b, struct err *why)
{
	char own[sizeof(why->hint)];

	if (b->door[0] == '\0' || b->versions_known)
		return;
	snprintf(own, sizeof(own), "%s", why->hint);
	err_hint(why, "does broker.address.map lead to the right door? %s:%u is dialled at %s%s%s", b->host, b->port, b->door,
		 own[0] != '\0' ? "; " : "", own);
}

/* Bootstrap servers come from a configuration; all other addresses from the brokers. */
static void hint_advertised(const struct broker *b, struct err *why)
{
	if (b->door[0] != '\0') {
		hint_map(b, why);
		return;
	}
	if (b->node_id == NODE_ANY || b->versions_known || (why->rc != RC_CONNECT && why->rc != RC_RESOLVE))
		return;
	err_hint(why, "this is the address that broker %d advertises (advertised.listeners); it must run, and this host must "
		 "reach it there", b->node_id);
}

/* A listener that wants SASL answers ApiVersions, and ends the connection at whatever comes next. */
static void hint_sasl(const struct broker *b, struct err *why)
{
	if (why->rc == RC_CLOSED && b->versions_known && !b->served && broker_opts(b)->auth == NULL)
		err_hint(why, "does this listener want SASL? security.protocol=SASL_%s",
			 broker_opts(b)->tls != NULL ? "SSL" : "PLAINTEXT");
}

static void connect_failed(struct broker *b, const struct err *why)
{
	struct err text = *why;

	log_debug(broker_text(b), "connection failed", "what=%s error=" LOG_Q, b->what, why->text);
	hint_advertised(b, &text);
	ended(b, &text);
}

static void resolved(struct resolve *r, const struct err *err)
{
	struct broker *b = r->owner;
	const struct cluster_opts *o = broker_opts(b);
	struct err why;

	if (r->n_addrs == 0) {
		why = *err;
		err_wrap(&why, "%s", broker_text(b));
		connect_failed(b, &why);
		return;
	}
	if (o->tls != NULL)
		stream_tls_maker_init(&b->tls_maker, o->tls, b->host);
	broker_move(b, BROKER_CONNECTING);
	conn_open(&b->conn, &(struct conn_opts){
		.addrs = r->addrs, .n_addrs = r->n_addrs,
		.connect_timeout_ns = o->connect_timeout_ms * NS_PER_MS,
		.frame_max = o->frame_max, .rcvbuf = o->rcvbuf, .sndbuf = o->sndbuf,
		.maker = o->tls != NULL ? &b->tls_maker.maker : NULL,
	});
}

/* Starts finding the address: of the host itself, or where broker.address.map leads. */
static void find_address(struct broker *b)
{
	const struct endpoint *to = address_map_find(&broker_opts(b)->addresses, b->host, b->port);
	bool v6 = to != NULL && strchr(to->host, ':') != NULL;

	b->door[0] = '\0';
	if (to != NULL)
		snprintf(b->door, sizeof(b->door), "%s%.46s%s:%u", v6 ? "[" : "", to->host, v6 ? "]" : "", to->port);
	b->resolve.done = resolved;
	b->resolve.owner = b;
	resolve_start(b->loop, &b->resolve, to != NULL ? to->host : b->host, to != NULL ? to->port : b->port);
}

void broker_connect(struct broker *b)
{
	struct err why;

	if (loop_now(b->loop) < b->next_try_ns) {
		broker_move(b, BROKER_BACKOFF);
		loop_timer_set(b->loop, &b->backoff_timer, b->next_try_ns);
		return;
	}
	if (!choose_address(b, &why)) {
		set_backoff(b);
		broker_fail_list(b, &b->queue, &why);
		return;
	}
	broker_move(b, BROKER_RESOLVING);
	find_address(b);
}

static void backoff_due(struct timer *timer)
{
	struct broker *b = container_of(timer, struct broker, backoff_timer);

	broker_move(b, BROKER_IDLE);
	if (!list_empty(&b->queue))
		broker_connect(b);
}

/* ---- the handshake ---- */

static void hello_failed(struct broker *b, const char *what)
{
	if (b->hello.rc == RC_OK)
		broker_shut(b, RC_PROTO, "%s: %s", broker_text(b), what);
	/* else the connection has ended already */
}

static void become_ready(struct broker *b)
{
	b->failures = b->candidates_failed = 0;
	b->last_failure.rc = RC_OK;
	broker_move(b, BROKER_READY);
	broker_pump(b);
}

void broker_send_hello(struct broker *b, int16_t version)
{
	struct call *call = &b->hello;

	call->busy_ = true;
	call->early_ = NULL;
	call->deadline_ns = loop_now(b->loop) + broker_opts(b)->request_timeout_ms * NS_PER_MS;
	list_push_back(&b->queue, &call->node_);
	b->n_pending++;
	broker_transmit(b, call, version);
}

static void checked(struct call *call)
{
	struct broker *b = call->owner;
	const char *want = broker_opts(b)->cluster_id;
	const struct metadata_response *res;

	if (call->rc != RC_OK) {
		hello_failed(b, "no metadata");
		return;
	}
	res = call_res(call, metadata);
	if (res->cluster_id.len >= 0 && !str_is(res->cluster_id, want)) {
		broker_shut(b, RC_REFUSED, "%s belongs to cluster %.*s, not to %s", broker_text(b),
			   STR_ARG(res->cluster_id), want);
		return;
	}
	become_ready(b);
}

static void check_cluster(struct broker *b)
{
	int16_t version = broker_version(b, &metadata_api);

	broker_move(b, BROKER_CHECKING);
	call_reset(&b->hello);
	call_init(&b->hello, &metadata_api, checked, b);
	call_req(&b->hello, metadata)->topics.n = 0;
	if (version < 0)
		broker_shut(b, RC_UNSUPPORTED, "%s is older than Kafka 2.4", broker_text(b));
	else
		broker_send_hello(b, version);
}

static void let_in(struct broker *b)
{
	if (broker_opts(b)->cluster_id != NULL)
		check_cluster(b);
	else
		become_ready(b);
}

void broker_authenticated(struct broker *b)
{
	bool again = b->authenticated;

	b->authenticated = true;
	if (again)
		become_ready(b);
	else
		let_in(b);
}

static void take_versions(struct broker *b, const struct api_versions_response *res)
{
	for (int k = 0; k < BROKER_N_KEYS; k++)
		b->versions[k].min = b->versions[k].max = -1;
	for (int32_t i = 0; i < res->api_keys.n; i++) {
		int16_t k = res->api_keys.items[i].api_key;

		if (k < 0 || k >= BROKER_N_KEYS)
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
	if (res->error_code == KERR_UNSUPPORTED_VERSION && call->version > 0) {
		negotiate(b, 0);
		return;
	}
	if (res->error_code != 0) {
		broker_shut(b, RC_PROTO, "%s refuses ApiVersions: %s", broker_text(b),
			   kerr_name(res->error_code));
		return;
	}
	take_versions(b, res);
	if (broker_opts(b)->auth != NULL)
		broker_authenticate(b);
	else
		let_in(b);
}

static void negotiate(struct broker *b, int16_t version)
{
	struct api_versions_request *req;

	call_reset(&b->hello);
	call_init(&b->hello, &api_versions_api, negotiated, b);
	req = call_req(&b->hello, api_versions);
	req->client_software_name = str_of("krmirror");
	req->client_software_version = str_of(PACKAGE_VERSION);
	broker_send_hello(b, version);
}

/* ---- the connection's callbacks ---- */

static void conn_ready(struct conn *conn)
{
	struct broker *b = conn->owner;

	broker_move(b, BROKER_NEGOTIATING);
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

static void budget_back(struct buf_waiter *waiter)
{
	broker_resume_soon(container_of(waiter, struct broker, waiter));
}

/* The connection names the peer that broker_text names too. */
static void drop_peer(struct conn *conn, struct err *why)
{
	size_t len = strlen(conn_peer(conn));

	if (len > 0 && strncmp(why->text, conn_peer(conn), len) == 0 && strncmp(why->text + len, ": ", 2) == 0)
		memmove(why->text, why->text + len + 2, strlen(why->text + len + 2) + 1);
}

static void conn_closed(struct conn *conn, const struct err *why)
{
	struct broker *b = conn->owner;
	struct err text = *why;

	buf_pool_unwait(&b->waiter);
	broker_drop_early(b);
	if (!b->named) {
		drop_peer(conn, &text);
		err_wrap(&text, "%s", broker_text(b));
	}
	hint_advertised(b, &text);
	hint_sasl(b, &text);
	if (b->n_pending > 0 || b->state != BROKER_READY)
		log_debug(broker_opts(b)->side, "connection ended", "what=%s node=%d error=" LOG_Q, b->what, b->node_id,
			  text.text);
	ended(b, &text);
}

static const struct conn_ops broker_conn_ops = {
	.ready = conn_ready, .alloc = frame_alloc, .frame = broker_frame, .closed = conn_closed,
};

void broker_connect_init(struct broker *b)
{
	b->waiter.wake = budget_back;
	b->backoff_timer.done = backoff_due;
	conn_init(&b->conn, b->loop, &broker_conn_ops, b);
}
