/* SPDX-License-Identifier: Apache-2.0 */
/* The tasks ConsumerOffsetSync and SourceProgress. */
#pragma once

#include "control/group_sync.h"
#include "krmirrord/tasks.h"

/* The mirrors of the run's link that groups are kept in step for; in the arena. */
struct group_topic *task_groups_topics(const struct task_run *run, struct arena *arena, int *n);
void task_groups_run(struct task_run *run);
void task_groups_forget(void *data);
void task_progress_run(struct task_run *run);
