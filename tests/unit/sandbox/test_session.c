/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental fetch sessions. */
#include "box.h"

#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

/* A request of a session for partitions [0, n) of t at their offsets. */
static struct fetch_request *session_fetch(int32_t id, int32_t epoch, const int64_t *offsets, int n)
{
	struct fetch_request *req = box_request(&box, fetch);

	req->min_bytes = 1;
	req->session_id = id;
	req->session_epoch = epoch;
	if (n == 0)
		return req;
	box_items(&box, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, fetch_partition, n);
	for (int i = 0; i < n; i++) {
		req->topics.items[0].partitions.items[i].partition = i;
		req->topics.items[0].partitions.items[i].fetch_offset = offsets[i];
		req->topics.items[0].partitions.items[i].partition_max_bytes = 1 << 20;
	}
	return req;
}

static const int64_t zeros[3];

/* Begins a session over the three partitions. */
static int32_t begin(void)
{
	const struct fetch_response *res = box_call(&box, fetch, 12, session_fetch(0, 0, zeros, 3));

	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_ne(res->session_id, 0);
	ck_assert_int_eq(res->responses.items[0].partitions.n, 3);
	return res->session_id;
}

static int n_partitions(const struct fetch_response *res)
{
	int n = 0;

	for (int i = 0; i < res->responses.n; i++)
		n += res->responses.items[i].partitions.n;
	return n;
}

START_TEST(only_what_is_new_is_told)
{
	int32_t id = begin();
	const struct fetch_response *res = box_call(&box, fetch, 12, session_fetch(id, 1, NULL, 0));

	ck_assert_int_eq(res->session_id, id);
	ck_assert_int_eq(n_partitions(res), 0);
	box_produce(&box, 1, box_batch(&box, 1));
	res = box_call(&box, fetch, 12, session_fetch(id, 2, NULL, 0));
	ck_assert_int_eq(n_partitions(res), 1);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].partition_index, 1);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].high_watermark, 1);
	/* Not moved on: the same data again, because records are always told. */
	ck_assert_int_eq(n_partitions(box_call(&box, fetch, 12, session_fetch(id, 3, NULL, 0))), 1);
	ck_assert_int_eq(n_partitions(box_call(&box, fetch, 12, session_fetch(id, 4, (int64_t[]){ 0, 1 }, 2))), 0);
}
END_TEST

START_TEST(epochs_and_ids_are_checked)
{
	int32_t id = begin();

	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(id, 2, NULL, 0))->error_code,
			 KERR_INVALID_FETCH_SESSION_EPOCH);
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(id + 1, 1, NULL, 0))->error_code,
			 KERR_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(box_call(&box, fetch, 13, session_fetch(id, 1, NULL, 0))->error_code,
			 KERR_FETCH_SESSION_TOPIC_ID_ERROR);
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(id, 1, NULL, 0))->error_code, 0);
}
END_TEST

START_TEST(epoch_minus_one_closes)
{
	int32_t id = begin();
	const struct fetch_response *res = box_call(&box, fetch, 12, session_fetch(id, -1, zeros, 1));

	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->session_id, 0);
	ck_assert_int_eq(n_partitions(res), 1);
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(id, 1, NULL, 0))->error_code,
			 KERR_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

START_TEST(a_full_request_replaces_a_session)
{
	int32_t id = begin();
	const struct fetch_response *res = box_call(&box, fetch, 12, session_fetch(id, 0, zeros, 3));

	ck_assert_int_ne(res->session_id, id);
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(id, 1, NULL, 0))->error_code,
			 KERR_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

START_TEST(forgotten_partitions_are_not_served)
{
	int32_t id = begin();
	struct fetch_request *req = session_fetch(id, 1, NULL, 0);

	box_items(&box, &req->forgotten_topics_data, forgotten_topic, 1);
	req->forgotten_topics_data.items[0].topic = str_of("t");
	box_one(&box, &req->forgotten_topics_data.items[0].partitions, 1);
	box_produce(&box, 1, box_batch(&box, 1));
	ck_assert_int_eq(n_partitions(box_call(&box, fetch, 12, req)), 0);
	/* And it does not wake a waiting fetch. */
	req = session_fetch(id, 2, NULL, 0);
	req->max_wait_ms = 100;
	box_send(&box, 1, &fetch_api, 12, req);
	box_produce(&box, 1, box_batch(&box, 1));
	ck_assert(!box_has_reply(&box, 1));
	box_produce(&box, 0, box_batch(&box, 1));
	ck_assert(box_has_reply(&box, 1));
}
END_TEST

START_TEST(a_session_without_partitions_ends)
{
	int32_t id = begin();
	struct fetch_request *req = session_fetch(id, 1, NULL, 0);
	const struct fetch_response *res;

	box_items(&box, &req->forgotten_topics_data, forgotten_topic, 1);
	req->forgotten_topics_data.items[0].topic = str_of("t");
	req->forgotten_topics_data.items[0].partitions.n = 3;
	req->forgotten_topics_data.items[0].partitions.items = (int32_t[]){ 0, 1, 2 };
	res = box_call(&box, fetch, 12, req);
	ck_assert_int_eq(res->session_id, 0);
	ck_assert_int_eq(n_partitions(res), 0);
}
END_TEST

START_TEST(errors_are_told_each_time)
{
	const int64_t offsets[3] = { 0, 50, 0 };
	int32_t id = box_call(&box, fetch, 12, session_fetch(0, 0, offsets, 3))->session_id;

	for (int epoch = 1; epoch < 4; epoch++) {
		const struct fetch_response *res = box_call(&box, fetch, 12, session_fetch(id, epoch, NULL, 0));

		ck_assert_int_eq(n_partitions(res), 1);
		ck_assert_int_eq(res->responses.items[0].partitions.items[0].error_code, KERR_OFFSET_OUT_OF_RANGE);
	}
}
END_TEST

START_TEST(partitions_with_data_go_to_the_end)
{
	int32_t id = begin();
	struct fetch_request *req;

	for (int i = 0; i < 3; i++)
		box_produce(&box, i, box_batch(&box, 1));
	for (int i = 0; i < 3; i++) {
		const struct fetch_response *res;

		req = session_fetch(id, 1 + i, NULL, 0);
		req->max_bytes = 1;
		res = box_call(&box, fetch, 12, req);
		/* One partition has room for its data each time: another one. */
		for (int k = 0; k < res->responses.items[0].partitions.n; k++)
			if (res->responses.items[0].partitions.items[k].records.len > 0)
				ck_assert_int_eq(res->responses.items[0].partitions.items[k].partition_index, i);
	}
}
END_TEST

START_TEST(sessions_are_bounded)
{
	int32_t first = begin();

	for (int i = 1; i < 1000; i++)
		begin();
	/* None was idle for long enough to give way. */
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(0, 0, zeros, 3))->session_id, 0);
	box_wait(&box, 120000);
	begin();
	ck_assert_int_eq(box_call(&box, fetch, 12, session_fetch(first, 1, NULL, 0))->error_code,
			 KERR_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

TCase *session_tests(void)
{
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, only_what_is_new_is_told);
	tcase_add_test(tc, epochs_and_ids_are_checked);
	tcase_add_test(tc, epoch_minus_one_closes);
	tcase_add_test(tc, a_full_request_replaces_a_session);
	tcase_add_test(tc, forgotten_partitions_are_not_served);
	tcase_add_test(tc, a_session_without_partitions_ends);
	tcase_add_test(tc, errors_are_told_each_time);
	tcase_add_test(tc, partitions_with_data_go_to_the_end);
	tcase_add_test(tc, sessions_are_bounded);
	return tc;
}
