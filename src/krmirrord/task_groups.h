/* SPDX-License-Identifier: Apache-2.0 */
/* The task ConsumerOffsetSync. */
#pragma once

#include "krmirrord/tasks.h"

void task_groups_run(struct task_run *run);
void task_groups_forget(void *data);
