/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs, and what the caller itself may do with topics. Sequential, as client/admin.h. */
#pragma once

#include "client/admin.h"

struct admin_acl {
	const char *resource, *pattern;        /* "orders", "LITERAL"; "ord", "PREFIXED" */
	const char *principal, *host;
	const char *operation, *permission;    /* "WRITE", "DENY" */
	const char *type;                      /* "TOPIC", "GROUP"; NULL stands for TOPIC */
};

struct admin_acls {
	struct admin_acl *items;
	int n;
	bool authorizer;                /* false: the cluster has none, and so no ACLs */
};

/* The ACLs that match a topic: literal ones, prefixed ones and those of "*". */
int admin_topic_acls(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
		     struct admin_acls *acls, struct err *err) MUST_USE;
/* As one broker knows them; topic NULL: of all topics. Brokers learn of changes one after the other. */
int admin_topic_acls_at(struct cluster *cluster, int32_t node, const char *topic, int64_t deadline_ns,
			struct arena *arena, struct admin_acls *acls, struct err *err) MUST_USE;
/* Those of all kinds of resources. */
int admin_all_acls(struct cluster *cluster, int64_t deadline_ns, struct arena *arena, struct admin_acls *acls,
		   struct err *err) MUST_USE;
/* What is there already, or not there any more, is no error. RC_AUTH: no ALTER on the cluster. Nothing
 * happens for n 0. */
int admin_create_acls(struct cluster *cluster, const struct admin_acl *acls, int n, int64_t deadline_ns,
		      struct err *err) MUST_USE;
int admin_delete_acls(struct cluster *cluster, const struct admin_acl *acls, int n, int64_t deadline_ns,
		      struct err *err) MUST_USE;

/* AclOperation's numbers, the bits of authorized operations. */
enum { ADMIN_OP_READ = 3, ADMIN_OP_WRITE = 4 };

/* What one broker lets the caller do with topics. */
struct admin_operations {
	const char *topic;
	int32_t allowed;                /* a bit field; INT32_MIN: not told, 0: nothing, not even DESCRIBE */
	bool found;                     /* false: the topic does not exist */
};
int admin_topics_operations(struct cluster *cluster, int32_t node, struct admin_operations *topics, int n,
			    int64_t deadline_ns, struct err *err) MUST_USE;
