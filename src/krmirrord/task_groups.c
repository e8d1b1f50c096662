/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerOffsetSync: one pass of control/group_sync.h over the mirrors that the worker knows. */
#include "krmirrord/task_groups.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/group_topics.h"

static bool keeps_groups(const struct mirror_row *row, const struct link_row *link)
{
	return row->present && row->readable && row->link_row == link && row->wish.created &&
	       row->wish.wish != WISH_FAILOVER && row->wish.source_topic != NULL && !row->mirror_state.closing &&
	       row->mirror_state.status != MIRROR_STOPPED;
}

struct group_topic *task_groups_topics(const struct task_run *run, struct arena *arena, int *n)
{
	const struct model *model = &run->worker->model;
	struct group_topic *topics = arena_new(arena, struct group_topic, model->n_mirrors);

	*n = 0;
	for (int i = 0; i < model->n_mirrors; i++) {
		const struct mirror_row *row = model->mirrors[i];
		const struct mirror_state *state = &row->mirror_state;
		bool *failed;

		if (!keeps_groups(row, run->link))
			continue;
		failed = arena_new(arena, bool, row->n_lanes);
		for (int e = 0; e < state->n_partitions; e++)
			if (state->partitions[e].partition < row->n_lanes)
				failed[state->partitions[e].partition] = group_partition_failed(&state->partitions[e]);
		/* Names are copied: the log may be read while the pass waits. */
		topics[(*n)++] = (struct group_topic){
			.source = arena_strdup(arena, row->wish.source_topic),
			.mirror = arena_strdup(arena, row->topic), .n_partitions = row->n_lanes, .failed = failed,
		};
	}
	return topics;
}

static struct group_memory *recall(const struct task_run *run)
{
	struct group_memory *memory = group_memory_create();
	struct link_state state = { 0 };
	struct err unused;

	if (control_log_link_state(run->worker->session.log, run->link->name, &state, &unused) == RC_OK)
		group_memory_recall(memory, group_skipped_of(&state));
	link_state_fini(&state);
	return memory;
}

static void count(struct task_run *run, const struct group_pass *pass, bool whole)
{
	struct tally *tally = ledger_link(run->worker->ledger, run->link->name);

	tally->offsets_committed += (uint64_t)pass->n_offsets;
	tally->offsets_clamped += (uint64_t)pass->n_clamped;
	for (int i = 0; i < GROUP_REASONS; i++)
		tally->groups_skipped[i] += (uint64_t)pass->n_begun[i];
	if (!whole)
		return;
	run->told_groups = true;
	for (int i = 0; i < pass->n_groups; i++)
		run->n_groups[pass->groups[i].state]++;
}

void task_groups_run(struct task_run *run)
{
	struct arena arena = { 0 };
	struct group_pass pass = { .link = run->link->name, .conf = &run->link->conf, .arena = &arena };
	struct err err = { 0 };

	if (*run->data == NULL)
		*run->data = recall(run);
	pass.memory = *run->data;
	pass.topics = task_groups_topics(run, &arena, &pass.n_topics);
	if (group_pass_run(&run->worker->session, run->source, &pass, &err) != OUTCOME_DONE)
		task_failed(run, &err);
	else if (pass.trouble.rc != RC_OK)
		task_failed(run, &pass.trouble);
	count(run, &pass, err.rc == RC_OK);
	if (err.rc == RC_OK)
		run->groups = group_skipped_json(pass.groups, pass.n_groups);
	log_debug("task", "group offsets", "link=%s groups=%d committed=%d left=%d", run->link->name, pass.n_groups,
		  pass.n_commits, pass.n_left);
	arena_fini(&arena);
}

void task_groups_forget(void *data)
{
	group_memory_destroy(data);
}
