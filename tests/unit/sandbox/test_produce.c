/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "sandbox/bytes.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/produce.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static uint8_t *bytes_of(struct bytes b)
{
	return (uint8_t *)(uintptr_t)b.data;
}

/* A batch of n records with one header field changed, its checksum right. */
static struct bytes changed(int n, int at, int size, uint64_t value)
{
	struct bytes b = box_batch(&box, n);

	put_be(bytes_of(b) + at, size, value);
	box_seal(b);
	return b;
}

START_TEST(offsets_follow_each_other)
{
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 3)).base_offset, 0);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 2)).base_offset, 3);
	ck_assert_int_eq(box_produce(&box, 1, box_batch(&box, 1)).base_offset, 0);
	ck_assert_int_eq(box_end(&box, 0), 5);
	ck_assert_int_eq(box_end(&box, 1), 1);
	ck_assert_int_eq(box_end(&box, 2), 0);
}
END_TEST

START_TEST(a_batch_must_be_right_in_itself)
{
	struct bytes b;

	ck_assert_int_eq(box_produce(&box, 0, changed(2, 0, 8, 1)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 16, 1, 1)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 16, 1, 3)).code, KERR_CORRUPT_MESSAGE);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 23, 4, 2)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 23, 4, UINT32_MAX)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 57, 4, 0)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, changed(2, 21, 2, 0x20)).code, KERR_INVALID_RECORD);
	b = changed(2, 57, 4, 3);
	put_be(bytes_of(b) + 23, 4, 2);
	box_seal(b);
	ck_assert_int_eq(box_produce(&box, 0, b).code, KERR_INVALID_RECORD);
	b = box_batch(&box, 2);
	bytes_of(b)[b.len - 1] ^= 1;
	ck_assert_int_eq(box_produce(&box, 0, b).code, KERR_CORRUPT_MESSAGE);
	ck_assert_int_eq(box_produce(&box, 0, (struct bytes){ b.data, 0 }).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, (struct bytes){ b.data, b.len - 1 }).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_end(&box, 0), 0);
}
END_TEST

START_TEST(one_batch_for_each_partition)
{
	struct bytes one = box_batch(&box, 1);
	uint8_t *two = box_alloc(&box, (size_t)one.len * 2);

	memcpy(two, one.data, (size_t)one.len);
	memcpy(two + one.len, one.data, (size_t)one.len);
	ck_assert_int_eq(box_produce(&box, 0, (struct bytes){ two, one.len * 2 }).code, KERR_INVALID_RECORD);
	/* What is no whole second batch is not looked at. */
	ck_assert_int_eq(box_produce(&box, 0, (struct bytes){ two, one.len * 2 - 1 }).code, KERR_NONE);
	ck_assert_int_eq(box_end(&box, 0), 1);
}
END_TEST

START_TEST(unknown_partitions_and_sizes)
{
	char text[16];

	ck_assert_int_eq(box_produce(&box, 3, box_batch(&box, 1)).code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(box_produce(&box, -1, box_batch(&box, 1)).code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
	snprintf(text, sizeof(text), "%d", box_batch(&box, 2).len);
	ck_assert_int_eq(box_set(&box, "max.message.bytes", text), 0);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 2)).code, KERR_NONE);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 3)).code, KERR_MESSAGE_TOO_LARGE);
}
END_TEST

START_TEST(timestamps)
{
	struct box_batch_opts opts = { .n = 1, .producer_id = -1, .epoch = -1, .sequence = -1 };
	struct box_produced done;

	opts.timestamp = box.wall_ms + 3600001;
	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &opts)).code, KERR_INVALID_TIMESTAMP);
	opts.timestamp = box.wall_ms + 3600000;
	done = box_produce(&box, 0, box_batch_as(&box, &opts));
	ck_assert_int_eq(done.code, KERR_NONE);
	ck_assert_int_eq(done.log_append_time_ms, -1);
	opts.timestamp = -1;
	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &opts)).code, KERR_NONE);
	ck_assert_int_eq(box_set(&box, "message.timestamp.before.max.ms", "1000"), 0);
	opts.timestamp = box.wall_ms - 1001;
	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &opts)).code, KERR_INVALID_TIMESTAMP);
	ck_assert_int_eq(box_set(&box, "message.timestamp.type", "LogAppendTime"), 0);
	done = box_produce(&box, 0, box_batch_as(&box, &opts));
	ck_assert_int_eq(done.code, KERR_NONE);
	ck_assert_int_eq(done.log_append_time_ms, box.wall_ms);
}
END_TEST

START_TEST(a_compacted_topic_wants_keys)
{
	struct box_batch_opts opts = { .n = 2, .producer_id = -1, .epoch = -1, .sequence = -1, .keys = true,
				       .timestamp = box.wall_ms };

	ck_assert_int_eq(box_set(&box, "cleanup.policy", "compact"), 0);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 2)).code, KERR_INVALID_RECORD);
	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &opts)).code, KERR_NONE);
}
END_TEST

START_TEST(min_insync_replicas_above_one_refuses_all_acks)
{
	ck_assert_int_eq(box_set(&box, "min.insync.replicas", "2"), 0);
	ck_assert_int_eq(box_produce(&box, 0, box_batch(&box, 1)).code, KERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(box_end(&box, 0), 0);
}
END_TEST

START_TEST(an_unknown_producer_may_begin_anywhere)
{
	ck_assert_int_eq(box_produce_as(&box, INT64_C(1) << 62, 0, 777, 3).base_offset, 0);
	ck_assert_int_eq(box_produce_as(&box, INT64_C(1) << 62, 0, 780, 1).base_offset, 3);
	ck_assert_int_eq(box_produce_as(&box, 5, 9, 0, 1).base_offset, 4);
}
END_TEST

START_TEST(a_gap_or_other_bounds_are_out_of_order)
{
	box_produce_as(&box, 5, 0, 10, 3);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 14, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 10, 2).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 12, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 13, 1).base_offset, 3);
}
END_TEST

START_TEST(the_last_five_batches_are_recognised)
{
	struct box_produced done;

	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(box_produce_as(&box, 5, 0, i * 2, 2).base_offset, i * 2);
	for (int i = 1; i < 6; i++) {
		done = box_produce_as(&box, 5, 0, i * 2, 2);
		ck_assert_int_eq(done.code, KERR_NONE);
		ck_assert_int_eq(done.base_offset, i * 2);
	}
	done = box_produce_as(&box, 5, 0, 0, 2);
	ck_assert_int_eq(done.code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(done.base_offset, -1);
	ck_assert_int_eq(box_end(&box, 0), 12);
}
END_TEST

START_TEST(producer_epochs_fence)
{
	box_produce_as(&box, 5, 2, 0, 1);
	ck_assert_int_eq(box_produce_as(&box, 5, 1, 1, 1).code, KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(box_produce_as(&box, 5, 3, 1, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 5, 3, 0, 1).base_offset, 1);
	/* The window is of the new epoch only. */
	ck_assert_int_eq(box_produce_as(&box, 5, 2, 0, 1).code, KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(box_produce_as(&box, 5, 3, 0, 1).base_offset, 1);
	ck_assert_int_eq(box_end(&box, 0), 2);
}
END_TEST

START_TEST(sequences_wrap)
{
	ck_assert_int_eq(box_produce_as(&box, 5, 0, INT32_MAX - 1, 2).base_offset, 0);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 0, 1).base_offset, 2);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, INT32_MAX, 3).base_offset, 3);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, 2, 1).base_offset, 6);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, INT32_MAX, 3).base_offset, 3);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, -1, 1).code, KERR_INVALID_RECORD);
}
END_TEST

START_TEST(producers_are_forgotten_by_record_time)
{
	struct box_batch_opts old = { .n = 1, .producer_id = 5, .sequence = 4,
				      .timestamp = box.wall_ms - INT64_C(40) * 86400000 };

	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &old)).base_offset, 0);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, 4, 1).base_offset, 1);
	box_wait(&box, 600000);
	/* The hole in the fence: the same batch once more. */
	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &old)).base_offset, 2);
	ck_assert_int_eq(box_produce_as(&box, 6, 0, 4, 1).base_offset, 1);
}
END_TEST

START_TEST(transactional_batches_need_an_id)
{
	struct box_batch_opts opts = { .n = 1, .producer_id = 5, .timestamp = box.wall_ms, .attributes = 0x10 };

	ck_assert_int_eq(box_produce(&box, 0, box_batch_as(&box, &opts)).code,
			 KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
}
END_TEST

START_TEST(acks)
{
	struct produce_request *req = box_request(&box, produce);
	struct bytes batch = box_batch(&box, 1);

	box_items(&box, &req->topic_data, produce_topic, 1);
	req->topic_data.items[0].name = str_of("t");
	box_items(&box, &req->topic_data.items[0].partition_data, produce_partition, 1);
	req->topic_data.items[0].partition_data.items[0].records =
		(struct records){ .data = batch.data, .len = batch.len };
	req->acks = 2;
	ck_assert_int_eq(box_call(&box, produce, 9, req)->responses.items[0].partition_responses.items[0].error_code,
			 KERR_INVALID_REQUIRED_ACKS);
	req->acks = 0;
	box_send(&box, 0, &produce_api, 9, req);
	ck_assert(!box_has_reply(&box, 0));
	ck_assert_int_eq(box_end(&box, 0), 1);
	req->topic_data.items[0].name = str_of("none");
	box_send(&box, 0, &produce_api, 9, req);
	ck_assert(box.clients[0].dropped);
}
END_TEST

START_TEST(the_memory_limit_is_an_error)
{
	struct box_produced done = { 0 };
	int n = 0;

	box_close(&box);
	box_open(&box, 1 << 20);
	while (done.code == KERR_NONE && n++ < 1000000)
		done = box_produce(&box, 0, box_batch(&box, 100));
	ck_assert_int_eq(done.code, KERR_KAFKA_STORAGE_ERROR);
	ck_assert_uint_le(sandbox_memory(box.sb), 1 << 20);
	ck_assert_int_eq(box_end(&box, 0), (n - 1) * 100);
}
END_TEST

TCase *produce_tests(void)
{
	TCase *tc = tcase_create("produce");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offsets_follow_each_other);
	tcase_add_test(tc, a_batch_must_be_right_in_itself);
	tcase_add_test(tc, one_batch_for_each_partition);
	tcase_add_test(tc, unknown_partitions_and_sizes);
	tcase_add_test(tc, timestamps);
	tcase_add_test(tc, a_compacted_topic_wants_keys);
	tcase_add_test(tc, min_insync_replicas_above_one_refuses_all_acks);
	tcase_add_test(tc, an_unknown_producer_may_begin_anywhere);
	tcase_add_test(tc, a_gap_or_other_bounds_are_out_of_order);
	tcase_add_test(tc, the_last_five_batches_are_recognised);
	tcase_add_test(tc, producer_epochs_fence);
	tcase_add_test(tc, sequences_wrap);
	tcase_add_test(tc, producers_are_forgotten_by_record_time);
	tcase_add_test(tc, transactional_batches_need_an_id);
	tcase_add_test(tc, acks);
	tcase_add_test(tc, the_memory_limit_is_an_error);
	return tc;
}
