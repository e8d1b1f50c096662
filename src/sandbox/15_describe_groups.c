/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: metadata and assignments of members only in a stable group. A group that is not there: state Dead, from
 * version 6 on 69 beside it.
 * Version notes: 3 operations, 4 instances, 6 69. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/describe_groups.h"

static void describe_member(struct request *req, const struct coord_member *member, struct described_member *out)
{
	const struct coord_group *group = member->group;
	const struct coord_protocol *protocol = NULL;

	out->member_id = request_text(req, "%s", member->id);
	if (member->instance != NULL)
		out->group_instance_id = request_text(req, "%s", member->instance);
	out->client_id = request_text(req, "%s", member->client_id);
	out->client_host = request_text(req, "%s", member->client_host);
	if (group->state != COORD_STABLE)
		return;
	protocol = coord_protocol(member, str_of(group->protocol));
	if (protocol != NULL)
		out->member_metadata = request_bytes(req, protocol->metadata);
	out->member_assignment = request_bytes(req, member->assignment);
}

static void describe(struct request *req, struct str id, struct described_group *out)
{
	const struct coord_group *group = coord_find(req->sb, id);
	struct list *pos;
	int32_t i = 0;

	out->group_id = id;
	out->error_code = req->fault;
	out->group_state = str_of(coord_state_name(group));
	if (out->error_code != KERR_NONE)
		return;
	if (group == NULL) {
		if (req->version >= 6) {
			out->error_code = KERR_GROUP_ID_NOT_FOUND;
			out->error_message = request_text(req, "Group %.*s not found.", STR_ARG(id));
		}
		return;
	}
	if (group->protocol_type != NULL)
		out->protocol_type = request_text(req, "%s", group->protocol_type);
	if (group->state == COORD_STABLE)
		out->protocol_data = request_text(req, "%s", group->protocol);
	if (request_body(req, describe_groups)->include_authorized_operations)
		out->authorized_operations = OPERATIONS_GROUP;
	request_items(req, &out->members, described_member, group->n_members);
	list_each(pos, &group->members)
		describe_member(req, list_entry(pos, struct coord_member, node), &out->members.items[i++]);
}

enum handled describe_groups_handle(struct request *req)
{
	const struct describe_groups_request *body = request_body(req, describe_groups);
	struct describe_groups_response *answer = request_answer(req, describe_groups);

	request_items(req, &answer->groups, described_group, body->groups.n);
	for (int32_t i = 0; i < body->groups.n; i++)
		describe(req, body->groups.items[i], &answer->groups.items[i]);
	return HANDLED;
}
