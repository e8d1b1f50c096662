/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: made, grown, deleted, listed. */
#include "client/admin_priv.h"
#include "wire/msg/create_partitions.h"
#include "wire/msg/create_topics.h"
#include "wire/msg/delete_topics.h"
#include "wire/msg/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { CREATE_TIMEOUT_MS = 25000 };

/* --- create -------------------------------------------------------------------------------------------------- */

struct creations {
	struct admin_new_topic *topics;
	int n;
	bool validate_only;
};

static void create_build(struct call *call, const void *arg)
{
	const struct creations *all = arg;
	struct create_topics_request *req = call_req(call, create_topics);

	req->topics.items = arena_new(&call->arena, struct creatable_topic, all->n);
	req->topics.n = all->n;
	for (int t = 0; t < all->n; t++) {
		const struct admin_new_topic *new = &all->topics[t];
		struct creatable_topic *topic = &req->topics.items[t];

		topic->name = str_of(new->name);
		topic->num_partitions = new->n_partitions;
		topic->replication_factor = new->replication_factor;
		topic->configs.items = arena_new(&call->arena, struct creatable_config, new->n_settings);
		topic->configs.n = new->n_settings;
		for (int i = 0; i < new->n_settings; i++) {
			topic->configs.items[i].name = str_of(new->settings[i].name);
			topic->configs.items[i].value = str_of(new->settings[i].value);
		}
	}
	req->timeout_ms = CREATE_TIMEOUT_MS;
	req->validate_only = all->validate_only;
}

/* What would have all tried again is the answer of all; the others are each topic's own. */
static int16_t create_code(struct call *call, struct str *message)
{
	const struct create_topics_response *res = call_res(call, create_topics);

	if (res->topics.n == 0)
		return KERR_UNKNOWN_SERVER_ERROR;
	for (int32_t i = 0; i < res->topics.n; i++) {
		*message = res->topics.items[i].error_message;
		if (admin_code_retries(res->topics.items[i].error_code))
			return res->topics.items[i].error_code;
	}
	*message = STR_NULL;
	return KERR_NONE;
}

static const struct created_topic *create_answer(const struct create_topics_response *res, int at,
							   const char *name)
{
	if (at < res->topics.n && str_is(res->topics.items[at].name, name))
		return &res->topics.items[at];
	for (int32_t i = 0; i < res->topics.n; i++)
		if (str_is(res->topics.items[i].name, name))
			return &res->topics.items[i];
	return NULL;
}

static void create_take(struct cluster *cluster, const struct create_topics_response *res, struct creations *all)
{
	for (int t = 0; t < all->n; t++) {
		struct admin_new_topic *topic = &all->topics[t];
		const struct created_topic *answer = create_answer(res, t, topic->name);
		char right[RIGHT_MAX];
		struct admin_op op = { .cluster = cluster, .verb = "create topic", .object = topic->name, .right = right };

		if (answer == NULL)
			continue;
		snprintf(right, sizeof(right), "CREATE on Cluster or on Topic %s", topic->name);
		topic->rc = admin_code(&op, answer->error_code, answer->error_message, &topic->err);
		topic->id = answer->topic_id;
		if (topic->rc == RC_KAFKA && topic->err.kafka == KERR_INVALID_REPLICATION_FACTOR)
			err_hint(&topic->err, "the cluster has fewer brokers than that; give --replication-factor");
	}
}

int admin_create_topics(struct cluster *cluster, struct admin_new_topic *topics, int n, bool validate_only,
			int64_t deadline_ns, struct err *err)
{
	struct creations all = { topics, n, validate_only };
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "create",
			.object = n == 1 ? topics[0].name : "topics" },
		.api = &create_topics_api, .build = create_build, .code = create_code, .arg = &all,
	};
	struct call call;
	int rc;

	for (int i = 0; i < n; i++)
		topics[i].rc = err_set(&topics[i].err, RC_PROTO, "%s: no answer for topic %s", cluster_options(cluster)->side,
				       topics[i].name);
	if (n == 0)
		return RC_OK;
	rc = admin_controller_call(&c, &call, err);
	/* Some may be refused for good where others are to be tried again, which the deadline ended. */
	if (rc == RC_OK || rc == RC_KAFKA)
		create_take(cluster, call_res(&call, create_topics), &all);
	call_fini(&call);
	return rc;
}

int admin_create_topic(struct cluster *cluster, const struct admin_new_topic *topic, bool validate_only,
		       int64_t deadline_ns, struct uuid *id, struct err *err)
{
	struct admin_new_topic one = *topic;
	int rc = admin_create_topics(cluster, &one, 1, validate_only, deadline_ns, err);

	if (id != NULL)
		*id = one.id;
	if (rc == RC_OK && one.rc != RC_OK)
		*err = one.err;
	return rc == RC_OK ? one.rc : rc;
}

/* --- partitions, deletion ------------------------------------------------------------------------------------ */

struct growth {
	const char *topic;
	int32_t total;
};

static void grow_build(struct call *call, const void *arg)
{
	const struct growth *growth = arg;
	struct create_partitions_request *req = call_req(call, create_partitions);
	struct growable_topic *topic = arena_new(&call->arena, struct growable_topic, 1);

	topic->name = str_of(growth->topic);
	topic->count = growth->total;
	topic->assignments.n = -1;
	req->topics.items = topic;
	req->topics.n = 1;
	req->timeout_ms = CREATE_TIMEOUT_MS;
}

static int16_t grow_code(struct call *call, struct str *message)
{
	const struct create_partitions_response *res = call_res(call, create_partitions);

	if (res->results.n != 1)
		return KERR_UNKNOWN_SERVER_ERROR;
	*message = res->results.items[0].error_message;
	return res->results.items[0].error_code;
}

int admin_create_partitions(struct cluster *cluster, const char *topic, int32_t total, int64_t deadline_ns,
			    struct err *err)
{
	char right[RIGHT_MAX];
	struct growth growth = { topic, total };
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "add partitions to", .object = topic,
			.right = right },
		.api = &create_partitions_api, .build = grow_build, .code = grow_code, .arg = &growth,
	};
	struct call call;
	int rc;

	snprintf(right, sizeof(right), "ALTER on Topic %s", topic);
	rc = admin_controller_call(&c, &call, err);
	call_fini(&call);
	if (rc == RC_KAFKA && err->kafka == KERR_INVALID_PARTITIONS)
		err->rc = rc = RC_EXISTS;
	return rc;
}

static void delete_build(struct call *call, const void *arg)
{
	struct delete_topics_request *req = call_req(call, delete_topics);

	/* By name in every version: up to v5 there is a list of names, from v6 one of names and ids. */
	req->topic_names.items = arena_new(&call->arena, struct str, 1);
	req->topic_names.items[0] = str_of(arg);
	req->topic_names.n = 1;
	req->topics.items = arena_new(&call->arena, struct deletable_topic, 1);
	req->topics.items[0].name = str_of(arg);
	req->topics.n = 1;
	req->timeout_ms = CREATE_TIMEOUT_MS;
}

static int16_t delete_code(struct call *call, struct str *message)
{
	const struct delete_topics_response *res = call_res(call, delete_topics);

	if (res->responses.n != 1)
		return KERR_UNKNOWN_SERVER_ERROR;
	*message = res->responses.items[0].error_message;
	return res->responses.items[0].error_code;
}

int admin_delete_topic(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "delete topic", .object = topic,
			.right = right },
		.api = &delete_topics_api, .build = delete_build, .code = delete_code, .arg = topic,
	};
	struct call call;
	int rc;

	snprintf(right, sizeof(right), "DELETE on Topic %s", topic);
	rc = admin_controller_call(&c, &call, err);
	call_fini(&call);
	return rc;
}

/* --- all of them --------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct admin_topic *)a)->name, ((const struct admin_topic *)b)->name);
}

static void topics_copy(const struct metadata_response *res, struct arena *arena, struct admin_topic **topics, int *n)
{
	*topics = arena_new(arena, struct admin_topic, MAX(res->topics.n, 0));
	for (int i = 0; i < res->topics.n; i++) {
		const struct topic_metadata *t = &res->topics.items[i];

		if (t->name.len <= 0)
			continue;
		(*topics)[(*n)++] = (struct admin_topic){
			.name = arena_strndup(arena, t->name.data, (size_t)t->name.len), .error = t->error_code,
			.id = t->topic_id, .internal = t->is_internal, .authorized = INT32_MIN,
			.n_partitions = t->partitions.n,
		};
	}
	qsort(*topics, (size_t)*n, sizeof(**topics), by_name);
}

int admin_all_topics(struct cluster *cluster, int64_t deadline_ns, struct arena *arena, struct admin_topic **topics,
		     int *n, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "list", .object = "topics" };
	struct call call = { 0 };
	int rc;

	*n = 0;
	do {
		struct metadata_request *req;

		call_reset(&call);
		call_init(&call, &metadata_api, NULL, NULL);
		req = call_req(&call, metadata);
		req->topics.n = -1;
		req->allow_auto_topic_creation = false;
		rc = admin_call(&op, NODE_ANY, &call, err);
	} while (admin_rc_retries(rc) && admin_pause(&op));
	if (rc == RC_OK)
		topics_copy(call_res(&call, metadata), arena, topics, n);
	else
		admin_failed(&op, err);
	call_fini(&call);
	return rc;
}
