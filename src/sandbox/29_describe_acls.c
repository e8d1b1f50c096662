/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: there is no authorizer: 54, as a broker says it. */
#include "sandbox/handlers.h"
#include "wire/msg/describe_acls.h"

enum handled describe_acls_handle(struct request *req)
{
	struct describe_acls_response *answer = request_answer(req, describe_acls);

	answer->error_code = req->fault != KERR_NONE ? req->fault : KERR_SECURITY_DISABLED;
	answer->error_message = str_of("No Authorizer is configured on the broker");
	return HANDLED;
}
