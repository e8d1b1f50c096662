/* SPDX-License-Identifier: Apache-2.0 */
/* Failure modes:
 *  - A source does not answer: the run ends at its deadline, and the link's tasks rest ten times as long as that took,
 *    a minute at most; links whose metadata connection knows that nobody answers are not tried at all.
 *  - A run takes longer than its period: the next begins after a rest as long as the run.
 *  - Another worker leads: everything that was remembered is forgotten. */
#include "krmirrord/tasks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "krmirrord/sync.h"
#include "krmirrord/task_groups.h"

#include <string.h>

enum {
	ROUND_MS = 500,              /* of a round, for runs that begin in it */
	DIAL_MS = 3000,
	REST_TIMES = 10, REST_MAX_MS = 60000, SILENT_MS = 500,
	LATE_MS = 10000              /* what has not run for so long, because nobody answers, is an error */
};

/* One row per task, in the order of enum task_kind. */
static const struct task tasks[TASK_KINDS] = {
	{ TASK_CONSUMER_OFFSET_SYNC, 5000, task_groups_run, task_groups_forget },
	{ TASK_TOPIC_CONFIGS_SYNC, 10000, config_sync_run, config_sync_forget },
	{ TASK_ACL_SYNC, 5000, acl_sync_run, acl_sync_forget },
	{ TASK_AUTO_CREATE_MIRROR, 15000, auto_create_run, auto_create_forget },
	{ TASK_SOURCE_PROGRESS, 5000, task_progress_run, task_groups_forget },
};

struct link_task {
	int64_t next_ns;
	int64_t began_ns;            /* the pass, whose runs want to go on; 0: none is under way */
	bool ran;                    /* since this worker leads */
	struct task_errors errors;   /* of the last run */
	json_t *groups;              /* of the last run that told; NULL: none */
	bool told_groups;
	int n_groups[GROUP_STATES];
	int64_t good_wall_ms;        /* when the last run that went well ended; 0: none has */
	struct task_errors pending;  /* of the runs so far that want to go on */
	void *data;
};

struct link_tasks {
	struct link_task of[TASK_KINDS];
	int64_t rest_ns;             /* no run before */
};

static void forget(struct link_tasks *all)
{
	for (int i = 0; i < TASK_KINDS; i++) {
		struct link_task *task = &all->of[i];

		task_errors_fini(&task->errors);
		json_decref(task->groups);
		task_errors_fini(&task->pending);
		if (task->data != NULL && tasks[i].forget != NULL)
			tasks[i].forget(task->data);
		*task = (struct link_task){ 0 };
	}
	all->rest_ns = 0;
}

void link_tasks_free(struct link_tasks *all)
{
	if (all == NULL)
		return;
	forget(all);
	xfree(all);
}

void tasks_renew(struct link_row *row)
{
	for (int i = 0; row->tasks != NULL && i < TASK_KINDS; i++)
		row->tasks->of[i].next_ns = 0;
}

/* ---- states ---- */

static bool late(const struct link_row *row, const struct link_task *task)
{
	return row->source_error.rc != RC_OK && task->ran && clock_mono_ns() > task->next_ns + LATE_MS * NS_PER_MS;
}

static enum task_state state_of(const struct link_row *row, enum task_kind kind)
{
	const struct link_task *task = row->tasks != NULL ? &row->tasks->of[kind] : NULL;

	if (tasks[kind].run == NULL || !row->usable || row->conf.inbound || !task_configured(kind, &row->conf))
		return TASK_NOT_CONFIGURED;
	switch (plan_link_state(&row->plan)) {
	case LINK_PAUSED:
		return TASK_LINK_PAUSED;
	case LINK_UNAVAILABLE:
		return TASK_LINK_UNAVAILABLE;
	case LINK_FAILED:
		return TASK_LINK_FAILED;
	case LINK_ACTIVE:
		break;
	}
	return task != NULL && (task->errors.n > 0 || late(row, task)) ? TASK_IN_ERROR : TASK_ACTIVE;
}

/* Until the first run under this leader what the log says may still be true. */
static bool keeps(const struct link_row *row, enum task_kind kind, enum task_state state, const json_t *was)
{
	const char *word = json_string_value(json_object_get(was, "state"));

	return state == TASK_ACTIVE && (row->tasks == NULL || !row->tasks->of[kind].ran) && word != NULL &&
	       strcmp(word, task_state_name(TASK_IN_ERROR)) == 0;
}

/* What the log says stays until the first run under this leader has told. */
static void set_groups(json_t *now, const struct link_task *task, enum task_state state, const json_t *old)
{
	json_t *groups = task != NULL && task->groups != NULL ? task->groups : json_object_get(old, "groups");

	if (groups != NULL && json_object_size(groups) > 0 && state != TASK_NOT_CONFIGURED)
		json_object_set(now, "groups", groups);
}

json_t *tasks_json(struct link_row *row, const json_t *was)
{
	static const struct task_errors none = { 0 };
	json_t *object = json_object();

	for (int i = 0; i < TASK_KINDS; i++) {
		const struct link_task *task = row->tasks != NULL ? &row->tasks->of[i] : NULL;
		enum task_state state = state_of(row, (enum task_kind)i);
		json_t *old = json_object_get(was, task_name((enum task_kind)i)), *now;

		if (keeps(row, (enum task_kind)i, state, old)) {
			now = json_incref(old);
		} else if (task != NULL && task->errors.n == 0 && state == TASK_IN_ERROR) {
			struct task_errors silent = { 0 };

			task_errors_add(&silent, TASK_TIMEOUT_ERROR, "the source does not answer");
			now = task_json(state, &silent);
			task_errors_fini(&silent);
		} else {
			now = task_json(state, task != NULL ? &task->errors : &none);
		}
		set_groups(now, task, state, old);
		json_object_set_new(object, task_name((enum task_kind)i), now);
	}
	return object;
}

void tasks_states(const struct link_row *row, enum task_state states[TASK_KINDS])
{
	for (int i = 0; i < TASK_KINDS; i++)
		states[i] = state_of(row, (enum task_kind)i);
}

void tasks_tell(const struct link_row *row, struct tasks_told *told)
{
	const struct link_task *groups = row->tasks != NULL ? &row->tasks->of[TASK_CONSUMER_OFFSET_SYNC] : NULL;
	bool kept = groups != NULL && groups->told_groups &&
		    state_of(row, TASK_CONSUMER_OFFSET_SYNC) != TASK_NOT_CONFIGURED;

	for (int i = 0; i < TASK_KINDS; i++) {
		const struct link_task *task = row->tasks != NULL ? &row->tasks->of[i] : NULL;
		bool good = task != NULL && task->good_wall_ms > 0 && state_of(row, (enum task_kind)i) != TASK_NOT_CONFIGURED;

		told->good_wall_ms[i] = good ? task->good_wall_ms : -1;
	}
	for (int i = 0; i < GROUP_STATES; i++)
		told->groups[i] = kept ? groups->n_groups[i] : -1;
}

/* ---- running ---- */

void task_failed(struct task_run *run, const struct err *err)
{
	task_errors_add_err(run->errors, err);
	run->silent |= err->rc == RC_TIMEOUT || err->rc == RC_CONNECT || err->rc == RC_CLOSED || err->rc == RC_RESOLVE;
}

/* Nobody dials where the metadata connection of this link knows that it is in vain. */
static bool may_run(const struct link_row *row, enum task_kind kind)
{
	enum task_state state = row->present ? state_of(row, kind) : TASK_NOT_CONFIGURED;

	return (state == TASK_ACTIVE || state == TASK_IN_ERROR) && row->source != NULL &&
	       row->source_error.rc == RC_OK && row->contact_wall_ms > 0;
}

/* The one that is due first, before `before`, so that none starves; NULL: none is. */
static struct link_row *first_due(struct worker *worker, int64_t before, enum task_kind *kind, int64_t *due_ns)
{
	int64_t best = before;
	struct link_row *found = NULL;

	for (int i = 0; i < worker->model.n_links; i++) {
		struct link_row *row = worker->model.links[i];

		if (row->tasks == NULL)
			row->tasks = xcalloc(1, sizeof(*row->tasks));
		for (int k = 0; k < TASK_KINDS; k++) {
			int64_t due = MAX(row->tasks->of[k].next_ns, row->tasks->rest_ns);

			if (due >= best || !may_run(row, (enum task_kind)k))
				continue;
			best = *due_ns = due;
			found = row;
			*kind = (enum task_kind)k;
		}
	}
	return found;
}

int32_t tasks_wait_ms(struct worker *worker, int32_t most_ms)
{
	int64_t now = clock_mono_ns(), due;
	enum task_kind kind;

	if (!member_leads(worker) || first_due(worker, now + most_ms * NS_PER_MS, &kind, &due) == NULL)
		return most_ms;
	return due <= now ? 0 : (int32_t)((due - now) / NS_PER_MS);
}

static void tell(const struct link_row *row, enum task_kind kind, const struct task_errors *before,
		 const struct task_errors *now)
{
	bool same = before->n == now->n;

	for (int i = 0; i < now->n && same; i++)
		same = strcmp(before->items[i].message, now->items[i].message) == 0;
	if (same)
		return;
	for (int i = 0; i < now->n; i++)
		log_warn("task", "an error; trying again", "link=%s task=%s code=%s error=" LOG_Q, row->name,
			 task_name(kind), task_code_name(now->items[i].code), now->items[i].message);
	if (now->n == 0)
		log_info("task", "goes well again", "link=%s task=%s", row->name, task_name(kind));
}

static void run_one(struct worker *worker, struct link_row *row, enum task_kind kind)
{
	struct link_task *task = &row->tasks->of[kind];
	int64_t began = clock_mono_ns(), took;
	struct task_run run = {
		.worker = worker, .link = row, .errors = &task->pending, .data = &task->data,
		.deadline_ns = began + tasks[kind].deadline_ms * NS_PER_MS,
	};
	struct err err = { 0 };

	worker->session.deadline_ns = run.deadline_ns;
	if (session_source(&worker->session, row->name, MIN(run.deadline_ns, began + DIAL_MS * NS_PER_MS), &run.source,
			   &err) == OUTCOME_DONE)
		tasks[kind].run(&run);
	else
		task_failed(&run, &err);
	took = clock_mono_ns() - began;
	if (task->began_ns == 0)
		task->began_ns = began;
	task->next_ns = MAX(task->began_ns + task_period_ms(kind, &row->conf) * NS_PER_MS, began + 2 * took);
	if (run.more)
		task->next_ns = began + took;
	else
		task->began_ns = 0;
	if (run.silent && took > SILENT_MS * NS_PER_MS)
		row->tasks->rest_ns = began + took + MIN(REST_TIMES * took, REST_MAX_MS * NS_PER_MS);
	if (!run.more) {
		tell(row, kind, &task->errors, &task->pending);
		for (int i = 0; i < task->pending.n; i++)
			worker->ledger->task_errors[task->pending.items[i].code]++;
		task_errors_fini(&task->errors);
		task->errors = task->pending;
		task->pending = (struct task_errors){ 0 };
		task->ran = true;
		if (task->errors.n == 0)
			task->good_wall_ms = clock_wall_ms();
	}
	if (run.told_groups) {
		task->told_groups = true;
		memcpy(task->n_groups, run.n_groups, sizeof(task->n_groups));
	}
	if (run.groups != NULL) {
		json_decref(task->groups);
		task->groups = run.groups;
	}
	for (int i = 0; i < worker->session.notes.n; i++)
		log_warn("task", "note", "link=%s task=%s text=" LOG_Q, row->name, task_name(kind),
			 worker->session.notes.lines[i]);
	notes_fini(&worker->session.notes);
	log_trace("task", "ran", "link=%s task=%s us=%lld", row->name, task_name(kind), (long long)(took / 1000));
}

void tasks_work(struct worker *worker)
{
	int64_t until = worker_deadline(ROUND_MS);
	struct link_row *row;
	enum task_kind kind;
	int64_t due;

	if (!member_leads(worker)) {
		for (int i = 0; i < worker->model.n_links && !worker->member.leader; i++)
			if (worker->model.links[i]->tasks != NULL)
				forget(worker->model.links[i]->tasks);
		return;
	}
	while ((row = first_due(worker, clock_mono_ns() + 1, &kind, &due)) != NULL) {
		run_one(worker, row, kind);
		if (clock_mono_ns() >= until || worker_asked_to_stop(worker) || worker->member.fenced ||
		    !worker->member.leader)
			return;
	}
}
