/* SPDX-License-Identifier: Apache-2.0 */
/* Topics and their settings. */
#include "client/admin_priv.h"
#include "wire/msg/create_partitions.h"
#include "wire/msg/create_topics.h"
#include "wire/msg/delete_topics.h"
#include "wire/msg/describe_configs.h"
#include "wire/msg/incremental_alter_configs.h"
#include "wire/msg/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { RESOURCE_TOPIC = 2, OP_SET = 0, OP_DELETE = 1, CREATE_TIMEOUT_MS = 25000, RIGHT_MAX = 320, CONFIGS_AT_ONCE = 250 };

/* --- create -------------------------------------------------------------------------------------------------- */

static void create_build(struct call *call, const void *arg)
{
	const struct admin_new_topic *new = arg;
	struct create_topics_request *req = call_req(call, create_topics);
	struct creatable_topic *topic = arena_new(&call->arena, struct creatable_topic, 1);

	topic->name = str_of(new->name);
	topic->num_partitions = new->n_partitions;
	topic->replication_factor = new->replication_factor;
	topic->configs.items = arena_new(&call->arena, struct creatable_config, new->n_settings);
	topic->configs.n = new->n_settings;
	for (int i = 0; i < new->n_settings; i++) {
		topic->configs.items[i].name = str_of(new->settings[i].name);
		topic->configs.items[i].value = str_of(new->settings[i].value);
	}
	req->topics.items = topic;
	req->topics.n = 1;
	req->timeout_ms = CREATE_TIMEOUT_MS;
	req->validate_only = new->validate_only;
}

static int16_t create_code(struct call *call, struct str *message)
{
	const struct create_topics_response *res = call_res(call, create_topics);

	if (res->topics.n != 1)
		return KERR_UNKNOWN_SERVER_ERROR;
	*message = res->topics.items[0].error_message;
	return res->topics.items[0].error_code;
}

int admin_create_topic(struct cluster *cluster, const struct admin_new_topic *topic, int64_t deadline_ns,
		       struct uuid *id, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "create topic", .object = topic->name,
			.right = right },
		.api = &create_topics_api, .build = create_build, .code = create_code, .arg = topic,
	};
	struct call call;
	int rc;

	snprintf(right, sizeof(right), "CREATE on Cluster or on Topic %s", topic->name);
	rc = admin_controller_call(&c, &call, err);
	if (rc == RC_OK && id != NULL)
		*id = call_res(&call, create_topics)->topics.items[0].topic_id;
	if (rc == RC_KAFKA && err->kafka == KERR_INVALID_REPLICATION_FACTOR)
		err_hint(err, "the cluster has fewer brokers than that; give --replication-factor");
	call_fini(&call);
	return rc;
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

/* --- settings ------------------------------------------------------------------------------------------------ */

static void configs_copy(struct arena *arena, const struct described_resource *in, struct admin_configs *out)
{
	out->n = MAX(in->configs.n, 0);
	out->items = arena_new(arena, struct admin_config, out->n);
	for (int i = 0; i < out->n; i++) {
		const struct described_config *c = &in->configs.items[i];

		out->items[i] = (struct admin_config){
			.name = arena_strndup(arena, c->name.len > 0 ? c->name.data : "", (size_t)MAX(c->name.len, 0)),
			.value = c->value.len < 0 ? NULL : arena_strndup(arena, c->value.data, (size_t)c->value.len),
			.source = c->config_source,
			.read_only = c->read_only,
			.sensitive = c->is_sensitive,
		};
	}
}

static int configs_once(const struct admin_op *op, struct arena *arena, struct admin_configs *configs, struct err *err)
{
	struct call call = { 0 };
	struct describe_configs_request *req;
	const struct describe_configs_response *res;
	int rc;

	call_init(&call, &describe_configs_api, NULL, NULL);
	req = call_req(&call, describe_configs);
	req->resources.items = arena_new(&call.arena, struct describable_resource, 1);
	req->resources.items[0].resource_type = RESOURCE_TOPIC;
	req->resources.items[0].resource_name = str_of(op->object);
	req->resources.items[0].configuration_keys.n = -1;
	req->resources.n = 1;
	rc = admin_call(op, NODE_ANY, &call, err);
	if (rc == RC_OK) {
		res = call_res(&call, describe_configs);
		if (res->results.n != 1)
			rc = err_set(err, RC_PROTO, "%s: DescribeConfigs answered for %d topics instead of one",
				     cluster_options(op->cluster)->side, res->results.n);
		else
			rc = admin_code(op, res->results.items[0].error_code, res->results.items[0].error_message, err);
		if (rc == RC_OK)
			configs_copy(arena, &res->results.items[0], configs);
	} else {
		admin_failed(op, err);
	}
	call_fini(&call);
	return rc;
}

static struct admin_configs_of *configs_slot(struct admin_configs_of *topics, int n, int at, struct str name)
{
	if (at < n && str_eq(name, str_of(topics[at].topic)))
		return &topics[at];
	for (int i = 0; i < n; i++)
		if (str_eq(name, str_of(topics[i].topic)))
			return &topics[i];
	return NULL;
}

struct configs_ask {
	struct admin_configs_of *topics;
	int n;
	const char *const *keys;
	int n_keys;
};

static int configs_batch(const struct admin_op *op, const struct configs_ask *ask, struct arena *arena, struct err *err)
{
	struct call call = { 0 };
	struct describe_configs_request *req;
	struct str *keys;
	int rc;

	call_init(&call, &describe_configs_api, NULL, NULL);
	req = call_req(&call, describe_configs);
	req->resources.items = arena_new(&call.arena, struct describable_resource, ask->n);
	req->resources.n = ask->n;
	keys = arena_new(&call.arena, struct str, ask->n_keys);
	for (int i = 0; i < ask->n_keys; i++)
		keys[i] = str_of(ask->keys[i]);
	for (int i = 0; i < ask->n; i++) {
		req->resources.items[i].resource_type = RESOURCE_TOPIC;
		req->resources.items[i].resource_name = str_of(ask->topics[i].topic);
		req->resources.items[i].configuration_keys.items = keys;
		req->resources.items[i].configuration_keys.n = ask->n_keys;
	}
	rc = admin_call(op, NODE_ANY, &call, err);
	if (rc == RC_OK) {
		const struct describe_configs_response *res = call_res(&call, describe_configs);

		for (int i = 0; i < res->results.n; i++) {
			const struct described_resource *r = &res->results.items[i];
			struct admin_configs_of *of = configs_slot(ask->topics, ask->n, i, r->resource_name);

			if (of == NULL)
				continue;
			of->error = r->error_code;
			if (of->error == KERR_NONE)
				configs_copy(arena, r, &of->configs);
		}
	} else {
		admin_failed(op, err);
	}
	call_fini(&call);
	return rc;
}

int admin_describe_configs_of(struct cluster *cluster, struct admin_configs_of *topics, int n, const char *const *keys,
			      int n_keys, int64_t deadline_ns, struct arena *arena, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the settings of",
			       .object = "topics" };
	int rc = RC_OK;

	for (int i = 0; i < n; i++) {
		topics[i].error = INT16_MAX;
		topics[i].configs = (struct admin_configs){ 0 };
	}
	for (int at = 0; at < n && rc == RC_OK; at += CONFIGS_AT_ONCE) {
		struct configs_ask ask = { topics + at, MIN(n - at, (int)CONFIGS_AT_ONCE), keys, n_keys };

		do
			rc = configs_batch(&op, &ask, arena, err);
		while (admin_rc_retries(rc) && admin_pause(&op));
	}
	return rc;
}

int admin_describe_configs(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct arena *arena,
			   struct admin_configs *configs, struct err *err)
{
	char right[RIGHT_MAX];
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the settings of topic",
			       .object = topic, .right = right };
	int rc;

	snprintf(right, sizeof(right), "DESCRIBE_CONFIGS on Topic %s", topic);
	*configs = (struct admin_configs){ 0 };
	/* Another broker may know the topic already, or answer where this one does not. */
	do
		rc = configs_once(&op, arena, configs, err);
	while ((admin_rc_retries(rc) || (rc == RC_KAFKA && admin_code_retries(err->kafka)) ||
		(rc == RC_NOT_FOUND && op.tries < 5)) && admin_pause(&op));
	return rc;
}

const struct admin_config *admin_config_find(const struct admin_configs *configs, const char *name)
{
	for (int i = 0; i < configs->n; i++)
		if (strcmp(configs->items[i].name, name) == 0)
			return &configs->items[i];
	return NULL;
}

struct alterations {
	struct admin_alteration *topics;
	int n;
};

static void alter_build(struct call *call, const void *arg)
{
	const struct alterations *all = arg;
	struct incremental_alter_configs_request *req = call_req(call, incremental_alter_configs);

	req->resources.items = arena_new(&call->arena, struct alterable_resource, all->n);
	req->resources.n = 0;
	for (int t = 0; t < all->n; t++) {
		const struct admin_alteration *alteration = &all->topics[t];
		struct alterable_resource *resource;

		if (alteration->n == 0)
			continue;
		resource = &req->resources.items[req->resources.n++];
		resource->resource_type = RESOURCE_TOPIC;
		resource->resource_name = str_of(alteration->topic);
		resource->configs.items = arena_new(&call->arena, struct alterable_config, alteration->n);
		resource->configs.n = alteration->n;
		for (int i = 0; i < alteration->n; i++) {
			const struct admin_setting *s = &alteration->settings[i];

			resource->configs.items[i].name = str_of(s->name);
			resource->configs.items[i].config_operation = s->value != NULL ? OP_SET : OP_DELETE;
			resource->configs.items[i].value = str_of(s->value);
		}
	}
}

/* What would have all tried again is the answer of all; the others are each topic's own. */
static int16_t alter_code(struct call *call, struct str *message)
{
	const struct incremental_alter_configs_response *res = call_res(call, incremental_alter_configs);

	if (res->responses.n == 0)
		return KERR_UNKNOWN_SERVER_ERROR;
	for (int32_t i = 0; i < res->responses.n; i++) {
		int16_t code = res->responses.items[i].error_code;

		*message = res->responses.items[i].error_message;
		if (code != KERR_UNKNOWN_TOPIC_OR_PARTITION && admin_code_retries(code))
			return code;
	}
	*message = STR_NULL;
	return KERR_NONE;
}

static void alter_take(struct cluster *cluster, struct call *call, struct alterations *all)
{
	const struct incremental_alter_configs_response *res = call_res(call, incremental_alter_configs);

	for (int t = 0; t < all->n; t++) {
		struct admin_alteration *alteration = &all->topics[t];
		char right[RIGHT_MAX];
		struct admin_op op = { .cluster = cluster, .verb = "change the settings of topic",
				       .object = alteration->topic, .right = right };

		snprintf(right, sizeof(right), "ALTER_CONFIGS on Topic %s", alteration->topic);
		for (int32_t i = 0; i < res->responses.n; i++)
			if (str_is(res->responses.items[i].resource_name, alteration->topic))
				alteration->rc = admin_code(&op, res->responses.items[i].error_code,
							    res->responses.items[i].error_message, &alteration->err);
	}
}

int admin_alter_topics(struct cluster *cluster, struct admin_alteration *topics, int n, int64_t deadline_ns,
		       struct err *err)
{
	struct alterations all = { topics, n };
	struct admin_controller_op c = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "change the settings of",
			.object = n == 1 ? topics[0].topic : "topics" },
		.api = &incremental_alter_configs_api, .build = alter_build, .code = alter_code, .arg = &all,
	};
	struct call call;
	int rc, asked = 0;

	for (int i = 0; i < n; i++) {
		asked += topics[i].n > 0;
		topics[i].rc = topics[i].n > 0 ? err_set(&topics[i].err, RC_PROTO, "%s: no answer for topic %s",
							 cluster_options(cluster)->side, topics[i].topic) : RC_OK;
	}
	if (asked == 0)
		return RC_OK;
	rc = admin_controller_call(&c, &call, err);
	if (rc == RC_OK)
		alter_take(cluster, &call, &all);
	call_fini(&call);
	return rc;
}

int admin_alter_configs(struct cluster *cluster, const char *topic, const struct admin_setting *settings, int n,
			int64_t deadline_ns, struct err *err)
{
	struct admin_alteration one = { .topic = topic, .settings = settings, .n = n };
	int rc = admin_alter_topics(cluster, &one, 1, deadline_ns, err);

	if (rc == RC_OK && one.rc != RC_OK)
		*err = one.err;
	return rc == RC_OK ? one.rc : rc;
}
