/* SPDX-License-Identifier: Apache-2.0 */
/* How often a broker may have a password hashed. */
#include "client/auth_scram.h"

#include "test_client.h"

#include "base/mem.h"

#include <string.h>

static int check(const char *message, struct err *err)
{
	*err = (struct err){ 0 };
	return auth_scram_check(message, strlen(message), err);
}

START_TEST(what_brokers_ask_for)
{
	struct err err;

	ck_assert_int_eq(check("r=abc,s=QSXCR+Q6sek8bQ==,i=4096", &err), RC_OK);
	ck_assert_int_eq(check("r=i=1,s=i=1==,i=16384", &err), RC_OK);
	ck_assert_int_eq(check("r=abc,s=QSXCR+Q6sek8bQ==,i=100000", &err), RC_OK);
	ck_assert_int_eq(check("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", &err), RC_OK);
	ck_assert_int_eq(check("e=other-error", &err), RC_OK);
	ck_assert_int_eq(check("", &err), RC_OK);
}
END_TEST

START_TEST(what_they_may_not)
{
	static const char *const cases[][2] = {
		{ "r=abc,s=x,i=1", "4096 is the least" },
		{ "r=abc,s=x,i=4095", "4096 is the least" },
		{ "r=abc,s=x,i=100001", "more than 100000" },
		{ "r=abc,s=x,i=4294967295", "more than 100000" },
		{ "r=abc,s=x,i=18446744073709555712", "more than 100000" },
		{ "i=99999999999999999999999,r=abc,s=x", "more than 100000" },
		{ "r=abc,s=x,i=4096,i=2000000", "more than 100000" },
		{ "r=abc,s=x,i=0x7fffffff", "no number" },
		{ "r=abc,s=x,i=-1", "no number" },
		{ "r=abc,s=x,i= 2000000000", "no number" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err;

		ck_assert_int_eq(check(cases[i][0], &err), RC_AUTH);
		ck_assert_msg(strstr(err.text, cases[i][1]) != NULL, "%s: %s", cases[i][0], err.text);
	}
}
END_TEST

TCase *scram_tests(void)
{
	TCase *tc = tcase_create("scram");

	tcase_add_test(tc, what_brokers_ask_for);
	tcase_add_test(tc, what_they_may_not);
	return tc;
}
