/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted goes on in other data loops, however many there are, and under the same names of links. */
#include "client/group_share.h"
#include "krmirrord/ledger.h"
#include "test_krmirrord.h"

enum { PARTITIONS = 12, LOOPS_MAX = 4 };

static uint64_t *written(struct ledger *ledger, int32_t p)
{
	struct mirror_counts *loop = &ledger->loops[share_loop(ledger->n_loops, "east", "orders", p)];

	return &totals_lane(&loop->totals, "east", "orders", p)->written_records;
}

/* From as many loops as _i tells to as many more. */
START_TEST(what_was_counted_goes_where_the_lanes_go)
{
	struct ledger ledger = { 0 };
	int n = _i % LOOPS_MAX + 1, n_to = _i / LOOPS_MAX + 1;
	uint64_t throttled = 0, errors = 0;

	ledger_loops(&ledger, n);
	for (int32_t p = 0; p < PARTITIONS; p++)
		*written(&ledger, p) = 100 + (uint64_t)p;
	for (int i = 0; i < n; i++) {
		totals_link(&ledger.loops[i].totals, "east")->client.throttle_ms = 7;
		client_counts_error(&ledger.loops[i].destination, "Produce", "NOT_LEADER_OR_FOLLOWER");
		ledger.loops[i].cpu_ns = 1000 * (i + 1);
	}
	ledger_loops(&ledger, n_to);
	ck_assert_int_eq(ledger.n_loops, n_to);
	for (int32_t p = 0; p < PARTITIONS; p++)
		ck_assert_uint_eq(*written(&ledger, p), 100 + (uint64_t)p);
	for (int i = 0; i < n_to; i++) {
		throttled += totals_link(&ledger.loops[i].totals, "east")->client.throttle_ms;
		errors += ledger.loops[i].destination.n_errors > 0 ? ledger.loops[i].destination.errors[0].n : 0;
		ck_assert_int_eq(ledger.loops[i].cpu_ns, i < n ? 1000 * (i + 1) : 0);
	}
	ck_assert_uint_eq(throttled, 7 * (uint64_t)n);
	ck_assert_uint_eq(errors, (uint64_t)n);
	ledger_fini(&ledger);
}
END_TEST

START_TEST(a_link_that_comes_back_goes_on)
{
	struct ledger ledger = { 0 };

	ledger_link(&ledger, "east")->promoted = 2;
	ledger_link(&ledger, "west")->promoted = 3;
	ck_assert_uint_eq(ledger_link(&ledger, "east")->promoted, 2);
	ck_assert_int_eq(ledger.n_links, 2);
	ledger_fini(&ledger);
}
END_TEST

TCase *ledger_tests(void)
{
	TCase *tc = tcase_create("ledger");

	tcase_add_loop_test(tc, what_was_counted_goes_where_the_lanes_go, 0, LOOPS_MAX * LOOPS_MAX);
	tcase_add_test(tc, a_link_that_comes_back_goes_on);
	return tc;
}
