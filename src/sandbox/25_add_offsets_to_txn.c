/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: as AddPartitionsToTxn, for the offsets of a group. A broker adds the partition of __consumer_offsets that
 * the group belongs to; here it is the group itself.
 * Version notes: below 2 47 stands for 90. */
#include "sandbox/handlers.h"
#include "sandbox/txn.h"
#include "wire/msg/add_offsets_to_txn.h"

enum handled add_offsets_to_txn_handle(struct request *req)
{
	const struct add_offsets_to_txn_request *body = request_body(req, add_offsets_to_txn);
	struct add_offsets_to_txn_response *answer = request_answer(req, add_offsets_to_txn);
	const struct txn_claim claim = { body->transactional_id, body->producer_id, body->producer_epoch };
	struct txn *txn;

	answer->error_code = req->fault;
	if (answer->error_code == KERR_NONE)
		answer->error_code = txn_code(txn_check(req->sb, &claim, &txn), req->version, 2);
	if (answer->error_code == KERR_NONE)
		txn_add_group(txn, body->group_id);
	return HANDLED;
}
