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
	{ 5, 50, 0, -1, false, 0, 0, ALIGN_SEED, REASON_NONE },
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
	{ 21, 50, 20, -1, true, OURS, 19, ALIGN_SEED, REASON_NONE },
	/* a foreign tail is divergence even where the source is shorter */
	{ 0, 19, 20, -1, true, 7, 19, ALIGN_STOP, REASON_DIVERGED },
};

START_TEST(verdicts)
{
	const struct row *r = &rows[_i];
	struct align_result out;
	struct align_input in = {
		.source_start = r->source_start, .source_end = r->source_end, .local_end = r->local_end,
		.adopted_end = r->adopted_end,
		.seed_from = -1, .seed_to = -1, .emptied_end = -1, .data_id = OURS, .filler_ids = fillers, .n_filler_ids = 2,
		.tail = { r->found, r->producer, r->last, r->last },
	};

	align_judge(&in, &out);
	ck_assert_int_eq(out.verdict, r->verdict);
	ck_assert_int_eq(out.reason, r->reason);
	ck_assert_int_eq(out.error[0] != '\0', r->verdict == ALIGN_STOP);
}
END_TEST

struct seed_row {
	int64_t source_start, start_offset, local_start, local_end, seed_from, seed_to, emptied_end;
	bool found;
	enum align_verdict verdict;
	int64_t from, to;
	bool lost, recorded;
};

static const struct seed_row seed_rows[] = {
	/* a head: nothing is recorded, is recorded, is half there, is all there and not deleted yet, is deleted */
	{ 50, 0, 0, 0, -1, -1, -1, false, ALIGN_SEED, 0, 50, false, false },
	{ 50, 0, 0, 0, 0, 50, -1, false, ALIGN_SEED, 0, 50, false, true },
	{ 50, 0, 0, 20, 0, 50, -1, true, ALIGN_SEED, 0, 50, false, true },
	{ 50, 0, 0, 50, 0, 50, -1, true, ALIGN_SEED, 0, 50, false, true },
	{ 50, 0, 50, 50, 0, 50, -1, false, ALIGN_RESUME, 0, 0, false, false },
	/* the source's log start went on meanwhile */
	{ 70, 0, 0, 20, 0, 50, -1, true, ALIGN_SEED, 0, 70, false, false },
	{ 70, 0, 50, 50, 0, 50, -1, false, ALIGN_SEED, 0, 70, false, false },
	/* the mirror had records: what comes after them is lost, and stays so when it is half filled */
	{ 70, 0, 0, 20, -1, -1, -1, true, ALIGN_SEED, 20, 70, true, false },
	{ 70, 0, 0, 40, 20, 70, -1, true, ALIGN_SEED, 20, 70, false, true },
	{ 70, 0, 50, 50, -1, -1, 50, false, ALIGN_SEED, 50, 70, true, false },
	/* a log that was emptied: by us, and by somebody */
	{ 50, 0, 50, 50, -1, -1, 50, false, ALIGN_RESUME, 0, 0, false, false },
	{ 50, 0, 50, 50, -1, -1, 49, false, ALIGN_STOP, 0, 0, false, false },
	/* ... by us, in a seeding that was over and was then recorded anew with a later end */
	{ 70, 0, 50, 50, 0, 70, -1, false, ALIGN_SEED, 0, 70, false, true },
	{ 70, 0, 50, 50, 60, 70, -1, false, ALIGN_STOP, 0, 0, false, false },
	{ 50, 0, 50, 50, -1, -1, -1, false, ALIGN_STOP, 0, 0, false, false },
	{ 70, 0, 50, 50, -1, -1, -1, false, ALIGN_STOP, 0, 0, false, false },
	/* the mirror begins where it was told to */
	{ 0, 30, 0, 0, -1, -1, -1, false, ALIGN_SEED, 0, 30, false, false },
	{ 0, 30, 30, 30, 0, 30, -1, false, ALIGN_RESUME, 0, 0, false, false },
	{ 0, 30, 30, 40, -1, -1, 30, true, ALIGN_RESUME, 0, 0, false, false },
	{ 60, 30, 30, 40, -1, -1, 30, true, ALIGN_SEED, 40, 60, true, false },
	/* the log start follows later; nothing is seeded */
	{ 40, 0, 0, 40, -1, -1, -1, true, ALIGN_RESUME, 0, 0, false, false },
};

START_TEST(what_is_seeded)
{
	const struct seed_row *r = &seed_rows[_i];
	struct align_result out;
	struct align_input in = {
		.source_start = r->source_start, .source_end = 100, .start_offset = r->start_offset,
		.local_start = r->local_start, .local_end = r->local_end, .adopted_end = -1, .seed_from = r->seed_from,
		.seed_to = r->seed_to, .emptied_end = r->emptied_end, .data_id = OURS,
		.tail = { r->found, OURS, r->local_end - 1, r->local_end - 1 },
	};

	align_judge(&in, &out);
	ck_assert_int_eq(out.verdict, r->verdict);
	ck_assert_int_eq(out.reason, r->verdict == ALIGN_STOP ? REASON_DIVERGED : REASON_NONE);
	if (r->verdict != ALIGN_SEED)
		return;
	ck_assert_int_eq(out.seed.from, r->from);
	ck_assert_int_eq(out.seed.to, r->to);
	ck_assert_int_eq(out.seed.lost, r->lost);
	ck_assert_int_eq(out.seed.recorded, r->recorded);
}
END_TEST

/* The tombstones' key is an on-disk format. */
static const char *const seed_keys[] = { NULL, "", "_krmirror_hole" };

static void check_seed(int32_t n, enum seed_kind kind)
{
	struct buf_pool *pool = buf_pool_create(1 << 20);
	struct buf *buf = seed_batch(pool, n, kind);
	struct reader r = { .p = buf->data, .end = buf->data + buf->len };
	struct unpacker *u = unpacker_create();
	struct window w = { 0 };
	const char *key = seed_keys[kind];
	int64_t timestamp = kind == SEED_TOMBSTONES ? 0 : -1;
	struct batch_header b;
	size_t work = 0;

	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	ck_assert(r.p == r.end && batch_crc_ok(&b));
	ck_assert_int_eq(b.count, n);
	ck_assert_int_eq(b.last_delta, n - 1);
	ck_assert_int_eq(b.attributes, 1);
	ck_assert_int_eq(b.base_timestamp, timestamp);
	ck_assert_int_eq(b.max_timestamp, timestamp);
	ck_assert_int_eq(b.producer_id, -1);
	unpacker_begin(u, &(struct unpack_opts){ .codec = CODEC_GZIP, .data = b.data + BATCH_HEADER_LEN,
						 .len = b.size - BATCH_HEADER_LEN, .piece_max = 1 << 20 });
	while (unpacker_more(u, &w, &work) == UNPACK_OK)
		;
	r = (struct reader){ .p = w.data + w.at, .end = w.data + w.end };
	for (int32_t i = 0; i < n; i++) {
		struct record rec;

		ck_assert_int_eq(record_next(&r, &rec), BATCH_OK);
		ck_assert_int_eq(rec.offset_delta, i);
		ck_assert_int_eq(rec.timestamp_delta, 0);
		ck_assert_int_eq(rec.key.len, key == NULL ? -1 : (int)strlen(key));
		ck_assert(rec.key.len <= 0 || memcmp(rec.key.data, key, strlen(key)) == 0);
		ck_assert_int_eq(rec.n_headers, 0);
		ck_assert_int_eq(rec.value.len, -1);
	}
	ck_assert(r.p == r.end);
	unpacker_destroy(u);
	xfree(w.data);
	buf_unref(buf);
	buf_pool_destroy(pool);
}

START_TEST(seeds_are_records_without_content)
{
	check_seed(SEED_RECORDS, SEED_NO_KEYS);
	check_seed(SEED_RECORDS, SEED_EMPTY_KEYS);
	check_seed(1, SEED_NO_KEYS);
	check_seed(SEED_RECORDS, SEED_TOMBSTONES);
	check_seed(1, SEED_TOMBSTONES);
	ck_assert_int_eq(seed_records(0, 1500000), SEED_RECORDS);
	ck_assert_int_eq(seed_records(1490001, 1500000), 9999);
}
END_TEST

START_TEST(a_tombstone_is_known_by_its_key_and_by_nothing_else_being_there)
{
	struct record_view v = { .key = { (const uint8_t *)"_krmirror_hole", 14 }, .value = { NULL, -1 } };

	ck_assert(seed_is_tombstone(&v));
	v.value.len = 0;
	ck_assert(!seed_is_tombstone(&v));
	v.value.len = -1;
	v.n_headers = 1;
	ck_assert(!seed_is_tombstone(&v));
	v.n_headers = 0;
	v.key.len = 13;
	ck_assert(!seed_is_tombstone(&v));
	v.key.len = -1;
	ck_assert(!seed_is_tombstone(&v));
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

TCase *align_tests(void)
{
	TCase *tc = tcase_create("align");

	tcase_add_loop_test(tc, verdicts, 0, (int)ARRAY_LEN(rows));
	tcase_add_loop_test(tc, what_is_seeded, 0, (int)ARRAY_LEN(seed_rows));
	tcase_add_test(tc, seeds_are_records_without_content);
	tcase_add_test(tc, a_tombstone_is_known_by_its_key_and_by_nothing_else_being_there);
	tcase_add_test(tc, four_equal_ends_are_needed);
	tcase_add_test(tc, pair_is_judged_by_epoch_and_end);
	tcase_add_test(tc, comparison_covers_what_is_not_settled_and_always_the_last_batch);
	return tc;
}
