/* SPDX-License-Identifier: Apache-2.0 */
#include "control/acl_names.h"

#include "base/mem.h"
#include "control/acls.h"

#include <string.h>

/* As the link itself would call the mirror of its source topic. */
static bool is_regular(const struct acl_names *names, const struct acl_mirror *mirror)
{
	size_t before = strlen(names->prefix), name = strlen(mirror->source);

	return strlen(mirror->topic) == before + name + strlen(names->suffix) &&
	       strncmp(mirror->topic, names->prefix, before) == 0 &&
	       strncmp(mirror->topic + before, mirror->source, name) == 0 &&
	       strcmp(mirror->topic + before + name, names->suffix) == 0;
}

bool acl_names_differ(const struct acl_names *names)
{
	bool differ = names->prefix[0] != '\0' || names->suffix[0] != '\0' || names->group_prefix[0] != '\0';

	for (int i = 0; i < names->n && !differ; i++)
		differ = !is_regular(names, &names->mirrors[i]);
	return differ;
}

static void put(json_t *out, const json_t *acl, const char *resource)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)acl);

	json_object_set_new(copy, "resource", json_string(resource));
	json_array_append_new(out, copy);
}

static void put_behind(json_t *out, const json_t *acl, const char *prefix)
{
	char *name = xasprintf("%s%s", prefix, acl_text(acl, "resource"));

	put(out, acl, name);
	xfree(name);
}

static void by_name(const struct acl_names *names, const json_t *acl, json_t *out)
{
	bool renames = names->prefix[0] != '\0' || names->suffix[0] != '\0', any = false;

	for (int i = 0; i < names->n; i++)
		if (acl_is(acl, "resource", names->mirrors[i].source)) {
			put(out, acl, names->mirrors[i].topic);
			any = true;
		}
	/* Where the link keeps names it may be mirrored later, or be none that is mirrored at all. */
	if (!any && !renames)
		put(out, acl, acl_text(acl, "resource"));
}

/* Whether the prefix, moved behind the link's, reaches just the mirrors of the topics that it reaches at the source. */
static bool is_exact(const struct acl_names *names, const char *prefix)
{
	size_t before = strlen(names->prefix), n = strlen(prefix);

	if (names->suffix[0] != '\0')
		return false;
	for (int i = 0; i < names->n; i++) {
		const struct acl_mirror *mirror = &names->mirrors[i];
		bool there = strncmp(mirror->source, prefix, n) == 0;
		bool here = strncmp(mirror->topic, names->prefix, before) == 0 &&
			    strncmp(mirror->topic + before, prefix, n) == 0;

		if (there != here)
			return false;
	}
	return true;
}

static void translate(const struct acl_names *names, const json_t *acl, json_t *out, json_t *refused)
{
	bool prefixed = acl_is(acl, "pattern", "PREFIXED");
	bool everything = !prefixed && acl_is(acl, "resource", "*");
	bool of_topics = acl_is(acl, "type", "TOPIC"), of_groups = acl_is(acl, "type", "GROUP");

	if (everything || (!of_topics && !of_groups))
		put(out, acl, acl_text(acl, "resource"));
	else if (of_groups)
		put_behind(out, acl, names->group_prefix);
	else if (!prefixed)
		by_name(names, acl, out);
	else if (is_exact(names, acl_text(acl, "resource")))
		put_behind(out, acl, names->prefix);
	else
		json_array_append(refused, (json_t *)(uintptr_t)acl);
}

json_t *acl_names_translate(const struct acl_names *names, const json_t *acls, json_t *refused)
{
	json_t *out = json_array();
	const json_t *acl;
	size_t i;

	json_array_foreach(acls, i, acl)
		translate(names, acl, out, refused);
	return out;
}
