/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: without a transactional id a new id with epoch 0, whatever id and epoch were sent. With one, its producer
 * id with the next epoch (a new producer id when the epochs are used up): 42 empty, 50 a timeout that is not above 0
 * or above 15 minutes, 90 an id or epoch that is not the present one, 51 after an open transaction was aborted.
 * Version notes: 3 the present id and epoch; below 4 47 stands for 90. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/init_producer_id.h"

enum handled init_producer_id_handle(struct request *req)
{
	const struct init_producer_id_request *body = request_body(req, init_producer_id);
	struct init_producer_id_response *answer = request_answer(req, init_producer_id);
	const struct txn_claim claim = { body->transactional_id, body->producer_id, body->producer_epoch };
	struct txn *txn;

	answer->producer_id = -1;
	answer->producer_epoch = -1;
	answer->error_code = req->fault;
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	if (body->transactional_id.len < 0) {
		answer->producer_id = req->sb->next_producer_id++;
		answer->producer_epoch = 0;
		return HANDLED;
	}
	answer->error_code = txn_code(txn_init(req->sb, &claim, body->transaction_timeout_ms, &txn), req->version, 4);
	if (answer->error_code == KERR_NONE) {
		answer->producer_id = txn->producer_id;
		answer->producer_epoch = txn->epoch;
	}
	return HANDLED;
}
