/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the loop that all engines share. One round:
 *
 *   engine->wait   submits what was started, waits for completions or the next timer, collects: no callback
 *   ready          completions, those collected so far; what they start completes in a later round
 *   timers         after the completions, so that an answer that came in time beats its own timeout
 *   posts
 *   deferred       last, so that what all of the above queued on a connection goes out in one send, and that send
 *                  goes to the kernel with the wait of the next round: one system call a round
 */
#include "net/loop_engine.h"

#include <limits.h>
#include <string.h>

/* A deferred op may defer others, and those shall not cost a round each; but I/O must get its turn too. */
enum { DEFER_PASSES = 4 };

void loop_init(struct loop *loop, const struct loop_engine_ops *engine)
{
	loop->engine = engine;
	list_init(&loop->ready);
	list_init(&loop->deferred);
	pthread_mutex_init(&loop->post_lock, NULL);
	loop->now_ns = engine->clock(loop);
}

void loop_fini(struct loop *loop)
{
	CHECK(loop->n_busy == 0);
	CHECK(loop->n_timers == 0);
	CHECK(loop->posts == NULL && loop->posts_run == NULL);
	xfree(loop->heap);
	pthread_mutex_destroy(&loop->post_lock);
}

bool loop_engine_parse(const char *word, enum loop_engine *engine)
{
	static const char *const words[] = { [LOOP_AUTO] = "auto", [LOOP_IO_URING] = "io_uring", [LOOP_EPOLL] = "epoll" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*engine = (enum loop_engine)i;
			return true;
		}
	return false;
}

struct loop *loop_create(enum loop_engine engine, struct err *err)
{
	struct err no_ring = { 0 };
	struct loop *loop;

	if (engine == LOOP_EPOLL) {
		loop = loop_epoll_create(err);
		if (loop != NULL)
			snprintf(loop->why, sizeof(loop->why), "asked for");
		return loop;
	}
	loop = loop_uring_create(&no_ring);
	if (loop != NULL) {
		snprintf(loop->why, sizeof(loop->why), "%s",
		         engine == LOOP_AUTO ? "the kernel has it" : "asked for");
		return loop;
	}
	if (engine == LOOP_IO_URING) {
		*err = no_ring;
		return NULL;
	}
	loop = loop_epoll_create(err);
	if (loop != NULL)
		snprintf(loop->why, sizeof(loop->why), "%s", no_ring.text);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (loop != NULL)
		loop->engine->destroy(loop);
}

const char *loop_engine_name(const struct loop *loop)
{
	return loop->engine->name;
}

const char *loop_engine_why(const struct loop *loop)
{
	return loop->why;
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now_ns;
}

int loop_socket(struct loop *loop, int family, const struct socket_opts *opts)
{
	int fd = loop->engine->socket(loop, family);

	if (fd >= 0)
		loop->engine->tune(loop, fd, opts);
	return fd;
}

void loop_socket_tune(struct loop *loop, int fd, const struct socket_opts *opts)
{
	loop->engine->tune(loop, fd, opts);
}

bool loop_socket_peer(struct loop *loop, int fd, struct sockaddr_storage *addr)
{
	return loop->engine->peer(loop, fd, addr);
}

/* ---- operations ---- */

static void occupy(struct loop *loop, struct op *op, enum op_kind kind, int fd)
{
	CHECK(!op->busy_ && op->done != NULL);
	op->loop_ = loop;
	op->kind_ = (uint8_t)kind;
	op->place_ = PLACE_FLIGHT;
	op->fd_ = fd;
	op->busy_ = true;
	op->cancelled_ = false;
	loop->n_busy++;
}

void loop_complete(struct loop *loop, struct op *op, int res)
{
	CHECK(op->busy_ && op->place_ != PLACE_READY);
	op->res_ = res;
	op->place_ = PLACE_READY;
	list_push_back(&loop->ready, &op->node_);
}

void loop_connect(struct loop *loop, struct op *op, int fd, const struct sockaddr *addr, socklen_t len)
{
	CHECK(len <= sizeof(op->u_.addr.addr));
	occupy(loop, op, OP_CONNECT, fd);
	memcpy(&op->u_.addr.addr, addr, len);
	op->u_.addr.len = len;
	loop->engine->start(loop, op);
}

void loop_accept(struct loop *loop, struct op *op, int fd)
{
	occupy(loop, op, OP_ACCEPT, fd);
	loop->engine->start(loop, op);
}

void loop_recv(struct loop *loop, struct op *op, int fd, void *buf, size_t len)
{
	occupy(loop, op, OP_RECV, fd);
	op->u_.recv.buf = buf;
	op->u_.recv.len = MIN(len, (size_t)INT_MAX);
	loop->engine->start(loop, op);
}

void loop_sendv(struct loop *loop, struct op *op, int fd, const struct iovec *iov, int n)
{
	CHECK(n > 0 && n <= IOV_MAX);
	occupy(loop, op, OP_SENDV, fd);
	memset(&op->u_.msg, 0, sizeof(op->u_.msg));
	/* msghdr is used for both directions and therefore not const; sending only reads. */
	memcpy(&op->u_.msg.msg_iov, &iov, sizeof(iov));
	op->u_.msg.msg_iovlen = (size_t)n;
	loop->engine->start(loop, op);
}

void loop_cancel(struct loop *loop, struct op *op)
{
	if (!op->busy_ || op->place_ == PLACE_READY || op->cancelled_)
		return;
	op->cancelled_ = true;
	loop->engine->cancel(loop, op);
}

void loop_close(struct loop *loop, int fd)
{
	loop->engine->close(loop, fd);
}

void loop_defer(struct loop *loop, struct op *op, int res)
{
	occupy(loop, op, OP_DEFER, -1);
	op->res_ = res;
	op->place_ = PLACE_READY;
	list_push_back(&loop->deferred, &op->node_);
}

static void run_ops(struct loop *loop, struct list *queue)
{
	struct list now;

	list_init(&now);
	list_splice(&now, queue);
	while (!list_empty(&now)) {
		struct op *op = list_entry(now.next, struct op, node_);

		list_del(&op->node_);
		op->busy_ = false;
		op->place_ = PLACE_NONE;
		loop->n_busy--;
		op->done(op, op->res_);
	}
}

/* ---- posts ---- */

void loop_post(struct loop *loop, struct post *post)
{
	bool own = atomic_load(&loop->owned) && pthread_equal(pthread_self(), loop->thread);

	pthread_mutex_lock(&loop->post_lock);
	post->next_ = loop->posts;
	loop->posts = post;
	atomic_store(&loop->has_posts, true);
	/* When others are there already, the one that came first has woken the loop; its own thread is awake. */
	if (post->next_ == NULL && !own)
		loop->engine->wake(loop);
	pthread_mutex_unlock(&loop->post_lock);
}

static void take_posts(struct loop *loop)
{
	struct post *post, *next, *oldest_first = NULL;

	if (!atomic_load(&loop->has_posts))
		return;
	pthread_mutex_lock(&loop->post_lock);
	post = loop->posts;
	loop->posts = NULL;
	atomic_store(&loop->has_posts, false);
	pthread_mutex_unlock(&loop->post_lock);
	for (; post != NULL; post = next) {
		next = post->next_;
		post->next_ = oldest_first;
		oldest_first = post;
	}
	loop->posts_run = oldest_first;
}

static void run_posts(struct loop *loop)
{
	take_posts(loop);
	while (loop->posts_run != NULL) {
		struct post *post = loop->posts_run;

		loop->posts_run = post->next_;
		post->next_ = NULL;
		post->run(post);
	}
}

static bool unlink_post(struct post **head, struct post *post)
{
	for (; *head != NULL; head = &(*head)->next_)
		if (*head == post) {
			*head = post->next_;
			post->next_ = NULL;
			return true;
		}
	return false;
}

bool loop_unpost(struct loop *loop, struct post *post)
{
	bool found;

	if (unlink_post(&loop->posts_run, post))
		return true;
	pthread_mutex_lock(&loop->post_lock);
	found = unlink_post(&loop->posts, post);
	pthread_mutex_unlock(&loop->post_lock);
	return found;
}

/* ---- timers: a binary heap by (time, order of setting); index_ is the place + 1 ---- */

static bool earlier(const struct timer *a, const struct timer *b)
{
	return a->at_ns_ != b->at_ns_ ? a->at_ns_ < b->at_ns_ : (int32_t)(a->seq_ - b->seq_) < 0;
}

static void put(struct loop *loop, uint32_t at, struct timer *timer)
{
	loop->heap[at] = timer;
	timer->index_ = at + 1;
}

static void sift_up(struct loop *loop, uint32_t at, struct timer *timer)
{
	while (at > 0 && earlier(timer, loop->heap[(at - 1) / 2])) {
		put(loop, at, loop->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(loop, at, timer);
}

static void sift_down(struct loop *loop, uint32_t at, struct timer *timer)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < loop->n_timers && earlier(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (child >= loop->n_timers || !earlier(loop->heap[child], timer))
			break;
		put(loop, at, loop->heap[child]);
		at = child;
	}
	put(loop, at, timer);
}

void loop_timer_clear(struct timer *timer)
{
	struct loop *loop = timer->loop_;
	struct timer *last;
	uint32_t at;

	if (timer->index_ == 0)
		return;
	at = timer->index_ - 1;
	timer->index_ = 0;
	last = loop->heap[--loop->n_timers];
	if (last == timer)
		return;
	if (at > 0 && earlier(last, loop->heap[(at - 1) / 2]))
		sift_up(loop, at, last);
	else
		sift_down(loop, at, last);
}

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t at_ns)
{
	CHECK(timer->done != NULL);
	loop_timer_clear(timer);
	if (loop->n_timers == loop->heap_cap) {
		loop->heap_cap = MAX(16U, loop->heap_cap * 2);
		loop->heap = xrealloc(loop->heap, loop->heap_cap, sizeof(struct timer *));
	}
	timer->loop_ = loop;
	timer->at_ns_ = at_ns;
	timer->seq_ = loop->timer_seq++;
	sift_up(loop, loop->n_timers++, timer);
}

/* Those that were set before this round began: one that sets itself to "now" comes again in the next round. */
static void run_timers(struct loop *loop)
{
	uint32_t end = loop->timer_seq;

	while (loop->n_timers > 0 && loop->heap[0]->at_ns_ <= loop->now_ns) {
		struct timer *timer = loop->heap[0];

		if ((int32_t)(timer->seq_ - end) >= 0)
			break;
		loop_timer_clear(timer);
		timer->done(timer);
	}
}

/* ---- rounds ---- */

static void own(struct loop *loop)
{
	if (atomic_load(&loop->owned)) {
		CHECK(pthread_equal(loop->thread, pthread_self()));
		return;
	}
	loop->thread = pthread_self();
	atomic_store(&loop->owned, true);
}

static int64_t wait_until(const struct loop *loop, int64_t deadline_ns)
{
	if (!list_empty(&loop->ready) || !list_empty(&loop->deferred) || atomic_load(&loop->has_posts))
		return INT64_MIN;
	if (loop->n_timers > 0)
		return MIN(deadline_ns, loop->heap[0]->at_ns_);
	return deadline_ns;
}

void loop_step(struct loop *loop, int64_t deadline_ns)
{
	own(loop);
	loop->engine->wait(loop, wait_until(loop, deadline_ns));
	loop->now_ns = loop->engine->clock(loop);
	run_ops(loop, &loop->ready);
	run_timers(loop);
	run_posts(loop);
	for (int i = 0; i < DEFER_PASSES && !list_empty(&loop->deferred); i++)
		run_ops(loop, &loop->deferred);
}

void loop_run(struct loop *loop)
{
	while (!loop->stop)
		loop_step(loop, INT64_MAX);
	loop->stop = false;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
