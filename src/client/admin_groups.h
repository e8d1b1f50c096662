/* SPDX-License-Identifier: Apache-2.0 */
/* Many groups at once: listing them, reading and committing their offsets. Each function asks all that it can side by
 * side and once; what one broker or one group did not answer is told at that item, and is for the caller to ask again. */
#pragma once

#include "base/arena.h"
#include "client/wait.h"

struct admin_listed_group {
	const char *id, *protocol_type;
	const char *state, *type;       /* NULL: the broker does not tell */
	int32_t node;                   /* its coordinator */
};

struct admin_listed_groups {
	struct admin_listed_group *items;
	int n;
	bool complete;                  /* every broker has told */
};

/* Asks every broker that is known. err and its code where not all answered; RC_OK when at least one did. */
int admin_list_groups(struct cluster *cluster, int64_t deadline_ns, struct arena *arena,
		      struct admin_listed_groups *groups, struct err *err) MUST_USE;

struct admin_committed {
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *metadata;           /* "" for none */
};

struct admin_group_offsets {
	const char *group;
	int32_t node;                   /* the coordinator, -1: not known; set when it was looked for */
	int16_t error;                  /* Kafka's; INT16_MAX: no answer */
	struct admin_committed *items;  /* what is committed, all topics */
	int n;
};

/* Looks for the coordinators of the groups that have none. A group for which that fails keeps -1 and has the error. */
void admin_find_coordinators(struct cluster *cluster, struct admin_group_offsets *groups, int n, int64_t deadline_ns,
			     struct err *err);
/* Of groups with a node; a group that does not exist has no offsets. */
void admin_fetch_offsets(struct cluster *cluster, struct admin_group_offsets *groups, int n, int64_t deadline_ns,
			 struct arena *arena, struct err *err);

struct admin_commit_item {
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *metadata;
	int16_t error;                  /* Kafka's; INT16_MAX: no answer */
	bool sent;                      /* it may have been stored, whatever error says */
};

struct admin_group_commit {
	const char *group;
	int32_t node;
	struct admin_commit_item *items;   /* those of one topic stand together */
	int n;
};

/* From outside of the groups: generation -1, leader epoch -1. Groups with members refuse it (UNKNOWN_MEMBER_ID). */
void admin_commit_offsets(struct cluster *cluster, struct admin_group_commit *commits, int n, int64_t deadline_ns,
			  struct err *err);
