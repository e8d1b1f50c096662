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

#include "base/mem.h"
#include "control/guard_io.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

struct guarding {
	struct session *session;
	const struct guard_of *of;
	struct mirror_wish wish;
	struct guard now;
	struct guard_io io;
};

static void forget(struct guarding *g)
{
	mirror_wish_fini(&g->wish);
	guard_fini(&g->now);
	guard_io_fini(&g->io);
}

/* --- recording ------------------------------------------------------------------------------------------------ */

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
	guard_wants(&g->now, &g->io.present, &g->io.absent);
	return OUTCOME_DONE;
}

/* One step; *done: there is no other. */
static enum outcome step(struct guarding *g, bool *refused, bool *done, struct err *err)
{
	struct guard_seen seen = {
		.topic = g->of->topic, .self = g->session->conf->destination.principal, .acls = g->io.acls,
		.guarded = 1u << ADMIN_OP_WRITE, .operations = g->io.operations, .settled = g->io.settled, .refused = *refused,
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
	rc = guard_io_make(&g->io, err);
	if (rc == RC_AUTH && !*refused) {
		*refused = true;
		return OUTCOME_DONE;
	}
	return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
}

static struct guarding begin(struct session *session, const struct guard_of *of)
{
	return (struct guarding){
		.session = session, .of = of,
		.io = { .cluster = session->destination, .topic = of->topic, .deadline_ns = session->deadline_ns },
	};
}

enum outcome guard_set(struct session *session, const struct guard_of *of, struct err *err)
{
	struct guarding g = begin(session, of);
	bool done = false, refused = false;
	enum outcome outcome = OUTCOME_DONE;

	while (outcome == OUTCOME_DONE && !done) {
		outcome = load(&g, err);
		if (outcome == OUTCOME_DONE && g.wish.wish != WISH_MIRROR)
			break;
		if (outcome == OUTCOME_DONE)
			outcome = guard_io_look(&g.io, err);
		if (outcome != OUTCOME_DONE || !g.io.authorizer)
			break;
		if (!g.io.late)
			outcome = step(&g, &refused, &done, err);
		if (outcome == OUTCOME_DONE && !done && (g.io.late || !g.io.settled))
			outcome = guard_io_pause(&g.io, "not every broker has its ACLs yet", err);
	}
	forget(&g);
	return outcome;
}

/* --- lifting ------------------------------------------------------------------------------------------------- */

/* What is to stand at the end of one guard, and what is not, besides that of others. */
static enum outcome gather(const struct mirror_wish *wish, json_t *present, json_t *absent, struct err *err)
{
	json_t *here = NULL, *gone = NULL;
	struct guard guard;
	bool read = guard_decode(&guard, wish->guard, err) == RC_OK;

	if (read) {
		guard_ends(&guard, &here, &gone);
		CHECK(json_array_extend(present, here) == 0 && json_array_extend(absent, gone) == 0);
		/* And what AclSync withheld, where the mirror becomes an ordinary topic. */
		if (wish->created)
			json_array_extend(present, json_object_get(wish->acls, "intended"));
	}
	json_decref(here);
	json_decref(gone);
	guard_fini(&guard);
	return read ? OUTCOME_DONE : OUTCOME_FAILED;
}

static enum outcome lift(struct guard_io *io, struct err *err)
{
	bool done = json_array_size(io->present) == 0 && json_array_size(io->absent) == 0;
	enum outcome outcome = OUTCOME_DONE;

	while (outcome == OUTCOME_DONE && !done) {
		int rc = guard_io_make(io, err);

		if (rc == RC_KAFKA && err->kafka == KERR_SECURITY_DISABLED)
			break;   /* there is no authorizer any more */
		outcome = rc == RC_OK ? guard_io_look(io, err) : outcome_of(err, SIDE_DESTINATION);
		done = io->settled || io->acls == NULL;
		if (outcome == OUTCOME_DONE && !done)
			outcome = guard_io_pause(io, "not every broker has its own ACLs again yet", err);
	}
	return outcome;
}

enum outcome guard_lift_all(struct session *session, const struct mirror_wish *const *wishes, int n, struct err *err)
{
	struct guard_io io = { .cluster = session->destination, .topic = n == 1 ? wishes[0]->topic : NULL,
			       .deadline_ns = session->deadline_ns, .present = json_array(), .absent = json_array() };
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < n && outcome == OUTCOME_DONE; i++)
		outcome = gather(wishes[i], io.present, io.absent, err);
	if (outcome == OUTCOME_DONE)
		outcome = lift(&io, err);
	guard_io_fini(&io);
	return outcome;
}

enum outcome guard_lift(struct session *session, const struct mirror_wish *wish, struct err *err)
{
	return guard_lift_all(session, &wish, 1, err);
}

/* --- telling ------------------------------------------------------------------------------------------------- */

json_t *guard_all_acls(struct session *session)
{
	struct admin_acls acls;
	struct arena arena;
	struct err unused;
	json_t *all = NULL;

	arena_init(&arena, 0);
	if (admin_topic_acls_at(session->destination, NODE_ANY, NULL, session->deadline_ns, &arena, &acls, &unused) ==
	    RC_OK && acls.authorizer)
		all = acls_json(&acls);
	arena_fini(&arena);
	return all;
}

bool guard_stands(const struct mirror_wish *wish, const json_t *all)
{
	struct guard guard;
	struct err unused;
	bool stands = guard_decode(&guard, wish->guard, &unused) == RC_OK && acls_have_all(all, guard.added);

	guard_fini(&guard);
	return stands;
}

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
