/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin_groups.h"

#include "base/mem.h"
#include "client/admin_priv.h"
#include "client/calls.h"
#include "wire/msg/find_coordinator.h"
#include "wire/msg/list_groups.h"
#include "wire/msg/offset_commit.h"
#include "wire/msg/offset_fetch.h"

#include <stdlib.h>
#include <string.h>

enum { NO_ANSWER = INT16_MAX, BATCH = 100, MANY_GROUPS = 8, MANY_KEYS = 4 };

/* What the calls of one function share. */
struct job {
	struct calls calls;
	struct arena *arena;
	struct err *err;
	const char *verb, *right;
	int answered;
	bool refused;                   /* err has a broker's refusal, which matters more than silence */
};

static void job_code(struct job *job, const char *object, int16_t code)
{
	struct admin_op op = { .cluster = job->calls.cluster, .verb = job->verb, .object = object, .right = job->right };
	struct err err;

	if (code == 0 || admin_code_retries(code))
		return;
	if (admin_code(&op, code, STR_NULL, &err) != RC_OK && !job->refused) {
		*job->err = err;
		job->refused = true;
	}
}

static void job_failed(struct job *job, const struct call *call)
{
	if (!job->refused)
		*job->err = call->err;
}

static const char *copied(struct arena *arena, struct str s)
{
	return arena_strndup(arena, s.len > 0 ? s.data : "", (size_t)MAX(s.len, 0));
}

/* ---- list ---- */

struct listing {
	struct job job;
	int32_t *nodes;
	struct admin_listed_groups *out;
	int room;
};

static int32_t list_build(struct calls *calls, int i, struct call *call)
{
	call_init(call, &list_groups_api, NULL, NULL);
	return container_of(calls, struct listing, job.calls)->nodes[i];
}

static void list_take(struct listing *l, const struct call *call, const struct listed_group *in, int32_t node)
{
	struct arena *arena = l->job.arena;

	if (l->out->n == l->room) {
		l->room = MAX(l->room * 2, 64);
		l->out->items = xrealloc(l->out->items, (size_t)l->room, sizeof(*l->out->items));
	}
	l->out->items[l->out->n++] = (struct admin_listed_group){
		.id = copied(arena, in->group_id), .protocol_type = copied(arena, in->protocol_type),
		.state = call->version >= 4 ? copied(arena, in->group_state) : NULL,
		.type = call->version >= 5 ? copied(arena, in->group_type) : NULL,
		.node = node,
	};
}

static void list_read(struct calls *calls, int i, struct call *call)
{
	struct listing *l = container_of(calls, struct listing, job.calls);
	const struct list_groups_response *res;

	if (call->rc != RC_OK) {
		job_failed(&l->job, call);
		return;
	}
	res = call_res(call, list_groups);
	job_code(&l->job, "groups", res->error_code);
	l->job.answered += res->error_code == 0;
	for (int32_t g = 0; g < res->groups.n; g++)
		list_take(l, call, &res->groups.items[g], l->nodes[i]);
}

int admin_list_groups(struct cluster *cluster, int64_t deadline_ns, struct arena *arena,
		      struct admin_listed_groups *groups, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "list", .object = "groups" };
	struct listing l = {
		.job = { .calls = { .cluster = cluster, .deadline_ns = deadline_ns, .build = list_build, .read = list_read },
			 .arena = arena, .err = err, .verb = "list", .right = "DESCRIBE on Cluster" },
		.out = groups,
	};
	struct admin_listed_group *items;

	*groups = (struct admin_listed_groups){ 0 };
	*err = (struct err){ 0 };
	if (cluster_n_nodes(cluster) == 0 && admin_refresh(&op, err) != RC_OK)
		return err->rc;
	l.job.calls.n = cluster_n_nodes(cluster);
	l.nodes = xcalloc((size_t)l.job.calls.n, sizeof(*l.nodes));
	for (int i = 0; i < l.job.calls.n; i++)
		l.nodes[i] = cluster_node_at(cluster, i)->id;
	calls_run(&l.job.calls);
	xfree(l.nodes);
	items = arena_new(arena, struct admin_listed_group, groups->n);
	if (groups->n > 0)
		memcpy(items, groups->items, (size_t)groups->n * sizeof(*items));
	xfree(groups->items);
	groups->items = items;
	groups->complete = l.job.answered == l.job.calls.n;
	if (l.job.answered > 0 || err->rc != RC_OK)
		return l.job.answered > 0 ? RC_OK : admin_failed(&op, err);
	return err_set(err, RC_TIMEOUT, "%s: the coordinators of groups are not ready", cluster_options(cluster)->side);
}

/* ---- coordinators ---- */

struct finding {
	struct job job;
	struct admin_group_offsets **open;
	int n_open;
};

static int32_t find_build(struct calls *calls, int i, struct call *call)
{
	struct finding *f = container_of(calls, struct finding, job.calls);
	struct find_coordinator_request *req;
	int from = i * BATCH, n = MIN(BATCH, f->n_open - from);

	call_init(call, &find_coordinator_api, NULL, NULL);
	call->version_min = MANY_KEYS;
	req = call_req(call, find_coordinator);
	req->coordinator_keys.items = arena_new(&call->arena, struct str, n);
	req->coordinator_keys.n = n;
	for (int k = 0; k < n; k++)
		req->coordinator_keys.items[k] = str_of(f->open[from + k]->group);
	return NODE_ANY;
}

static void found(struct finding *f, struct admin_group_offsets *group, int16_t code, int32_t node)
{
	group->error = code;
	if (code == 0)
		group->node = node;
	job_code(&f->job, group->group, code);
}

static void find_read(struct calls *calls, int i, struct call *call)
{
	struct finding *f = container_of(calls, struct finding, job.calls);
	const struct find_coordinator_response *res;
	int from = i * BATCH;

	if (call->rc != RC_OK) {
		if (call->rc != RC_UNSUPPORTED)
			job_failed(&f->job, call);
		return;
	}
	res = call_res(call, find_coordinator);
	/* answered in the order of the question */
	for (int32_t k = 0; k < res->coordinators.n && from + k < f->n_open; k++)
		if (str_is(res->coordinators.items[k].key, f->open[from + k]->group))
			found(f, f->open[from + k], res->coordinators.items[k].error_code, res->coordinators.items[k].node_id);
}

static int32_t find_one_build(struct calls *calls, int i, struct call *call)
{
	struct finding *f = container_of(calls, struct finding, job.calls);

	call_init(call, &find_coordinator_api, NULL, NULL);
	call->version_max = MANY_KEYS - 1;
	call_req(call, find_coordinator)->key = str_of(f->open[i]->group);
	return NODE_ANY;
}

static void find_one_read(struct calls *calls, int i, struct call *call)
{
	struct finding *f = container_of(calls, struct finding, job.calls);

	if (call->rc != RC_OK)
		job_failed(&f->job, call);
	else
		found(f, f->open[i], call_res(call, find_coordinator)->error_code, call_res(call, find_coordinator)->node_id);
}

static void still_open(struct finding *f, struct admin_group_offsets *groups, int n)
{
	f->n_open = 0;
	for (int i = 0; i < n; i++)
		if (groups[i].node < 0 && groups[i].error == NO_ANSWER)
			f->open[f->n_open++] = &groups[i];
}

void admin_find_coordinators(struct cluster *cluster, struct admin_group_offsets *groups, int n, int64_t deadline_ns,
			     struct err *err)
{
	struct finding f = {
		.job = { .calls = { .cluster = cluster, .deadline_ns = deadline_ns, .build = find_build, .read = find_read },
			 .err = err, .verb = "find the coordinator of group", .right = "DESCRIBE on Group" },
	};

	*err = (struct err){ 0 };
	f.open = xcalloc((size_t)n + 1, sizeof(*f.open));
	for (int i = 0; i < n; i++)
		if (groups[i].node < 0)
			groups[i].error = NO_ANSWER;
	still_open(&f, groups, n);
	f.job.calls.n = (f.n_open + BATCH - 1) / BATCH;
	calls_run(&f.job.calls);
	/* Brokers before 3.0 are asked for one after the other. */
	still_open(&f, groups, n);
	if (err->rc == RC_OK && f.n_open > 0) {
		f.job.calls.n = f.n_open;
		f.job.calls.build = find_one_build;
		f.job.calls.read = find_one_read;
		calls_run(&f.job.calls);
	}
	xfree(f.open);
}

/* ---- fetch ---- */

struct fetching {
	struct job job;
	struct admin_group_offsets **open;   /* by node */
	struct span {
		int from, n;
	} *spans;                            /* one request each */
};

static int32_t fetch_many_build(struct calls *calls, int i, struct call *call)
{
	struct fetching *f = container_of(calls, struct fetching, job.calls);
	struct offset_fetch_request *req;
	struct span span = f->spans[i];

	call_init(call, &offset_fetch_api, NULL, NULL);
	req = call_req(call, offset_fetch);
	if (span.n > 1)
		call->version_min = MANY_GROUPS;
	req->topics.n = -1;
	req->group_id = str_of(f->open[span.from]->group);
	req->groups.items = arena_new(&call->arena, struct offset_fetch_group, span.n);
	req->groups.n = span.n;
	for (int k = 0; k < span.n; k++)
		req->groups.items[k] = (struct offset_fetch_group){
			.group_id = str_of(f->open[span.from + k]->group), .member_id = STR_NULL, .member_epoch = -1,
			.topics = { .items = NULL, .n = -1 },
		};
	return f->open[span.from]->node;
}

static void offsets_copy(struct arena *arena, const struct fetched_offsets_group *in, struct admin_group_offsets *out)
{
	int n = 0;

	for (int32_t t = 0; t < in->topics.n; t++)
		n += MAX(in->topics.items[t].partitions.n, 0);
	out->items = arena_new(arena, struct admin_committed, n);
	for (int32_t t = 0; t < in->topics.n; t++) {
		const char *topic = copied(arena, in->topics.items[t].name);

		for (int32_t p = 0; p < in->topics.items[t].partitions.n; p++) {
			const struct fetched_offsets_group_partition *from = &in->topics.items[t].partitions.items[p];

			if (from->error_code == 0 && from->committed_offset >= 0)
				out->items[out->n++] = (struct admin_committed){
					topic, from->partition_index, from->committed_offset, copied(arena, from->metadata),
				};
		}
	}
}

/* What a version that answers for one group says, in the form of those that answer for many. */
static struct fetched_offsets_group as_group(struct arena *arena, const struct offset_fetch_response *in)
{
	struct fetched_offsets_group out = { .error_code = in->error_code };

	out.topics.n = MAX(in->topics.n, 0);
	out.topics.items = arena_new(arena, struct fetched_offsets_group_topic, out.topics.n);
	for (int32_t t = 0; t < out.topics.n; t++) {
		const struct fetched_offsets_topic *from = &in->topics.items[t];
		struct fetched_offsets_group_topic *to = &out.topics.items[t];

		to->name = from->name;
		to->partitions.n = MAX(from->partitions.n, 0);
		to->partitions.items = arena_new(arena, struct fetched_offsets_group_partition, to->partitions.n);
		for (int32_t p = 0; p < to->partitions.n; p++)
			to->partitions.items[p] = (struct fetched_offsets_group_partition){
				.partition_index = from->partitions.items[p].partition_index,
				.committed_offset = from->partitions.items[p].committed_offset,
				.metadata = from->partitions.items[p].metadata,
				.error_code = from->partitions.items[p].error_code,
			};
	}
	return out;
}

static void group_take(struct fetching *f, const struct fetched_offsets_group *answer, struct admin_group_offsets *group)
{
	group->error = answer->error_code;
	job_code(&f->job, group->group, group->error);
	if (group->error == 0)
		offsets_copy(f->job.arena, answer, group);
}

static void fetch_many_read(struct calls *calls, int i, struct call *call)
{
	struct fetching *f = container_of(calls, struct fetching, job.calls);
	const struct offset_fetch_response *res;
	struct span span = f->spans[i];

	if (call->rc != RC_OK) {
		if (call->rc != RC_UNSUPPORTED || span.n == 1)
			job_failed(&f->job, call);
		return;
	}
	res = call_res(call, offset_fetch);
	if (call->version < MANY_GROUPS) {
		struct fetched_offsets_group one = as_group(&call->arena, res);

		group_take(f, &one, f->open[span.from]);
		return;
	}
	/* answered in the order of the question, or not at all */
	for (int32_t k = 0, at = span.from; k < res->groups.n && at < span.from + span.n; k++, at++)
		if (str_is(res->groups.items[k].group_id, f->open[at]->group))
			group_take(f, &res->groups.items[k], f->open[at]);
}

static int by_node(const void *a, const void *b)
{
	const struct admin_group_offsets *x = *(struct admin_group_offsets *const *)a;
	const struct admin_group_offsets *y = *(struct admin_group_offsets *const *)b;

	return x->node != y->node ? (x->node > y->node) - (x->node < y->node) : strcmp(x->group, y->group);
}

/* Those without an answer, batch of one node after batch. Returns how many requests that is. */
static int spans_make(struct fetching *f, struct admin_group_offsets *groups, int n, int batch)
{
	int open = 0, spans = 0;

	for (int i = 0; i < n; i++)
		if (groups[i].node >= 0 && groups[i].error == NO_ANSWER)
			f->open[open++] = &groups[i];
	qsort(f->open, (size_t)open, sizeof(*f->open), by_node);
	for (int at = 0; at < open;) {
		struct span span = { at, 0 };

		while (at < open && span.n < batch && f->open[at]->node == f->open[span.from]->node) {
			span.n++;
			at++;
		}
		f->spans[spans++] = span;
	}
	return spans;
}

void admin_fetch_offsets(struct cluster *cluster, struct admin_group_offsets *groups, int n, int64_t deadline_ns,
			 struct arena *arena, struct err *err)
{
	struct fetching f = {
		.job = { .calls = { .cluster = cluster, .deadline_ns = deadline_ns, .build = fetch_many_build,
				    .read = fetch_many_read },
			 .arena = arena, .err = err, .verb = "read the offsets of group", .right = "DESCRIBE on Group" },
	};

	*err = (struct err){ 0 };
	f.open = xcalloc((size_t)n + 1, sizeof(*f.open));
	f.spans = xcalloc((size_t)n + 1, sizeof(*f.spans));
	for (int i = 0; i < n; i++) {
		if (groups[i].node >= 0)
			groups[i].error = NO_ANSWER;
		groups[i].items = NULL;
		groups[i].n = 0;
	}
	f.job.calls.n = spans_make(&f, groups, n, BATCH);
	calls_run(&f.job.calls);
	/* Brokers before 3.0 take one group at a time. */
	if (err->rc == RC_OK) {
		f.job.calls.n = spans_make(&f, groups, n, 1);
		calls_run(&f.job.calls);
	}
	xfree(f.open);
	xfree(f.spans);
}

/* ---- commit ---- */

struct committing {
	struct job job;
	struct admin_group_commit *commits;
};

static int32_t commit_build(struct calls *calls, int i, struct call *call)
{
	struct admin_group_commit *commit = &container_of(calls, struct committing, job.calls)->commits[i];
	struct offset_commit_request *req;
	struct offset_commit_topic *topic = NULL;

	call_init(call, &offset_commit_api, NULL, NULL);
	req = call_req(call, offset_commit);
	req->group_id = str_of(commit->group);
	req->generation_id_or_member_epoch = -1;
	req->member_id = str_of("");
	req->group_instance_id = STR_NULL;
	req->topics.items = arena_new(&call->arena, struct offset_commit_topic, commit->n);
	for (int k = 0; k < commit->n; k++) {
		const struct admin_commit_item *item = &commit->items[k];

		if (topic == NULL || !str_is(topic->name, item->topic)) {
			topic = &req->topics.items[req->topics.n++];
			topic->name = str_of(item->topic);
			topic->partitions.items = arena_new(&call->arena, struct offset_commit_partition, commit->n - k);
		}
		topic->partitions.items[topic->partitions.n++] = (struct offset_commit_partition){
			.partition_index = item->partition, .committed_offset = item->offset,
			.committed_leader_epoch = -1, .committed_metadata = str_of(item->metadata),
		};
	}
	return commit->node;
}

static void commit_answer(struct admin_group_commit *commit, const struct committed_topic *topic)
{
	for (int32_t p = 0; p < topic->partitions.n; p++)
		for (int k = 0; k < commit->n; k++)
			if (commit->items[k].partition == topic->partitions.items[p].partition_index &&
			    str_is(topic->name, commit->items[k].topic))
				commit->items[k].error = topic->partitions.items[p].error_code;
}

static void commit_read(struct calls *calls, int i, struct call *call)
{
	struct committing *c = container_of(calls, struct committing, job.calls);
	struct admin_group_commit *commit = &c->commits[i];
	const struct offset_commit_response *res;

	for (int k = 0; k < commit->n; k++)
		commit->items[k].sent = call->sent;
	if (call->rc != RC_OK) {
		job_failed(&c->job, call);
		return;
	}
	res = call_res(call, offset_commit);
	for (int32_t t = 0; t < res->topics.n; t++)
		commit_answer(commit, &res->topics.items[t]);
	for (int k = 0; k < commit->n; k++)
		if (commit->items[k].error != KERR_UNKNOWN_MEMBER_ID && commit->items[k].error != NO_ANSWER)
			job_code(&c->job, commit->group, commit->items[k].error);
}

void admin_commit_offsets(struct cluster *cluster, struct admin_group_commit *commits, int n, int64_t deadline_ns,
			  struct err *err)
{
	struct committing c = {
		.job = { .calls = { .cluster = cluster, .n = n, .deadline_ns = deadline_ns, .build = commit_build,
				    .read = commit_read },
			 .err = err, .verb = "commit offsets of group",
			 .right = "READ on Group, and READ on its topics," },
		.commits = commits,
	};

	*err = (struct err){ 0 };
	for (int i = 0; i < n; i++)
		for (int k = 0; k < commits[i].n; k++)
			commits[i].items[k].error = NO_ANSWER;
	calls_run(&c.job.calls);
}
