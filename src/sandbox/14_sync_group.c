/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: waits for the leader's assignment. 25 unknown member or group, 82 a replaced instance, 22 another
 * generation, 23 another protocol type or name, 27 when a new generation has begun.
 * Version notes: 5 protocol type and name. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/sync_group.h"

void sync_group_answer(struct coord_member *member, int16_t code)
{
	struct request *req = member->sync;
	struct sync_group_response *answer;

	member->sync = NULL;
	if (req == NULL)
		return;
	answer = request_answer(req, sync_group);
	answer->error_code = code;
	if (code == KERR_NONE) {
		answer->protocol_type = request_text(req, "%s", member->group->protocol_type);
		answer->protocol_name = request_text(req, "%s", member->group->protocol);
		answer->assignment = request_bytes(req, member->assignment);
	}
	coord_alive(member);
	request_finish(req);
}

static int16_t check(struct request *req, const struct sync_group_request *body, struct coord_member **member)
{
	struct coord_group *group = coord_find(req->sb, body->group_id);
	int16_t code;

	if (req->fault != KERR_NONE)
		return req->fault;
	if (body->group_id.len <= 0)
		return KERR_INVALID_GROUP_ID;
	if (group == NULL)
		return KERR_UNKNOWN_MEMBER_ID;
	code = coord_check_member(group, body->member_id, body->group_instance_id, member);
	if (code != KERR_NONE)
		return code;
	if (body->generation_id != group->generation)
		return KERR_ILLEGAL_GENERATION;
	if (body->protocol_type.len >= 0 && !str_is(body->protocol_type, group->protocol_type))
		return KERR_INCONSISTENT_GROUP_PROTOCOL;
	if (body->protocol_name.len >= 0 && group->protocol != NULL && !str_is(body->protocol_name, group->protocol))
		return KERR_INCONSISTENT_GROUP_PROTOCOL;
	return group->state == COORD_PREPARING ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

static void take_assignments(struct coord_group *group, const struct sync_group_request *body)
{
	struct list *pos;

	list_each(pos, &group->members) {
		struct coord_member *member = list_entry(pos, struct coord_member, node);
		struct bytes assignment = { NULL, 0 };

		for (int32_t i = 0; i < body->assignments.n; i++)
			if (str_is(body->assignments.items[i].member_id, member->id))
				assignment = body->assignments.items[i].assignment;
		coord_assign(member, assignment);
	}
}

enum handled sync_group_handle(struct request *req)
{
	const struct sync_group_request *body = request_body(req, sync_group);
	struct sync_group_response *answer = request_answer(req, sync_group);
	struct coord_member *member = NULL;

	answer->error_code = check(req, body, &member);
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	sync_group_answer(member, KERR_REBALANCE_IN_PROGRESS);
	member->sync = req;
	member->synced = true;
	request_park(req);
	tick_clear(&member->session);
	if (member->group->state == COORD_STABLE) {
		sync_group_answer(member, KERR_NONE);
	} else if (member == member->group->leader) {
		take_assignments(member->group, body);
		member->group->state = COORD_STABLE;
		coord_settle_syncs(member->group, KERR_NONE);
	}
	return HANDLED_LATER;
}
