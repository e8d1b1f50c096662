/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 25 unknown member or group, 82 a replaced instance, 22 another generation, 27 while a new generation is
 * being made; the session goes on with each that is not refused otherwise. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/heartbeat.h"

static int16_t beat(struct request *req, const struct heartbeat_request *body)
{
	struct coord_group *group = coord_find(req->sb, body->group_id);
	struct coord_member *member;
	int16_t code;

	if (req->fault != KERR_NONE)
		return req->fault;
	if (body->group_id.len <= 0)
		return KERR_INVALID_GROUP_ID;
	if (group == NULL)
		return KERR_UNKNOWN_MEMBER_ID;
	code = coord_check_member(group, body->member_id, body->group_instance_id, &member);
	if (code != KERR_NONE)
		return code;
	if (body->generation_id != group->generation)
		return KERR_ILLEGAL_GENERATION;
	if (member->join == NULL)
		coord_alive(member);
	return group->state == COORD_PREPARING ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

enum handled heartbeat_handle(struct request *req)
{
	request_answer(req, heartbeat)->error_code = beat(req, request_body(req, heartbeat));
	return HANDLED;
}
