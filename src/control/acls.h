/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs as the control log keeps them: arrays of {resource, pattern, principal, host, operation, permission}, in Kafka's
 * words; those of the ACL sync have a type too, which is TOPIC where none is said. */
#pragma once

#include "client/admin_acl.h"

#include <jansson.h>
#include <stdbool.h>

/* A member's text, "" for none. */
const char *acl_text(const json_t *acl, const char *key);
bool acl_is(const json_t *acl, const char *key, const char *value);

/* Whether an ACL of that pattern and resource is for a thing of that name. */
bool acl_pattern_reaches(const char *pattern, const char *resource, const char *name);

bool acls_has(const json_t *list, const json_t *acl);
/* Whether the list has all of some, or one of some. */
bool acls_have_all(const json_t *list, const json_t *some);
bool acls_have_any(const json_t *list, const json_t *some);
/* Those of some that the list has (or has not); a new array. */
json_t *acls_pick(const json_t *some, const json_t *list, bool has);

/* One ACL of a topic alone, for every host. */
json_t *acl_rule(const char *topic, const char *principal, const char *operation, const char *permission);
json_t *acls_json(const struct admin_acls *acls);
/* Points into the array; the caller frees with xfree. */
struct admin_acl *acls_of(const json_t *array, int *n);
