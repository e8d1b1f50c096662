/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config_plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_TOPIC = 1 };

#define BEFORE "message.timestamp.before.max.ms"
#define AFTER "message.timestamp.after.max.ms"
#define DIFFERENCE "message.timestamp.difference.max.ms"

/* Cluster Linking's classes: the first ALWAYS are in every list, the first INITIAL in the one that holds by default. */
enum { ALWAYS = 4, INITIAL = 9 };
static const char *const keys[] = {
	"cleanup.policy", "max.message.bytes", "message.timestamp.type", DIFFERENCE,
	"min.compaction.lag.ms", "max.compaction.lag.ms", "delete.retention.ms", "retention.bytes", "retention.ms",
	"compression.type", "segment.bytes", "segment.ms", "segment.jitter.ms", "segment.index.bytes",
	"min.insync.replicas", "flush.messages", "flush.ms", "index.interval.bytes", "min.cleanable.dirty.ratio",
	"file.delete.delay.ms", "preallocate", "unclean.leader.election.enable", "message.downconversion.enable",
	BEFORE, AFTER,
};
_Static_assert(ARRAY_LEN(keys) <= CONFIG_KEYS_MAX, "room for all of them");
/* Known in lists, of no use on other clusters. */
static const char unused[] = "confluent.segment.speculative.prefetch.enable";

/* --- which ones follow --------------------------------------------------------------------------------------- */

static const char *word(const char **at, size_t *len)
{
	const char *p = *at + strspn(*at, ", \t");

	*len = strcspn(p, ", \t");
	*at = p + *len;
	return *len > 0 ? p : NULL;
}

static bool is(const char *p, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(p, name, len) == 0;
}

static bool listed(const char *list, const char *name)
{
	const char *p;
	size_t len;

	while ((p = word(&list, &len)) != NULL)
		if (is(p, len, name))
			return true;
	return false;
}

bool config_follows(const char *include, const char *name)
{
	int n = include == NULL || include[0] == '\0' ? INITIAL : (int)ARRAY_LEN(keys);

	for (int i = 0; i < n; i++)
		if (strcmp(keys[i], name) == 0)
			return n == INITIAL || listed(include, name);
	return false;
}

int config_keys(const char *include, const char *list[CONFIG_KEYS_MAX])
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (setting_is_forced(keys[i]) || config_follows(include, keys[i]))
			list[n++] = keys[i];
	return n;
}

static int unknown(const char *p, size_t len, struct err *err)
{
	err_set(err, RC_USAGE, "topic.config.sync.include: %.*s does not follow the source", (int)MIN(len, (size_t)64),
		p);
	return err_hint(err, "krmirror-link(1) lists what may");
}

int config_include_check(const char *include, struct err *err)
{
	const char *at = include, *p;
	size_t len;

	if (include == NULL || include[0] == '\0')
		return RC_OK;
	while ((p = word(&at, &len)) != NULL) {
		bool known = is(p, len, unused);

		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			known = known || is(p, len, keys[i]);
		if (!known)
			return unknown(p, len, err);
	}
	for (size_t i = 0; i < ALWAYS; i++)
		if (!listed(include, keys[i])) {
			err_set(err, RC_USAGE, "topic.config.sync.include lacks %s, which always follows the source",
				keys[i]);
			return err_hint(err, "every list has cleanup.policy, max.message.bytes, message.timestamp.type and "
					DIFFERENCE);
		}
	return RC_OK;
}

/* The one limit of old brokers is two on new ones. */
static bool follows(const struct config_seen *seen, const char *name)
{
	if ((strcmp(name, BEFORE) == 0 || strcmp(name, AFTER) == 0) && admin_config_find(seen->source, name) == NULL)
		return config_follows(seen->include, DIFFERENCE);
	return config_follows(seen->include, name);
}

static bool given(const struct config_seen *seen, const char *name)
{
	return json_object_get(seen->wish->given_settings, name) != NULL;
}

/* --- the decision -------------------------------------------------------------------------------------------- */

static void alter(struct config_plan *plan, const char *name, const char *value, bool put_back)
{
	json_object_set_new(plan->alter, name, value != NULL ? json_string(value) : json_null());
	if (put_back)
		json_object_set_new(plan->put_back, name, json_true());
}

static bool same_policy(const char *a, const char *b)
{
	return (strstr(a, "compact") != NULL) == (strstr(b, "compact") != NULL) &&
	       (strstr(a, "delete") != NULL) == (strstr(b, "delete") != NULL);
}

static bool as_wanted(const char *name, const char *here, const char *wanted)
{
	if (strcmp(name, "max.message.bytes") == 0)   /* a higher one does no harm, and batches of before may need it */
		return strtoll(here, NULL, 10) >= strtoll(wanted, NULL, 10);
	return strcmp(name, "cleanup.policy") == 0 ? same_policy(here, wanted) : strcmp(here, wanted) == 0;
}

/* What is held open while it is mirrored. */
static void hold(const struct config_seen *seen, const json_t *wanted, struct config_plan *plan)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
		const struct admin_config *here = admin_config_find(seen->here, name);
		const char *want = json_string_value(value);
		const char *made = json_string_value(json_object_get(seen->wish->create_settings, name));
		bool policy = strcmp(name, "cleanup.policy") == 0;

		if (!setting_is_forced(name) || here == NULL || here->value == NULL || want == NULL ||
		    (policy && seen->policy_opened))
			continue;
		if (policy && (made == NULL || !same_policy(made, want))) {
			plan->create_settings = seen->wish->create_settings != NULL ? json_copy(seen->wish->create_settings) :
						json_object();
			json_object_set_new(plan->create_settings, name, json_string(want));
		}
		if (!as_wanted(name, here->value, want))
			alter(plan, name, want, made != NULL && as_wanted(name, made, want));
	}
}

static void record(const struct config_seen *seen, const json_t *promotion, struct config_plan *plan)
{
	json_t *settings = seen->wish->settings != NULL ? json_copy(seen->wish->settings) : json_object();
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)promotion, name, value)
		if (!given(seen, name) && (follows(seen, name) || json_object_get(settings, name) == NULL))
			json_object_set(settings, name, value);
	if (seen->wish->settings == NULL || !json_equal(settings, seen->wish->settings))
		plan->settings = json_incref(settings);
	json_decref(settings);
}

/* What may be as the source has it while it is mirrored, too. */
static void apply(const struct config_seen *seen, struct config_plan *plan)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct admin_config *there = admin_config_find(seen->source, keys[i]);
		const struct admin_config *here = admin_config_find(seen->here, keys[i]);
		bool own = there != NULL && there->source == SOURCE_TOPIC && there->value != NULL;

		if (setting_is_forced(keys[i]) || there == NULL || here == NULL || given(seen, keys[i]) ||
		    !config_follows(seen->include, keys[i]))
			continue;
		if (own && (here->source != SOURCE_TOPIC || here->value == NULL || strcmp(here->value, there->value) != 0))
			alter(plan, keys[i], there->value, false);
		else if (!own && here->source == SOURCE_TOPIC)
			alter(plan, keys[i], NULL, false);
	}
}

bool config_plan(const struct config_seen *seen, struct config_plan *plan)
{
	struct settings_in in = { seen->source, seen->here, NULL };
	struct settings_out out;
	struct err err;

	*plan = (struct config_plan){ .alter = json_object(), .put_back = json_object() };
	/* Without what was given nothing can be wrong in it. */
	CHECK(settings_plan(&in, &out, &err) == RC_OK);
	if (admin_config_find(seen->source, "cleanup.policy") != NULL) {
		hold(seen, out.create, plan);
		record(seen, out.promotion, plan);
		apply(seen, plan);
	}
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
	return plan->settings != NULL || plan->create_settings != NULL || json_object_size(plan->alter) > 0;
}

void config_plan_fini(struct config_plan *plan)
{
	json_decref(plan->settings);
	json_decref(plan->create_settings);
	json_decref(plan->alter);
	json_decref(plan->put_back);
	*plan = (struct config_plan){ 0 };
}

/* --- promotion ----------------------------------------------------------------------------------------------- */

json_t *config_latest(const struct mirror_wish *wish, const struct admin_configs *source, const char *include)
{
	json_t *latest = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct admin_config *c = admin_config_find(source, keys[i]);
		bool recorded = json_object_get(wish->settings, keys[i]) != NULL;

		/* max.message.bytes is raised after the source in any case */
		if (c == NULL || (!config_follows(include, keys[i]) && strcmp(keys[i], "max.message.bytes") != 0))
			continue;
		if (setting_is_forced(keys[i]) && !recorded)
			continue;   /* the destination has no such setting */
		if (recorded || (c->source == SOURCE_TOPIC && c->value != NULL))
			json_object_set_new(latest, keys[i], c->source == SOURCE_TOPIC && c->value != NULL ?
					    json_string(c->value) : json_null());
	}
	return latest;
}
