/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 105 for an id that was never used. The start time stays when a transaction has ended; -1
 * before the first one. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/describe_transactions.h"

/* The partitions stand in the order in which they were added: neighbours share a topic. */
static void tell_partitions(struct request *req, const struct txn *txn, struct transaction_description *out)
{
	struct transaction_topic *topic = NULL;

	request_items(req, &out->topics, transaction_topic, txn->n_partitions);
	out->topics.n = 0;
	for (int32_t i = 0; i < txn->n_partitions; i++) {
		if (topic == NULL || !str_is(topic->topic, txn->partitions[i].topic)) {
			topic = &out->topics.items[out->topics.n++];
			topic->topic = request_text(req, "%s", txn->partitions[i].topic);
			request_numbers(req, &topic->partitions, txn->n_partitions - i);
			topic->partitions.n = 0;
		}
		topic->partitions.items[topic->partitions.n++] = txn->partitions[i].index;
	}
}

static void describe(struct request *req, struct str id, struct transaction_description *out)
{
	const struct txn *txn = txn_find(req->sb, id);

	out->transactional_id = id;
	out->error_code = req->fault;
	if (out->error_code == KERR_NONE && id.len <= 0)
		out->error_code = KERR_INVALID_REQUEST;
	if (out->error_code == KERR_NONE && txn == NULL)
		out->error_code = KERR_TRANSACTIONAL_ID_NOT_FOUND;
	if (out->error_code != KERR_NONE)
		return;
	out->transaction_state = str_of(txn_state_name(txn));
	out->transaction_timeout_ms = txn->timeout_ms;
	out->transaction_start_time_ms = txn->started_ms;
	out->producer_id = txn->producer_id;
	out->producer_epoch = txn->epoch;
	tell_partitions(req, txn, out);
}

enum handled describe_transactions_handle(struct request *req)
{
	const struct describe_transactions_request *body = request_body(req, describe_transactions);
	struct describe_transactions_response *answer = request_answer(req, describe_transactions);

	request_items(req, &answer->transaction_states, transaction_description, body->transactional_ids.n);
	for (int32_t i = 0; i < body->transactional_ids.n; i++)
		describe(req, body->transactional_ids.items[i], &answer->transaction_states.items[i]);
	return HANDLED;
}
