/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 42 without an id, 49 for an id or producer id that is not known, 90 for another epoch. When one of the
 * partitions does not exist, it gets 3 and the others 55, and nothing is added. Adding twice is the same as once.
 * Version notes: below 2 47 stands for 90. From 4 on it is spoken between brokers only. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/add_partitions_to_txn.h"

static bool all_there(const struct request *req, const struct add_partitions_to_txn_request *body)
{
	for (int32_t t = 0; t < body->v3_and_below_topics.n; t++) {
		const struct txn_topic *topic = &body->v3_and_below_topics.items[t];

		for (int32_t i = 0; i < topic->partitions.n; i++)
			if (store_partition(&req->sb->store, topic->name, topic->partitions.items[i]) == NULL)
				return false;
	}
	return true;
}

static int16_t add(struct request *req, const struct txn_topic *topic, int32_t index, bool all, struct txn *txn)
{
	if (store_partition(&req->sb->store, topic->name, index) == NULL)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (!all)
		return KERR_OPERATION_NOT_ATTEMPTED;
	txn_add_partition(txn, topic->name, index);
	return KERR_NONE;
}

enum handled add_partitions_to_txn_handle(struct request *req)
{
	const struct add_partitions_to_txn_request *body = request_body(req, add_partitions_to_txn);
	struct add_partitions_to_txn_response *answer = request_answer(req, add_partitions_to_txn);
	const struct txn_claim claim = { body->v3_and_below_transactional_id, body->v3_and_below_producer_id,
					 body->v3_and_below_producer_epoch };
	struct txn *txn = NULL;
	bool all = all_there(req, body);
	int16_t code = req->fault;

	if (code == KERR_NONE && all)
		code = txn_code(txn_check(req->sb, &claim, &txn), req->version, 2);
	request_items(req, &answer->results_by_topic_v3_and_below, added_txn_topic, body->v3_and_below_topics.n);
	for (int32_t t = 0; t < body->v3_and_below_topics.n; t++) {
		const struct txn_topic *in = &body->v3_and_below_topics.items[t];
		struct added_txn_topic *out = &answer->results_by_topic_v3_and_below.items[t];

		out->name = in->name;
		request_items(req, &out->results_by_partition, added_txn_partition, in->partitions.n);
		for (int32_t i = 0; i < in->partitions.n; i++) {
			out->results_by_partition.items[i].partition_index = in->partitions.items[i];
			out->results_by_partition.items[i].partition_error_code =
				code != KERR_NONE ? code : add(req, in, in->partitions.items[i], all, txn);
		}
	}
	return HANDLED;
}
