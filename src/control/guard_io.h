/* SPDX-License-Identifier: Apache-2.0 */
/* What a guard asks and does at the brokers. Only for control/guard*.c. Sequential. */
#pragma once

#include "control/guard_plan.h"
#include "control/outcome.h"

struct guard_io {
	struct cluster *cluster;
	const char *topic;             /* NULL: many; then krmirror's own operations are not asked */
	int64_t deadline_ns;
	/* what settled means; owned */
	json_t *present, *absent;
	/* out; acls is owned */
	json_t *acls;                  /* of the broker that answered last; NULL: it may not be asked */
	bool authorizer;
	bool settled;                  /* every broker that answers has what is to be present, and nothing else */
	bool late;                     /* a broker does not know the topic yet */
	int32_t operations;
};

/* Asks every broker: its ACLs first, so that what it lets krmirror do is by these or by newer ones. Those that do not
 * answer are left out: they get the ACLs before they serve again. */
enum outcome guard_io_look(struct guard_io *io, struct err *err) MUST_USE;
/* The same for the topics of many guards, which have one cluster and deadline: of each broker two requests in all. */
enum outcome guard_io_look_all(struct guard_io *const *ios, int n, struct err *err) MUST_USE;
/* First what lets in, then what keeps out: nobody is shut out in between who should not be. */
int guard_io_make(const struct guard_io *io, struct err *err) MUST_USE;
/* A pause before the next look; OUTCOME_TIMED_OUT with `what` when the deadline has passed. */
enum outcome guard_io_pause(const struct guard_io *io, const char *what, struct err *err) MUST_USE;
void guard_io_fini(struct guard_io *io);

/* The control topic's own guard, right after it was made: neither read nor written by others. *why is a sentence where it
 * cannot be had (static), else NULL. mend: krmirror is shut out of it; where that is what an attempt that was cut short
 * has done, it is gone on with, and *mended. self may be NULL. */
struct guard_control {
	struct cluster *cluster;
	const char *topic, *self;
	int64_t deadline_ns;
	bool mend;
	const char *why;
	bool mended;
};
enum outcome guard_control_topic(struct guard_control *control, struct err *err) MUST_USE;
