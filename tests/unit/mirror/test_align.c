/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "mirror/align.h"
#include "test_mirror.h"
#include "wire/batch.h"

#include <string.h>

enum { OURS = 1000, FILLER = 2000, FILLER_NEXT = 3000 };

static const int64_t fillers[] = { FILLER, FILLER_NEXT };

struct row {
	int64_t source_start, source_end, local_end, adopted_end;
	bool found;
	int64_t producer, last;
	enum align_verdict verdict;
	enum lane_reason reason;
};

static const struct row rows[] = {
	/* fresh, and a source that has trimmed its head */
	{ 0, 0, 0, -1, false, 0, 0, ALIGN_FRESH, REASON_NONE },
	{ 0, 50, 0, -1, false, 0, 0, ALIGN_FRESH, REASON_NONE },
	{ 5, 50, 0, -1, false, 0, 0, ALIGN_STOP, REASON_UNSUPPORTED_MESSAGE_FORMAT },
	/* resume, also at the very end and behind a filler */
	{ 0, 50, 20, -1, true, OURS, 19, ALIGN_RESUME, REASON_NONE },
	{ 0, 20, 20, -1, true, OURS, 19, ALIGN_RESUME, REASON_NONE },
	{ 0, 50, 20, -1, true, FILLER, 19, ALIGN_RESUME, REASON_NONE },
	{ 0, 50, 20, -1, true, FILLER_NEXT, 19, ALIGN_RESUME, REASON_NONE },
	{ 20, 50, 20, -1, true, OURS, 19, ALIGN_RESUME, REASON_NONE },
	/* somebody else wrote; nothing stands there; an adopted prefix */
	{ 0, 50, 20, -1, true, 7, 19, ALIGN_STOP, REASON_DIVERGED },
	{ 0, 50, 20, -1, true, -1, 19, ALIGN_STOP, REASON_DIVERGED },
	{ 0, 50, 20, -1, true, OURS, 18, ALIGN_STOP, REASON_DIVERGED },
	{ 0, 50, 20, -1, false, 0, 0, ALIGN_STOP, REASON_DIVERGED },
	{ 0, 50, 20, 20, true, 7, 19, ALIGN_RESUME, REASON_NONE },
	{ 0, 50, 20, 19, true, 7, 19, ALIGN_STOP, REASON_DIVERGED },
	/* the source is shorter than the mirror; its retention went past the mirror */
	{ 0, 19, 20, -1, true, OURS, 19, ALIGN_STOP, REASON_UNEXPECTED_TRUNCATION },
	{ 21, 50, 20, -1, true, OURS, 19, ALIGN_STOP, REASON_UNSUPPORTED_MESSAGE_FORMAT },
	/* a foreign tail is divergence even where the source is shorter */
	{ 0, 19, 20, -1, true, 7, 19, ALIGN_STOP, REASON_DIVERGED },
};

START_TEST(verdicts)
{
	const struct row *r = &rows[_i];
	struct align_result out;
	struct align_input in = {
		.source_start = r->source_start, .source_end = r->source_end, .local_end = r->local_end,
		.adopted_end = r->adopted_end, .data_id = OURS, .filler_ids = fillers, .n_filler_ids = 2,
		.tail = { r->found, r->producer, r->last, r->last },
	};

	align_judge(&in, &out);
	ck_assert_int_eq(out.verdict, r->verdict);
	ck_assert_int_eq(out.reason, r->reason);
	ck_assert_int_eq(out.error[0] != '\0', r->verdict == ALIGN_STOP);
}
END_TEST

START_TEST(four_equal_ends_are_needed)
{
	struct align_ends e = { 5, 5, 5, 5 };

	ck_assert_int_eq(align_judge_ends(&e), ENDS_EQUAL);
	e.hw_before = 4;
	ck_assert_int_eq(align_judge_ends(&e), ENDS_WAIT);
	e = (struct align_ends){ 5, 5, 6, 6 };
	ck_assert_int_eq(align_judge_ends(&e), ENDS_WAIT);
	e = (struct align_ends){ 5, 5, 5, 4 };
	ck_assert_int_eq(align_judge_ends(&e), ENDS_WAIT);
}
END_TEST

START_TEST(pair_is_judged_by_epoch_and_end)
{
	ck_assert_int_eq(align_judge_pair(100, 5, 5, 100), PAIR_HOLDS);
	ck_assert_int_eq(align_judge_pair(100, 5, 5, 500), PAIR_HOLDS);
	ck_assert_int_eq(align_judge_pair(100, 5, 5, 99), PAIR_CUT);
	ck_assert_int_eq(align_judge_pair(100, 5, 4, 500), PAIR_CUT);
	ck_assert_int_eq(align_judge_pair(100, 5, -1, -1), PAIR_UNKNOWN);
}
END_TEST

START_TEST(comparison_covers_what_is_not_settled_and_always_the_last_batch)
{
	struct align_input in = { .source_start = 10, .local_start = 0, .local_end = 100, .tail.first_offset = 90 };

	ck_assert_int_eq(align_compare_from(&in, -1), 10);
	ck_assert_int_eq(align_compare_from(&in, 50), 50);
	ck_assert_int_eq(align_compare_from(&in, 100), 90);
	ck_assert_int_eq(align_compare_from(&in, 5), 10);
	in.source_start = 95;
	ck_assert_int_eq(align_compare_from(&in, 50), 95);
}
END_TEST

START_TEST(digest_sees_what_is_kept_and_nothing_else)
{
	uint8_t a[100], b[100], da[SHA256_LEN], db[SHA256_LEN];
	struct batch_stamp stamp = { 77, 0, 5 };

	for (size_t i = 0; i < sizeof(a); i++)
		a[i] = (uint8_t)(i * 7);
	a[22] = BATCH_TRANSACTIONAL | BATCH_DELETE_HORIZON | 3;
	a[21] = 0;
	memcpy(b, a, sizeof(b));
	batch_rewrite(a, sizeof(a) - BATCH_HEADER_LEN, &stamp, b);
	memcpy(b, a, 8);  /* the broker gives it its offset */
	align_digest(a, sizeof(a), da);
	align_digest(b, sizeof(b), db);
	ck_assert_mem_eq(da, db, SHA256_LEN);
	/* offset, codec, last delta, timestamps, count, records */
	for (size_t at = 0; at < sizeof(b); at++) {
		bool kept = at < 8 || (at >= 23 && at < 43) || at >= 57;

		if (!kept)
			continue;
		b[at] ^= 1;
		align_digest(b, sizeof(b), db);
		ck_assert_mem_ne(da, db, SHA256_LEN);
		b[at] ^= 1;
	}
}
END_TEST

TCase *align_tests(void)
{
	TCase *tc = tcase_create("align");

	tcase_add_loop_test(tc, verdicts, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(tc, four_equal_ends_are_needed);
	tcase_add_test(tc, pair_is_judged_by_epoch_and_end);
	tcase_add_test(tc, comparison_covers_what_is_not_settled_and_always_the_last_batch);
	tcase_add_test(tc, digest_sees_what_is_kept_and_nothing_else);
	return tc;
}
