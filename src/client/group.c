/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path:
 *   finding    FindCoordinator at any broker
 *   joining    JoinGroup with the instance id; the coordinator may first hand out a member id (79)
 *   syncing    SyncGroup; as leader with everybody's assignment
 *   stable     Heartbeat every third of the session timeout
 *   leaving    LeaveGroup; over
 *
 *              +---------------------- 14 15 16, a lost connection, a deadline ----------------------+
 *              v                                                                                     |
 *   waiting -> finding -> joining -> syncing -> stable --27 22 25--> joining          any of them ---+
 *   (backoff)     |          ^ 79 25 |                  (member id "" after 25)
 *                 +----------|-------|--> stable or syncing (still a member: it goes on)
 *   82 in any answer: asking (DescribeGroups: who is the other) -> over
 *   group_leave:      leaving -> over
 *
 * Failure modes:
 *  - The coordinator does not answer: every call has a deadline well below the session timeout; after it the connection
 *    is gone (broker.h), and with it a late answer that would hold up everything behind it.
 *  - An answer that comes late: the lease runs from when its request was sent, so it may extend by little or nothing.
 *  - The process was stopped: the lease has passed by CLOCK_BOOTTIME when it wakes, whatever answers are in its
 *    socket; the next heartbeat tells 25 or 27 and it joins again.
 *  - A generation that ends while this member still acts: heartbeats of the old one are refused (22, 27) and refused
 *    ones extend nothing. The lease of a join runs from the join's sending, which was before the new generation.
 *  - A refusal that only an operator can mend (30, 23, 26, ...): told through trouble, tried again every 10 s at most.
 *
 * One call is in flight at a time. */
#include "client/group.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/group_share.h"
#include "wire/kerr.h"
#include "wire/msg/describe_groups.h"
#include "wire/msg/find_coordinator.h"
#include "wire/msg/heartbeat.h"
#include "wire/msg/join_group.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/leave_group.h"
#include "wire/msg/sync_group.h"

#define PROTOCOL_TYPE "krmirror"

enum group_state {
	GROUP_WAITING, GROUP_FINDING, GROUP_JOINING, GROUP_SYNCING, GROUP_STABLE, GROUP_ASKING, GROUP_LEAVING,
	GROUP_OVER
};

static const char *const state_names[] = {
	"waiting", "finding", "joining", "syncing", "stable", "asking", "leaving", "over"
};

/* PATIENCE: tries before a coordinator that moves, or is being made, is told as trouble. */
enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 10000, PATIENCE = 5 };

struct group {
	struct cluster *cluster;
	struct loop *loop;
	const struct group_ops *ops;
	void *owner;
	char *group_id, *instance_id, *protocol;
	int32_t session_ms;
	uint8_t *metadata;
	int32_t metadata_len;
	struct buf_pool *pool;

	enum group_state state;
	struct call call;
	struct timer timer;
	struct arena arena;            /* of one join: the members and their assignments */
	struct broker *broker;         /* the coordinator's; NULL: not known */
	char *member_id;
	int32_t generation;            /* -1: not a member */
	bool synced;                   /* the assignment of the generation has come */
	bool leader, leaving, destroyed, troubled;
	struct group_member *members;  /* as leader, between join and sync */
	int n_members;
	int64_t sent_boot_ns;          /* when the call that is in flight was handed to the connection, or before */
	int64_t lease_boot_ns;
	int tries;                     /* since the last answer without error */
	uint64_t random;
};

static void group_step(struct group *group);

static void group_move(struct group *group, enum group_state state)
{
	if (group->state != state)
		log_debug("group", "state", "group=%s from=%s to=%s generation=%d", group->group_id,
			  state_names[group->state], state_names[state], group->generation);
	group->state = state;
}

static void group_free(struct group *group)
{
	call_fini(&group->call);
	arena_fini(&group->arena);
	xfree(group->group_id);
	xfree(group->instance_id);
	xfree(group->protocol);
	xfree(group->metadata);
	xfree(group->member_id);
	xfree(group);
}

static void set_member_id(struct group *group, struct str id)
{
	xfree(group->member_id);
	group->member_id = xstrndup(id.len > 0 ? id.data : "", (size_t)MAX(id.len, 0));
}

static int64_t ms_from_now(const struct group *group, int64_t ms)
{
	return loop_now(group->loop) + ms * NS_PER_MS;
}

/* The next step in ms, with a jitter of a fifth so that workers of one lost coordinator do not come all at once. */
static void step_after(struct group *group, int64_t ms)
{
	group->random = group->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	ms = ms * 9 / 10 + (int64_t)((group->random >> 33) % (uint64_t)(ms / 5 + 1));
	loop_timer_set(group->loop, &group->timer, ms_from_now(group, ms));
}

/* What to go on with once the coordinator is there. */
static enum group_state state_to_resume(const struct group *group)
{
	if (group->generation < 0)
		return GROUP_JOINING;
	return group->synced ? GROUP_STABLE : GROUP_SYNCING;
}

static void back_off(struct group *group, enum group_state next)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (int i = 0; i < group->tries && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	group->tries++;
	group_move(group, next);
	step_after(group, MIN(ms, BACKOFF_MAX_MS));
}

static void tell_trouble(struct group *group, const struct err *err)
{
	if (err == NULL && !group->troubled)
		return;
	group->troubled = err != NULL;
	group->ops->trouble(group->owner, err);
}

static void tell_refused(struct group *group, int16_t code)
{
	struct err err;

	err_set(&err, RC_KAFKA, "the coordinator of group %s refused: %s (%s)", group->group_id, kerr_name(code),
		kerr_find(code)->text);
	err.kafka = code;
	if (code == KERR_GROUP_AUTHORIZATION_FAILED)
		err_hint(&err, "grant READ on group %s", group->group_id);
	else if (code == KERR_INCONSISTENT_GROUP_PROTOCOL)
		err_hint(&err, "other clients use group %s: set group.id to a name of krmirror's own",
			 group->group_id);
	else if (code == KERR_INVALID_SESSION_TIMEOUT)
		err_hint(&err, "set session.timeout.ms within the broker's group.min.session.timeout.ms and "
			       "group.max.session.timeout.ms");
	tell_trouble(group, &err);
}

static void answered_well(struct group *group)
{
	group->tries = 0;
	tell_trouble(group, NULL);
}

/* Only from answers without error of requests that count as a sign of life. */
static void extend_lease(struct group *group)
{
	int64_t until = group->sent_boot_ns + group->session_ms * NS_PER_MS;

	if (until <= group->lease_boot_ns)
		return;
	group->lease_boot_ns = until;
	group->ops->lease(group->owner, until);
}

/* Its address is looked up anew too: the broker may have moved, or be one that the metadata does not know yet. */
static void lose_coordinator(struct group *group)
{
	cluster_refresh(group->cluster);
	back_off(group, GROUP_FINDING);
}

static void rejoin(struct group *group, bool forget_id)
{
	if (forget_id)
		set_member_id(group, str_of(""));
	group->generation = -1;
	group->leader = false;
	group_move(group, GROUP_JOINING);
	step_after(group, 0);
}

/* The answers that every request of membership may have. */
static void refused(struct group *group, int16_t code)
{
	switch (code) {
	case KERR_COORDINATOR_LOAD_IN_PROGRESS:
		back_off(group, group->state);
		return;
	case KERR_COORDINATOR_NOT_AVAILABLE:
	case KERR_NOT_COORDINATOR:
		back_off(group, GROUP_FINDING);
		return;
	case KERR_UNKNOWN_MEMBER_ID:
		rejoin(group, true);
		return;
	case KERR_ILLEGAL_GENERATION:
	case KERR_REBALANCE_IN_PROGRESS:
		rejoin(group, false);
		return;
	case KERR_FENCED_INSTANCE_ID:
		group_move(group, GROUP_ASKING);
		step_after(group, 0);
		return;
	default:
		tell_refused(group, code);
		group->tries = MAX(group->tries, 5);
		back_off(group, state_to_resume(group));
	}
}

/* True when the call failed below the protocol; the next step is set then. */
static bool call_lost(struct group *group)
{
	struct err err = group->call.err;

	if (group->call.rc == RC_OK)
		return false;
	err_wrap(&err, "group %s", group->group_id);
	tell_trouble(group, &err);
	lose_coordinator(group);
	return true;
}

/* What every done does first: true when there is nothing to go on with. */
static bool call_over(struct group *group)
{
	if (group->destroyed) {
		group_free(group);
		return true;
	}
	if (group->leaving && group->state != GROUP_LEAVING) {
		group_move(group, GROUP_LEAVING);
		step_after(group, 0);
		return true;
	}
	return false;
}

static void send_call(struct group *group, struct broker *broker, int64_t deadline_ms)
{
	group->call.deadline_ns = ms_from_now(group, deadline_ms);
	group->sent_boot_ns = clock_boot_ns();
	broker_call(broker, &group->call);
}

/* ---- finding ---- */

static void found(struct group *group, int32_t node_id)
{
	if (group->broker != NULL && broker_node_id(group->broker) != node_id) {
		broker_destroy(group->broker);
		group->broker = NULL;
	}
	if (group->broker == NULL)
		group->broker = broker_create(group->cluster, node_id, "group", group->pool);
	group_move(group, state_to_resume(group));
	step_after(group, 0);
}

static void find_done(struct call *call)
{
	struct group *group = call->owner;
	struct find_coordinator_response *res;
	int16_t code;
	int32_t node;

	if (call_over(group) || call_lost(group))
		return;
	res = call_res(call, find_coordinator);
	code = res->error_code;
	node = res->node_id;
	if (res->coordinators.n > 0) {
		code = res->coordinators.items[0].error_code;
		node = res->coordinators.items[0].node_id;
	} else if (call->version >= 4) {
		code = KERR_COORDINATOR_NOT_AVAILABLE;
	}
	if (code != KERR_NONE || node < 0) {
		if (group->tries >= PATIENCE || kerr_find(code)->action == KERR_STOP)
			tell_refused(group, code != KERR_NONE ? code : KERR_COORDINATOR_NOT_AVAILABLE);
		back_off(group, GROUP_FINDING);
		return;
	}
	found(group, node);
}

/* Up to v3 the group is one key, from v4 on an array; what the version does not have is left out. */
static void find_send(struct group *group)
{
	struct find_coordinator_request *req;
	struct str *keys;

	call_init(&group->call, &find_coordinator_api, find_done, group);
	req = call_req(&group->call, find_coordinator);
	keys = arena_new(&group->call.arena, struct str, 1);
	keys[0] = str_of(group->group_id);
	req->key = keys[0];
	req->key_type = 0;
	req->coordinator_keys.items = keys;
	req->coordinator_keys.n = 1;
	send_call(group, cluster_broker(group->cluster, NODE_ANY), group->session_ms / 3);
}

/* ---- joining ---- */

static struct bytes bytes_copy(struct arena *arena, struct bytes from)
{
	uint8_t *data;

	if (from.len <= 0)
		return (struct bytes){ (const uint8_t *)"", 0 };
	data = arena_alloc(arena, (size_t)from.len);
	memcpy(data, from.data, (size_t)from.len);
	return (struct bytes){ data, from.len };
}

static struct str str_copy(struct arena *arena, struct str from)
{
	if (from.len < 0)
		return STR_NULL;
	return (struct str){ arena_strndup(arena, from.data != NULL ? from.data : "", (size_t)from.len), from.len };
}

/* The answer is freed with its call, and the assignments go out with the next one. */
static void keep_members(struct group *group, const struct join_group_response *res)
{
	group->n_members = res->members.n;
	group->members = arena_new(&group->arena, struct group_member, MAX(res->members.n, 1));
	for (int i = 0; i < res->members.n; i++)
		group->members[i] = (struct group_member){
			.member_id = str_copy(&group->arena, res->members.items[i].member_id),
			.instance_id = str_copy(&group->arena, res->members.items[i].group_instance_id),
			.metadata = bytes_copy(&group->arena, res->members.items[i].metadata),
		};
	group->ops->share(group->owner, group->members, group->n_members, &group->arena);
}

static void join_done(struct call *call)
{
	struct group *group = call->owner;
	struct join_group_response *res;

	if (call_over(group) || call_lost(group))
		return;
	res = call_res(call, join_group);
	if (res->error_code == KERR_MEMBER_ID_REQUIRED) {
		set_member_id(group, res->member_id);
		step_after(group, 0);
		return;
	}
	if (res->error_code != KERR_NONE) {
		/* joining again at once would go round and round */
		if (res->error_code == KERR_UNKNOWN_MEMBER_ID)
			set_member_id(group, str_of(""));
		if (res->error_code == KERR_UNKNOWN_MEMBER_ID || res->error_code == KERR_REBALANCE_IN_PROGRESS)
			back_off(group, GROUP_JOINING);
		else
			refused(group, res->error_code);
		return;
	}
	answered_well(group);
	set_member_id(group, res->member_id);
	group->generation = res->generation_id;
	group->synced = false;
	group->leader = str_eq(res->leader, res->member_id);
	arena_reset(&group->arena);
	group->members = NULL;
	group->n_members = 0;
	if (group->leader && !res->skip_assignment)
		keep_members(group, res);
	extend_lease(group);
	group_move(group, GROUP_SYNCING);
	step_after(group, 0);
}

/* The others' time to join again must be over before the session of whoever waits for it: half a session. */
static void join_send(struct group *group)
{
	struct join_group_request *req;
	struct join_group_protocol *protocol;

	call_init(&group->call, &join_group_api, join_done, group);
	req = call_req(&group->call, join_group);
	req->group_id = str_of(group->group_id);
	req->session_timeout_ms = group->session_ms;
	req->rebalance_timeout_ms = group->session_ms / 2;
	req->member_id = str_of(group->member_id);
	req->group_instance_id = str_of(group->instance_id);
	req->protocol_type = str_of(PROTOCOL_TYPE);
	protocol = arena_new(&group->call.arena, struct join_group_protocol, 1);
	protocol->name = str_of(group->protocol);
	protocol->metadata = (struct bytes){ group->metadata, group->metadata_len };
	req->protocols.items = protocol;
	req->protocols.n = 1;
	send_call(group, group->broker, group->session_ms * 4 / 5);
}

/* ---- syncing ---- */

static void sync_done(struct call *call)
{
	struct group *group = call->owner;
	struct sync_group_response *res;

	if (call_over(group) || call_lost(group))
		return;
	res = call_res(call, sync_group);
	if (res->error_code != KERR_NONE) {
		refused(group, res->error_code);
		return;
	}
	answered_well(group);
	log_info("group", "joined", "group=%s worker=%s generation=%d leader=%s", group->group_id,
		 group->instance_id, group->generation, group->leader ? "yes" : "no");
	group->synced = true;
	group_move(group, GROUP_STABLE);
	group->ops->assigned(group->owner, group->generation, res->assignment);
	extend_lease(group);
	step_after(group, group->session_ms / 3);
}

static void sync_send(struct group *group)
{
	struct sync_group_request *req;
	struct sync_group_assignment *items;

	call_init(&group->call, &sync_group_api, sync_done, group);
	req = call_req(&group->call, sync_group);
	req->group_id = str_of(group->group_id);
	req->generation_id = group->generation;
	req->member_id = str_of(group->member_id);
	req->group_instance_id = str_of(group->instance_id);
	req->protocol_type = str_of(PROTOCOL_TYPE);
	req->protocol_name = str_of(group->protocol);
	items = arena_new(&group->call.arena, struct sync_group_assignment, MAX(group->n_members, 1));
	for (int i = 0; i < group->n_members; i++) {
		items[i].member_id = group->members[i].member_id;
		items[i].assignment = group->members[i].assignment;
	}
	req->assignments.items = items;
	req->assignments.n = group->n_members;
	send_call(group, group->broker, group->session_ms * 4 / 5);
}

/* ---- stable ---- */

static void heartbeat_done(struct call *call)
{
	struct group *group = call->owner;
	struct heartbeat_response *res;

	if (call_over(group) || call_lost(group))
		return;
	res = call_res(call, heartbeat);
	if (res->error_code != KERR_NONE) {
		log_debug("group", "heartbeat refused", "group=%s error=%s", group->group_id,
			  kerr_name(res->error_code));
		refused(group, res->error_code);
		return;
	}
	answered_well(group);
	extend_lease(group);
	step_after(group, group->session_ms / 3);
}

static void heartbeat_send(struct group *group)
{
	struct heartbeat_request *req;

	call_init(&group->call, &heartbeat_api, heartbeat_done, group);
	req = call_req(&group->call, heartbeat);
	req->group_id = str_of(group->group_id);
	req->generation_id = group->generation;
	req->member_id = str_of(group->member_id);
	req->group_instance_id = str_of(group->instance_id);
	send_call(group, group->broker, group->session_ms / 3);
}

/* ---- asking: fenced, and who is the other? ---- */

static void describe_other(struct group *group, const struct describe_groups_response *res, struct err *err)
{
	for (int i = 0; i < res->groups.n; i++) {
		for (int j = 0; j < res->groups.items[i].members.n; j++) {
			const struct described_member *m = &res->groups.items[i].members.items[j];
			struct member_card card;

			if (!str_is(m->group_instance_id, group->instance_id))
				continue;
			if (member_card_decode(m->member_metadata, &card))
				err_set(err, RC_REFUSED, "worker %s was taken over by a process on host %s (pid %d, "
					"address %.*s)", group->instance_id, card.host, card.pid,
					STR_ARG(m->client_host));
			else
				err_set(err, RC_REFUSED, "worker %s was taken over by a process at address %.*s "
					"(client id %.*s)", group->instance_id, STR_ARG(m->client_host),
					STR_ARG(m->client_id));
			return;
		}
	}
}

static void describe_done(struct call *call)
{
	struct group *group = call->owner;
	struct err err;

	if (group->destroyed) {
		group_free(group);
		return;
	}
	err_set(&err, RC_REFUSED, "worker %s was taken over by another process; the coordinator does not tell which",
		group->instance_id);
	if (call->rc == RC_OK)
		describe_other(group, call_res(call, describe_groups), &err);
	err_hint(&err, "give every worker of group %s a worker.id of its own", group->group_id);
	group->generation = -1;
	group_move(group, GROUP_OVER);
	if (group->leaving)
		group->ops->left(group->owner);
	else
		group->ops->fenced(group->owner, &err);
}

static void describe_send(struct group *group)
{
	struct describe_groups_request *req;
	struct str *ids;

	call_init(&group->call, &describe_groups_api, describe_done, group);
	req = call_req(&group->call, describe_groups);
	ids = arena_new(&group->call.arena, struct str, 1);
	ids[0] = str_of(group->group_id);
	req->groups.items = ids;
	req->groups.n = 1;
	send_call(group, group->broker, group->session_ms / 4);
}

/* ---- leaving ---- */

static void leave_over(struct group *group)
{
	group->generation = -1;
	group_move(group, GROUP_OVER);
	group->ops->left(group->owner);
}

static void leave_done(struct call *call)
{
	struct group *group = call->owner;
	struct leave_group_response *res;
	int16_t code = KERR_NONE;

	if (group->destroyed) {
		group_free(group);
		return;
	}
	if (call->rc == RC_OK) {
		res = call_res(call, leave_group);
		code = res->error_code;
		if (code == KERR_NONE && res->members.n > 0)
			code = res->members.items[0].error_code;
	}
	if (call->rc != RC_OK)
		log_warn("group", "not left; others wait for the session to end", "group=%s error=" LOG_Q,
			 group->group_id, call->err.text);
	else if (code != KERR_NONE)
		log_warn("group", "leaving was refused", "group=%s error=%s", group->group_id, kerr_name(code));
	else
		log_info("group", "left", "group=%s worker=%s", group->group_id, group->instance_id);
	leave_over(group);
}

static void leave_send(struct group *group)
{
	struct leave_group_request *req;
	struct leaving_member *member;

	/* Without a member id of ours a leave by instance id could remove whoever took our place. */
	if (group->broker == NULL || group->member_id[0] == '\0') {
		leave_over(group);
		return;
	}
	call_init(&group->call, &leave_group_api, leave_done, group);
	req = call_req(&group->call, leave_group);
	req->group_id = str_of(group->group_id);
	member = arena_new(&group->call.arena, struct leaving_member, 1);
	member->member_id = str_of(group->member_id);
	member->group_instance_id = str_of(group->instance_id);
	req->members.items = member;
	req->members.n = 1;
	send_call(group, group->broker, group->session_ms / 4);
}

/* ---- steps ---- */

static void group_step(struct group *group)
{
	CHECK(!call_busy(&group->call));
	switch (group->state) {
	case GROUP_WAITING:
	case GROUP_FINDING:
		group_move(group, GROUP_FINDING);
		find_send(group);
		return;
	case GROUP_JOINING:
		join_send(group);
		return;
	case GROUP_SYNCING:
		sync_send(group);
		return;
	case GROUP_STABLE:
		heartbeat_send(group);
		return;
	case GROUP_ASKING:
		describe_send(group);
		return;
	case GROUP_LEAVING:
		leave_send(group);
		return;
	case GROUP_OVER:
		return;
	}
}

static void timer_done(struct timer *timer)
{
	struct group *group = container_of(timer, struct group, timer);

	if (call_busy(&group->call))
		return;
	call_reset(&group->call);
	group_step(group);
}

struct group *group_create(struct cluster *cluster, const struct group_opts *opts, const struct group_ops *ops,
			   void *owner)
{
	struct group *group = xcalloc(1, sizeof(*group));

	group->cluster = cluster;
	group->loop = cluster_loop(cluster);
	group->ops = ops;
	group->owner = owner;
	group->group_id = xstrdup(opts->group_id);
	group->instance_id = xstrdup(opts->instance_id);
	group->protocol = xstrdup(opts->protocol);
	group->session_ms = opts->session_timeout_ms;
	group->metadata_len = MAX(opts->metadata.len, 0);
	group->metadata = xmalloc((size_t)group->metadata_len + 1);
	if (group->metadata_len > 0)
		memcpy(group->metadata, opts->metadata.data, (size_t)group->metadata_len);
	group->pool = opts->pool;
	group->member_id = xstrdup("");
	group->generation = -1;
	group->lease_boot_ns = INT64_MIN;
	group->random = (uint64_t)clock_mono_ns();
	group->timer.done = timer_done;
	arena_init(&group->arena, 0);
	group_move(group, GROUP_WAITING);
	loop_timer_set(group->loop, &group->timer, loop_now(group->loop));
	return group;
}

void group_leave(struct group *group)
{
	if (group->leaving || group->state == GROUP_OVER)
		return;
	group->leaving = true;
	if (call_busy(&group->call)) {
		/* A join may be held back by the coordinator for long; its connection is of no more use. */
		if (group->state == GROUP_JOINING || group->state == GROUP_SYNCING)
			broker_drop(group->broker, RC_CLOSED, "leaving");
		return;
	}
	group_move(group, GROUP_LEAVING);
	loop_timer_set(group->loop, &group->timer, loop_now(group->loop));
}

void group_destroy(struct group *group)
{
	if (group == NULL)
		return;
	group->destroyed = true;
	loop_timer_clear(&group->timer);
	if (group->broker != NULL)
		broker_destroy(group->broker);
	group->broker = NULL;
	if (!call_busy(&group->call))
		group_free(group);
}

int32_t group_generation(const struct group *group)
{
	return group->generation;
}

bool group_is_leader(const struct group *group)
{
	return group->leader;
}

const char *group_state_name(const struct group *group)
{
	return state_names[group->state];
}
