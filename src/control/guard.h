/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps others from writing to a mirror topic while it is one, by ACLs (DESIGN 10). What is done stands in the mirror's
 * wish, `guard`, before it is done; an attempt that was cut short is gone on with by whoever calls next. The decisions are
 * guard_plan.h's. */
#pragma once

#include "control/guard_plan.h"
#include "control/session.h"

struct guard_of {
	const char *link, *topic;
	bool fresh;               /* made a moment ago: nobody reads it yet */
	bool again;               /* tries what was forbidden when it was last tried */
};

/* Goes on until the guard stands, or it is recorded why it does not; nothing where the cluster has no authorizer, or the
 * mirror is being promoted. A note says why it is not enforced, when that was found now. OUTCOME_TIMED_OUT: to be called
 * again. */
enum outcome guard_set(struct session *session, const struct guard_of *of, struct err *err) MUST_USE;
/* The same for many (at least one) in step: what is asked, recorded and made is that of all. The first error ends all; whoever
 * calls again goes on from what is recorded. */
enum outcome guard_set_all(struct session *session, const struct guard_of *ofs, int n, struct err *err) MUST_USE;
/* The topic's own ACLs again, on every broker that answers. Nothing is recorded: it may be done twice. */
enum outcome guard_lift(struct session *session, const struct mirror_wish *wish, struct err *err) MUST_USE;
/* Of many, in one request each. */
enum outcome guard_lift_all(struct session *session, const struct mirror_wish *const *wishes, int n,
			    struct err *err) MUST_USE;

/* The ACLs of all topics, in one answer; NULL: krmirror may not ask, nobody answers, or there are none because the cluster
 * has no authorizer. */
json_t *guard_all_acls(struct session *session);
/* Whether what is recorded as added is among them. */
bool guard_stands(const struct mirror_wish *wish, const json_t *all);

/* The value of read_only that a mirror's record stands for; NULL: it does not say. *why (may be NULL) is copied into the
 * arena, or NULL. */
const char *guard_word(const struct mirror_wish *wish, struct arena *arena, const char **why);
