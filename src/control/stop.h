/* SPDX-License-Identifier: Apache-2.0 */
/* Promotion and failover: the wish, and the acting on it (DESIGN 10). The daemon's group leader acts on wishes that it
 * sees; the command line acts where no worker does. Every step may be killed after it and run again. Many mirrors go
 * side by side: each step is one request for all of them. */
#pragma once

#include "control/report.h"
#include "control/session.h"

/* Where one promotion or failover stands. */
enum stop_at {
	STOP_WAITING,     /* lag, or the source moved, or a step failed: call again */
	STOP_DONE,        /* STOPPED */
	STOP_WITHDRAWN    /* a stray producer or an open transaction: the wish is withdrawn, the mirror ACTIVE */
};

/* One mirror. */
struct stop_item {
	const char *link, *topic;
	/* of the last attempt */
	enum mirror_wish_kind kind;  /* what was wished */
	enum stop_at at;
	enum outcome outcome;        /* OUTCOME_DONE, or the failure of a step; OUTCOME_DIVERGED has taken the wish back */
	struct err err;              /* also for STOP_WITHDRAWN, and what STOP_WAITING waits for */
};

/* Who carries it out. */
struct stop_actor {
	/* Has every lane of these mirrors that this process runs closed when it returns; what cannot be closed yet gets an
	 * outcome. NULL: it runs none. Lanes of other processes close when they see state.closing; those that do not are
	 * shut out by the door. */
	void (*close_lanes)(struct stop_actor *actor, struct stop_item *const *items, int n);
	/* How long to wait before the door counts as closed without a marker: the rest of the lease of whoever may
	 * still write. */
	int32_t lease_ms;
	void *owner;
};

/* Begins the reason of a promotion that was taken back because the two sides differ. */
#define STOP_DIVERGED "DIVERGED: "

/* Records the wish for all of them, in one append. at STOP_DONE: it was STOPPED before. OUTCOME_REFUSED from a state that
 * cannot be promoted, OUTCOME_DIVERGED where a partition can never be level; OUTCOME_SOURCE_UNREACHABLE when the source does
 * not answer: promote needs it. A failover takes a promotion over, and asks no source. dry_run: says it, and records nothing. */
void stop_wish(struct session *session, struct stop_item *items, int n, enum mirror_wish_kind kind, bool dry_run);

/* How many mirrors one attempt should have, and partitions of them: a control log's batch is 4 MiB at most. */
enum { STOP_ITEMS_MAX = 500, STOP_PARTITIONS_MAX = 4000 };

/* One attempt at everything that is left to do. It does not wait for the second reading of a promotion: the first attempt
 * answers STOP_WAITING, and one that comes 2 s later compares. After a failure the next attempt goes on from there. */
void stop_act(struct session *session, struct stop_item *items, int n, struct stop_actor *actor);

/* --- for the command line ----------------------------------------------------------------------------------- */

struct stop_opts {
	enum mirror_wish_kind kind;       /* WISH_PROMOTE, WISH_FAILOVER */
	const char *link;                 /* NULL: where one link has the topic */
	const char *const *topics;
	int n_topics;
	bool all;                         /* of the link, or of all links */
	bool dry_run;
	bool force;                       /* act at once, whoever else might */
	bool wait;                        /* until every topic is STOPPED, or wait_until_ns */
	int64_t wait_until_ns;            /* monotonic; the wishes have session->deadline_ns. 0: that one too */
	/* Told about progress while waiting, at most once a second; may be NULL. */
	void (*progress)(void *arg, const char *topic, const char *text);
	void *progress_arg;
};

/* What a partition of a failover lacks. */
struct stop_missing {
	int64_t records;                  /* offsets that the source has and the mirror has not; -1: it cannot be asked */
	int64_t source_end, source_end_age_ms;  /* as last recorded; -1 */
	int64_t by_last_end;              /* offsets below that end that the mirror has not; -1: not known */
	bool source_gone;                 /* the source answers, and has no such partition any more */
};

struct stop_result {
	struct mirror_info info;          /* describe's objects */
	enum outcome outcome;             /* of this topic */
	char error_code[32];              /* outcome_word; "NONE" */
	struct err err;
	const char *door;                 /* "marker", "lease" or NULL */
	bool finished;                    /* was STOPPED before */
	int64_t settled_ns;               /* when it was decided; monotonic */
	struct stop_missing *missing;     /* [info.num_partition] of a failover; or NULL */
};

/* All of them: wishes first, then, with wait or where nobody else acts, until done. The outcome is the worst one; the
 * results are there whenever *n > 0. */
enum outcome stop_topics(struct session *session, const struct stop_opts *opts, struct arena *arena,
			 struct stop_result **results, int *n, struct err *err) MUST_USE;
