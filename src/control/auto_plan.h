/* SPDX-License-Identifier: Apache-2.0 */
/* Which mirrors are to be made by themselves: from the topics of both clusters, the source's control log, and what is
 * mirrored here already. Pure.
 *
 * A topic of the source is mirrored when the rules name it and
 *  - it is no mirror itself: the source's control log does not list it, as a live mirror or as a stopped one. Where
 *    that log may not be read, nobody knows, and only topics that are named literally are taken;
 *  - no mirror of this link has it as its source, and none is called so, live or stopped;
 *  - `mirror delete` did not forget a mirror of that name: what the user took away is not made again;
 *  - no topic of the name stands at the destination; a creation that was cut short is gone on with. */
#pragma once

#include "base/arena.h"
#include "client/admin.h"
#include "control/topic_rules.h"

/* Sets are objects whose keys are the members. */
struct auto_seen {
	const struct admin_topic *topics;   /* of the source */
	int n;
	const json_t *mirrors_there;        /* set, of the source's control log; NULL: it may not be read */
	const json_t *topics_here;          /* set, of the destination */
	const json_t *mirrors_here;         /* mirror topic -> name of its link */
	const json_t *sources;              /* set: source topics of this link's mirrors */
	const json_t *forgotten;            /* set: mirror topics; or NULL */
	const json_t *unfinished;           /* set: mirrors of this link whose creation was cut short; none of the above */
	const char *link;
};

struct auto_item {
	const char *source, *mirror;
	int32_t n_partitions;               /* of the source */
	bool other;                         /* exists: it is a mirror, of another link or of another topic */
};

struct auto_plan {
	struct auto_item *create;           /* in the order of their source topics; in the arena */
	int n_create;
	struct auto_item *exists;           /* wanted, but something of that name stands in the way */
	int n_exists;
	bool narrowed;                      /* a topic was left out because the source's log may not be read */
};

struct auto_plan auto_plan(const struct topic_rules *rules, const struct auto_seen *seen, struct arena *arena);
/* Whether anything is to be decided for which the source's log must be read: asked before that is. */
bool auto_plan_any(const struct topic_rules *rules, const struct auto_seen *seen);
