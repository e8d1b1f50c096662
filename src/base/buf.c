/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <sys/mman.h>

/* Freed buffers are kept by class, from 4 KiB to 16 MiB, four to every power of two: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20
 * KiB and so on. Larger ones go back to the system at once, so that resident memory follows the budget and not the
 * largest frame ever seen. Memory that is had anew costs more than all else that is done with it (the kernel clears
 * it page by page), so a somewhat larger buffer that was kept is taken rather. */
enum { CLASS_MIN = 12, CLASS_MAX = 24, STEPS = 4, N_CLASSES = (CLASS_MAX - CLASS_MIN) * STEPS + 1 };
/* What is kept for use again may be this part of the budget. */
enum { KEEP_DIVISOR = 2 };

struct buf_pool {
	size_t budget, used, kept;
	size_t n_out;
	bool oversize_out;
	struct list free[N_CLASSES];
	struct list waiters;
};

struct buf_pool *buf_pool_create(size_t budget)
{
	struct buf_pool *pool = xcalloc(1, sizeof(*pool));

	pool->budget = budget;
	for (int i = 0; i < N_CLASSES; i++)
		list_init(&pool->free[i]);
	list_init(&pool->waiters);
	return pool;
}

/* -1 for what is too large for a class: rounded up to pages. */
static size_t round_up(size_t cap, int *class)
{
	size_t base = (size_t)1 << CLASS_MIN;
	int c = 0;

	while (c < N_CLASSES - 1 && base * 2 <= cap) {
		base *= 2;
		c += STEPS;
	}
	for (size_t step = base / STEPS; c < N_CLASSES && base < cap; base += step)
		c++;
	*class = base >= cap && c < N_CLASSES ? c : -1;
	return *class >= 0 ? base : (cap + 4095) & ~(size_t)4095;
}

static void release(struct buf *buf)
{
	munmap(buf->data, buf->charged_);
	xfree(buf);
}

/* Gives memory back to the system, the largest first, until no more than so much is kept. */
static void drop_kept(struct buf_pool *pool, size_t most)
{
	for (int i = N_CLASSES - 1; i >= 0 && pool->kept > most; i--)
		while (!list_empty(&pool->free[i]) && pool->kept > most) {
			struct buf *buf = list_first(&pool->free[i], struct buf, node_);

			list_del(&buf->node_);
			pool->kept -= buf->charged_;
			release(buf);
		}
}

void buf_pool_destroy(struct buf_pool *pool)
{
	CHECK(pool->n_out == 0);
	drop_kept(pool, 0);
	xfree(pool);
}

/* One of the class, or up to about twice as large when the budget allows it. */
static struct buf *take_kept(struct buf_pool *pool, int class)
{
	if (class < 0)
		return NULL;
	for (int i = class; i < MIN(class + STEPS, (int)N_CLASSES); i++) {
		struct buf *buf;

		if (list_empty(&pool->free[i]))
			continue;
		buf = list_first(&pool->free[i], struct buf, node_);
		if (pool->used + buf->charged_ > pool->budget)
			return NULL;
		list_del(&buf->node_);
		pool->kept -= buf->charged_;
		return buf;
	}
	return NULL;
}

static struct buf *create(struct buf_pool *pool, size_t size)
{
	struct buf *buf = xcalloc(1, sizeof(*buf));

	buf->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf->data == MAP_FAILED)
		check_failed(__FILE__, __LINE__, "out of memory for a buffer");
	buf->pool = pool;
	buf->charged_ = size;
	return buf;
}

struct buf *buf_get(struct buf_pool *pool, size_t cap)
{
	int class;
	size_t size = round_up(cap, &class);
	bool oversize = size > pool->budget;
	struct buf *buf;

	if (oversize ? pool->oversize_out : pool->used + size > pool->budget)
		return NULL;
	buf = take_kept(pool, class);
	if (buf == NULL) {
		if (pool->used + pool->kept + size > pool->budget)
			drop_kept(pool, pool->budget - MIN(pool->used + size, pool->budget));
		buf = create(pool, size);
	}
	pool->used += buf->charged_;
	pool->n_out++;
	if (oversize)
		pool->oversize_out = true;
	buf->refs = 1;
	buf->cap = cap;
	buf->len = 0;
	return buf;
}

void buf_ref(struct buf *buf)
{
	buf->refs++;
}

static void put_back(struct buf_pool *pool, struct buf *buf)
{
	int class;
	size_t size = round_up(buf->charged_, &class);

	CHECK(size == buf->charged_);
	if (class < 0 || pool->kept + size > pool->budget / KEEP_DIVISOR) {
		release(buf);
		return;
	}
	pool->kept += size;
	list_push_front(&pool->free[class], &buf->node_);
}

static void wake_all(struct buf_pool *pool)
{
	struct list woken;

	list_init(&woken);
	list_splice(&woken, &pool->waiters);
	while (!list_empty(&woken)) {
		struct buf_waiter *w = list_first(&woken, struct buf_waiter, node_);

		list_del(&w->node_);
		w->wake(w);
	}
}

void buf_unref(struct buf *buf)
{
	struct buf_pool *pool;

	if (buf == NULL)
		return;
	CHECK(buf->refs > 0);
	if (--buf->refs > 0)
		return;
	pool = buf->pool;
	pool->used -= buf->charged_;
	pool->n_out--;
	if (buf->charged_ > pool->budget)
		pool->oversize_out = false;
	put_back(pool, buf);
	if (!list_empty(&pool->waiters))
		wake_all(pool);
}

void buf_pool_wait(struct buf_pool *pool, struct buf_waiter *waiter)
{
	if (!list_linked(&waiter->node_))
		list_push_back(&pool->waiters, &waiter->node_);
}

void buf_pool_unwait(struct buf_waiter *waiter)
{
	list_del(&waiter->node_);
}

size_t buf_pool_budget(const struct buf_pool *pool)
{
	return pool->budget;
}

size_t buf_pool_used(const struct buf_pool *pool)
{
	return pool->used;
}
