/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/coord.h"

#include "wire/msg/join_group.h"

enum { GROUP_COST = 1024, MEMBER_COST = 1024 };

static void forget(struct coord_member *member);

const char *coord_state_name(const struct coord_group *group)
{
	static const char *const names[] = { "Empty", "PreparingRebalance", "CompletingRebalance", "Stable" };

	return group != NULL ? names[group->state] : "Dead";
}

struct coord_group *coord_find(struct sandbox *sb, struct str id)
{
	return id.len > 0 ? map_get(&sb->groups, id.data, (size_t)id.len) : NULL;
}

static void timer_fired(struct tick *tick);

struct coord_group *coord_open(struct sandbox *sb, struct str id)
{
	struct coord_group *group = coord_find(sb, id);

	if (group != NULL)
		return group;
	if (memchr(id.data, '\0', (size_t)id.len) != NULL)
		return NULL;  /* no text */
	if (!store_charge(&sb->store, GROUP_COST + (size_t)id.len))
		return NULL;
	group = xcalloc(1, sizeof(*group));
	group->sb = sb;
	group->id = str_dup(id);
	group->timer.fire = timer_fired;
	list_init(&group->members);
	list_init(&group->pending);
	map_put(&sb->groups, group->id, (size_t)id.len, group);
	return group;
}

void coord_remove(struct coord_group *group)
{
	struct sandbox *sb = group->sb;

	while (!list_empty(&group->members)) {
		struct coord_member *member = list_first(&group->members, struct coord_member, node);

		join_group_answer(member, KERR_COORDINATOR_NOT_AVAILABLE);
		sync_group_answer(member, KERR_COORDINATOR_NOT_AVAILABLE);
		forget(member);
	}
	while (!list_empty(&group->pending))
		coord_pending_remove(list_first(&group->pending, struct coord_pending, node));
	coord_offsets_fini(group);
	tick_clear(&group->timer);
	map_del(&sb->groups, group->id, strlen(group->id));
	store_release(&sb->store, GROUP_COST + strlen(group->id));
	xfree(group->protocol_type);
	xfree(group->protocol);
	xfree(group->id);
	xfree(group);
}

void coord_fini(struct sandbox *sb)
{
	struct coord_group *group;
	size_t at = 0;

	while ((group = map_next(&sb->groups, &at)) != NULL)
		coord_remove(group);
	map_fini(&sb->groups);
}

struct coord_member *coord_member(const struct coord_group *group, struct str id)
{
	struct list *pos;

	list_each(pos, &group->members)
		if (str_is(id, list_entry(pos, struct coord_member, node)->id))
			return list_entry(pos, struct coord_member, node);
	return NULL;
}

struct coord_member *coord_instance(const struct coord_group *group, struct str instance)
{
	struct list *pos;

	list_each(pos, &group->members) {
		struct coord_member *member = list_entry(pos, struct coord_member, node);

		if (member->instance != NULL && str_is(instance, member->instance))
			return member;
	}
	return NULL;
}

struct coord_pending *coord_pending(const struct coord_group *group, struct str id)
{
	struct list *pos;

	list_each(pos, &group->pending)
		if (str_is(id, list_entry(pos, struct coord_pending, node)->id))
			return list_entry(pos, struct coord_pending, node);
	return NULL;
}

int16_t coord_check_member(const struct coord_group *group, struct str id, struct str instance,
			   struct coord_member **member)
{
	if (instance.len >= 0) {
		*member = coord_instance(group, instance);
		if (*member == NULL)
			return KERR_UNKNOWN_MEMBER_ID;
		return str_is(id, (*member)->id) ? KERR_NONE : KERR_FENCED_INSTANCE_ID;
	}
	*member = coord_member(group, id);
	return *member != NULL ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
}

static void session_over(struct tick *tick)
{
	coord_member_remove(container_of(tick, struct coord_member, session));
}

static size_t protocols_size(const struct coord_member *member)
{
	size_t size = (size_t)member->assignment.len;

	for (int32_t i = 0; i < member->n_protocols; i++)
		size += strlen(member->protocols[i].name) + (size_t)member->protocols[i].metadata.len;
	return size;
}

static void free_protocols(struct coord_member *member)
{
	for (int32_t i = 0; i < member->n_protocols; i++) {
		xfree(member->protocols[i].name);
		xfree((void *)(uintptr_t)member->protocols[i].metadata.data);
	}
	xfree(member->protocols);
	member->protocols = NULL;
	member->n_protocols = 0;
}

static struct bytes bytes_dup(struct bytes from)
{
	uint8_t *copy = xmalloc((size_t)MAX(from.len, 1));

	if (from.len > 0)
		memcpy(copy, from.data, (size_t)from.len);
	return (struct bytes){ copy, MAX(from.len, 0) };
}

void coord_assign(struct coord_member *member, struct bytes assignment)
{
	struct store *store = &member->group->sb->store;

	store_release(store, (size_t)member->assignment.len);
	xfree((void *)(uintptr_t)member->assignment.data);
	member->assignment = bytes_dup(assignment);
	store->memory += (size_t)member->assignment.len;
}

void coord_member_update(struct coord_member *member, const struct join_group_request *body)
{
	struct store *store = &member->group->sb->store;

	store_release(store, protocols_size(member));
	free_protocols(member);
	member->session_ms = body->session_timeout_ms;
	member->rebalance_ms = body->rebalance_timeout_ms >= 0 ? body->rebalance_timeout_ms : body->session_timeout_ms;
	member->protocols = xcalloc((size_t)body->protocols.n, sizeof(*member->protocols));
	member->n_protocols = body->protocols.n;
	for (int32_t i = 0; i < body->protocols.n; i++) {
		member->protocols[i].name = str_dup(body->protocols.items[i].name);
		member->protocols[i].metadata = bytes_dup(body->protocols.items[i].metadata);
	}
	/* What a member brings was checked when it came; changes of it are charged without a limit. */
	store->memory += protocols_size(member);
}

struct coord_member *coord_member_add(struct coord_group *group, struct str id, const struct request *req)
{
	const struct join_group_request *body = request_body(req, join_group);
	struct coord_member *member;

	if (!store_charge(&group->sb->store, MEMBER_COST))
		return NULL;
	member = xcalloc(1, sizeof(*member));
	member->group = group;
	member->id = str_dup(id);
	member->instance = str_dup(body->group_instance_id);
	member->client_id = xstrndup(req->header.client_id.data, (size_t)MAX(req->header.client_id.len, 0));
	member->client_host = xasprintf("/%s", req->client->host);
	member->session.fire = session_over;
	member->assignment = bytes_dup((struct bytes){ NULL, 0 });
	coord_member_update(member, body);
	list_push_back(&group->members, &member->node);
	group->n_members++;
	if (group->protocol_type == NULL || group->n_members == 1) {
		xfree(group->protocol_type);
		group->protocol_type = str_dup(body->protocol_type);
	}
	if (group->leader == NULL)
		group->leader = member;
	return member;
}

/* Frees a member of which no request waits. */
static void forget(struct coord_member *member)
{
	struct coord_group *group = member->group;

	CHECK(member->join == NULL && member->sync == NULL);
	tick_clear(&member->session);
	list_del(&member->node);
	group->n_members--;
	if (group->leader == member)
		group->leader = list_first(&group->members, struct coord_member, node);
	store_release(&group->sb->store, MEMBER_COST + protocols_size(member));
	free_protocols(member);
	xfree((void *)(uintptr_t)member->assignment.data);
	xfree(member->id);
	xfree(member->instance);
	xfree(member->client_id);
	xfree(member->client_host);
	xfree(member);
}

char *coord_member_id(struct sandbox *sb, struct str prefix)
{
	struct uuid u = sandbox_uuid(sb);
	const uint8_t *b = u.b;

	return xasprintf("%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", STR_ARG(prefix),
			 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
			 b[14], b[15]);
}

static void pending_over(struct tick *tick)
{
	struct coord_pending *pending = container_of(tick, struct coord_pending, expiry);
	struct coord_group *group = pending->group;

	coord_pending_remove(pending);
	coord_try_complete(group);
}

void coord_pending_add(struct coord_group *group, const char *id, int32_t session_ms)
{
	struct coord_pending *pending = xcalloc(1, sizeof(*pending));

	pending->group = group;
	pending->id = xstrdup(id);
	pending->expiry.fire = pending_over;
	list_push_back(&group->pending, &pending->node);
	tick_set(&group->sb->ticker, &pending->expiry, group->sb->now_ms + session_ms);
}

void coord_pending_remove(struct coord_pending *pending)
{
	tick_clear(&pending->expiry);
	list_del(&pending->node);
	xfree(pending->id);
	xfree(pending);
}

void coord_alive(struct coord_member *member)
{
	struct sandbox *sb = member->group->sb;

	tick_set(&sb->ticker, &member->session, sb->now_ms + member->session_ms);
}

void coord_settle_syncs(struct coord_group *group, int16_t code)
{
	struct list *pos;

	list_each(pos, &group->members)
		sync_group_answer(list_entry(pos, struct coord_member, node), code);
}

static int32_t longest_rebalance(const struct coord_group *group)
{
	int32_t longest = 0;
	struct list *pos;

	list_each(pos, &group->members)
		longest = MAX(longest, list_entry(pos, struct coord_member, node)->rebalance_ms);
	return longest;
}

void coord_rebalance(struct coord_group *group)
{
	struct sandbox *sb = group->sb;
	bool first = group->state == COORD_EMPTY;
	int32_t wait_ms = first && sb->opts.rebalance_delay_ms > 0 ? sb->opts.rebalance_delay_ms
								    : longest_rebalance(group);

	if (group->state == COORD_PREPARING)
		return;
	if (group->state == COORD_COMPLETING)
		coord_settle_syncs(group, KERR_REBALANCE_IN_PROGRESS);
	group->state = COORD_PREPARING;
	group->delayed = first && sb->opts.rebalance_delay_ms > 0;
	tick_set(&sb->ticker, &group->timer, sb->now_ms + wait_ms);
}

const struct coord_protocol *coord_protocol(const struct coord_member *member, struct str name)
{
	for (int32_t i = 0; i < member->n_protocols; i++)
		if (str_is(name, member->protocols[i].name))
			return &member->protocols[i];
	return NULL;
}

/* True when every member supports the protocol. */
static bool all_support(const struct coord_group *group, const char *name)
{
	struct list *pos;

	list_each(pos, &group->members)
		if (coord_protocol(list_entry(pos, struct coord_member, node), str_of(name)) == NULL)
			return false;
	return true;
}

/* The member's vote: its first protocol that all support. */
static const char *vote(const struct coord_group *group, const struct coord_member *member)
{
	for (int32_t i = 0; i < member->n_protocols; i++)
		if (all_support(group, member->protocols[i].name))
			return member->protocols[i].name;
	return NULL;
}

static int votes_for(const struct coord_group *group, const char *name)
{
	struct list *pos;
	int n = 0;

	list_each(pos, &group->members) {
		const char *choice = vote(group, list_entry(pos, struct coord_member, node));

		n += choice != NULL && strcmp(choice, name) == 0;
	}
	return n;
}

const char *coord_elected_protocol(const struct coord_group *group)
{
	const struct coord_member *first = list_first(&group->members, struct coord_member, node);
	const char *best = NULL;
	int most = -1;

	for (int32_t i = 0; first != NULL && i < first->n_protocols; i++) {
		const char *name = first->protocols[i].name;

		if (all_support(group, name) && votes_for(group, name) > most) {
			best = name;
			most = votes_for(group, name);
		}
	}
	return best;
}

bool coord_supports(const struct coord_group *group, const struct join_group_request *body)
{
	if (group->n_members == 0)
		return body->protocol_type.len > 0 && body->protocols.n > 0;
	if (!str_is(body->protocol_type, group->protocol_type))
		return false;
	for (int32_t i = 0; i < body->protocols.n; i++) {
		char *name = str_dup(body->protocols.items[i].name);
		bool all = name != NULL && all_support(group, name);

		xfree(name);
		if (all)
			return true;
	}
	return false;
}

/* Dynamic members that did not join again are gone; static ones stay, as long as somebody joined. */
static void drop_absent(struct coord_group *group)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &group->members) {
		struct coord_member *member = list_entry(pos, struct coord_member, node);

		if (member->join == NULL && member->instance == NULL)
			forget(member);
	}
}

/* The leader must be one who joined. False: nobody did. */
static bool elect(struct coord_group *group)
{
	struct list *pos;

	if (group->leader != NULL && group->leader->join != NULL)
		return true;
	list_each(pos, &group->members)
		if (list_entry(pos, struct coord_member, node)->join != NULL) {
			group->leader = list_entry(pos, struct coord_member, node);
			return true;
		}
	return false;
}

static void complete(struct coord_group *group)
{
	struct sandbox *sb = group->sb;
	struct list *pos;

	drop_absent(group);
	if (group->n_members > 0 && !elect(group)) {
		/* Only static members are left and none has come: wait on. */
		tick_set(&sb->ticker, &group->timer, sb->now_ms + longest_rebalance(group));
		return;
	}
	tick_clear(&group->timer);
	group->generation++;
	if (group->n_members == 0) {
		group->state = COORD_EMPTY;
		xfree(group->protocol);
		group->protocol = NULL;
		return;
	}
	xfree(group->protocol);
	group->protocol = xstrdup(coord_elected_protocol(group));
	group->state = COORD_COMPLETING;
	list_each(pos, &group->members) {
		struct coord_member *member = list_entry(pos, struct coord_member, node);

		member->synced = false;
		coord_alive(member);
		join_group_answer(member, KERR_NONE);
	}
	tick_set(&sb->ticker, &group->timer, sb->now_ms + longest_rebalance(group));
}

void coord_try_complete(struct coord_group *group)
{
	struct list *pos;

	if (group->state != COORD_PREPARING || group->delayed || !list_empty(&group->pending))
		return;
	list_each(pos, &group->members)
		if (list_entry(pos, struct coord_member, node)->join == NULL)
			return;
	complete(group);
}

/* Members that did not ask for their assignment in time are gone. */
static void drop_unsynced(struct coord_group *group)
{
	int32_t before = group->n_members;
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &group->members) {
		struct coord_member *member = list_entry(pos, struct coord_member, node);

		if (!member->synced)
			forget(member);
	}
	if (group->n_members == before)
		return;
	coord_rebalance(group);
	coord_try_complete(group);
}


static void timer_fired(struct tick *tick)
{
	struct coord_group *group = container_of(tick, struct coord_group, timer);

	if (group->state == COORD_PREPARING) {
		group->delayed = false;
		complete(group);
	} else {
		drop_unsynced(group);
	}
}

void coord_member_remove(struct coord_member *member)
{
	struct coord_group *group = member->group;

	join_group_answer(member, KERR_UNKNOWN_MEMBER_ID);
	sync_group_answer(member, KERR_UNKNOWN_MEMBER_ID);
	forget(member);
	if (group->state == COORD_STABLE || group->state == COORD_COMPLETING)
		coord_rebalance(group);
	coord_try_complete(group);
}
