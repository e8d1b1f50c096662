/* SPDX-License-Identifier: Apache-2.0 */
/* The timers of the core, in its own clock. */
#pragma once

#include "base/list.h"

#include <stdint.h>

struct tick {
	void (*fire)(struct tick *tick);
	int64_t at_ms;
	struct list node;
};

struct ticker {
	struct list ticks;      /* in the order of at_ms, then of their setting */
};

void ticker_init(struct ticker *ticker);
/* (Re)sets. */
void tick_set(struct ticker *ticker, struct tick *tick, int64_t at_ms);
/* Nothing happens when it is not set. */
void tick_clear(struct tick *tick);
/* INT64_MAX: none is set. */
int64_t ticker_next(const struct ticker *ticker);
/* Takes out and fires what is due. */
void ticker_run(struct ticker *ticker, int64_t now_ms);
