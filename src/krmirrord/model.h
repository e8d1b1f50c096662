/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker knows: the control log's records, decoded once when they change, and what it holds of each mirror.
 * Rows stay where they are until model_sweep, so callbacks of the group may walk them while sequential code waits. */
#pragma once

#include "control/link_conf.h"
#include "control/log.h"
#include "control/secret_key.h"
#include "krmirrord/plan.h"

/* An open transaction at the source: transactions.c. */
struct lane_transaction {
	int64_t stable;              /* the last stable offset that was seen with records above it; -1: none */
	int64_t producer_id;         /* -1: not known, or there is none */
	int64_t first_offset, last_ms;   /* of the transaction, and of the producer's last record, by the wall clock */
	int64_t again_ns;            /* not asked before */
};

/* A lane as this worker sees it. */
struct lane_row {
	bool mine;
	enum plan_held held;
	int64_t gained_ns;
	int64_t closed_ns;           /* when closing was asked for */
	int64_t resumes_at;          /* wish.resumes when it was opened */
	/* from the newest snapshot in which it was */
	bool seen;                   /* since it was opened */
	int64_t held_ns;             /* when the rate limit was last seen to hold it back; 0: never */
	bool present;                /* in the newest one */
	enum lane_state state;
	enum lane_reason reason;
	char *error;                 /* NULL: none */
	int64_t since_ms;
	int64_t offset;
	int32_t epoch;
	int64_t source_end, source_end_ms;   /* as last seen, and when */
	int64_t claim_used;          /* this claim number must not be used by it again; -1 */
	int64_t source_start, local_start;
	int64_t seed_from, seed_to;  /* what it seeds, as in lane_status */
	bool seed_lost, seeded;
	bool seed_told;              /* that the seeding is recorded */
	int64_t emptying;            /* a log end to be recorded before records are deleted up to it; -1: none */
	int64_t txn_filler_wanted;   /* to be recorded; -1: none */
	bool fills_by_transactions;
	int64_t tombstones_before, tombstones;   /* offsets filled with them: as recorded when it was opened, and since */
	int64_t txn_filler;          /* that the data loop was told */
	int32_t rotation_wanted;     /* of the filler id; 0: none */
	int32_t rotation;            /* that the data loop was told */
	int64_t written_ns;          /* when its entry was written last; 0: not by this process */
	struct lane_transaction transaction;
};

struct link_row {
	char *name;
	bool present;                /* in the log */
	int64_t offset;              /* of the wish that was decoded */
	struct link_wish wish;
	struct link_conf conf;
	bool usable;                 /* wish and conf can be used: of this record, or (stale) of an earlier one */
	bool stale;                  /* the newest record was written with another key */
	bool changed;                /* the wish is new: settings are to be applied */
	char error_word[40];         /* why it is FAILED */
	struct err error;
	struct plan_link plan;
	int64_t copy_told;           /* copies.c: the offset of an older record that was told of; -1: none */
	int64_t mend_ns;             /* and when the good one may be written behind it again */
	int64_t pin_ns;              /* when its source may be recorded again: pins.c */

	/* links.c */
	bool opened;                 /* at the data loops */
	int64_t *rates;              /* each data loop's share of the rate limit, as told; NULL: none was told */
	struct cluster *source;      /* for metadata and the availability check; NULL: none */
	struct link_source *source_keeps;
	struct cluster_watch watch;
	struct err source_error;     /* of the last attempt; rc RC_OK: it answered */
	int told_rc;                 /* of the last log line about it */
	bool state_told;             /* changes.c: */
	enum link_state_kind told_state;
	int writing_rc, written_rc;  /* of what the control log is to say, and says: a new reason is written */
	struct err refused;          /* the source is another cluster; rc RC_OK: it is not, or has not told */
	struct err data_error;       /* the data loops found the link FAILED; rc RC_OK: they did not */
	int64_t check_ns;            /* next availability check */
	int misses;
	int64_t contact_wall_ms;     /* of any part of the worker; 0: never */

	struct link_tasks *tasks;    /* tasks.c; NULL: none ran */
};

struct mirror_row {
	char *link, *topic;
	bool present;
	struct link_row *link_row;   /* NULL: the link is not in the log */
	int64_t wish_offset, state_offset;
	struct mirror_wish wish;
	struct mirror_state mirror_state;
	bool readable;               /* both were decoded */
	struct plan_mirror plan;
	enum plan_want want;
	int32_t n_lanes;
	struct lane_row *lanes;

	char *tracked;               /* the source topic whose metadata is asked for; NULL: none */
	struct link_row *tracked_at;
	int64_t act_ns;              /* when the leader may try again: promotion, growth */
	int64_t grow_ns;
	int64_t policy_ns;           /* trims.c: until when it stays as it is opened */
	int64_t limit_ns;            /* limits.c: when max.message.bytes may be looked at again */
	bool policy_refused;         /* trims.c: the last DeleteRecords was not allowed by it */
	int64_t told_ns;             /* when its lag was logged last */
	bool status_told;            /* changes.c: */
	enum mirror_status told_status;
};

struct model {
	struct secret_rules rules;
	const struct secret_key *key;
	struct link_row **links;
	int n_links;
	struct mirror_row **mirrors;
	int n_mirrors;
	struct plan_claim *claims;
	int n_claims;
	int32_t session_ms;          /* the longest session timeout of those that hold a claim */
	int64_t position;            /* of the log that was taken in; -1: none */
};

/* rules: what links may read of this host; its texts outlive the model, as key does (NULL: none). */
void model_init(struct model *model, const struct secret_rules *rules, const struct secret_key *key);
void model_fini(struct model *model);

/* Takes in what changed in the log since the last time; false when nothing did. Rows that are new have no lanes that are
 * mine. What left the log has present false. */
bool model_update(struct model *model, const struct control_log *log);
/* Frees rows that have left the log and of which nothing is held. */
void model_sweep(struct model *model);

struct link_row *model_link(const struct model *model, const char *name);
struct mirror_row *model_mirror(const struct model *model, const char *link, const char *topic);
/* Recomputes plan and want of a row from its link and its lanes. */
void mirror_row_plan(struct mirror_row *row);
/* The status that the leader records. */
enum mirror_status mirror_row_status(const struct mirror_row *row);
/* Whether cleanup.policy, as the topic has it while it is mirrored, has a word. */
bool mirror_row_policy(const struct mirror_row *row, const char *word);
/* The entry's failure is one that only resume ends, and nobody has resumed since. */
bool entry_stands(const struct mirror_row *row, const struct partition_state *entry);
/* wish.resumes as the writer of the entry knew it. */
int64_t entry_resumes(const struct partition_state *entry);
void entry_set_resumes(struct partition_state *entry, int64_t resumes);
