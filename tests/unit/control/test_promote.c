/* SPDX-License-Identifier: Apache-2.0 */
/* The pure judgements of a promotion, and outcomes. */
#include "control/outcome.h"
#include "control/stop_door.h"
#include "control/promote_read.h"
#include "base/mem.h"
#include "test_control.h"

struct judged {
	int64_t stable[3], high[3], destination[3];
	enum reading_verdict verdict;
	int32_t partition;
	int64_t lag;
};

static const struct judged readings[] = {
	{ { 5, 0, 7 }, { 5, 0, 7 }, { 5, 0, 7 }, READING_LEVEL, -1, 0 },
	{ { 5, 2, 7 }, { 5, 2, 7 }, { 5, 0, 4 }, READING_LAG, 1, 5 },
	{ { 5, 2, 7 }, { 5, 3, 7 }, { 5, 2, 7 }, READING_OPEN, 1, 0 },
	{ { 5, 2, 7 }, { 5, 3, 7 }, { 4, 2, 7 }, READING_OPEN, 1, 1 },
	{ { 5, 2, 7 }, { 5, 2, 7 }, { 5, 2, 8 }, READING_AHEAD, 2, 0 },
	{ { 5, 2, 7 }, { 5, 2, 9 }, { 4, 2, 8 }, READING_OPEN, 2, 1 },
	{ { 5, 2, 7 }, { 6, 2, 7 }, { 5, 2, 9 }, READING_AHEAD, 2, 0 },
};

static struct reading reading_of(struct judged *j)
{
	return (struct reading){ .n = 3, .source_stable = j->stable, .source_high = j->high,
				 .destination = j->destination };
}

START_TEST(readings_are_judged)
{
	struct judged j = readings[_i];
	struct reading reading = reading_of(&j);
	int32_t partition;
	int64_t lag;

	ck_assert_int_eq(reading_judge(&reading, &partition, &lag), j.verdict);
	ck_assert_int_eq(partition, j.partition);
	ck_assert_int_eq(lag, j.lag);
}
END_TEST

START_TEST(a_source_that_moves_is_seen)
{
	struct judged a = readings[0], b = readings[0];
	struct reading before = reading_of(&a), after = reading_of(&b);

	ck_assert_int_eq(reading_moved(&before, &after), -1);
	b.high[1]++;
	ck_assert_int_eq(reading_moved(&before, &after), 1);
	b.high[1]--;
	b.destination[0]++;   /* the destination may */
	ck_assert_int_eq(reading_moved(&before, &after), -1);
	after.n = 2;
	ck_assert_int_eq(reading_moved(&before, &after), 2);
}
END_TEST

START_TEST(the_door_is_above_what_was_seen)
{
	struct admin_producer known = { .epoch = 0, .coordinator_epoch = -1 };
	struct admin_marker marker = { 0 };

	door_data_marker(NULL, &marker);
	ck_assert_int_eq(marker.producer_epoch, 1);
	ck_assert_int_eq(marker.coordinator_epoch, 0);
	door_data_marker(&known, &marker);
	ck_assert_int_eq(marker.producer_epoch, 1);
	ck_assert_int_eq(marker.coordinator_epoch, 0);
	known = (struct admin_producer){ .epoch = 4, .coordinator_epoch = 9 };
	door_data_marker(&known, &marker);
	ck_assert_int_eq(marker.producer_epoch, 5);
	ck_assert_int_eq(marker.coordinator_epoch, 9);
	known.epoch = 32767;
	door_data_marker(&known, &marker);
	ck_assert_int_eq(marker.producer_epoch, 32767);
	door_filler_marker(&marker);
	ck_assert_int_eq(marker.producer_epoch, 32767);
	ck_assert_int_eq(marker.coordinator_epoch, INT32_MAX);
}
END_TEST

START_TEST(the_worst_outcome_is_told)
{
	static const enum outcome order[] = {
		OUTCOME_DIVERGED, OUTCOME_AUTH, OUTCOME_DESTINATION_UNREACHABLE, OUTCOME_SOURCE_UNREACHABLE,
		OUTCOME_REFUSED, OUTCOME_TIMED_OUT, OUTCOME_USAGE, OUTCOME_FAILED, OUTCOME_DONE,
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		for (size_t j = 0; j < ARRAY_LEN(order); j++)
			ck_assert_int_eq(outcome_worse(order[i], order[j]), order[MIN(i, j)]);
}
END_TEST

START_TEST(errors_have_a_class)
{
	struct err err;

	err_set(&err, RC_CONNECT, "x");
	ck_assert_int_eq(outcome_of(&err, SIDE_SOURCE), OUTCOME_SOURCE_UNREACHABLE);
	ck_assert_int_eq(outcome_of(&err, SIDE_DESTINATION), OUTCOME_DESTINATION_UNREACHABLE);
	err_set(&err, RC_AUTH, "x");
	ck_assert_int_eq(outcome_of(&err, SIDE_SOURCE), OUTCOME_AUTH);
	err_set(&err, RC_EXISTS, "x");
	ck_assert_int_eq(outcome_of(&err, SIDE_SOURCE), OUTCOME_REFUSED);
	ck_assert_str_eq(outcome_word(OUTCOME_REFUSED, &err), "EXISTS");
	err_set(&err, RC_NOT_FOUND, "x");
	ck_assert_str_eq(outcome_word(outcome_of(&err, SIDE_SOURCE), &err), "NOT_FOUND");
	ck_assert_str_eq(outcome_word(OUTCOME_DONE, NULL), "NONE");
}
END_TEST

TCase *promote_tests(void)
{
	TCase *tc = tcase_create("promote");

	tcase_add_loop_test(tc, readings_are_judged, 0, ARRAY_LEN(readings));
	tcase_add_test(tc, a_source_that_moves_is_seen);
	tcase_add_test(tc, the_door_is_above_what_was_seen);
	tcase_add_test(tc, the_worst_outcome_is_told);
	tcase_add_test(tc, errors_have_a_class);
	return tc;
}
