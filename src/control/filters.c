/* SPDX-License-Identifier: Apache-2.0 */
#include "control/filters.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

enum { SHOWN = 60 };

/* A field of an object: a text, one of some words in upper or lower case, or an object of fields itself. */
struct filter_field {
	const char *name;
	const char *words;                  /* NULL: any text */
	const struct filter_field *fields;  /* of an object; ends with a row without a name */
	bool required, ignored;
};

static const struct filter_field name_fields[] = {
	{ "name", NULL, NULL, true, false },
	{ "patternType", "LITERAL|PREFIXED", NULL, true, false },
	{ "filterType", "INCLUDE|EXCLUDE|WHITELIST|BLACKLIST", NULL, true, false },
	{ "topicTypes", NULL, NULL, false, true },
	{ .name = NULL },
};

static const struct filter_field resource_fields[] = {
	{ "resourceType", "any|topic|group|cluster|transactionalId|transactional_id|delegationToken|delegation_token|user",
	  NULL, true, false },
	{ "patternType", "any|literal|prefixed|match", NULL, true, false },
	{ "name", NULL, NULL, false, false },
	{ .name = NULL },
};

static const struct filter_field access_fields[] = {
	{ "operation", "any|all|read|write|create|delete|alter|describe|clusterAction|cluster_action|describeConfigs|"
	  "describe_configs|alterConfigs|alter_configs|idempotentWrite|idempotent_write|createTokens|create_tokens|"
	  "describeTokens|describe_tokens|twoPhaseCommit|two_phase_commit", NULL, true, false },
	{ "permissionType", "any|allow|deny", NULL, true, false },
	{ "principal", NULL, NULL, false, false },
	{ "host", NULL, NULL, false, false },
	{ .name = NULL },
};

static const struct filter_field acl_fields[] = {
	{ "resourceFilter", NULL, resource_fields, true, false },
	{ "accessFilter", NULL, access_fields, true, false },
	{ .name = NULL },
};

static const struct filter_kind {
	const char *setting, *array;
	const struct filter_field *fields;
	const char *example;
} kinds[] = {
	{ "auto.create.mirror.topics.filters", "topicFilters", name_fields,
	  "auto.create.mirror.topics.filters={\"topicFilters\":[{\"name\":\"*\",\"patternType\":\"LITERAL\","
	  "\"filterType\":\"INCLUDE\"}]}" },
	{ "consumer.offset.group.filters", "groupFilters", name_fields,
	  "consumer.offset.group.filters={\"groupFilters\":[{\"name\":\"*\",\"patternType\":\"LITERAL\","
	  "\"filterType\":\"INCLUDE\"}]}" },
	{ "acl.filters", "aclFilters", acl_fields,
	  "acl.filters={\"aclFilters\":[{\"resourceFilter\":{\"resourceType\":\"any\",\"patternType\":\"any\"},"
	  "\"accessFilter\":{\"operation\":\"any\",\"permissionType\":\"any\"}}]}" },
};

static const struct filter_kind *kind_of(const char *setting)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].setting, setting) == 0)
			return &kinds[i];
	return NULL;
}

const char *filters_example(const char *setting)
{
	const struct filter_kind *kind = kind_of(setting);

	return kind == NULL ? NULL : kind->example;
}

static const struct filter_field *field_of(const struct filter_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static void list_fields(const struct filter_field *fields, char *text, size_t size)
{
	size_t at = 0;

	for (; fields->name != NULL; fields++)
		if (!fields->ignored && at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? ", " : "", fields->name);
}

static bool one_of(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = words; len > 0 && *p != '\0'; p += strcspn(p, "|"), p += *p == '|')
		if (strcspn(p, "|") == len && strncasecmp(p, value, len) == 0)
			return true;
	return false;
}

static int check_value(const struct filter_field *field, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);

	if (text == NULL)
		return err_set(err, RC_USAGE, "%s is no text", field->name);
	if (field->words != NULL && !one_of(field->words, text)) {
		err_set(err, RC_USAGE, "%s \"%.*s\" is not known", field->name, SHOWN, text);
		return err_hint(err, "one of %s", field->words);
	}
	return RC_OK;
}

/* Objects in objects are as deep as the tables. */
static int check_object(const struct filter_field *fields, const json_t *object, struct notes *notes, struct err *err)
{
	char known[160] = "";
	const char *name;
	json_t *value;

	list_fields(fields, known, sizeof(known));
	if (!json_is_object(object)) {
		err_set(err, RC_USAGE, "an object is needed");
		return err_hint(err, "its fields: %s", known);
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		const struct filter_field *field = field_of(fields, name);

		if (field == NULL) {
			err_set(err, RC_USAGE, "unknown field \"%.*s\"", SHOWN, name);
			return err_hint(err, "its fields: %s", known);
		}
		if (field->ignored)
			notes_add(notes, "the field %s of a filter is not used", name);
		else if (field->fields != NULL && check_object(field->fields, value, notes, err) != RC_OK)
			return err_wrap(err, "%s", name);
		else if (field->fields == NULL && check_value(field, value, err) != RC_OK)
			return err->rc;
	}
	for (; fields->name != NULL; fields++)
		if (fields->required && json_object_get(object, fields->name) == NULL) {
			err_set(err, RC_USAGE, "the field %s is missing", fields->name);
			return err_hint(err, "its fields: %s", known);
		}
	return RC_OK;
}

/* A star stands for everything, and only where the name is literal. */
static int check_star(const json_t *entry, struct err *err)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	const char *pattern = json_string_value(json_object_get(entry, "patternType"));

	if (name == NULL || pattern == NULL || strcmp(name, "*") != 0 || strcasecmp(pattern, "LITERAL") == 0)
		return RC_OK;
	err_set(err, RC_USAGE, "the name * with patternType %.*s", SHOWN, pattern);
	return err_hint(err, "with LITERAL it stands for everything");
}

int filters_check(const char *setting, const json_t *json, struct notes *notes, struct err *err)
{
	const struct filter_kind *kind = kind_of(setting);
	const json_t *array, *entry;
	const char *name;
	json_t *value;
	size_t i;

	if (kind == NULL)
		return RC_OK;
	json_object_foreach((json_t *)(uintptr_t)json, name, value) {
		(void)value;
		if (strcmp(name, kind->array) != 0) {
			err_set(err, RC_USAGE, "unknown field \"%.*s\"", SHOWN, name);
			return err_hint(err, "%s", kind->example);
		}
	}
	array = json_object_get(json, kind->array);
	if (!json_is_array(array)) {
		err_set(err, RC_USAGE, "a list named %s is needed", kind->array);
		return err_hint(err, "%s", kind->example);
	}
	json_array_foreach(array, i, entry) {
		int rc = check_object(kind->fields, entry, notes, err);

		if (rc == RC_OK && kind->fields == name_fields)
			rc = check_star(entry, err);
		if (rc != RC_OK)
			return err_wrap(err, "%s[%zu]", kind->array, i);
	}
	return RC_OK;
}

/* ---- matching ---- */

static bool matches(const json_t *entry, const char *name)
{
	const char *wanted = json_string_value(json_object_get(entry, "name"));
	const char *pattern = json_string_value(json_object_get(entry, "patternType"));

	if (wanted == NULL || pattern == NULL)
		return false;
	if (strcasecmp(pattern, "PREFIXED") == 0)
		return strncmp(name, wanted, strlen(wanted)) == 0;
	return strcmp(wanted, "*") == 0 || strcmp(wanted, name) == 0;
}

bool filters_take(const json_t *filters, const char *array, const char *name)
{
	const json_t *entry;
	bool taken = false;
	size_t i;

	json_array_foreach(json_object_get(filters, array), i, entry) {
		const char *type = json_string_value(json_object_get(entry, "filterType"));

		if (type == NULL || !matches(entry, name))
			continue;
		if (strcasecmp(type, "INCLUDE") != 0 && strcasecmp(type, "WHITELIST") != 0)
			return false;
		taken = true;
	}
	return taken;
}
