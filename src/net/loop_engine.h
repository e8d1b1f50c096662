/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine gives to loop.c, and what loop.c gives to an engine. Private to src/net and to the simulator.
 *
 * The engine owns what is in flight; loop.c owns timers, posts, the order in which completions run, and the rule that
 * nothing calls back before the call that started it returned: an engine hands every result to loop_complete, which
 * only puts the op on the ready queue. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>

enum op_kind { OP_CONNECT, OP_ACCEPT, OP_RECV, OP_SENDV, OP_DEFER };

/* Where an op is. PLACE_BACKLOG is for an engine that cannot start it yet; node_ is the engine's then, and in flight
 * too; on the ready queue it is loop.c's. */
enum op_place { PLACE_NONE, PLACE_BACKLOG, PLACE_FLIGHT, PLACE_READY };

struct loop_engine_ops {
	const char *name;
	/* Takes over an op whose arguments are in fd_ and u_. place_ is PLACE_FLIGHT; the engine may set
	 * PLACE_BACKLOG. May call loop_complete at once. */
	void (*start)(struct loop *loop, struct op *op);
	/* op is in the backlog or in flight, and this is the first cancel of it. */
	void (*cancel)(struct loop *loop, struct op *op);
	/* Collects what completed, by loop_complete. Waits for the first at most until deadline_ns, not at all when
	 * that has passed; may return early for no reason. */
	void (*wait)(struct loop *loop, int64_t deadline_ns);
	/* From any thread: a wait that goes on, or the next one, returns. Called with the post lock held. */
	void (*wake)(struct loop *loop);
	int64_t (*clock)(struct loop *loop);
	void (*close)(struct loop *loop, int fd);
	int (*socket)(struct loop *loop, int family);
	void (*tune)(struct loop *loop, int fd, const struct socket_opts *opts);
	bool (*peer)(struct loop *loop, int fd, struct sockaddr_storage *addr);
	/* Frees the loop. Nothing is in flight. */
	void (*destroy)(struct loop *loop);
};

/* The first member of the engine's own structure. */
struct loop {
	const struct loop_engine_ops *engine;
	char why[512];
	int64_t now_ns;
	size_t n_busy;              /* ops that were started and whose done has not run */
	struct list ready;          /* completed ops */
	struct list deferred;       /* loop_defer: they run at the end of the round */

	struct timer **heap;
	uint32_t n_timers, heap_cap, timer_seq;

	pthread_mutex_t post_lock;  /* guards posts and their wake, so that a poster is done with the loop when its */
	struct post *posts;         /* post runs, and the loop may be destroyed then; newest first */
	struct post *posts_run;     /* those that run now, oldest first; the loop's thread only */
	atomic_bool has_posts;

	pthread_t thread;           /* the one that runs it, once owned is set */
	atomic_bool owned;
	bool stop;
};

/* For engines. */
void loop_init(struct loop *loop, const struct loop_engine_ops *engine);
void loop_fini(struct loop *loop);
void loop_complete(struct loop *loop, struct op *op, int res);


/* The two engines of the kernel. NULL with err set; the text says why. */
struct loop *loop_uring_create(struct err *err);
struct loop *loop_epoll_create(struct err *err);

/* Sockets of the kernel, for both (loop_socket.c). */
int kernel_socket(struct loop *loop, int family);
void kernel_tune(struct loop *loop, int fd, const struct socket_opts *opts);
bool kernel_peer(struct loop *loop, int fd, struct sockaddr_storage *addr);
int64_t kernel_clock(struct loop *loop);
/* From now to the deadline of a wait: 0 when it has passed, -1 when there is none. */
int64_t kernel_time_left(int64_t deadline_ns);
