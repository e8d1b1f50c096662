/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring engine. One io_uring_enter a round submits what the callbacks of the last round started, waits, and
 * lets the kernel run the completions' task work.
 *
 *  - The ring is made in loop_create, so that a refusal is known at the start, but disabled: with SINGLE_ISSUER the
 *    kernel takes the thread that enables it for its only user, and that must be the one that runs the loop. Until
 *    then ops wait in the backlog.
 *  - user_data is the op, whose memory stays until its completion was seen; so a reused descriptor or a reused op
 *    can not be mistaken. A cancel goes through the same submission queue as its target and what follows it, so it
 *    can only meet the target. Its own completion has user_data 0 and says nothing of use (-ENOENT and -EALREADY are
 *    normal).
 *  - Submission queue full: what is there is submitted, and what completed is collected, callbacks later.
 *  - Completion queue full: the kernel keeps the rest (NODROP) and hands it over at the next enter with GETEVENTS,
 *    which every enter is.
 *  - From 6.5 (and 6.1.39) to 6.14 an idle thread in a ring counts as iowait in the statistics; from 6.15 there is a
 *    flag against it, which is used where the kernel has it. It costs nothing but looks alarming. */
#include "net/loop_engine.h"
#include "net/uring_setup.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	LOOK_NS = 25000,         /* how long completions are looked for before the loop sleeps, */
	SHORT_RUN = 8,           /* after so many waits in a row */
	SHORT_NS = 75000,        /* that were not longer than this, */
	BULK_BYTES = 32 << 10,   /* and brought no more than this at once: of a stream the more comes the later one looks */
};

struct uring {
	struct loop loop;
	struct io_uring ring;
	unsigned enter_flags;
	int wake_fd;
	uint64_t wake_value;
	bool enabled, wake_armed;
	bool tells;              /* the kernel says in memory whether it waits for an enter */
	unsigned short_waits;    /* in a row, up to SHORT_RUN */
	struct list backlog;
};

static struct uring *self(struct loop *loop)
{
	return container_of(loop, struct uring, loop);
}

/* ---- completions ---- */

static void completed(struct uring *u, struct op *op, int res)
{
	/* The kernel may give up a call that was interrupted or ran out of tries; that is no answer. */
	if ((res == -EINTR || res == -EAGAIN) && op->kind_ != OP_CONNECT && !op->cancelled_) {
		op->place_ = PLACE_BACKLOG;
		list_push_back(&u->backlog, &op->node_);
		return;
	}
	if (op->kind_ == OP_RECV && res > BULK_BYTES)
		u->short_waits = 0;
	loop_complete(&u->loop, op, res == -EINTR && op->cancelled_ ? -ECANCELED : res);
}

static void collect(struct uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe) {
		void *data = io_uring_cqe_get_data(cqe);

		n++;
		if (data == &u->wake_value)
			u->wake_armed = false;
		else if (data != NULL)
			completed(u, data, cqe->res);
	}
	io_uring_cq_advance(&u->ring, n);
}

/* Submits all and waits for wait_nr completions, at most left_ns (negative: no limit). */
static int enter(struct uring *u, unsigned wait_nr, int64_t left_ns)
{
	int res = uring_enter(&u->ring, wait_nr, u->enter_flags, left_ns);

	/* EBUSY: completions must be collected first. EAGAIN: the kernel is short of memory. Both: next round. */
	CHECK(res >= 0 || res == -ETIME || res == -EINTR || res == -EBUSY || res == -EAGAIN);
	return res;
}

/* The same without waiting, and without a system call when it would do nothing. */
static void enter_if_needed(struct uring *u)
{
	const unsigned wanted = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;

	if (!u->tells || io_uring_sq_ready(&u->ring) > 0 || (IO_URING_READ_ONCE(*u->ring.sq.kflags) & wanted) != 0)
		enter(u, 0, 0);
	collect(u);
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	while (sqe == NULL) {
		enter(u, 0, 0);
		collect(u);
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

/* ---- operations ---- */

static void prepare(struct uring *u, struct op *op)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	switch (op->kind_) {
	case OP_CONNECT:
		io_uring_prep_connect(sqe, op->fd_, (const struct sockaddr *)&op->u_.addr.addr, op->u_.addr.len);
		break;
	case OP_ACCEPT:
		io_uring_prep_accept(sqe, op->fd_, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		break;
	case OP_RECV:
		io_uring_prep_recv(sqe, op->fd_, op->u_.recv.buf, op->u_.recv.len, 0);
		break;
	default:
		io_uring_prep_sendmsg(sqe, op->fd_, &op->u_.msg, MSG_NOSIGNAL);
		break;
	}
	io_uring_sqe_set_data(sqe, op);
	op->place_ = PLACE_FLIGHT;
}

static void start(struct loop *loop, struct op *op)
{
	struct uring *u = self(loop);

	if (u->enabled) {
		prepare(u, op);
		return;
	}
	op->place_ = PLACE_BACKLOG;
	list_push_back(&u->backlog, &op->node_);
}

static void cancel(struct loop *loop, struct op *op)
{
	struct uring *u = self(loop);
	struct io_uring_sqe *sqe;

	if (op->place_ == PLACE_BACKLOG) {
		list_del(&op->node_);
		loop_complete(loop, op, -ECANCELED);
		return;
	}
	sqe = get_sqe(u);
	/* Making room may have collected its completion; the entry must be used all the same. */
	if (op->place_ == PLACE_FLIGHT)
		io_uring_prep_cancel(sqe, op, 0);
	else
		io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, NULL);
}

static void arm_wake(struct uring *u)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	io_uring_prep_read(sqe, u->wake_fd, &u->wake_value, sizeof(u->wake_value), 0);
	io_uring_sqe_set_data(sqe, &u->wake_value);
	u->wake_armed = true;
}

static void start_backlog(struct uring *u)
{
	struct list waiting;

	list_init(&waiting);
	list_splice(&waiting, &u->backlog);
	while (!list_empty(&waiting)) {
		struct op *op = list_entry(waiting.next, struct op, node_);

		list_del(&op->node_);
		prepare(u, op);
	}
}

static bool has_collected(const struct uring *u)
{
	return !list_empty(&u->loop.ready) || !list_empty(&u->backlog) || !u->wake_armed;
}

/* The other thread of this core, if it has one, may be the peer. */
static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* A peer on this machine answers sooner than a sleep and its wake-up take, and these cost more CPU than looking. So
 * after a run of short waits completions are looked for, for a while; when in vain, not before another such run: an
 * idle loop never does it, and where the peer needs this very CPU it is seldom. True when something came. */
static bool look_first(struct uring *u, int64_t left_ns)
{
	int64_t until;

	if (u->short_waits < SHORT_RUN || (left_ns >= 0 && left_ns < LOOK_NS))
		return false;
	until = kernel_clock(&u->loop) + LOOK_NS;
	do {
		enter_if_needed(u);
		if (has_collected(u))
			return true;
		relax();
	} while (kernel_clock(&u->loop) < until);
	u->short_waits = 0;
	return false;
}

static void sleep_until_one(struct uring *u, int64_t left_ns)
{
	int64_t since = kernel_clock(&u->loop);

	enter(u, 1, left_ns);
	collect(u);
	if (kernel_clock(&u->loop) - since > SHORT_NS)
		u->short_waits = 0;
	else if (u->short_waits < SHORT_RUN)
		u->short_waits++;
}

static void wait_events(struct loop *loop, int64_t deadline_ns)
{
	struct uring *u = self(loop);
	int64_t left_ns = kernel_time_left(deadline_ns);

	if (!u->enabled) {
		CHECK(uring_enable(&u->ring) == 0);
		u->enabled = true;
	}
	if (!u->wake_armed)
		arm_wake(u);
	if (!list_empty(&u->backlog))
		start_backlog(u);
	/* Making room in the queue may have collected something: that is worth running first. */
	if (!list_empty(&loop->ready))
		left_ns = 0;
	if (left_ns == 0) {
		enter_if_needed(u);
	} else if (!look_first(u, left_ns)) {
		sleep_until_one(u, left_ns);
	}
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;

	CHECK(write(self(loop)->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void close_fd(struct loop *loop, int fd)
{
	(void)loop;
	close(fd);
}

static void destroy(struct loop *loop)
{
	struct uring *u = self(loop);

	loop_fini(loop);
	io_uring_queue_exit(&u->ring);
	close(u->wake_fd);
	xfree(u);
}

static const struct loop_engine_ops engine = {
	.name = "io_uring",
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

struct loop *loop_uring_create(struct err *err)
{
	struct uring *u = xcalloc(1, sizeof(*u));

	/* Blocking, because a read of a non-blocking descriptor may be answered with EAGAIN at once. */
	u->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (u->wake_fd < 0) {
		err_set(err, -errno, "eventfd: %s", strerror(errno));
		xfree(u);
		return NULL;
	}
	if (uring_setup(&u->ring, &u->enter_flags, err) != RC_OK) {
		close(u->wake_fd);
		xfree(u);
		return NULL;
	}
	u->tells = (u->ring.flags & IORING_SETUP_TASKRUN_FLAG) != 0;
	list_init(&u->backlog);
	loop_init(&u->loop, &engine);
	return &u->loop;
}
