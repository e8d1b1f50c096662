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
#include "control/acls.h"
#include "control/guard_io.h"
#include "control/verbs.h"
#include "wire/msg/kerr_codes.h"

struct guarding {
	struct session *session;
	const struct guard_of *of;
	struct mirror_wish wish;
	struct guard now, next;
	struct guard_io io;
	enum guard_action action;      /* of this round */
	bool refused;                  /* ACLs may not be changed */
	bool done;
};

static void forget(struct guarding *g)
{
	mirror_wish_fini(&g->wish);
	guard_fini(&g->now);
	guard_fini(&g->next);
	guard_io_fini(&g->io);
}

/* --- recording ------------------------------------------------------------------------------------------------ */

struct recording {
	struct guarding *all;
	int n;
};

static enum outcome decide_one(struct control_log *log, struct control_batch *batch, const struct guarding *g,
			       struct err *err)
{
	struct mirror_wish wish = { 0 };

	if (control_log_mirror(log, g->of->link, g->of->topic, &wish, err) != RC_OK) {
		mirror_wish_fini(&wish);
		return OUTCOME_FAILED;
	}
	/* Whoever changed it meanwhile is at it too; it is read again. */
	if (wish.wish == WISH_MIRROR &&
	    (g->wish.guard == NULL ? wish.guard == NULL : json_equal(wish.guard, g->wish.guard))) {
		json_decref(wish.guard);
		wish.guard = guard_encode(&g->next);
		control_batch_mirror(batch, &wish);
	}
	mirror_wish_fini(&wish);
	return OUTCOME_DONE;
}

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct recording *r = arg;
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < r->n && outcome == OUTCOME_DONE; i++)
		if (!r->all[i].done && r->all[i].action == GUARD_RECORD)
			outcome = decide_one(log, batch, &r->all[i], err);
	return outcome;
}

static void note_unenforced(struct session *session, const struct guarding *g)
{
	char *sentence = guard_sentence(&g->next);

	notes_add(&session->notes, "%s: others are not kept from writing to it: %s", g->of->topic, sentence);
	xfree(sentence);
}

static enum outcome record(struct guarding *all, int n, struct err *err)
{
	struct session *session = all[0].session;
	struct recording r = { all, n };
	enum outcome outcome = control_log_update(session->log, decide, &r, session->deadline_ns, NULL, err);

	for (int i = 0; i < n && outcome == OUTCOME_DONE; i++) {
		struct guarding *g = &all[i];

		if (g->done || g->action != GUARD_RECORD)
			continue;
		if (g->next.state == GUARD_UNENFORCED || g->next.state == GUARD_FORBIDDEN)
			note_unenforced(session, g);
		/* Forbidden is tried once a call. */
		g->done = g->next.state == GUARD_FORBIDDEN;
	}
	return outcome;
}

/* --- setting ------------------------------------------------------------------------------------------------- */

static bool readers_everyone(const struct session *session, const char *name)
{
	struct link_conf conf;
	struct err unused;
	bool everyone = session_link_conf(session, name, &conf, &unused) == RC_OK && conf.readers_everyone;

	link_conf_fini(&conf);
	return everyone;
}

static enum outcome load(struct guarding *g, struct err *err)
{
	forget(g);
	if (control_log_mirror(g->session->log, g->of->link, g->of->topic, &g->wish, err) != RC_OK ||
	    guard_decode(&g->now, g->wish.guard, err) != RC_OK)
		return OUTCOME_FAILED;
	guard_wants(&g->now, &g->io.present, &g->io.absent);
	g->done = g->wish.wish != WISH_MIRROR;
	return OUTCOME_DONE;
}

static void choose(struct guarding *g)
{
	struct guard_seen seen = {
		.topic = g->of->topic, .self = g->session->conf->destination.principal, .acls = g->io.acls,
		.guarded = 1u << ADMIN_OP_WRITE, .operations = g->io.operations, .settled = g->io.settled,
		.refused = g->refused, .fresh = g->of->fresh, .again = g->of->again,
		.readers_everyone = readers_everyone(g->session, g->of->link),
	};

	g->action = guard_step(&g->now, &seen, &g->next);
	g->done = g->action == GUARD_DONE;
}

/* What all that are to be applied add and remove, in one request each. */
static enum outcome apply(struct guarding *all, int n, struct err *err)
{
	struct guard_io io = all[0].io;
	bool refused = false;
	int rc;

	io.present = json_array();
	io.absent = json_array();
	for (int i = 0; i < n; i++)
		if (!all[i].done && all[i].action == GUARD_APPLY) {
			CHECK(json_array_extend(io.present, all[i].io.present) == 0 &&
			      json_array_extend(io.absent, all[i].io.absent) == 0);
			refused |= all[i].refused;
		}
	rc = guard_io_make(&io, err);
	json_decref(io.present);
	json_decref(io.absent);
	if (rc != RC_AUTH || refused)
		return rc == RC_OK ? OUTCOME_DONE : outcome_of(err, SIDE_DESTINATION);
	for (int i = 0; i < n; i++)
		all[i].refused = true;
	return OUTCOME_DONE;
}

/* One step of each. */
static enum outcome step(struct guarding *all, int n, struct err *err)
{
	int n_record = 0, n_apply = 0;
	enum outcome outcome = OUTCOME_DONE;

	for (int i = 0; i < n; i++) {
		if (all[i].done || all[i].io.late)
			continue;
		choose(&all[i]);
		n_record += all[i].action == GUARD_RECORD;
		n_apply += all[i].action == GUARD_APPLY;
	}
	if (n_record > 0)
		outcome = record(all, n, err);
	if (outcome == OUTCOME_DONE && n_apply > 0)
		outcome = apply(all, n, err);
	return outcome;
}

static enum outcome look(struct guarding *all, int n, struct guard_io **ios, struct err *err)
{
	enum outcome outcome = OUTCOME_DONE;
	int open = 0;

	for (int i = 0; i < n && outcome == OUTCOME_DONE; i++) {
		if (all[i].done)
			continue;
		outcome = load(&all[i], err);
		all[i].action = GUARD_DONE;
		if (!all[i].done)
			ios[open++] = &all[i].io;
	}
	if (outcome != OUTCOME_DONE || open == 0)
		return outcome;
	outcome = guard_io_look_all(ios, open, err);
	for (int i = 0; i < n && outcome == OUTCOME_DONE; i++)
		all[i].done = all[i].done || !all[i].io.authorizer;
	return outcome;
}

/* Whether any is left, and then after a pause where a broker is behind. */
static bool goes_on(const struct guarding *all, int n, enum outcome *outcome, struct err *err)
{
	bool open = false, behind = false;

	for (int i = 0; i < n; i++) {
		open |= !all[i].done;
		behind |= !all[i].done && (all[i].io.late || !all[i].io.settled);
	}
	if (*outcome == OUTCOME_DONE && behind)
		*outcome = guard_io_pause(&all[0].io, "not every broker has its ACLs yet", err);
	return *outcome == OUTCOME_DONE && open;
}

enum outcome guard_set_all(struct session *session, const struct guard_of *ofs, int n, struct err *err)
{
	struct guarding *all = xcalloc((size_t)n, sizeof(*all));
	struct guard_io **ios = xcalloc((size_t)n, sizeof(struct guard_io *));
	enum outcome outcome;

	for (int i = 0; i < n; i++)
		all[i] = (struct guarding){
			.session = session, .of = &ofs[i],
			.io = { .cluster = session->destination, .topic = ofs[i].topic, .deadline_ns = session->deadline_ns },
		};
	do {
		outcome = look(all, n, ios, err);
		if (outcome == OUTCOME_DONE)
			outcome = step(all, n, err);
	} while (goes_on(all, n, &outcome, err));
	for (int i = 0; i < n; i++)
		forget(&all[i]);
	xfree(all);
	xfree(ios);
	return outcome;
}

enum outcome guard_set(struct session *session, const struct guard_of *of, struct err *err)
{
	return guard_set_all(session, of, 1, err);
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
	char *sentence;

	*why = NULL;
	if (guard_decode(&guard, wish->guard, &unused) == RC_OK && guard.state != GUARD_NONE) {
		word = guard.state == GUARD_ENFORCED ? "enforced" : "unenforced: not permitted";
		if (guard.state != GUARD_ENFORCED) {
			sentence = guard_sentence(&guard);
			*why = arena_strdup(arena, sentence);
			xfree(sentence);
		}
	}
	guard_fini(&guard);
	return word;
}
