/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/fetch_wait.h"

struct fetch_waiter;

struct interest {
	struct list node;               /* in partition.waiters */
	struct fetch_waiter *waiter;
	int64_t stable;                 /* the last stable offset when it was looked at last */
};

struct fetch_waiter {
	struct request *req;
	struct list ready;              /* in sandbox.fetch_ready */
	int64_t missing;
	bool committed;
	void (*finish)(struct request *req);
	int32_t n;
	struct interest interests[];
};

static void leave(struct fetch_waiter *w)
{
	for (int32_t i = 0; i < w->n; i++)
		list_del(&w->interests[i].node);
	list_del(&w->ready);
	w->req->wait = NULL;
}

static void end(struct fetch_waiter *w)
{
	leave(w);
	w->finish(w->req);
}

static void expired(struct tick *tick)
{
	end(container_of(tick, struct request, tick)->wait);
}

/* What came since the last look that the waiter may read. */
static int64_t readable(struct interest *interest, const struct partition *p, int64_t stable)
{
	int64_t before = interest->stable;

	interest->stable = stable;
	if (!interest->waiter->committed)
		return (int64_t)p->appended;
	return stable > before ? (int64_t)plog_bytes_between(&p->log, before, stable) : 0;
}

static void look_at(struct sandbox *sb, struct partition *p)
{
	int64_t stable = partition_stable(p);
	struct list *pos;

	list_each(pos, &p->waiters) {
		struct interest *interest = list_entry(pos, struct interest, node);
		struct fetch_waiter *w = interest->waiter;

		w->missing -= readable(interest, p, stable);
		if (w->missing <= 0 && !list_linked(&w->ready))
			list_push_back(&sb->fetch_ready, &w->ready);
	}
	p->appended = 0;
}

void fetch_wait(struct request *req, const struct fetch_wait_opts *opts)
{
	struct fetch_waiter *w = request_alloc(req, sizeof(*w) + (size_t)opts->n * sizeof(w->interests[0]));

	w->req = req;
	w->missing = opts->missing;
	w->committed = opts->committed;
	w->finish = opts->finish;
	w->n = opts->n;
	for (int32_t i = 0; i < opts->n; i++)
		if (opts->partitions[i] != NULL) {
			/* What was appended before the wait is not what it waits for. */
			look_at(req->sb, opts->partitions[i]);
			w->interests[i].waiter = w;
			w->interests[i].stable = partition_stable(opts->partitions[i]);
			list_push_back(&opts->partitions[i]->waiters, &w->interests[i].node);
		}
	req->wait = w;
	request_park(req);
	req->tick.fire = expired;
	tick_set(&req->sb->ticker, &req->tick, req->sb->now_ms + opts->wait_ms);
}

void fetch_wait_wake(struct sandbox *sb)
{
	while (!list_empty(&sb->store.dirty)) {
		struct partition *p = list_first(&sb->store.dirty, struct partition, dirty_node);

		list_del(&p->dirty_node);
		look_at(sb, p);
	}
	while (!list_empty(&sb->fetch_ready))
		end(list_first(&sb->fetch_ready, struct fetch_waiter, ready));
}

void fetch_wait_end(struct partition *p)
{
	while (!list_empty(&p->waiters))
		end(list_first(&p->waiters, struct interest, node)->waiter);
}

void fetch_wait_clear_all(struct sandbox *sb)
{
	struct list *pos;

	list_each(pos, &sb->parked) {
		struct request *req = list_entry(pos, struct request, node);

		if (req->wait != NULL && req->tick.fire == expired)
			leave(req->wait);
	}
}
