/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ticker.h"

void ticker_init(struct ticker *ticker)
{
	list_init(&ticker->ticks);
}

void tick_set(struct ticker *ticker, struct tick *tick, int64_t at_ms)
{
	struct list *pos;

	list_del(&tick->node);
	tick->at_ms = at_ms;
	/* New ones mostly belong at the end. */
	pos = ticker->ticks.prev;
	while (pos != &ticker->ticks && list_entry(pos, struct tick, node)->at_ms > at_ms)
		pos = pos->prev;
	list_push_front(pos, &tick->node);
}

void tick_clear(struct tick *tick)
{
	list_del(&tick->node);
}

int64_t ticker_next(const struct ticker *ticker)
{
	if (list_empty(&ticker->ticks))
		return INT64_MAX;
	return list_entry(ticker->ticks.next, struct tick, node)->at_ms;
}

void ticker_run(struct ticker *ticker, int64_t now_ms)
{
	while (ticker_next(ticker) <= now_ms) {
		struct tick *tick = list_entry(ticker->ticks.next, struct tick, node);

		list_del(&tick->node);
		tick->fire(tick);
	}
}
