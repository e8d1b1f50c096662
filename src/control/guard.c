/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: DescribeAcls and Metadata of each broker; `probing` is recorded; DENY WRITE is made; when every broker has
 * it, each is asked what krmirror may do; `enforced` is recorded.
 *
 * Failure modes:
 *  - killed anywhere: the record says what may have been made;
 *  - brokers that learn late: looked at again until the deadline; those that do not answer are not waited for, they get
 *    the ACLs before they serve again;
 *  - somebody else is at the same guard: both make the same, and the record is only changed from what was seen. */
#include "control/guard.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

#include <string.h>

enum { AGAIN_MS = 50, NODES_MAX = 1000 };

struct guarding {
	struct session *session;
	const struct guard_of *of;
	struct mirror_wish wish;
	struct guard now;
	json_t *present, *absent;      /* what settled means */
	json_t *acls;                  /* of the broker that answered last; NULL: it may not be asked */
	bool authorizer, settled, late;
	int answered;
	int32_t operations;
};

static void forget(struct guarding *g)
{
	mirror_wish_fini(&g->wish);
	guard_fini(&g->now);
	json_decref(g->present);
	json_decref(g->absent);
	json_decref(g->acls);
	g->present = g->absent = g->acls = NULL;
}

/* --- asking -------------------------------------------------------------------------------------------------- */

static int ask_acls(struct guarding *g, int32_t node, struct err *err)
{
	struct admin_acls acls;
	struct arena arena;
	int rc;

	arena_init(&arena, 0);
	rc = admin_topic_acls_at(g->session->destination, node, g->of->topic, g->session->deadline_ns, &arena, &acls, err);
	if (rc == RC_OK) {
		g->answered++;
		g->authorizer = acls.authorizer;
		json_decref(g->acls);
		g->acls = acls_json(&acls);
		g->settled = g->settled && acls_have_all(g->acls, g->present) && !acls_have_any(g->acls, g->absent);
	}
	arena_fini(&arena);
	return rc;
}

static int ask_operations(struct guarding *g, int32_t node, struct err *err)
{
	int32_t operations;
	int rc = admin_topic_operations(g->session->destination, node, g->of->topic, g->session->deadline_ns, &operations,
					err);

	if (rc == RC_NOT_FOUND) {
		g->late = true;
		return RC_OK;
	}
	if (rc == RC_OK)
		g->operations = operations == INT32_MIN || g->operations == INT32_MIN ? INT32_MIN :
				g->operations & operations;
	return rc;
}

/* Every broker: its ACLs first, so that what it lets krmirror do is by these or by newer ones. */
static enum outcome look(struct guarding *g, struct err *err)
{
	struct cluster *cluster = g->session->destination;
	int n = MIN(cluster_n_nodes(cluster), NODES_MAX), rc = RC_OK;
	int32_t *ids = xcalloc((size_t)n + 1, sizeof(*ids));
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < n; i++)
		ids[i] = cluster_node_at(cluster, i)->id;   /* the list may change while they are asked */
	ids[n] = NODE_ANY;
	g->settled = g->authorizer = true;
	g->operations = INT32_MAX;
	g->late = false;
	g->answered = 0;
	for (int i = 0; i < MAX(n, 1) && rc != RC_AUTH && g->authorizer; i++) {
		rc = ask_acls(g, ids[i], err);
		if (rc == RC_OK && g->authorizer)
			rc = ask_operations(g, ids[i], err);
	}
	xfree(ids);
	if (rc == RC_AUTH) {
		json_decref(g->acls);
		g->acls = NULL;
	} else if (g->answered == 0) {
		outcome = outcome_of(err, SIDE_DESTINATION);
	}
	return outcome;
}

/* --- doing --------------------------------------------------------------------------------------------------- */

/* First what lets in, then what keeps out: nobody is shut out in between who should not be. */
static int make(struct session *session, const json_t *present, const json_t *absent, struct err *err)
{
	struct admin_acl *list;
	int n, rc;

	list = acls_of(present, &n);
	rc = admin_create_acls(session->destination, list, n, session->deadline_ns, err);
	xfree(list);
	list = acls_of(absent, &n);
	if (rc == RC_OK)
		rc = admin_delete_acls(session->destination, list, n, session->deadline_ns, err);
	xfree(list);
	return rc;
}

struct recording {
	const struct guard_of *of;
	json_t *from, *to;             /* NULL: no guard */
};

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	struct recording *r = arg;
	struct mirror_wish wish = { 0 };

	if (control_log_mirror(log, r->of->link, r->of->topic, &wish, err) != RC_OK) {
		mirror_wish_fini(&wish);
		return OUTCOME_FAILED;
	}
	/* Whoever changed it meanwhile is at it too; it is read again. */
	if (wish.wish == WISH_MIRROR && (r->from == NULL ? wish.guard == NULL : json_equal(wish.guard, r->from))) {
		json_decref(wish.guard);
		wish.guard = json_incref(r->to);
		control_batch_mirror(batch, &wish);
	}
	mirror_wish_fini(&wish);
	return OUTCOME_DONE;
}

static enum outcome record(struct guarding *g, struct guard *next, struct err *err)
{
	struct recording r = { g->of, json_incref(g->wish.guard), guard_encode(next) };
	enum outcome outcome = control_log_update(g->session->log, decide, &r, g->session->deadline_ns, NULL, err);

	if (outcome == OUTCOME_DONE && (next->state == GUARD_UNENFORCED || next->state == GUARD_FORBIDDEN))
		notes_add(&g->session->notes, "%s: others are not kept from writing to it: %s", g->of->topic, next->why);
	json_decref(r.from);
	json_decref(r.to);
	return outcome;
}

/* --- setting ------------------------------------------------------------------------------------------------- */

static bool readers_everyone(const struct session *session, const char *name)
{
	struct link_wish link;
	struct link_conf conf = { 0 };
	struct err unused;
	bool everyone = control_log_link(session->log, name, &link, &unused) == RC_OK &&
			link_conf_of(&link, session->conf->secret_key, &conf, &unused) == RC_OK && conf.readers_everyone;

	link_conf_fini(&conf);
	link_wish_fini(&link);
	return everyone;
}

static enum outcome load(struct guarding *g, struct err *err)
{
	forget(g);
	if (control_log_mirror(g->session->log, g->of->link, g->of->topic, &g->wish, err) != RC_OK ||
	    guard_decode(&g->now, g->wish.guard, err) != RC_OK)
		return OUTCOME_FAILED;
	guard_wants(&g->now, &g->present, &g->absent);
	return OUTCOME_DONE;
}

/* One step; *done: there is no other. */
static enum outcome step(struct guarding *g, bool *refused, bool *done, struct err *err)
{
	struct guard_seen seen = {
		.topic = g->of->topic, .self = g->session->conf->destination.principal, .acls = g->acls,
		.guarded = 1u << ADMIN_OP_WRITE, .operations = g->operations, .settled = g->settled, .refused = *refused,
		.fresh = g->of->fresh, .again = g->of->again,
		.readers_everyone = readers_everyone(g->session, g->of->link),
	};
	struct guard next;
	enum outcome outcome;
	int rc;

	switch (guard_step(&g->now, &seen, &next)) {
	case GUARD_DONE:
		*done = true;
		return OUTCOME_DONE;
	case GUARD_RECORD:
		outcome = record(g, &next, err);
		/* Forbidden is tried once a call. */
		*done = next.state == GUARD_FORBIDDEN;
		guard_fini(&next);
		return outcome;
	case GUARD_APPLY:
		break;
	}
	rc = make(g->session, g->present, g->absent, err);
	if (rc == RC_AUTH && !*refused) {
		*refused = true;
		return OUTCOME_DONE;
	}
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

enum outcome guard_set(struct session *session, const struct guard_of *of, struct err *err)
{
	struct guarding g = { .session = session, .of = of };
	bool done = false, refused = false;
	enum outcome outcome = OUTCOME_DONE;

	while (outcome == OUTCOME_DONE && !done) {
		outcome = load(&g, err);
		if (outcome == OUTCOME_DONE && g.wish.wish != WISH_MIRROR)
			break;
		if (outcome == OUTCOME_DONE)
			outcome = look(&g, err);
		if (outcome != OUTCOME_DONE || !g.authorizer)
			break;
		if (!g.late)
			outcome = step(&g, &refused, &done, err);
		if (outcome == OUTCOME_DONE && !done && (g.late || !g.settled)) {
			if (clock_mono_ns() >= session->deadline_ns) {
				err_set(err, RC_TIMEOUT, "%s: not every broker has its ACLs yet", of->topic);
				outcome = OUTCOME_TIMED_OUT;
				break;
			}
			loop_wait_until(session->loop, clock_mono_ns() + AGAIN_MS * NS_PER_MS);
		}
	}
	forget(&g);
	return outcome;
}

/* --- lifting ------------------------------------------------------------------------------------------------- */

enum outcome guard_lift(struct session *session, const struct mirror_wish *wish, struct err *err)
{
	struct guard_of of = { .link = wish->link, .topic = wish->topic };
	struct guarding g = { .session = session, .of = &of };
	enum outcome outcome = guard_decode(&g.now, wish->guard, err) == RC_OK ? OUTCOME_DONE : OUTCOME_FAILED;

	guard_ends(&g.now, &g.present, &g.absent);
	if (json_array_size(g.present) == 0 && json_array_size(g.absent) == 0) {
		forget(&g);
		return outcome;
	}
	while (outcome == OUTCOME_DONE) {
		int rc = make(session, g.present, g.absent, err);

		if (rc == RC_KAFKA && err->kafka == KERR_SECURITY_DISABLED)
			break;   /* there is no authorizer any more */
		outcome = rc == RC_OK ? look(&g, err) : outcome_of(err, SIDE_DESTINATION);
		if (outcome != OUTCOME_DONE || g.settled || g.acls == NULL)
			break;
		if (clock_mono_ns() >= session->deadline_ns) {
			err_set(err, RC_TIMEOUT, "%s: not every broker has its own ACLs again yet", wish->topic);
			outcome = OUTCOME_TIMED_OUT;
		}
		loop_wait_until(session->loop, clock_mono_ns() + AGAIN_MS * NS_PER_MS);
	}
	forget(&g);
	return outcome;
}

/* --- telling ------------------------------------------------------------------------------------------------- */

const char *guard_word(const struct mirror_wish *wish, struct arena *arena, const char **why)
{
	struct guard guard;
	struct err unused;
	const char *word = NULL;

	*why = NULL;
	if (guard_decode(&guard, wish->guard, &unused) == RC_OK && guard.state != GUARD_NONE) {
		word = guard.state == GUARD_ENFORCED ? "enforced" : "unenforced: not permitted";
		if (guard.state != GUARD_ENFORCED)
			*why = arena_strdup(arena, guard.why != NULL ? guard.why : "the guard is being set");
	}
	guard_fini(&guard);
	return word;
}
