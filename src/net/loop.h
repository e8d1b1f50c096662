/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: one per thread. Operations are embedded in their owners; nothing here ever calls back before the
 * call that started it has returned. Two engines stand behind this interface, io_uring and epoll, chosen when the
 * loop is made; a third, simulated one is for tests.
 *
 * Rules of an op:
 *  - it is zeroed before its first use; `done` is set by the owner; it is busy from the loop_* call until just before
 *    `done` runs, and its memory, and the memory it points to, must stay until then;
 *  - every op that was started completes exactly once, also after loop_cancel (then with -ECANCELED, or with its
 *    real result if that came first);
 *  - results are >= 0 or -errno;
 *  - one recv and one send at most are in flight per descriptor (two would be reordered by the kernel).
 * A descriptor is closed with loop_close only when no op of it is in flight. */
#pragma once

#include "base/list.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct loop;
struct op;

typedef void op_done_fn(struct op *op, int res);

struct op {
	op_done_fn *done;
	/* private */
	struct list node_;
	struct loop *loop_;
	int fd_;
	int res_;
	uint8_t kind_;
	uint8_t place_;
	bool busy_;
	bool cancelled_;
	union {
		struct msghdr msg;
		struct { void *buf; size_t len; } recv;
		struct { struct sockaddr_storage addr; socklen_t len; } addr;
	} u_;
};

static inline bool op_busy(const struct op *op)
{
	return op->busy_;
}

/* A timer; zeroed before its first use. `done` is called once, at or after the time it was set to. */
struct timer {
	void (*done)(struct timer *timer);
	/* private */
	struct loop *loop_;
	int64_t at_ns_;
	uint32_t index_;   /* 1 + place in the heap; 0 when not set */
	uint32_t seq_;     /* timers of one time run in the order in which they were set */
};

/* Work handed to a loop by any thread. `run` is called on the loop's thread; the memory stays the poster's until
 * then. */
struct post {
	void (*run)(struct post *post);
	/* private */
	struct post *next_;
};

enum loop_engine { LOOP_AUTO, LOOP_IO_URING, LOOP_EPOLL };

/* How a TCP socket is set up; zeroed is a good choice. */
struct socket_opts {
	int rcvbuf, sndbuf;    /* 0: the system's default, which grows with the path */
	int user_timeout_ms;   /* unacknowledged data or a closed window for so long ends the connection; 0: never */
};

struct err;

/* NULL with err set when the engine that was asked for cannot be had. LOOP_AUTO takes io_uring where the kernel gives
 * a ring with the operations that are used, else epoll.
 * A loop may be made on one thread and run on another: it belongs to the thread that first steps or runs it, and
 * until then operations and timers may be started by the thread that made it. Only loop_post is for other threads. */
struct loop *loop_create(enum loop_engine engine, struct err *err);
/* No op, timer or post may be pending. */
void loop_destroy(struct loop *loop);
/* "io_uring" or "epoll". */
const char *loop_engine_name(const struct loop *loop);
/* Why this engine: for the first log line, "asked for", "the kernel has it", "io_uring_setup: EPERM (...)". */
const char *loop_engine_why(const struct loop *loop);
/* False when the word is not auto, io_uring or epoll. */
bool loop_engine_parse(const char *word, enum loop_engine *engine);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* Makes loop_run return after the callbacks that are due now. Only from the loop's own thread. */
void loop_stop(struct loop *loop);
/* Waits for and runs what is due, once; waits at most until deadline_ns (monotonic; INT64_MAX: no limit). */
void loop_step(struct loop *loop, int64_t deadline_ns);
/* Monotonic time, read once per round. */
int64_t loop_now(const struct loop *loop);

/* A TCP socket (non-blocking, close-on-exec), set up as loop_socket_tune does, or -errno. */
int loop_socket(struct loop *loop, int family, const struct socket_opts *opts);
/* The same for a descriptor that was accepted: no Nagle, keepalive after 30 s of silence. What the system refuses is
 * left at its default. */
void loop_socket_tune(struct loop *loop, int fd, const struct socket_opts *opts);
/* The address of the other end; false when there is none. */
bool loop_socket_peer(struct loop *loop, int fd, struct sockaddr_storage *addr);

/* res 0 when connected. The address is copied. */
void loop_connect(struct loop *loop, struct op *op, int fd, const struct sockaddr *addr, socklen_t len);
/* res = the new descriptor (non-blocking, close-on-exec). */
void loop_accept(struct loop *loop, struct op *op, int fd);
/* res = bytes received, 0 at end of stream; may be less than len. */
void loop_recv(struct loop *loop, struct op *op, int fd, void *buf, size_t len);
/* res = bytes sent, which may be fewer than asked. iov must stay unchanged until done; at most IOV_MAX entries. */
void loop_sendv(struct loop *loop, struct op *op, int fd, const struct iovec *iov, int n);
/* Asks that a busy op ends soon; its done still comes, later. Nothing happens for an op that is not busy. */
void loop_cancel(struct loop *loop, struct op *op);
void loop_close(struct loop *loop, int fd);

/* (Re)sets the timer to a monotonic time. */
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t at_ns);
/* Nothing happens when it is not set. After it, done will not come. */
void loop_timer_clear(struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
	return timer->index_ != 0;
}

/* Runs op->done(op, res) in this or the next round: for owners that must not call back before they return. */
void loop_defer(struct loop *loop, struct op *op, int res);

/* From any thread. */
void loop_post(struct loop *loop, struct post *post);
/* Takes back a post that did not run yet; false when there is none. On the loop's thread. */
bool loop_unpost(struct loop *loop, struct post *post);
