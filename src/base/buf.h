/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted buffers from a budget. One received frame is one buffer; its bytes are never changed after it
 * was filled. A pool and its buffers belong to one loop thread: nothing here is atomic.
 *
 * The budget bounds the sum of the capacities of the buffers that are out. Freed buffers of common sizes are kept
 * and used again last-in-first-out, so that the working set stays in the cache; what is kept counts as well, and
 * is given up before a request is refused. */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf_pool;

struct buf {
	struct buf_pool *pool;
	uint32_t refs;
	size_t cap;   /* bytes of data[] that may be used */
	size_t len;   /* bytes that are filled */
	uint8_t *data;
	/* private */
	size_t charged_;
	struct list node_;
};

/* Somebody who waits for budget. wake is called from buf_unref when bytes came back; it must not get a buffer
 * itself but may post work. */
struct buf_waiter {
	void (*wake)(struct buf_waiter *waiter);
	struct list node_;
};

struct buf_pool *buf_pool_create(size_t budget);
/* All buffers must have come back. */
void buf_pool_destroy(struct buf_pool *pool);

/* A buffer of at least cap bytes with one reference, or NULL when the budget is used up. One request that is
 * larger than the whole budget is granted while nothing else of that kind is out (DESIGN 6: one larger frame at a
 * time may exceed the budget). */
struct buf *buf_get(struct buf_pool *pool, size_t cap);
void buf_ref(struct buf *buf);
/* NULL is allowed. May call waiters. */
void buf_unref(struct buf *buf);

/* Calls waiter->wake once, when bytes come back. Waiting twice is the same as once. */
void buf_pool_wait(struct buf_pool *pool, struct buf_waiter *waiter);
void buf_pool_unwait(struct buf_waiter *waiter);

size_t buf_pool_budget(const struct buf_pool *pool);
/* Bytes that are out. */
size_t buf_pool_used(const struct buf_pool *pool);
