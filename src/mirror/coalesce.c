/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/coalesce.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	WINDOW_MS = 200,                /* shorter ones are joined */
	SMALL_BYTES = 8 << 10,
	LONG_MS = 10000,                /* of work: merging begins */
	HALF_MS = 500,                  /* the same when it will never be done */
	DONE_MS = 1000,                 /* merging may end */
	OVER_WINDOWS = 2,               /* in a row: one is a burst */
	UNDER_WINDOWS = 8,              /* in a row: producers pause */
	UNIT = 16
};

/* Follows quickly, and is not thrown off by one window. */
static int64_t smooth(int64_t old, int64_t now)
{
	return old == 0 ? now : (old + now) / 2;
}

static int64_t per_second(int64_t n, int64_t ns)
{
	return n * 1000 / MAX(ns / NS_PER_MS, 1);
}

/* Batches of the source in so many offsets. */
static int64_t batches_in(const struct coalesce *c, int64_t offsets)
{
	return c->offsets_ > 0 ? MAX(offsets, 0) * UNIT / c->offsets_ : 0;
}

static void measure(struct coalesce *c, const struct coalesce_sample *s)
{
	const struct coalesce_sample *l = &c->last_;
	int64_t ns = s->now_ns - l->now_ns, n = (int64_t)(s->fetched - l->fetched);

	if (n > 0) {
		c->bytes_ = smooth(c->bytes_, (int64_t)(s->fetched_bytes - l->fetched_bytes) * UNIT / n);
		c->offsets_ = smooth(c->offsets_, MAX((int64_t)(s->fetched_offsets - l->fetched_offsets) * UNIT / n, 1));
	}
	/* While batches are merged, appends say nothing of single ones. */
	if (!c->on && c->always_)
		c->rate_ = smooth(c->rate_, per_second((int64_t)(s->appended - l->appended), ns));
	c->inflow_ = per_second(batches_in(c, s->source_end - l->source_end), ns);
	c->over_ = c->rate_ > 0 && c->inflow_ > c->rate_ ? c->over_ + 1 : 0;
	c->under_ = c->inflow_ * 5 <= c->rate_ * 4 ? c->under_ + 1 : 0;
}

static bool decide(const struct coalesce *c, const struct coalesce_sample *s)
{
	int64_t work = s->waiting + batches_in(c, s->source_end - s->position), work_ms;

	if (c->rate_ == 0 || c->bytes_ == 0)
		return false;
	work_ms = work * 1000 / c->rate_;
	if (c->bytes_ >= SMALL_BYTES * UNIT)
		return false;
	if (c->on)
		return work_ms > DONE_MS || c->under_ < UNDER_WINDOWS;
	return work_ms > LONG_MS || (work_ms > HALF_MS && c->over_ >= OVER_WINDOWS);
}

bool coalesce_sample(struct coalesce *c, const struct coalesce_sample *s)
{
	if (!c->begun_) {
		c->begun_ = c->always_ = true;
		c->last_ = *s;
		/* What was fetched before the first sample tells of the batches too: more may come only much later. */
		c->last_.fetched = c->last_.fetched_bytes = c->last_.fetched_offsets = 0;
		return c->on;
	}
	c->always_ = c->always_ && s->always;
	if (s->now_ns - c->last_.now_ns < WINDOW_MS * NS_PER_MS)
		return c->on;
	measure(c, s);
	c->on = decide(c, s);
	c->last_ = *s;
	c->always_ = true;
	return c->on;
}

void coalesce_reset(struct coalesce *c)
{
	*c = (struct coalesce){ .bytes_ = c->bytes_, .offsets_ = c->offsets_ };
}
