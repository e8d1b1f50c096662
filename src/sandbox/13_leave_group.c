/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: each member for itself: 25 unknown, 82 a replaced instance; an instance may leave without an id.
 * Version notes: up to 2 one member, whose code is the answer's; 3 several, by instance too. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/leave_group.h"

static int16_t leave(struct coord_group *group, struct str id, struct str instance)
{
	struct coord_pending *pending = coord_pending(group, id);
	struct coord_member *member;
	int16_t code;

	if (instance.len >= 0 && id.len == 0) {
		member = coord_instance(group, instance);
		code = member != NULL ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
	} else if (pending != NULL && instance.len < 0) {
		coord_pending_remove(pending);
		coord_try_complete(group);
		return KERR_NONE;
	} else {
		code = coord_check_member(group, id, instance, &member);
	}
	if (code == KERR_NONE)
		coord_member_remove(member);
	return code;
}

enum handled leave_group_handle(struct request *req)
{
	const struct leave_group_request *body = request_body(req, leave_group);
	struct leave_group_response *answer = request_answer(req, leave_group);
	struct coord_group *group = coord_find(req->sb, body->group_id);

	answer->error_code = req->fault;
	if (answer->error_code == KERR_NONE && body->group_id.len <= 0)
		answer->error_code = KERR_INVALID_GROUP_ID;
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	if (req->version < 3) {
		answer->error_code = group != NULL ? leave(group, body->member_id, STR_NULL)
						   : KERR_UNKNOWN_MEMBER_ID;
		return HANDLED;
	}
	request_items(req, &answer->members, left_member, body->members.n);
	for (int32_t i = 0; i < body->members.n; i++) {
		const struct leaving_member *in = &body->members.items[i];

		answer->members.items[i].member_id = in->member_id;
		answer->members.items[i].group_instance_id = in->group_instance_id;
		answer->members.items[i].error_code = group != NULL ? leave(group, in->member_id, in->group_instance_id)
								    : KERR_UNKNOWN_MEMBER_ID;
	}
	return HANDLED;
}
