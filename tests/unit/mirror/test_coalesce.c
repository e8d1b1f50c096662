/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "mirror/coalesce.h"
#include "test_mirror.h"

enum { TICK_MS = 250, RATE = 800, PER_MERGED = 20 };

/* A lane in numbers: `inflow` batches a second come in at the source, `rate` appends a second are taken. */
struct model {
	struct coalesce c;
	struct coalesce_sample s;
	int64_t records;                /* of a batch */
	int64_t bytes;
	int64_t backlog;                /* batches that are not appended */
	int64_t lag_ms_max;
};

static void run(struct model *m, int64_t inflow, int ms)
{
	for (int at = 0; at < ms; at += TICK_MS) {
		int64_t per_append = m->c.on ? PER_MERGED : 1, taken;

		m->backlog += inflow * TICK_MS / 1000;
		m->s.source_end += inflow * TICK_MS / 1000 * m->records;
		taken = MIN(m->backlog, RATE * per_append * TICK_MS / 1000);
		m->backlog -= taken;
		m->s.appended += (uint64_t)(taken / per_append);
		m->s.fetched += (uint64_t)taken;
		m->s.fetched_bytes += (uint64_t)(taken * m->bytes);
		m->s.fetched_offsets += (uint64_t)(taken * m->records);
		m->s.position += taken * m->records;
		m->s.waiting = m->backlog > 0 ? 5 : 0;
		m->s.always = m->backlog > 0;
		m->s.now_ns += TICK_MS * NS_PER_MS;
		coalesce_sample(&m->c, &m->s);
		if (inflow > 0)
			m->lag_ms_max = MAX(m->lag_ms_max, m->backlog * 1000 / inflow);
	}
}

static struct model model(int64_t bytes, int64_t backlog)
{
	struct model m = { .records = 3, .bytes = bytes, .backlog = backlog };

	m.s.source_end = backlog * m.records;
	return m;
}

START_TEST(a_lane_that_keeps_up_never_merges)
{
	struct model m = model(500, 0);

	for (int64_t inflow = 0; inflow <= RATE; inflow += 50) {
		run(&m, inflow, 10000);
		ck_assert(!m.c.on);
	}
	/* A burst that is done within seconds. */
	m.backlog += RATE * 5;
	m.s.source_end += RATE * 5 * m.records;
	for (int i = 0; i < 60; i++) {
		run(&m, 100, TICK_MS);
		ck_assert(!m.c.on);
	}
}
END_TEST

START_TEST(more_than_the_partition_takes_is_merged_before_it_lags_a_second)
{
	struct model m = model(500, 0);

	run(&m, 5000, 60000);
	ck_assert(m.c.on);
	ck_assert_msg(m.lag_ms_max < 1000, "%lld ms", (long long)m.lag_ms_max);
	run(&m, 100, 5000);
	ck_assert(!m.c.on && m.backlog == 0);
}
END_TEST

START_TEST(a_backlog_is_merged_until_its_end)
{
	struct model m = model(500, 1000000);
	int seconds = 0;

	for (; m.backlog > 0 && seconds < 1000; seconds++)
		run(&m, 0, 1000);
	ck_assert_msg(seconds < 1000000 / (RATE * PER_MERGED) + 10, "%d s", seconds);
	ck_assert(!m.c.on);
}
END_TEST

/* A lane reads far ahead; what it read before anything was measured may be all that it reads for long. */
START_TEST(what_was_fetched_at_first_counts)
{
	struct coalesce c = { 0 };
	struct coalesce_sample s = { .fetched = 40000, .fetched_bytes = 40000 * 100, .fetched_offsets = 40000,
				     .source_end = 40000, .position = 40000, .waiting = 40000, .always = true };

	for (int i = 0; i < 4; i++) {
		coalesce_sample(&c, &s);
		s.now_ns += TICK_MS * NS_PER_MS;
		s.appended += RATE / 4;
		s.waiting -= RATE / 4;
	}
	ck_assert(c.on);
}
END_TEST

START_TEST(large_batches_are_never_merged)
{
	struct model m = model(64 << 10, 1000000);

	for (int i = 0; i < 100; i++) {
		run(&m, 5000, TICK_MS);
		ck_assert(!m.c.on);
	}
}
END_TEST

TCase *coalesce_tests(void)
{
	TCase *tc = tcase_create("coalesce");

	tcase_add_test(tc, a_lane_that_keeps_up_never_merges);
	tcase_add_test(tc, more_than_the_partition_takes_is_merged_before_it_lags_a_second);
	tcase_add_test(tc, a_backlog_is_merged_until_its_end);
	tcase_add_test(tc, what_was_fetched_at_first_counts);
	tcase_add_test(tc, large_batches_are_never_merged);
	return tc;
}
