/* SPDX-License-Identifier: Apache-2.0 */
/* The rate limit of a link: how much comes in a time, whatever an answer holds and however often it is asked. */
#include "base/clock.h"
#include "base/mem.h"
#include "mirror/rate.h"
#include "test_mirror.h"

enum { START_S = 1000, SECONDS = 20 };

static const int64_t limits[] = { 1000, 100000, 1 << 20, 50 << 20, INT64_C(1) << 30 };
static const int64_t batches[] = { 200, 16 << 10, 1 << 20, 10 << 20 };

/* Fetches as fast as it may for some seconds; an answer is as long as was asked for, or one batch. Returns what came. */
static int64_t run(struct rate *rate, int64_t now, int64_t end, int64_t batch, int64_t step_ns)
{
	int64_t came = 0;

	while (now < end) {
		int64_t wait = rate_wait_ns(rate, now), got = MAX(rate_slice(rate) / batch * batch, batch);

		if (wait > 0) {
			ck_assert_int_gt(wait, now);
			now = MIN(wait, now + step_ns);   /* looked at more often than needed */
			continue;
		}
		came += got;
		rate_take(rate, got, now);
	}
	return came;
}

START_TEST(it_holds_over_time)
{
	for (size_t b = 0; b < ARRAY_LEN(batches); b++)
		for (int often = 0; often < 2; often++) {
			struct rate rate = { 0 };
			int64_t start = START_S * NS_PER_S, end = start + SECONDS * NS_PER_S, got, most;

			rate_set(&rate, limits[_i], start);
			got = run(&rate, start, end, batches[b], often ? NS_PER_MS : INT64_C(1) << 60);
			most = limits[_i] * SECONDS + MAX(batches[b], (int64_t)rate_slice(&rate));
			ck_assert_int_le(got, most);
			ck_assert_int_ge(got, limits[_i] * SECONDS - 2 * MAX(batches[b], (int64_t)rate_slice(&rate)));
		}
}
END_TEST

START_TEST(what_was_not_used_is_kept_for_a_moment_only)
{
	struct rate rate = { 0 };
	int64_t now = START_S * NS_PER_S, got;

	rate_set(&rate, 1 << 20, now);
	now += 3600 * NS_PER_S;
	got = run(&rate, now, now + NS_PER_S, 1000, INT64_C(1) << 60);
	ck_assert_int_le(got, (1 << 20) + 3 * rate_slice(&rate));
}
END_TEST

START_TEST(a_debt_is_paid_before_anything_else)
{
	struct rate rate = { 0 };
	int64_t now = START_S * NS_PER_S, wait;

	rate_set(&rate, 1 << 20, now);
	rate_take(&rate, 100 << 20, now);
	wait = rate_wait_ns(&rate, now);
	ck_assert_int_gt(wait - now, 99 * NS_PER_S);
	ck_assert(rate_holds(&rate, now));
	/* also when the limit is another one: ten times as fast */
	rate_set(&rate, 10 << 20, now);
	wait = rate_wait_ns(&rate, now);
	ck_assert(wait - now > 9 * NS_PER_S && wait - now < 11 * NS_PER_S);
	rate_set(&rate, 0, now);
	ck_assert_int_eq(rate_wait_ns(&rate, now), 0);
	ck_assert(!rate_holds(&rate, now));
}
END_TEST

START_TEST(without_a_limit_nothing_is_counted)
{
	struct rate rate = { 0 };

	ck_assert(!rate_limits(&rate));
	rate_take(&rate, INT64_MAX, 5);
	ck_assert_int_eq(rate_wait_ns(&rate, 5), 0);
	ck_assert_int_eq(rate.bytes, 0);
}
END_TEST

START_TEST(no_limit_is_too_large)
{
	struct rate rate = { 0 };
	int64_t now = START_S * NS_PER_S;

	rate_set(&rate, INT64_MAX, now);
	now += 400 * 86400 * NS_PER_S;
	ck_assert_int_eq(rate_wait_ns(&rate, now), 0);
	rate_take(&rate, 1 << 30, now);
	ck_assert_int_lt(rate_wait_ns(&rate, now), now + NS_PER_S);
}
END_TEST

TCase *rate_tests(void)
{
	TCase *tc = tcase_create("rate");

	tcase_add_loop_test(tc, it_holds_over_time, 0, ARRAY_LEN(limits));
	tcase_add_test(tc, what_was_not_used_is_kept_for_a_moment_only);
	tcase_add_test(tc, a_debt_is_paid_before_anything_else);
	tcase_add_test(tc, without_a_limit_nothing_is_counted);
	tcase_add_test(tc, no_limit_is_too_large);
	return tc;
}
