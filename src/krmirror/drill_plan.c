/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirror/drill.h"

#include "base/mem.h"
#include "base/units.h"

#include <string.h>

struct number {
	const char *key;
	size_t at;
	int64_t initial, max;
};

static const struct number numbers[] = {
	{ "topics", offsetof(struct drill_plan, topics), 2, 100 },
	{ "partitions", offsetof(struct drill_plan, partitions), 3, 100 },
	{ "records", offsetof(struct drill_plan, records), 2000, 10000000 },
	{ "rate", offsetof(struct drill_plan, rate), 1000, 100000 },
	{ "groups", offsetof(struct drill_plan, groups), 1, 20 },
};

static const char *const words[] = { "link", "source_command_config", "rto_limit", "rpo_limit" };

static int bad(struct err *err, const char *path, const char *key, const char *what)
{
	err_set(err, RC_USAGE, "%s: \"%s\" %s", path, key, what);
	return err_hint(err, "`krmirror drill template` prints a plan; krmirror-drills(7) explains it");
}

static bool is_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i].key, key) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], key) == 0)
			return true;
	return false;
}

static int unknown(const char *path, const char *key, struct err *err)
{
	const char *names[ARRAY_LEN(numbers) + ARRAY_LEN(words)], *near;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		names[n++] = numbers[i].key;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		names[n++] = words[i];
	near = name_nearest(key, names, n);
	bad(err, path, key, "is no key of a plan");
	return near != NULL ? err_hint(err, "did you mean \"%s\"?", near) : err->rc;
}

static int read_numbers(struct drill_plan *plan, const char *path, const json_t *json, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const json_t *value = json_object_get(json, numbers[i].key);
		int64_t n = value == NULL ? numbers[i].initial : json_integer_value(value);
		int64_t least = strcmp(numbers[i].key, "groups") == 0 ? 0 : 1;

		if ((value != NULL && !json_is_integer(value)) || n < least || n > numbers[i].max)
			return bad(err, path, numbers[i].key, "is a whole number that is too small, too large or none");
		memcpy((char *)plan + numbers[i].at, &n, sizeof(n));
	}
	return RC_OK;
}

static bool duration_of(const json_t *value, int64_t *ms)
{
	return json_is_string(value) && duration_parse(json_string_value(value), ms);
}

static int read_limits(struct drill_plan *plan, const char *path, const json_t *json, struct err *err)
{
	const json_t *rto = json_object_get(json, "rto_limit"), *rpo = json_object_get(json, "rpo_limit");

	plan->rto_limit_ms = plan->rpo_limit_ms = plan->rpo_limit_records = -1;
	if (rto != NULL && !json_is_null(rto) && !duration_of(rto, &plan->rto_limit_ms))
		return bad(err, path, "rto_limit", "is a time with its unit: \"30s\"");
	if (rpo == NULL || json_is_null(rpo) || duration_of(rpo, &plan->rpo_limit_ms))
		return RC_OK;
	if (!json_is_integer(rpo) || json_integer_value(rpo) < 0)
		return bad(err, path, "rpo_limit", "is a number of records, or a time with its unit: \"5s\"");
	plan->rpo_limit_records = json_integer_value(rpo);
	return RC_OK;
}

static int read_texts(struct drill_plan *plan, const char *path, const json_t *json, struct err *err)
{
	const json_t *link = json_object_get(json, "link"), *config = json_object_get(json, "source_command_config");

	if (!json_is_string(link) || json_string_length(link) == 0)
		return bad(err, path, "link", "must name a link");
	if (config != NULL && !json_is_null(config) && !json_is_string(config))
		return bad(err, path, "source_command_config", "is the name of a file");
	plan->link = xstrdup(json_string_value(link));
	if (json_string_length(config) > 0)
		plan->source_command_config = xstrdup(json_string_value(config));
	return RC_OK;
}

int drill_plan_load(struct drill_plan *plan, const char *path, struct err *err)
{
	json_error_t error;
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *value;
	const char *key;
	int rc = RC_OK;

	*plan = (struct drill_plan){ 0 };
	if (!json_is_object(json)) {
		json_decref(json);
		err_set(err, RC_USAGE, "%s is no plan: %s", path, json == NULL ? error.text : "it must be one JSON object");
		return err_hint(err, "`krmirror drill template` prints one");
	}
	json_object_foreach(json, key, value)
		if (!is_key(key) && rc == RC_OK)
			rc = unknown(path, key, err);
	if (rc == RC_OK)
		rc = read_texts(plan, path, json, err);
	if (rc == RC_OK)
		rc = read_numbers(plan, path, json, err);
	if (rc == RC_OK)
		rc = read_limits(plan, path, json, err);
	json_decref(json);
	return rc;
}

void drill_plan_fini(struct drill_plan *plan)
{
	xfree(plan->link);
	xfree(plan->source_command_config);
	*plan = (struct drill_plan){ 0 };
}

const char *drill_plan_template(void)
{
	return "{\n"
	       "  \"link\": \"LINK\",\n"
	       "  \"source_command_config\": \"/etc/krmirror/drill-source.properties\",\n"
	       "  \"topics\": 2,\n"
	       "  \"partitions\": 3,\n"
	       "  \"records\": 2000,\n"
	       "  \"rate\": 1000,\n"
	       "  \"groups\": 1,\n"
	       "  \"rto_limit\": \"30s\",\n"
	       "  \"rpo_limit\": \"5s\"\n"
	       "}\n";
}
