/* SPDX-License-Identifier: Apache-2.0 */
/* A pass:
 *   list         the groups of both clusters, every broker at once: states, types, coordinators
 *   source       the offsets of all groups that the filters take, a hundred groups a request
 *   attention    only groups whose offsets moved, that are not in step yet, or that are due to be looked at again
 *   destination  what those have committed there, and [log start, high watermark] of their partitions
 *   commit       what the plan says, one request a group
 *
 * Failure modes:
 *  - A broker does not answer, or a coordinator is moving: its groups are left as they are until the next pass.
 *  - Somebody joins the group between our reading and our commit: the coordinator refuses the commit.
 *  - A commit without an answer counts as ours: if it was not stored, what stands there is not what we say we wrote, and
 *    is not moved back. */
#include "control/group_sync.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/admin.h"
#include "client/admin_groups.h"
#include "control/group_memory.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

#include <stdlib.h>
#include <string.h>

enum { VERIFY_MS = 60000, ENDS_MS = 1000, GONE_KEPT_MS = 86400000, NO_ANSWER = INT16_MAX };

/* One partition of a group that is looked at. */
struct part {
	const char *topic;            /* the mirror's */
	const char *metadata;
	int64_t target;
	enum group_step step;
	int32_t partition;
	struct group_position at;
};

struct work {
	struct group_known *known;
	const char *destination;      /* its name there */
	struct part *parts;
	int n;
	uint64_t fingerprint;
	bool attention, unsure, committed;
	enum group_reason reason;     /* of the whole group */
	const char *detail;
};

struct pass {
	struct session *session;
	struct cluster *source;
	struct group_pass *of;
	struct group_memory *memory;
	struct map by_source;         /* struct topic_chain by source topic */
	struct map there;             /* struct admin_listed_group by id, of the destination */
	struct admin_listed_groups source_groups, destination_groups;
	struct work *works;
	int n;
};

struct topic_chain {
	const struct group_topic *topic;
	struct topic_chain *next;     /* another mirror of the same source topic */
};

static void trouble(struct pass *pass, const struct err *err)
{
	if (err->rc != RC_OK && (pass->of->trouble.rc == RC_OK || err->rc == RC_AUTH))
		pass->of->trouble = *err;
}

/* ---- list ---- */

static void index_topics(struct pass *pass)
{
	for (int i = 0; i < pass->of->n_topics; i++) {
		struct topic_chain *chain = arena_new(pass->of->arena, struct topic_chain, 1);
		const char *source = pass->of->topics[i].source;

		chain->topic = &pass->of->topics[i];
		chain->next = map_get(&pass->by_source, source, strlen(source));
		map_put(&pass->by_source, source, strlen(source), chain);
	}
}

static enum outcome list_both(struct pass *pass, struct err *err)
{
	int64_t deadline = pass->session->deadline_ns;

	if (admin_list_groups(pass->source, deadline, pass->of->arena, &pass->source_groups, err) != RC_OK)
		return outcome_of(err, SIDE_SOURCE);
	trouble(pass, err);
	if (admin_list_groups(pass->session->destination, deadline, pass->of->arena, &pass->destination_groups, err) !=
	    RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	trouble(pass, err);
	for (int i = 0; i < pass->destination_groups.n; i++) {
		struct admin_listed_group *group = &pass->destination_groups.items[i];

		map_put(&pass->there, group->id, strlen(group->id), group);
	}
	return OUTCOME_DONE;
}

static struct group_kind kind_of(const struct admin_listed_group *group)
{
	return (struct group_kind){ group->protocol_type, group->type, group->state };
}

static enum group_reason listed_reason(const struct pass *pass, const struct admin_listed_group *group)
{
	struct group_kind kind = kind_of(group);

	if (text_eq(group->protocol_type, "krmirror") || text_eq(group->id, pass->of->conf->progress_group_id))
		return GROUP_OF_KRMIRROR;
	return group_is_consumer(&kind) ? GROUP_REASON_NONE : GROUP_NOT_CONSUMER;
}

static const char *destination_name(const struct pass *pass, const char *group)
{
	const struct link_conf *conf = pass->of->conf;
	char *name;
	const char *copy;

	if (!conf->group_prefix || conf->prefix[0] == '\0')
		return group;
	name = xasprintf("%s%s", conf->prefix, group);
	copy = arena_strdup(pass->of->arena, name);
	xfree(name);
	return copy;
}

static void select_groups(struct pass *pass)
{
	pass->works = arena_new(pass->of->arena, struct work, pass->source_groups.n);
	for (int i = 0; i < pass->source_groups.n; i++) {
		const struct admin_listed_group *group = &pass->source_groups.items[i];
		struct work *work = &pass->works[pass->n];

		if (!group_filter_takes(pass->of->conf->group_filters, group->id))
			continue;
		work->known = group_memory_get(pass->memory, group->id);
		if (work->known->pass == pass->memory->passes)
			continue;   /* listed by two brokers: its coordinator moves */
		work->destination = destination_name(pass, group->id);
		work->reason = listed_reason(pass, group);
		work->known->pass = pass->memory->passes;
		pass->n++;
	}
}

/* ---- the source's offsets ---- */

static int by_place(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static uint64_t fold(uint64_t hash, const void *data, size_t len)
{
	return (hash ^ hash_bytes(data, len)) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static uint64_t fingerprint(const struct work *work)
{
	uint64_t hash = (uint64_t)work->n;

	for (int i = 0; i < work->n; i++) {
		const struct part *part = &work->parts[i];

		hash = fold(hash, part->topic, strlen(part->topic));
		hash = fold(hash, part->metadata, strlen(part->metadata));
		hash = fold(hash, &part->partition, sizeof(part->partition));
		hash = fold(hash, &part->at.source, sizeof(part->at.source));
		hash = fold(hash, &part->at.failed, sizeof(part->at.failed));
	}
	return hash;
}

static void take_offsets(struct pass *pass, struct work *work, const struct admin_group_offsets *offsets)
{
	int room = 0;

	for (int i = 0; i < offsets->n; i++)
		for (const struct topic_chain *c = map_get(&pass->by_source, offsets->items[i].topic,
							   strlen(offsets->items[i].topic)); c != NULL; c = c->next)
			room += offsets->items[i].partition < c->topic->n_partitions;
	work->parts = arena_new(pass->of->arena, struct part, room);
	for (int i = 0; i < offsets->n; i++) {
		const struct admin_committed *item = &offsets->items[i];
		const struct topic_chain *c = map_get(&pass->by_source, item->topic, strlen(item->topic));

		for (; c != NULL; c = c->next) {
			bool failed;

			if (item->partition >= c->topic->n_partitions)
				continue;
			failed = c->topic->failed != NULL && c->topic->failed[item->partition];
			work->parts[work->n++] = (struct part){
				.topic = c->topic->mirror, .partition = item->partition, .metadata = item->metadata,
				.target = -1,
				.at = { .source = item->offset, .destination = -1, .log_start = -1, .high_watermark = -1,
					.wrote = -1, .failed = failed },
			};
		}
	}
	if (work->n > 1)
		qsort(work->parts, (size_t)work->n, sizeof(*work->parts), by_place);
	work->fingerprint = fingerprint(work);
}

static bool not_authorized(int16_t error)
{
	return error == KERR_GROUP_AUTHORIZATION_FAILED || error == KERR_TOPIC_AUTHORIZATION_FAILED;
}

static void read_source(struct pass *pass)
{
	struct admin_group_offsets *asked = arena_new(pass->of->arena, struct admin_group_offsets, pass->n);
	struct work **of = arena_new(pass->of->arena, struct work *, pass->n);
	struct err err;
	int n = 0, at = 0;

	for (int i = 0; i < pass->source_groups.n && at < pass->n; i++) {
		const struct admin_listed_group *group = &pass->source_groups.items[i];
		struct work *work = &pass->works[at];

		if (strcmp(work->known->id, group->id) != 0)
			continue;
		at++;
		if (work->reason != GROUP_REASON_NONE)
			continue;
		of[n] = work;
		asked[n++] = (struct admin_group_offsets){ .group = work->known->id, .node = group->node };
	}
	admin_fetch_offsets(pass->source, asked, n, pass->session->deadline_ns, pass->of->arena, &err);
	trouble(pass, &err);
	for (int i = 0; i < n; i++) {
		if (asked[i].error == 0) {
			take_offsets(pass, of[i], &asked[i]);
			of[i]->reason = of[i]->n == 0 ? GROUP_NO_MIRRORED_TOPICS : GROUP_REASON_NONE;
		} else {
			of[i]->unsure = true;
			of[i]->reason = not_authorized(asked[i].error) ? GROUP_NOT_AUTHORIZED : GROUP_ERROR;
			of[i]->detail = asked[i].error == NO_ANSWER ? "the source did not answer for it" :
					kerr_name(asked[i].error);
		}
	}
}

/* ---- which to look at ---- */

static uint64_t describe(const struct admin_listed_group *group)
{
	uint64_t hash = 1;

	if (group->protocol_type != NULL)
		hash = fold(hash, group->protocol_type, strlen(group->protocol_type));
	if (group->type != NULL)
		hash = fold(hash, group->type, strlen(group->type));
	return hash;
}

/* The state on the destination, before anything is read there. */
static void judge_there(struct pass *pass, struct work *work)
{
	const struct admin_listed_group *there = map_get(&pass->there, work->destination, strlen(work->destination));
	struct group_known *known = work->known;
	struct group_kind kind;

	if (there == NULL) {
		/* Not listed by a broker that did not answer, it may be there all the same. */
		if (known->present && pass->destination_groups.complete) {
			known->settled = false;
			known->present = false;
			group_known_forget(known);
		}
		return;
	}
	kind = kind_of(there);
	known->node = there->node;
	if (!known->present || known->kind != describe(there) || group_is_live(&kind)) {
		/* Whoever was a member may have committed. A group that our own commit made has no protocol. */
		if (known->present || group_is_live(&kind) || !text_eq(there->protocol_type, ""))
			group_known_forget(known);
		known->settled = false;
	}
	known->present = true;
	known->kind = describe(there);
	if (work->reason != GROUP_REASON_NONE)
		return;
	if (!group_is_consumer(&kind)) {
		work->reason = GROUP_NOT_CONSUMER;
		work->detail = "the destination has a group of this name that is none of consumers";
	} else if (group_is_live(&kind)) {
		work->reason = GROUP_ACTIVE_ON_DESTINATION;
	}
}

static bool due(const struct pass *pass, const struct work *work)
{
	const struct group_known *known = work->known;

	return pass->of->all || !known->settled || known->fingerprint != work->fingerprint ||
	       clock_mono_ns() >= known->verify_ns || known->day != group_plan_day(known->id, clock_wall_ms());
}

/* Those that get attention come first. */
static int sort_attention(struct pass *pass)
{
	int n = 0;

	for (int i = 0; i < pass->n; i++) {
		struct work *work = &pass->works[i];

		judge_there(pass, work);
		work->attention = work->reason == GROUP_REASON_NONE && due(pass, work);
		if (!work->attention)
			continue;
		if (i != n) {
			struct work moved = *work;

			*work = pass->works[n];
			pass->works[n] = moved;
		}
		n++;
	}
	return n;
}

/* ---- the destination ---- */

static void take_there(struct work *work, const struct admin_group_offsets *offsets)
{
	struct part key = { 0 }, *part;

	for (int i = 0; i < offsets->n; i++) {
		key.topic = offsets->items[i].topic;
		key.partition = offsets->items[i].partition;
		part = bsearch(&key, work->parts, (size_t)work->n, sizeof(*work->parts), by_place);
		if (part == NULL)
			continue;
		part->at.destination = offsets->items[i].offset;
		part->at.same_metadata = strcmp(part->metadata, offsets->items[i].metadata) == 0;
	}
}

static void read_destination(struct pass *pass, int n)
{
	struct admin_group_offsets *asked = arena_new(pass->of->arena, struct admin_group_offsets, n);
	struct cluster *cluster = pass->session->destination;
	struct err err;

	for (int i = 0; i < n; i++)
		asked[i] = (struct admin_group_offsets){ .group = pass->works[i].destination,
							 .node = pass->works[i].known->node };
	admin_find_coordinators(cluster, asked, n, pass->session->deadline_ns, &err);
	trouble(pass, &err);
	admin_fetch_offsets(cluster, asked, n, pass->session->deadline_ns, pass->of->arena, &err);
	trouble(pass, &err);
	for (int i = 0; i < n; i++) {
		struct work *work = &pass->works[i];

		work->known->node = asked[i].error == 0 ? asked[i].node : -1;
		if (asked[i].error == 0) {
			take_there(work, &asked[i]);
		} else {
			work->unsure = true;
			work->reason = not_authorized(asked[i].error) ? GROUP_NOT_AUTHORIZED : GROUP_ERROR;
			work->detail = asked[i].error == NO_ANSWER ? "the destination did not answer for it" :
				       kerr_name(asked[i].error);
		}
	}
}

static int parts_by_place(const void *a, const void *b)
{
	return by_place(*(struct part *const *)a, *(struct part *const *)b);
}

static void ask_ends(struct pass *pass, struct part **parts, int n, struct admin_offsets *ends)
{
	int64_t deadline = MIN(pass->session->deadline_ns, clock_mono_ns() + ENDS_MS * NS_PER_MS);
	struct err err;

	ends->n = 0;
	for (int i = 0; i < n; i++)
		if (i == 0 || by_place(parts[i], parts[i - 1]) != 0)
			ends->items[ends->n++] = (struct admin_offset){ .topic = parts[i]->topic,
									.partition = parts[i]->partition };
	/* Those that have no answer stay -1 and wait for the next pass. */
	if (admin_list_offsets(pass->session->destination, ends, deadline, &err) != RC_OK)
		trouble(pass, &err);
	for (int i = 0, at = -1; i < n; i++) {
		if (i == 0 || by_place(parts[i], parts[i - 1]) != 0)
			at++;
		if (ends->timestamp == ADMIN_EARLIEST)
			parts[i]->at.log_start = ends->items[at].offset;
		else
			parts[i]->at.high_watermark = ends->items[at].offset;
	}
}

/* The start first: a log start that is read late may be beyond a high watermark that was read early. */
static void read_ends(struct pass *pass, int n)
{
	struct admin_offsets ends = { .replica_id = ADMIN_CONSUMER, .settle_ms = 1 };
	struct part **parts;
	int n_parts = 0, at = 0;

	for (int i = 0; i < n; i++)
		n_parts += pass->works[i].n;
	parts = arena_new(pass->of->arena, struct part *, n_parts);
	ends.items = arena_new(pass->of->arena, struct admin_offset, n_parts);
	for (int i = 0; i < n; i++)
		for (int p = 0; p < pass->works[i].n && pass->works[i].reason == GROUP_REASON_NONE; p++)
			parts[at++] = &pass->works[i].parts[p];
	if (at == 0)
		return;
	qsort(parts, (size_t)at, sizeof(struct part *), parts_by_place);
	/* Kept from one question to the next: else each would ask for metadata. */
	for (int i = 0; i < at; i++)
		if (i == 0 || strcmp(parts[i]->topic, parts[i - 1]->topic) != 0)
			cluster_track(pass->session->destination, parts[i]->topic);
	ends.timestamp = ADMIN_EARLIEST;
	ask_ends(pass, parts, at, &ends);
	ends.timestamp = ADMIN_LATEST;
	ask_ends(pass, parts, at, &ends);
	for (int i = 0; i < at; i++)
		if (i == 0 || strcmp(parts[i]->topic, parts[i - 1]->topic) != 0)
			cluster_untrack(pass->session->destination, parts[i]->topic);
}

/* ---- plan and commit ---- */

/* How many partitions are to be committed. */
static int plan(struct work *work, bool expires)
{
	int n = 0;

	for (int i = 0; i < work->n; i++) {
		struct part *part = &work->parts[i];

		part->at.wrote = group_known_wrote(work->known, part->topic, part->partition);
		part->at.expires = expires;
		part->step = group_plan_step(&part->at, &part->target);
		n += part->step == GROUP_STEP_COMMIT;
		work->unsure |= part->step == GROUP_STEP_UNKNOWN;
	}
	return n;
}

static void refused(struct work *work, int16_t error)
{
	switch (error) {
	case KERR_UNKNOWN_MEMBER_ID:
	case KERR_REBALANCE_IN_PROGRESS:
	case KERR_ILLEGAL_GENERATION:
	case KERR_FENCED_INSTANCE_ID:
		work->reason = GROUP_ACTIVE_ON_DESTINATION;
		group_known_forget(work->known);
		break;
	case KERR_GROUP_ID_NOT_FOUND:
		work->reason = GROUP_NOT_CONSUMER;
		break;
	case KERR_GROUP_AUTHORIZATION_FAILED:
	case KERR_TOPIC_AUTHORIZATION_FAILED:
		work->reason = GROUP_NOT_AUTHORIZED;
		break;
	default:
		work->reason = GROUP_ERROR;
		work->detail = error == NO_ANSWER ? "a commit has no answer" : kerr_name(error);
		work->unsure = true;
		work->known->node = -1;
		break;
	}
}

/* The items are the parts with a step to commit, in their order. */
static void take_commit(struct pass *pass, struct work *work, const struct admin_group_commit *commit)
{
	int at = 0;

	for (int i = 0; i < work->n; i++) {
		struct part *part = &work->parts[i];
		const struct admin_commit_item *item;

		if (part->step != GROUP_STEP_COMMIT)
			continue;
		item = &commit->items[at++];
		if (item->error == 0 || (item->error == NO_ANSWER && item->sent))
			group_known_note(work->known, part->topic, part->partition, part->target);
		if (item->error == 0) {
			part->at.destination = part->target;
			work->committed = true;
			pass->of->n_offsets++;
			pass->of->n_clamped += part->target < part->at.source;
		} else {
			refused(work, item->error);
		}
	}
}

static void commit(struct pass *pass, int n)
{
	struct admin_group_commit *commits = arena_new(pass->of->arena, struct admin_group_commit, n);
	struct work **of = arena_new(pass->of->arena, struct work *, n);
	int64_t wall_ms = clock_wall_ms();
	struct err err;
	int count = 0;

	for (int i = 0; i < n; i++) {
		struct work *work = &pass->works[i];
		struct admin_group_commit *c = &commits[count];
		int items;

		if (work->reason != GROUP_REASON_NONE)
			continue;
		items = plan(work, work->known->day != group_plan_day(work->known->id, wall_ms));
		if (items == 0 || pass->of->look_only)
			continue;
		*c = (struct admin_group_commit){ .group = work->destination, .node = work->known->node };
		c->items = arena_new(pass->of->arena, struct admin_commit_item, items);
		for (int p = 0; p < work->n; p++)
			if (work->parts[p].step == GROUP_STEP_COMMIT)
				c->items[c->n++] = (struct admin_commit_item){
					.topic = work->parts[p].topic, .partition = work->parts[p].partition,
					.offset = work->parts[p].target, .metadata = work->parts[p].metadata,
				};
		of[count++] = work;
	}
	admin_commit_offsets(pass->session->destination, commits, count, pass->session->deadline_ns, &err);
	trouble(pass, &err);
	for (int i = 0; i < count; i++) {
		take_commit(pass, of[i], &commits[i]);
		pass->of->n_commits += of[i]->committed;
	}
}

/* ---- the result ---- */

static void show(struct pass *pass, struct group_known *known, enum group_state state, enum group_reason reason)
{
	pass->of->n_begun[reason] += known->reason != reason;
	if (known->reason != reason || (reason == GROUP_REASON_NONE && known->state != state))
		known->since_ms = clock_wall_ms();
	known->state = state;
	known->reason = reason;
}

/* Of a group that was looked at, from its partitions. */
static void conclude(struct pass *pass, struct work *work)
{
	struct group_known *known = work->known;
	bool behind = false, clamped = false;
	int skipped = 0;
	enum group_reason reason = GROUP_REASON_NONE;

	known->behind = 0;
	known->partitions = 0;
	for (int i = 0; i < work->n; i++) {
		const struct part *part = &work->parts[i];

		if (part->step == GROUP_STEP_FAILED || part->step == GROUP_STEP_AHEAD) {
			reason = part->step == GROUP_STEP_FAILED ? GROUP_PARTITION_FAILED :
				 reason == GROUP_REASON_NONE ? GROUP_DESTINATION_AHEAD : reason;
			skipped++;
			continue;
		}
		known->partitions++;
		known->behind += group_plan_behind(&part->at);
		clamped |= part->target < part->at.source;
		behind |= part->target < 0 || part->at.destination != part->target;
	}
	known->fingerprint = work->fingerprint;
	known->settled = !work->unsure && !clamped && !behind;
	known->verify_ns = clock_mono_ns() + VERIFY_MS * NS_PER_MS;
	if (!work->unsure)
		known->day = group_plan_day(known->id, clock_wall_ms());
	show(pass, known, skipped == work->n ? GROUP_SKIPPED : skipped > 0 ? GROUP_PARTIAL : behind ? GROUP_BEHIND : GROUP_SYNCED,
	     reason);
}

static void finish(struct pass *pass)
{
	for (int i = 0; i < pass->n; i++) {
		struct work *work = &pass->works[i];

		if (work->unsure)
			pass->of->n_left++;
		if (work->reason != GROUP_REASON_NONE) {
			work->known->settled = false;
			work->known->behind = -1;
			work->known->partitions = work->n;
			show(pass, work->known, GROUP_SKIPPED, work->reason);
		} else if (work->attention) {
			conclude(pass, work);
		}
	}
}

static void info_add(struct pass *pass, struct group_known *known, const char *detail)
{
	pass->of->groups[pass->of->n_groups++] = (struct group_info){
		.group_id = arena_strdup(pass->of->arena, known->id), .state = known->state, .reason = known->reason,
		.detail = detail, .partitions = known->partitions, .offsets_behind = known->behind,
		.since_ms = pass->of->memory != NULL ? known->since_ms : -1,
	};
}

/* Groups that are listed no more, once every broker of the source has told. */
static void list_gone(struct pass *pass)
{
	struct group_known *known;
	size_t at = 0;

	while ((known = map_next(&pass->memory->groups, &at)) != NULL) {
		if (known->pass == pass->memory->passes)
			continue;
		if (!pass->source_groups.complete || !group_filter_takes(pass->of->conf->group_filters, known->id)) {
			if (pass->source_groups.complete)
				group_memory_drop(pass->memory, known);
			continue;
		}
		known->settled = false;
		known->behind = -1;
		show(pass, known, GROUP_SKIPPED, GROUP_GONE_AT_SOURCE);
		if (clock_wall_ms() - known->since_ms > GONE_KEPT_MS)
			group_memory_drop(pass->memory, known);
		else
			info_add(pass, known, NULL);
	}
}

static void tell(struct pass *pass)
{
	pass->of->groups = arena_new(pass->of->arena, struct group_info, (int)map_count(&pass->memory->groups));
	for (int i = 0; i < pass->n; i++)
		info_add(pass, pass->works[i].known, pass->works[i].detail);
	list_gone(pass);
}

static enum outcome run(struct pass *pass, struct err *err)
{
	enum outcome outcome;
	int n;

	index_topics(pass);
	outcome = list_both(pass, err);
	if (outcome != OUTCOME_DONE)
		return outcome;
	select_groups(pass);
	read_source(pass);
	n = sort_attention(pass);
	if (n > 0) {
		read_destination(pass, n);
		read_ends(pass, n);
		commit(pass, n);
	}
	finish(pass);
	tell(pass);
	return OUTCOME_DONE;
}

enum outcome group_pass_run(struct session *session, struct cluster *source, struct group_pass *of, struct err *err)
{
	struct pass pass = { .session = session, .source = source, .of = of, .memory = of->memory };
	enum outcome outcome;

	of->groups = NULL;
	of->n_groups = of->n_commits = of->n_left = 0;
	of->trouble = (struct err){ 0 };
	if (pass.memory == NULL)
		pass.memory = group_memory_create();
	pass.memory->passes++;
	outcome = run(&pass, err);
	map_fini(&pass.by_source);
	map_fini(&pass.there);
	if (of->memory == NULL)
		group_memory_destroy(pass.memory);
	return outcome;
}
