/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs of the source under the names that things have at the destination, for links whose mirrors, or groups, are called
 * otherwise there. Pure.
 *
 * Of topics: a literal name becomes that of each mirror of the topic, and is left out as long as it has none; a prefix
 * becomes the link's prefix before it, where the link puts nothing behind names and every mirror is called as the link
 * says; else no ACL says the same, and it is refused. * stays what it is. Of groups: the link's prefix comes before them,
 * where it does before synced ones. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct acl_mirror {
	const char *source, *topic;
};

struct acl_names {
	const char *prefix;          /* of the link, with what the rename format has before the topic; "" */
	const char *suffix;          /* what it has behind it; "" */
	const char *group_prefix;    /* "" */
	const struct acl_mirror *mirrors;   /* of this link, live or stopped */
	int n;
};

/* False: everything has its name; there is nothing to do. */
bool acl_names_differ(const struct acl_names *names);
/* A new array; refused: the array that what no ACL says is added to, as it is at the source. */
json_t *acl_names_translate(const struct acl_names *names, const json_t *acls, json_t *refused);
