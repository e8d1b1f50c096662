/* SPDX-License-Identifier: Apache-2.0 */
/* What token endpoints answer. */
#include "client/oauth_tokens.h"

#include "test_client.h"

#include "base/mem.h"

#include <string.h>

static int parse(long status, const char *body, char **token, int64_t *lives_s, struct err *err)
{
	*token = NULL;
	*lives_s = 0;
	*err = (struct err){ 0 };
	return oauth_answer_parse(status, body, strlen(body), token, lives_s, err);
}

START_TEST(good_answers)
{
	struct err err;
	int64_t lives;
	char *token;

	ck_assert_int_eq(parse(200, "{\"access_token\":\"a.b-c_d~e+f/g=\",\"expires_in\":300}", &token, &lives, &err), RC_OK);
	ck_assert_str_eq(token, "a.b-c_d~e+f/g=");
	ck_assert_int_eq(lives, 300);
	xfree(token);
	ck_assert_int_eq(parse(200, "{\"access_token\":\"x\"}", &token, &lives, &err), RC_OK);
	ck_assert_int_eq(lives, -1);
	xfree(token);
}
END_TEST

START_TEST(bad_answers)
{
	static const struct {
		long status;
		const char *body, *says;
	} cases[] = {
		{ 401, "{\"error\":\"invalid_client\",\"error_description\":\"who\"}", "it answers 401: invalid_client: who" },
		{ 500, "<html>", "it answers 500" },
		{ 302, "", "it answers 302" },
		{ 200, "", "no access_token" },
		{ 200, "[]", "no access_token" },
		{ 200, "{\"access_token\":7}", "no access_token" },
		{ 200, "{\"access_token\":\"\"}", "no access_token" },
		{ 200, "{\"access_token\":\"a\\u0001auth=Bearer b\"}", "no access_token" },
		{ 200, "{\"access_token\":\"a b\"}", "no access_token" },
	};
	struct err err;
	int64_t lives;
	char *token;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(parse(cases[i].status, cases[i].body, &token, &lives, &err), RC_AUTH);
		ck_assert_ptr_null(token);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
	}
}
END_TEST

TCase *oauth_tests(void)
{
	TCase *tcase = tcase_create("oauth");

	tcase_add_test(tcase, good_answers);
	tcase_add_test(tcase, bad_answers);
	return tcase;
}
