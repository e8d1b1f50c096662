/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/str.h"
#include "test_base.h"

START_TEST(lists_are_read_item_by_item)
{
	static const struct {
		const char *list, *items[4];
	} rows[] = {
		{ "", { NULL } },
		{ " , ,,\t", { NULL } },
		{ "one", { "one" } },
		{ " one , two\n,three ", { "one", "two", "three" } },
		{ "a b,c", { "a b", "c" } },
		{ ",/end/,", { "/end/" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *list = rows[i].list;
		struct str item;
		int n = 0;

		while (str_item(&list, &item)) {
			ck_assert_ptr_nonnull(rows[i].items[n]);
			ck_assert(str_is(item, rows[i].items[n++]));
		}
		ck_assert_ptr_null(rows[i].items[n]);
	}
}
END_TEST

START_TEST(no_list_has_no_items)
{
	const char *list = NULL;
	struct str item;

	ck_assert(!str_item(&list, &item));
}
END_TEST

TCase *str_tests(void)
{
	TCase *tc = tcase_create("str");

	tcase_add_test(tc, lists_are_read_item_by_item);
	tcase_add_test(tc, no_list_has_no_items);
	return tc;
}
