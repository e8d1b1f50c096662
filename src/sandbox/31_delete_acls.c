/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: there is no authorizer: 54 for each, as a broker says it. */
#include "sandbox/handlers.h"
#include "wire/msg/delete_acls.h"

enum handled delete_acls_handle(struct request *req)
{
	struct delete_acls_response *answer = request_answer(req, delete_acls);

	request_items(req, &answer->filter_results, acl_deletion_result,
		      request_body(req, delete_acls)->filters.n);
	for (int32_t i = 0; i < answer->filter_results.n; i++) {
		answer->filter_results.items[i].error_code =
			req->fault != KERR_NONE ? req->fault : KERR_SECURITY_DISABLED;
		answer->filter_results.items[i].error_message =
			str_of("No Authorizer is configured on the broker");
	}
	return HANDLED;
}
