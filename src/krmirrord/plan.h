/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker should do, as tables: from what the control log wishes and says, and from who owns what, to what a
 * mirror's lanes should be and what its record should say. Pure: no I/O, no clock, nothing kept. */
#pragma once

#include "client/group_share.h"
#include "control/record.h"
#include "mirror/mirror.h"

/* What a worker knows of a link besides its wish. */
struct plan_link {
	bool known;              /* its wish can be read and its configuration used */
	bool paused;             /* the wish, or cluster.link.paused */
	bool failed;             /* SOURCE_CLUSTER_ID_CHANGED, UPGRADE_NEEDED, a configuration that cannot be used */
	bool another_cluster;    /* it is SOURCE_CLUSTER_ID_CHANGED: that is each partition's failure, until resume */
	bool unavailable;        /* the source did not answer availability.check.consecutive.failure.threshold times */
};

/* The wish of a mirror and what the log says became of it, reduced to what the plan needs. */
struct plan_mirror {
	bool created;            /* the destination topic exists, as the verb recorded it */
	bool paused;
	bool upgrade_needed;     /* its wish or state is of a newer version */
	enum mirror_wish_kind wish;
	int64_t wish_offset;
	bool closing;            /* the door is being closed */
	bool stopped;            /* status STOPPED */
	int64_t refused_wish;    /* the wish that was withdrawn; -1 */
	int32_t n_lanes, n_failed;   /* all partitions, by whoever has them */
};

/* What the lanes of a mirror should be. */
enum plan_want {
	WANT_COPY,               /* open */
	WANT_PAUSED,             /* closed, told as PAUSED */
	WANT_STOPPED,            /* closed, told as STOPPED */
	WANT_FAILED,             /* closed, told as FAILED: SOURCE_CLUSTER_ID_CHANGED */
	WANT_NOTHING             /* closed, nothing is told: not created yet, or not ours to judge */
};

enum plan_want plan_want(const struct plan_link *link, const struct plan_mirror *mirror);
/* The status that the leader records. */
enum mirror_status plan_status(const struct plan_link *link, const struct plan_mirror *mirror);
/* True when a promotion or failover is wished, not withdrawn, not finished: the leader acts. */
bool plan_stops(const struct plan_mirror *mirror);
enum link_state_kind plan_link_state(const struct plan_link *link);

/* A worker's last word, claim/WORKER: the shares that it may still act on. More than one while lanes of an older one
 * were not known to be closed; none for whoever runs no lanes, an acting command line. */
enum { CLAIM_SHARES = 2 };
struct plan_claim {
	char *worker;
	int64_t n;
	bool released;           /* it closed all its lanes, or its lease has run out */
	struct share shares[CLAIM_SHARES];
	int n_shares;
};

/* Whether somebody else may still write to a lane, by the last claims. */
enum plan_other {
	OTHER_NONE,
	OTHER_OLDER,             /* by a claim older than mine: it must let go, or its lease run out */
	OTHER_NEWER              /* by a newer claim: it acts on an assignment that this worker has not seen yet */
};

struct plan_me {
	const char *worker;
	int64_t claim_n;
};

enum plan_other plan_other(const struct plan_claim *claims, int n, const struct plan_me *me,
			   const struct lane_key *key);

/* What this worker has done about a lane. */
enum plan_held { HELD_NOT, HELD_OPEN, HELD_CLOSING };

struct plan_lane {
	enum plan_want want;
	bool mine;               /* by the newest assignment */
	enum plan_held held;
	enum plan_other other;
	int64_t gained_ns;       /* when an assignment first gave it to this worker; monotonic */
	/* its entry in the log, and of the lane while it is open */
	bool failed;             /* open, and FAILED for a reason that only `resume` ends, or with a DATA_LOSS */
	bool reported_failed;    /* FAILED for such a reason by the log's entry */
	int64_t resumes_at;      /* the count of resumes that the opening, or else the entry, knew */
	int64_t resumes;         /* the count that is wished */
};

enum plan_action { DO_NOTHING, DO_OPEN, DO_REOPEN, DO_CLOSE, DO_WAIT };

struct plan_times {
	int64_t now_ns;
	int64_t takeover_ns;     /* session timeout + 1 s */
};

/* The decision for one lane. For DO_WAIT: look again at *again_ns. */
enum plan_action plan_lane(const struct plan_lane *lane, const struct plan_times *times, int64_t *again_ns);
