/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour, that of the classic coordinator: 24 no group id, 26 session timeout outside of 6 s to 30 min, 23 no common
 * protocol, 25 an id that is not known, 82 an instance whose id is somebody else's now, 79 with a new id for dynamic
 * members (they come again with it).
 * An instance that comes without an id takes over its member: who waits under the old id gets 82; in a stable group
 * whose protocol stays the same the generation goes on.
 * Version notes: 1 rebalance timeout, 4 79, 5 instances, 7 protocol type, 9 skip_assignment: a leader that took over
 * its own place gets the members but need not assign anew; before 9 it is not told that it leads. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/join_group.h"

enum { SESSION_MIN_MS = 6000, SESSION_MAX_MS = 1800000 };

static enum handled refuse(struct request *req, int16_t code, const char *member_id)
{
	struct join_group_response *answer = request_answer(req, join_group);

	answer->error_code = code;
	answer->generation_id = -1;
	answer->protocol_name = req->version >= 7 ? STR_NULL : str_of("");
	answer->leader = str_of("");
	answer->member_id = request_text(req, "%s", member_id);
	return HANDLED;
}

static enum handled refuse_same(struct request *req, int16_t code)
{
	return refuse(req, code, request_text(req, "%.*s", STR_ARG(request_body(req, join_group)->member_id)).data);
}

static void tell_members(struct request *req, const struct coord_group *group)
{
	struct join_group_response *answer = request_answer(req, join_group);
	struct list *pos;
	int32_t i = 0;

	request_items(req, &answer->members, join_group_member, group->n_members);
	list_each(pos, &group->members) {
		const struct coord_member *member = list_entry(pos, struct coord_member, node);
		const struct coord_protocol *protocol = coord_protocol(member, str_of(group->protocol));
		struct join_group_member *out = &answer->members.items[i++];

		out->member_id = request_text(req, "%s", member->id);
		if (member->instance != NULL)
			out->group_instance_id = request_text(req, "%s", member->instance);
		if (protocol != NULL)
			out->metadata = request_bytes(req, protocol->metadata);
	}
}

/* The generation as it stands, for one member. */
static void tell_generation(struct request *req, const struct coord_member *member, const char *leader)
{
	struct join_group_response *answer = request_answer(req, join_group);
	const struct coord_group *group = member->group;

	answer->generation_id = group->generation;
	answer->protocol_type = request_text(req, "%s", group->protocol_type);
	answer->protocol_name = request_text(req, "%s", group->protocol);
	answer->leader = request_text(req, "%s", leader);
	answer->member_id = request_text(req, "%s", member->id);
}

void join_group_answer(struct coord_member *member, int16_t code)
{
	struct request *req = member->join;

	member->join = NULL;
	if (req == NULL)
		return;
	if (code != KERR_NONE) {
		refuse(req, code, member->id);
	} else {
		tell_generation(req, member, member->group->leader->id);
		if (member == member->group->leader)
			tell_members(req, member->group);
	}
	request_finish(req);
}

/* The member waits with this request for the generation. */
static enum handled wait_for_generation(struct request *req, struct coord_member *member)
{
	struct coord_group *group = member->group;

	join_group_answer(member, KERR_REBALANCE_IN_PROGRESS);
	tick_clear(&member->session);
	member->join = req;
	request_park(req);
	coord_rebalance(group);
	coord_try_complete(group);
	return HANDLED_LATER;
}

static enum handled current_generation(struct request *req, struct coord_member *member, bool members)
{
	tell_generation(req, member, member->group->leader->id);
	if (members)
		tell_members(req, member->group);
	coord_alive(member);
	return HANDLED;
}

static bool same_protocols(const struct coord_member *member, const struct join_group_request *body)
{
	if (member->n_protocols != body->protocols.n)
		return false;
	for (int32_t i = 0; i < member->n_protocols; i++) {
		const struct join_group_protocol *p = &body->protocols.items[i];
		const struct coord_protocol *q = &member->protocols[i];

		if (!str_is(p->name, q->name) || p->metadata.len != q->metadata.len ||
		    (p->metadata.len > 0 && memcmp(p->metadata.data, q->metadata.data, (size_t)p->metadata.len) != 0))
			return false;
	}
	return true;
}

/* An instance takes over its member. */
static enum handled take_over(struct request *req, struct coord_member *member)
{
	const struct join_group_request *body = request_body(req, join_group);
	struct coord_group *group = member->group;
	bool leads = group->leader == member;
	char *old;

	join_group_answer(member, KERR_FENCED_INSTANCE_ID);
	sync_group_answer(member, KERR_FENCED_INSTANCE_ID);
	old = member->id;
	member->id = coord_member_id(req->sb, body->group_instance_id);
	coord_member_update(member, body);
	if (group->state == COORD_STABLE && strcmp(coord_elected_protocol(group), group->protocol) == 0) {
		tell_generation(req, member, leads && req->version < 9 ? old : group->leader->id);
		if (leads && req->version >= 9) {
			tell_members(req, group);
			request_answer(req, join_group)->skip_assignment = true;
		}
		coord_alive(member);
		xfree(old);
		return HANDLED;
	}
	xfree(old);
	return wait_for_generation(req, member);
}

static enum handled join_new(struct request *req, struct coord_group *group)
{
	const struct join_group_request *body = request_body(req, join_group);
	bool is_static = body->group_instance_id.len >= 0;
	struct coord_member *member = is_static ? coord_instance(group, body->group_instance_id) : NULL;
	char *id;

	if (member != NULL)
		return take_over(req, member);
	id = coord_member_id(req->sb, is_static ? body->group_instance_id : req->header.client_id);
	if (!is_static && req->version >= 4) {
		coord_pending_add(group, id, body->session_timeout_ms);
		refuse(req, KERR_MEMBER_ID_REQUIRED, id);
		xfree(id);
		return HANDLED;
	}
	member = coord_member_add(group, str_of(id), req);
	xfree(id);
	return member != NULL ? wait_for_generation(req, member) : refuse(req, KERR_KAFKA_STORAGE_ERROR, "");
}

static enum handled join_known(struct request *req, struct coord_group *group)
{
	const struct join_group_request *body = request_body(req, join_group);
	struct coord_pending *pending = coord_pending(group, body->member_id);
	struct coord_member *member;
	int16_t code;

	if (pending != NULL && body->group_instance_id.len < 0) {
		member = coord_member_add(group, body->member_id, req);
		if (member == NULL)
			return refuse_same(req, KERR_KAFKA_STORAGE_ERROR);
		coord_pending_remove(pending);
		return wait_for_generation(req, member);
	}
	code = coord_check_member(group, body->member_id, body->group_instance_id, &member);
	if (code != KERR_NONE)
		return refuse_same(req, code);
	if (group->state == COORD_COMPLETING && same_protocols(member, body))
		return current_generation(req, member, member == group->leader);
	if (group->state == COORD_STABLE && member != group->leader && same_protocols(member, body))
		return current_generation(req, member, false);
	coord_member_update(member, body);
	return wait_for_generation(req, member);
}

static int16_t check(const struct request *req, const struct join_group_request *body)
{
	if (req->fault != KERR_NONE)
		return req->fault;
	if (body->group_id.len <= 0)
		return KERR_INVALID_GROUP_ID;
	if (body->session_timeout_ms < SESSION_MIN_MS || body->session_timeout_ms > SESSION_MAX_MS)
		return KERR_INVALID_SESSION_TIMEOUT;
	return KERR_NONE;
}

enum handled join_group_handle(struct request *req)
{
	const struct join_group_request *body = request_body(req, join_group);
	int16_t code = check(req, body);
	struct coord_group *group;

	if (code != KERR_NONE)
		return refuse_same(req, code);
	group = coord_find(req->sb, body->group_id);
	if (group == NULL && body->member_id.len > 0)
		return refuse_same(req, KERR_UNKNOWN_MEMBER_ID);
	if (group == NULL && (body->protocol_type.len <= 0 || body->protocols.n <= 0))
		return refuse_same(req, KERR_INCONSISTENT_GROUP_PROTOCOL);
	if (group == NULL)
		group = coord_open(req->sb, body->group_id);
	if (group == NULL)
		return refuse_same(req, KERR_KAFKA_STORAGE_ERROR);
	if (!coord_supports(group, body))
		return refuse_same(req, KERR_INCONSISTENT_GROUP_PROTOCOL);
	return body->member_id.len > 0 ? join_known(req, group) : join_new(req, group);
}
