/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of sync tasks: rows of tasks.c. */
#pragma once

#include "krmirrord/tasks.h"

/* ---- auto_create.c ---- */

void auto_create_run(struct task_run *run);
void auto_create_forget(void *data);
