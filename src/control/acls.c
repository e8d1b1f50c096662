/* SPDX-License-Identifier: Apache-2.0 */
#include "control/acls.h"

#include "base/mem.h"

#include <string.h>

const char *acl_text(const json_t *acl, const char *key)
{
	const char *value = json_string_value(json_object_get(acl, key));

	return value != NULL ? value : "";
}

bool acl_is(const json_t *acl, const char *key, const char *value)
{
	return strcmp(acl_text(acl, key), value) == 0;
}

bool acl_pattern_reaches(const char *pattern, const char *resource, const char *name)
{
	if (strcmp(pattern, "PREFIXED") == 0)
		return strncmp(name, resource, strlen(resource)) == 0;
	return strcmp(resource, "*") == 0 || strcmp(resource, name) == 0;
}

bool acls_has(const json_t *list, const json_t *acl)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), acl))
			return true;
	return false;
}

json_t *acls_pick(const json_t *some, const json_t *list, bool has)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(some); i++) {
		json_t *acl = json_array_get(some, i);

		if (acls_has(list, acl) == has)
			json_array_append(out, acl);
	}
	return out;
}

bool acls_have_any(const json_t *list, const json_t *some)
{
	for (size_t i = 0; i < json_array_size(some); i++)
		if (acls_has(list, json_array_get(some, i)))
			return true;
	return false;
}

bool acls_have_all(const json_t *list, const json_t *some)
{
	for (size_t i = 0; i < json_array_size(some); i++)
		if (!acls_has(list, json_array_get(some, i)))
			return false;
	return true;
}

json_t *acls_json(const struct admin_acls *acls)
{
	json_t *array = json_array();

	for (int i = 0; i < acls->n; i++) {
		const struct admin_acl *a = &acls->items[i];

		json_array_append_new(array, json_pack("{ssssssssssss}", "resource", a->resource, "pattern", a->pattern,
						       "principal", a->principal, "host", a->host, "operation",
						       a->operation, "permission", a->permission));
	}
	return array;
}

struct admin_acl *acls_of(const json_t *array, int *n)
{
	struct admin_acl *out = xcalloc(json_array_size(array) + 1, sizeof(*out));

	*n = (int)json_array_size(array);
	for (int i = 0; i < *n; i++) {
		const json_t *a = json_array_get(array, (size_t)i);

		out[i] = (struct admin_acl){
			.resource = acl_text(a, "resource"), .pattern = acl_text(a, "pattern"),
			.principal = acl_text(a, "principal"), .host = acl_text(a, "host"),
			.operation = acl_text(a, "operation"), .permission = acl_text(a, "permission"),
			.type = json_string_value(json_object_get(a, "type")),
		};
	}
	return out;
}

json_t *acl_rule(const char *topic, const char *principal, const char *operation, const char *permission)
{
	return json_pack("{ssssssssssss}", "resource", topic, "pattern", "LITERAL", "principal", principal, "host", "*",
			 "operation", operation, "permission", permission);
}
