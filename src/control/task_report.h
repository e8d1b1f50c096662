/* SPDX-License-Identifier: Apache-2.0 */
/* What `link task list` shows: the sync tasks as the worker that leads last recorded them. In the caller's arena. */
#pragma once

#include "base/arena.h"
#include "control/session.h"
#include "control/task.h"

struct task_error_info {
	const char *error_code, *error_message;
};

struct task_info {
	const char *task_name;
	const char *state;                /* task_state_name; NULL: no worker has recorded it yet */
	struct task_error_info *errors;
	int n_errors;
};

/* All TASK_KINDS of a link. RC_NOT_FOUND (OUTCOME_FAILED): there is no such link. */
enum outcome report_tasks(struct session *session, const char *link, struct arena *arena, struct task_info **tasks,
			  struct err *err) MUST_USE;
