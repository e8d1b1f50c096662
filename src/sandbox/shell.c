/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: accepted -> conn_adopt -> frame -> sandbox_receive -> reply -> conn_send -> sent -> sandbox_reply_free.
 *
 * Failure modes:
 *  - the peer closes, or breaks the framing: closed comes, the client of the core is closed with it;
 *  - the core drops a client: the connection is closed; until `closed` the core may still hand over replies, which
 *    are freed unsent;
 *  - a client sends ahead of its answers: at BACKLOG_MAX waiting frames its connection is not read from. */
#include "sandbox/shell.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/listener.h"

#include <arpa/inet.h>

enum { BACKLOG_MAX = 16 };
enum { FRAME_MAX = 100 << 20 };            /* socket.request.max.bytes of a broker */
#define FRAME_BUDGET ((size_t)1 << 30)

struct shell {
	struct loop *loop;
	struct sandbox *sb;
	struct listener listener;
	struct buf_pool *pool;
	struct buf_waiter room;            /* frames were given back */
	struct op resume;
	struct timer timer;
	struct list peers;
	bool stopping, listening;
};

struct peer {
	struct shell *shell;
	struct conn conn;
	struct sandbox_client *client;
	struct list node;
};

struct out {
	struct frame_out frame;
	struct sandbox_reply *reply;
	struct peer *peer;
};

/* The core's clock is the loop's. */
static void tell_time(struct shell *shell)
{
	sandbox_set_time(shell->sb, loop_now(shell->loop) / NS_PER_MS, clock_wall_ms());
}

static void set_timer(struct shell *shell)
{
	int64_t at_ms = sandbox_deadline(shell->sb);

	if (at_ms == INT64_MAX || shell->stopping)
		loop_timer_clear(&shell->timer);
	else
		loop_timer_set(shell->loop, &shell->timer, at_ms * NS_PER_MS);
}

static void timer_fired(struct timer *timer)
{
	struct shell *shell = container_of(timer, struct shell, timer);

	tell_time(shell);
	set_timer(shell);
}

static void resume_all(struct op *op, int res)
{
	struct shell *shell = container_of(op, struct shell, resume);
	struct list *pos, *tmp;

	(void)res;
	list_each_safe(pos, tmp, &shell->peers)
		conn_resume(&list_entry(pos, struct peer, node)->conn);
}

static void room_again(struct buf_waiter *waiter)
{
	struct shell *shell = container_of(waiter, struct shell, room);

	if (!op_busy(&shell->resume))
		loop_defer(shell->loop, &shell->resume, 0);
}

static void reply_sent(struct frame_out *frame, int res)
{
	struct out *out = container_of(frame, struct out, frame);
	struct peer *peer = out->peer;

	sandbox_reply_free(out->reply);
	xfree(out);
	if (res == 0 && sandbox_client_backlog(peer->client) < BACKLOG_MAX)
		conn_resume(&peer->conn);
}

static void client_reply(struct sandbox_client *client, struct sandbox_reply *reply)
{
	struct peer *peer = sandbox_client_owner(client);
	struct out *out;

	if (!conn_is_ready(&peer->conn)) {
		sandbox_reply_free(reply);
		return;
	}
	out = xcalloc(1, sizeof(*out));
	out->frame.iov = reply->iov;
	out->frame.n_iov = reply->n_iov;
	out->frame.sent = reply_sent;
	out->reply = reply;
	out->peer = peer;
	conn_send(&peer->conn, &out->frame);
}

static void client_drop(struct sandbox_client *client, const char *why)
{
	struct peer *peer = sandbox_client_owner(client);

	conn_close(&peer->conn, RC_CLOSED, "%s", why);
}

static const struct sandbox_client_ops client_ops = { .reply = client_reply, .drop = client_drop };

static void peer_ready(struct conn *conn)
{
	log_debug("krsandbox", "connected", "peer=%s", conn_peer(conn));
}

static struct buf *peer_alloc(struct conn *conn, size_t len)
{
	struct peer *peer = conn->owner;
	struct buf *buf;

	if (sandbox_client_backlog(peer->client) >= BACKLOG_MAX)
		return NULL;
	buf = buf_get(peer->shell->pool, len);
	if (buf == NULL)
		buf_pool_wait(peer->shell->pool, &peer->shell->room);
	return buf;
}

static void peer_frame(struct conn *conn, struct buf *frame)
{
	struct peer *peer = conn->owner;

	tell_time(peer->shell);
	sandbox_receive(peer->client, frame);
	set_timer(peer->shell);
}

/* Nothing is in flight any more: the loop may end. */
static void check_stopped(struct shell *shell)
{
	if (shell->stopping && !shell->listening && list_empty(&shell->peers) && !op_busy(&shell->resume))
		loop_stop(shell->loop);
}

static void peer_closed(struct conn *conn, const struct err *why)
{
	struct peer *peer = conn->owner;
	struct shell *shell = peer->shell;

	log_debug("krsandbox", "disconnected", "why=" LOG_Q, why->text);
	sandbox_client_close(peer->client);
	conn_fini(&peer->conn);
	list_del(&peer->node);
	xfree(peer);
	check_stopped(shell);
}

static const struct conn_ops peer_ops = {
	.ready = peer_ready, .alloc = peer_alloc, .frame = peer_frame, .closed = peer_closed
};

static void host_of(struct loop *loop, int fd, char text[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage addr;
	const void *at = NULL;

	text[0] = '\0';
	if (!loop_socket_peer(loop, fd, &addr))
		return;
	if (addr.ss_family == AF_INET)
		at = &((const struct sockaddr_in *)(const void *)&addr)->sin_addr;
	else if (addr.ss_family == AF_INET6)
		at = &((const struct sockaddr_in6 *)(const void *)&addr)->sin6_addr;
	if (at == NULL || inet_ntop(addr.ss_family, at, text, INET6_ADDRSTRLEN) == NULL)
		text[0] = '\0';
}

static void accepted(struct listener *listener, int fd)
{
	struct shell *shell = listener->owner;
	struct conn_opts opts = { .frame_max = FRAME_MAX };
	struct peer *peer = xcalloc(1, sizeof(*peer));
	char host[INET6_ADDRSTRLEN];

	host_of(shell->loop, fd, host);
	peer->shell = shell;
	peer->client = sandbox_client_open(shell->sb, &client_ops, peer, host);
	list_push_back(&shell->peers, &peer->node);
	conn_init(&peer->conn, shell->loop, &peer_ops, peer);
	conn_adopt(&peer->conn, fd, &opts);
}

static void listener_ended(struct listener *listener)
{
	struct shell *shell = listener->owner;

	shell->listening = false;
	check_stopped(shell);
}

static const struct listener_ops listener_ops = { .accepted = accepted, .closed = listener_ended };

struct shell *shell_create(struct loop *loop, struct sandbox *sb, const char *host, uint16_t port, struct err *err)
{
	struct shell *shell = xcalloc(1, sizeof(*shell));

	shell->loop = loop;
	shell->sb = sb;
	shell->listener.ops = &listener_ops;
	shell->listener.owner = shell;
	shell->timer.done = timer_fired;
	shell->resume.done = resume_all;
	shell->room.wake = room_again;
	list_init(&shell->peers);
	if (listener_open(&shell->listener, loop, host, port, err) != RC_OK) {
		xfree(shell);
		return NULL;
	}
	shell->listening = true;
	shell->pool = buf_pool_create(FRAME_BUDGET);
	sandbox_set_port(sb, shell_port(shell));
	set_timer(shell);
	return shell;
}

uint16_t shell_port(const struct shell *shell)
{
	return listener_port(&shell->listener);
}

void shell_stop(struct shell *shell)
{
	struct list *pos, *tmp;

	shell->stopping = true;
	set_timer(shell);
	listener_close(&shell->listener);
	list_each_safe(pos, tmp, &shell->peers)
		conn_close(&list_entry(pos, struct peer, node)->conn, RC_CLOSED, "the broker stops");
}

void shell_destroy(struct shell *shell)
{
	buf_pool_unwait(&shell->room);
	buf_pool_destroy(shell->pool);
	xfree(shell);
}
