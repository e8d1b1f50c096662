/* SPDX-License-Identifier: Apache-2.0 */
/* What one process remembers of groups between two passes. Used by group_sync.c only. */
#pragma once

#include "base/map.h"
#include "control/group_plan.h"

#include <stddef.h>

struct group_wrote {
	char *topic;
	int32_t partition;
	int64_t offset;               /* what krmirror committed on the destination last; -1: nothing */
};

struct group_known {
	char *id;                     /* of the source */
	uint64_t fingerprint;         /* of the source's commits in mirrored partitions */
	bool settled;                 /* nothing is to be done until the fingerprint changes */
	int64_t verify_ns;            /* when the destination is read again all the same */
	int64_t day;                  /* group_plan_day of the last commit, or of the first sight */
	int32_t node;                 /* its coordinator on the destination; -1: not known */
	uint64_t kind;                /* how the destination described it: a change tells that it had members */
	bool present;                 /* on the destination, when that was listed */
	struct group_wrote *wrote;    /* by topic and partition */
	int n_wrote;
	/* as shown */
	enum group_state state;
	enum group_reason reason;
	int32_t partitions;
	int64_t behind, since_ms;
	int64_t pass;                 /* when it was listed at the source last */
};

struct group_memory {
	struct map groups;            /* struct group_known by id */
	int64_t passes;
};

struct group_known *group_memory_get(struct group_memory *memory, const char *id);
/* -1: nothing. */
int64_t group_known_wrote(const struct group_known *known, const char *topic, int32_t partition);
void group_known_note(struct group_known *known, const char *topic, int32_t partition, int64_t offset);
/* Somebody else may have committed: what krmirror wrote is its own no more. */
void group_known_forget(struct group_known *known);
void group_memory_drop(struct group_memory *memory, struct group_known *known);
