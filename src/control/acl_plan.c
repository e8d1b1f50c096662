/* SPDX-License-Identifier: Apache-2.0 */
#include "control/acl_plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EVERYONE "User:*"

static bool of_topics(const json_t *acl)
{
	return acl_is(acl, "type", "TOPIC");
}

static bool reaches(const json_t *acl, const char *name)
{
	return acl_pattern_reaches(acl_text(acl, "pattern"), acl_text(acl, "resource"), name);
}

/* --- sets of ACLs -------------------------------------------------------------------------------------------- */

/* A text that two ACLs share only if they are the same. */
static char *key_of(const json_t *acl)
{
	return json_dumps(acl, JSON_COMPACT | JSON_SORT_KEYS);
}

static json_t *set_of(const json_t *list)
{
	json_t *set = json_object();
	const json_t *acl;
	size_t i;

	json_array_foreach(list, i, acl) {
		char *key = key_of(acl);

		json_object_set_new(set, key, json_true());
		xfree(key);
	}
	return set;
}

static bool in(const json_t *set, const json_t *acl)
{
	char *key = key_of(acl);
	bool is = json_object_get(set, key) != NULL;

	xfree(key);
	return is;
}

struct keyed {
	char *key;
	json_t *acl;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct keyed *)a)->key, ((const struct keyed *)b)->key);
}

/* Brokers list them in no order; what is recorded is to stay the same while they do. */
static json_t *sorted(const json_t *list)
{
	size_t n = json_array_size(list);
	struct keyed *items = xcalloc(n + 1, sizeof(*items));
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++) {
		items[i].acl = json_array_get(list, i);
		items[i].key = key_of(items[i].acl);
	}
	qsort(items, n, sizeof(*items), by_key);
	for (size_t i = 0; i < n; i++) {
		json_array_append(out, items[i].acl);
		xfree(items[i].key);
	}
	xfree(items);
	return out;
}

json_t *acls_typed(const struct admin_acls *acls)
{
	json_t *array = acls_json(acls);

	for (int i = 0; i < acls->n; i++)
		json_object_set_new(json_array_get(array, (size_t)i), "type",
				    json_string(acls->items[i].type != NULL ? acls->items[i].type : "TOPIC"));
	return array;
}

/* Takes acl over. */
static void put(json_t *list, json_t *set, json_t *acl)
{
	char *key = key_of(acl);

	if (json_object_get(set, key) == NULL) {
		json_object_set_new(set, key, json_true());
		json_array_append(list, acl);
	}
	json_decref(acl);
	xfree(key);
}

/* --- filters ------------------------------------------------------------------------------------------------- */

/* "transactionalId" and "TRANSACTIONAL_ID" are one word. */
static bool same_word(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += *a == '_';
		b += *b == '_';
		if (strncasecmp(a, b, 1) != 0)
			return false;
		if (*a == '\0')
			return true;
	}
}

static bool word_matches(const json_t *filter, const char *field, const char *value)
{
	const char *wanted = acl_text(filter, field);

	return same_word(wanted, "any") || same_word(wanted, value);
}

static bool text_matches(const json_t *filter, const char *field, const char *value)
{
	const json_t *wanted = json_object_get(filter, field);

	return !json_is_string(wanted) || strcmp(json_string_value(wanted), value) == 0;
}

static bool resource_matches(const json_t *filter, const json_t *acl)
{
	const json_t *name = json_object_get(filter, "name");

	if (!word_matches(filter, "resourceType", acl_text(acl, "type")))
		return false;
	if (same_word(acl_text(filter, "patternType"), "match"))
		return !json_is_string(name) || reaches(acl, json_string_value(name));
	return word_matches(filter, "patternType", acl_text(acl, "pattern")) &&
	       text_matches(filter, "name", acl_text(acl, "resource"));
}

static bool matches(const json_t *filters, const json_t *acl)
{
	const json_t *filter;
	size_t i;

	if (filters == NULL)
		return true;
	json_array_foreach(filters, i, filter) {
		const json_t *resource = json_object_get(filter, "resourceFilter");
		const json_t *access = json_object_get(filter, "accessFilter");

		if (resource_matches(resource, acl) && text_matches(access, "principal", acl_text(acl, "principal")) &&
		    text_matches(access, "host", acl_text(acl, "host")) &&
		    word_matches(access, "operation", acl_text(acl, "operation")) &&
		    word_matches(access, "permissionType", acl_text(acl, "permission")))
			return true;
	}
	return false;
}

/* --- whose it is --------------------------------------------------------------------------------------------- */

static bool is_own(const struct acl_seen *seen, const json_t *acl)
{
	for (size_t i = 0; i < ARRAY_LEN(seen->selves); i++)
		if (seen->selves[i] != NULL && acl_is(acl, "principal", seen->selves[i]))
			return true;
	if (acl_is(acl, "type", "CLUSTER") || acl_is(acl, "type", "UNKNOWN") || acl_is(acl, "operation", "UNKNOWN") ||
	    acl_is(acl, "pattern", "UNKNOWN"))
		return true;
	if (acl_is(acl, "resource", "*") && acl_is(acl, "pattern", "LITERAL"))
		return false;   /* of everything: judged by what it allows */
	return (of_topics(acl) && (reaches(acl, seen->control_topic) || reaches(acl, "_krmirror"))) ||
	       (acl_is(acl, "type", "GROUP") && reaches(acl, seen->group));
}

json_t *acls_of_others(const struct acl_seen *seen)
{
	json_t *out = json_array();
	const json_t *acl;
	size_t i;

	json_array_foreach(seen->source, i, acl)
		if (matches(seen->filters, acl) && !is_own(seen, acl))
			json_array_append(out, (json_t *)(uintptr_t)acl);
	return out;
}

static bool lets_write(const json_t *acl)
{
	return of_topics(acl) && acl_is(acl, "permission", "ALLOW") &&
	       (acl_is(acl, "operation", "WRITE") || acl_is(acl, "operation", "ALL"));
}

static bool reaches_live(const struct acl_seen *seen, const json_t *acl)
{
	for (int i = 0; i < seen->n_topics; i++)
		if (!seen->topics[i].stopped && reaches(acl, seen->topics[i].name))
			return true;
	return false;
}

static bool super_user(const struct acl_seen *seen)
{
	const json_t *acl;
	size_t i;

	json_array_foreach(seen->here, i, acl)
		if (of_topics(acl) && acl_is(acl, "resource", seen->control_topic) && acl_is(acl, "pattern", "LITERAL") &&
		    acl_is(acl, "principal", EVERYONE) && acl_is(acl, "host", "*") && acl_is(acl, "permission", "DENY") &&
		    acl_is(acl, "operation", "READ"))
			return true;
	return false;
}

/* No ACL is there for it yet: who is let in because there is none is shut out by the first. */
static bool bare(const struct acl_seen *seen, const char *type, const char *name)
{
	const json_t *acl;
	size_t i;

	json_array_foreach(seen->here, i, acl)
		if (acl_is(acl, "type", type) && reaches(acl, name))
			return false;
	return true;
}

static bool is_first(const struct acl_seen *seen, const json_t *acl)
{
	if (acl_is(acl, "type", "GROUP"))
		return reaches(acl, seen->group) && bare(seen, "GROUP", seen->group);
	if (!of_topics(acl))
		return false;
	for (int i = 0; i < seen->n_topics; i++)
		if (!seen->topics[i].stopped && !seen->topics[i].guarded && reaches(acl, seen->topics[i].name) &&
		    bare(seen, "TOPIC", seen->topics[i].name))
			return true;
	return reaches(acl, seen->control_topic) && bare(seen, "TOPIC", seen->control_topic);
}

/* Everyone is denied, krmirror too. */
static bool denies_all(const struct acl_seen *seen, const json_t *acl)
{
	if (!acl_is(acl, "permission", "DENY") || !acl_is(acl, "principal", EVERYONE))
		return false;
	if (of_topics(acl))
		return reaches_live(seen, acl) || reaches(acl, seen->control_topic);
	return (acl_is(acl, "type", "GROUP") && reaches(acl, seen->group)) || acl_is(acl, "type", "TRANSACTIONAL_ID");
}

/* --- the plan ------------------------------------------------------------------------------------------------ */

struct planning {
	const struct acl_seen *seen;
	struct acl_plan *plan;
	json_t *wanted, *set;        /* what is to stand now */
	json_t *here;                /* set */
	bool super_user;
};

static json_t *altered(const json_t *acl, const char *field, const char *value)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)acl);

	json_object_set_new(copy, field, json_string(value));
	return copy;
}

static json_t *for_name(const json_t *acl, const char *name)
{
	json_t *copy = altered(acl, "resource", name);

	json_object_set_new(copy, "pattern", json_string("LITERAL"));
	return copy;
}

/* What of ALL a reader needs. */
static void want_reading(struct planning *p, const json_t *acl)
{
	static const char *const parts[] = { "READ", "DESCRIBE", "DESCRIBE_CONFIGS" };

	for (size_t i = 0; i < ARRAY_LEN(parts) && acl_is(acl, "operation", "ALL"); i++)
		put(p->wanted, p->set, altered(acl, "operation", parts[i]));
}

/* Takes acl over. In the form that the guard has: of topics alone. What stands already is not the task's. */
static void intend(struct planning *p, int topic, json_t *acl)
{
	bool here = in(p->here, acl);

	json_object_del(acl, "type");
	for (size_t i = 0; i < json_array_size(p->plan->intended[topic]); i++)
		here = here || json_equal(json_array_get(p->plan->intended[topic], i), acl);
	if (!here)
		json_array_append(p->plan->intended[topic], acl);
	json_decref(acl);
}

static void withhold(struct planning *p, const json_t *acl)
{
	const struct acl_seen *seen = p->seen;

	want_reading(p, acl);
	for (int i = 0; i < seen->n_topics; i++) {
		if (seen->topics[i].other || !reaches(acl, seen->topics[i].name))
			continue;
		if (seen->topics[i].stopped)
			put(p->wanted, p->set, for_name(acl, seen->topics[i].name));
		else
			intend(p, i, for_name(acl, seen->topics[i].name));
	}
}

static void take(struct planning *p, const json_t *acl)
{
	const struct acl_seen *seen = p->seen;

	if (!matches(seen->filters, acl) || is_own(seen, acl))
		return;
	if (!p->super_user && (denies_all(seen, acl) || (is_first(seen, acl) && !in(p->here, acl))))
		json_array_append(p->plan->shutting, (json_t *)(uintptr_t)acl);
	else if (lets_write(acl) && (reaches_live(seen, acl) || reaches(acl, seen->control_topic)))
		withhold(p, acl);
	else
		put(p->wanted, p->set, json_incref((json_t *)(uintptr_t)acl));
}

/* Made by name for a mirror that was promoted, and is forgotten now: it stays while the source lets the same write. */
static bool still_let(const struct planning *p, const json_t *made)
{
	const struct acl_seen *seen = p->seen;
	const json_t *acl;
	size_t i;

	if (!lets_write(made) || !acl_is(made, "pattern", "LITERAL") || acl_is(made, "resource", "*") || reaches_live(seen, made))
		return false;
	json_array_foreach(seen->source, i, acl)
		if (lets_write(acl) && reaches(acl, acl_text(made, "resource")) &&
		    acl_is(acl, "principal", acl_text(made, "principal")) && acl_is(acl, "host", acl_text(made, "host")) &&
		    acl_is(acl, "operation", acl_text(made, "operation")) && matches(seen->filters, acl))
			return true;
	return false;
}

/* What stands already and is not the task's stays whoever's it is. */
static void compare(struct planning *p)
{
	json_t *here = p->here, *made = set_of(p->seen->made);
	const json_t *acl;
	size_t i;

	json_array_foreach(p->wanted, i, acl) {
		if (!in(here, acl))
			json_array_append(p->plan->create, (json_t *)(uintptr_t)acl);
		if (!in(here, acl) || in(made, acl))
			json_array_append(p->plan->made, (json_t *)(uintptr_t)acl);
	}
	json_array_foreach(p->seen->made, i, acl)
		if (!in(p->set, acl) && in(here, acl))
			json_array_append(still_let(p, acl) ? p->plan->made : p->plan->remove, (json_t *)(uintptr_t)acl);
	json_decref(made);
}

void acl_plan(const struct acl_seen *seen, struct acl_plan *plan)
{
	struct planning p = { seen, plan, json_array(), json_object(), set_of(seen->here), super_user(seen) };
	json_t *source = sorted(seen->source);
	const json_t *acl;
	size_t i;

	*plan = (struct acl_plan){
		.create = json_array(), .remove = json_array(), .made = json_array(), .shutting = json_array(),
		.n_topics = seen->n_topics, .intended = xcalloc((size_t)seen->n_topics + 1, sizeof(*plan->intended)),
	};
	for (int t = 0; t < seen->n_topics; t++)
		plan->intended[t] = json_array();
	json_array_foreach(source, i, acl)
		take(&p, acl);
	json_decref(source);
	compare(&p);
	json_decref(p.wanted);
	json_decref(p.set);
	json_decref(p.here);
}

void acl_plan_fini(struct acl_plan *plan)
{
	for (int t = 0; t < plan->n_topics; t++)
		json_decref(plan->intended[t]);
	xfree(plan->intended);
	json_decref(plan->create);
	json_decref(plan->remove);
	json_decref(plan->made);
	json_decref(plan->shutting);
	*plan = (struct acl_plan){ 0 };
}
