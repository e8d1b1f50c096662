/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: dialling, the handshake of its stream, the end.
 *
 * Happy path: conn_open -> socket, connect -> stream made -> handshake -> ready -> frames -> conn_close -> closed.
 *
 * Failure modes:
 *   an address refuses or takes too long     the next one; after the last RC_CONNECT with all of their answers
 *   the handshake fails                      the end; other addresses would say the same
 *   the peer closes, resets, sends nonsense  the end, with the reason
 *   conn_close at any time                   the end, after what is in flight has come back */
#include "net/conn_priv.h"
#include "net/resolve.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* A dialled peer that acknowledges nothing, or keeps its window shut, for so long is given up: a broker that hangs is
 * noticed although the kernel would try for 15 minutes. Not for adopted ones: a slow client is not an error. */
enum { USER_TIMEOUT_MS = 60000 };

void conn_left(struct conn_priv *p)
{
	CHECK(p->in_flight > 0);
	p->in_flight--;
}

void conn_join(struct conn_priv *p)
{
	struct conn *conn = p->conn;
	struct err why;

	if (p->state != CONN_CLOSING || p->in_flight > 0)
		return;
	conn_rx_drop(p);
	conn_tx_drop(p, p->why.rc < 0 ? p->why.rc : -ECANCELED);
	if (p->stream != NULL)
		p->stream->ops->destroy(p->stream);
	else if (p->fd >= 0)
		loop_close(p->loop, p->fd);
	p->stream = NULL;
	p->fd = -1;
	xfree(p->addrs);
	p->addrs = NULL;
	p->state = CONN_CLOSED;
	/* The callee may open the connection again or free it. */
	why = p->why;
	conn->ops->closed(conn, &why);
}

static void closed_op(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, close);

	(void)res;
	conn_left(p);
	conn_join(p);
}

void conn_end(struct conn_priv *p)
{
	CHECK(p->state != CONN_CLOSED && p->state != CONN_CLOSING);
	p->state = CONN_CLOSING;
	loop_timer_clear(&p->timer);
	p->in_flight++;
	if (p->stream != NULL) {
		p->stream->ops->close(p->stream, &p->close);
		return;
	}
	loop_cancel(p->loop, &p->step);
	loop_defer(p->loop, &p->close, 0);
}

void conn_failed(struct conn_priv *p, int res)
{
	if (p->state == CONN_CLOSING)
		return;
	if (p->stream->ops->explain == NULL || !p->stream->ops->explain(p->stream, res, &p->why))
		err_set(&p->why, res, "%s", strerror(-res));
	err_wrap(&p->why, "%s", p->peer);
	conn_end(p);
}

bool conn_close_err(struct conn *conn, const struct err *why)
{
	struct conn_priv *p = conn->p_;

	if (p->state == CONN_CLOSED || p->state == CONN_CLOSING)
		return false;
	p->why = *why;
	conn_end(p);
	return true;
}

void conn_close(struct conn *conn, int rc, const char *fmt, ...)
{
	struct err why;
	va_list ap;

	va_start(ap, fmt);
	err_vset(&why, rc, fmt, ap);
	va_end(ap);
	(void)conn_close_err(conn, &why);
}

/* ---- dialling ---- */

static void note_failure(struct conn_priv *p, const char *text)
{
	struct err *all = &p->failures;
	size_t len = strlen(all->text);

	snprintf(all->text + len, sizeof(all->text) - len, "%s%s: %s", len > 0 ? "; " : "", p->peer, text);
}

static void handshake_done(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, step);

	conn_left(p);
	if (p->state == CONN_HANDSHAKING && res < 0) {
		conn_failed(p, res);
	} else if (p->state == CONN_HANDSHAKING) {
		loop_timer_clear(&p->timer);
		p->state = CONN_READY;
		p->conn->ops->ready(p->conn);
		conn_rx_start(p);
	}
	conn_join(p);
}

static void shake_hands(struct conn_priv *p)
{
	const struct stream_maker *maker = p->opts.maker;

	p->state = CONN_HANDSHAKING;
	p->stream = maker != NULL ? maker->make(maker, p->loop, p->fd) : stream_plain_create(p->loop, p->fd);
	p->fd = -1;
	p->step.done = handshake_done;
	p->in_flight++;
	p->stream->ops->handshake(p->stream, &p->step);
}

static void dial(struct conn_priv *p);

static void connect_done(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, step);
	char text[64];

	conn_left(p);
	if (p->state == CONN_DIALING && res == 0) {
		shake_hands(p);
	} else if (p->state == CONN_DIALING) {
		loop_timer_clear(&p->timer);
		snprintf(text, sizeof(text), "no answer for %lld ms",
		         (long long)(p->opts.connect_timeout_ns / NS_PER_MS));
		note_failure(p, p->timed_out ? text : strerror(-res));
		loop_close(p->loop, p->fd);
		p->fd = -1;
		p->at_addr++;
		dial(p);
	}
	conn_join(p);
}

static void took_too_long(struct timer *timer)
{
	struct conn_priv *p = container_of(timer, struct conn_priv, timer);

	if (p->state == CONN_DIALING) {
		p->timed_out = true;
		loop_cancel(p->loop, &p->step);
		return;
	}
	err_set(&p->why, RC_TIMEOUT, "%s: connected, but the %s handshake took longer than %lld ms", p->peer,
	        p->stream->ops->name, (long long)(p->opts.connect_timeout_ns / NS_PER_MS));
	conn_end(p);
}

static void start_timer(struct conn_priv *p)
{
	if (p->opts.connect_timeout_ns > 0)
		loop_timer_set(p->loop, &p->timer, loop_now(p->loop) + p->opts.connect_timeout_ns);
}

/* Starts with the next address that gives a socket. */
static void dial(struct conn_priv *p)
{
	struct socket_opts opts = {
		.rcvbuf = p->opts.rcvbuf, .sndbuf = p->opts.sndbuf, .user_timeout_ms = USER_TIMEOUT_MS
	};

	for (; p->at_addr < p->opts.n_addrs; p->at_addr++) {
		const struct sockaddr_storage *addr = &p->addrs[p->at_addr];
		bool v6 = addr->ss_family == AF_INET6;

		sockaddr_text(addr, p->peer, sizeof(p->peer));
		p->fd = loop_socket(p->loop, addr->ss_family, &opts);
		if (p->fd >= 0) {
			p->timed_out = false;
			p->step.done = connect_done;
			p->in_flight++;
			loop_connect(p->loop, &p->step, p->fd, (const struct sockaddr *)addr,
			             v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
			start_timer(p);
			return;
		}
		note_failure(p, strerror(-p->fd));
	}
	p->fd = -1;
	err_set(&p->why, RC_CONNECT, "cannot connect to %s",
	        p->opts.n_addrs > 0 ? p->failures.text : "anything: there is no address");
	conn_end(p);
}

static void start_done(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, step);

	(void)res;
	conn_left(p);
	if (p->state == CONN_DIALING)
		dial(p);
	if (p->state == CONN_HANDSHAKING && p->stream == NULL) {
		start_timer(p);
		shake_hands(p);
	}
	conn_join(p);
}

static void begin(struct conn_priv *p, enum conn_state state, const struct conn_opts *opts)
{
	CHECK(p->state == CONN_CLOSED);
	p->state = state;
	p->opts = *opts;
	p->opts.addrs = NULL;
	p->at_addr = 0;
	p->peer[0] = '\0';
	memset(&p->failures, 0, sizeof(p->failures));
	memset(&p->why, 0, sizeof(p->why));
	conn_rx_init(p);
	conn_tx_init(p);
	/* Deferred: even a socket that can not be made is told later. */
	p->step.done = start_done;
	p->in_flight++;
	loop_defer(p->loop, &p->step, 0);
}

void conn_open(struct conn *conn, const struct conn_opts *opts)
{
	struct conn_priv *p = conn->p_;

	begin(p, CONN_DIALING, opts);
	p->addrs = xcalloc((size_t)MAX(opts->n_addrs, 1), sizeof(*p->addrs));
	if (opts->n_addrs > 0)
		memcpy(p->addrs, opts->addrs, (size_t)opts->n_addrs * sizeof(*p->addrs));
}

void conn_adopt(struct conn *conn, int fd, const struct conn_opts *opts)
{
	struct conn_priv *p = conn->p_;
	struct socket_opts tune = { .rcvbuf = opts->rcvbuf, .sndbuf = opts->sndbuf };
	struct sockaddr_storage addr;

	begin(p, CONN_HANDSHAKING, opts);
	p->fd = fd;
	loop_socket_tune(p->loop, fd, &tune);
	if (loop_socket_peer(p->loop, fd, &addr))
		sockaddr_text(&addr, p->peer, sizeof(p->peer));
}

/* ---- the rest of the interface ---- */

static void resumed(struct op *op, int res)
{
	struct conn_priv *p = container_of(op, struct conn_priv, resume);

	(void)res;
	conn_left(p);
	p->resuming = false;
	if (p->state == CONN_READY && p->rx.blocked)
		conn_rx_go(p);
	conn_join(p);
}

void conn_resume(struct conn *conn)
{
	struct conn_priv *p = conn->p_;

	if (p->state != CONN_READY || !p->rx.blocked || p->resuming)
		return;
	p->resuming = true;
	p->in_flight++;
	loop_defer(p->loop, &p->resume, 0);
}

void conn_init(struct conn *conn, struct loop *loop, const struct conn_ops *ops, void *owner)
{
	struct conn_priv *p = xcalloc(1, sizeof(*p));

	*conn = (struct conn){ .ops = ops, .owner = owner, .p_ = p };
	p->conn = conn;
	p->loop = loop;
	p->fd = -1;
	p->timer.done = took_too_long;
	p->resume.done = resumed;
	p->close.done = closed_op;
}

void conn_fini(struct conn *conn)
{
	CHECK(conn->p_->state == CONN_CLOSED);
	xfree(conn->p_);
	conn->p_ = NULL;
}

bool conn_is_open(const struct conn *conn)
{
	return conn->p_->state != CONN_CLOSED;
}

bool conn_is_ready(const struct conn *conn)
{
	return conn->p_->state == CONN_READY;
}

int64_t conn_peer_expiry(const struct conn *conn)
{
	const struct stream *stream = conn->p_->stream;

	if (conn->p_->state != CONN_READY || stream->ops->peer_expiry == NULL)
		return -1;
	return stream->ops->peer_expiry(stream);
}

const char *conn_peer(const struct conn *conn)
{
	return conn->p_->peer;
}
