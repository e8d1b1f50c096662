/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_engine.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
	FD_BASE = 1000, WIRES_MAX = 65536, RESUMES_MAX = 400000,   /* of a simulated second, before it is called a circle */
	LATENCY_MIN_US = 20, LATENCY_MAX_US = 2000, LATE_MAX_MS = 60000, FRAME_MAX = 64 << 20,
	CLEANER_MS = 500
};

#define NET_START_NS (1000 * NS_PER_S)
#define NET_WALL_MS INT64_C(1700000000000)

struct chunk {
	struct list node;
	int64_t at_ns;
	size_t len, off;
	uint8_t data[];
};

struct sim_loop {
	struct loop loop;
	struct fiber *fiber;
};

/* A connection. Its two ends close apart from each other: what the client has sent still arrives. */
struct wire {
	int fd;
	struct sim_loop *client;         /* NULL: that end is closed */
	struct net_broker *broker;
	int64_t connect_at_ns;           /* INT64_MAX: not under way */
	bool up;
	int broken;                      /* errno for the client */
	bool ended;                      /* the broker has closed: the client reads what is there, then the end */
	int64_t stalled_until_ns;
	struct list to_broker, to_client;
	int64_t last_to_broker_ns, last_to_client_ns;
	struct op *connect, *recv;
	struct sandbox_client *peer;
	bool dropped;                    /* by the sandbox */
	uint8_t *rx;                     /* the beginning of a frame */
	size_t rx_len, rx_cap;
};

static struct {
	struct rng *rng;
	int64_t now_ns;
	struct buf_pool *pool;
	struct net_broker brokers[NET_BROKERS];
	int n_brokers;
	struct wire *wires[WIRES_MAX];
	int first, n_wires;              /* those before first are gone */
	uint64_t resets;
	bool forget_late;
} net;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
ssize_t __wrap_getrandom(void *p, size_t len, unsigned flags);
struct loop *__wrap_loop_uring_create(struct err *err);
struct loop *__wrap_loop_epoll_create(struct err *err);

/* ---- clock and chance ---- */

int64_t net_now_ns(void)
{
	return net.now_ns;
}

int64_t net_wall_ms(void)
{
	return NET_WALL_MS + net.now_ns / NS_PER_MS;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns = id == CLOCK_REALTIME ? NET_WALL_MS * NS_PER_MS + net.now_ns : net.now_ns;

	ts->tv_sec = ns / NS_PER_S;
	ts->tv_nsec = ns % NS_PER_S;
	return 0;
}

ssize_t __wrap_getrandom(void *p, size_t len, unsigned flags)
{
	uint8_t *b = p;

	(void)flags;
	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)rng_next(net.rng);
	return (ssize_t)len;
}

/* ---- wires ---- */

static struct wire *wire_of(int fd)
{
	CHECK(fd >= FD_BASE && fd < FD_BASE + net.n_wires && net.wires[fd - FD_BASE] != NULL);
	return net.wires[fd - FD_BASE];
}

static void put_chunk(struct wire *w, bool to_broker, const uint8_t *data, size_t len)
{
	int64_t *last = to_broker ? &w->last_to_broker_ns : &w->last_to_client_ns;
	int64_t latency = rng_in(net.rng, LATENCY_MIN_US, LATENCY_MAX_US) * 1000 + w->broker->slow_ns;
	struct chunk *c = xmalloc(sizeof(*c) + len);

	*last = MAX(*last, net.now_ns + latency);
	c->at_ns = *last;
	c->len = len;
	c->off = 0;
	memcpy(c->data, data, len);
	list_push_back(to_broker ? &w->to_broker : &w->to_client, &c->node);
}

static void drop_chunks(struct list *chunks)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, chunks) {
		list_del(pos);
		xfree(list_entry(pos, struct chunk, node));
	}
}

static void wake(struct sim_loop *loop)
{
	if (loop != NULL && loop->fiber != NULL)
		loop->fiber->woken = true;
}

static void answer(struct wire *w, struct op **op, int res)
{
	struct op *done = *op;

	if (done == NULL)
		return;
	*op = NULL;
	loop_complete(&w->client->loop, done, res);
	wake(w->client);
}

static struct chunk *head(const struct list *chunks)
{
	struct chunk *c = list_empty(chunks) ? NULL : list_entry(chunks->next, struct chunk, node);

	CHECK(c != NULL);
	return c;
}

static int64_t head_at(const struct wire *w, const struct list *chunks)
{
	if (list_empty(chunks))
		return INT64_MAX;
	return MAX(head(chunks)->at_ns, w->stalled_until_ns);
}

/* Bytes that have arrived at the client; 0: none; -errno; the end is 0 with *ended. */
static int read_some(struct wire *w, uint8_t *to, size_t len, bool *ended)
{
	struct chunk *c;
	size_t n;

	*ended = false;
	if (w->broken != 0)
		return -w->broken;
	if (head_at(w, &w->to_client) > net.now_ns) {
		*ended = w->ended && list_empty(&w->to_client);
		return 0;
	}
	c = head(&w->to_client);
	n = MIN(c->len - c->off, len);
	if (n > 1 && rng_one_in(net.rng, 8))
		n = (size_t)rng_in(net.rng, 1, (int64_t)n);
	memcpy(to, c->data + c->off, n);
	c->off += n;
	if (c->off == c->len) {
		list_del(&c->node);
		xfree(c);
	}
	return (int)n;
}

static void try_recv(struct wire *w)
{
	struct op *op = w->recv;
	bool ended;
	int res;

	if (op == NULL)
		return;
	res = read_some(w, op->u_.recv.buf, op->u_.recv.len, &ended);
	if (res != 0 || ended)
		answer(w, &w->recv, res);
}

static void broker_end(struct wire *w)
{
	if (w->peer != NULL)
		sandbox_client_close(w->peer);
	w->peer = NULL;
	w->ended = true;
	drop_chunks(&w->to_broker);
	try_recv(w);
}

static void forget(struct wire *w)
{
	CHECK(w->recv == NULL && w->connect == NULL);
	drop_chunks(&w->to_broker);
	drop_chunks(&w->to_client);
	if (w->peer != NULL)
		sandbox_client_close(w->peer);
	net.wires[w->fd - FD_BASE] = NULL;
	xfree(w->rx);
	xfree(w);
}

/* ---- the broker's end ---- */

static void take_reply(struct sandbox_client *client, struct sandbox_reply *reply)
{
	struct wire *w = sandbox_client_owner(client);

	if (w->client != NULL && w->broken == 0)
		for (int i = 0; i < reply->n_iov; i++)
			put_chunk(w, false, reply->iov[i].iov_base, reply->iov[i].iov_len);
	sandbox_reply_free(reply);
}

static void take_drop(struct sandbox_client *client, const char *why)
{
	struct wire *w = sandbox_client_owner(client);

	(void)why;
	w->dropped = true;
}

static const struct sandbox_client_ops peer_ops = { .reply = take_reply, .drop = take_drop };

void net_tell_time(struct net_broker *b)
{
	sandbox_set_time(b->sandbox, net.now_ns / NS_PER_MS, net_wall_ms());
}

struct buf *net_frame(size_t len)
{
	struct buf *frame = buf_get(net.pool, len);

	CHECK(frame != NULL && len <= FRAME_MAX);
	return frame;
}

static size_t frame_len(const struct wire *w)
{
	return w->rx_len < 4 ? SIZE_MAX :
	       4 + ((size_t)w->rx[0] << 24 | (size_t)w->rx[1] << 16 | (size_t)w->rx[2] << 8 | w->rx[3]);
}

static void deliver_frames(struct wire *w)
{
	while (!w->dropped && frame_len(w) <= w->rx_len) {
		size_t len = frame_len(w);
		struct buf *frame = net_frame(len);

		memcpy(frame->data, w->rx + 4, len - 4);
		frame->len = len - 4;
		memmove(w->rx, w->rx + len, w->rx_len - len);
		w->rx_len -= len;
		sandbox_receive(w->peer, frame);
	}
}

static void deliver(struct wire *w)
{
	struct chunk *c = head(&w->to_broker);

	list_del(&c->node);
	if (w->rx_len + c->len > w->rx_cap) {
		w->rx_cap = (w->rx_len + c->len) * 2;
		w->rx = xrealloc(w->rx, w->rx_cap, 1);
	}
	memcpy(w->rx + w->rx_len, c->data, c->len);
	w->rx_len += c->len;
	xfree(c);
	net_tell_time(w->broker);
	deliver_frames(w);
}

/* ---- what becomes due ---- */

static int64_t broker_at(const struct wire *w)
{
	int64_t at = w->peer == NULL ? INT64_MAX : head_at(w, &w->to_broker);

	return at == INT64_MAX ? at : MAX(at, w->broker->paused_until_ns);
}

static int64_t client_at(const struct wire *w)
{
	if (w->recv == NULL)
		return INT64_MAX;
	if (w->ended && list_empty(&w->to_client))
		return net.now_ns;
	return head_at(w, &w->to_client);
}

/* By the sandbox, of its own accord or with an answer. */
static bool is_dropped(const struct wire *w)
{
	return w->dropped && w->peer != NULL;
}

/* Nothing can come of it any more. */
static bool is_over(const struct wire *w)
{
	return w->client == NULL && (w->peer == NULL || list_empty(&w->to_broker));
}

static int64_t wire_at(const struct wire *w)
{
	return is_over(w) || is_dropped(w) ? net.now_ns : MIN(w->connect_at_ns, MIN(broker_at(w), client_at(w)));
}

static void connect_due(struct wire *w)
{
	w->connect_at_ns = INT64_MAX;
	if (w->connect == NULL)
		return;
	if (w->client->fiber->cut_off || w->broker->down_until_ns > net.now_ns) {
		answer(w, &w->connect, w->client->fiber->cut_off ? -ENETUNREACH : -ECONNREFUSED);
		return;
	}
	w->up = true;
	w->peer = sandbox_client_open(w->broker->sandbox, &peer_ops, w, "10.0.0.9");
	answer(w, &w->connect, 0);
}

static void fire(struct wire *w)
{
	if (w->connect_at_ns <= net.now_ns)
		connect_due(w);
	if (broker_at(w) <= net.now_ns)
		deliver(w);
	if (is_dropped(w))
		broker_end(w);
	if (client_at(w) <= net.now_ns)
		try_recv(w);
	if (is_over(w))
		forget(w);
}

static int64_t sandbox_at(const struct net_broker *b)
{
	int64_t ms = sandbox_deadline(b->sandbox);

	return ms == INT64_MAX ? INT64_MAX : MAX(ms * NS_PER_MS, b->paused_until_ns);
}

static int64_t next_event(void)
{
	int64_t at = INT64_MAX;
	const struct list *pos;

	for (int i = net.first; i < net.n_wires; i++)
		if (net.wires[i] != NULL)
			at = MIN(at, wire_at(net.wires[i]));
	for (int i = 0; i < net.n_brokers; i++)
		at = MIN(at, sandbox_at(&net.brokers[i]));
	list_each(pos, fiber_all()) {
		const struct fiber *f = list_entry(pos, const struct fiber, node);

		if (!f->frozen && !f->done)
			at = MIN(at, f->deadline_ns);
	}
	return at;
}

static void fire_due(void)
{
	for (int i = net.first; i < net.n_wires; i++) {
		if (net.wires[i] != NULL && wire_at(net.wires[i]) <= net.now_ns)
			fire(net.wires[i]);
		if (net.wires[net.first] == NULL && i == net.first)
			net.first++;
	}
	for (int i = 0; i < net.n_brokers; i++)
		if (sandbox_at(&net.brokers[i]) <= net.now_ns)
			net_tell_time(&net.brokers[i]);
}

static bool is_runnable(const struct fiber *f)
{
	return !f->frozen && !f->done && (f->woken || f->deadline_ns <= net.now_ns);
}

static struct fiber *pick(void)
{
	const struct list *pos;
	int n = 0;

	list_each(pos, fiber_all())
		n += is_runnable(list_entry(pos, const struct fiber, node));
	if (n == 0)
		return NULL;
	n = (int)rng_in(net.rng, 1, n);
	list_each(pos, fiber_all())
		if (is_runnable(list_entry(pos, const struct fiber, node)) && --n == 0)
			break;
	return list_entry(pos, struct fiber, node);
}

bool net_run_until(int64_t at_ns)
{
	int64_t second = net.now_ns, resumes = 0;

	while (net.now_ns < at_ns) {
		struct fiber *f;

		fire_due();
		f = pick();
		if (net.now_ns - second > NS_PER_S) {
			second = net.now_ns;
			resumes = 0;
		}
		if (f == NULL) {
			net.now_ns = MAX(net.now_ns, MIN(at_ns, next_event()));
			continue;
		}
		if (++resumes > RESUMES_MAX)
			return false;
		net.now_ns += rng_in(net.rng, 1, 20) * 1000;
		fiber_resume(f);
	}
	return true;
}

/* ---- the engine ---- */

static struct sim_loop *self(struct loop *loop)
{
	return container_of(loop, struct sim_loop, loop);
}

static void start_connect(struct wire *w, struct op *op)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&op->u_.addr.addr;

	for (int i = 0; i < net.n_brokers; i++)
		if (net.brokers[i].port == ntohs(in->sin_port))
			w->broker = &net.brokers[i];
	CHECK(w->broker != NULL);
	w->connect = op;
	w->connect_at_ns = net.now_ns + rng_in(net.rng, LATENCY_MIN_US, LATENCY_MAX_US) * 1000;
}

static void start_send(struct wire *w, struct op *op)
{
	const struct msghdr *m = &op->u_.msg;
	size_t room = rng_one_in(net.rng, 8) ? (size_t)rng_in(net.rng, 1, 4096) : SIZE_MAX, sent = 0;

	if (w->broken != 0 || w->ended) {
		loop_complete(&w->client->loop, op, w->broken != 0 ? -w->broken : -EPIPE);
		return;
	}
	for (size_t i = 0; i < m->msg_iovlen && sent < room; i++) {
		size_t n = MIN(m->msg_iov[i].iov_len, room - sent);

		if (n > 0)
			put_chunk(w, true, m->msg_iov[i].iov_base, n);
		sent += n;
	}
	loop_complete(&w->client->loop, op, (int)sent);
}

static void engine_start(struct loop *loop, struct op *op)
{
	struct wire *w = wire_of(op->fd_);

	CHECK(w->client == self(loop));
	switch (op->kind_) {
	case OP_CONNECT:
		start_connect(w, op);
		return;
	case OP_SENDV:
		start_send(w, op);
		return;
	default:
		CHECK(op->kind_ == OP_RECV && w->recv == NULL);
		w->recv = op;
		try_recv(w);
	}
}

static void engine_cancel(struct loop *loop, struct op *op)
{
	struct wire *w = wire_of(op->fd_);

	(void)loop;
	answer(w, op == w->connect ? &w->connect : &w->recv, -ECANCELED);
}

static void engine_wait(struct loop *loop, int64_t deadline_ns)
{
	struct sim_loop *l = self(loop);

	if (l->fiber == NULL)
		l->fiber = fiber_current();
	l->fiber->deadline_ns = deadline_ns;
	fiber_yield();
}

static void engine_wake(struct loop *loop)
{
	wake(self(loop));
}

static int64_t engine_clock(struct loop *loop)
{
	(void)loop;
	return net.now_ns;
}

static void engine_close(struct loop *loop, int fd)
{
	struct wire *w = wire_of(fd);

	(void)loop;
	CHECK(w->recv == NULL && w->connect == NULL);
	w->client = NULL;
}

static int engine_socket(struct loop *loop, int family)
{
	struct wire *w = xcalloc(1, sizeof(*w));

	(void)family;
	CHECK(net.n_wires < WIRES_MAX);
	w->fd = FD_BASE + net.n_wires;
	w->client = self(loop);
	w->connect_at_ns = INT64_MAX;
	list_init(&w->to_broker);
	list_init(&w->to_client);
	net.wires[net.n_wires++] = w;
	return w->fd;
}

static void engine_tune(struct loop *loop, int fd, const struct socket_opts *opts)
{
	(void)loop;
	(void)fd;
	(void)opts;
}

static bool engine_peer(struct loop *loop, int fd, struct sockaddr_storage *addr)
{
	(void)loop;
	(void)fd;
	(void)addr;
	return false;
}

static void engine_destroy(struct loop *loop)
{
	loop_fini(loop);
	xfree(self(loop));
}

static const struct loop_engine_ops engine = {
	.name = "simulated",
	.start = engine_start,
	.cancel = engine_cancel,
	.wait = engine_wait,
	.wake = engine_wake,
	.clock = engine_clock,
	.close = engine_close,
	.socket = engine_socket,
	.tune = engine_tune,
	.peer = engine_peer,
	.destroy = engine_destroy,
};

struct loop *__wrap_loop_uring_create(struct err *err)
{
	struct sim_loop *l = xcalloc(1, sizeof(*l));

	(void)err;
	loop_init(&l->loop, &engine);
	return &l->loop;
}

struct loop *__wrap_loop_epoll_create(struct err *err)
{
	return __wrap_loop_uring_create(err);
}

/* ---- faults ---- */

static void cut_chunks(struct wire *w)
{
	struct list *pos, *tmp;
	bool gone = false;

	list_each_safe(pos, tmp, &w->to_broker) {
		struct chunk *c = list_entry(pos, struct chunk, node);

		gone = gone || rng_one_in(net.rng, 3);
		if (!gone)
			continue;
		if (c->len > 1 && rng_one_in(net.rng, 2)) {
			c->len = (size_t)rng_in(net.rng, 1, (int64_t)c->len - 1);
			continue;
		}
		list_del(pos);
		xfree(c);
	}
}

static void delay_chunks(struct wire *w)
{
	int64_t by = rng_in(net.rng, 0, LATE_MAX_MS) * NS_PER_MS;
	struct list *pos;

	list_each(pos, &w->to_broker)
		list_entry(pos, struct chunk, node)->at_ns += by;
}

static void reset(struct wire *w, enum net_end how)
{
	net.resets++;
	if (net.forget_late)
		drop_chunks(&w->to_broker);
	if (how == NET_END_CLEAN) {
		w->ended = true;
		try_recv(w);
		return;
	}
	cut_chunks(w);
	if (how == NET_END_LATE)
		delay_chunks(w);
	drop_chunks(&w->to_client);
	w->broken = ECONNRESET;
	try_recv(w);
}

static bool is_of(const struct wire *w, const struct fiber *fiber, const struct net_broker *broker)
{
	return w != NULL && w->up && w->client != NULL && w->broken == 0 && !w->ended &&
	       (fiber == NULL || w->client->fiber == fiber) && (broker == NULL || w->broker == broker);
}

static struct wire *by_chance(const struct fiber *fiber, const struct net_broker *broker)
{
	struct wire *chosen = NULL;
	int n = 0;

	for (int i = net.first; i < net.n_wires; i++)
		if (is_of(net.wires[i], fiber, broker) && rng_one_in(net.rng, ++n))
			chosen = net.wires[i];
	return chosen;
}

void net_reset(const struct fiber *fiber, const struct net_broker *broker, bool all, enum net_end how)
{
	struct wire *one;

	if (!all) {
		one = by_chance(fiber, broker);
		if (one != NULL)
			reset(one, how);
		return;
	}
	for (int i = net.first; i < net.n_wires; i++)
		if (is_of(net.wires[i], fiber, broker))
			reset(net.wires[i], how);
}

void net_forget_late(void)
{
	net.forget_late = true;
}

void net_stall(int64_t for_ns)
{
	struct wire *w = by_chance(NULL, NULL);

	if (w != NULL)
		w->stalled_until_ns = net.now_ns + for_ns;
}

void net_cut_off(struct fiber *fiber)
{
	net_reset(fiber, NULL, true, NET_END_LATE);
	fiber->cut_off = true;
}

uint64_t net_resets(void)
{
	return net.resets;
}

/* ---- begin and end ---- */

static void run_on(void)
{
	CHECK(net_run_until(net.now_ns + 10 * NS_PER_MS));
}

void net_open(struct rng *rng)
{
	memset(&net, 0, sizeof(net));
	net.rng = rng;
	net.now_ns = NET_START_NS;
	net.pool = buf_pool_create((size_t)1 << 30);
	fiber_on_join(run_on);
}

struct net_broker *net_add_broker(uint16_t port)
{
	struct net_broker *b = &net.brokers[net.n_brokers];
	struct sandbox_opts opts = {
		.seed = 1000U + port, .host = "10.0.0.1", .port = port, .node_id = 1,
		.now_ms = net.now_ns / NS_PER_MS, .wall_ms = net_wall_ms(), .cleaner_backoff_ms = CLEANER_MS,
	};

	CHECK(net.n_brokers < NET_BROKERS);
	net.n_brokers++;
	*b = (struct net_broker){ .sandbox = sandbox_create(&opts), .port = port };
	return b;
}

void net_close(void)
{
	for (int i = 0; i < net.n_wires; i++)
		if (net.wires[i] != NULL)
			forget(net.wires[i]);
	for (int i = 0; i < net.n_brokers; i++)
		sandbox_destroy(net.brokers[i].sandbox);
	buf_pool_destroy(net.pool);
}
