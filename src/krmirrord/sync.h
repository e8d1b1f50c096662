/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of sync tasks: rows of tasks.c. */
#pragma once

#include "krmirrord/tasks.h"

/* ---- auto_create.c ---- */

void auto_create_run(struct task_run *run);
void auto_create_forget(void *data);

/* ---- config_sync.c ---- */

void config_sync_run(struct task_run *run);
void config_sync_forget(void *data);

/* ---- acl_sync.c ---- */

void acl_sync_run(struct task_run *run);
void acl_sync_forget(void *data);
