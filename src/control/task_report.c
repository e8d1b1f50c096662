/* SPDX-License-Identifier: Apache-2.0 */
#include "control/task_report.h"

#include "control/verbs.h"

#include <string.h>

static void errors_of(const json_t *list, struct arena *arena, struct task_info *info)
{
	const json_t *item;
	size_t i;

	info->errors = arena_new(arena, struct task_error_info, (int)json_array_size(list));
	json_array_foreach(list, i, item) {
		const char *code = json_string_value(json_object_get(item, "error_code"));
		const char *message = json_string_value(json_object_get(item, "error_message"));

		info->errors[info->n_errors++] = (struct task_error_info){
			.error_code = code != NULL ? arena_strdup(arena, code) : "UNKNOWN",
			.error_message = message != NULL ? arena_strdup(arena, message) : NULL,
		};
	}
}

/* The wish may be newer than what the worker recorded. */
static const char *state_of(const struct link_wish *wish, const struct link_state *state, const char *recorded)
{
	bool rests = strcmp(recorded, task_state_name(TASK_NOT_CONFIGURED)) == 0;

	if (rests || state->state == LINK_FAILED)
		return recorded;
	if (wish->paused)
		return task_state_name(TASK_LINK_PAUSED);
	return strcmp(recorded, task_state_name(TASK_LINK_PAUSED)) == 0 ? task_state_name(TASK_ACTIVE) : recorded;
}

static void fill(const struct link_wish *wish, const struct link_state *state, struct arena *arena,
		 struct task_info *tasks)
{
	for (int i = 0; i < TASK_KINDS; i++) {
		const json_t *task = json_object_get(state->tasks, task_name((enum task_kind)i));
		const char *recorded = json_string_value(json_object_get(task, "state"));

		tasks[i] = (struct task_info){ .task_name = task_name((enum task_kind)i) };
		if (recorded == NULL)
			continue;
		tasks[i].state = arena_strdup(arena, state_of(wish, state, recorded));
		if (strcmp(tasks[i].state, task_state_name(TASK_IN_ERROR)) == 0)
			errors_of(json_object_get(task, "errors"), arena, &tasks[i]);
	}
}

enum outcome report_tasks(struct session *session, const char *link, struct arena *arena, struct task_info **tasks,
			  struct err *err)
{
	struct link_wish wish = { 0 };
	struct link_state state = { 0 };
	int rc = control_log_link(session->log, link, &wish, err);

	*tasks = arena_new(arena, struct task_info, TASK_KINDS);
	if (rc == RC_OK)
		rc = control_log_link_state(session->log, link, &state, err);
	if (rc == RC_OK)
		fill(&wish, &state, arena, *tasks);
	else if (rc == RC_NOT_FOUND)
		err_hint(err, "`krmirror link list` shows the links");
	link_wish_fini(&wish);
	link_state_fini(&state);
	return rc == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}
