/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's decisions, against a model of Kafka's authorizer: over all kinds of ACLs, with krmirror a super user and an
 * ordinary one, cut short anywhere. */
#include "base/mem.h"
#include "control/acls.h"
#include "control/guard_plan.h"
#include "test_control.h"

#include <string.h>

enum { OP_READ = 3, OP_WRITE = 4, OP_DELETE = 6, OP_ALTER = 7, OP_DESCRIBE = 8 };

static const char *const names[] = { "", "", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE" };

struct world {
	json_t *acls;
	bool super, everyone;          /* krmirror is a super user; allow.everyone.if.no.acl.found */
};

/* "User:app ALLOW WRITE LITERAL t" */
static json_t *acl(const char *line)
{
	char who[40], permission[10], operation[20], pattern[10], resource[10];

	ck_assert_int_eq(sscanf(line, "%39s %9s %19s %9s %9s", who, permission, operation, pattern, resource), 5);
	return json_pack("{ssssssssssss}", "resource", resource, "pattern", pattern, "principal", who, "host", "*",
			 "operation", operation, "permission", permission);
}

static bool is(const json_t *a, const char *key, const char *value)
{
	return strcmp(json_string_value(json_object_get(a, key)), value) == 0;
}

static bool covers(const json_t *a, int operation)
{
	if (is(a, "operation", "ALL") || is(a, "operation", names[operation]))
		return true;
	return operation == OP_DESCRIBE && is(a, "permission", "ALLOW") &&
	       (is(a, "operation", "READ") || is(a, "operation", "WRITE") || is(a, "operation", "DELETE") ||
		is(a, "operation", "ALTER"));
}

static bool any(const struct world *w, const char *who, int operation, const char *permission)
{
	for (size_t i = 0; i < json_array_size(w->acls); i++) {
		const json_t *a = json_array_get(w->acls, i);

		if (is(a, "permission", permission) && (is(a, "principal", who) || is(a, "principal", "User:*")) &&
		    covers(a, operation))
			return true;
	}
	return false;
}

static bool can(const struct world *w, const char *who, int operation)
{
	if (w->super && strcmp(who, "User:mirror") == 0)
		return true;
	if (any(w, who, operation, "DENY"))
		return false;
	return any(w, who, operation, "ALLOW") || (json_array_size(w->acls) == 0 && w->everyone);
}

static int32_t operations(const struct world *w)
{
	int32_t bits = 0;

	for (int op = OP_READ; op <= OP_DESCRIBE; op++)
		bits |= can(w, "User:mirror", op) << op;
	return bits;
}

static void make(struct world *w, const json_t *present, const json_t *absent, int steps)
{
	for (size_t i = 0; i < json_array_size(present) && steps-- > 0; i++) {
		json_t *one = json_array_get(present, i), *missing = json_pack("[O]", one);

		if (!acls_have_any(w->acls, missing))
			json_array_append(w->acls, one);
		json_decref(missing);
	}
	if (steps > 0) {
		json_t *left = acls_pick(w->acls, absent, false);

		json_decref(w->acls);
		w->acls = left;
	}
}

static bool settled(const struct world *w, const struct guard *guard)
{
	json_t *present, *absent;
	bool is_so;

	guard_wants(guard, &present, &absent);
	is_so = acls_have_all(w->acls, present) && !acls_have_any(w->acls, absent);
	json_decref(present);
	json_decref(absent);
	return is_so;
}

/* To the end; cut: the ACLs of the first attempts are made in part. What is kept goes through its text each time. */
static void run(struct world *w, struct guard *guard, struct guard_seen seen, int cut)
{
	enum guard_action action = GUARD_APPLY;
	struct err err;

	for (int turn = 0; action != GUARD_DONE; turn++) {
		json_t *kept, *present, *absent;
		struct guard next;

		ck_assert_int_lt(turn, 40);
		seen.acls = w->acls;
		seen.operations = operations(w);
		seen.settled = settled(w, guard);
		action = guard_step(guard, &seen, &next);
		if (action == GUARD_RECORD) {
			kept = guard_encode(&next);
			guard_fini(&next);
			guard_fini(guard);
			ck_assert_int_eq(guard_decode(guard, kept, &err), RC_OK);
			json_decref(kept);
		} else if (action == GUARD_APPLY) {
			guard_wants(guard, &present, &absent);
			make(w, present, absent, turn < 12 && cut >= 0 ? (turn + cut) % 3 : 100);
			json_decref(present);
			json_decref(absent);
		}
	}
}

static void lift(struct world *w, const struct guard *guard)
{
	json_t *present, *absent;

	guard_ends(guard, &present, &absent);
	make(w, present, absent, 100);
	json_decref(present);
	json_decref(absent);
}

static bool same(const json_t *a, const json_t *b)
{
	return json_array_size(a) == json_array_size(b) && acls_have_all(a, b) && acls_have_all(b, a);
}

struct given {
	const char *acls[5];
	bool needs_super;              /* cannot be said without */
};

static const struct given givens[] = {
	{ { NULL }, false },
	{ { "User:app ALLOW WRITE LITERAL t", "User:mirror ALLOW ALL LITERAL *" }, false },
	{ { "User:app ALLOW ALL LITERAL t", "User:mirror ALLOW WRITE LITERAL t" }, false },
	{ { "User:app ALLOW ALL PREFIXED t", "User:mirror ALLOW ALL LITERAL *" }, false },
	{ { "User:app ALLOW WRITE LITERAL *", "User:other ALLOW READ LITERAL t", "User:mirror ALLOW ALL LITERAL *" }, false },
	{ { "User:* ALLOW WRITE LITERAL t", "User:* ALLOW READ LITERAL t" }, false },
	{ { "User:* ALLOW ALL LITERAL t" }, false },
	{ { "User:* ALLOW ALL LITERAL t", "User:app DENY READ LITERAL t", "User:mirror ALLOW ALL LITERAL t" }, false },
	{ { "User:* ALLOW ALL PREFIXED t" }, true },
	{ { "User:* ALLOW WRITE LITERAL *", "User:app ALLOW WRITE LITERAL t" }, true },
	{ { "User:app ALLOW WRITE LITERAL t", "User:app DENY WRITE LITERAL t", "User:mirror ALLOW ALL LITERAL *" }, false },
	{ { "User:mirror ALLOW ALL LITERAL *", "User:app ALLOW READ LITERAL t" }, false },
	{ { "User:app ALLOW WRITE LITERAL t" }, true },   /* an ordinary krmirror may nothing at all */
};

static const char *const others[] = { "User:app", "User:other" };

static void fill(struct world *w, const struct given *given)
{
	w->acls = json_array();
	for (int i = 0; i < 5 && given->acls[i] != NULL; i++)
		json_array_append_new(w->acls, acl(given->acls[i]));
}

/* bits: super, everyone, readers.everyone, fresh; the rest: where it is cut short. */
static void check(const struct given *given, unsigned bits, int cut)
{
	struct world w = { .super = bits & 1, .everyone = (bits & 2) != 0 };
	struct guard_seen seen = { .topic = "t", .self = "User:mirror", .guarded = 1u << OP_WRITE, .again = true,
				   .readers_everyone = (bits & 4) != 0, .fresh = (bits & 8) != 0 };
	struct guard guard = { 0 };
	struct err err;
	bool bare = given->acls[0] == NULL, read[2], possible;
	json_t *before;

	fill(&w, given);
	before = json_copy(w.acls);
	possible = bare ? can(&w, "User:mirror", OP_WRITE) && (seen.readers_everyone || (seen.fresh && !w.super)) :
			  w.super || !given->needs_super;
	for (int i = 0; i < 2; i++)
		read[i] = can(&w, others[i], OP_READ) || (bare && seen.readers_everyone);
	ck_assert_int_eq(guard_decode(&guard, NULL, &err), RC_OK);
	run(&w, &guard, seen, cut);
	ck_assert_int_eq(guard.state, possible ? GUARD_ENFORCED : GUARD_UNENFORCED);
	ck_assert(possible || same(w.acls, before));
	ck_assert(possible || guard.why != GUARD_WHY_NONE);
	for (int i = 0; i < 2 && possible; i++) {
		ck_assert(!can(&w, others[i], OP_WRITE));
		ck_assert_int_eq(can(&w, others[i], OP_READ), read[i]);
		ck_assert(can(&w, "User:mirror", OP_WRITE));
	}
	lift(&w, &guard);
	ck_assert(same(w.acls, before));
	guard_fini(&guard);
	json_decref(before);
	json_decref(w.acls);
}

START_TEST(others_are_kept_out_and_all_is_as_it_was_at_the_end)
{
	for (unsigned bits = 0; bits < 16; bits++)
		for (int cut = -1; cut < 3; cut++)
			check(&givens[_i], bits, cut);
}
END_TEST

/* A super user may also keep readers out: the control topic. */
START_TEST(readers_are_kept_out_too)
{
	for (size_t g = 0; g < ARRAY_LEN(givens); g++)
		for (unsigned super = 0; super < 2; super++) {
			struct world w = { .super = super, .everyone = true };
			struct guard_seen seen = { .topic = "t", .self = "User:mirror", .fresh = true,
						   .guarded = 1u << OP_WRITE | 1u << OP_READ };
			struct guard guard = { 0 };
			struct err err;
			bool possible;

			fill(&w, &givens[g]);
			possible = super || (!givens[g].needs_super && (operations(&w) >> OP_READ & 3) == 3);
			ck_assert_int_eq(guard_decode(&guard, NULL, &err), RC_OK);
			run(&w, &guard, seen, (int)g % 3);
			ck_assert_int_eq(guard.state, possible ? GUARD_ENFORCED : GUARD_UNENFORCED);
			for (int i = 0; i < 2 && guard.state == GUARD_ENFORCED; i++) {
				ck_assert(!can(&w, others[i], OP_WRITE));
				ck_assert(!can(&w, others[i], OP_READ));
			}
			ck_assert_int_eq((operations(&w) >> OP_WRITE) & 1, super || g != 12);
			guard_fini(&guard);
			json_decref(w.acls);
		}
}
END_TEST

struct changed {
	struct world w;
	struct guard guard;
	struct guard_seen seen;
};

static void enforced(struct changed *c, const struct given *given, bool super)
{
	struct err err;

	*c = (struct changed){ .w = { .super = super },
			       .seen = { .topic = "t", .self = "User:mirror", .guarded = 1u << OP_WRITE } };
	fill(&c->w, given);
	ck_assert_int_eq(guard_decode(&c->guard, NULL, &err), RC_OK);
	run(&c->w, &c->guard, c->seen, -1);
	ck_assert_int_eq(c->guard.state, GUARD_ENFORCED);
}

static void forget(struct changed *c)
{
	guard_fini(&c->guard);
	json_decref(c->w.acls);
}

/* Somebody is let in, somebody else's ACL and the guard's own are removed. */
START_TEST(what_others_change_meanwhile_stays)
{
	struct changed c;
	json_t *wanted;

	enforced(&c, &givens[2], _i == 1);
	wanted = json_array();
	json_array_append_new(wanted, acl("User:mirror ALLOW WRITE LITERAL t"));
	json_array_append_new(wanted, acl("User:other ALLOW WRITE LITERAL t"));
	lift(&c.w, &c.guard);      /* whoever removes the guard's ACLs */
	json_decref(c.w.acls);
	c.w.acls = json_deep_copy(wanted);
	run(&c.w, &c.guard, c.seen, -1);
	ck_assert_int_eq(c.guard.state, GUARD_ENFORCED);
	ck_assert(!can(&c.w, "User:other", OP_WRITE));
	ck_assert(can(&c.w, "User:mirror", OP_WRITE));
	lift(&c.w, &c.guard);
	ck_assert(same(c.w.acls, wanted));
	json_decref(wanted);
	forget(&c);
}
END_TEST

/* The operator's own ban is not the guard's to remove. */
START_TEST(an_acl_that_was_there_is_not_taken_away)
{
	static const struct given given = { { "User:* DENY WRITE LITERAL t", "User:* ALLOW READ LITERAL t" }, false };
	struct changed c;

	enforced(&c, &given, true);
	ck_assert_int_eq(json_array_size(c.guard.added), 0);
	lift(&c.w, &c.guard);
	ck_assert_int_eq(json_array_size(c.w.acls), 2);
	forget(&c);
}
END_TEST

START_TEST(what_is_forbidden_is_tried_again)
{
	struct guard guard = { 0 }, next;
	struct err err;
	struct guard_seen seen = { .topic = "t", .self = NULL, .guarded = 1u << OP_WRITE, .refused = true,
				   .operations = 1 << OP_WRITE };
	json_t *acls = json_array();

	json_array_append_new(acls, acl("User:app ALLOW WRITE LITERAL t"));
	ck_assert_int_eq(guard_decode(&guard, NULL, &err), RC_OK);
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_RECORD);   /* it may not even ask */
	ck_assert_int_eq(next.state, GUARD_FORBIDDEN);
	guard_fini(&guard);
	guard = next;
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_DONE);
	seen.refused = false;
	seen.acls = acls;
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_DONE);
	seen.again = true;
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_RECORD);
	ck_assert_int_eq(next.state, GUARD_PROBING);
	guard_fini(&guard);
	guard = next;
	/* the right is taken away while something of the guard may stand: it is not forgotten */
	seen.refused = true;
	seen.acls = guard.added;
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_DONE);
	/* an ordinary one that does not know its own name */
	seen.refused = false;
	seen.settled = true;
	seen.operations = 0;
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_RECORD);
	ck_assert_int_eq(next.state, GUARD_WITHDRAWING);
	guard_fini(&next);
	guard_fini(&guard);
	json_decref(acls);
}
END_TEST

/* Step by step with what the brokers say; the guard is the next one each time. */
static void step_to(struct guard *guard, struct guard_seen *seen, int32_t operations, enum guard_state state)
{
	struct guard next;

	seen->settled = true;
	seen->operations = operations;
	ck_assert_int_eq(guard_step(guard, seen, &next), GUARD_RECORD);
	ck_assert_int_eq(next.state, state);
	guard_fini(guard);
	*guard = next;
}

START_TEST(who_krmirror_is_is_found_by_the_effect)
{
	struct guard guard = { 0 }, next;
	json_t *acls = json_array();
	struct guard_seen seen = { .topic = "t", .guarded = 1u << OP_WRITE, .acls = acls };
	struct err err;
	char *sentence;

	json_array_append_new(acls, acl("User:app ALLOW WRITE LITERAL t"));
	ck_assert_int_eq(guard_decode(&guard, NULL, &err), RC_OK);
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_PROBING);
	step_to(&guard, &seen, 0, GUARD_WITHDRAWING);             /* nobody has said */
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_UNENFORCED);
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_DONE);
	ck_assert(!guard_has_news(&guard, NULL, true));
	seen.self = "User:wrong";
	ck_assert(guard_has_news(&guard, seen.self, false));
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_PROBING);
	step_to(&guard, &seen, 0, GUARD_LISTING);
	step_to(&guard, &seen, 0, GUARD_WITHDRAWING);
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_UNENFORCED);
	ck_assert_int_eq(guard.why, GUARD_WHY_MISNAMED);
	sentence = guard_sentence(&guard);
	ck_assert_ptr_nonnull(strstr(sentence, "User:wrong"));
	xfree(sentence);
	ck_assert(!guard_has_news(&guard, seen.self, false));
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_DONE);
	seen.self = "User:wrong-not";
	ck_assert(guard_has_news(&guard, seen.self, false));
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_PROBING);
	step_to(&guard, &seen, 0, GUARD_LISTING);
	step_to(&guard, &seen, 1 << OP_WRITE, GUARD_ENFORCED);
	guard_fini(&guard);
	json_decref(acls);
}
END_TEST

START_TEST(a_broker_that_does_not_tell_rights_is_not_trusted)
{
	struct guard guard = { 0 }, next;
	struct err err;
	json_t *acls = json_array();
	struct guard_seen seen = { .topic = "t", .guarded = 1u << OP_WRITE, .operations = INT32_MIN, .fresh = true,
				   .acls = acls };

	ck_assert_int_eq(guard_decode(&guard, NULL, &err), RC_OK);
	ck_assert_int_eq(guard_step(&guard, &seen, &next), GUARD_RECORD);
	ck_assert_int_eq(next.state, GUARD_UNENFORCED);
	guard_fini(&next);
	guard_fini(&guard);
	json_decref(acls);
}
END_TEST

START_TEST(a_record_that_makes_no_sense_is_refused)
{
	static const char *const texts[] = { "{}", "{\"state\": \"asleep\"}", "{\"state\": 3}", "{\"state\": \"none\"}" };
	struct guard guard;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *value = json_loads(texts[i], 0, NULL);

		ck_assert_int_eq(guard_decode(&guard, value, &err), RC_PROTO);
		guard_fini(&guard);
		json_decref(value);
	}
}
END_TEST

TCase *guard_tests(void)
{
	TCase *tc = tcase_create("guard");

	tcase_add_loop_test(tc, others_are_kept_out_and_all_is_as_it_was_at_the_end, 0, ARRAY_LEN(givens));
	tcase_add_test(tc, readers_are_kept_out_too);
	tcase_add_loop_test(tc, what_others_change_meanwhile_stays, 0, 2);
	tcase_add_test(tc, an_acl_that_was_there_is_not_taken_away);
	tcase_add_test(tc, what_is_forbidden_is_tried_again);
	tcase_add_test(tc, who_krmirror_is_is_found_by_the_effect);
	tcase_add_test(tc, a_broker_that_does_not_tell_rights_is_not_trusted);
	tcase_add_test(tc, a_record_that_makes_no_sense_is_refused);
	return tc;
}
