/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: 69 unknown, 68 while it has members; its offsets go with it. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/delete_groups.h"

static int16_t delete_one(struct request *req, struct str id)
{
	struct coord_group *group = coord_find(req->sb, id);

	if (req->fault != KERR_NONE)
		return req->fault;
	if (id.len <= 0)
		return KERR_INVALID_GROUP_ID;
	if (group == NULL)
		return KERR_GROUP_ID_NOT_FOUND;
	if (group->state != COORD_EMPTY)
		return KERR_NON_EMPTY_GROUP;
	coord_remove(group);
	return KERR_NONE;
}

enum handled delete_groups_handle(struct request *req)
{
	const struct delete_groups_request *body = request_body(req, delete_groups);
	struct delete_groups_response *answer = request_answer(req, delete_groups);

	request_items(req, &answer->results, deleted_group, body->groups_names.n);
	for (int32_t i = 0; i < body->groups_names.n; i++) {
		answer->results.items[i].group_id = body->groups_names.items[i];
		answer->results.items[i].error_code = delete_one(req, body->groups_names.items[i]);
	}
	return HANDLED;
}
