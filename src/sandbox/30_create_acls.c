/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: there is no authorizer: 54 for each, as a broker says it. */
#include "sandbox/handlers.h"
#include "wire/msg/create_acls.h"

enum handled create_acls_handle(struct request *req)
{
	struct create_acls_response *answer = request_answer(req, create_acls);

	request_items(req, &answer->results, acl_creation_result, request_body(req, create_acls)->creations.n);
	for (int32_t i = 0; i < answer->results.n; i++) {
		answer->results.items[i].error_code = req->fault != KERR_NONE ? req->fault : KERR_SECURITY_DISABLED;
		answer->results.items[i].error_message = str_of("No Authorizer is configured on the broker");
	}
	return HANDLED;
}
