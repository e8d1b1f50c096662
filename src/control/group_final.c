/* SPDX-License-Identifier: Apache-2.0 */
/* What promote and failover do with groups, once, and what is looked at for `group list`: from the control log's view,
 * without a worker's memory. */
#include "control/group_sync.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/admin.h"
#include "client/admin_groups.h"
#include "control/group_topics.h"
#include "control/verbs.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 200 };

/* ---- from the log ---- */

bool group_partition_failed(const struct partition_state *entry)
{
	enum lane_reason reason = entry->reason != NULL ? lane_reason_parse(entry->reason) : REASON_NONE;

	return entry->state != NULL && lane_state_parse(entry->state) == LANE_FAILED && !lane_reason_retries(reason);
}

static void topic_take(struct arena *arena, const struct mirror_wish *wish, const struct mirror_state *state,
		       struct group_topic *topic)
{
	bool *failed;

	topic->source = arena_strdup(arena, wish->source_topic);
	topic->mirror = arena_strdup(arena, wish->topic);
	topic->n_partitions = wish->n_partitions;
	if (state->n_partitions > 0)
		topic->n_partitions = MAX(topic->n_partitions, state->partitions[state->n_partitions - 1].partition + 1);
	failed = arena_new(arena, bool, topic->n_partitions);
	for (int i = 0; i < state->n_partitions; i++)
		failed[state->partitions[i].partition] = group_partition_failed(&state->partitions[i]);
	topic->failed = failed;
}

static bool among(const char *const *topics, int n, const char *topic)
{
	for (int i = 0; i < n; i++)
		if (strcmp(topics[i], topic) == 0)
			return true;
	return n == 0;
}

int group_topics_of_log(struct session *session, const char *link, const char *const *topics, int n,
			struct arena *arena, struct group_topic **found)
{
	const struct control_record *r = NULL;
	int count = 0, room = 0;

	while ((r = control_log_next(session->log, RECORD_MIRROR, r)) != NULL)
		room += strcmp(r->name, link) == 0;
	*found = arena_new(arena, struct group_topic, room);
	while ((r = control_log_next(session->log, RECORD_MIRROR, r)) != NULL) {
		struct mirror_wish wish = { 0 };
		struct mirror_state state = { 0 };
		struct err unused;

		if (strcmp(r->name, link) != 0 || !among(topics, n, r->topic))
			continue;
		if (control_log_mirror(session->log, link, r->topic, &wish, &unused) == RC_OK && wish.created &&
		    wish.wish != WISH_FAILOVER && wish.source_topic != NULL &&
		    control_log_mirror_state(session->log, link, r->topic, &state, &unused) == RC_OK &&
		    !mirror_is_stopped(&state))
			topic_take(arena, &wish, &state, &(*found)[count++]);
		mirror_wish_fini(&wish);
		mirror_state_fini(&state);
	}
	return count;
}

/* ---- promote ---- */

static void note_skipped(struct session *session, const struct group_pass *pass)
{
	for (int i = 0; i < pass->n_groups; i++) {
		const struct group_info *group = &pass->groups[i];
		const char *reason = group_reason_word(group->reason);

		if (reason != NULL && group->reason != GROUP_NO_MIRRORED_TOPICS && group->reason != GROUP_OF_KRMIRROR &&
		    group->reason != GROUP_NOT_CONSUMER)
			notes_add(&session->notes, "the offsets of group %s are not those of the source: %s",
				  group->group_id, reason);
	}
}

static enum outcome final_passes(struct session *session, struct group_pass *pass, struct err *err)
{
	struct cluster *source;
	enum outcome outcome = session_source(session, pass->link, session->deadline_ns, &source, err);

	while (outcome == OUTCOME_DONE) {
		outcome = group_pass_run(session, source, pass, err);
		if (outcome != OUTCOME_DONE || pass->n_left == 0)
			break;
		if (clock_mono_ns() + AGAIN_MS * NS_PER_MS >= session->deadline_ns) {
			if (pass->trouble.rc != RC_OK)
				*err = pass->trouble;
			else
				err_set(err, RC_TIMEOUT, "the offsets of %d groups could not be read or written in time",
					pass->n_left);
			err_wrap(err, "the last sync of group offsets");
			return OUTCOME_TIMED_OUT;
		}
		loop_wait_until(session->loop, clock_mono_ns() + AGAIN_MS * NS_PER_MS);
	}
	if (outcome == OUTCOME_DONE)
		note_skipped(session, pass);
	return outcome;
}

enum outcome group_sync_final(struct session *session, const char *link, const char *const *topics, int n,
			      struct err *err)
{
	struct arena arena = { 0 };
	struct group_topic *found;
	struct link_conf conf;
	struct group_pass pass = { .link = link, .conf = &conf, .all = true, .arena = &arena };
	enum outcome outcome = OUTCOME_DONE;

	if (session_link_conf(session, link, &conf, err) != RC_OK) {
		outcome = outcome_of(err, SIDE_DESTINATION);
	} else if (conf.offset_sync && n > 0) {
		pass.n_topics = group_topics_of_log(session, link, topics, n, &arena, &found);
		pass.topics = found;
		if (pass.n_topics > 0)
			outcome = final_passes(session, &pass, err);
	}
	link_conf_fini(&conf);
	arena_fini(&arena);
	return outcome;
}

/* ---- failover ---- */

struct clamping {
	struct session *session;
	struct arena arena;
	const struct link_conf *conf;
	struct map topics;
	struct admin_listed_groups listed;
	struct admin_group_offsets *groups;
	int n_groups;
	struct admin_offsets ends;
};

/* The group's own name, where it is one that the link would write. */
static bool takes(const struct clamping *c, const struct admin_listed_group *group)
{
	struct group_kind kind = { group->protocol_type, group->type, group->state };
	const char *name = group->id;
	size_t len = strlen(c->conf->prefix);

	if (c->conf->group_prefix && strncmp(name, c->conf->prefix, len) != 0)
		return false;
	if (c->conf->group_prefix)
		name += len;
	return group_is_consumer(&kind) && group_filter_takes(c->conf->group_filters, name);
}

static bool wanted(const struct clamping *c, const struct admin_committed *item)
{
	return map_get(&c->topics, item->topic, strlen(item->topic)) != NULL;
}

static enum outcome read_groups(struct clamping *c, struct err *err)
{
	struct cluster *cluster = c->session->destination;
	struct err fetch_err;

	if (admin_list_groups(cluster, c->session->deadline_ns, &c->arena, &c->listed, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	if (!c->listed.complete)
		return OUTCOME_TIMED_OUT;
	c->groups = arena_new(&c->arena, struct admin_group_offsets, c->listed.n);
	c->n_groups = 0;
	for (int i = 0; i < c->listed.n; i++)
		if (takes(c, &c->listed.items[i]))
			c->groups[c->n_groups++] = (struct admin_group_offsets){ .group = c->listed.items[i].id,
										 .node = c->listed.items[i].node };
	admin_fetch_offsets(cluster, c->groups, c->n_groups, c->session->deadline_ns, &c->arena, &fetch_err);
	for (int i = 0; i < c->n_groups; i++)
		if (c->groups[i].error != 0) {
			*err = fetch_err;
			if (err->rc == RC_OK)
				err_set(err, RC_KAFKA, "the offsets of group %s cannot be read: %s", c->groups[i].group,
					kerr_name(c->groups[i].error));
			return err->rc == RC_AUTH ? OUTCOME_AUTH : OUTCOME_TIMED_OUT;
		}
	return OUTCOME_DONE;
}

static int end_by_place(const void *a, const void *b)
{
	const struct admin_offset *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static enum outcome read_watermarks(struct clamping *c, struct err *err)
{
	int n = 0, kept = 0;

	for (int i = 0; i < c->n_groups; i++)
		n += c->groups[i].n;
	c->ends = (struct admin_offsets){ .timestamp = ADMIN_LATEST, .replica_id = ADMIN_CONSUMER, .settle_ms = 1 };
	c->ends.items = arena_new(&c->arena, struct admin_offset, n);
	for (int i = 0; i < c->n_groups; i++)
		for (int k = 0; k < c->groups[i].n; k++)
			if (wanted(c, &c->groups[i].items[k]))
				c->ends.items[c->ends.n++] = (struct admin_offset){
					.topic = c->groups[i].items[k].topic, .partition = c->groups[i].items[k].partition,
				};
	if (c->ends.n == 0)
		return OUTCOME_DONE;
	qsort(c->ends.items, (size_t)c->ends.n, sizeof(*c->ends.items), end_by_place);
	for (int i = 0; i < c->ends.n; i++)
		if (i == 0 || end_by_place(&c->ends.items[i], &c->ends.items[kept - 1]) != 0)
			c->ends.items[kept++] = c->ends.items[i];
	c->ends.n = kept;
	if (admin_list_offsets(c->session->destination, &c->ends, c->session->deadline_ns, err) != RC_OK)
		return outcome_of(err, SIDE_DESTINATION);
	/* admin_list_offsets keeps the order of its items */
	return OUTCOME_DONE;
}

static int64_t watermark(const struct clamping *c, const struct admin_committed *item)
{
	struct admin_offset key = { .topic = item->topic, .partition = item->partition };
	const struct admin_offset *end = bsearch(&key, c->ends.items, (size_t)c->ends.n, sizeof(key), end_by_place);

	return end != NULL ? end->offset : -1;
}

static int collect(const struct clamping *c, const struct admin_group_offsets *group, struct admin_commit_item *items)
{
	int n = 0;

	for (int k = 0; k < group->n; k++) {
		int64_t end = watermark(c, &group->items[k]);

		if (!wanted(c, &group->items[k]) || !group_plan_clamps(group->items[k].offset, end))
			continue;
		items[n++] = (struct admin_commit_item){
			.topic = group->items[k].topic, .partition = group->items[k].partition, .offset = end,
			.metadata = group->items[k].metadata,
		};
	}
	return n;
}

static enum outcome answered(struct clamping *c, const struct admin_group_commit *commit, const struct err *why,
			     struct err *err)
{
	for (int k = 0; k < commit->n; k++) {
		const struct admin_commit_item *item = &commit->items[k];

		if (item->error == 0)
			continue;
		if (item->error == KERR_UNKNOWN_MEMBER_ID) {
			notes_add(&c->session->notes, "group %s has members and stands beyond the end of %s-%d: they decide "
				  "where they go on", commit->group, item->topic, item->partition);
		} else {
			*err = *why;
			if (err->rc == RC_OK)
				err_set(err, RC_KAFKA, "the offsets of group %s cannot be set: %s", commit->group,
					kerr_name(item->error));
			return err->rc == RC_AUTH ? OUTCOME_AUTH : OUTCOME_TIMED_OUT;
		}
	}
	return OUTCOME_DONE;
}

static enum outcome write_clamped(struct clamping *c, struct err *err)
{
	struct admin_group_commit *commits = arena_new(&c->arena, struct admin_group_commit, c->n_groups);
	struct err why;
	enum outcome outcome = OUTCOME_DONE;
	int n = 0;

	for (int i = 0; i < c->n_groups; i++) {
		struct admin_group_commit *commit = &commits[n];

		*commit = (struct admin_group_commit){ .group = c->groups[i].group, .node = c->groups[i].node };
		commit->items = arena_new(&c->arena, struct admin_commit_item, c->groups[i].n);
		commit->n = collect(c, &c->groups[i], commit->items);
		n += commit->n > 0;
	}
	admin_commit_offsets(c->session->destination, commits, n, c->session->deadline_ns, &why);
	for (int i = 0; i < n && outcome == OUTCOME_DONE; i++)
		outcome = answered(c, &commits[i], &why, err);
	return outcome;
}

/* What a coordinator that is moving or loading did not answer is asked again. */
static enum outcome clamp_all(struct clamping *c, struct err *err)
{
	enum outcome outcome;

	for (;;) {
		outcome = read_groups(c, err);
		if (outcome == OUTCOME_DONE)
			outcome = read_watermarks(c, err);
		if (outcome == OUTCOME_DONE)
			outcome = write_clamped(c, err);
		if (outcome != OUTCOME_TIMED_OUT)
			return outcome;
		if (clock_mono_ns() + AGAIN_MS * NS_PER_MS >= c->session->deadline_ns) {
			err_wrap(err, "group offsets beyond the end could not be looked for in time");
			return outcome;
		}
		loop_wait_until(c->session->loop, clock_mono_ns() + AGAIN_MS * NS_PER_MS);
	}
}

enum outcome group_clamp(struct session *session, const char *link, const char *const *topics, int n, struct err *err)
{
	struct link_conf conf;
	struct clamping c = { .session = session, .conf = &conf };
	enum outcome outcome = OUTCOME_DONE;

	if (session_link_conf(session, link, &conf, err) != RC_OK) {
		outcome = outcome_of(err, SIDE_DESTINATION);
	} else if (conf.offset_sync && n > 0) {
		for (int i = 0; i < n; i++)
			map_put(&c.topics, topics[i], strlen(topics[i]), &c);
		outcome = clamp_all(&c, err);
	}
	map_fini(&c.topics);
	arena_fini(&c.arena);
	link_conf_fini(&conf);
	return outcome;
}
