/* SPDX-License-Identifier: Apache-2.0 */
/* Promotion: the wish, and the acting on it (DESIGN 10). The daemon's group leader acts on wishes that it sees; the
 * command line acts where no worker does. Every step may be killed after it and run again. */
#pragma once

#include "control/report.h"
#include "control/session.h"

/* Who carries a promotion out. */
struct stop_actor {
	/* Has every lane of the topic that this process runs closed when it returns. NULL: it runs none. Lanes of other
	 * processes close when they see state.closing; those that do not are shut out by the door. */
	enum outcome (*close_lanes)(struct stop_actor *actor, const char *link, const char *topic, struct err *err);
	/* How long to wait before the door counts as closed without a marker: the rest of the lease of whoever may
	 * still write. */
	int32_t lease_ms;
	void *owner;
};

/* Where one promotion stands. */
enum stop_at {
	STOP_WAITING,     /* lag, or the source moved: call again */
	STOP_DONE,     /* done: STOPPED */
	STOP_WITHDRAWN    /* a stray producer or an open transaction: the wish is withdrawn, the mirror ACTIVE */
};

/* Begins the reason of a promotion that was taken back because the two sides differ. */
#define PROMOTE_DIVERGED "DIVERGED: "

/* Records the wish. *changed false: it was wished (or finished) already. OUTCOME_REFUSED from a state that cannot be
 * promoted, OUTCOME_DIVERGED where a partition can never be level; OUTCOME_SOURCE_UNREACHABLE when the source does not
 * answer: promote needs it. */
enum outcome promote_wish(struct session *session, const char *link, const char *topic, bool *changed,
			  struct err *err) MUST_USE;
/* What promote_wish would say, without the wish. */
enum outcome promote_check(struct session *session, const char *link, const char *topic, struct err *err) MUST_USE;
/* Takes the wish back (before the door): status ACTIVE again, `why` is recorded. */
enum outcome promote_withdraw(struct session *session, const char *link, const char *topic, const char *why,
			      struct err *err) MUST_USE;

/* One attempt at everything that is left to do for a wished promotion. It does not wait for the second reading: the
 * first attempt answers STOP_WAITING, and one that comes 2 s later compares; so many topics go on side by side.
 * Returns OUTCOME_DONE with *at set (err filled for STOP_WITHDRAWN and, with the lag, for STOP_WAITING), or the
 * failure of a step, after which the next attempt goes on from there. OUTCOME_DIVERGED has taken the wish back. */
enum outcome stop_act(struct session *session, const char *link, const char *topic, struct stop_actor *actor,
			 enum stop_at *at, struct err *err) MUST_USE;

/* --- for the command line ----------------------------------------------------------------------------------- */

struct stop_opts {
	const char *link;                 /* NULL: where one link has the topic */
	const char *const *topics;
	int n_topics;
	bool all;                         /* of the link, or of all links */
	bool dry_run;
	bool wait;                        /* until every topic is STOPPED, or wait_until_ns */
	int64_t wait_until_ns;            /* monotonic; the wishes have session->deadline_ns. 0: that one too */
	/* Told about progress while waiting, at most once a second; may be NULL. */
	void (*progress)(void *arg, const char *topic, const char *text);
	void *progress_arg;
};

struct stop_result {
	struct mirror_info info;          /* describe's objects */
	enum outcome outcome;             /* of this topic */
	char error_code[32];              /* outcome_word; "NONE" */
	struct err err;
	const char *door;                 /* "marker", "lease" or NULL */
	bool finished;                    /* was STOPPED before */
};

/* All of them: wishes first, then, with wait or where nobody else acts, until done. The outcome is the worst one; the
 * results are there whenever *n > 0. */
enum outcome stop_topics(struct session *session, const struct stop_opts *opts, struct arena *arena,
			    struct stop_result **results, int *n, struct err *err) MUST_USE;
