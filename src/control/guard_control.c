/* SPDX-License-Identifier: Apache-2.0 */
/* The guard of the control topic. Nothing can be recorded of it, because that is where records stand: it is set at once
 * behind the topic's creation, and what an attempt left that was cut short shows from its ACLs. Of a super user's nothing
 * is missing then; an ordinary krmirror finds itself shut out by a DENY for everyone, and goes on from there. */
#include "control/guard_io.h"

#include "base/mem.h"
#include "base/str.h"
#include "control/acls.h"

#include <string.h>

static const uint32_t guarded = 1u << ADMIN_OP_READ | 1u << ADMIN_OP_WRITE;

static json_t *bans(const char *topic)
{
	json_t *list = json_array();

	json_array_append_new(list, acl_rule(topic, "User:*", "READ", "DENY"));
	json_array_append_new(list, acl_rule(topic, "User:*", "WRITE", "DENY"));
	return list;
}

/* What the attempt before has come to; nothing: it was not a guard that shut krmirror out. */
static bool found(const struct guard_control *c, const struct guard_io *io, struct guard *guard)
{
	json_t *ours = bans(c->topic);
	bool is = acls_have_all(io->acls, ours);

	if (is) {
		json_decref(guard->added);
		guard->added = json_incref(ours);
		guard->state = GUARD_PROBING;
		guard->bare = json_array_size(io->acls) == json_array_size(ours);
	}
	json_decref(ours);
	return is;
}

/* One step; *done: there is no other. */
static enum outcome step(struct guard_control *c, struct guard_io *io, struct guard *guard, bool *done, struct err *err)
{
	struct guard_seen seen = {
		.topic = c->topic, .self = c->self, .acls = io->acls, .guarded = guarded, .operations = io->operations,
		.settled = io->settled, .fresh = true,
	};
	struct guard next;
	int rc;

	switch (guard_step(guard, &seen, &next)) {
	case GUARD_DONE:
		*done = true;
		return OUTCOME_DONE;
	case GUARD_RECORD:
		guard_fini(guard);
		*guard = next;
		*done = guard->state == GUARD_FORBIDDEN || guard->state == GUARD_UNENFORCED;
		return OUTCOME_DONE;
	case GUARD_APPLY:
		break;
	}
	rc = guard_io_make(io, err);
	if (rc == RC_AUTH) {
		*done = true;   /* the first change is refused: nothing was made */
		c->why = "krmirror needs ALTER on Cluster to change ACLs";
		return OUTCOME_DONE;
	}
	return rc == RC_OK ? guard_io_pause(io, "not every broker has its ACLs yet", err) : outcome_of(err, SIDE_DESTINATION);
}

enum outcome guard_control_topic(struct guard_control *c, struct err *err)
{
	struct guard_io io = { .cluster = c->cluster, .topic = c->topic, .deadline_ns = c->deadline_ns };
	struct guard guard;
	enum outcome outcome = OUTCOME_DONE;
	bool done = false, first = c->mend;

	CHECK(guard_decode(&guard, NULL, err) == RC_OK);
	while (outcome == OUTCOME_DONE && !done) {
		guard_io_fini(&io);
		guard_wants(&guard, &io.present, &io.absent);
		outcome = guard_io_look(&io, err);
		if (outcome != OUTCOME_DONE || !io.authorizer)
			break;
		if (first && (io.acls == NULL || !found(c, &io, &guard)))
			break;
		if (first)
			c->mended = true;
		else if (io.late)
			outcome = guard_io_pause(&io, "not every broker knows it yet", err);
		else
			outcome = step(c, &io, &guard, &done, err);
		first = false;
	}
	if (guard.state == GUARD_UNENFORCED || guard.state == GUARD_FORBIDDEN)
		c->why = "krmirror cannot keep others out by ACLs";
	guard_io_fini(&io);
	guard_fini(&guard);
	return outcome;
}
