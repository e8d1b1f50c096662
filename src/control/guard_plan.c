/* SPDX-License-Identifier: Apache-2.0 */
#include "control/guard_plan.h"

#include "base/mem.h"
#include "base/str.h"
#include "control/acls.h"

#include <string.h>

#define EVERYONE "User:*"

static const char *const states[] = {
	"none", "probing", "listing", "withdrawing", "enforced", "unenforced", "forbidden"
};

/* Words of the record, and what they mean. */
static const struct {
	const char *word, *sentence;
} whys[] = {
	[GUARD_WHY_NONE] = { "", "the guard is being set" },
	[GUARD_WHY_NOT_TOLD] = { "not-told", "the brokers do not tell what krmirror itself may do" },
	[GUARD_WHY_NO_WRITE] = { "no-write", "krmirror itself has no WRITE on the topic" },
	[GUARD_WHY_FORBIDDEN] = { "forbidden", "krmirror needs DESCRIBE and ALTER on Cluster to change ACLs" },
	[GUARD_WHY_READERS] = { "readers", "the topic has no ACLs, and the first one would shut its readers out; "
				"mirror.readers.everyone=true lets everyone read" },
	[GUARD_WHY_UNNAMED] = { "unnamed", "krmirror is no super user, and does not know its own principal, which brokers "
				"make of its token; principal in krmirror.properties tells it" },
	[GUARD_WHY_MISNAMED] = { "misnamed", "krmirror is no super user, and the brokers do not take it for " },   /* whom */
	[GUARD_WHY_WIDE_ALLOW] = { "wide-allow", "an ALLOW of WRITE for User:* reaches beyond the topic, and krmirror is no "
				   "super user" },
	[GUARD_WHY_SHUT_OUT] = { "shut-out", "krmirror is no super user, and would shut itself out" },
};

/* --- lists --------------------------------------------------------------------------------------------------- */

/* Takes acl over; what is there already is left out. */
static void put(json_t *list, const json_t *besides, json_t *acl)
{
	if (!acls_has(list, acl) && !acls_has(besides, acl))
		json_array_append(list, acl);
	json_decref(acl);
}

/* --- what is kept -------------------------------------------------------------------------------------------- */

static json_t *list_of(const json_t *value, const char *name)
{
	json_t *list = json_object_get(value, name);

	return json_is_array(list) ? json_incref(list) : json_array();
}

/* Unknown: found by another version, so it is looked at again (guard_has_news). */
static enum guard_why why_parse(const char *word)
{
	for (size_t i = 1; word != NULL && i < ARRAY_LEN(whys); i++)
		if (strcmp(whys[i].word, word) == 0)
			return (enum guard_why)i;
	return GUARD_WHY_NONE;
}

int guard_decode(struct guard *guard, const json_t *value, struct err *err)
{
	const char *state = json_string_value(json_object_get(value, "state"));
	const char *principal = json_string_value(json_object_get(value, "principal"));
	size_t i = value == NULL ? GUARD_NONE : GUARD_PROBING;

	*guard = (struct guard){
		.intended = list_of(value, "intended"), .added = list_of(value, "added"),
		.removed = list_of(value, "removed"), .undo = list_of(value, "undo"),
		.bare = json_is_true(json_object_get(value, "bare")),
		.allow_list = json_is_true(json_object_get(value, "allow_list")),
	};
	if (value == NULL)
		return RC_OK;
	while (i < ARRAY_LEN(states) && (state == NULL || strcmp(states[i], state) != 0))
		i++;
	if (i == ARRAY_LEN(states))
		return err_set(err, RC_PROTO, "\"guard\" has no state that is known");
	guard->state = (enum guard_state)i;
	guard->why = why_parse(json_string_value(json_object_get(value, "why")));
	guard->principal = principal != NULL ? xstrdup(principal) : NULL;
	return RC_OK;
}

json_t *guard_encode(const struct guard *guard)
{
	json_t *value;

	if (guard->state == GUARD_NONE)
		return NULL;
	value = json_pack("{sssbsb}", "state", states[guard->state], "bare", guard->bare, "allow_list", guard->allow_list);
	if (guard->why != GUARD_WHY_NONE)
		json_object_set_new(value, "why", json_string(whys[guard->why].word));
	if (guard->principal != NULL)
		json_object_set_new(value, "principal", json_string(guard->principal));
	json_object_set(value, "intended", guard->intended);
	json_object_set(value, "added", guard->added);
	json_object_set(value, "removed", guard->removed);
	if (json_array_size(guard->undo) > 0)
		json_object_set(value, "undo", guard->undo);
	return value;
}

void guard_fini(struct guard *guard)
{
	xfree(guard->principal);
	json_decref(guard->intended);
	json_decref(guard->added);
	json_decref(guard->removed);
	json_decref(guard->undo);
	*guard = (struct guard){ 0 };
}

void guard_ends(const struct guard *guard, json_t **present, json_t **absent)
{
	*present = json_copy(guard->removed);
	*absent = json_copy(guard->added);
	json_array_extend(*absent, guard->undo);
}

void guard_wants(const struct guard *guard, json_t **present, json_t **absent)
{
	if (guard->state == GUARD_WITHDRAWING) {
		guard_ends(guard, present, absent);
		return;
	}
	*present = json_copy(guard->added);
	*absent = json_copy(guard->removed);
	json_array_extend(*absent, guard->undo);
}

/* --- steps --------------------------------------------------------------------------------------------------- */

static void move(const struct guard *now, enum guard_state state, enum guard_why why, struct guard *next)
{
	*next = (struct guard){
		.state = state, .bare = now->bare, .allow_list = now->allow_list, .why = why,
		.principal = why == GUARD_WHY_MISNAMED && now->principal != NULL ? xstrdup(now->principal) : NULL,
		.intended = json_copy(now->intended), .added = json_copy(now->added),
		.removed = json_copy(now->removed), .undo = json_copy(now->undo),
	};
}

/* Nothing of the guard stands. */
static enum guard_action give_up(const struct guard *now, enum guard_state state, enum guard_why why, struct guard *next)
{
	if (now->state == state && now->why == why)
		return GUARD_DONE;
	move(now, state, why, next);
	json_array_clear(next->added);
	json_array_clear(next->removed);
	json_array_clear(next->undo);
	return GUARD_RECORD;
}

static enum guard_action withdraw(const struct guard *now, enum guard_why why, struct guard *next)
{
	move(now, GUARD_WITHDRAWING, why, next);
	return GUARD_RECORD;
}

static bool has(const struct guard_seen *seen, int operation)
{
	return (seen->guarded & 1u << operation) != 0;
}

static bool allowed(const struct guard_seen *seen)
{
	return ((uint32_t)seen->operations & seen->guarded) == seen->guarded;
}

/* Where readers stay, those of a topic without ACLs need one. */
static void let_everyone_read(const struct guard_seen *seen, const json_t *besides, json_t *added)
{
	if (has(seen, ADMIN_OP_READ))
		return;
	put(added, besides, acl_rule(seen->topic, EVERYONE, "READ", "ALLOW"));
	put(added, besides, acl_rule(seen->topic, EVERYONE, "DESCRIBE", "ALLOW"));
}

static enum guard_action begin(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	bool bare = json_array_size(seen->acls) == 0;

	if (seen->operations == INT32_MIN)
		return give_up(now, GUARD_UNENFORCED, GUARD_WHY_NOT_TOLD, next);
	if (!allowed(seen))
		return give_up(now, GUARD_UNENFORCED, GUARD_WHY_NO_WRITE, next);
	/* Whether everyone may read without an ACL shows only after the first one: too late for who reads already. */
	if (bare && !seen->readers_everyone && !seen->fresh)
		return give_up(now, GUARD_UNENFORCED, GUARD_WHY_READERS, next);
	move(now, GUARD_PROBING, GUARD_WHY_NONE, next);
	json_array_clear(next->added);
	json_array_clear(next->intended);
	json_array_extend(next->intended, (json_t *)(uintptr_t)seen->acls);
	next->bare = bare;
	next->allow_list = false;
	if (bare && seen->readers_everyone)
		let_everyone_read(seen, seen->acls, next->added);
	if (has(seen, ADMIN_OP_READ))
		put(next->added, seen->acls, acl_rule(seen->topic, EVERYONE, "READ", "DENY"));
	if (has(seen, ADMIN_OP_WRITE))
		put(next->added, seen->acls, acl_rule(seen->topic, EVERYONE, "WRITE", "DENY"));
	return GUARD_RECORD;
}

/* ALLOW for everyone, on this topic alone: taken away, and given back but for what is guarded. False: it reaches other
 * topics too. */
static bool narrow(const struct guard_seen *seen, json_t *acl, const json_t *besides, struct guard *next)
{
	static const char *const all[] = {
		"READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"
	};
	bool is_all = acl_is(acl, "operation", "ALL");

	if (!acl_is(acl, "pattern", "LITERAL") || !acl_is(acl, "resource", seen->topic))
		return false;
	if (!acls_has(next->removed, acl))
		json_array_append(next->removed, acl);
	put(next->added, besides, acl_rule(seen->topic, seen->self, acl_text(acl, "operation"), "ALLOW"));
	for (size_t i = 0; i < ARRAY_LEN(all) && is_all; i++) {
		json_t *part = json_copy(acl);

		json_object_set_new(part, "operation", json_string(all[i]));
		if ((strcmp(all[i], "WRITE") == 0 && has(seen, ADMIN_OP_WRITE)) ||
		    (strcmp(all[i], "READ") == 0 && has(seen, ADMIN_OP_READ)))
			json_decref(part);
		else
			put(next->added, besides, part);
	}
	return true;
}

static bool shut_out(const struct guard_seen *seen, json_t *acl, const json_t *besides, struct guard *next)
{
	bool all = acl_is(acl, "operation", "ALL");
	bool reads = has(seen, ADMIN_OP_READ) && (all || acl_is(acl, "operation", "READ"));
	bool writes = has(seen, ADMIN_OP_WRITE) && (all || acl_is(acl, "operation", "WRITE"));
	const char *who = acl_text(acl, "principal");

	if ((!reads && !writes) || !acl_is(acl, "permission", "ALLOW") || strcmp(who, seen->self) == 0)
		return true;
	if (strcmp(who, EVERYONE) == 0)
		return narrow(seen, acl, besides, next);
	if (reads)
		put(next->added, besides, acl_rule(seen->topic, who, "READ", "DENY"));
	if (writes)
		put(next->added, besides, acl_rule(seen->topic, who, "WRITE", "DENY"));
	return true;
}

/* Into next->added and next->removed, what keeps the others out; false: it cannot be said in ACLs. */
static bool plan_list(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	json_t *theirs = acls_pick(seen->acls, now->added, false);
	bool ok = true;

	if (now->bare) {
		let_everyone_read(seen, theirs, next->added);
		put(next->added, theirs, acl_rule(seen->topic, seen->self, "ALL", "ALLOW"));
	}
	for (size_t i = 0; i < json_array_size(theirs) && ok; i++)
		ok = shut_out(seen, json_array_get(theirs, i), theirs, next);
	json_decref(theirs);
	return ok;
}

/* krmirror lost the right itself. */
static enum guard_action list(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	if (seen->self == NULL)
		return withdraw(now, GUARD_WHY_UNNAMED, next);
	move(now, GUARD_LISTING, GUARD_WHY_NONE, next);
	next->allow_list = true;
	json_array_clear(next->added);
	if (!plan_list(now, seen, next)) {
		guard_fini(next);
		return withdraw(now, GUARD_WHY_WIDE_ALLOW, next);
	}
	json_decref(next->undo);
	next->undo = acls_pick(now->added, next->added, false);
	return GUARD_RECORD;
}

static enum guard_action probed(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	if (!allowed(seen))
		return list(now, seen, next);
	if (now->bare && !seen->readers_everyone && !has(seen, ADMIN_OP_READ))
		return withdraw(now, GUARD_WHY_READERS, next);
	move(now, GUARD_ENFORCED, GUARD_WHY_NONE, next);
	return GUARD_RECORD;
}

static enum guard_action listed(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	if (!allowed(seen)) {
		withdraw(now, GUARD_WHY_MISNAMED, next);
		xfree(next->principal);
		next->principal = xstrdup(seen->self != NULL ? seen->self : "nobody");
		return GUARD_RECORD;
	}
	move(now, GUARD_ENFORCED, GUARD_WHY_NONE, next);
	json_array_clear(next->undo);
	return GUARD_RECORD;
}

/* Somebody may have been let in since. */
static enum guard_action keep(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	bool more;

	if (!now->allow_list || seen->self == NULL)
		return GUARD_DONE;
	move(now, GUARD_LISTING, GUARD_WHY_NONE, next);
	if (!plan_list(now, seen, next)) {
		guard_fini(next);
		return withdraw(now, GUARD_WHY_WIDE_ALLOW, next);
	}
	more = !acls_have_all(now->added, next->added) || !acls_have_all(now->removed, next->removed);
	if (!more)
		guard_fini(next);
	return more ? GUARD_RECORD : GUARD_DONE;
}

/* Without the right to change ACLs: of what this guard made nothing may stand. */
static enum guard_action refused(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	bool stands = seen->acls == NULL || acls_have_any(seen->acls, now->added) || acls_have_any(seen->acls, now->undo) ||
		      !acls_have_all(seen->acls, now->removed);

	if (now->state != GUARD_NONE && now->state != GUARD_UNENFORCED && now->state != GUARD_FORBIDDEN && stands)
		return GUARD_DONE;
	return give_up(now, GUARD_FORBIDDEN, GUARD_WHY_FORBIDDEN, next);
}

char *guard_sentence(const struct guard *guard)
{
	return xasprintf("%s%s", whys[guard->why].sentence, guard->principal != NULL ? guard->principal : "");
}

bool guard_has_news(const struct guard *guard, const char *self, bool readers_everyone)
{
	if (guard->state != GUARD_UNENFORCED)
		return false;
	switch (guard->why) {
	case GUARD_WHY_NONE:
		return true;
	case GUARD_WHY_READERS:
		return readers_everyone;
	case GUARD_WHY_UNNAMED:
		return self != NULL;
	case GUARD_WHY_MISNAMED:
		return self != NULL && !text_eq(guard->principal, self);
	case GUARD_WHY_NOT_TOLD:
	case GUARD_WHY_NO_WRITE:
	case GUARD_WHY_FORBIDDEN:
	case GUARD_WHY_WIDE_ALLOW:
	case GUARD_WHY_SHUT_OUT:
		break;
	}
	return false;
}

enum guard_action guard_step(const struct guard *now, const struct guard_seen *seen, struct guard *next)
{
	*next = (struct guard){ 0 };
	if (seen->refused || seen->acls == NULL)
		return refused(now, seen, next);
	switch (now->state) {
	case GUARD_NONE:
		return begin(now, seen, next);
	case GUARD_FORBIDDEN:
		return seen->again || seen->fresh ? begin(now, seen, next) : GUARD_DONE;
	case GUARD_UNENFORCED:
		return guard_has_news(now, seen->self, seen->readers_everyone) ? begin(now, seen, next) : GUARD_DONE;
	case GUARD_PROBING:
		return seen->settled ? probed(now, seen, next) : GUARD_APPLY;
	case GUARD_LISTING:
		return seen->settled ? listed(now, seen, next) : GUARD_APPLY;
	case GUARD_WITHDRAWING:
		if (!seen->settled)
			return GUARD_APPLY;
		return give_up(now, GUARD_UNENFORCED, now->why != GUARD_WHY_NONE ? now->why : GUARD_WHY_SHUT_OUT, next);
	case GUARD_ENFORCED:
		return seen->settled ? keep(now, seen, next) : GUARD_APPLY;
	}
	return GUARD_DONE;
}
