/* SPDX-License-Identifier: Apache-2.0 */
/* The ids are an on-disk format: these numbers must never change. They were computed apart from the product, with
 * Python's hashlib: int.from_bytes(sha256(b"l\0t\0" + b"0").digest()[:8], "big") >> 3, with bits 62 and 61 added. */
#include "mirror/mirror.h"
#include "test_mirror.h"

#include <inttypes.h>

struct vector {
	const char *link, *topic;
	int32_t partition;
	int64_t data, filler0, filler7;
};

static const struct vector vectors[] = {
	{ "l", "t", 0,
	  INT64_C(6230631974430967840), INT64_C(9174560041907559978),
	  INT64_C(8039492076337532637) },
	{ "east-to-west", "orders", 3,
	  INT64_C(5878450959458971507), INT64_C(8961026927133284705),
	  INT64_C(8305195897018719891) },
	{ "dr", "a.topic_with-all", 2147483647,
	  INT64_C(6758238907932698287), INT64_C(8348501740255343036),
	  INT64_C(7943346910778022003) },
};

START_TEST(ids_are_the_pinned_ones)
{
	const struct vector *v = &vectors[_i];

	ck_assert_int_eq(mirror_data_id(v->link, v->topic, v->partition), v->data);
	ck_assert_int_eq(mirror_filler_id(v->link, v->topic, v->partition, 0), v->filler0);
	ck_assert_int_eq(mirror_filler_id(v->link, v->topic, v->partition, 7), v->filler7);
}
END_TEST

START_TEST(ids_are_beyond_what_a_broker_hands_out)
{
	ck_assert_int_ge(mirror_data_id("a", "b", 1), INT64_C(1) << 62);
	ck_assert_int_ge(mirror_filler_id("a", "b", 1, 3), (INT64_C(1) << 62) + (INT64_C(1) << 61));
}
END_TEST

START_TEST(names_are_read_back)
{
	for (int s = LANE_UNBOUND; s <= LANE_FAILED; s++)
		ck_assert_int_eq(lane_state_parse(lane_state_name((enum lane_state)s)), s);
	for (int r = REASON_NONE + 1; r < REASON_LAST; r++)
		ck_assert_int_eq(lane_reason_parse(lane_reason_name((enum lane_reason)r)), r);
	ck_assert_ptr_null(lane_reason_name(REASON_NONE));
	ck_assert_int_eq(lane_reason_parse("NO_SUCH_REASON"), REASON_NONE);
}
END_TEST

TCase *ids_tests(void)
{
	TCase *tc = tcase_create("ids");

	tcase_add_loop_test(tc, ids_are_the_pinned_ones, 0, (int)ARRAY_LEN(vectors));
	tcase_add_test(tc, ids_are_beyond_what_a_broker_hands_out);
	tcase_add_test(tc, names_are_read_back);
	return tc;
}
