/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the markers stand in the partitions when it is answered. 48 where nothing was begun, or where the
 * transaction has ended the other way; the same end again is taken.
 * Version notes: below 2 47 stands for 90. 5, with an epoch for each transaction, is not served: clients then use the
 * older form. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/end_txn.h"

enum handled end_txn_handle(struct request *req)
{
	const struct end_txn_request *body = request_body(req, end_txn);
	struct end_txn_response *answer = request_answer(req, end_txn);
	const struct txn_claim claim = { body->transactional_id, body->producer_id, body->producer_epoch };
	struct txn *txn;

	answer->error_code = fault_after_write(req->fault) ? KERR_NONE : req->fault;
	if (answer->error_code == KERR_NONE)
		answer->error_code = txn_code(txn_check(req->sb, &claim, &txn), req->version, 2);
	if (answer->error_code == KERR_NONE)
		answer->error_code = txn_end(txn, body->committed);
	if (answer->error_code == KERR_NONE)
		answer->error_code = req->fault;
	return HANDLED;
}
