/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: the one node coordinates every group and every transactional id; share groups get 42 with a sentence.
 * Version notes: 1 key type, 4 several keys. */
#include "sandbox/handlers.h"
#include "wire/msg/find_coordinator.h"

enum { KEY_GROUP, KEY_TRANSACTION };

static const char no_share_groups[] = "krsandbox coordinates consumer groups and transactions only";

static void answer_key(struct request *req, struct str key, struct coordinator *out)
{
	int8_t type = request_body(req, find_coordinator)->key_type;

	out->key = key;
	out->node_id = -1;
	out->port = -1;
	out->error_message = str_of("");
	if (req->fault != KERR_NONE) {
		out->error_code = req->fault;
	} else if (type != KEY_GROUP && type != KEY_TRANSACTION) {
		out->error_code = KERR_INVALID_REQUEST;
		out->error_message = str_of(no_share_groups);
	} else if (key.len <= 0 && type == KEY_GROUP) {
		out->error_code = KERR_INVALID_GROUP_ID;
	} else {
		out->node_id = req->sb->opts.node_id;
		out->host = str_of(req->sb->host);
		out->port = req->sb->opts.port;
		out->error_message = STR_NULL;
	}
}

enum handled find_coordinator_handle(struct request *req)
{
	const struct find_coordinator_request *body = request_body(req, find_coordinator);
	struct find_coordinator_response *answer = request_answer(req, find_coordinator);

	if (req->version < 4) {
		struct coordinator one = { 0 };

		answer_key(req, body->key, &one);
		answer->error_code = one.error_code;
		answer->error_message = one.error_message;
		answer->node_id = one.node_id;
		answer->host = one.host;
		answer->port = one.port;
		return HANDLED;
	}
	request_items(req, &answer->coordinators, coordinator, body->coordinator_keys.n);
	for (int32_t i = 0; i < body->coordinator_keys.n; i++)
		answer_key(req, body->coordinator_keys.items[i], &answer->coordinators.items[i]);
	return HANDLED;
}
