/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the one node. Version notes: 1 endpoint type (controllers: 114), 2 fenced brokers (none). */
#include "sandbox/handlers.h"
#include "wire/msg/describe_cluster.h"

enum { ENDPOINT_BROKERS = 1 };

enum handled describe_cluster_handle(struct request *req)
{
	const struct describe_cluster_request *body = request_body(req, describe_cluster);
	struct describe_cluster_response *answer = request_answer(req, describe_cluster);

	answer->error_code = req->fault;
	answer->endpoint_type = body->endpoint_type;
	answer->cluster_id = str_of(req->sb->cluster_id);
	if (answer->error_code == KERR_NONE && body->endpoint_type != ENDPOINT_BROKERS)
		answer->error_code = KERR_MISMATCHED_ENDPOINT_TYPE;
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	answer->controller_id = req->sb->opts.node_id;
	if (body->include_cluster_authorized_operations)
		answer->cluster_authorized_operations = OPERATIONS_CLUSTER;
	request_items(req, &answer->brokers, cluster_broker, 1);
	answer->brokers.items[0].broker_id = req->sb->opts.node_id;
	answer->brokers.items[0].host = str_of(req->sb->host);
	answer->brokers.items[0].port = req->sb->opts.port;
	return HANDLED;
}
