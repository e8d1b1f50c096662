/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour: all groups, or those in the states and of the types that are asked for, in any writing of the case. All
 * are of type classic. Version notes: 4 states, 5 types. */
#include "sandbox/coord.h"
#include "sandbox/handlers.h"
#include "wire/msg/list_groups.h"

static bool same_word(struct str a, const char *b)
{
	return a.len >= 0 && strlen(b) == (size_t)a.len && strncasecmp(a.data, b, (size_t)a.len) == 0;
}

static bool in_filter(const struct str *items, int32_t n, const char *word)
{
	for (int32_t i = 0; i < n; i++)
		if (same_word(items[i], word))
			return true;
	return n <= 0;
}

enum handled list_groups_handle(struct request *req)
{
	const struct list_groups_request *body = request_body(req, list_groups);
	struct list_groups_response *answer = request_answer(req, list_groups);
	const struct coord_group *group;
	size_t at = 0;

	answer->error_code = req->fault;
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	request_items(req, &answer->groups, listed_group, (int32_t)map_count(&req->sb->groups));
	answer->groups.n = 0;
	for (group = map_next(&req->sb->groups, &at); group != NULL; group = map_next(&req->sb->groups, &at)) {
		struct listed_group *out = &answer->groups.items[answer->groups.n];

		if (!in_filter(body->states_filter.items, body->states_filter.n, coord_state_name(group)) ||
		    !in_filter(body->types_filter.items, body->types_filter.n, "classic"))
			continue;
		out->group_id = request_text(req, "%s", group->id);
		out->protocol_type = request_text(req, "%s", group->protocol_type != NULL ? group->protocol_type : "");
		out->group_state = str_of(coord_state_name(group));
		out->group_type = str_of("classic");
		answer->groups.n++;
	}
	return HANDLED;
}
