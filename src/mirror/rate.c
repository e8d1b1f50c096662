/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/rate.h"

#include "base/clock.h"
#include "base/mem.h"

enum { SLICES_A_SECOND = 16, SLICE_MIN = 16 << 10, SLICE_MAX = 4 << 20, SLICES_KEPT = 2, HELD_MS = 2000 };

#define RATE_MAX (INT64_C(8) << 30)

int32_t rate_slice(const struct rate *rate)
{
	return (int32_t)MIN(MAX(rate->bytes_per_s / SLICES_A_SECOND, (int64_t)SLICE_MIN), (int64_t)SLICE_MAX);
}

static int64_t time_of(const struct rate *rate, int64_t bytes)
{
	return bytes / rate->bytes_per_s * NS_PER_S + bytes % rate->bytes_per_s * NS_PER_S / rate->bytes_per_s;
}

/* What was not used is kept for a moment only. The time that makes no whole byte is not lost. */
static void fill(struct rate *rate, int64_t now_ns)
{
	int64_t most = (int64_t)rate_slice(rate) * SLICES_KEPT, elapsed = MAX(now_ns - rate->at_ns, INT64_C(0));
	int64_t more = elapsed / NS_PER_S * rate->bytes_per_s + elapsed % NS_PER_S * rate->bytes_per_s / NS_PER_S;

	if (more == 0)
		return;
	rate->bytes += more;
	rate->at_ns += time_of(rate, more);
	rate->bytes = MIN(rate->bytes, most);
}

void rate_set(struct rate *rate, int64_t bytes_per_s, int64_t now_ns)
{
	if (rate_limits(rate))
		fill(rate, now_ns);
	if (bytes_per_s == 0 || !rate_limits(rate))
		*rate = (struct rate){ 0 };
	rate->bytes_per_s = MIN(bytes_per_s, RATE_MAX);
	rate->at_ns = now_ns;
	rate->bytes = MIN(rate->bytes, (int64_t)rate_slice(rate) * SLICES_KEPT);
}

int64_t rate_wait_ns(struct rate *rate, int64_t now_ns)
{
	int64_t missing;

	if (!rate_limits(rate))
		return 0;
	fill(rate, now_ns);
	missing = rate_slice(rate) - rate->bytes;
	if (missing <= 0)
		return 0;
	rate->held_ns = now_ns;
	return now_ns + time_of(rate, missing) + 1;
}

void rate_take(struct rate *rate, int64_t bytes, int64_t now_ns)
{
	if (!rate_limits(rate))
		return;
	fill(rate, now_ns);
	rate->bytes -= bytes;
}

bool rate_holds(const struct rate *rate, int64_t now_ns)
{
	return rate_limits(rate) && rate->held_ns != 0 && now_ns - rate->held_ns < HELD_MS * NS_PER_MS;
}
