/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: filters of state, producer id and age; empty ones take all. States that there are none of are told.
 * Version notes: 1 the age in milliseconds. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/list_transactions.h"

static bool known_state(struct str name)
{
	static const char *const names[] = { "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit",
					     "CompleteAbort", "PrepareEpochFence", "Dead" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static bool wanted(const struct request *req, const struct txn *txn)
{
	const struct list_transactions_request *body = request_body(req, list_transactions);
	bool state = body->state_filters.n <= 0, producer = body->producer_id_filters.n <= 0;

	for (int32_t i = 0; i < body->state_filters.n; i++)
		state |= str_is(body->state_filters.items[i], txn_state_name(txn));
	for (int32_t i = 0; i < body->producer_id_filters.n; i++)
		producer |= body->producer_id_filters.items[i] == txn->producer_id;
	return state && producer &&
	       (body->duration_filter < 0 ||
		(txn->started_ms >= 0 && req->sb->wall_ms - txn->started_ms > body->duration_filter));
}

enum handled list_transactions_handle(struct request *req)
{
	const struct list_transactions_request *body = request_body(req, list_transactions);
	struct list_transactions_response *answer = request_answer(req, list_transactions);
	const struct txn *txn;
	size_t at = 0;

	answer->error_code = req->fault;
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	request_numbers(req, &answer->unknown_state_filters, body->state_filters.n);
	answer->unknown_state_filters.n = 0;
	for (int32_t i = 0; i < body->state_filters.n; i++)
		if (!known_state(body->state_filters.items[i]))
			answer->unknown_state_filters.items[answer->unknown_state_filters.n++] =
				body->state_filters.items[i];
	request_items(req, &answer->transaction_states, transaction_listing, (int32_t)map_count(&req->sb->txns));
	answer->transaction_states.n = 0;
	while ((txn = map_next(&req->sb->txns, &at)) != NULL)
		if (wanted(req, txn)) {
			struct transaction_listing *out =
				&answer->transaction_states.items[answer->transaction_states.n++];

			out->transactional_id = request_text(req, "%s", txn->id);
			out->producer_id = txn->producer_id;
			out->transaction_state = str_of(txn_state_name(txn));
		}
	return HANDLED;
}
