/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "wire/msg/add_offsets_to_txn.h"
#include "wire/msg/add_partitions_to_txn.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/describe_transactions.h"
#include "wire/msg/end_txn.h"
#include "wire/msg/fetch.h"
#include "wire/msg/init_producer_id.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/list_transactions.h"
#include "wire/msg/offset_fetch.h"
#include "wire/msg/produce.h"
#include "wire/msg/txn_offset_commit.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static const struct init_producer_id_response *init(const char *id)
{
	struct init_producer_id_request *req = box_request(&box, init_producer_id);

	req->transactional_id = str_of(id);
	req->transaction_timeout_ms = 5000;
	return box_call(&box, init_producer_id, 4, req);
}

static int16_t add(const char *id, int64_t producer_id, int16_t epoch, int32_t partition)
{
	struct add_partitions_to_txn_request *req = box_request(&box, add_partitions_to_txn);

	req->v3_and_below_transactional_id = str_of(id);
	req->v3_and_below_producer_id = producer_id;
	req->v3_and_below_producer_epoch = epoch;
	box_items(&box, &req->v3_and_below_topics, txn_topic, 1);
	req->v3_and_below_topics.items[0].name = str_of("t");
	box_one(&box, &req->v3_and_below_topics.items[0].partitions, partition);
	return box_call(&box, add_partitions_to_txn, 3, req)
		->results_by_topic_v3_and_below.items[0].results_by_partition.items[0].partition_error_code;
}

static int16_t end(const char *id, int64_t producer_id, int16_t epoch, bool commit)
{
	struct end_txn_request *req = box_request(&box, end_txn);

	req->transactional_id = str_of(id);
	req->producer_id = producer_id;
	req->producer_epoch = epoch;
	req->committed = commit;
	return box_call(&box, end_txn, 3, req)->error_code;
}

static struct produced_partition send_as(const char *id, const struct box_batch_opts *opts)
{
	struct produce_request *req = box_request(&box, produce);
	struct bytes batch = box_batch_as(&box, opts);

	req->acks = -1;
	req->transactional_id = str_of(id);
	box_items(&box, &req->topic_data, produce_topic, 1);
	req->topic_data.items[0].name = str_of("t");
	box_items(&box, &req->topic_data.items[0].partition_data, produce_partition, 1);
	req->topic_data.items[0].partition_data.items[0].records =
		(struct records){ .data = batch.data, .len = batch.len };
	return box_call(&box, produce, 9, req)->responses.items[0].partition_responses.items[0];
}

static struct produced_partition send(const char *id, int64_t producer_id, int16_t epoch, int32_t sequence)
{
	return send_as(id, &(struct box_batch_opts){ .n = 1, .producer_id = producer_id, .epoch = epoch,
						     .sequence = sequence, .timestamp = box.wall_ms,
						     .attributes = BATCH_TRANSACTIONAL });
}

static struct fetch_request *new_fetch(int64_t offset, bool committed)
{
	struct fetch_request *req = box_request(&box, fetch);

	req->min_bytes = 1;
	req->isolation_level = committed;
	box_items(&box, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, fetch_partition, 1);
	req->topics.items[0].partitions.items[0].fetch_offset = offset;
	req->topics.items[0].partitions.items[0].partition_max_bytes = 1 << 20;
	return req;
}

static const struct fetched_partition *fetched(int64_t offset, bool committed)
{
	return &box_call(&box, fetch, 12, new_fetch(offset, committed))->responses.items[0].partitions.items[0];
}

static int64_t end_offset(bool committed)
{
	struct list_offsets_request *req = box_request(&box, list_offsets);

	req->replica_id = -1;
	req->isolation_level = committed;
	box_items(&box, &req->topics, list_offsets_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, list_offsets_partition, 1);
	req->topics.items[0].partitions.items[0].timestamp = -1;
	return box_call(&box, list_offsets, 5, req)->topics.items[0].partitions.items[0].offset;
}

static int64_t open_since(void)
{
	struct describe_producers_request *req = box_request(&box, describe_producers);
	const struct producers_partition *p;

	box_items(&box, &req->topics, describe_producers_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_one(&box, &req->topics.items[0].partition_indexes, 0);
	p = &box_call(&box, describe_producers, 0, req)->topics.items[0].partitions.items[0];
	return p->active_producers.items[p->active_producers.n - 1].current_txn_start_offset;
}

START_TEST(an_open_transaction_holds_the_last_stable_offset)
{
	int64_t id = init("x")->producer_id;

	box_produce(&box, 0, box_batch(&box, 4));
	ck_assert_int_eq(add("x", id, 0, 0), 0);
	ck_assert_int_eq(end_offset(true), 4);
	ck_assert_int_eq(send("x", id, 0, 0).base_offset, 4);
	ck_assert_int_eq(send("x", id, 0, 1).base_offset, 5);
	box_produce(&box, 0, box_batch(&box, 2));
	ck_assert_int_eq(open_since(), 4);
	ck_assert_int_eq(end_offset(true), 4);
	ck_assert_int_eq(end_offset(false), 8);
	ck_assert_int_eq(fetched(0, true)->last_stable_offset, 4);
	ck_assert_int_eq(fetched(0, true)->high_watermark, 8);
	ck_assert_int_lt(fetched(0, true)->records.len, fetched(0, false)->records.len);
	ck_assert_int_eq(fetched(4, true)->records.len, 0);
	ck_assert_int_gt(fetched(4, false)->records.len, 0);
	ck_assert_int_eq(end("x", id, 0, true), 0);
	ck_assert_int_eq(end_offset(true), 9);
	ck_assert_int_eq(open_since(), -1);
	ck_assert_int_eq(fetched(0, true)->aborted_transactions.n, 0);
}
END_TEST

START_TEST(a_read_committed_fetch_waits_for_the_marker)
{
	int64_t id = init("x")->producer_id;
	struct fetch_request *req = new_fetch(0, true);

	req->max_wait_ms = 1000;
	add("x", id, 0, 0);
	box_send(&box, 1, &fetch_api, 12, req);
	send("x", id, 0, 0);
	ck_assert(!box_has_reply(&box, 1));
	end("x", id, 0, true);
	ck_assert(box_has_reply(&box, 1));
	ck_assert_int_gt(((const struct fetch_response *)box_reply(&box, 1, &fetch_api, 12))
				 ->responses.items[0].partitions.items[0].records.len, 78);
}
END_TEST

START_TEST(aborted_transactions_are_told_to_who_reads_committed)
{
	int64_t a = init("a")->producer_id, b = init("b")->producer_id;
	const struct fetched_partition *p;

	add("a", a, 0, 0);
	add("b", b, 0, 0);
	send("a", a, 0, 0);             /* 0 */
	send("b", b, 0, 0);             /* 1 */
	end("b", b, 0, false);          /* 2 */
	end("a", a, 0, false);          /* 3 */
	p = fetched(0, true);
	ck_assert_int_eq(p->aborted_transactions.n, 2);
	ck_assert_int_eq(p->aborted_transactions.items[0].producer_id, b);
	ck_assert_int_eq(p->aborted_transactions.items[0].first_offset, 1);
	ck_assert_int_eq(p->aborted_transactions.items[1].first_offset, 0);
	ck_assert_int_eq(fetched(0, false)->aborted_transactions.n, -1);
	ck_assert_int_eq(fetched(3, true)->aborted_transactions.n, 1);
	ck_assert_int_eq(fetched(4, true)->aborted_transactions.n, 0);
	/* A log that is cut in the middle of one has it open again. */
	ck_assert_int_eq(sandbox_elect(box.sb, "t", 0, 3), 0);
	ck_assert_int_eq(end_offset(true), 0);
	ck_assert_int_eq(sandbox_elect(box.sb, "t", 0, 1), 0);
	ck_assert_int_eq(open_since(), 0);
}
END_TEST

START_TEST(what_was_not_added_is_refused)
{
	struct box_batch_opts plain = { .n = 1, .producer_id = 0, .sequence = 1, .timestamp = box.wall_ms };
	int64_t id = init("x")->producer_id;

	ck_assert_int_eq(send("x", id, 0, 0).error_code, KERR_INVALID_TXN_STATE);
	ck_assert_int_eq(send("y", id, 0, 0).error_code, KERR_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(add("x", id + 1, 0, 0), KERR_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(add("x", id, 1, 0), KERR_PRODUCER_FENCED);
	ck_assert_int_eq(add("x", id, 0, 9), KERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(add("", id, 0, 0), KERR_INVALID_REQUEST);
	ck_assert_int_eq(end("x", id, 0, true), KERR_INVALID_TXN_STATE);
	ck_assert_int_eq(add("x", id, 0, 0), 0);
	ck_assert_int_eq(send("x", id, 1, 0).error_code, KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(send("x", id, 0, 0).error_code, 0);
	plain.producer_id = id;
	ck_assert_int_eq(send_as("x", &plain).error_code, KERR_INVALID_TXN_STATE);
}
END_TEST

START_TEST(a_silent_producer_is_aborted_and_fenced)
{
	struct describe_transactions_request *req = box_request(&box, describe_transactions);
	int64_t id = init("x")->producer_id;
	const struct transaction_description *d;

	box_one(&box, &req->transactional_ids, str_of("x"));
	ck_assert_int_eq(box_call(&box, describe_transactions, 0, req)->transaction_states.items[0]
				 .transaction_start_time_ms, -1);
	add("x", id, 0, 0);
	send("x", id, 0, 0);
	d = &box_call(&box, describe_transactions, 0, req)->transaction_states.items[0];
	ck_assert(str_is(d->transaction_state, "Ongoing"));
	ck_assert_int_eq(d->topics.items[0].partitions.n, 1);
	box_wait(&box, 4999);
	ck_assert_int_eq(end_offset(true), 0);
	box_wait(&box, 1);
	ck_assert_int_eq(end_offset(true), 2);
	ck_assert_int_eq(fetched(0, true)->aborted_transactions.n, 1);
	ck_assert_int_eq(end("x", id, 0, true), KERR_PRODUCER_FENCED);
	ck_assert(str_is(box_call(&box, describe_transactions, 0, req)->transaction_states.items[0].transaction_state,
			 "CompleteAbort"));
	ck_assert_int_eq(init("x")->producer_epoch, 2);
}
END_TEST

START_TEST(a_new_owner_ends_what_was_open)
{
	int64_t id = init("x")->producer_id;

	add("x", id, 0, 0);
	send("x", id, 0, 0);
	ck_assert_int_eq(init("x")->error_code, KERR_CONCURRENT_TRANSACTIONS);
	ck_assert_int_eq(end_offset(true), 2);
	ck_assert_int_eq(init("x")->producer_epoch, 2);
	ck_assert_int_eq(init("x")->producer_id, id);
	ck_assert_int_eq(init("")->error_code, KERR_INVALID_REQUEST);
	ck_assert_int_eq(init("y")->producer_id, id + 1);
}
END_TEST

START_TEST(used_up_epochs_bring_a_new_producer_id)
{
	struct init_producer_id_request *req = box_request(&box, init_producer_id);
	int64_t id = init("x")->producer_id;

	for (int epoch = 1; epoch < INT16_MAX; epoch++)
		ck_assert_int_eq(init("x")->producer_epoch, epoch);
	req->transactional_id = str_of("x");
	req->transaction_timeout_ms = 5000;
	req->producer_id = id;
	req->producer_epoch = INT16_MAX - 1;
	ck_assert_int_eq(box_call(&box, init_producer_id, 4, req)->producer_id, id + 1);
	ck_assert_int_eq(init("x")->producer_epoch, 1);
}
END_TEST

static int64_t committed(bool stable, int16_t *code)
{
	struct offset_fetch_request *req = box_request(&box, offset_fetch);
	const struct fetched_offsets_partition *p;

	req->group_id = str_of("g");
	req->require_stable = stable;
	box_items(&box, &req->topics, offset_fetch_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_one(&box, &req->topics.items[0].partition_indexes, 0);
	p = &box_call(&box, offset_fetch, 7, req)->topics.items[0].partitions.items[0];
	*code = p->error_code;
	return p->committed_offset;
}

static int16_t commit_offset(int64_t id, int64_t offset)
{
	struct txn_offset_commit_request *req = box_request(&box, txn_offset_commit);

	req->transactional_id = str_of("x");
	req->group_id = str_of("g");
	req->producer_id = id;
	box_items(&box, &req->topics, txn_offset_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, txn_offset_partition, 1);
	req->topics.items[0].partitions.items[0].committed_offset = offset;
	return box_call(&box, txn_offset_commit, 3, req)->topics.items[0].partitions.items[0].error_code;
}

START_TEST(offsets_count_when_their_transaction_is_committed)
{
	struct add_offsets_to_txn_request *group = box_request(&box, add_offsets_to_txn);
	int64_t id = init("x")->producer_id;
	int16_t code;

	ck_assert_int_eq(commit_offset(id, 5), KERR_INVALID_TXN_STATE);
	group->transactional_id = str_of("x");
	group->producer_id = id;
	group->group_id = str_of("g");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(box_call(&box, add_offsets_to_txn, 3, group)->error_code, 0);
		ck_assert_int_eq(commit_offset(id, 5 + i), 0);
		ck_assert_int_eq(committed(false, &code), -1);
		ck_assert_int_eq(code, 0);
		committed(true, &code);
		ck_assert_int_eq(code, KERR_UNSTABLE_OFFSET_COMMIT);
		ck_assert_int_eq(end("x", id, 0, i == 1), 0);
	}
	ck_assert_int_eq(committed(true, &code), 6);
	ck_assert_int_eq(code, 0);
}
END_TEST

START_TEST(transactions_are_listed)
{
	struct list_transactions_request *req = box_request(&box, list_transactions);
	const struct list_transactions_response *res;
	int64_t a = init("a")->producer_id;

	init("b");
	add("a", a, 0, 0);
	ck_assert_int_eq(box_call(&box, list_transactions, 1, req)->transaction_states.n, 2);
	req->state_filters.n = 2;
	req->state_filters.items = box_alloc(&box, 2 * sizeof(struct str));
	req->state_filters.items[0] = str_of("Ongoing");
	req->state_filters.items[1] = str_of("Sleeping");
	res = box_call(&box, list_transactions, 1, req);
	ck_assert_int_eq(res->transaction_states.n, 1);
	ck_assert_int_eq(res->transaction_states.items[0].producer_id, a);
	ck_assert_int_eq(res->unknown_state_filters.n, 1);
	req->duration_filter = 100;
	ck_assert_int_eq(box_call(&box, list_transactions, 1, req)->transaction_states.n, 0);
	box_wait(&box, 101);
	ck_assert_int_eq(box_call(&box, list_transactions, 1, req)->transaction_states.n, 1);
}
END_TEST

TCase *transaction_tests(void)
{
	TCase *tc = tcase_create("transactions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);  /* all the epochs there are, also under sanitizers */
	tcase_add_test(tc, an_open_transaction_holds_the_last_stable_offset);
	tcase_add_test(tc, a_read_committed_fetch_waits_for_the_marker);
	tcase_add_test(tc, aborted_transactions_are_told_to_who_reads_committed);
	tcase_add_test(tc, what_was_not_added_is_refused);
	tcase_add_test(tc, a_silent_producer_is_aborted_and_fenced);
	tcase_add_test(tc, a_new_owner_ends_what_was_open);
	tcase_add_test(tc, used_up_epochs_bring_a_new_producer_id);
	tcase_add_test(tc, offsets_count_when_their_transaction_is_committed);
	tcase_add_test(tc, transactions_are_listed);
	return tc;
}
