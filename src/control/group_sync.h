/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets of consumer groups, kept in step from a link's source to the destination: equal offsets, leader
 * epoch -1, metadata kept. What is decided per partition is group_plan.h; here is the I/O. Sequential code over
 * client/wait.h; every wait ends at session->deadline_ns.
 *
 * A group with members on the destination is never moved: its coordinator refuses, atomically. A group without members is
 * never moved back over a commit that krmirror did not write itself, as far as the memory of this process goes. */
#pragma once

#include "base/arena.h"
#include "control/group_plan.h"
#include "control/link_conf.h"
#include "control/session.h"

/* A topic whose partitions groups are kept in step for. */
struct group_topic {
	const char *source, *mirror;
	int32_t n_partitions;         /* of the mirror; a source partition beyond it is passed over */
	const bool *failed;           /* [n_partitions]: its log may not be the source's. NULL: none */
};

/* What one process knows from one pass to the next: what it wrote, and what was seen. */
struct group_memory *group_memory_create(void);
void group_memory_destroy(struct group_memory *memory);

/* What the log keeps of skipped groups, so that how long they stand so survives the worker and is known everywhere:
 * {group: {"reason": ..., "since_ms": ...}}, of some hundreds at most. */
struct group_info;
json_t *group_skipped_json(const struct group_info *groups, int n);
void group_memory_recall(struct group_memory *memory, const json_t *skipped);
/* Where the record of a link's state has it; NULL: nowhere. Borrowed. */
const json_t *group_skipped_of(const struct link_state *state);

struct group_info {
	const char *group_id;         /* of the source */
	enum group_state state;
	enum group_reason reason;
	const char *detail;           /* a sentence, where the reason alone does not say it; NULL */
	int32_t partitions;           /* that are kept in step, or would be */
	int64_t offsets_behind;       /* -1: not known */
	int64_t since_ms;             /* wall clock: since when it is so; -1: not known */
};

struct group_pass {
	const char *link;
	const struct link_conf *conf;
	const struct group_topic *topics;
	int n_topics;
	struct group_memory *memory;  /* NULL: of nothing; and what is not known is not overwritten backwards */
	bool look_only;               /* commit nothing */
	bool all;                     /* look at groups that seem not to have changed, too */
	struct arena *arena;          /* what the result points into */

	/* the result */
	struct group_info *groups;
	int n_groups;
	int n_commits;                /* groups that were written */
	int n_offsets, n_clamped;     /* offsets that were, and those of them that are lower than the source's */
	int n_begun[GROUP_REASONS];   /* groups that are skipped for the reason, and were not before */
	int n_left;                   /* groups that there was no time for */
	struct err trouble;           /* the worst of single groups and brokers; rc RC_OK: none */
};

/* One pass over all groups that the filters of the link take. OUTCOME_DONE also where single groups failed (trouble);
 * else the cluster that does not answer. */
enum outcome group_pass_run(struct session *session, struct cluster *source, struct group_pass *pass,
			    struct err *err) MUST_USE;

/* For promote, when the source has nothing left to copy: one last pass for some mirrors of a link, all at once. Nothing
 * happens where the link does not ask for offset sync. OUTCOME_DONE: every group that can be is in step; those that
 * cannot (active, ahead) are noted. */
enum outcome group_sync_final(struct session *session, const char *link, const char *const *topics, int n,
			      struct err *err) MUST_USE;

/* For failover, without the source: groups that the link's filters take and that stand beyond the high watermark of a
 * partition of these mirrors are set to it; one pass for all topics. A group with members is left alone and noted.
 * Nothing happens where the link does not ask for offset sync. */
enum outcome group_clamp(struct session *session, const char *link, const char *const *topics, int n, struct err *err) MUST_USE;
