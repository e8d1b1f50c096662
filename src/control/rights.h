/* SPDX-License-Identifier: Apache-2.0 */
/* Which rights krmirror needs on both clusters, which of them it has, and the commands that grant them. Pure: what
 * brokers answered comes in as bit fields of operations (Metadata, DescribeCluster, DescribeGroups). */
#pragma once

#include "base/arena.h"
#include "client/admin_acl.h"
#include "control/outcome.h"

#include <stdbool.h>
#include <stdint.h>

enum right_resource { RIGHT_CLUSTER, RIGHT_TOPIC, RIGHT_GROUP, RIGHT_TRANSACTIONAL_ID };
/* Kafka's codes of operations. */
enum right_operation {
	RIGHT_READ = 3, RIGHT_WRITE, RIGHT_CREATE, RIGHT_DELETE, RIGHT_ALTER, RIGHT_DESCRIBE, RIGHT_CLUSTER_ACTION,
	RIGHT_DESCRIBE_CONFIGS, RIGHT_ALTER_CONFIGS
};
enum right_state { RIGHT_HELD, RIGHT_UNKNOWN, RIGHT_MISSING };

/* "Topic", "READ". */
const char *right_resource_name(enum right_resource resource);
const char *right_operation_name(enum right_operation operation);

struct right {
	enum side side;
	enum right_resource resource;
	const char *name;            /* "kafka-cluster" of a cluster */
	bool prefixed;               /* of all names that begin so */
	bool any;                    /* name is no name: the topics are not known yet */
	bool needed;                 /* false: krmirror works without, but see `without` */
	enum right_operation operation;
	const char *use;             /* which requests need it, and for what */
	const char *without;         /* what happens without it */
	enum right_state state;
};

struct rights {
	struct right *items;
	int n;
};

struct rights_topic {
	const char *source, *destination;
	bool exists;                 /* at the destination */
};

/* Groups that a link reads or commits, by an entry of its filters. */
struct rights_group {
	enum side side;
	const char *name;            /* "*": all */
	bool prefixed;
	bool commits;                /* READ is needed, else DESCRIBE */
};

/* What there is to have rights on. */
struct rights_spec {
	const char *control_topic, *group;
	const char *link, *prefix;   /* prefix "": none; link NULL: not known, only the destination's own things */
	const struct rights_topic *topics;
	int n;
	const struct rights_group *groups;
	int n_groups;
	const char *source_log;      /* the source's control topic, where it is to be read; or NULL */
	bool by_prefix;              /* as grants: one for all mirror topics where there is a prefix, and for those to come */
};
struct rights rights_needed(const struct rights_spec *spec, struct arena *arena);

/* What a broker said of the caller's rights on one thing. */
struct rights_answer {
	enum side side;
	enum right_resource resource;
	const char *name;
	int32_t operations;          /* INT32_MIN: not told */
	bool denied;                 /* it may not even be described */
};
struct rights_known {
	const struct rights_answer *items;
	int n;
	bool everything[2];          /* by enum side: the cluster has no authorizer */
	bool alter_marks;            /* the destination takes markers from who may ALTER the cluster (Kafka 3.8) */
};
/* Fills in each state. The answer for `any` rights is the one with the right's name. */
void rights_judge(struct rights *rights, const struct rights_known *known);

/* Whom to grant to, and where. */
struct rights_grantee {
	const char *principal;       /* "User:krmirror" */
	const char *note;            /* what must be looked at before it is used, or NULL */
	const char *bootstrap;
	bool secured;                /* the administrator has to log in, too */
};
/* One command for each thing: the rights [*at..] that have side, resource and name in common; one for each that is not
 * needed. Moves *at behind them. In the arena. */
const char *rights_command(const struct rights *rights, int *at, const struct rights_grantee *grantee,
			   struct arena *arena);

/* Who besides principal may write, by these ACLs of a topic: "User:alice, User:* (prefixed _)"; NULL: nobody. */
const char *rights_writers(const struct admin_acls *acls, const char *principal, struct arena *arena);
