/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include "base/mem.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

START_TEST(codes_are_found)
{
	for (int code = -1; code <= KERR_CODE_MAX_; code++) {
		ck_assert_int_eq(kerr_find((int16_t)code)->code, code);
		ck_assert(kerr_find((int16_t)code)->text[0] != '\0');
	}
	ck_assert_str_eq(kerr_name(0), "NONE");
	ck_assert_str_eq(kerr_name(KERR_NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER");
	ck_assert_int_ge(KERR_CODE_MAX_, 133);
}
END_TEST

START_TEST(an_unknown_code_is_as_grave_as_the_unknown_error)
{
	static const int16_t codes[] = { -2, INT16_MIN, KERR_CODE_MAX_ + 1, INT16_MAX };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		ck_assert_str_eq(kerr_name(codes[i]), "UNKNOWN_CODE");
		ck_assert_int_eq(kerr_find(codes[i])->action, kerr_find(KERR_UNKNOWN_SERVER_ERROR)->action);
		ck_assert_int_eq(kerr_find(codes[i])->stored, KERR_STORED_MAYBE);
	}
}
END_TEST

/* DESIGN 3: after these the log end is read before anything is sent again. */
START_TEST(every_doubt_leads_to_a_probe)
{
	static const int16_t doubt[] = { 45, 47, 59, 7, 19, 20, 56, -1 };

	for (size_t i = 0; i < ARRAY_LEN(doubt); i++)
		ck_assert_msg(kerr_find(doubt[i])->action == KERR_PROBE, "%d", doubt[i]);
}
END_TEST

TCase *kerr_tests(void)
{
	TCase *tc = tcase_create("kerr");

	tcase_add_test(tc, codes_are_found);
	tcase_add_test(tc, an_unknown_code_is_as_grave_as_the_unknown_error);
	tcase_add_test(tc, every_doubt_leads_to_a_probe);
	return tc;
}
