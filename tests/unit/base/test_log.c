/* SPDX-License-Identifier: Apache-2.0 */
/* What a line of the log looks like, whatever its values hold. */
#include "base/log.h"
#include "test_base.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char got[4096];

/* Standard error into `got`, behind the time, which differs. */
static void line_of(enum log_format format, const char *pair_value)
{
	int out[2], saved = dup(STDERR_FILENO);
	ssize_t n;
	char raw[4096];

	ck_assert_int_eq(pipe(out), 0);
	dup2(out[1], STDERR_FILENO);
	log_setup(LOG_INFO, format);
	log_info("lane a/0", "fails", "offset=%d error=" LOG_Q " after=%s", 7, pair_value, "x");
	dup2(saved, STDERR_FILENO);
	log_setup(LOG_INFO, LOG_KV);
	n = read(out[0], raw, sizeof(raw) - 1);
	ck_assert_int_gt(n, 0);
	raw[n] = '\0';
	ck_assert_ptr_nonnull(strchr(raw, 'Z'));
	snprintf(got, sizeof(got), "%s", strchr(raw, 'Z') + 1);
	close(out[0]);
	close(out[1]);
	close(saved);
}

START_TEST(a_value_with_quotes_and_newlines_stays_one_value)
{
	line_of(LOG_KV, "link \"a\" says\nno\\yes");
	ck_assert_str_eq(got, " info [lane a/0] fails offset=7 error=\"link \\\"a\\\" says\\u000ano\\\\yes\" after=x\n");
	line_of(LOG_JSON, "link \"a\" says\nno\\yes");
	ck_assert_str_eq(got, "\",\"level\":\"info\",\"module\":\"lane a/0\",\"msg\":\"fails\",\"offset\":\"7\","
			      "\"error\":\"link \\\"a\\\" says\\u000ano\\\\yes\",\"after\":\"x\"}\n");
}
END_TEST

START_TEST(an_empty_value_is_shown)
{
	line_of(LOG_KV, "");
	ck_assert_str_eq(got, " info [lane a/0] fails offset=7 error=\"\" after=x\n");
	line_of(LOG_JSON, "");
	ck_assert_ptr_nonnull(strstr(got, "\"error\":\"\",\"after\":\"x\"}\n"));
}
END_TEST

START_TEST(a_value_that_is_too_long_is_cut_and_closed)
{
	char big[3000];

	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	line_of(LOG_KV, big);
	ck_assert_int_eq(got[strlen(got) - 2], '"');
	ck_assert_int_eq(got[strlen(got) - 1], '\n');
	line_of(LOG_JSON, big);
	ck_assert_str_eq(got + strlen(got) - 3, "\"}\n");
}
END_TEST

TCase *log_tests(void)
{
	TCase *tc = tcase_create("log");

	tcase_add_test(tc, a_value_with_quotes_and_newlines_stays_one_value);
	tcase_add_test(tc, an_empty_value_is_shown);
	tcase_add_test(tc, a_value_that_is_too_long_is_cut_and_closed);
	return tc;
}
