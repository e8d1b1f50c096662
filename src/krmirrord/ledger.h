/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted since the process began: SIGHUP may begin another run of the worker, and a counter never goes back.
 * The control thread's; pages have copies. What data loops count is theirs while they are there. */
#pragma once

#include "control/group_plan.h"
#include "control/task.h"
#include "mirror/mirror.h"

/* Of a link, by what this process did for it. */
struct tally {
	uint64_t offsets_committed;  /* of groups and partitions */
	uint64_t offsets_clamped;    /* those of them that are lower than the source's, as far as the mirror was */
	uint64_t groups_skipped[GROUP_REASONS];   /* how often a group began to be */
	uint64_t config_updates, acls_added, acls_deleted, mirrors_created;
	uint64_t promoted, failed_over, transition_errors;
};

struct ledger_link {
	char *name;
	struct tally tally;
};

/* Zeroed is empty. */
struct ledger {
	int64_t started_ms;          /* wall clock: the process */
	uint64_t task_errors[TASK_CODES];
	struct client_counts control;   /* of the destination, of runs that have ended */
	struct ledger_link *links;
	int n_links;
	struct mirror_counts *loops;
	int n_loops;
};

void ledger_fini(struct ledger *ledger);
/* Made when it is new; links that are no more are kept, they may come back. Valid until the next call. */
struct tally *ledger_link(struct ledger *ledger, const char *link);
/* For so many data loops, none of which runs. */
void ledger_loops(struct ledger *ledger, int n);
