/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of topics. */
#include "client/admin_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/calls.h"
#include "wire/msg/describe_configs.h"
#include "wire/msg/incremental_alter_configs.h"

#include <string.h>

enum { RESOURCE_TOPIC = 2, OP_SET = 0, OP_DELETE = 1, CONFIGS_AT_ONCE = 250, CONFIGS_UNDER_WAY = 4 };

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

/* The request for n topics, from the given one on. */
static void configs_fill(struct call *call, const struct admin_configs_ask *ask, int from, int n)
{
	struct describe_configs_request *req;
	struct str *keys;

	call_init(call, &describe_configs_api, NULL, NULL);
	req = call_req(call, describe_configs);
	req->resources.items = arena_new(&call->arena, struct describable_resource, n);
	req->resources.n = n;
	keys = arena_new(&call->arena, struct str, ask->n_keys);
	for (int k = 0; k < ask->n_keys; k++)
		keys[k] = str_of(ask->keys[k]);
	for (int t = 0; t < n; t++) {
		req->resources.items[t].resource_type = RESOURCE_TOPIC;
		req->resources.items[t].resource_name = str_of(ask->topics[from + t].topic);
		req->resources.items[t].configuration_keys.items = keys;
		req->resources.items[t].configuration_keys.n = ask->n_keys > 0 ? ask->n_keys : -1;
	}
}

static int configs_once(const struct admin_op *op, struct arena *arena, struct admin_configs *configs, struct err *err)
{
	struct admin_configs_of topic = { .topic = op->object };
	struct admin_configs_ask one = { .topics = &topic, .n = 1 };
	struct call call = { 0 };
	const struct describe_configs_response *res;
	int rc;

	configs_fill(&call, &one, 0, one.n);
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

/* One request. */
struct configs_batch {
	struct admin_configs_ask *ask;
	int from, n;
	int rc;
};

struct configs_job {
	struct calls calls;
	struct configs_batch *all;
	int n;
	struct configs_batch **open;    /* of this round */
	struct arena *arena;
};

static int32_t configs_build(struct calls *calls, int i, struct call *call)
{
	const struct configs_batch *batch = container_of(calls, struct configs_job, calls)->open[i];

	calls->cluster = batch->ask->cluster;
	configs_fill(call, batch->ask, batch->from, batch->n);
	return NODE_ANY;
}

static void configs_read(struct calls *calls, int i, struct call *call)
{
	struct configs_job *job = container_of(calls, struct configs_job, calls);
	struct configs_batch *batch = job->open[i];
	const struct describe_configs_response *res;

	batch->rc = call->rc;
	if (call->rc != RC_OK) {
		batch->ask->err = call->err;
		return;
	}
	res = call_res(call, describe_configs);
	for (int r = 0; r < res->results.n; r++) {
		const struct described_resource *result = &res->results.items[r];
		struct admin_configs_of *of = configs_slot(batch->ask->topics + batch->from, batch->n, r, result->resource_name);

		if (of == NULL)
			continue;
		of->error = result->error_code;
		if (of->error == KERR_NONE)
			configs_copy(job->arena, result, &of->configs);
	}
}

static void configs_begin(struct configs_job *job, struct admin_configs_ask *asks, int n)
{
	int batches = 0;

	for (int i = 0; i < n; i++)
		batches += (asks[i].n + CONFIGS_AT_ONCE - 1) / CONFIGS_AT_ONCE;
	job->all = xcalloc((size_t)batches + 1, sizeof(*job->all));
	job->open = xcalloc((size_t)batches + 1, sizeof(*job->open));
	/* In turns, so that the clusters work at the same time. */
	for (int from = 0; job->n < batches; from += CONFIGS_AT_ONCE)
		for (int i = 0; i < n; i++)
			if (from < asks[i].n)
				job->all[job->n++] = (struct configs_batch){
					.ask = &asks[i], .from = from, .n = MIN(asks[i].n - from, (int)CONFIGS_AT_ONCE),
					.rc = RC_TIMEOUT,
				};
	for (int i = 0; i < n; i++) {
		err_set(&asks[i].err, RC_TIMEOUT, "%s: no time is left", cluster_options(asks[i].cluster)->side);
		for (int t = 0; t < asks[i].n; t++) {
			asks[i].topics[t].error = INT16_MAX;
			asks[i].topics[t].configs = (struct admin_configs){ 0 };
		}
	}
}

/* False: there is nothing that another try could change. */
static bool configs_round(struct configs_job *job, int64_t deadline_ns)
{
	job->calls.n = 0;
	job->calls.deadline_ns = deadline_ns;
	for (int i = 0; i < job->n; i++) {
		if (!admin_rc_retries(job->all[i].rc))
			continue;
		job->open[job->calls.n++] = &job->all[i];
		job->calls.deadline_ns = admin_request_deadline(job->all[i].ask->cluster, job->calls.deadline_ns);
	}
	if (job->calls.n > 0)
		calls_run(&job->calls);
	for (int i = 0; i < job->calls.n; i++)
		if (admin_rc_retries(job->open[i]->rc))
			return true;
	return false;
}

void admin_describe_configs_of(struct admin_configs_ask *asks, int n, int64_t deadline_ns, struct arena *arena)
{
	struct admin_op op = { .cluster = asks[0].cluster, .deadline_ns = deadline_ns, .verb = "read the settings of",
			       .object = "topics" };
	struct configs_job job = {
		.calls = { .cluster = asks[0].cluster, .most = CONFIGS_UNDER_WAY, .build = configs_build, .read = configs_read },
		.arena = arena,
	};

	configs_begin(&job, asks, n);
	while (configs_round(&job, deadline_ns) && admin_pause(&op))
		;
	for (int i = 0; i < n; i++)
		asks[i].rc = RC_OK;
	for (int i = 0; i < job.n; i++)
		if (job.all[i].rc != RC_OK)
			job.all[i].ask->rc = job.all[i].rc;
	for (int i = 0; i < n; i++)
		if (asks[i].rc != RC_OK)
			asks[i].rc = admin_failed(&op, &asks[i].err);
	xfree(job.all);
	xfree(job.open);
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
