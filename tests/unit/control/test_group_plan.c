/* SPDX-License-Identifier: Apache-2.0 */
/* What consumer offset sync does with one group. */
#include "control/group_memory.h"
#include "control/group_plan.h"
#include "control/group_sync.h"
#include "control/keys.h"
#include "test_control.h"

/* A group at 50 on both sides of a log that has 0 to 100. */
static struct group_position level(void)
{
	return (struct group_position){ .source = 50, .destination = 50, .log_start = 0, .high_watermark = 100,
					.wrote = -1, .same_metadata = true };
}

static enum group_step step(const struct group_position *p, int64_t target)
{
	int64_t got;
	enum group_step step = group_plan_step(p, &got);

	ck_assert_int_eq(got, target);
	return step;
}

START_TEST(equal_offsets_are_left_alone_until_they_would_expire)
{
	struct group_position p = level();

	ck_assert_int_eq(step(&p, 50), GROUP_STEP_KEEP);
	p.expires = true;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_COMMIT);
	p.expires = false;
	p.same_metadata = false;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_COMMIT);
}
END_TEST

START_TEST(a_group_that_is_not_there_is_written_also_at_0)
{
	struct group_position p = level();

	p.destination = -1;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_COMMIT);
	p.source = 0;
	ck_assert_int_eq(step(&p, 0), GROUP_STEP_COMMIT);
	p.high_watermark = 0;
	ck_assert_int_eq(step(&p, 0), GROUP_STEP_COMMIT);
}
END_TEST

START_TEST(nothing_goes_beyond_the_log)
{
	struct group_position p = level();

	p.source = 150;
	ck_assert_int_eq(step(&p, 100), GROUP_STEP_COMMIT);
	p.destination = 100;
	ck_assert_int_eq(step(&p, 100), GROUP_STEP_KEEP);
	ck_assert_int_eq(group_plan_behind(&p), 50);
	p = level();
	p.log_start = 80;
	p.destination = -1;
	ck_assert_int_eq(step(&p, 80), GROUP_STEP_COMMIT);
	ck_assert_int_eq(group_plan_behind(&p), 0);
}
END_TEST

START_TEST(an_unknown_end_decides_nothing)
{
	struct group_position p = level();

	p.destination = 10;
	p.high_watermark = -1;
	ck_assert_int_eq(step(&p, -1), GROUP_STEP_UNKNOWN);
	p = level();
	p.log_start = -1;
	ck_assert_int_eq(step(&p, -1), GROUP_STEP_UNKNOWN);
	p.log_start = 101;   /* the two readings contradict each other */
	ck_assert_int_eq(step(&p, -1), GROUP_STEP_UNKNOWN);
	p = level();
	p.source = -1;
	ck_assert_int_eq(step(&p, -1), GROUP_STEP_UNKNOWN);
}
END_TEST

START_TEST(only_what_was_written_from_here_is_moved_back)
{
	struct group_position p = level();

	p.destination = 60;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_AHEAD);
	p.wrote = 59;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_AHEAD);
	p.expires = true;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_AHEAD);
	p.wrote = 60;
	ck_assert_int_eq(step(&p, 50), GROUP_STEP_COMMIT);
	p.source = 60;   /* forward it may go over anybody's */
	p.wrote = -1;
	p.destination = 55;
	ck_assert_int_eq(step(&p, 60), GROUP_STEP_COMMIT);
}
END_TEST

START_TEST(a_partition_that_differs_is_not_followed)
{
	struct group_position p = level();

	p.destination = -1;
	p.failed = true;
	ck_assert_int_eq(step(&p, -1), GROUP_STEP_FAILED);
}
END_TEST

START_TEST(failover_takes_back_what_is_beyond_the_end)
{
	ck_assert(group_plan_clamps(101, 100));
	ck_assert(!group_plan_clamps(100, 100));
	ck_assert(!group_plan_clamps(0, 0));
	ck_assert(!group_plan_clamps(5, -1));
}
END_TEST

START_TEST(only_groups_of_consumers_are_kept_in_step)
{
	static const struct {
		struct group_kind kind;
		bool consumer, live;
	} cases[] = {
		{ { "consumer", "Classic", "Stable" }, true, true },
		{ { "consumer", "consumer", "Empty" }, true, false },
		{ { "consumer", "Consumer", "Assigning" }, true, true },
		{ { "consumer", "Consumer", "Reconciling" }, true, true },
		{ { "consumer", NULL, "PreparingRebalance" }, true, true },
		{ { "", "classic", "Empty" }, true, false },
		{ { "", NULL, "Dead" }, true, false },
		{ { "consumer", NULL, NULL }, true, false },
		{ { "share", "share", "Stable" }, false, true },
		{ { "streams", "Streams", "Empty" }, false, false },
		{ { "connect", "classic", "Stable" }, false, true },
		{ { "krmirror", NULL, "Stable" }, false, true },
		{ { "sr", "classic", "Empty" }, false, false },
	};

	ck_assert(group_is_consumer(&cases[_i].kind) == cases[_i].consumer);
	ck_assert(group_is_live(&cases[_i].kind) == cases[_i].live);
}
END_TEST

static bool takes(const char *filters, const char *group)
{
	json_t *json = json_loads(filters, 0, NULL);
	bool taken = group_filter_takes(json, group);

	json_decref(json);
	return taken;
}

START_TEST(filters_take_by_name_and_prefix_and_exclude_wins)
{
	static const char all[] = "{\"groupFilters\":[{\"name\":\"*\",\"patternType\":\"literal\",\"filterType\":\"include\"},"
				  "{\"name\":\"test\",\"patternType\":\"PREFIXED\",\"filterType\":\"EXCLUDE\"}]}";
	static const char one[] = "{\"groupFilters\":[{\"name\":\"a\",\"patternType\":\"LITERAL\","
				  "\"filterType\":\"WHITELIST\"}]}";

	ck_assert(takes(all, "billing"));
	ck_assert(!takes(all, "test-1"));
	ck_assert(!takes(all, "krmirror-drill-7"));
	ck_assert(takes(one, "a"));
	ck_assert(!takes(one, "ab"));
	ck_assert(!takes("{\"groupFilters\":[]}", "a"));
	ck_assert(!group_filter_takes(NULL, "a"));
}
END_TEST

START_TEST(each_group_is_committed_again_once_a_day)
{
	int64_t day = group_plan_day("billing", INT64_C(1700000000000));
	int moved = 0;

	for (int64_t hour = 1; hour <= 24; hour++)
		moved += group_plan_day("billing", INT64_C(1700000000000) + hour * 3600000) == day + 1;
	ck_assert_int_gt(moved, 0);
	ck_assert_int_eq(group_plan_day("billing", INT64_C(1700000000000) + 86400000), day + 1);
}
END_TEST

START_TEST(what_was_written_is_remembered_by_partition)
{
	struct group_memory *memory = group_memory_create();
	struct group_known *known = group_memory_get(memory, "g");

	ck_assert_ptr_eq(group_memory_get(memory, "g"), known);
	for (int i = 0; i < 50; i++)
		group_known_note(known, i % 2 ? "b" : "a", (i * 7) % 50, i);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(group_known_wrote(known, i % 2 ? "b" : "a", (i * 7) % 50), i);
	group_known_note(known, "a", 0, 99);
	ck_assert_int_eq(group_known_wrote(known, "a", 0), 99);
	ck_assert_int_eq(group_known_wrote(known, "c", 0), -1);
	group_known_forget(known);
	ck_assert_int_eq(group_known_wrote(known, "a", 0), -1);
	group_memory_destroy(memory);
}
END_TEST

TCase *group_plan_tests(void)
{
	TCase *tc = tcase_create("group_plan");

	tcase_add_test(tc, equal_offsets_are_left_alone_until_they_would_expire);
	tcase_add_test(tc, a_group_that_is_not_there_is_written_also_at_0);
	tcase_add_test(tc, nothing_goes_beyond_the_log);
	tcase_add_test(tc, an_unknown_end_decides_nothing);
	tcase_add_test(tc, only_what_was_written_from_here_is_moved_back);
	tcase_add_test(tc, a_partition_that_differs_is_not_followed);
	tcase_add_test(tc, failover_takes_back_what_is_beyond_the_end);
	tcase_add_loop_test(tc, only_groups_of_consumers_are_kept_in_step, 0, 13);
	tcase_add_test(tc, filters_take_by_name_and_prefix_and_exclude_wins);
	tcase_add_test(tc, each_group_is_committed_again_once_a_day);
	tcase_add_test(tc, what_was_written_is_remembered_by_partition);
	return tc;
}
