/* SPDX-License-Identifier: Apache-2.0 */
/* Which differences are mismatches: compare.c, without a cluster. */
#include "base/mem.h"
#include "proof/compare.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { S = COMPARE_SOURCE, D = COMPARE_DESTINATION };

static struct compare c;
static const int64_t no_holes[COMPARE_SIDES] = { -1, -1 };

static void setup(void)
{
	c = (struct compare){ 0 };
}

static void compacted(void)
{
	c = (struct compare){ .compacted = true, .expired_before_ms = 1000 };
}

static void teardown(void)
{
	compare_fini(&c);
}

static struct bytes text(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, s == NULL ? -1 : (int32_t)strlen(s) };
}

static struct record_view record(int64_t offset, const char *key, const char *value)
{
	return (struct record_view){ .offset = offset, .timestamp = 5000, .key = text(key), .value = text(value),
				     .headers = { NULL, 0 } };
}

static void only(int side, int64_t offset, const char *key, const char *value)
{
	struct record_view v = record(offset, key, value);

	compare_only(&c, side, &v);
}

static void both(int64_t offset, const char *key, const char *value)
{
	struct record_view v = record(offset, key, value);

	ck_assert(compare_both(&c, &v, &v));
}

static void found(int64_t offset, enum compare_kind kind)
{
	ck_assert_int_eq(c.n_mismatches, 1);
	ck_assert_int_eq(c.n_listed, 1);
	ck_assert_int_eq(c.mismatches[0].offset, offset);
	ck_assert_str_eq(compare_kind_name(c.mismatches[0].kind), compare_kind_name(kind));
}

START_TEST(each_field_has_its_kind)
{
	struct record_view a = record(7, "k", "v"), b = a;

	ck_assert(compare_both(&c, &a, &b));
	b.key = text("K");
	ck_assert(!compare_both(&c, &a, &b));
	b = a;
	b.value = text(NULL);
	ck_assert(!compare_both(&c, &a, &b));
	b = a;
	b.headers = text("\2h\1");
	b.n_headers = 1;
	ck_assert(!compare_both(&c, &a, &b));
	b = a;
	b.timestamp++;
	ck_assert(!compare_both(&c, &a, &b));
	ck_assert_int_eq(c.compared, 5);
	ck_assert_int_eq(c.n_mismatches, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(c.mismatches[i].kind, COMPARE_KEY + i);
}
END_TEST

START_TEST(null_is_not_empty)
{
	struct record_view a = record(7, "", ""), b = record(7, NULL, "");

	ck_assert(!compare_both(&c, &a, &b));
	found(7, COMPARE_KEY);
}
END_TEST

START_TEST(one_side_alone_is_missing_or_extra)
{
	only(S, 3, "k", "v");
	found(3, COMPARE_MISSING);
	only(D, 4, "k", "v");
	ck_assert_int_eq(c.mismatches[1].kind, COMPARE_EXTRA);
	compare_end(&c, no_holes);
	ck_assert_int_eq(c.n_mismatches, 2);
}
END_TEST

START_TEST(the_list_is_bounded_and_the_count_is_not)
{
	for (int i = 0; i < 3 * COMPARE_LISTED_MAX; i++)
		only(S, i, "k", "v");
	ck_assert_int_eq(c.n_listed, COMPARE_LISTED_MAX);
	ck_assert_int_eq(c.n_mismatches, 3 * COMPARE_LISTED_MAX);
}
END_TEST

START_TEST(a_later_record_of_the_key_excuses)
{
	only(S, 3, "k", "old");
	only(D, 4, "other", "old");
	ck_assert(compare_waits_for(&c, D) && compare_waits_for(&c, S));
	both(9, "k", "new");
	ck_assert(!compare_waits_for(&c, D));
	both(10, "other", "new");
	compare_end(&c, no_holes);
	ck_assert_int_eq(c.n_mismatches, 0);
	ck_assert_int_eq(c.compared, 4);
}
END_TEST

START_TEST(an_earlier_record_of_the_key_does_not)
{
	both(2, "k", "older");
	only(S, 3, "k", "lost");
	compare_end(&c, no_holes);
	found(3, COMPARE_MISSING);
}
END_TEST

START_TEST(a_later_record_of_the_same_side_does_not)
{
	only(S, 3, "k", "lost");
	only(S, 5, "k", "lost too");
	compare_end(&c, no_holes);
	found(5, COMPARE_MISSING);
}
END_TEST

START_TEST(records_without_a_key_are_never_excused)
{
	only(S, 3, NULL, "v");
	found(3, COMPARE_MISSING);
}
END_TEST

START_TEST(a_tombstone_that_one_side_has_left_excuses_what_it_deletes)
{
	only(S, 3, "k", "v");
	only(S, 5, "k", NULL);
	compare_end(&c, no_holes);
	ck_assert_int_eq(c.n_mismatches, 0);
}
END_TEST

START_TEST(an_expired_tombstone_excuses_only_old_records_of_the_mirror_above_a_hole)
{
	struct record_view old = record(3, "k", "v");
	int64_t hole_behind[COMPARE_SIDES] = { 8, 8 }, hole_before[COMPARE_SIDES] = { 2, 2 };

	old.timestamp = 999;
	compare_only(&c, D, &old);
	compare_end(&c, hole_behind);
	ck_assert_int_eq(c.n_mismatches, 0);
	compare_only(&c, D, &old);
	compare_end(&c, hole_before);
	found(3, COMPARE_EXTRA);
	compare_only(&c, S, &old);   /* the source's own record needs a tombstone that the source still has */
	compare_end(&c, hole_behind);
	ck_assert_int_eq(c.n_mismatches, 2);
	old.timestamp = 1001;
	compare_only(&c, D, &old);
	compare_end(&c, hole_behind);
	ck_assert_int_eq(c.n_mismatches, 3);
}
END_TEST

START_TEST(what_is_beyond_the_range_settles_only)
{
	struct record_view later = record(50, "k", "v");

	only(S, 3, "k", "v");
	compare_settle(&c, S, &later);
	ck_assert(compare_waits_for(&c, D));
	compare_settle(&c, D, &later);
	ck_assert(!compare_waits_for(&c, D));
	ck_assert_int_eq(c.compared, 1);
}
END_TEST

START_TEST(keys_that_wait_are_bounded)
{
	char key[16];
	int i = 0;

	for (; i < COMPARE_WAITING_MAX && !compare_full(&c); i++) {
		snprintf(key, sizeof(key), "%d", i);
		only(S, i, key, "v");
	}
	ck_assert_int_eq(i, COMPARE_WAITING_MAX);
	ck_assert(compare_full(&c));
	compare_end(&c, no_holes);
	ck_assert(!compare_full(&c));
	ck_assert_int_eq(c.n_mismatches, COMPARE_WAITING_MAX);
	for (i = 1; i < c.n_listed; i++)
		ck_assert_int_lt(c.mismatches[i - 1].offset, c.mismatches[i].offset);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof");
	TCase *plain = tcase_create("plain"), *cleaned = tcase_create("compacted");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_add_test(plain, each_field_has_its_kind);
	tcase_add_test(plain, null_is_not_empty);
	tcase_add_test(plain, one_side_alone_is_missing_or_extra);
	tcase_add_test(plain, the_list_is_bounded_and_the_count_is_not);
	tcase_add_checked_fixture(cleaned, compacted, teardown);
	tcase_add_test(cleaned, a_later_record_of_the_key_excuses);
	tcase_add_test(cleaned, an_earlier_record_of_the_key_does_not);
	tcase_add_test(cleaned, a_later_record_of_the_same_side_does_not);
	tcase_add_test(cleaned, records_without_a_key_are_never_excused);
	tcase_add_test(cleaned, a_tombstone_that_one_side_has_left_excuses_what_it_deletes);
	tcase_add_test(cleaned, an_expired_tombstone_excuses_only_old_records_of_the_mirror_above_a_hole);
	tcase_add_test(cleaned, what_is_beyond_the_range_settles_only);
	tcase_add_test(cleaned, keys_that_wait_are_bounded);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, cleaned);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
