/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll engine: a system call is tried when the op is started; when it would block, the op is parked in the slot
 * of its descriptor and tried again at the next event. Descriptors are registered once, edge-triggered, for both
 * directions, so that steady traffic needs no epoll_ctl.
 *
 * Why no event is lost: an edge that comes between a failed try and the next wait is reported by that wait, and the
 * registration itself reports the state at that time. After a short read or write the socket is known to be drained
 * and the next op is parked without a try. One trap: when data and the end of the stream came together, the edge of
 * the end is gone already after the short read; `ended` remembers it, and the next op tries. */
#include "net/loop_engine.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { N_EVENTS = 256 };

struct slot {
	struct op *in, *out;       /* parked: accept or recv; connect or sendv */
	bool registered;
	bool drained_in, drained_out;
	bool ended;                /* the peer's end or an error was reported */
};

struct epoll {
	struct loop loop;
	int fd, wake_fd;
	struct slot *slots;        /* by descriptor */
	size_t n_slots;
	bool no_pwait2;
};

static struct epoll *self(struct loop *loop)
{
	return container_of(loop, struct epoll, loop);
}

static struct slot *slot_of(struct epoll *e, int fd)
{
	CHECK(fd >= 0);
	if ((size_t)fd >= e->n_slots) {
		size_t n = MAX((size_t)fd + 1, MAX((size_t)64, e->n_slots * 2));

		e->slots = xrealloc(e->slots, n, sizeof(*e->slots));
		memset(e->slots + e->n_slots, 0, (n - e->n_slots) * sizeof(*e->slots));
		e->n_slots = n;
	}
	return &e->slots[fd];
}

static bool would_block(int res)
{
	return res == -EAGAIN;
}

static int try_recv(struct slot *slot, struct op *op)
{
	ssize_t n = recv(op->fd_, op->u_.recv.buf, op->u_.recv.len, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	slot->drained_in = (size_t)n < op->u_.recv.len && !slot->ended;
	return (int)n;
}

static int try_send(struct slot *slot, struct op *op)
{
	ssize_t n = sendmsg(op->fd_, &op->u_.msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	size_t want = 0;

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < op->u_.msg.msg_iovlen; i++)
		want += op->u_.msg.msg_iov[i].iov_len;
	slot->drained_out = (size_t)n < want && !slot->ended;
	return (int)n;
}

static int connected(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0)
		return -error;
	/* No error yet and no peer either: still under way. */
	return getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 ? 0 : -EAGAIN;
}

static int try_again(struct slot *slot, struct op *op)
{
	int res;

	switch (op->kind_) {
	case OP_CONNECT:
		return connected(op->fd_);
	case OP_ACCEPT:
		res = accept4(op->fd_, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		return res < 0 ? -errno : res;
	case OP_RECV:
		return try_recv(slot, op);
	default:
		return try_send(slot, op);
	}
}

static int try_first(struct slot *slot, struct op *op)
{
	const struct sockaddr *addr = (const struct sockaddr *)&op->u_.addr.addr;

	if (op->kind_ == OP_RECV && slot->drained_in)
		return -EAGAIN;
	if (op->kind_ == OP_SENDV && slot->drained_out)
		return -EAGAIN;
	if (op->kind_ != OP_CONNECT)
		return try_again(slot, op);
	if (connect(op->fd_, addr, op->u_.addr.len) == 0)
		return 0;
	return errno == EINPROGRESS || errno == EINTR ? -EAGAIN : -errno;
}

/* The slot's place for this kind of op. */
static struct op **place(struct slot *slot, const struct op *op)
{
	return op->kind_ == OP_ACCEPT || op->kind_ == OP_RECV ? &slot->in : &slot->out;
}

static int register_fd(struct epoll *e, struct slot *slot, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };

	if (slot->registered)
		return 0;
	if (epoll_ctl(e->fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	slot->registered = true;
	return 0;
}

static void start(struct loop *loop, struct op *op)
{
	struct epoll *e = self(loop);
	struct slot *slot = slot_of(e, op->fd_);
	struct op **parked = place(slot, op);
	int res;

	CHECK(*parked == NULL);
	do
		res = try_first(slot, op);
	while (res == -EINTR);
	if (would_block(res)) {
		*parked = op;
		res = register_fd(e, slot, op->fd_);
		if (res == 0)
			return;
		*parked = NULL;
	}
	loop_complete(loop, op, res);
}

static void cancel(struct loop *loop, struct op *op)
{
	struct op **parked = place(slot_of(self(loop), op->fd_), op);

	CHECK(*parked == op);
	*parked = NULL;
	loop_complete(loop, op, -ECANCELED);
}

static void retry(struct epoll *e, struct slot *slot, struct op **parked)
{
	struct op *op = *parked;
	int res;

	if (op == NULL)
		return;
	do
		res = try_again(slot, op);
	while (res == -EINTR);
	if (would_block(res))
		return;
	*parked = NULL;
	loop_complete(&e->loop, op, res);
}

static void handle(struct epoll *e, const struct epoll_event *event)
{
	struct slot *slot;

	/* The counter of the wake descriptor is never read: with an edge each write is an event of its own. */
	if (event->data.fd == e->wake_fd)
		return;
	slot = slot_of(e, event->data.fd);
	if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		slot->ended = true;
	if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		slot->drained_in = false;
		retry(e, slot, &slot->in);
	}
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		slot->drained_out = false;
		retry(e, slot, &slot->out);
	}
}

/* Milliseconds are rounded up: a timer that comes early would make rounds that do nothing. */
static int wait_ms(struct epoll *e, struct epoll_event *events, int64_t left_ns)
{
	int64_t ms = left_ns < 0 ? -1 : (left_ns + 999999) / 1000000;

	return epoll_wait(e->fd, events, N_EVENTS, (int)MIN(ms, (int64_t)INT32_MAX));
}

static int wait_ns(struct epoll *e, struct epoll_event *events, int64_t left_ns)
{
	struct timespec ts = { .tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000 };
	int n;

	if (left_ns <= 0 || e->no_pwait2)
		return wait_ms(e, events, left_ns);
	n = epoll_pwait2(e->fd, events, N_EVENTS, &ts, NULL);
	if (n >= 0 || errno == EINTR)
		return n;
	/* Seccomp filters and older tools do not know this call; the older one is coarser, no more. */
	e->no_pwait2 = true;
	return wait_ms(e, events, left_ns);
}

static void wait_events(struct loop *loop, int64_t deadline_ns)
{
	struct epoll *e = self(loop);
	struct epoll_event events[N_EVENTS];
	int64_t left_ns = kernel_time_left(deadline_ns);
	int n;

	n = wait_ns(e, events, left_ns);
	CHECK(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++)
		handle(e, &events[i]);
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;

	CHECK(write(self(loop)->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void close_fd(struct loop *loop, int fd)
{
	struct epoll *e = self(loop);
	struct slot *slot = slot_of(e, fd);

	CHECK(slot->in == NULL && slot->out == NULL);
	/* Explicitly: a copy of the descriptor in a child that forks now would keep the registration alive. */
	if (slot->registered)
		(void)epoll_ctl(e->fd, EPOLL_CTL_DEL, fd, NULL);
	memset(slot, 0, sizeof(*slot));
	close(fd);
}

static void destroy(struct loop *loop)
{
	struct epoll *e = self(loop);

	loop_fini(loop);
	close(e->fd);
	close(e->wake_fd);
	xfree(e->slots);
	xfree(e);
}

static const struct loop_engine_ops engine = {
	.name = "epoll",
	.start = start,
	.cancel = cancel,
	.wait = wait_events,
	.wake = wake,
	.clock = kernel_clock,
	.close = close_fd,
	.socket = kernel_socket,
	.tune = kernel_tune,
	.peer = kernel_peer,
	.destroy = destroy,
};

struct loop *loop_epoll_create(struct err *err)
{
	struct epoll *e = xcalloc(1, sizeof(*e));
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int error;

	e->fd = epoll_create1(EPOLL_CLOEXEC);
	e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = e->wake_fd;
	if (e->fd >= 0 && e->wake_fd >= 0 && epoll_ctl(e->fd, EPOLL_CTL_ADD, e->wake_fd, &event) == 0) {
		loop_init(&e->loop, &engine);
		return &e->loop;
	}
	error = errno;
	if (e->fd >= 0)
		close(e->fd);
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	xfree(e);
	err_set(err, -error, "epoll: %s", strerror(error));
	err_hint(err, "the limit of open files may be reached (ulimit -n)");
	return NULL;
}
