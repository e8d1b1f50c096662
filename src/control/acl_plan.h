/* SPDX-License-Identifier: Apache-2.0 */
/* Which ACLs of the source are to stand at the destination: the decision of AclSync. Pure.
 *
 * Of the source's ACLs that the filters match, all are made but
 *  - those that are krmirror's own: of its principals, on its control topic or group, on the cluster;
 *  - what lets somebody write to a live mirror (WRITE and ALL, by name, prefix or star). Of ALL, what readers need is
 *    made. The rest is withheld, and recorded with the mirror as what promotion makes: for the mirror's name alone, so
 *    that it can be done whatever else is mirrored. When no live mirror is left that it would reach, it is made as it is
 *    at the source; until then by name for those that were stopped;
 *  - what would let somebody write to the control topic: never as it is, only by name for stopped mirrors;
 *  - a DENY for everyone, or the first ACL of a thing, that would shut krmirror out where it is no super user: told. It
 *    is known to be one where its control topic is closed to everyone, for it reads it.
 * What the task made and does not want any more is removed; what others made is left alone. */
#pragma once

#include "control/acls.h"
#include "control/props.h"

struct acl_topic {
	const char *name;
	bool stopped;                /* an ordinary topic again; else a live mirror */
	bool other;                  /* of another link: nothing is recorded with it */
	bool guarded;                /* the read-only guard stands: krmirror is not shut out by more ACLs */
};

struct acl_seen {
	const json_t *source, *here; /* all ACLs, as acls_json has them */
	const json_t *made;          /* what the task made before; NULL: nothing */
	const json_t *filters;       /* the array aclFilters; NULL: all */
	const struct acl_topic *topics;
	int n_topics;
	const char *selves[2];       /* krmirror's principals; NULL: not known */
	const char *control_topic, *group;
};

struct acl_plan {
	json_t *create, *remove;     /* arrays */
	json_t *made;                /* what `made` is when that is done; create is in it */
	json_t **intended;           /* per topic: array of what its promotion makes */
	int n_topics;
	json_t *shutting;            /* array: what is not made because krmirror would be shut out */
};

/* As acls_json, with the type of the resource. */
json_t *acls_typed(const struct admin_acls *acls);

/* Those of the source's ACLs that the filters match and that are not krmirror's own; a new array. For who changes their names
 * before the plan. */
json_t *acls_of_others(const struct acl_seen *seen);

void acl_plan(const struct acl_seen *seen, struct acl_plan *plan);
void acl_plan_fini(struct acl_plan *plan);
