/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/lane_table.h"
#include "test_mirror.h"

static const struct uuid no_id, id_a = { { 1 } }, id_b = { { 2 } };

/* The table only keeps the pointers. */
static struct mirror_lane *lane(char *place)
{
	return (struct mirror_lane *)(void *)place;
}

static struct mirror_lane *find(struct lane_table *table, const struct uuid *id, int32_t partition)
{
	return lane_topic_at(lane_table_find(table, STR_NULL, id), partition);
}

START_TEST(lanes_are_found_by_id_and_by_name)
{
	struct lane_table table = { 0 };
	char lanes[3];
	struct lane_topic *a = lane_table_add(&table, "a", &id_a, 0, lane(&lanes[0]));
	struct lane_topic *b = lane_table_add(&table, "b", &id_b, 1, lane(&lanes[1]));
	struct lane_topic *c = lane_table_add(&table, "c", &no_id, 2, lane(&lanes[2]));

	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_eq(find(&table, &id_a, 0), lane(&lanes[0]));
		ck_assert_ptr_null(find(&table, &id_a, 1));
		ck_assert_ptr_eq(find(&table, &id_b, 1), lane(&lanes[1]));
		ck_assert_ptr_eq(find(&table, &id_b, 1), lane(&lanes[1]));
		ck_assert_ptr_eq(lane_table_find(&table, str_of("c"), &no_id), c);
		ck_assert_ptr_eq(lane_table_find(&table, str_of("a"), &no_id), a);
		ck_assert_ptr_null(lane_table_find(&table, STR_NULL, &no_id));
	}
	lane_table_remove(&table, a, 0);
	lane_table_remove(&table, b, 1);
	lane_table_remove(&table, c, 2);
	lane_table_fini(&table);
}
END_TEST

START_TEST(a_topic_that_was_found_last_and_removed_is_not_found_again)
{
	struct lane_table table = { 0 };
	char lanes[2];
	struct lane_topic *a = lane_table_add(&table, "a", &id_a, 0, lane(&lanes[0]));

	ck_assert_ptr_eq(find(&table, &id_a, 0), lane(&lanes[0]));
	lane_table_remove(&table, a, 0);
	ck_assert_ptr_null(lane_table_find(&table, STR_NULL, &id_a));
	a = lane_table_add(&table, "a", &id_a, 1, lane(&lanes[1]));
	ck_assert_ptr_null(find(&table, &id_a, 0));
	ck_assert_ptr_eq(find(&table, &id_a, 1), lane(&lanes[1]));
	lane_table_remove(&table, a, 1);
	ck_assert_ptr_null(lane_table_find(&table, STR_NULL, &id_a));
	lane_table_fini(&table);
}
END_TEST

TCase *lane_table_tests(void)
{
	TCase *tests = tcase_create("lane_table");

	tcase_add_test(tests, lanes_are_found_by_id_and_by_name);
	tcase_add_test(tests, a_topic_that_was_found_last_and_removed_is_not_found_again);
	return tests;
}
