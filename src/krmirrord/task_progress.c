/* SPDX-License-Identifier: Apache-2.0 */
/* SourceProgress: mirror.progress.group.id. What is durable on the destination, its high watermarks, is committed at the
 * source under the group, so that dashboards there that watch the lag of groups watch the mirror's. Only what moved is
 * committed, and all of it once a day, lest it expires. */
#include "krmirrord/task_groups.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/admin.h"
#include "client/admin_groups.h"
#include "control/group_memory.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"

enum { ENDS_MS = 2000 };

/* A partition's name at the source; the item of the same index in offsets is the destination's. */
struct progress {
	struct admin_offsets ends;
	const char **sources;
	struct admin_commit_item *items;
	int n;
};

static void collect(const struct group_topic *topics, int n, struct arena *arena, struct progress *p)
{
	int room = 0;

	for (int i = 0; i < n; i++)
		room += topics[i].n_partitions;
	p->ends = (struct admin_offsets){ .timestamp = ADMIN_LATEST, .replica_id = ADMIN_CONSUMER, .settle_ms = 1 };
	p->ends.items = arena_new(arena, struct admin_offset, room);
	p->sources = arena_new(arena, const char *, room);
	p->items = arena_new(arena, struct admin_commit_item, room);
	for (int i = 0; i < n; i++)
		for (int32_t k = 0; k < topics[i].n_partitions; k++) {
			if (topics[i].failed != NULL && topics[i].failed[k])
				continue;
			p->sources[p->ends.n] = topics[i].source;
			p->ends.items[p->ends.n++] = (struct admin_offset){ .topic = topics[i].mirror, .partition = k };
		}
}

/* What is to be committed. */
static void choose(struct progress *p, const struct group_known *known, bool all)
{
	for (int i = 0; i < p->ends.n; i++) {
		const struct admin_offset *end = &p->ends.items[i];

		if (end->offset < 0 || (!all && group_known_wrote(known, p->sources[i], end->partition) == end->offset))
			continue;
		p->items[p->n++] = (struct admin_commit_item){ .topic = p->sources[i], .partition = end->partition,
								.offset = end->offset, .metadata = "" };
	}
}

static bool passes(int16_t code)
{
	return code == KERR_NOT_COORDINATOR || code == KERR_COORDINATOR_NOT_AVAILABLE ||
	       code == KERR_COORDINATOR_LOAD_IN_PROGRESS;
}

static void answered(struct task_run *run, const struct progress *p, struct group_known *known, const struct err *why)
{
	const char *group = known->id;
	bool told = false;

	for (int i = 0; i < p->n; i++) {
		const struct admin_commit_item *item = &p->items[i];

		if (item->error == 0) {
			group_known_note(known, item->topic, item->partition, item->offset);
			continue;
		}
		known->node = -1;
		if (item->error == KERR_UNKNOWN_MEMBER_ID)
			task_errors_add(run->errors, TASK_CONSUMER_GROUP_IN_USE_ERROR, "source: group %s of "
					"mirror.progress.group.id has members: it must be nobody else's", group);
		else if (why->rc != RC_OK)
			told = true;
		else if (item->error != INT16_MAX && !passes(item->error))
			task_errors_add(run->errors, TASK_INTERNAL_ERROR, "source: the progress of %s cannot be committed under "
					"group %s: %s", item->topic, group, kerr_name(item->error));
	}
	if (told)
		task_failed(run, why);
}

static void commit(struct task_run *run, struct progress *p, struct group_known *known)
{
	struct admin_group_offsets group = { .group = known->id, .node = known->node };
	struct admin_group_commit commit = { .group = known->id, .items = p->items, .n = p->n };
	struct err err = { 0 };

	admin_find_coordinators(run->source, &group, 1, run->deadline_ns, &err);
	if (group.node < 0) {
		if (err.rc != RC_OK)
			task_failed(run, &err);
		return;   /* a coordinator that moves: next time */
	}
	commit.node = known->node = group.node;
	admin_commit_offsets(run->source, &commit, 1, run->deadline_ns, &err);
	answered(run, p, known, &err);
}

void task_progress_run(struct task_run *run)
{
	const char *id = run->link->conf.progress_group_id;
	int64_t day = group_plan_day(id, clock_wall_ms());
	struct arena arena = { 0 };
	struct progress p = { 0 };
	struct group_known *known;
	struct group_topic *topics;
	struct err err = { 0 };
	bool due;
	int n;

	if (*run->data == NULL)
		*run->data = group_memory_create();
	known = group_memory_get(*run->data, id);
	due = known->day != day;
	topics = task_groups_topics(run, &arena, &n);
	collect(topics, n, &arena, &p);
	if (p.ends.n > 0 && admin_list_offsets(run->worker->session.destination, &p.ends,
					       MIN(run->deadline_ns, worker_deadline(ENDS_MS)), &err) != RC_OK)
		task_failed(run, &err);   /* those that answered count all the same */
	choose(&p, known, due);
	if (p.n > 0)
		commit(run, &p, known);
	if (due && run->errors->n == 0)
		known->day = day;
	arena_fini(&arena);
}
