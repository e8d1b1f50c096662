/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "base/mem.h"
#include "test_base.h"

START_TEST(durations_have_one_unit)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0s", 0 },      { "500ms", 500 },  { "30s", 30000 },
		{ "5m", 300000 }, { "2h", 7200000 }, { "1d", 86400000 },
	};
	static const char *const bad[] = { "",
					   "5",
					   "s",
					   "-1s",
					   "1.5s",
					   " 5s",
					   "5 s",
					   "5S",
					   "5sec",
					   "1m30s",
					   "99999999999999999999s",
					   "9223372036854775807d",
					   "36501d" };
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(duration_parse(good[i].text, &ms), "%s", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!duration_parse(bad[i], &ms), "%s", bad[i]);
}
END_TEST

START_TEST(durations_print_and_parse_again)
{
	static const int64_t values[] = { 0, 1, 999, 1000, 1500, 60000, 61000, 3600000, 86400000 };
	char text[32];
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		duration_text(values[i], text, sizeof(text));
		ck_assert_msg(duration_parse(text, &ms), "%s", text);
		ck_assert_int_eq(ms, values[i]);
	}
	duration_text(60000, text, sizeof(text));
	ck_assert_str_eq(text, "1m");
}
END_TEST

START_TEST(sizes_have_units)
{
	static const char *const bad[] = { "", "MiB", "-1", "1 MiB", "1mib", "1.5MiB", "99999999999TiB" };
	uint64_t v;

	ck_assert(size_parse("512", &v) && v == 512);
	ck_assert(size_parse("512B", &v) && v == 512);
	ck_assert(size_parse("48MiB", &v) && v == 48u << 20);
	ck_assert(size_parse("1GiB", &v) && v == 1u << 30);
	ck_assert(size_parse("3MB", &v) && v == 3000000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!size_parse(bad[i], &v), "%s", bad[i]);
}
END_TEST

START_TEST(a_misspelt_name_finds_its_neighbour)
{
	static const char *const names[] = { "bootstrap.servers", "client.id", "link", "list", "promote" };
	static const struct {
		const char *word, *name;
	} rows[] = {
		{ "bootstrap.server", "bootstrap.servers" },
		{ "boostrap.servers", "bootstrap.servers" },
		{ "clinet.id", "client.id" },
		{ "promot", "promote" },
		{ "lsit", "list" },
		{ "lnk", "link" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *found = name_nearest(rows[i].word, names, ARRAY_LEN(names));

		ck_assert_ptr_nonnull(found);
		ck_assert_str_eq(found, rows[i].name);
	}
	ck_assert_ptr_null(name_nearest("verify", names, ARRAY_LEN(names)));
	ck_assert_ptr_null(name_nearest("", names, ARRAY_LEN(names)));
	ck_assert_ptr_null(name_nearest("x", names, 0));
}
END_TEST

TCase *units_tests(void)
{
	TCase *tc = tcase_create("units");

	tcase_add_test(tc, durations_have_one_unit);
	tcase_add_test(tc, durations_print_and_parse_again);
	tcase_add_test(tc, sizes_have_units);
	tcase_add_test(tc, a_misspelt_name_finds_its_neighbour);
	return tc;
}
