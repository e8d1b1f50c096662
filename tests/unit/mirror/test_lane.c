/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "mirror/lane.h"
#include "mirror/seed.h"
#include "test_mirror.h"

#include <string.h>

static struct buf_pool *pool;
static struct lane lane;
static struct buf *frame;

/* A batch of n empty records that are "compressed", so that nothing looks into them. */
static struct batch_header batch(int64_t base, int32_t n)
{
	return (struct batch_header){
		.data = frame->data, .size = BATCH_HEADER_LEN + 10, .magic = 2, .base_offset = base,
		.leader_epoch = 1, .attributes = 1, .last_delta = n - 1, .count = n, .max_timestamp = 1000,
	};
}

static void setup(void)
{
	pool = buf_pool_create(1 << 20);
	frame = buf_get(pool, 1000);
	lane_init(&lane, 4711);
	lane_probe(&lane, 1);
}

static void teardown(void)
{
	lane_fini(&lane);
	buf_unref(frame);
	ck_assert_uint_eq(buf_pool_used(pool), 0);
	buf_pool_destroy(pool);
}

static void align_at(int64_t end, bool known, int32_t last_sequence)
{
	struct lane_opening o = {
		.log_end = end, .producer_known = known, .last_sequence = last_sequence, .source_epoch = 1,
	};

	lane_align(&lane, &o, 2);
}

static enum lane_verdict offer(int64_t base, int32_t n)
{
	struct batch_header b = batch(base, n);

	return lane_offer(&lane, frame, &b, 3);
}

START_TEST(batches_go_out_in_order_and_are_acknowledged)
{
	align_at(10, true, 99);
	ck_assert_int_eq(offer(10, 5), LANE_TAKE);
	ck_assert_int_eq(offer(15, 1), LANE_TAKE);
	ck_assert_int_eq(lane.state, LANE_COPYING);
	ck_assert_int_eq(lane_send(&lane)->sequence, 100);
	ck_assert_int_eq(lane_send(&lane)->sequence, 105);
	ck_assert_ptr_null(lane_head(&lane));
	ck_assert(lane_ack(&lane, 10, 4));
	ck_assert(lane_ack(&lane, 15, 4));
	ck_assert_int_eq(lane.acked, 16);
	ck_assert_uint_eq(lane.queued_bytes, 0);
}
END_TEST

START_TEST(sequence_wraps_at_2_31)
{
	align_at(10, true, INT32_MAX - 1);
	ck_assert_int_eq(offer(10, 3), LANE_TAKE);
	ck_assert_int_eq(offer(13, 1), LANE_TAKE);
	ck_assert_int_eq(lane_send(&lane)->sequence, INT32_MAX);
	ck_assert_int_eq(lane_send(&lane)->sequence, 2);
	ck_assert(lane_ack(&lane, 10, 4));
	ck_assert(lane_ack(&lane, 13, 4));
}
END_TEST

START_TEST(unknown_producer_starts_at_the_log_end_one_append_at_a_time)
{
	align_at((INT64_C(1) << 31) + 5, false, -1);
	ck_assert_int_eq(lane.next_sequence, 5);
	ck_assert_int_eq(lane_depth(&lane, 1000), 1);
	ck_assert_int_eq(offer((INT64_C(1) << 31) + 5, 1), LANE_TAKE);
	lane_send(&lane);
	ck_assert(lane_ack(&lane, (INT64_C(1) << 31) + 5, 4));
	ck_assert_int_eq(lane_depth(&lane, 1000), LANE_IN_FLIGHT_MAX);
	ck_assert_int_eq(lane_depth(&lane, INT64_C(100) * 24 * 3600 * 1000), 1);  /* the broker may have forgotten it */
}
END_TEST

START_TEST(marker_only_producer_starts_at_zero_with_its_epoch)
{
	struct lane_opening o = { .log_end = 7, .producer_known = true, .producer_epoch = 3, .last_sequence = -1 };

	lane_align(&lane, &o, 2);
	ck_assert_int_eq(lane.next_sequence, 0);
	ck_assert_int_eq(lane.producer_epoch, 3);
}
END_TEST

START_TEST(another_base_offset_is_divergence)
{
	align_at(0, false, -1);
	ck_assert_int_eq(offer(0, 2), LANE_TAKE);
	lane_send(&lane);
	ck_assert(!lane_ack(&lane, 1, 4));
	ck_assert_int_eq(lane.state, LANE_FAILED);
	ck_assert_int_eq(lane.reason, REASON_DIVERGED);
	ck_assert_int_eq(lane.acked, 0);
}
END_TEST

START_TEST(doubt_stops_sending_until_opened_again)
{
	align_at(0, true, -1);
	ck_assert_int_eq(offer(0, 1), LANE_TAKE);
	ck_assert_int_eq(offer(1, 1), LANE_TAKE);
	ck_assert_int_eq(offer(2, 1), LANE_TAKE);
	lane_send(&lane);
	lane_send(&lane);
	lane_unanswered(&lane);
	ck_assert_ptr_null(lane_head(&lane));
	ck_assert(!lane_is_open(&lane));
	/* The second was stored, whatever became of the first: only the log end tells. */
	ck_assert(lane_ack(&lane, 1, 4));
	ck_assert_int_eq(lane.acked, 0);
	ck_assert_int_eq(lane_in_flight(&lane), 0);
	lane_probe(&lane, 5);
	align_at(2, true, 1);
	ck_assert_int_eq(lane.accepted, 2);
	ck_assert_int_eq(offer(2, 1), LANE_TAKE);
	ck_assert_int_eq(lane_send(&lane)->sequence, 2);
	ck_assert(lane_ack(&lane, 2, 6));
}
END_TEST

START_TEST(dropped_batches_are_wanted_again)
{
	align_at(0, true, -1);
	ck_assert_int_eq(offer(0, 1), LANE_TAKE);
	ck_assert_int_eq(offer(1, 4), LANE_TAKE);
	lane_send(&lane);
	lane_drop_unsent(&lane);
	ck_assert_int_eq(lane.accepted, 1);
	ck_assert_int_eq(lane.accepted_epoch, 1);
	ck_assert(lane_ack(&lane, 0, 4));
	ck_assert_int_eq(offer(1, 4), LANE_TAKE);
}
END_TEST

START_TEST(what_lies_below_the_position_is_skipped)
{
	align_at(5, true, 4);
	ck_assert_int_eq(offer(0, 5), LANE_SKIP);
	ck_assert_int_eq(lane.accepted, 5);
}
END_TEST

struct refusal {
	int64_t base;
	int32_t n, count;
	int8_t magic;
	int16_t attributes;
	int32_t epoch;
	enum lane_reason reason;
	const char *kind;
};

static const struct refusal refusals[] = {
	{ 26, 1, 1, 2, 1, 1, REASON_FILL_LIMIT, "hole of 21 offsets or more at offset 5" },
	{ 5, 1, 1, 2, 5, 1, REASON_UNSUPPORTED_MESSAGE_FORMAT, "unknown compression codec" },
	{ 5, 1, 1, 2, 1, 0, REASON_UNEXPECTED_TRUNCATION, "went back from 1 to 0" },
};

/* Holes inside, a resume in the middle, LogAppendTime, v1, v0: the lane is as before. */
START_TEST(what_raw_bytes_cannot_carry_is_to_be_rewritten)
{
	static const struct { int64_t base; int32_t n, count; int8_t magic; int16_t attributes; } rows[] = {
		{ 5, 3, 2, 2, 1 }, { 4, 3, 3, 2, 1 }, { 5, 1, 1, 2, 1 | BATCH_LOG_APPEND_TIME }, { 5, 1, 0, 1, 0 },
		{ 9, 1, 0, 0, 2 },
	};
	struct batch_header b;

	align_at(5, true, 4);
	b = batch(rows[_i].base, rows[_i].n);
	b.count = rows[_i].count;
	b.magic = rows[_i].magic;
	b.attributes = rows[_i].attributes;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_REWRITE);
	ck_assert_int_eq(lane.state, LANE_ALIGNED);
	ck_assert_int_eq(lane.accepted, 5);
	ck_assert_uint_eq(lane.queued_bytes, 0);
	b.base_offset = 1;
	b.last_delta = 3;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_SKIP);
}
END_TEST

/* What is made of messages v0 and v1 has no leader epoch. */
START_TEST(a_batch_without_an_epoch_is_no_truncation)
{
	struct batch_header b;

	align_at(5, true, 4);
	b = batch(5, 1);
	b.leader_epoch = -1;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_TAKE);
	ck_assert_int_eq(lane.accepted_epoch, -1);
	ck_assert_int_eq(offer(6, 1), LANE_TAKE);
	ck_assert_int_eq(lane.accepted_epoch, 1);
}
END_TEST

START_TEST(what_cannot_be_exact_stops_the_lane_with_kind_and_offset)
{
	const struct refusal *r = &refusals[_i];
	struct batch_header b = batch(r->base, r->n);

	align_at(5, true, 4);
	lane.fill_limit = 20;
	b.count = r->count;
	b.magic = r->magic;
	b.attributes = r->attributes;
	b.leader_epoch = r->epoch;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_STOP);
	ck_assert_int_eq(lane.state, LANE_FAILED);
	ck_assert_int_eq(lane.reason, r->reason);
	ck_assert_ptr_nonnull(strstr(lane.error, r->kind));
	ck_assert_ptr_nonnull(strstr(lane.error, "offset 5"));
	ck_assert_ptr_null(lane_head(&lane));
}
END_TEST

START_TEST(what_is_queued_is_appended_before_a_bad_batch_stops_the_lane)
{
	struct batch_header bad = batch(8, 2);

	bad.attributes = 7;
	align_at(5, true, 4);
	ck_assert_int_eq(offer(5, 3), LANE_TAKE);
	ck_assert_int_eq(lane_offer(&lane, frame, &bad, 3), LANE_LATER);
	ck_assert_int_eq(lane.state, LANE_COPYING);
	ck_assert(lane_drains(&lane));
	ck_assert_ptr_nonnull(lane_send(&lane));
	ck_assert(lane_drains(&lane));
	ck_assert(lane_ack(&lane, 5, 4));
	ck_assert(!lane_drains(&lane));
	ck_assert_int_eq(lane_offer(&lane, frame, &bad, 5), LANE_STOP);
	ck_assert_ptr_nonnull(strstr(lane.error, "offset 8"));
	/* Opened again it may be another batch. */
	lane_probe(&lane, 6);
	align_at(8, true, 7);
	ck_assert_int_eq(offer(8, 2), LANE_TAKE);
	ck_assert(!lane_drains(&lane));
}
END_TEST

START_TEST(a_suspect_batch_is_looked_into)
{
	align_at(5, true, 4);
	lane.suspect = 6;
	ck_assert_int_eq(offer(5, 1), LANE_TAKE);
	ck_assert_int_eq(offer(6, 3), LANE_REWRITE);
	lane.suspect = -1;
	ck_assert_int_eq(offer(6, 3), LANE_TAKE);
}
END_TEST

START_TEST(queue_grows_and_keeps_its_order)
{
	align_at(0, true, -1);
	for (int64_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(offer(i, 1), LANE_TAKE);
		if (i % 3 == 0) {
			ck_assert_int_eq(lane_send(&lane)->first, i / 3);
			ck_assert(lane_ack(&lane, i / 3, 4));
		}
	}
	ck_assert_int_eq(lane_head(&lane)->first, 334);
}
END_TEST

/* ---- fills ---- */

static enum lane_verdict hole(int64_t base, int32_t n)
{
	struct batch_header b = batch(base, n);

	return lane_offer_hole(&lane, &b, 3);
}

START_TEST(a_fill_goes_out_alone_and_nothing_follows_before_it_is_proven)
{
	align_at(0, true, 9);
	ck_assert_int_eq(offer(0, 2), LANE_TAKE);
	ck_assert_int_eq(hole(2, 1), LANE_TAKE);
	ck_assert_int_eq(offer(3, 2), LANE_TAKE);
	lane_send(&lane);
	ck_assert_int_eq(lane_fill_head(&lane), 0);    /* the batch is in flight */
	ck_assert_ptr_null(lane_head(&lane));
	ck_assert(lane_ack(&lane, 0, 4));
	ck_assert_int_eq(lane_fill_head(&lane), 1);
	ck_assert_ptr_null(lane_head(&lane));
	ck_assert_int_eq(lane.state, LANE_COPYING);
	lane_fill_send(&lane, 1, 4);
	ck_assert_int_eq(lane.state, LANE_FILLING);
	ck_assert_int_eq(lane_in_flight(&lane), 1);
	ck_assert_int_eq(lane_fill_head(&lane), 0);
	ck_assert_ptr_null(lane_head(&lane));
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.state, LANE_COPYING);
	ck_assert_int_eq(lane.acked, 3);
	ck_assert_uint_eq(lane.filled, 1);
	ck_assert_int_eq(lane_send(&lane)->sequence, 12);  /* of the data id: fills take none */
	ck_assert(lane_ack(&lane, 3, 6));
	ck_assert_int_eq(lane.acked, 5);
	ck_assert_int_eq(lane.unfilled, 0);
}
END_TEST

START_TEST(neighbouring_holes_are_one_fill)
{
	align_at(0, true, -1);
	ck_assert_int_eq(hole(0, 3), LANE_TAKE);
	ck_assert_int_eq(hole(5, 1), LANE_TAKE);
	ck_assert_int_eq(hole(4, 1), LANE_SKIP);
	ck_assert_int_eq(offer(9, 1), LANE_TAKE);
	ck_assert_int_eq(lane_fill_head(&lane), 9);
	ck_assert_int_eq(lane.unfilled, 9);
	lane_fill_send(&lane, 1, 4);
	ck_assert_int_eq(hole(10, 2), LANE_TAKE);
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.state, LANE_FILLING);
	ck_assert_int_eq(lane_fill_head(&lane), 8);
	ck_assert_int_eq(lane.acked, 1);
	lane_fill_send(&lane, 8, 5);
	lane_filled(&lane, 6);
	ck_assert_int_eq(lane_send(&lane)->first, 9);
	ck_assert(lane_ack(&lane, 9, 7));
	ck_assert_int_eq(lane_fill_head(&lane), 2);
	ck_assert_int_eq(lane.unfilled, 2);
}
END_TEST

START_TEST(a_fill_in_flight_may_grow)
{
	align_at(0, true, -1);
	ck_assert_int_eq(hole(0, 3), LANE_TAKE);
	lane_fill_send(&lane, 3, 4);
	ck_assert_int_eq(hole(3, 2), LANE_TAKE);
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.acked, 3);
	ck_assert_int_eq(lane_fill_head(&lane), 2);
	lane_fill_send(&lane, 2, 5);
	lane_filled(&lane, 6);
	ck_assert_int_eq(lane.acked, 5);
	ck_assert_int_eq(lane_fill_head(&lane), 0);
	ck_assert_int_eq(lane.state, LANE_COPYING);
}
END_TEST

/* The pair (offset, epoch) is stored in the middle of a fill too, so one epoch must have written all of it. */
START_TEST(holes_of_two_epochs_are_two_fills)
{
	struct batch_header b;

	align_at(0, true, -1);
	ck_assert_int_eq(hole(0, 3), LANE_TAKE);
	b = batch(3, 1);
	b.leader_epoch = 2;
	ck_assert_int_eq(lane_offer_hole(&lane, &b, 3), LANE_TAKE);
	ck_assert_int_eq(lane_fill_head(&lane), 3);
	lane_fill_send(&lane, 3, 4);
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.acked_epoch, 1);
	lane_fill_send(&lane, 1, 5);
	lane_filled(&lane, 6);
	ck_assert_int_eq(lane.acked_epoch, 2);
}
END_TEST

START_TEST(a_fill_in_doubt_is_dropped)
{
	align_at(0, true, -1);
	ck_assert_int_eq(hole(0, 5), LANE_TAKE);
	ck_assert_int_eq(offer(5, 1), LANE_TAKE);
	lane_fill_send(&lane, 3, 4);
	lane_drop_unsent(&lane);  /* a lane that cannot send gives its buffers back */
	ck_assert_int_eq(lane.accepted, 3);
	ck_assert_int_eq(lane.unfilled, 3);
	lane_unfilled(&lane);
	ck_assert_int_eq(lane.fill_end_max, 3);
	ck_assert_int_eq(lane.acked, 0);
	ck_assert(!lane_is_open(&lane));
	ck_assert_int_eq(lane_in_flight(&lane), 0);
	lane_probe(&lane, 5);
	ck_assert_int_eq(lane.unfilled, 0);
	ck_assert_int_eq(lane.fill_end_max, 3);
	align_at(2, true, -1);
	ck_assert_int_eq(lane.fill_end_max, -1);
	ck_assert_int_eq(hole(0, 5), LANE_TAKE);  /* what is left of it */
	ck_assert_int_eq(lane_fill_head(&lane), 3);
}
END_TEST

START_TEST(a_lane_that_fails_while_it_fills)
{
	align_at(0, true, -1);
	ck_assert_int_eq(hole(0, 5), LANE_TAKE);
	lane_fill_send(&lane, 2, 4);
	lane_fail(&lane, REASON_SOURCE_TOPIC_ID_CHANGED, 4, "gone");
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.state, LANE_FAILED);
	ck_assert_int_eq(lane.acked, 2);
	ck_assert_int_eq(lane_in_flight(&lane), 0);
	ck_assert_int_eq(lane.unfilled, 0);
}
END_TEST

START_TEST(a_long_hole_has_the_batch_behind_it_wait)
{
	align_at(0, true, -1);
	ck_assert_int_eq(offer(LANE_FILL_AHEAD + 1, 1), LANE_LATER);
	ck_assert_int_eq(lane.accepted, LANE_FILL_AHEAD + 1);
	ck_assert_uint_eq(lane.queued_bytes, 0);
	ck_assert_int_eq(lane_fill_head(&lane), LANE_FILL_AHEAD + 1);
}
END_TEST

/* However the hole is cut into batches, and however much of it is filled already. */
START_TEST(a_hole_beyond_the_limit_is_refused)
{
	align_at(0, true, -1);
	lane.fill_limit = 10;
	ck_assert_int_eq(hole(0, 6), LANE_TAKE);
	lane_fill_send(&lane, 6, 4);
	lane_filled(&lane, 5);
	ck_assert_int_eq(hole(6, 4), LANE_TAKE);
	ck_assert_int_eq(offer(10, 1), LANE_TAKE);
	ck_assert_int_eq(hole(11, 10), LANE_TAKE);
	ck_assert_int_eq(hole(21, 1), LANE_STOP);
	ck_assert_int_eq(lane.reason, REASON_FILL_LIMIT);
	ck_assert_ptr_nonnull(strstr(lane.error, "offset 11"));
}
END_TEST

/* A batch of n tombstones. */
static struct buf *tombstones(int32_t n)
{
	return seed_batch(pool, n, SEED_TOMBSTONES);
}

static void put(int32_t n)
{
	struct buf *buf = tombstones(n);

	lane_put_tombstones(&lane, buf, 4);
	buf_unref(buf);
}

START_TEST(beyond_the_limit_tombstones_fill_a_hole_where_they_may)
{
	align_at(0, true, 9);
	lane.fill_limit = 10;
	lane.fill_tombstones = true;
	ck_assert_int_eq(offer(0, 2), LANE_TAKE);
	ck_assert_int_eq(hole(2, 10), LANE_TAKE);          /* not longer: markers */
	ck_assert_int_eq(hole(12, 30), LANE_TAKE);
	ck_assert_int_eq(hole(42, 1), LANE_TAKE);          /* of the same hole */
	ck_assert_int_eq(offer(43, 2), LANE_TAKE);
	ck_assert_int_eq(lane_send(&lane)->first, 0);
	ck_assert(lane_ack(&lane, 0, 4));
	ck_assert_int_eq(lane_tombstone_head(&lane), 0);
	ck_assert_int_eq(lane_fill_head(&lane), 10);
	lane_fill_send(&lane, 10, 4);
	lane_filled(&lane, 5);
	ck_assert_int_eq(lane.state, LANE_FILLING);
	ck_assert_int_eq(lane_fill_head(&lane), 0);
	ck_assert_ptr_null(lane_head(&lane));
	ck_assert_int_eq(lane_tombstone_head(&lane), 31);
	put(20);
	ck_assert_int_eq(lane_tombstone_head(&lane), 0);
	ck_assert_int_eq(lane_head(&lane)->first, 12);
	ck_assert_int_eq(lane_send(&lane)->sequence, 12);  /* of the data id, like every batch */
	ck_assert_int_eq(lane_tombstone_head(&lane), 11);
	put(11);
	ck_assert_int_eq(lane_send(&lane)->sequence, 32);
	ck_assert(lane_ack(&lane, 12, 5) && lane_ack(&lane, 32, 5));
	ck_assert_int_eq(lane.state, LANE_COPYING);
	ck_assert_int_eq(lane.filled, 41);
	ck_assert_int_eq(lane.tombstones, 31);
	ck_assert_int_eq(lane.unfilled, 0);
	ck_assert_int_eq(lane_send(&lane)->first, 43);
	ck_assert(lane_ack(&lane, 43, 6));
	ck_assert_int_eq(lane.acked, 45);
}
END_TEST

START_TEST(tombstones_that_are_dropped_are_a_hole_again)
{
	align_at(0, true, -1);
	lane.fill_limit = 10;
	lane.fill_tombstones = true;
	ck_assert_int_eq(offer(1000, 1), LANE_TAKE);
	put(100);
	ck_assert_int_eq(lane_send(&lane)->n, 100);
	put(100);
	lane_drop_unsent(&lane);
	ck_assert_int_eq(lane.accepted, 100);
	ck_assert_int_eq(lane.unfilled, 0);
	ck_assert_uint_eq(lane.unsent_bytes, 0);
	ck_assert_int_eq(lane_tombstone_head(&lane), 0);
	ck_assert(lane_ack(&lane, 0, 5));
	ck_assert_int_eq(offer(105, 1), LANE_TAKE);        /* what is left of it counts anew */
	ck_assert_int_eq(lane_fill_head(&lane), 5);
}
END_TEST

/* Lookups by time find them only where they find what stands below. */
START_TEST(what_stands_below_tombstones_gives_their_time)
{
	struct batch_header b = batch(10, 1);

	lane_align(&lane, &(struct lane_opening){ .log_end = 10, .producer_known = true, .timestamp = 70 }, 2);
	ck_assert_int_eq(lane.sent_timestamp, 70);
	b.max_timestamp = 60;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_TAKE);
	b = batch(11, 1);
	b.max_timestamp = 80;
	ck_assert_int_eq(lane_offer(&lane, frame, &b, 3), LANE_TAKE);
	ck_assert_int_eq(lane_send(&lane)->first, 10);
	ck_assert_int_eq(lane.sent_timestamp, 70);
	ck_assert_int_eq(lane_send(&lane)->first, 11);
	ck_assert_int_eq(lane.sent_timestamp, 80);
}
END_TEST

START_TEST(another_time_of_a_batch_keeps_its_crc_true)
{
	struct buf *buf = tombstones(3);
	struct reader r = { .p = buf->data, .end = buf->data + buf->len };
	struct batch_header b;

	batch_retime(buf->data, (uint32_t)buf->len, 123456);
	ck_assert(batch_next(&r, &b) == BATCH_OK && batch_crc_ok(&b));
	ck_assert(b.base_timestamp == 123456 && b.max_timestamp == 123456);
	buf_unref(buf);
}
END_TEST

TCase *lane_tests(void)
{
	TCase *tc = tcase_create("lane");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, batches_go_out_in_order_and_are_acknowledged);
	tcase_add_test(tc, sequence_wraps_at_2_31);
	tcase_add_test(tc, unknown_producer_starts_at_the_log_end_one_append_at_a_time);
	tcase_add_test(tc, marker_only_producer_starts_at_zero_with_its_epoch);
	tcase_add_test(tc, another_base_offset_is_divergence);
	tcase_add_test(tc, doubt_stops_sending_until_opened_again);
	tcase_add_test(tc, dropped_batches_are_wanted_again);
	tcase_add_test(tc, what_lies_below_the_position_is_skipped);
	tcase_add_loop_test(tc, what_raw_bytes_cannot_carry_is_to_be_rewritten, 0, 5);
	tcase_add_test(tc, a_batch_without_an_epoch_is_no_truncation);
	tcase_add_loop_test(tc, what_cannot_be_exact_stops_the_lane_with_kind_and_offset, 0,
			    (int)ARRAY_LEN(refusals));
	tcase_add_test(tc, what_is_queued_is_appended_before_a_bad_batch_stops_the_lane);
	tcase_add_test(tc, a_suspect_batch_is_looked_into);
	tcase_add_test(tc, queue_grows_and_keeps_its_order);
	tcase_add_test(tc, a_fill_goes_out_alone_and_nothing_follows_before_it_is_proven);
	tcase_add_test(tc, neighbouring_holes_are_one_fill);
	tcase_add_test(tc, a_fill_in_flight_may_grow);
	tcase_add_test(tc, holes_of_two_epochs_are_two_fills);
	tcase_add_test(tc, a_fill_in_doubt_is_dropped);
	tcase_add_test(tc, a_lane_that_fails_while_it_fills);
	tcase_add_test(tc, a_long_hole_has_the_batch_behind_it_wait);
	tcase_add_test(tc, a_hole_beyond_the_limit_is_refused);
	tcase_add_test(tc, beyond_the_limit_tombstones_fill_a_hole_where_they_may);
	tcase_add_test(tc, tombstones_that_are_dropped_are_a_hole_again);
	tcase_add_test(tc, what_stands_below_tombstones_gives_their_time);
	tcase_add_test(tc, another_time_of_a_batch_keeps_its_crc_true);
	return tc;
}
