/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: without a transactional id a new id with epoch 0, whatever id and epoch were sent. There are no
 * transactions yet: with one, 42 (42 also for an empty one, as brokers do). */
#include "sandbox/handlers.h"
#include "wire/msg/init_producer_id.h"

enum handled init_producer_id_handle(struct request *req)
{
	const struct init_producer_id_request *body = request_body(req, init_producer_id);
	struct init_producer_id_response *answer = request_answer(req, init_producer_id);

	answer->producer_id = -1;
	answer->producer_epoch = -1;
	answer->error_code = req->fault;
	if (answer->error_code == KERR_NONE && body->transactional_id.len >= 0)
		answer->error_code = KERR_INVALID_REQUEST;
	if (answer->error_code == KERR_NONE) {
		answer->producer_id = req->sb->next_producer_id++;
		answer->producer_epoch = 0;
	}
	return HANDLED;
}
