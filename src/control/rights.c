/* SPDX-License-Identifier: Apache-2.0 */
#include "control/rights.h"

#include "base/mem.h"

#include <string.h>

enum { PER_TOPIC = 16, PER_GROUP = 2, BESIDES = 24 };

const char *right_resource_name(enum right_resource resource)
{
	static const char *const names[] = { "Cluster", "Topic", "Group", "TransactionalId" };

	return names[resource];
}

const char *right_operation_name(enum right_operation operation)
{
	static const char *const names[] = {
		[RIGHT_READ] = "READ", [RIGHT_WRITE] = "WRITE", [RIGHT_CREATE] = "CREATE", [RIGHT_DELETE] = "DELETE",
		[RIGHT_ALTER] = "ALTER", [RIGHT_DESCRIBE] = "DESCRIBE", [RIGHT_CLUSTER_ACTION] = "CLUSTER_ACTION",
		[RIGHT_DESCRIBE_CONFIGS] = "DESCRIBE_CONFIGS", [RIGHT_ALTER_CONFIGS] = "ALTER_CONFIGS",
	};

	return names[operation];
}

/* --- what is needed ------------------------------------------------------------------------------------------ */

struct row {
	enum right_operation operation;
	bool needed;
	const char *use, *without;
};

#define STOPS "the partition stops: AUTHORIZATION"

static const struct row source_topic[] = {
	{ RIGHT_DESCRIBE, true, "Metadata, ListOffsets, OffsetForLeaderEpoch: leaders, ends and epochs", STOPS },
	{ RIGHT_READ, true, "Fetch: its records", STOPS },
	{ RIGHT_DESCRIBE_CONFIGS, true, "DescribeConfigs: the settings that the mirror gets", "mirror create is refused" },
};
static const struct row source_cluster[] = {
	{ RIGHT_DESCRIBE, false, "DescribeAcls: AclSync, topic diff",
	  "ACLs do not follow the source's, and topic diff does not compare them" },
};
/* Of the source's own control topic, where a link mirrors topics by itself that no filter names literally. */
static const struct row source_log[] = {
	{ RIGHT_DESCRIBE, false, "Metadata, ListOffsets: whether the source has mirrors of its own",
	  "only topics that a filter names literally are mirrored by themselves" },
	{ RIGHT_READ, false, "Fetch: which topics of the source are mirrors",
	  "only topics that a filter names literally are mirrored by themselves" },
};
static const struct row mirror_topic[] = {
	{ RIGHT_DESCRIBE, true, "Metadata, ListOffsets: leaders and log ends", STOPS },
	{ RIGHT_READ, true, "Fetch, DescribeProducers: whose batch is the last one", STOPS },
	{ RIGHT_WRITE, true, "Produce: its records", STOPS },
	{ RIGHT_DELETE, true, "DeleteRecords: the log's start follows the source's",
	  "a source log that starts above 0 is not mirrored, and the mirror grows for ever" },
	{ RIGHT_ALTER, true, "CreatePartitions: the topic grows with the source's", "new partitions are not mirrored" },
	{ RIGHT_DESCRIBE_CONFIGS, true, "DescribeConfigs: what its settings are",
	  "limits do not follow the source's, promote cannot restore settings" },
	{ RIGHT_ALTER_CONFIGS, true, "IncrementalAlterConfigs: settings that follow the source's, and those at promotion",
	  "settings do not follow the source's, promote cannot restore them" },
};
static const struct row creating = { RIGHT_CREATE, true, "CreateTopics", "mirror create is refused" };
static const struct row control_topic[] = {
	{ RIGHT_DESCRIBE, true, "Metadata, ListOffsets: the control log", "nothing works" },
	{ RIGHT_READ, true, "Fetch, DescribeProducers: links and mirrors", "nothing works" },
	{ RIGHT_WRITE, true, "Produce: links, mirrors and their states", "nothing can be recorded" },
	{ RIGHT_DESCRIBE_CONFIGS, true, "DescribeConfigs: which settings topics have here", "mirror create is refused" },
};
static const struct row workers_group[] = {
	{ RIGHT_DESCRIBE, true, "FindCoordinator, DescribeGroups: who the workers are", "no worker can start" },
	{ RIGHT_READ, true, "JoinGroup, Heartbeat: sharing the partitions", "no worker can start" },
};
static const struct row destination_cluster[] = {
	{ RIGHT_CLUSTER_ACTION, false, "WriteTxnMarkers (from Kafka 3.8, ALTER will do): filling offsets without a record",
	  "holes are filled by empty transactions, some 300 offsets a second; promote waits out the workers' lease" },
	{ RIGHT_ALTER, false, "CreateAcls, DeleteAcls: keeping others from writing to mirror topics, AclSync",
	  "nothing keeps others from writing to mirror topics (read_only: unenforced: not permitted), no ACLs follow" },
	{ RIGHT_DESCRIBE, false, "DescribeAcls, DescribeCluster: read-only checks, and this one",
	  "which rights krmirror has on the cluster, and who else may write to the control log, cannot be known" },
};
static const struct row transactional_ids = {
	RIGHT_WRITE, false, "InitProducerId, AddPartitionsToTxn, EndTxn: filling by empty transactions",
	"where CLUSTER_ACTION is missing too, a partition stops at its first hole: FILL_REFUSED"
};

static const struct row group_read = {
	RIGHT_DESCRIBE, true, "ListGroups, OffsetFetch: the offsets of consumer groups", "groups are not kept in step"
};
static const struct row group_commits[] = {
	{ RIGHT_DESCRIBE, true, "FindCoordinator, OffsetFetch: where a consumer group stands", "groups are not kept in step" },
	{ RIGHT_READ, true, "OffsetCommit: the offsets of consumer groups", "groups are not kept in step" },
};
static const struct row progress_commits[] = {
	{ RIGHT_DESCRIBE, true, "FindCoordinator: mirror.progress.group.id", "the progress is not committed at the source" },
	{ RIGHT_READ, true, "OffsetCommit: mirror.progress.group.id", "the progress is not committed at the source" },
};

struct building {
	struct rights rights;
	struct right thing;   /* side, resource, name: what rows are added for */
};

static void add(struct building *b, const struct row *rows, int n)
{
	for (int i = 0; i < n; i++) {
		struct right *right = &b->rights.items[b->rights.n++];

		*right = b->thing;
		right->operation = rows[i].operation;
		right->needed = rows[i].needed;
		right->use = rows[i].use;
		right->without = rows[i].without;
		right->state = RIGHT_UNKNOWN;
	}
}

#define ADD(b, rows) add((b), (rows), (int)ARRAY_LEN(rows))

static void source_rights(struct building *b, const struct rights_spec *spec)
{
	for (int i = 0; i < MAX(spec->n, 1); i++) {
		b->thing = (struct right){ .side = SIDE_SOURCE, .resource = RIGHT_TOPIC, .any = spec->n == 0,
					   .name = spec->n == 0 ? "" : spec->topics[i].source };
		ADD(b, source_topic);
	}
	b->thing = (struct right){ .side = SIDE_SOURCE, .resource = RIGHT_CLUSTER, .name = "kafka-cluster" };
	ADD(b, source_cluster);
	if (spec->source_log == NULL)
		return;
	b->thing = (struct right){ .side = SIDE_SOURCE, .resource = RIGHT_TOPIC, .name = spec->source_log };
	ADD(b, source_log);
}

static void one_mirror(struct building *b, bool exists)
{
	ADD(b, mirror_topic);
	if (!exists)
		add(b, &creating, 1);
}

static void mirror_rights(struct building *b, const struct rights_spec *spec)
{
	bool prefix = spec->prefix[0] != '\0';

	b->thing = (struct right){ .side = SIDE_DESTINATION, .resource = RIGHT_TOPIC };
	for (int i = 0; i < spec->n && !(prefix && spec->by_prefix); i++) {
		b->thing.name = spec->topics[i].destination;
		one_mirror(b, spec->topics[i].exists && !spec->by_prefix);
	}
	if (spec->n > 0 && !(prefix && spec->by_prefix))
		return;
	b->thing.name = spec->prefix;
	b->thing.prefixed = prefix;
	b->thing.any = true;
	one_mirror(b, false);
}

static const char *filler_ids(const char *link, struct arena *arena)
{
	char *text = xasprintf("krmirror/%s/", link);
	const char *kept = arena_strdup(arena, text);

	xfree(text);
	return kept;
}

static void own_rights(struct building *b, const struct rights_spec *spec, struct arena *arena)
{
	b->thing = (struct right){ .side = SIDE_DESTINATION, .resource = RIGHT_TOPIC, .name = spec->control_topic };
	ADD(b, control_topic);
	b->thing = (struct right){ .side = SIDE_DESTINATION, .resource = RIGHT_GROUP, .name = spec->group };
	ADD(b, workers_group);
	b->thing = (struct right){ .side = SIDE_DESTINATION, .resource = RIGHT_CLUSTER, .name = "kafka-cluster" };
	ADD(b, destination_cluster);
	if (spec->link == NULL)
		return;
	b->thing = (struct right){ .side = SIDE_DESTINATION, .resource = RIGHT_TRANSACTIONAL_ID, .prefixed = true };
	b->thing.name = filler_ids(spec->link, arena);
	add(b, &transactional_ids, 1);
}

static void group_rights(struct building *b, const struct rights_spec *spec)
{
	for (int i = 0; i < spec->n_groups; i++) {
		const struct rights_group *group = &spec->groups[i];

		b->thing = (struct right){ .side = group->side, .resource = RIGHT_GROUP, .name = group->name,
					   .prefixed = group->prefixed,
					   .any = group->prefixed || strcmp(group->name, "*") == 0 };
		if (!group->commits)
			add(b, &group_read, 1);
		else if (group->side == SIDE_SOURCE)
			ADD(b, progress_commits);
		else
			ADD(b, group_commits);
	}
}

struct rights rights_needed(const struct rights_spec *spec, struct arena *arena)
{
	int room = PER_TOPIC * (spec->n + 1) + PER_GROUP * spec->n_groups + BESIDES;
	struct building b = { .rights.items = arena_new(arena, struct right, room) };

	own_rights(&b, spec, arena);
	if (spec->link != NULL) {
		mirror_rights(&b, spec);
		source_rights(&b, spec);
		group_rights(&b, spec);
	}
	return b.rights;
}

/* --- what is there ------------------------------------------------------------------------------------------- */

static const struct rights_answer *answer_for(const struct right *right, const struct rights_known *known)
{
	for (int i = 0; i < known->n; i++) {
		const struct rights_answer *a = &known->items[i];

		if (a->side == right->side && a->resource == right->resource && strcmp(a->name, right->name) == 0)
			return a;
	}
	return NULL;
}

static bool has(int32_t operations, enum right_operation operation)
{
	return (operations & (1 << operation)) != 0;
}

/* Creating is also allowed by the cluster. */
static bool creates(const struct right *right, const struct rights_known *known)
{
	struct right cluster = { .side = right->side, .resource = RIGHT_CLUSTER, .name = "kafka-cluster" };
	const struct rights_answer *a = answer_for(&cluster, known);

	return right->operation == RIGHT_CREATE && a != NULL && a->operations > 0 && has(a->operations, RIGHT_CREATE);
}

static bool marks(const struct right *right, const struct rights_answer *a, const struct rights_known *known)
{
	return right->operation == RIGHT_CLUSTER_ACTION && known->alter_marks && has(a->operations, RIGHT_ALTER);
}

static enum right_state no_describe(const struct right *right)
{
	return right->operation == RIGHT_DESCRIBE && !right->any ? RIGHT_MISSING : RIGHT_UNKNOWN;
}

static enum right_state state_of(const struct right *right, const struct rights_known *known)
{
	const struct rights_answer *a = answer_for(right, known);

	if (known->everything[right->side] || creates(right, known))
		return RIGHT_HELD;
	if (a == NULL || a->operations == INT32_MIN) {
		/* What cannot be described says nothing of the other rights: a DENY of DESCRIBE alone looks the same. */
		return a != NULL && a->denied ? no_describe(right) : RIGHT_UNKNOWN;
	}
	if (a->operations == 0)   /* also the answer to who may not DESCRIBE */
		return no_describe(right);
	if (has(a->operations, right->operation) || marks(right, a, known))
		return RIGHT_HELD;
	return right->any ? RIGHT_UNKNOWN : RIGHT_MISSING;   /* it may be granted for each topic by name */
}

void rights_judge(struct rights *rights, const struct rights_known *known)
{
	for (int i = 0; i < rights->n; i++)
		rights->items[i].state = state_of(&rights->items[i], known);
}
